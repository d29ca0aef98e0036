package zmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// endpoints are one of each transport that the system has.
func endpoints(t *testing.T) []string {
	list := []string{"tcp://127.0.0.1:0", "ipc://*", "inproc://" + t.Name()}
	if runtime.GOOS == "linux" {
		list = append(list, fmt.Sprintf("ipc://@warren-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-")))
	}
	return list
}

func closing(t *testing.T, sockets ...interface{ Close() error }) {
	for _, s := range sockets {
		t.Cleanup(func() { _ = s.Close() })
	}
}

func TestEveryTransportKeepsOrderUnderLoad(t *testing.T) {
	for _, endpoint := range endpoints(t) {
		t.Run(endpoint, func(t *testing.T) {
			pull, push := NewPull(nil), NewPush(nil)
			closing(t, pull, push)
			dial(t, push, listen(t, pull, endpoint))
			const many = 50000
			go func() {
				for i := range many {
					if push.Send(t.Context(), Message{fmt.Append(nil, i), make([]byte, i%300)}) != nil {
						return
					}
				}
			}()
			var m Message
			for i := range many {
				if i%2 == 0 {
					must(t, pull.RecvInto(t.Context(), &m))
				} else {
					var err error
					m, err = pull.Recv(t.Context())
					must(t, err)
				}
				if len(m) != 2 || string(m[0]) != fmt.Sprint(i) || len(m[1]) != i%300 {
					t.Fatalf("message %d: %q and %d bytes", i, m[0], len(m[1]))
				}
			}
		})
	}
}

func TestEveryTransportCarriesRequestsBothWays(t *testing.T) {
	for _, endpoint := range endpoints(t) {
		for _, repListens := range []bool{true, false} {
			t.Run(fmt.Sprint(endpoint, " rep listens ", repListens), func(t *testing.T) {
				rep, req := NewRep(nil), NewReq(nil)
				closing(t, rep, req)
				if repListens {
					dial(t, req, listen(t, rep, endpoint))
				} else {
					dial(t, rep, listen(t, req, endpoint))
				}
				go func() {
					for q, err := range rep.Requests(t.Context()) {
						if err != nil {
							return
						}
						_ = q.Reply(t.Context(), append(Message{[]byte("R")}, q.Message...))
					}
				}()
				for i := range 200 {
					m, err := req.Do(t.Context(), Message{fmt.Append(nil, i)})
					must(t, err)
					if want := fmt.Sprint("R|", i); text(m) != want {
						t.Fatalf("reply %q, want %q", text(m), want)
					}
				}
			})
		}
	}
}

func TestEveryTransportCarriesLargeMessages(t *testing.T) {
	for _, endpoint := range endpoints(t) {
		t.Run(endpoint, func(t *testing.T) {
			a, b := NewPair(nil), NewPair(nil)
			closing(t, a, b)
			dial(t, b, listen(t, a, endpoint))
			for _, size := range []int{0, 255, 256, 4 << 10, 64<<10 - 9, 64 << 10, 64<<10 + 1, 1 << 20, 5 << 20} {
				body := make([]byte, size)
				for i := range body {
					body[i] = byte(i * 31)
				}
				go func() { _ = b.Send(t.Context(), Message{body, []byte("tail")}) }()
				m, err := a.Recv(t.Context())
				must(t, err)
				if len(m) != 2 || string(m[0]) != string(body) || string(m[1]) != "tail" {
					t.Fatalf("%d bytes did not come as they went", size)
				}
			}
		})
	}
}

