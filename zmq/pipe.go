package zmq

import (
	"errors"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A pipe is one peer of a socket: the queues to and from it, and what moves
// the messages between them and the peer: a connection, or, for inproc, the
// peer's own pipe, which has the same two queues the other way round.
//
// The pipe of a peer that was dialed lives as long as the endpoint, through
// all its connections. The pipe of one that was accepted lives as long as the
// connection; what came through it can be read after its end.
type pipe struct {
	pattern.Pipe
	s      *socket
	in     *queue
	out    *queue
	dialed bool
	via    *address      // that it was accepted on, nil if dialed or inproc
	room   chan struct{} // wakes a connection that waits for room in in

	conn *conn // nil while not connected; owned by s.mu
	peer *pipe // of inproc, nil while not connected; owned by s.mu
}

// newPipe returns the pipe of a tcp or ipc peer.
func newPipe(s *socket, dialed bool) *pipe {
	p := &pipe{s: s, dialed: dialed, room: make(chan struct{}, 1)}
	p.in = &queue{pool: &s.pool, hwm: s.opts.RecvHWM, asleep: true, subscriptions: s.typ == zmtp.PUB || s.typ == zmtp.XPUB}
	p.out = &queue{pool: &s.pool, hwm: s.opts.SendHWM}
	p.Queues = p
	return p
}

// Push implements [pattern.Queues].
func (p *pipe) Push(out *pattern.Out) bool {
	ok, wake := p.out.push(out)
	if wake {
		p.nudgeConsumer()
	}
	return ok
}

// nudgeConsumer notes down that the consumer of p.out must be woken.
func (p *pipe) nudgeConsumer() {
	if p.peer != nil {
		p.s.nudges = append(p.s.nudges, nudge{p: p.peer, what: nudgeReadable})
	} else if p.room != nil {
		p.s.nudges = append(p.s.nudges, nudge{p: p, what: nudgeWrite})
	}
}

// Pop implements [pattern.Queues].
func (p *pipe) Pop(in *pattern.In) bool {
	ok, wake := p.in.pop(in)
	if wake {
		if p.room != nil {
			p.nudgeReader()
		} else if p.peer != nil {
			p.s.nudges = append(p.s.nudges, nudge{p: p.peer, what: nudgeWritable})
		}
	}
	return ok
}

// nudgeReader wakes the connection if it waits for room in p.in.
func (p *pipe) nudgeReader() {
	select {
	case p.room <- struct{}{}:
	default:
	}
}

// Announce implements [pattern.Queues].
func (p *pipe) Announce(prefix string, on bool) {
	switch {
	case p.conn != nil:
		if p.conn.announce(prefix, on) {
			p.nudgeConsumer()
		}
	case p.peer != nil:
		form := byte(0)
		if on {
			form = 1
		}
		var out pattern.Out
		out.Set([][]byte{append([]byte{form}, prefix...)})
		if p.out.pushControl(&out) {
			p.nudgeConsumer()
		}
	}
}

// Discard implements [pattern.Queues].
func (p *pipe) Discard() {
	if p.out.discard() {
		p.s.core.Writable(&p.Pipe)
		p.s.senders.wakeAll()
	}
}

// Reset implements [pattern.Queues].
func (p *pipe) Reset(reason string) {
	switch {
	case p.conn != nil:
		p.conn.fail(errors.New(reason))
	case p.peer != nil:
		p.s.nudges = append(p.s.nudges, nudge{p: p, what: nudgeReset, note: reason})
	}
}

// kick writes what waits for p's connection, which was idle: at once if that
// is likely to be quick, and otherwise in a goroutine.
func (p *pipe) kick(alone bool) {
	p.out.mu.Lock()
	c := p.out.writer // it can't end before the caller's duty is done
	p.out.mu.Unlock()
	if alone && c.flushAtOnce() {
		return
	}
	go c.flush()
}

// readable tells the core that p has messages.
func (p *pipe) readable() {
	p.s.mu.Lock()
	p.s.core.Readable(&p.Pipe)
	p.s.receivers.wakeOne()
	p.s.unlock()
}

// writable tells the core that p has room.
func (p *pipe) writable() {
	p.s.mu.Lock()
	p.s.core.Writable(&p.Pipe)
	p.s.senders.wakeAll()
	p.s.unlock()
}
