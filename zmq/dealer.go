package zmq

import (
	"context"
	"iter"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/dealer"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A Dealer hands each message to one of its peers, in turn, and receives
// theirs, in turn (RFC 28): a Req without its strict order. To a Rep, a message
// must begin with an empty frame, and so do its replies.
//
// A peer whose queue is full is passed over; when all are, or there is no
// peer, Send waits. All methods may be called from any goroutine.
type Dealer struct{ *socket }

// NewDealer returns a socket without peers. Nil options are the defaults.
func NewDealer(o *Options) *Dealer {
	return &Dealer{newSocket(zmtp.DEALER, o, func(*Options) pattern.Core { return &dealer.Core{} })}
}

// Send queues m for the next peer with room, and waits until there is one.
// It does not wait until m is written. It fails with ctx's error, or with
// [ErrClosed]; then m was not queued. m may be changed once Send returns.
func (d *Dealer) Send(ctx context.Context, m Message) error {
	return d.send(ctx, m)
}

// Recv returns the next message, and waits until there is one. It fails with
// ctx's error, or with [ErrClosed]; then no message was lost.
func (d *Dealer) Recv(ctx context.Context) (Message, error) {
	return d.recv(ctx)
}

// RecvInto is Recv into the memory of *m, whose frames it overwrites and
// extends as needed: with the same m each time, receiving allocates nothing.
func (d *Dealer) RecvInto(ctx context.Context, m *Message) error {
	return d.recvInto(ctx, m)
}

// Messages returns the messages of one Recv after the other. It ends after
// the first error, which it yields too.
func (d *Dealer) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return messages(ctx, d)
}
