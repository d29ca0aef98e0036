package zmq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAProxyJoinsReqsToReps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		front, back := on(t, n, NewRouter(nil)), on(t, n, NewDealer(nil))
		captured, ear := on(t, n, NewPush(&Options{Linger: -1, SendHWM: -1})), on(t, n, NewPull(nil))
		listen(t, front, home)
		listen(t, back, "tcp://back:1")
		listen(t, ear, "tcp://ear:1")
		dial(t, captured, "tcp://ear:1")
		ctx, stop := context.WithCancelCause(t.Context())
		proxied := make(chan error)
		go func() { proxied <- Proxy(ctx, front, back, captured) }()
		for w := range 3 {
			rep := on(t, n, NewRep(nil))
			dial(t, rep, "tcp://back:1")
			go func() {
				for q, err := range rep.Requests(t.Context()) {
					if err != nil {
						return
					}
					_ = q.Reply(t.Context(), message(fmt.Sprintf("%s by %d", text(q.Message), w)))
				}
			}()
		}
		time.Sleep(time.Second)
		var clients sync.WaitGroup
		var by [3]atomic.Int32
		for c := range 3 {
			req := on(t, n, NewReq(nil))
			dial(t, req, home)
			clients.Go(func() {
				for i := range 30 {
					ask := fmt.Sprintf("%d.%d", c, i)
					m, err := req.Do(t.Context(), message(ask))
					if err != nil || !strings.HasPrefix(text(m), ask+" by ") {
						t.Errorf("reply %q, error %v", text(m), err)
						return
					}
					by[m[0][len(m[0])-1]-'0'].Add(1)
				}
			})
		}
		clients.Wait()
		for w := range by {
			if by[w].Load() != 30 {
				t.Errorf("worker %d answered %d requests, want 30", w, by[w].Load())
			}
		}
		for range 180 {
			if _, err := ear.Recv(within(t, time.Second)); err != nil {
				t.Fatalf("fewer than 180 messages were captured: %v", err)
			}
		}
		why := errors.New("enough")
		stop(why)
		if err := <-proxied; !errors.Is(err, context.Canceled) && !errors.Is(err, why) {
			t.Errorf("the proxy ended with %v", err)
		}
	})
}

func TestAProxyPassesSubscriptionsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		front, back := on(t, n, NewXSub(nil)), on(t, n, NewXPub(nil))
		listen(t, front, home)
		listen(t, back, "tcp://back:1")
		go func() { _ = Proxy(t.Context(), front, back, nil) }()
		pubs := []*Pub{on(t, n, NewPub(nil)), on(t, n, NewPub(nil))}
		for _, p := range pubs {
			dial(t, p, home)
		}
		sub := on(t, n, NewSub(nil))
		must(t, sub.Subscribe("a"))
		dial(t, sub, "tcp://back:1")
		time.Sleep(time.Second)
		send(t, pubs[0], "a1", "b1")
		recv(t, sub, "a1")
		send(t, pubs[1], "b2", "a2")
		recv(t, sub, "a2")
	})
}

func TestAProxyThroughWhichNothingPassesIsAnError(t *testing.T) {
	a, b := NewPull(nil), NewPull(nil)
	defer a.Close()
	defer b.Close()
	if err := Proxy(t.Context(), a, b, nil); err == nil {
		t.Error("no error")
	}
}
