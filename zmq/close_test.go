package zmq

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCloseWaitsForLingerAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for linger, want := range map[time.Duration]time.Duration{-1: 0, 0: time.Second, 5 * time.Second: 5 * time.Second} {
			push := on(t, &memory{}, NewPush(&Options{Linger: linger}))
			dial(t, push, home)
			send(t, push, "nobody will read this")
			start := time.Now()
			must(t, push.Close())
			if got := time.Since(start); got != want {
				t.Errorf("linger %v: Close took %v", linger, got)
			}
		}
	})
}

func TestCloseWritesWhatIsQueuedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 128}
		push, pull := on(t, n, NewPush(nil)), on(t, n, NewPull(nil))
		dial(t, push, home)
		send(t, push, numbers(0, 100)...)
		closed := make(chan struct{})
		go func() {
			_ = push.Close()
			close(closed)
		}()
		time.Sleep(300 * time.Millisecond)
		listen(t, pull, home) // only now
		recv(t, pull, numbers(0, 100)...)
		<-closed
	})
}

func TestShutdownIsBoundByItsContextAndSaysWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := on(t, &memory{}, NewPush(&Options{Linger: time.Hour}))
		dial(t, push, home)
		send(t, push, "lost")
		start := time.Now()
		if err := push.Shutdown(within(t, 3*time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if got := time.Since(start); got != 3*time.Second {
			t.Errorf("it took %v", got)
		}
	})
}

func TestShutdownDoesNotWaitForWhatDisconnectLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := on(t, &memory{}, NewPush(&Options{Linger: time.Hour}))
		dial(t, push, home)
		send(t, push, "lost")
		must(t, push.Disconnect(home))
		start := time.Now()
		if err := push.Shutdown(within(t, 3*time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if got := time.Since(start); got != 3*time.Second {
			t.Errorf("it took %v", got)
		}
	})
}

func TestCloseEndsEveryCallThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		dealer, rep, req := on(t, n, NewDealer(nil)), on(t, n, NewRep(nil)), on(t, n, NewReq(nil))
		var ended atomic.Int32
		for range 3 {
			go func() {
				if _, err := dealer.Recv(t.Context()); errors.Is(err, ErrClosed) {
					ended.Add(1)
				}
			}()
			go func() {
				if err := dealer.Send(t.Context(), message("x")); errors.Is(err, ErrClosed) {
					ended.Add(1)
				}
			}()
			go func() {
				for _, err := range rep.Requests(t.Context()) {
					if errors.Is(err, ErrClosed) {
						ended.Add(1)
					}
				}
			}()
			go func() {
				if _, err := req.Do(t.Context(), message("x")); errors.Is(err, ErrClosed) {
					ended.Add(1)
				}
			}()
		}
		synctest.Wait()
		must(t, dealer.Close())
		must(t, rep.Close())
		must(t, req.Close())
		synctest.Wait()
		if ended.Load() != 12 {
			t.Errorf("%d of 12 calls ended", ended.Load())
		}
		must(t, dealer.Close())
		if err := dealer.Send(t.Context(), message("x")); !errors.Is(err, ErrClosed) {
			t.Errorf("Send after Close: %v", err)
		}
		if _, err := dealer.Listen(t.Context(), home); !errors.Is(err, ErrClosed) {
			t.Errorf("Listen after Close: %v", err)
		}
		if err := dealer.Dial(t.Context(), home); !errors.Is(err, ErrClosed) {
			t.Errorf("Dial after Close: %v", err)
		}
	})
}
