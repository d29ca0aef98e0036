package zmq

import (
	"context"
	"iter"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/xpub"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// An XPub is a [Pub] that receives its peers' subscriptions as messages, for
// proxies and last-value caches (RFC 29).
//
// The first subscription to a prefix arrives as a frame of a 1 byte and the
// prefix, the last cancellation as one of a 0 byte and the prefix; a peer that
// goes cancels what it had. Anything else that peers send arrives as it is.
// All methods may be called from any goroutine.
type XPub struct{ *socket }

// NewXPub returns a socket without peers. Nil options are the defaults.
func NewXPub(o *Options) *XPub {
	return &XPub{newSocket(zmtp.XPUB, o, func(o *Options) pattern.Core {
		core := xpub.New(o.MaxSubscriptionBytes, false)
		core.Verbose = o.XPubVerbose
		return core
	})}
}

// Send queues m for every peer that it matches. It never waits. It fails with
// ctx's error if ctx is done already, or with [ErrClosed]. m may be changed
// once Send returns.
func (x *XPub) Send(ctx context.Context, m Message) error {
	return x.send(ctx, m)
}

// Recv returns the next subscription, cancellation or message of a peer, and
// waits until there is one. It fails with ctx's error, or with [ErrClosed];
// then nothing was lost.
func (x *XPub) Recv(ctx context.Context) (Message, error) {
	return x.recv(ctx)
}

// RecvInto is Recv into the memory of *m, whose frames it overwrites and
// extends as needed: with the same m each time, receiving allocates nothing.
func (x *XPub) RecvInto(ctx context.Context, m *Message) error {
	return x.recvInto(ctx, m)
}

// Messages returns the messages of one Recv after the other. It ends after
// the first error, which it yields too.
func (x *XPub) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return messages(ctx, x)
}
