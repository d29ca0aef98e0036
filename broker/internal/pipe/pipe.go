// Package pipe connects two ends within a process as a TCP connection on loopback would: what one end writes waits in a
// bounded buffer until the other reads it, so neither waits for the other at every write, as they do with net.Pipe.
package pipe

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// firstSize is what a buffer begins with once something is written, limit is what it grows to: about what a TCP
	// connection keeps on its way.
	firstSize = 4 << 10
	limit     = 256 << 10
)

// Conn is one end. It is a [net.Conn] whose methods may be called from any goroutine; a Write's bytes stay together.
type Conn struct {
	in, out *stream
}

// New returns both ends of a connection. What a direction holds is at most 256 KiB; a Write of more waits for the reader.
func New() (a, b *Conn) {
	one, other := newStream(), newStream()
	return &Conn{in: one, out: other}, &Conn{in: other, out: one}
}

// Read reads what there is, and waits when there is nothing. It returns io.EOF when the other end is closed and all that it
// has written is read, net.ErrClosed when this end is, and os.ErrDeadlineExceeded, even when there is something to read.
func (c *Conn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write writes all of p, and waits while there is no room. When it fails, it returns how many bytes were written: the error
// is io.ErrClosedPipe when the other end is closed, net.ErrClosed when this one is, or os.ErrDeadlineExceeded.
func (c *Conn) Write(p []byte) (int, error) { return c.out.write(p) }

// CloseWrite tells the other end that no more comes; reading goes on.
func (c *Conn) CloseWrite() error { return c.out.closeWriter() }

// Close ends both directions. The other end still reads what was written, but writes nothing more. Only the first call
// returns nil.
func (c *Conn) Close() error {
	if err := c.in.closeReader(); err != nil {
		return err
	}
	_ = c.out.closeWriter() // closed already after CloseWrite
	return nil
}

// SetDeadline sets both deadlines. The zero time is none.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets when Read ceases to wait, also one that waits now. The zero time is never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.in.setDeadline(&c.in.reading, t) }

// SetWriteDeadline sets when Write ceases to wait, also one that waits now. The zero time is never.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.out.setDeadline(&c.out.writing, t) }

// LocalAddr returns an address of the network "pipe", as net.Pipe's is.
func (c *Conn) LocalAddr() net.Addr { return addr{} }

// RemoteAddr returns the same.
func (c *Conn) RemoteAddr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "pipe" }
func (addr) String() string  { return "pipe" }

// stream is one direction.
type stream struct {
	order sync.Mutex // held by the Write whose turn it is; taken before mu

	mu      sync.Mutex // guards what follows
	reading side
	writing side
	ring    []byte // what was written and not yet read: size bytes from start on, round the end
	start   int
	size    int
}

// side is the reader's or the writer's end of a stream. lock: stream
type side struct {
	wake     sync.Cond
	deadline time.Time
	alarm    *time.Timer // wakes at the deadline; nil until somebody has waited with one
	closed   bool
}

func newStream() *stream {
	s := new(stream)
	s.reading.wake.L = &s.mu
	s.writing.wake.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.reading.closed:
			return 0, net.ErrClosed
		case s.reading.late():
			return 0, os.ErrDeadlineExceeded
		case s.size > 0:
			return s.take(p), nil
		case s.writing.closed:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		s.reading.wait()
	}
}

// take moves bytes out of the ring. lock: stream
func (s *stream) take(p []byte) int {
	end := min(s.start+s.size, len(s.ring))
	n := copy(p, s.ring[s.start:end])
	if wrapped := s.start + s.size - end; wrapped > 0 {
		n += copy(p[n:], s.ring[:wrapped])
	}
	s.size -= n
	if s.start += n; s.start >= len(s.ring) {
		s.start -= len(s.ring)
	}
	if s.size == 0 {
		s.start = 0
	} else {
		s.reading.wake.Signal() // another reader may take the rest
	}
	if s.size <= limit/2 { // woken for less, the writer would have to wait again at once
		s.writing.wake.Signal()
	}
	return n
}

func (s *stream) write(p []byte) (n int, err error) {
	s.order.Lock()
	defer s.order.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.writing.closed:
			return n, net.ErrClosed
		case s.writing.late():
			return n, os.ErrDeadlineExceeded
		case s.reading.closed:
			return n, io.ErrClosedPipe
		}
		if n += s.put(p[n:]); n == len(p) {
			return n, nil
		}
		s.writing.wait()
	}
}

// put moves as many bytes into the ring as there may be. lock: stream
func (s *stream) put(p []byte) (n int) {
	if len(p) == 0 {
		return 0
	}
	if len(s.ring)-s.size < len(p) && len(s.ring) < limit {
		s.grow(s.size + len(p))
	}
	p = p[:min(len(p), len(s.ring)-s.size)]
	end := s.start + s.size
	if end < len(s.ring) {
		n = copy(s.ring[end:], p)
		end = 0
	} else {
		end -= len(s.ring)
	}
	n += copy(s.ring[end:], p[n:])
	s.size += n
	s.reading.wake.Signal()
	return n
}

// grow makes the ring large enough for size bytes, or as large as it may be. lock: stream
func (s *stream) grow(size int) {
	room := max(len(s.ring), firstSize)
	for room < size && room < limit {
		room *= 2
	}
	ring := make([]byte, room)
	end := min(s.start+s.size, len(s.ring))
	n := copy(ring, s.ring[s.start:end])
	copy(ring[n:], s.ring[:s.size-n])
	s.ring, s.start = ring, 0
}

// late reports whether the deadline has passed. lock: stream
func (e *side) late() bool { return !e.deadline.IsZero() && !time.Now().Before(e.deadline) }

// wait waits until something has changed that the side should look at. The alarm is only set here, and never stopped but
// by close: a deadline that nobody waits for costs nothing, and a false alarm next to nothing. lock: stream
func (e *side) wait() {
	if !e.deadline.IsZero() {
		left := time.Until(e.deadline)
		if e.alarm == nil {
			e.alarm = time.AfterFunc(left, func() {
				e.wake.L.Lock()
				defer e.wake.L.Unlock()
				e.wake.Broadcast()
			})
		} else {
			e.alarm.Reset(left)
		}
	}
	e.wake.Wait()
}

func (s *stream) setDeadline(e *side, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.closed {
		return net.ErrClosed
	}
	e.deadline = t
	e.wake.Broadcast()
	return nil
}

func (s *stream) closeReader() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.close(&s.reading) {
		return net.ErrClosed
	}
	s.ring, s.start, s.size = nil, 0, 0
	return nil
}

func (s *stream) closeWriter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.close(&s.writing) {
		return net.ErrClosed
	}
	return nil
}

// close ends a side and reports whether it was open. lock: stream
func (s *stream) close(e *side) bool {
	if e.closed {
		return false
	}
	e.closed = true
	if e.alarm != nil {
		e.alarm.Stop()
	}
	s.reading.wake.Broadcast()
	s.writing.wake.Broadcast()
	return true
}
