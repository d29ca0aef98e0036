package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
)

// deepHouse is a broker whose queues leave everything to the store, with its log.
func deepHouse(t *testing.T) (*durableHouse, *bytes.Buffer) {
	log := new(bytes.Buffer)
	never := tiny
	never.share = -1
	return newDurableHouse(t, Config{window: never, Logger: slog.New(slog.NewTextHandler(log, nil))}), log
}

func TestWhatABatchHasPublishedItCanFetch(t *testing.T) {
	d, _ := deepHouse(t)
	g := d.guest()
	g.declare(QueueSpec{Name: "q", Durable: true})
	d.model.Manual = true
	for i := range 3 {
		_, err := g.Publish(g.batch, &message.Message{Key: []byte("q"), Body: []byte{byte(i)}, Flags: message.Persistent})
		g.must(err)
		ok, err := g.Get(g.batch, "q", true, func(m *Delivery, _ int) {
			if m.Message.Body[0] != byte(i) {
				t.Errorf("message %d was fetched, not %d", m.Message.Body[0], i)
			}
		})
		if g.must(err); !ok {
			t.Fatalf("message %d was not there", i)
		}
	}
	if !g.batch.Owing() {
		t.Error("nothing is owed to the publisher")
	}
	if ticket := g.batch.End(); ticket == 0 || ticket <= d.Durable() {
		t.Errorf("the publisher waits for %d, %d is durable", ticket, d.Durable())
	}
}

// blind is a store whose streams cannot be read while it says so.
type blind struct {
	storage.Store
	now *atomic.Bool
}

func (s blind) NewStream() storage.Stream { return blindStream{s.Store.NewStream(), s.now} }

type blindStream struct {
	storage.Stream
	now *atomic.Bool
}

func (s blindStream) Read(from uint64, visit func(*storage.Record) bool) error {
	if s.now.Load() {
		return &storage.DamageError{File: "000001.segment", What: "a flipped bit"}
	}
	return s.Stream.Read(from, visit)
}

func TestConsumersAreToldAtOnceThatTheirQueueIsDown(t *testing.T) {
	never := tiny
	never.share = -1
	var damaged atomic.Bool
	users := access.New()
	b, err := Open(Config{Users: users, window: never, Store: func(e storage.Events) (storage.Store, error) {
		return blind{&storetest.Model{Events: e}, &damaged}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	h := &house{Broker: b, t: t, users: users}
	g := h.guest()
	g.declare(QueueSpec{Name: "q", Durable: true})
	to := newTap()
	g.consume(ConsumerSpec{Queue: "q"}, to)
	damaged.Store(true)
	g.persist("", "q", "x") // the queue can be read, and cannot, when the batch is committed
	if to.cancelled != 1 {
		t.Errorf("the consumer was told %d times", to.cancelled)
	}
	_, err = g.Consume(ConsumerSpec{Queue: "q"}, newTap())
	var e *Error
	if !errors.As(err, &e) || e.Kind != NotFound || !strings.Contains(e.Text, "queue 'q' in vhost '/' is down: 000001.segment is damaged") {
		t.Errorf("consuming from it ends with %v", err)
	}
	if n := g.publish("", "q", "still taken"); n != 1 {
		t.Error("publishers are not safe")
	}
}

func TestTheEndOfTheStoreSaysNothingAboutItsQueues(t *testing.T) {
	for _, end := range []struct {
		name string
		of   func(d *durableHouse)
	}{
		{"closed", func(d *durableHouse) { d.Close() }},
		{"failed", func(d *durableHouse) { d.model.Fail(errors.New("input/output error")) }},
	} {
		t.Run(end.name, func(t *testing.T) {
			d, log := deepHouse(t)
			g := d.guest()
			g.declare(QueueSpec{Name: "q", Durable: true})
			g.persist("", "q", "before")
			end.of(d)
			to := newTap()
			g.consume(ConsumerSpec{Queue: "q"}, to)
			g.persist("", "q", "after")
			if to.cancelled != 0 || strings.Contains(log.String(), "fsck") || strings.Contains(log.String(), "not in the store") {
				t.Errorf("the consumer was told %d times; the log:\n%s", to.cancelled, log)
			}
		})
	}
}

func TestWaitingForTheDiskEnds(t *testing.T) {
	open := func(t *testing.T) (*durableHouse, Ticket) {
		d := newDurableHouse(t, Config{})
		g := d.guest()
		g.declare(QueueSpec{Name: "q", Durable: true})
		d.model.Manual = true
		return d, g.persist("", "q", "x")
	}
	for _, c := range []struct {
		name string
		end  func(d *durableHouse, cancel func())
		want func(err error) bool
	}{
		{"by a commit", func(d *durableHouse, _ func()) { _ = d.model.Commit() }, func(err error) bool { return err == nil }},
		{"by its context", func(_ *durableHouse, cancel func()) { cancel() }, func(err error) bool { return errors.Is(err, context.Canceled) }},
		{"by a close, which commits", func(d *durableHouse, _ func()) { _ = d.Close() }, func(err error) bool { return err == nil }},
		{"by a failure", func(d *durableHouse, _ func()) { d.model.Fail(errors.New("broken")) }, func(err error) bool {
			var e *Error
			return errors.As(err, &e) && e.Kind == Internal && strings.HasSuffix(e.Text, "broken")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, ticket := open(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				over := make(chan error, 1)
				go func() { over <- d.Wait(ctx, ticket) }()
				synctest.Wait()
				select {
				case err := <-over:
					t.Fatalf("it ends by itself, with %v", err)
				default:
				}
				c.end(d, cancel)
				if err := <-over; !c.want(err) {
					t.Errorf("it ends with %v", err)
				}
				if n := len(d.waiters.list); n != 0 {
					t.Errorf("%d wait in the list", n)
				}
			})
		})
	}
}

// Who finds what another has just declared is told so once it is on the disk: his answer is a promise, too.
func TestADeclarationOfWhatIsThereWaitsUntilThatIsOnTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDurableHouse(t, Config{})
		d.model.Manual = true
		var answered atomic.Int32
		var all sync.WaitGroup
		for range 2 {
			g := d.guest()
			for _, declare := range []func() error{
				func() error { _, err := g.DeclareQueue(QueueSpec{Name: "q", Durable: true}); return err },
				func() error { _, err := d.AddVHost("other"); return err },
			} {
				all.Go(func() {
					if err := declare(); err != nil {
						t.Error(err)
					}
					answered.Add(1)
				})
			}
		}
		synctest.Wait()
		if n := answered.Load(); n != 0 {
			t.Errorf("%d were answered before the commit", n)
		}
		if err := d.model.Commit(); err != nil {
			t.Fatal(err)
		}
		all.Wait()
	})
}

func TestQueuesGiveWayBeforePublishersAreHeldForMemory(t *testing.T) {
	d := openHouse(t, Config{MemoryLimit: 2 << 20}, storetest.NewModel())
	g := d.guest()
	body := strings.Repeat("x", 10_000)
	for q := range 20 {
		name := fmt.Sprint("q", q)
		g.declare(QueueSpec{Name: name, Durable: q%2 == 0})
		for range 100 {
			g.publish("", name, body)
			if resumed, _ := d.Held(); resumed != nil {
				t.Fatalf("publishers are held for %d bytes that could be in the store", d.Stored())
			}
		}
	}
	for q := range 20 {
		if n := len(g.drain(fmt.Sprint("q", q))); n != 100 {
			t.Errorf("queue %d had %d", q, n)
		}
	}
}
