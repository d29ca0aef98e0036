package zmq

import (
	"context"
	"errors"
	"sync"
)

// A ProxySocket is a socket that can stand at one side of a [Proxy]: every
// type but Req and Rep.
type ProxySocket interface {
	// sides returns what messages can be taken from and handed to, or nil
	// where the type does not receive or does not send.
	sides() (from proxySource, to Sender)
}

// A proxySource receives without allocating.
type proxySource interface {
	RecvInto(ctx context.Context, m *Message) error
}

func (d *Dealer) sides() (proxySource, Sender) { return d, d }
func (r *Router) sides() (proxySource, Sender) { return r, r }
func (p *Pair) sides() (proxySource, Sender)   { return p, p }
func (x *XPub) sides() (proxySource, Sender)   { return x, x }
func (x *XSub) sides() (proxySource, Sender)   { return x, x }
func (p *Pub) sides() (proxySource, Sender)    { return nil, p }
func (p *Push) sides() (proxySource, Sender)   { return nil, p }
func (s *Sub) sides() (proxySource, Sender)    { return s, nil }
func (p *Pull) sides() (proxySource, Sender)   { return p, nil }

// errNoDirection is the error of a Proxy through which nothing can pass.
var errNoDirection = errors.New("zmq: neither side of the proxy can send what the other receives")

// Proxy hands every message of front to back and every message of back to
// front, as far as their types receive and send, until ctx ends or a socket
// is closed; it returns why. The usual pairs:
//
//	Router front, Dealer back: requests of many Reqs to many Reps
//	XSub front, XPub back:     publishers to subscribers, subscriptions back
//	Pull front, Push back:     a queue device
//
// A message goes on only as fast as the other side takes it, so that queues
// fill up towards the senders. A copy of each message is sent to capture, if
// that is not nil, before it goes on. Proxy closes no socket. When it ends
// while it waits to hand a message on, that message is lost.
func Proxy(ctx context.Context, front, back ProxySocket, capture Sender) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var pumps sync.WaitGroup
	started := false
	pump := func(from proxySource, to Sender) {
		if from == nil || to == nil {
			return
		}
		started = true
		pumps.Go(func() { cancel(relay(ctx, from, to, capture)) })
	}
	fromFront, toFront := front.sides()
	fromBack, toBack := back.sides()
	pump(fromFront, toBack)
	pump(fromBack, toFront)
	if !started {
		return errNoDirection
	}
	pumps.Wait()
	return context.Cause(ctx)
}

// relay hands messages on until something fails.
func relay(ctx context.Context, from proxySource, to, capture Sender) error {
	var m Message
	for {
		if err := from.RecvInto(ctx, &m); err != nil {
			return err
		}
		if capture != nil {
			if err := capture.Send(ctx, m); err != nil {
				return err
			}
		}
		if err := to.Send(ctx, m); err != nil {
			return err
		}
	}
}