func TestAllMethodsMayBeCalledFromManyGoroutines(t *testing.T) {
	for _, endpoint := range endpoints(t) {
		t.Run(endpoint, func(t *testing.T) {
			const senders, each = 8, 2000
			o := &Options{SendHWM: -1, RecvHWM: -1} // a Router drops what its peer has no room for
			front, back := NewDealer(o), NewRouter(o)
			closing(t, front, back)
			dial(t, front, listen(t, back, endpoint))
			var echoed, returned atomic.Int32
			var all sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for range 3 {
				all.Go(func() {
					for m, err := range back.Messages(ctx) {
						if err != nil {
							return
						}
						echoed.Add(1)
						if back.Send(ctx, m) != nil {
							return
						}
					}
				})
			}
			for range 3 {
				all.Go(func() {
					var m Message
					for returned.Load() < senders*each {
						if front.RecvInto(ctx, &m) != nil {
							return
						}
						if len(m) != 2 || string(m[0]) != string(m[1]) {
							t.Errorf("a torn message: %q", m)
						}
						if returned.Add(1) == senders*each {
							cancel()
						}
					}
				})
			}
			for i := range senders {
				all.Go(func() {
					for j := range each {
						part := fmt.Append(nil, i, ".", j)
						if err := front.Send(ctx, Message{part, part}); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			if echoed.Load() != senders*each {
				t.Errorf("%d of %d messages arrived", echoed.Load(), senders*each)
			}
		})
	}
}

func TestAnEndpointInUseIsAnError(t *testing.T) {
	for _, endpoint := range endpoints(t) {
		a, b := NewPull(nil), NewPull(nil)
		closing(t, a, b)
		bound := listen(t, a, endpoint)
		var e *EndpointError
		if _, err := b.Listen(t.Context(), bound); !errors.As(err, &e) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", endpoint, err)
		}
		must(t, a.Unlisten(bound))
		must(t, a.Close())
		if endpoint == "ipc://*" {
			continue // its directory is gone with it
		}
		if _, err := b.Listen(t.Context(), bound); err != nil {
			t.Errorf("%s, after it was closed: %v", endpoint, err)
		}
	}
}

func TestASocketFileThatIsLeftOverIsReplacedAndOtherFilesAreNot(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no file type for sockets")
	}
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	l, err := net.Listen("unix", stale)
	must(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	must(t, l.Close())
	pull := NewPull(nil)
	closing(t, pull)
	if _, err := pull.Listen(t.Context(), "ipc://"+stale); err != nil {
		t.Errorf("a stale socket: %v", err)
	}
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, []byte("precious"), 0o600))
	if _, err := pull.Listen(t.Context(), "ipc://"+file); err == nil {
		t.Error("a file was taken for a socket")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
		t.Errorf("the file is now %q, error %v", b, err)
	}
	must(t, pull.Close())
	if _, err := os.Lstat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Close left the socket file behind: %v", err)
	}
}

func TestListenReturnsAnEndpointToDial(t *testing.T) {
	for endpoint, prefix := range map[string]string{
		"tcp://127.0.0.1:*": "tcp://127.0.0.1:",
		"tcp://*:0":         "tcp://0.0.0.0:",
		"tcp://localhost:0": "tcp://",
		"ipc://*":           "ipc://",
	} {
		pull, push := NewPull(nil), NewPush(nil)
		closing(t, pull, push)
		bound := listen(t, pull, endpoint)
		if !strings.HasPrefix(bound, prefix) || strings.HasSuffix(bound, ":0") {
			t.Errorf("Listen(%q) returned %q", endpoint, bound)
		}
		dial(t, push, bound)
		send(t, push, "x")
		recv(t, pull, "x")
	}
}

func TestADealerMayChooseItsSourceAddress(t *testing.T) {
	router, dealer := NewRouter(nil), NewDealer(nil)
	closing(t, router, dealer)
	bound := listen(t, router, "tcp://127.0.0.1:0")
	dial(t, dealer, "tcp://127.0.0.1:0;"+strings.TrimPrefix(bound, "tcp://"))
	send(t, dealer, "x")
	if m, err := router.Recv(t.Context()); err != nil || text(m[1:]) != "x" {
		t.Errorf("received %q, error %v", m, err)
	}
}

