package zmq

import (
	"context"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/push"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A Push hands each message to one of its Pull peers, in turn (RFC 30).
//
// A peer whose queue is full is passed over; when all are, or there is no
// peer, Send waits. All methods may be called from any goroutine.
type Push struct{ *socket }

// NewPush returns a socket without peers. Nil options are the defaults.
func NewPush(o *Options) *Push {
	return &Push{newSocket(zmtp.PUSH, o, func(*Options) pattern.Core { return &push.Core{} })}
}

// Send queues m for the next peer with room, and waits until there is one.
// It does not wait until m is written. It fails with ctx's error, or with
// [ErrClosed]; then m was not queued. m may be changed once Send returns.
func (p *Push) Send(ctx context.Context, m Message) error {
	return p.send(ctx, m)
}
