package zmq

import (
	"context"
	"iter"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/router"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A Router talks to each of its peers by name (RFC 28): the first frame of
// every message is the routing id of the peer that it came from, or that it
// goes to. Peers choose their id (Options.RoutingID) or are given one, of five
// bytes that begin with a zero. While two peers have the same id, the second
// is ignored.
//
// Send drops a message for an unknown id, or for a peer whose queue is full,
// and never waits, unless Options.RouterMandatory is set. All methods may be
// called from any goroutine.
type Router struct{ *socket }

// NewRouter returns a socket without peers. Nil options are the defaults.
func NewRouter(o *Options) *Router {
	return &Router{newSocket(zmtp.ROUTER, o, func(o *Options) pattern.Core { return router.New(seed(), o.RouterMandatory) })}
}

// Send queues the frames after the first for the peer whose routing id is
// m[0]. Without Options.RouterMandatory it drops what it can't queue; with it,
// it fails with [ErrUnroutable] for an unknown id and waits for a full queue.
// It fails with ctx's error, or with [ErrClosed]. m may be changed once Send
// returns.
func (r *Router) Send(ctx context.Context, m Message) error {
	return r.send(ctx, m)
}

// Recv returns the next message, with the sender's routing id in front, and
// waits until there is one. It fails with ctx's error, or with [ErrClosed];
// then no message was lost.
func (r *Router) Recv(ctx context.Context) (Message, error) {
	return r.recv(ctx)
}

// RecvInto is Recv into the memory of *m, whose frames it overwrites and
// extends as needed: with the same m each time, receiving allocates nothing.
func (r *Router) RecvInto(ctx context.Context, m *Message) error {
	return r.recvInto(ctx, m)
}

// Messages returns the messages of one Recv after the other. It ends after
// the first error, which it yields too.
func (r *Router) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return messages(ctx, r)
}