func TestAnInprocListenerThatComesBackFindsItsPeers(t *testing.T) {
	ns := new(Inproc)
	push := NewPush(&Options{Inproc: ns})
	closing(t, push)
	dial(t, push, "inproc://x")
	for i := range 3 {
		send(t, push, fmt.Sprint(i, " before"))
		pull := NewPull(&Options{Inproc: ns})
		listen(t, pull, "inproc://x")
		recv(t, pull, fmt.Sprint(i, " before"))
		send(t, push, fmt.Sprint(i, " after"))
		recv(t, pull, fmt.Sprint(i, " after"))
		must(t, pull.Close())
	}
	must(t, push.Disconnect("inproc://x"))
	if len(ns.waiting) != 0 || len(ns.names) != 0 {
		t.Errorf("%d names and %d waiting dialers are left", len(ns.names), len(ns.waiting))
	}
}

func TestInprocNamesAreApartInEachInproc(t *testing.T) {
	a, b := NewPair(&Options{Inproc: new(Inproc)}), NewPair(&Options{Inproc: new(Inproc)})
	closing(t, a, b)
	listen(t, a, "inproc://same")
	listen(t, b, "inproc://same")
	dialer := NewPair(&Options{Inproc: new(Inproc), Linger: -1})
	closing(t, dialer)
	dial(t, dialer, "inproc://same")
	send(t, dialer, "to nobody")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if m, err := a.Recv(ctx); err == nil {
		t.Errorf("received %q", m)
	}
}

func TestInprocCarriesRoutingIdsAndSubscriptions(t *testing.T) {
	ns := new(Inproc)
	router, dealer := NewRouter(&Options{Inproc: ns}), NewDealer(&Options{Inproc: ns, RoutingID: []byte("me")})
	closing(t, router, dealer)
	dial(t, dealer, "inproc://r")
	send(t, dealer, "hello")
	listen(t, router, "inproc://r")
	recv(t, router, "me|hello")
	send(t, router, "me|back")
	recv(t, dealer, "back")

	xpub, sub := NewXPub(&Options{Inproc: ns}), NewSub(&Options{Inproc: ns})
	closing(t, xpub, sub)
	must(t, sub.Subscribe("a"))
	dial(t, sub, "inproc://p")
	listen(t, xpub, "inproc://p")
	recv(t, xpub, "\x01a")
	must(t, sub.Subscribe("b"))
	recv(t, xpub, "\x01b")
	send(t, xpub, "a1", "c1", "b1")
	recv(t, sub, "a1", "b1")
	must(t, sub.Close())
	got := map[string]bool{}
	for range 2 {
		m, err := xpub.Recv(t.Context())
		must(t, err)
		got[text(m)] = true
	}
	if !got["\x00a"] || !got["\x00b"] {
		t.Errorf("a subscriber that left cancelled %v", got)
	}
}

func TestInprocRefusesWhatDoesNotFit(t *testing.T) {
	var log logbook
	ns := new(Inproc)
	pub, pull := NewPub(&Options{Inproc: ns}), NewPull(&Options{Inproc: ns, Logger: log.logger()})
	closing(t, pub, pull)
	listen(t, pull, "inproc://x")
	dial(t, pub, "inproc://x")
	if !log.has("level=WARN", "inproc", "PUB") {
		t.Errorf("the log says %q", log.lines)
	}
}

func TestPeersComeAndGoWithoutALeak(t *testing.T) {
	pull := NewPull(nil)
	closing(t, pull)
	bound := listen(t, pull, "tcp://127.0.0.1:0")
	var pushers sync.WaitGroup
	for i := range 50 {
		pushers.Go(func() {
			push := NewPush(nil)
			if push.Dial(t.Context(), bound) == nil {
				_ = push.Send(t.Context(), message(fmt.Sprint(i)))
			}
			_ = push.Close()
		})
	}
	got := map[string]bool{}
	for range 50 {
		m, err := pull.Recv(t.Context())
		must(t, err)
		got[text(m)] = true
	}
	pushers.Wait()
	if len(got) != 50 {
		t.Errorf("%d different messages came", len(got))
	}
}
