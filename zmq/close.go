package zmq

import (
	"context"
	"fmt"

	"github.com/warrenmq/warren/zmq/internal/transport"
)

// Close closes the socket. Calls that wait end with [ErrClosed], listeners
// close, and messages that are queued are written, also to peers that have to
// be connected first, for as long as Options.Linger allows. A peer that
// messages were written to is given the rest of that time to read them and to
// close its side; most do so at once. Then connections are closed. Close
// returns when nothing of the socket is left; its error is always nil, and a
// second Close waits for the first.
func (s *socket) Close() error {
	endpoints, first := s.beginClose()
	if !first {
		<-s.gone
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.Linger)
	defer cancel()
	if err := s.endClose(ctx, endpoints); err != nil {
		s.opts.Logger.Warn("the socket was closed with messages in its queues", "reason", err)
	}
	return nil
}

// Shutdown is Close with ctx in place of Options.Linger. It returns an error
// if messages that were not written had to be dropped because ctx ended.
// If the socket is being closed already, it waits for that, or for the end of
// ctx, which is an error too and ends nothing.
func (s *socket) Shutdown(ctx context.Context) error {
	endpoints, first := s.beginClose()
	if first {
		return s.endClose(ctx, endpoints)
	}
	if !awaited(ctx, s.gone) {
		return fmt.Errorf("zmq: the socket is still being closed: %w", ctx.Err())
	}
	return nil
}

// beginClose makes every call on the socket fail from now on, and returns its
// endpoints for endClose, which the first caller owes.
func (s *socket) beginClose() (endpoints []*address, first bool) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, false
	}
	s.closed = true
	endpoints = s.endpoints
	s.endpoints = nil
	for _, nc := range s.halfOpen {
		_ = nc.Close()
	}
	s.halfOpen = nil
	s.senders.wakeAll()
	s.receivers.wakeAll()
	s.unlock()
	return endpoints, true
}

// endClose writes what is queued, for as long as ctx allows, and then ends all
// that the socket runs.
func (s *socket) endClose(ctx context.Context, endpoints []*address) error {
	for _, ep := range endpoints {
		switch {
		case ep.pipe != nil:
		case ep.addr.Scheme == transport.Inproc:
			s.opts.Inproc.unlisten(s, ep.addr.Addr)
		default:
			ep.cancel()
		}
	}
	var err error
	if left := finish(ctx, s.allPipes()); left > 0 {
		err = fmt.Errorf("zmq: messages for %d peers were dropped: %w", left, ctx.Err())
	}
	for _, ep := range endpoints {
		switch {
		case ep.pipe == nil:
		case ep.addr.Scheme == transport.Inproc:
			s.opts.Inproc.forget(ep.addr.Addr, ep.pipe)
		default:
			ep.cancel()
		}
	}
	for _, p := range s.allPipes() {
		p.out.close() // nobody waits for it any more
		p.hangUp("the socket was closed")
	}
	s.running.Wait()
	close(s.gone)
	return err
}

// allPipes returns the socket's pipes.
func (s *socket) allPipes() []*pipe {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*pipe, 0, len(s.pipes))
	for p := range s.pipes {
		list = append(list, p)
	}
	return list
}

// finish ends the streams to these peers behind what is queued for them, and
// waits until the peers have ended their connections in turn, or ctx ends;
// then it returns to how many there was still something to be written.
// Nothing is sent to the peers any more.
func finish(ctx context.Context, pipes []*pipe) (left int) {
	for _, p := range pipes {
		p.endStream()
	}
	for _, p := range pipes {
		if !awaited(ctx, p.out.flushed()) {
			left++
		}
	}
	for _, p := range pipes {
		p.s.mu.Lock()
		c := p.conn
		p.s.mu.Unlock()
		if c != nil {
			awaited(ctx, c.dead)
		}
	}
	return left
}

// awaited waits until a channel is closed; false means that ctx ended before.
func awaited(ctx context.Context, closed <-chan struct{}) bool {
	select {
	case <-closed:
		return true
	default:
	}
	select {
	case <-closed:
		return true
	case <-ctx.Done():
		return false
	}
}

// endStream has the connection end the stream to the peer when all that is
// queued is written: this one, or one that comes after it if it breaks.
func (p *pipe) endStream() {
	q := p.out
	q.mu.Lock()
	q.last = true
	c := q.writer
	if !q.asleep {
		c = nil // whoever writes will see
	}
	if c != nil {
		q.asleep = false
	}
	q.mu.Unlock()
	if c != nil {
		go c.flush()
	}
}

// hangUp ends p's connection. An inproc peer that was dialed is dialed again,
// unless that has been ended too.
func (p *pipe) hangUp(reason string) {
	p.s.mu.Lock()
	c := p.conn
	p.s.mu.Unlock()
	switch {
	case c != nil:
		c.fail(ErrClosed)
	case p.room == nil:
		p.hangUpInproc(reason)
	}
}
