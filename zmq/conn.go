package zmq

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A conn is one connection whose handshake is done. It reads in the goroutine
// that serves it. It writes in whichever goroutine holds its write token:
//
// The token is free while the pipe's queue says that its consumer is asleep.
// Who takes that mark away holds the token, and ends by giving it back in
// flush, or by finding that the connection has ended. So a connection with
// nothing to write has no goroutine for it, and a sender may write itself.
type conn struct {
	p   *pipe
	nc  net.Conn
	raw syscall.RawConn // nil where a write that does not wait is not to be had

	failing sync.Once
	dead    chan struct{} // closed by fail
	err     error         // why; set before dead is closed

	// Owned by p.out.mu.
	minor   byte          // the peer's version, for announcements
	control []byte        // commands to be sent before all else
	sent    bool          // a message was, or is being, written
	broken  bool          // nobody holds the token and nobody will
	quit    chan struct{} // closed when broken is set, if stop waits for it

	// Owned by the holder of the token.
	commands []byte    // taken from control
	batch    []segment // taken from the queue
	at       int       // the segment that is being written
	off      int       // how much of it, or of commands, is written
	idleFrom time.Duration
	try      tryWrite

	born time.Time
	beat heartbeat
}

// maxPongs bounds the answers to PINGs that wait for a peer that does not
// read, in bytes.
const maxPongs = 1 << 10

// errEnd is the reason for the end of a connection that the peer closed.
var errEnd = errors.New("the peer closed the connection")

func newConn(p *pipe, nc net.Conn, minor byte) *conn {
	c := &conn{p: p, nc: nc, minor: minor, dead: make(chan struct{}), born: time.Now(), idleFrom: -time.Hour}
	c.try.init(c)
	return c
}

// fail ends the connection. The first reason is kept.
func (c *conn) fail(reason error) {
	c.failing.Do(func() {
		c.err = reason
		close(c.dead)
		_ = c.nc.Close()
	})
}

// stop waits until nobody writes any more. The connection has failed.
func (c *conn) stop() {
	q := c.p.out
	q.mu.Lock()
	if q.asleep {
		q.asleep = false
		c.broken = true
	}
	if c.broken {
		q.writer = nil
		q.signalDrained()
		q.mu.Unlock()
		return
	}
	c.quit = make(chan struct{})
	q.mu.Unlock()
	<-c.quit
	q.mu.Lock()
	q.writer = nil
	q.signalDrained()
	q.mu.Unlock()
}

// announce queues a subscription or its end. wake tells that the caller now
// holds the token.
func (c *conn) announce(prefix string, on bool) (wake bool) {
	q := c.p.out
	q.mu.Lock()
	defer q.mu.Unlock()
	c.control = zmtp.AppendSubscription(c.control, prefix, on, c.minor)
	wake = q.asleep
	q.asleep = false
	return wake
}

// command queues a heartbeat, unless many wait already, and has it written.
func (c *conn) command(b []byte) {
	q := c.p.out
	q.mu.Lock()
	wake := q.asleep
	if q.writer == c && len(c.control) < maxPongs {
		c.control = append(c.control, b...)
		q.asleep = false
	} else {
		wake = false
	}
	q.mu.Unlock()
	if wake {
		go c.flush()
	}
}

// flush writes until nothing is left, then gives the token back.
func (c *conn) flush() {
	for c.write() && c.next() {
	}
}

// next takes what is to be written. It returns false when there is nothing;
// then the token is given back.
func (c *conn) next() bool {
	now := time.Since(c.born)
	q := c.p.out
	q.mu.Lock()
	select {
	case <-c.dead:
		c.surrender()
		q.mu.Unlock()
		return false
	default:
	}
	var wake bool
	c.commands, c.control = c.control, c.commands[:0]
	c.batch, wake = q.take(c.batch[:0])
	c.at, c.off = 0, 0
	found := len(c.commands) > 0 || len(c.batch) > 0
	c.sent = c.sent || len(c.batch) > 0
	ended := !found && q.last
	switch {
	case ended:
		c.broken = true
		q.signalDrained()
	case !found:
		c.idleFrom = now
		q.asleep = true
		q.signalDrained()
	}
	sent := c.sent
	q.mu.Unlock()
	if wake {
		c.p.writable()
	}
	if ended {
		c.end(sent)
	}
	return found
}

