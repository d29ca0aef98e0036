package zmq

import (
	"context"
	"iter"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/pull"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A Pull receives the messages of its Push peers, in turn (RFC 30).
//
// When RecvHWM messages of a peer wait, the peer is not read, and in the end
// can't send. All methods may be called from any goroutine.
type Pull struct{ *socket }

// NewPull returns a socket without peers. Nil options are the defaults.
func NewPull(o *Options) *Pull {
	return &Pull{newSocket(zmtp.PULL, o, func(*Options) pattern.Core { return &pull.Core{} })}
}

// Recv returns the next message, and waits until there is one. It fails with
// ctx's error, or with [ErrClosed]; then no message was lost.
func (p *Pull) Recv(ctx context.Context) (Message, error) {
	return p.recv(ctx)
}

// RecvInto is Recv into the memory of *m, whose frames it overwrites and
// extends as needed: with the same m each time, receiving allocates nothing.
func (p *Pull) RecvInto(ctx context.Context, m *Message) error {
	return p.recvInto(ctx, m)
}

// Messages returns the messages of one Recv after the other. It ends after
// the first error, which it yields too.
func (p *Pull) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return messages(ctx, p)
}
