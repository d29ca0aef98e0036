package zmq

import (
	"context"
	"iter"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/sub"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A Sub receives the messages of its Pub peers whose first frame begins with
// a prefix that it subscribed to (RFC 29). Without a subscription it receives
// nothing.
//
// Subscriptions are the socket's state: all publishers are told, also those
// that connect or come back later. All methods may be called from any
// goroutine.
type Sub struct {
	*socket
	core *sub.Core // owned by the socket's lock
}

// NewSub returns a socket without peers and subscriptions. Nil options are
// the defaults.
func NewSub(o *Options) *Sub {
	core := &sub.Core{}
	s := newSocket(zmtp.SUB, o, func(*Options) pattern.Core { return core })
	return &Sub{s, core}
}

// Subscribe asks for the messages whose first frame begins with prefix; the
// empty prefix is that of every message. Subscriptions are counted: each needs
// an Unsubscribe of its own. Subscribe does not wait until publishers know,
// and fails with [ErrClosed] only.
func (s *Sub) Subscribe(prefix string) error {
	return s.withCore(func() { s.core.Subscribe(prefix) })
}

// Unsubscribe takes one Subscribe of the same prefix back. It fails with
// [ErrNotSubscribed] if there is none, or with [ErrClosed].
func (s *Sub) Unsubscribe(prefix string) error {
	found := false
	err := s.withCore(func() { found = s.core.Unsubscribe(prefix) })
	if err == nil && !found {
		return ErrNotSubscribed
	}
	return err
}

// Recv returns the next message, and waits until there is one. It fails with
// ctx's error, or with [ErrClosed]; then no message was lost.
func (s *Sub) Recv(ctx context.Context) (Message, error) {
	return s.recv(ctx)
}

// RecvInto is Recv into the memory of *m, whose frames it overwrites and
// extends as needed: with the same m each time, receiving allocates nothing.
func (s *Sub) RecvInto(ctx context.Context, m *Message) error {
	return s.recvInto(ctx, m)
}

// Messages returns the messages of one Recv after the other. It ends after
// the first error, which it yields too.
func (s *Sub) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return messages(ctx, s)
}
