package zmq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

const home = "tcp://home:1"

func TestASocketMayBeDialedBeforeItsPeerListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		push, pull := on(t, n, NewPush(nil)), on(t, n, NewPull(nil))
		dial(t, push, home)
		send(t, push, "1", "2|x|")
		time.Sleep(time.Minute)
		listen(t, pull, home)
		send(t, push, "3")
		recv(t, pull, "1", "2|x|", "3")
	})
}

func TestTheQueueOfADialedPeerSurvivesReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		push, pull := on(t, n, NewPush(nil)), on(t, n, NewPull(nil))
		listen(t, pull, home)
		dial(t, push, home)
		send(t, push, "1")
		recv(t, pull, "1")
		must(t, pull.Unlisten(home))
		n.breakAll()
		synctest.Wait()
		send(t, push, "2", "3")
		time.Sleep(time.Second)
		listen(t, pull, home)
		recv(t, pull, "2", "3")
	})
}

func TestTheQueueOfAnAcceptedPeerDiesWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 128}
		push := on(t, n, NewPush(nil))
		listen(t, push, home)
		c := n.dial(t, home)
		go greet(t, c, zmtp.PULL, 1)
		send(t, push, "lost", "lost too")
		synctest.Wait()
		_ = c.Close()
		synctest.Wait()
		if err := push.Send(within(t, time.Second), message("no peer is left")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v", err)
		}
		pull := on(t, n, NewPull(nil))
		n.buffer = 0
		dial(t, pull, home)
		send(t, push, "kept")
		recv(t, pull, "kept")
	})
}

func TestABrokenConnectionCostsNoMoreThanTheMessageOnIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		push, pull := on(t, n, NewPush(nil)), on(t, n, NewPull(nil))
		listen(t, pull, home)
		dial(t, push, home)
		want := numbers(100, 200)
		send(t, push, want...)
		recv(t, pull, want...)

		// A frame of a three-digit number has five bytes. After 17 of them
		// three messages are through and a fourth is not.
		n.mu.Lock()
		c := n.conns[len(n.conns)-1]
		n.mu.Unlock()
		c.out.mu.Lock()
		c.out.failAt = c.out.written + 17
		c.out.mu.Unlock()
		send(t, push, want...)
		var got []string
		for {
			m, err := pull.Recv(within(t, time.Minute))
			if err != nil {
				break
			}
			got = append(got, text(m))
		}
		if want := slices.Concat(want[:3], want[4:]); !slices.Equal(got, want) {
			t.Errorf("received %q, want %q", got, want)
		}
	})
}

func TestAnAttemptToConnectIsMadeAfterALongerAndLongerPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		push := on(t, n, NewPush(&Options{ReconnectInterval: time.Second, ReconnectMax: 8 * time.Second}))
		dial(t, push, home)
		attempts := func(d time.Duration) int {
			before := n.count()
			time.Sleep(d)
			synctest.Wait()
			return n.count() - before
		}
		// Pauses are 1, 2, 4, 8, 8, … seconds and up to as much again.
		if got := attempts(31 * time.Second); got < 4 || got > 6 {
			t.Errorf("%d attempts in the first 31 s", got)
		}
		if got := attempts(160 * time.Second); got < 10 || got > 20 {
			t.Errorf("%d attempts in the next 160 s", got)
		}
	})
}

func TestSendWaitsAtTheHighWaterMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		push := on(t, n, NewPush(&Options{SendHWM: 5}))
		dial(t, push, home)
		send(t, push, numbers(0, 5)...)
		if err := push.Send(within(t, time.Second), message("5")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v", err)
		}
		sent := make(chan error)
		go func() { sent <- push.Send(t.Context(), message("6")) }()
		pull := on(t, n, NewPull(nil))
		listen(t, pull, home)
		recv(t, pull, append(numbers(0, 5), "6")...)
		must(t, <-sent)
	})
}

