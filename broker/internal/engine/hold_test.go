package engine

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/warrenmq/warren/broker/internal/message"
)

func TestPublishersAreHeldAboveTheMemoryLimitAndGoOnBelowFourFifths(t *testing.T) {
	h := newHouse(t, Config{MemoryLimit: 10_000})
	var alarms atomic.Int32
	told, err := h.Open("/", nil, ClientInfo{Alarm: func() { alarms.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	g := h.guest()
	g.declare(QueueSpec{Name: "q"})
	body := strings.Repeat("x", 1000-14-1) // with the record's header and the key a thousand bytes
	for range 10 {
		g.publish("", "q", body)
	}
	if resumed, _ := h.Held(); resumed != nil || h.Stored() != 10_000 {
		t.Fatalf("held at %d", h.Stored())
	}
	g.publish("", "q", body)
	resumed, reason := h.Held()
	if resumed == nil || reason != "low on memory" || alarms.Load() != 1 {
		t.Fatalf("not held at %d, reason %q, %d alarms", h.Stored(), reason, alarms.Load())
	}
	get := func() {
		_, err := g.Get(g.batch, "q", true, func(*Delivery, int) {})
		g.must(err)
		g.batch.End()
	}
	for h.Stored() > 8000 {
		get()
	}
	select {
	case <-resumed:
		t.Fatalf("released at %d", h.Stored())
	default:
	}
	get()
	select {
	case <-resumed:
	default:
		t.Fatalf("not released at %d", h.Stored())
	}
	if again, _ := h.Held(); again != nil || alarms.Load() != 2 {
		t.Errorf("held still, %d alarms", alarms.Load())
	}
	told.Close(g.batch)
	for range 11 {
		g.publish("", "q", body)
	}
	if alarms.Load() != 2 {
		t.Error("a client that has gone was told")
	}
	again, _ := h.Held()
	h.Close()
	<-again // a closed broker holds nobody
	g.publish("", "q", body)
	if resumed, _ := h.Held(); resumed != nil {
		t.Error("a closed broker holds publishers")
	}
}

func TestNobodyIsHeldForEverHoweverTheGoroutinesMeet(t *testing.T) {
	for range 200 {
		h := newHouse(t, Config{MemoryLimit: 1})
		v := h.guest()
		v.declare(QueueSpec{Name: "q"})
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				g := h.guest()
				for range 20 {
					if _, err := g.Publish(g.batch, &message.Message{Key: []byte("q")}); err != nil {
						t.Error(err)
					}
					g.batch.End()
				}
			})
			all.Go(func() {
				g := h.guest()
				for range 20 {
					if _, err := g.PurgeQueue(g.batch, "q"); err != nil {
						t.Error(err)
					}
					g.batch.End()
				}
			})
		}
		all.Wait()
		if _, err := v.PurgeQueue(v.batch, "q"); err != nil {
			t.Fatal(err)
		}
		v.batch.End()
		if resumed, _ := h.Held(); resumed != nil || h.Stored() != 0 {
			t.Fatalf("publishers are held by %d bytes", h.Stored())
		}
	}
}
