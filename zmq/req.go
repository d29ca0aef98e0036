package zmq

import (
	"context"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/req"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A Req asks its Rep peers, in turn, one request at a time (RFC 28). All
// methods may be called from any goroutine.
//
// Send and Recv do not exist apart: a socket on which the two have to
// alternate can't be shared. For many requests at a time use a [Dealer], or
// several Reqs.
type Req struct {
	*socket
	core *req.Core     // owned by the socket's lock
	turn chan struct{} // holds a token while no request is under way
}

// NewReq returns a socket without peers. Nil options are the defaults.
func NewReq(o *Options) *Req {
	r := &Req{turn: make(chan struct{}, 1)}
	r.socket = newSocket(zmtp.REQ, o, func(o *Options) pattern.Core {
		r.core = req.New(seed(), o.ReqCorrelate)
		return r.core
	})
	r.turn <- struct{}{}
	return r
}

// Do sends m to the next peer and returns its reply. It waits until earlier
// requests are done, until there is a peer with room, and for the reply.
//
// It fails with ctx's error, with [ErrClosed], and with [ErrReplyLost] if the
// peer goes after it was asked; a request is never sent twice. When ctx ends
// after the request went out, the reply is given up; so that it is not taken
// for another one's the connection is made anew, unless Options.ReqCorrelate
// is set. m may be changed once Do returns.
func (r *Req) Do(ctx context.Context, m Message) (Message, error) {
	select {
	case <-r.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.gone:
		return nil, ErrClosed
	}
	defer func() { r.turn <- struct{}{} }()
	if err := r.send(ctx, m); err != nil {
		return nil, err
	}
	reply, err := r.recv(ctx)
	if err != nil {
		_ = r.withCore(r.core.Abandon)
	}
	return reply, err
}
