package zmq

import (
	"context"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/pub"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A Pub sends each message to all Sub peers that subscribed to a prefix of
// its first frame (RFC 29).
//
// A subscriber whose queue is full loses the message, and nobody else does;
// one that connects later loses what came before. All methods may be called
// from any goroutine.
type Pub struct{ *socket }

// NewPub returns a socket without peers. Nil options are the defaults.
func NewPub(o *Options) *Pub {
	return &Pub{newSocket(zmtp.PUB, o, func(o *Options) pattern.Core { return pub.New(o.MaxSubscriptionBytes) })}
}

// Send queues m for every peer that it matches. It never waits. It fails with
// ctx's error if ctx is done already, or with [ErrClosed]. m may be changed
// once Send returns.
func (p *Pub) Send(ctx context.Context, m Message) error {
	return p.send(ctx, m)
}
