package zmq

import (
	"context"
	"iter"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/pair"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A Pair is one end of a connection between two sockets, both of which send
// and receive (RFC 31).
//
// While it has a peer, any other is refused: an endpoint that was dialed
// counts as the peer from Dial on. When the peer's queue is full, or there is
// no peer, Send waits. All methods may be called from any goroutine.
type Pair struct{ *socket }

// NewPair returns a socket without peers. Nil options are the defaults.
func NewPair(o *Options) *Pair {
	return &Pair{newSocket(zmtp.PAIR, o, func(*Options) pattern.Core { return &pair.Core{} })}
}

// Send queues m for the peer, and waits until there is one with room.
// It does not wait until m is written. It fails with ctx's error, or with
// [ErrClosed]; then m was not queued. m may be changed once Send returns.
func (p *Pair) Send(ctx context.Context, m Message) error {
	return p.send(ctx, m)
}

// Recv returns the peer's next message, and waits until there is one. It
// fails with ctx's error, or with [ErrClosed]; then no message was lost.
func (p *Pair) Recv(ctx context.Context) (Message, error) {
	return p.recv(ctx)
}

// RecvInto is Recv into the memory of *m, whose frames it overwrites and
// extends as needed: with the same m each time, receiving allocates nothing.
func (p *Pair) RecvInto(ctx context.Context, m *Message) error {
	return p.recvInto(ctx, m)
}

// Messages returns the messages of one Recv after the other. It ends after
// the first error, which it yields too.
func (p *Pair) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return messages(ctx, p)
}
