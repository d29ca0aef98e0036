package zmq

import (
	"bytes"
	"context"
	"iter"

	"github.com/warrenmq/warren/zmq/internal/pattern"
)

// A Message is the frames of one message, one at least, any of which may be
// empty. Messages are atomic: a peer gets all frames or none.
//
// A call to Send copies what it is given before it returns. What a Recv
// returns belongs to its caller.
type Message [][]byte

// A Sender sends messages, from any goroutine.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// A Receiver receives messages, in any goroutine.
type Receiver interface {
	Recv(ctx context.Context) (Message, error)
}

// messages is Messages of every socket that receives.
func messages(ctx context.Context, r Receiver) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			m, err := r.Recv(ctx)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// An arena hands out the memory of received messages from slabs, so that a
// small message costs a small part of an allocation. The slabs belong to the
// garbage collector: each lives as long as a message in it does. They are
// small, and large bodies are not put there: a frame that is kept keeps no
// more than one slab alive, a Message no more than slabFrames others.
type arena struct {
	bytes  []byte
	frames [][]byte
}

const (
	slabBytes  = 4 << 10
	slabFrames = 32
	ownBody    = 512     // bytes of a message whose bodies get memory of their own
	ownFrames  = 4 << 10 // bytes of a message whose frames get it too
)

// take returns in's message in memory of its own.
func (a *arena) take(in *pattern.In) Message {
	size := 0
	for _, f := range in.Frames {
		size += len(f)
	}
	n := len(in.Frames)
	if in.Lease != nil {
		in.Lease.Taken = true
		m := make(Message, n)
		copy(m, in.Frames)
		if in.Prepended {
			m[0] = bytes.Clone(m[0])
		}
		return m
	}
	return cut(a.takeFrames(n, size), a.takeBytes(size), in.Frames)
}

// takeFrames returns an empty list with room for n frames of size bytes.
func (a *arena) takeFrames(n, size int) Message {
	if size > ownFrames || n > slabFrames/4 {
		return make(Message, 0, n)
	}
	if len(a.frames) < n {
		a.frames = make([][]byte, slabFrames)
	}
	m := a.frames[:0:n]
	a.frames = a.frames[n:]
	return m
}

// takeBytes returns empty memory with room for n bytes.
func (a *arena) takeBytes(n int) []byte {
	if n > ownBody {
		return make([]byte, 0, n)
	}
	if len(a.bytes) < n {
		a.bytes = make([]byte, slabBytes)
	}
	mem := a.bytes[:0:n]
	a.bytes = a.bytes[n:]
	return mem
}

// cut appends the frames to m, their bytes to mem.
func cut(m Message, mem []byte, frames [][]byte) Message {
	for _, f := range frames {
		start := len(mem)
		mem = append(mem, f...)
		m = append(m, mem[start:len(mem):len(mem)])
	}
	return m
}

// copyInto makes m a copy of frames in the memory that m has already.
func copyInto(m *Message, frames [][]byte) {
	out := (*m)[:0]
	for i, f := range frames {
		if i < cap(out) {
			out = out[:i+1]
			out[i] = append(out[i][:0], f...)
		} else {
			out = append(out, bytes.Clone(f))
		}
	}
	*m = out
}
