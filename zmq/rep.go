package zmq

import (
	"bytes"
	"context"
	"iter"
	"sync/atomic"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/rep"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A Rep answers the requests of its Req and Dealer peers (RFC 28).
//
// Each [Request] knows the way back to its peer, so that any number of them
// may be worked on at a time and replied to in any order, by any goroutine. A
// message that is no request, because it lacks the empty frame that ends the
// envelope, is dropped.
type Rep struct{ *socket }

// NewRep returns a socket without peers. Nil options are the defaults.
func NewRep(o *Options) *Rep {
	return &Rep{newSocket(zmtp.REP, o, func(*Options) pattern.Core { return &rep.Core{} })}
}

// A Request is a message that waits for its reply.
type Request struct {
	// Message is the request without its envelope. It belongs to the receiver.
	Message Message
	// Note is the note on the request, nil without one; see [Options].
	Note []byte

	s        *socket
	from     *pattern.Pipe
	envelope [][]byte
	replied  atomic.Bool
}

// Recv returns the next request, and waits until there is one. It fails with
// ctx's error, or with [ErrClosed]; then no request was lost.
func (r *Rep) Recv(ctx context.Context) (*Request, error) {
	if err := r.await(ctx); err != nil {
		return nil, err
	}
	q := &Request{s: r.socket, from: r.in.From, envelope: delimiter}
	if len(r.in.Head) > 1 {
		q.envelope = make([][]byte, len(r.in.Head))
		for i, f := range r.in.Head {
			q.envelope[i] = bytes.Clone(f)
		}
	}
	q.Note = bytes.Clone(r.note())
	q.Message = r.arena.take(&r.in)
	r.received()
	return q, nil
}

// delimiter is the envelope of a request that came directly from a Req.
var delimiter = [][]byte{{}}

// Requests returns the requests of one Recv after the other. It ends after
// the first error, which it yields too.
func (r *Rep) Requests(ctx context.Context) iter.Seq2[*Request, error] {
	return func(yield func(*Request, error) bool) {
		for {
			q, err := r.Recv(ctx)
			if !yield(q, err) || err != nil {
				return
			}
		}
	}
}

// Reply sends m back to where the request came from. It never waits. If the
// peer is gone, or does not read its replies, m is dropped without an error,
// as RFC 28 asks. It fails with ctx's error if ctx is done already, with
// [ErrReplied] for a second reply, or with [ErrClosed]. m may be changed once
// Reply returns.
func (q *Request) Reply(ctx context.Context, m Message) error {
	if len(m) == 0 {
		return ErrNoFrames
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if q.replied.Swap(true) {
		return ErrReplied
	}
	return q.s.withCore(func() {
		out := &q.s.out
		out.Set(m)
		out.Head, out.To = q.envelope, q.from
		_ = q.s.core.Send(out) // a Rep's core never says ErrAgain
		out.Set(nil)
	})
}