func TestAReceiverThatDoesNotReadStopsItsSender(t *testing.T) {
	for _, endpoint := range []string{home, "inproc://home"} {
		t.Run(endpoint, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &memory{buffer: 128}
				ns := new(Inproc)
				pull := on(t, n, NewPull(&Options{RecvHWM: 10, Inproc: ns}))
				push := on(t, n, NewPush(&Options{SendHWM: 10, Inproc: ns, Linger: -1}))
				listen(t, pull, endpoint)
				dial(t, push, endpoint)
				total := 0
				for push.Send(within(t, time.Second), message(fmt.Sprint(total))) == nil {
					total++
				}
				if endpoint == "inproc://home" && total != 20 {
					t.Errorf("%d messages were taken, want 10 + 10", total)
				}
				if total > 200 {
					t.Errorf("%d messages were taken", total)
				}
				recv(t, pull, numbers(0, total)...)
				send(t, push, "more")
				recv(t, pull, "more")
			})
		})
	}
}

func TestASlowSubscriberLosesItsOwnMessagesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 200}
		pub := on(t, n, NewPub(&Options{SendHWM: 10, Linger: -1}))
		listen(t, pub, home)
		slow, fast := on(t, n, NewSub(&Options{RecvHWM: 10})), on(t, n, NewSub(nil))
		for _, s := range []*Sub{slow, fast} {
			must(t, s.Subscribe(""))
			dial(t, s, home)
		}
		time.Sleep(time.Second)
		const many = 500
		for i := range many {
			send(t, pub, fmt.Sprint(i))
			recv(t, fast, fmt.Sprint(i))
		}
		got := 0
		for {
			if _, err := slow.Recv(within(t, time.Second)); err != nil {
				break
			}
			got++
		}
		if got < 10 || got >= many {
			t.Errorf("the slow subscriber got %d of %d", got, many)
		}
	})
}

func TestSubscriptionsAreTheStateOfTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		sub := on(t, n, NewSub(&Options{SendHWM: 1}))
		const many = 2000 // more than any queue holds
		for i := range many {
			must(t, sub.Subscribe(fmt.Sprintf("%04d", i)))
		}
		dial(t, sub, home)
		for round := range 3 {
			pub := on(t, n, NewPub(nil))
			listen(t, pub, home)
			time.Sleep(time.Second)
			send(t, pub, "no such subscription", "0000 first", fmt.Sprintf("%04d last", many-1))
			recv(t, sub, "0000 first", fmt.Sprintf("%04d last", many-1))
			must(t, pub.Close())
			if round == 0 {
				must(t, sub.Unsubscribe("0001"))
			} else if err := sub.Unsubscribe("0001"); !errors.Is(err, ErrNotSubscribed) {
				t.Errorf("a second Unsubscribe: error %v", err)
			}
		}
	})
}

func TestSubscriptionsTakeTheFormThatThePeerKnows(t *testing.T) {
	for minor, want := range []string{"\x00\x02\x01a\x00\x02\x01b\x00\x02\x00a", "\x04\x0b\x09SUBSCRIBEa\x04\x0b\x09SUBSCRIBEb\x04\x08\x06CANCELa"} {
		t.Run(fmt.Sprintf("ZMTP 3.%d", minor), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &memory{}
				sub := on(t, n, NewSub(nil))
				must(t, sub.Subscribe("a"))
				listen(t, sub, home)
				c := n.dial(t, home)
				greet(t, c, zmtp.PUB, byte(minor))
				synctest.Wait()
				must(t, sub.Subscribe("b"))
				must(t, sub.Unsubscribe("a"))
				expect(t, c, want)
			})
		})
	}
}

func TestACancelledRecvLosesNoMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		push, pull := on(t, n, NewPush(nil)), on(t, n, NewPull(nil))
		listen(t, pull, home)
		dial(t, push, home)
		const many = 2000
		go func() {
			for i := range many {
				if push.Send(t.Context(), Message{fmt.Append(nil, i), []byte("second frame")}) != nil {
					return
				}
				if i%7 == 0 {
					time.Sleep(3 * time.Millisecond)
				}
			}
		}()
		var got [many]atomic.Int32
		var workers sync.WaitGroup
		var total atomic.Int32
		for w := range 8 {
			workers.Go(func() {
				for total.Load() < many {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+w%3)*time.Millisecond)
					m, err := pull.Recv(ctx)
					cancel()
					if err != nil {
						continue
					}
					if len(m) != 2 || string(m[1]) != "second frame" {
						t.Errorf("a torn message: %q", m)
					}
					i := 0
					fmt.Sscan(string(m[0]), &i)
					got[i].Add(1)
					total.Add(1)
				}
			})
		}
		workers.Wait()
		for i := range got {
			if got[i].Load() != 1 {
				t.Errorf("message %d came %d times", i, got[i].Load())
			}
		}
	})
}

