package zmq

import (
	"context"
	"testing"
	"time"

	"github.com/warrenmq/warren/zmq/internal/transport"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// FuzzConn has a peer say anything, before or after a proper handshake, to a
// socket of each kind of reader; a good peer still works afterwards.
func FuzzConn(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), false)
	f.Add(zmtp.AppendMessage(nil, nil, [][]byte{[]byte("a"), {}}), true)
	f.Add(zmtp.AppendSubscription(zmtp.AppendPing(nil, 1), "x", true, 1), true)
	f.Add(zmtp.AppendMessage(zmtp.AppendNote(nil, []byte("n")), nil, [][]byte{nil, []byte("a")}), true)
	f.Add([]byte{2, 0, 0, 0, 0, 0, 1, 0, 0, 'x'}, true)
	f.Add([]byte{1, 1, 'x', 4, 7, 4, 'P', 'I', 'N', 'G', 0, 0, 0, 0}, true)

	n := &memory{}
	o := &Options{MaxMessageSize: 1 << 20, HandshakeTimeout: time.Second, Linger: -1, Notes: true}
	router, xpub := NewRouter(o), NewXPub(o)
	dealer, sub := NewDealer(o), NewSub(o)
	const routerAt, xpubAt = "tcp://router:1", "tcp://xpub:1"
	ctx := context.Background()
	for _, s := range []*socket{router.socket, xpub.socket, dealer.socket, sub.socket} {
		s.net = n
		f.Cleanup(func() { _ = s.Close() })
	}
	for _, err := range []error{
		sub.Subscribe("good"), dealer.Dial(ctx, routerAt), sub.Dial(ctx, xpubAt),
		func() error { _, err := router.Listen(ctx, routerAt); return err }(),
		func() error { _, err := xpub.Listen(ctx, xpubAt); return err }(),
	} {
		if err != nil {
			f.Fatal(err)
		}
	}
	hello := func(typ zmtp.SocketType) []byte {
		h := zmtp.NewHandshake(typ, nil)
		_, out, err := h.Feed(zmtp.AppendGreeting(nil, zmtp.Greeting{Major: 3, Minor: 1, Mechanism: zmtp.MechanismNull}), h.Start(nil))
		if err != nil {
			f.Fatal(err)
		}
		return out
	}
	say := map[string][]byte{routerAt: hello(zmtp.DEALER), xpubAt: hello(zmtp.SUB)}
	f.Fuzz(func(t *testing.T, b []byte, shaken bool) {
		for at, opening := range say {
			e, err := transport.Parse(at)
			if err != nil {
				t.Fatal(err)
			}
			c, err := n.Dial(ctx, e)
			if err != nil {
				t.Fatal(err)
			}
			if shaken {
				_, _ = c.Write(opening)
			}
			_, _ = c.Write(b)
			_ = c.Close()
		}
		limit, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := dealer.Send(limit, message("good")); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := router.Recv(limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(m) == 2 && string(m[1]) == "good" {
				break
			}
		}
		for heard := false; !heard; {
			if err := xpub.Send(limit, message("good")); err != nil {
				t.Fatal(err)
			}
			short, cancel := context.WithTimeout(limit, 100*time.Millisecond)
			_, err := sub.Recv(short)
			cancel()
			heard = err == nil
			if limit.Err() != nil {
				t.Fatal("the subscriber hears nothing")
			}
		}
	})
}
