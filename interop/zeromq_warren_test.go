package interop

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/warrenmq/warren/interop/lab"
	"github.com/warrenmq/warren/zmq"
)

// goPeer is a socket of package zmq. A socket that cannot send has no sender,
// one that cannot receive no receiver.
type goPeer struct {
	t        testing.TB
	socket   io.Closer
	sender   zmq.Sender
	receiver zmq.Receiver
}

type endpointer interface {
	Listen(ctx context.Context, url string) (bound string, err error)
	Dial(ctx context.Context, url string) error
}

var goAPI = implementation{name: "warren", open: func(t testing.TB, p plan) peer {
	t.Helper()
	var (
		g       = &goPeer{t: t}
		options = &zmq.Options{Linger: 5 * time.Second}
		socket  interface {
			endpointer
			io.Closer
		}
	)
	switch p.kind {
	case "req":
		s := zmq.NewReq(options)
		a := &asker{socket: s, replies: make(chan answer, 1)}
		socket, g.sender, g.receiver = s, a, a
	case "rep":
		s := zmq.NewRep(options)
		socket = s
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			echo(ctx, s, p.sign)
		}()
		t.Cleanup(func() {
			cancel()
			<-ended
		})
	case "dealer":
		s := zmq.NewDealer(options)
		socket, g.sender, g.receiver = s, s, s
	case "router":
		s := zmq.NewRouter(options)
		socket, g.sender, g.receiver = s, s, s
	case "pub":
		s := zmq.NewPub(options)
		socket, g.sender = s, s
	case "sub":
		s := zmq.NewSub(options)
		socket, g.receiver = s, s
		for _, prefix := range p.subscribe {
			if err := s.Subscribe(prefix); err != nil {
				t.Fatal(err)
			}
		}
	case "xpub":
		s := zmq.NewXPub(options)
		socket, g.sender, g.receiver = s, s, s
	case "xsub":
		s := zmq.NewXSub(options)
		socket, g.sender, g.receiver = s, s, s
	case "push":
		s := zmq.NewPush(options)
		socket, g.sender = s, s
	case "pull":
		s := zmq.NewPull(options)
		socket, g.receiver = s, s
	case "pair":
		s := zmq.NewPair(options)
		socket, g.sender, g.receiver = s, s, s
	default:
		t.Fatalf("no socket type %q", p.kind)
	}
	t.Cleanup(func() { socket.Close() })
	g.socket = socket
	attach(t, socket, p)
	return g
}}

// attach binds and connects a socket as planned.
func attach(t testing.TB, s endpointer, p plan) {
	t.Helper()
	for _, url := range p.bind {
		if bound, err := s.Listen(t.Context(), url); err != nil {
			t.Fatal(err)
		} else if bound != url {
			t.Errorf("bound to %s, which is called %s", url, bound)
		}
	}
	for _, url := range p.connect {
		if err := s.Dial(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	}
}

// echo answers every request with itself, after the signature if there is one.
func echo(ctx context.Context, s *zmq.Rep, sign string) {
	for request, err := range s.Requests(ctx) {
		if err != nil {
			return
		}
		var reply zmq.Message
		if sign != "" {
			reply = append(reply, []byte(sign))
		}
		if request.Reply(ctx, append(reply, request.Message...)) != nil {
			return
		}
	}
}

// asker gives a Req, which asks and waits in one call, a sending and a
// receiving half.
type asker struct {
	socket  *zmq.Req
	replies chan answer
}

type answer struct {
	message zmq.Message
	err     error
}

func (a *asker) Send(_ context.Context, m zmq.Message) error {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), lab.Patience)
		defer cancel()
		reply, err := a.socket.Do(ctx, m)
		a.replies <- answer{reply, err}
	}()
	return nil
}

func (a *asker) Recv(ctx context.Context) (zmq.Message, error) {
	select {
	case r := <-a.replies:
		return r.message, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *goPeer) Send(parts ...string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), lab.Patience)
	defer cancel()
	m := make(zmq.Message, len(parts))
	for i, p := range parts {
		m[i] = []byte(p)
	}
	if err := g.sender.Send(ctx, m); err != nil {
		g.t.Fatalf("sending %s: %v", show(parts), err)
	}
}

func (g *goPeer) RecvWithin(d time.Duration) ([]string, bool) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), d)
	defer cancel()
	m, err := g.receiver.Recv(ctx)
	if err != nil {
		if ctx.Err() == nil {
			g.t.Fatalf("receiving: %v", err)
		}
		return nil, false
	}
	parts := make([]string, len(m))
	for i, p := range m {
		parts[i] = string(p)
	}
	return parts, true
}

func (g *goPeer) Close() {
	g.t.Helper()
	if err := g.socket.Close(); err != nil {
		g.t.Errorf("closing: %v", err)
	}
}