func TestAContextThatIsDoneStopsACallAtOnce(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	pair, rep, req := NewPair(nil), NewRep(nil), NewReq(nil)
	defer pair.Close()
	defer rep.Close()
	defer req.Close()
	if err := pair.Send(done, message("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Send: %v", err)
	}
	if _, err := pair.Recv(done); !errors.Is(err, context.Canceled) {
		t.Errorf("Recv: %v", err)
	}
	if _, err := rep.Recv(done); !errors.Is(err, context.Canceled) {
		t.Errorf("Rep.Recv: %v", err)
	}
	if _, err := req.Do(done, message("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Req.Do: %v", err)
	}
	for _, err := range pair.Messages(done) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Messages: %v", err)
		}
	}
}

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

func TestAPairHasOnePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		var log logbook
		a := on(t, n, NewPair(&Options{Logger: log.logger()}))
		listen(t, a, home)
		b, c := on(t, n, NewPair(nil)), on(t, n, NewPair(nil))
		dial(t, b, home)
		send(t, b, "from b")
		recv(t, a, "from b")
		dial(t, c, home)
		send(t, c, "from c")
		time.Sleep(10 * time.Millisecond)
		if !log.has("level=WARN", errRefusedPeer.Error()) {
			t.Errorf("the log says %q", log.lines)
		}
		send(t, a, "to b")
		recv(t, b, "to b")
		must(t, b.Close())
		synctest.Wait() // until a has seen it: what it sends to a peer that is just going is lost
		send(t, a, "to c")
		recv(t, c, "to c")
	})
}

func TestSocketsThatDoNotFitPartWithALogLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		var pullLog, pubLog logbook
		pull := on(t, n, NewPull(&Options{Logger: pullLog.logger()}))
		pub := on(t, n, NewPub(&Options{Logger: pubLog.logger()}))
		listen(t, pull, home)
		dial(t, pub, home)
		time.Sleep(time.Second)
		if !pullLog.has("level=WARN", zmtp.ErrIncompatible.Error(), "PULL", "PUB") {
			t.Errorf("the listener's log says %q", pullLog.lines)
		}
		if !pubLog.has("level=WARN", zmtp.ErrIncompatible.Error()) && !pubLog.has("level=WARN", zmtp.ErrRefused.Error()) {
			t.Errorf("the dialer's log says %q", pubLog.lines)
		}
		before := n.count()
		time.Sleep(5 * time.Minute)
		if got := n.count() - before; got > 20 {
			t.Errorf("%d more attempts in five minutes", got)
		}
	})
}

func TestAReplyThatWillNotComeIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		req, rep := on(t, n, NewReq(nil)), on(t, n, NewRep(nil))
		listen(t, rep, home)
		dial(t, req, home)
		go func() {
			_, _ = rep.Recv(t.Context())
			_ = rep.Close()
		}()
		if _, err := req.Do(within(t, time.Minute), message("1")); !errors.Is(err, ErrReplyLost) {
			t.Fatalf("error %v", err)
		}
		must(t, rep.Close())
		second := on(t, n, NewRep(nil))
		listen(t, second, home)
		go func() {
			q, err := second.Recv(t.Context())
			if err == nil {
				_ = q.Reply(t.Context(), message("R"+text(q.Message)))
			}
		}()
		m, err := req.Do(within(t, time.Minute), message("2"))
		must(t, err)
		if text(m) != "R2" {
			t.Errorf("reply %q", text(m))
		}
	})
}

