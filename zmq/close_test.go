package zmq

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
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

// A peer that was written to and does not close its side holds Close up for
// Linger and no longer, and one that was not does not at all.
func TestCloseWaitsForThePeerToCloseOnlyIfItWasSentSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, sent := range []bool{true, false} {
			n := &memory{}
			push := on(t, n, NewPush(&Options{Linger: 5 * time.Second}))
			listen(t, push, home)
			peer := n.dial(t, home)
			greet(t, peer, zmtp.PULL, 1)
			want := time.Duration(0)
			if sent {
				send(t, push, "x")
				want = 5 * time.Second
			}
			synctest.Wait()
			start := time.Now()
			must(t, push.Close())
			if got := time.Since(start); got != want {
				t.Errorf("sent %v: Close took %v, want %v", sent, got, want)
			}
		}
	})
}

// The stream ends before the connection does: the peer can still write while
// it reads the rest, and its close is what Close waits for.
func TestCloseEndsTheStreamAndLeavesTheConnectionToThePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		o := &Options{Linger: time.Hour, RecvHWM: 1, HeartbeatInterval: time.Second, HeartbeatTimeout: time.Hour}
		dealer := on(t, n, NewDealer(o))
		listen(t, dealer, home)
		peer := n.dial(t, home)
		greet(t, peer, zmtp.DEALER, 1)
		send(t, dealer, "x")
		closed := make(chan struct{})
		go func() {
			_ = dealer.Close()
			close(closed)
		}()
		synctest.Wait()
		expect(t, peer, "\x00\x01x")
		if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("read %d bytes, error %v, where the stream should end", n, err)
		}
		for range 3 { // more than is taken in
			_, err := peer.Write([]byte("\x00\x01y"))
			must(t, err)
		}
		time.Sleep(10 * time.Second) // for heartbeats to fail on what is closed
		if unread := peer.(*memoryConn).pending(); unread != 0 {
			t.Errorf("%d bytes of the peer's are unread", unread)
		}
		select {
		case <-closed:
			t.Error("Close did not wait for the peer")
		default:
		}
		must(t, peer.Close())
		<-closed
	})
}

func TestManySocketsCloseWithoutWaitingForOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull := on(t, n, NewPull(nil))
		listen(t, pull, home)
		var list []*Push
		for range 100 {
			push := on(t, n, NewPush(nil))
			dial(t, push, home)
			send(t, push, "x")
			list = append(list, push)
		}
		synctest.Wait()
		start := time.Now()
		for _, push := range list {
			must(t, push.Close())
		}
		must(t, pull.Close())
		if got := time.Since(start); got != 0 {
			t.Errorf("it took %v", got)
		}
	})
}

func TestASecondShutdownIsBoundByItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		push := on(t, &memory{}, NewPush(&Options{Linger: time.Hour}))
		dial(t, push, home)
		send(t, push, "lost")
		go push.Close()
		synctest.Wait()
		start := time.Now()
		if err := push.Shutdown(within(t, 3*time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if got := time.Since(start); got != 3*time.Second {
			t.Errorf("it took %v", got)
		}
		must(t, push.Close())
		if got := time.Since(start); got != time.Hour {
			t.Errorf("a second Close returned after %v", got)
		}
		must(t, push.Shutdown(t.Context()))
	})
}
