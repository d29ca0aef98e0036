package zmq

import (
	"context"
	"iter"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/xsub"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// An XSub is a [Sub] that subscribes by sending messages, for proxies
// (RFC 29): a single frame of a 1 byte and a prefix subscribes, one of a 0
// byte and a prefix cancels. Subscriptions are counted, and told to all
// publishers, also to those that connect or come back later.
//
// Any other message goes to all publishers; one whose queue is full loses it.
// All methods may be called from any goroutine.
type XSub struct{ *socket }

// NewXSub returns a socket without peers. Nil options are the defaults.
func NewXSub(o *Options) *XSub {
	return &XSub{newSocket(zmtp.XSUB, o, func(*Options) pattern.Core { return &xsub.Core{} })}
}

// Send subscribes, cancels, or queues m for every publisher. It never waits.
// It fails with ctx's error if ctx is done already, or with [ErrClosed]. m may
// be changed once Send returns.
func (x *XSub) Send(ctx context.Context, m Message) error {
	return x.send(ctx, m)
}

// Recv returns the next message, and waits until there is one. It fails with
// ctx's error, or with [ErrClosed]; then no message was lost.
func (x *XSub) Recv(ctx context.Context) (Message, error) {
	return x.recv(ctx)
}

// RecvInto is Recv into the memory of *m, whose frames it overwrites and
// extends as needed: with the same m each time, receiving allocates nothing.
func (x *XSub) RecvInto(ctx context.Context, m *Message) error {
	return x.recvInto(ctx, m)
}

// Messages returns the messages of one Recv after the other. It ends after
// the first error, which it yields too.
func (x *XSub) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return messages(ctx, x)
}