func TestARequestThatIsGivenUpLeavesNoReplyForTheNext(t *testing.T) {
	for _, correlate := range []bool{false, true} {
		for _, endpoint := range []string{home, "inproc://home"} {
			t.Run(fmt.Sprint(correlate, " ", endpoint), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := &memory{}
					ns := new(Inproc)
					req := on(t, n, NewReq(&Options{ReqCorrelate: correlate, Inproc: ns}))
					rep := on(t, n, NewRep(&Options{Inproc: ns}))
					listen(t, rep, endpoint)
					dial(t, req, endpoint)
					go func() {
						for q, err := range rep.Requests(t.Context()) {
							if err != nil {
								return
							}
							time.Sleep(100 * time.Millisecond)
							_ = q.Reply(t.Context(), message("R"+text(q.Message)))
						}
					}()
					for i := range 10 {
						if i%2 == 0 {
							_, err := req.Do(within(t, 50*time.Millisecond), message("given up"))
							if !errors.Is(err, context.DeadlineExceeded) {
								t.Fatalf("error %v", err)
							}
							continue
						}
						m, err := req.Do(within(t, time.Minute), message(fmt.Sprint(i)))
						must(t, err)
						if want := fmt.Sprint("R", i); text(m) != want {
							t.Fatalf("reply %q, want %q", text(m), want)
						}
					}
				})
			})
		}
	}
}

func TestManyGoroutinesShareAReq(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		req, rep := on(t, n, NewReq(nil)), on(t, n, NewRep(nil))
		listen(t, rep, home)
		dial(t, req, home)
		go func() {
			for q, err := range rep.Requests(t.Context()) {
				if err != nil {
					return
				}
				_ = q.Reply(t.Context(), q.Message)
			}
		}()
		var callers sync.WaitGroup
		for i := range 20 {
			callers.Go(func() {
				for j := range 10 {
					want := fmt.Sprint(i, " ", j)
					m, err := req.Do(t.Context(), message(want))
					if err != nil || text(m) != want {
						t.Errorf("reply %q, want %q; error %v", text(m), want, err)
					}
				}
			})
		}
		callers.Wait()
	})
}

func TestARequestIsRepliedToOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		req, rep := on(t, n, NewReq(nil)), on(t, n, NewRep(nil))
		listen(t, rep, home)
		dial(t, req, home)
		errs := make(chan error, 4)
		go func() {
			q, err := rep.Recv(t.Context())
			errs <- err
			errs <- q.Reply(t.Context(), nil)
			errs <- q.Reply(t.Context(), message("R"))
			errs <- q.Reply(t.Context(), message("R again"))
		}()
		m, err := req.Do(t.Context(), message("1"))
		must(t, err)
		if text(m) != "R" {
			t.Errorf("reply %q", text(m))
		}
		for i, want := range []error{nil, ErrNoFrames, nil, ErrReplied} {
			if err := <-errs; !errors.Is(err, want) {
				t.Errorf("call %d: error %v, want %v", i, err, want)
			}
		}
	})
}

func TestAMandatoryRouterReportsAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 128}
		router := on(t, n, NewRouter(&Options{RouterMandatory: true, SendHWM: 2, Linger: -1}))
		dealer := on(t, n, NewDealer(&Options{RoutingID: []byte("d"), RecvHWM: 2}))
		listen(t, router, home)
		dial(t, dealer, home)
		send(t, dealer, "hello")
		recv(t, router, "d|hello")
		if err := router.Send(t.Context(), message("nobody|x")); !errors.Is(err, ErrUnroutable) {
			t.Errorf("error %v", err)
		}
		sent := 0
		for router.Send(within(t, time.Second), message(fmt.Sprint("d|", sent))) == nil {
			sent++
		}
		recv(t, dealer, numbers(0, sent)...)
		send(t, router, "d|more")
		recv(t, dealer, "more")
	})
}

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

func TestASecondDialOfAnEndpointFollowsLibzmq(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			name string
			s    interface {
				Dial(context.Context, string) error
				Close() error
				runtime() *socket
			}
			want int
		}{
			{"DEALER", NewDealer(nil), 1}, {"SUB", NewSub(nil), 1}, {"PUB", NewPub(nil), 1}, {"REQ", NewReq(nil), 1},
			{"PUSH", NewPush(nil), 2}, {"PULL", NewPull(nil), 2}, {"ROUTER", NewRouter(nil), 2}, {"REP", NewRep(nil), 2},
		} {
			n := &memory{}
			on(t, n, test.s)
			dial(t, test.s, home)
			dial(t, test.s, home)
			synctest.Wait()
			if n.count() != test.want {
				t.Errorf("%s: %d connections, want %d", test.name, n.count(), test.want)
			}
			must(t, test.s.Close())
		}
	})
}

func TestDisconnectSendsWhatIsQueuedAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 128}
		push := on(t, n, NewPush(nil))
		pull := on(t, n, NewPull(nil))
		listen(t, pull, home)
		dial(t, push, home)
		send(t, push, numbers(0, 50)...)
		must(t, push.Disconnect(home))
		if err := push.Send(within(t, time.Millisecond), message("x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send without a peer: %v", err)
		}
		recv(t, pull, numbers(0, 50)...)
		var endpointErr *EndpointError
		if err := push.Disconnect(home); !errors.As(err, &endpointErr) || !errors.Is(err, ErrEndpointUnknown) {
			t.Errorf("a second Disconnect: %v", err)
		}
		if err := pull.Disconnect(home); !errors.Is(err, ErrEndpointUnknown) {
			t.Errorf("Disconnect of what was listened on: %v", err)
		}
	})
}

func TestUnlistenSendsWhatIsQueuedAndEndsItsConnectionsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 128}
		router := on(t, n, NewRouter(nil))
		listen(t, router, home)
		listen(t, router, "tcp://other:1")
		a := on(t, n, NewDealer(&Options{RoutingID: []byte("a")}))
		b := on(t, n, NewDealer(&Options{RoutingID: []byte("b")}))
		dial(t, a, home)
		dial(t, b, "tcp://other:1")
		send(t, a, "1")
		recv(t, router, "a|1")
		send(t, b, "2")
		recv(t, router, "b|2")
		for _, i := range numbers(0, 50) {
			send(t, router, "a|"+i)
		}
		must(t, router.Unlisten(home))
		recv(t, a, numbers(0, 50)...)
		time.Sleep(time.Second)
		send(t, a, "nobody listens")
		if m, err := router.Recv(within(t, time.Second)); err == nil {
			t.Errorf("received %q", m)
		}
		send(t, router, "b|still here")
		recv(t, b, "still here")
		listen(t, router, home)
		recv(t, router, "a|nobody listens")
	})
}

func TestManyPeersEachWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull := on(t, n, NewPull(nil))
		listen(t, pull, "tcp://a:1")
		listen(t, pull, "tcp://b:1")
		early, late := on(t, n, NewPush(nil)), on(t, n, NewPush(nil))
		listen(t, early, "tcp://c:1")
		dial(t, pull, "tcp://c:1")
		dial(t, late, "tcp://b:1")
		third := on(t, n, NewPush(nil))
		dial(t, third, "tcp://a:1")
		for i, p := range []*Push{early, late, third} {
			send(t, p, fmt.Sprint(i))
		}
		got := map[string]bool{}
		for range 3 {
			m, err := pull.Recv(within(t, time.Minute))
			must(t, err)
			got[text(m)] = true
		}
		if len(got) != 3 {
			t.Errorf("received %v", got)
		}
	})
}

func TestALargeMessageOfManyFramesArrivesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 10000}
		a, b := on(t, n, NewPair(nil)), on(t, n, NewPair(nil))
		listen(t, a, home)
		dial(t, b, home)
		var want Message
		for i := range 30 {
			want = append(want, slices.Repeat([]byte{byte('a' + i%26)}, i*i*500))
		}
		for range 3 {
			go func() { _ = b.Send(t.Context(), want) }()
			m, err := a.Recv(t.Context())
			must(t, err)
			if text(m) != text(want) {
				t.Fatal("it changed on the way")
			}
			send(t, b, "small")
			recv(t, a, "small")
			var into Message
			go func() { _ = b.Send(t.Context(), want) }()
			must(t, a.RecvInto(t.Context(), &into))
			if text(into) != text(want) {
				t.Fatal("it changed on the way")
			}
		}
	})
}

func TestAMessageBelongsToItsReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		a, b := on(t, n, NewDealer(nil)), on(t, n, NewRouter(nil))
		listen(t, b, home)
		dial(t, a, home)
		big := strings.Repeat("x", 100<<10)
		m := message("first|" + big)
		must(t, a.Send(t.Context(), m))
		clear(m[0])
		clear(m[1])
		got, err := b.Recv(t.Context())
		must(t, err)
		if string(got[1]) != "first" || string(got[2]) != big {
			t.Error("a message changed after Send returned")
		}
		for _, f := range got {
			clear(f)
			_ = append(f, "overrun"...)
		}
		send(t, a, "second")
		next, err := b.Recv(t.Context())
		must(t, err)
		if next[0][0] != 0 || len(next[0]) != 5 || next[0][4] == 0 && next[0][1] == 0 || string(next[1]) != "second" {
			t.Errorf("after a received message was overwritten: %q", text(next))
		}
	})
}

