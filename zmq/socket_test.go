package zmq

import (
	"context"
	"errors"
	"fmt"
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

func TestAPeerThatWasDisconnectedHasNoNameWhenItsLastMessagesAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		router := on(t, n, NewRouter(&Options{RouterMandatory: true, Linger: time.Minute}))
		a := on(t, n, NewDealer(&Options{RoutingID: []byte("a")}))
		listen(t, a, home)
		dial(t, router, home)
		send(t, a, "hello")
		recv(t, router, "a|hello")
		must(t, a.Close())
		synctest.Wait()
		send(t, router, "a|last")
		must(t, router.Disconnect(home))
		b := on(t, n, NewDealer(&Options{RoutingID: []byte("b")}))
		listen(t, b, home)
		recv(t, b, "last")
		synctest.Wait()
		if err := router.Send(t.Context(), message("b|more")); !errors.Is(err, ErrUnroutable) {
			t.Errorf("Send to who was disconnected: %v", err)
		}
	})
}