// end ends the stream to the peer once the last of it is written. If there
// were messages in it, the connection lives on until the peer has read them
// and closes its side, and what still comes is dropped: a connection that is
// closed at once takes along what the peer has not read, on tcp if something
// of the peer's is unread here (RFC 1122, 4.2.2.13), on ipc if the peer is a
// libzmq that does not read at the moment.
func (c *conn) end(sent bool) {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !sent || !ok || half.CloseWrite() != nil {
		c.fail(ErrClosed)
		return
	}
	c.p.in.close()
	c.p.nudgeReader()
}

// surrender gives the token up for good. What was not written is put back for
// the next connection, except for a message of which a part was. Called with
// p.out.mu held.
func (c *conn) surrender() {
	q := c.p.out
	if c.at < len(c.batch) && len(c.commands) == 0 {
		s := &c.batch[c.at]
		rest, passed := zmtp.Remainder(s.buf, c.off)
		s.buf = rest
		s.messages -= passed
		if s.messages == 0 {
			c.at++
		}
	}
	q.giveBack(c.batch[c.at:])
	c.batch, c.at = nil, 0
	c.broken = true
	if c.quit != nil {
		close(c.quit)
	}
}

// write writes what next took, from where it stands. It returns false when
// the connection broke; then the token is given up.
func (c *conn) write() bool {
	for {
		b := c.pending()
		if b == nil {
			return true
		}
		n, err := c.nc.Write(b)
		c.wrote(n)
		if err != nil {
			c.fail(err)
			c.p.out.mu.Lock()
			c.surrender()
			c.p.out.mu.Unlock()
			return false
		}
	}
}

// pending returns the next bytes to be written, nil when all are.
func (c *conn) pending() []byte {
	if len(c.commands) > 0 {
		return c.commands[c.off:]
	}
	if c.at < len(c.batch) {
		return c.batch[c.at].buf[c.off:]
	}
	return nil
}

// wrote moves on by n bytes within what pending returned.
func (c *conn) wrote(n int) {
	c.off += n
	if len(c.commands) > 0 {
		if c.off == len(c.commands) {
			c.commands, c.off = c.commands[:0], 0
		}
		return
	}
	if s := &c.batch[c.at]; c.off == len(s.buf) {
		if s.base != nil {
			c.p.out.pool.put(s.base)
		}
		*s = segment{}
		c.at++
		c.off = 0
	}
}

// burstGap is how long a connection must have been idle for its sender to
// write by itself. In a burst of messages the sender is better off leaving
// them to a goroutine, which takes many at a time; a message after a pause is
// better written at once, without a goroutine switch.
const burstGap = 10 * time.Microsecond

// flushAtOnce does what flush does, if it can be done without waiting. It
// returns false when the work is for flush; the token stays with the caller.
func (c *conn) flushAtOnce() bool {
	if c.raw == nil || time.Since(c.born)-c.idleFrom < burstGap {
		return false
	}
	for c.next() {
		for b := c.pending(); b != nil; b = c.pending() {
			n := c.try.write(b)
			c.wrote(n)
			if n < len(b) {
				return false // full, or failed: flush will see
			}
		}
	}
	return true
}

// awaitRoom returns how many messages the pipe has room for, and waits until
// that is one at least.
func (c *conn) awaitRoom() (int, error) {
	for {
		if n := c.p.in.room(); n > 0 {
			return n, nil
		}
		c.beat.pause(true)
		select {
		case <-c.p.room:
			c.beat.pause(false)
		case <-c.dead:
			return 0, c.err
		}
	}
}

// obey acts on a command. Those that are not known are ignored, as libzmq
// does.
func (c *conn) obey(command []byte) error {
	h, ok, err := zmtp.ParseHeartbeat(command)
	if err != nil {
		return err
	}
	if ok && h.Ping {
		c.command(zmtp.AppendPong(nil, h.Context))
		c.beat.promised(time.Duration(h.TTL) * 100 * time.Millisecond)
	}
	return nil
}