func TestWhatIsWrongWithACallIsSaid(t *testing.T) {
	s := NewPair(nil)
	defer s.Close()
	if err := s.Send(t.Context(), nil); !errors.Is(err, ErrNoFrames) {
		t.Errorf("no frames: %v", err)
	}
	for endpoint, want := range map[string]error{
		"127.0.0.1:1":                       ErrSyntax,
		"tcp://":                            ErrSyntax,
		"tcp://127.0.0.1":                   ErrSyntax,
		"tcp://127.0.0.1:x":                 ErrSyntax,
		"tcp://:1":                          ErrSyntax,
		"tcp://127.0.0.1:70000":             ErrSyntax,
		"udp://127.0.0.1:1":                 ErrScheme,
		"ipc://" + strings.Repeat("x", 200): ErrSyntax,
	} {
		var e *EndpointError
		if _, err := s.Listen(t.Context(), endpoint); !errors.Is(err, want) || !errors.As(err, &e) || e.Endpoint != endpoint || e.Op != "listen" {
			t.Errorf("Listen(%q): %v", endpoint, err)
		}
		if err := s.Dial(t.Context(), endpoint); !errors.Is(err, want) || !errors.As(err, &e) || e.Op != "dial" {
			t.Errorf("Dial(%q): %v", endpoint, err)
		}
	}
	for _, endpoint := range []string{"tcp://*:1", "tcp://127.0.0.1:0", "ipc://*"} {
		if err := s.Dial(t.Context(), endpoint); !errors.Is(err, ErrSyntax) {
			t.Errorf("Dial(%q): %v", endpoint, err)
		}
	}
	if err := s.Unlisten("tcp://127.0.0.1:1"); !errors.Is(err, ErrEndpointUnknown) {
		t.Errorf("Unlisten: %v", err)
	}
	for _, id := range [][]byte{make([]byte, 1), slices.Repeat([]byte{'x'}, 256)} {
		bad := NewDealer(&Options{RoutingID: id})
		if err := bad.Dial(t.Context(), home); err == nil || !strings.Contains(err.Error(), "RoutingID") {
			t.Errorf("a routing id of %d bytes: %v", len(id), err)
		}
		must(t, bad.Close())
	}
}

func TestAFloodOfGarbageHarmsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		var log logbook
		pull := on(t, n, NewPull(&Options{Logger: log.logger(), MaxMessageSize: 1000}))
		listen(t, pull, home)
		push := on(t, n, NewPush(nil))
		dial(t, push, home)
		send(t, push, "before")
		recv(t, pull, "before")
		for _, garbage := range []string{"GET / HTTP/1.0\r\n\r\n", "\xff\x00", strings.Repeat("\xff", 1000)} {
			c := n.dial(t, home)
			_, _ = c.Write([]byte(garbage))
			if garbage != "\xff\x00" {
				_, _ = io.Copy(io.Discard, c) // until it is closed
			}
		}
		large := n.dial(t, home)
		greet(t, large, zmtp.PUSH, 1)
		_, _ = large.Write([]byte{2, 0, 0, 0, 0, 0x7F, 0, 0, 0})
		_, _ = io.Copy(io.Discard, large)
		synctest.Wait()
		if !log.has("level=WARN", zmtp.ErrNotZMTP.Error()) || !log.has("level=WARN", zmtp.ErrTooLarge.Error()) {
			t.Errorf("the log says %q", log.lines)
		}
		send(t, push, "after")
		recv(t, pull, "after")
	})
}

func TestAHandshakeHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull := on(t, n, NewPull(nil))
		listen(t, pull, home)
		c := n.dial(t, home)
		start := time.Now()
		_, _ = io.Copy(io.Discard, c)
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("a silent client was closed after %v", got)
		}
	})
}

func TestTheOldestOfTooManyHandshakesIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull := on(t, n, NewPull(&Options{MaxHandshakes: 3}))
		listen(t, pull, home)
		var silent []io.Reader
		for range 5 {
			silent = append(silent, n.dial(t, home))
			synctest.Wait()
		}
		start := time.Now()
		for i, c := range silent {
			_, _ = io.Copy(io.Discard, c)
			if early := time.Since(start) == 0; early != (i < 2) {
				t.Errorf("client %d was closed after %v", i, time.Since(start))
			}
		}
		push := on(t, n, NewPush(nil))
		dial(t, push, home)
		send(t, push, "1")
		recv(t, pull, "1")
	})
}

func TestPingsAreSentAndAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull := on(t, n, NewPull(&Options{HeartbeatInterval: time.Second, HeartbeatTTL: 2500 * time.Millisecond, HeartbeatTimeout: 3 * time.Second}))
		listen(t, pull, home)
		c := n.dial(t, home)
		greet(t, c, zmtp.PUSH, 1)
		_, err := c.Write([]byte("\x04\x0a\x04PING\x00\x00ctx"))
		must(t, err)
		expect(t, c, "\x04\x08\x04PONGctx")
		start := time.Now()
		expect(t, c, "\x04\x07\x04PING\x00\x19")
		if got := time.Since(start); got != time.Second {
			t.Errorf("the first PING came after %v", got)
		}
		_, err = c.Write([]byte("\x04\x05\x04PONG"))
		must(t, err)
		last := time.Now()
		_, _ = io.Copy(io.Discard, c)
		if got := time.Since(last); got != 4*time.Second {
			t.Errorf("a silent peer was given up after %v, want the interval and the timeout", got)
		}
	})
}

func TestAPeersTimeToLiveIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull := on(t, n, NewPull(nil))
		listen(t, pull, home)
		c := n.dial(t, home)
		greet(t, c, zmtp.PUSH, 1)
		_, err := c.Write([]byte("\x04\x07\x04PING\x00\x0a")) // a second
		must(t, err)
		time.Sleep(900 * time.Millisecond)
		_, err = c.Write([]byte("\x00\x0bhalf a ")) // any byte is a sign of life
		must(t, err)
		start := time.Now()
		_, _ = io.Copy(io.Discard, c)
		if got := time.Since(start); got != time.Second {
			t.Errorf("closed after %v", got)
		}
	})
}

func TestHeartbeatsKeepAnIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		o := &Options{HeartbeatInterval: time.Second, HeartbeatTTL: 2 * time.Second}
		push, pull := on(t, n, NewPush(o)), on(t, n, NewPull(o))
		listen(t, pull, home)
		dial(t, push, home)
		time.Sleep(time.Hour)
		if n.count() != 1 {
			t.Errorf("%d connections were made", n.count())
		}
		send(t, push, "1")
		recv(t, pull, "1")
	})
}

func TestAMalformedPingEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		var log logbook
		pull := on(t, n, NewPull(&Options{Logger: log.logger()}))
		listen(t, pull, home)
		c := n.dial(t, home)
		greet(t, c, zmtp.PUSH, 1)
		_, err := c.Write([]byte("\x04\x05\x04PING"))
		must(t, err)
		_, _ = io.Copy(io.Discard, c)
		synctest.Wait()
		if !log.has("level=WARN", zmtp.ErrCommand.Error()) {
			t.Errorf("the log says %q", log.lines)
		}
	})
}

func TestPongsDoNotPileUpForAPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 64 << 10}
		pull := on(t, n, NewPull(nil))
		listen(t, pull, home)
		c := n.dial(t, home)
		greet(t, c, zmtp.PUSH, 1)
		c.(*memoryConn).unread()
		for range 20000 {
			_, err := c.Write([]byte("\x04\x07\x04PING\x00\x00"))
			must(t, err)
		}
		synctest.Wait()
		s := pull.runtime()
		s.mu.Lock()
		defer s.mu.Unlock()
		for p := range s.pipes {
			p.out.mu.Lock()
			if got := len(p.conn.control); got > 2*maxPongs {
				t.Errorf("%d bytes of PONGs wait", got)
			}
			p.out.mu.Unlock()
		}
	})
}
