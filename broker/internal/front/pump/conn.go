package pump

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// lingerTime is how long a closed connection waits for the client to close as well.
	lingerTime = time.Second
	// lingerBytes is how much of a closed connection's input is thrown away before the socket is closed regardless.
	lingerBytes = 16 << 20
	// resumeTime is how long a connection that was held may take to show what waits in its socket before a Tick that
	// came due meanwhile is made up for.
	resumeTime = 50 * time.Millisecond
)

var errSlowReader = errors.New("the client reads too slowly: nothing was taken within the write timeout")

// longAgo as a read deadline interrupts a read.
var longAgo = time.Unix(1, 0)

// Conn is what a session sees of its connection. Its methods may be called from any goroutine.
type Conn struct {
	srv  *Server
	nc   net.Conn
	tls  *tls.Conn // nc when it speaks TLS
	id   uint64
	out  Output
	sess Session // set by the reader before anything can be delivered, constant after

	bytesRead    atomic.Uint64 // written by the reader
	bytesWritten atomic.Uint64 // written by whoever writes

	kick      chan struct{} // holds one token when the reader shall look up from a wait that is not a read
	signalled atomic.Bool   // one of the four below is set; written under mu

	mu        sync.Mutex // lock: conn signals; a leaf that may be taken under any other lock
	wake      bool       // Tick is asked for; owner mu
	ending    bool       // the connection shall end with endErr; owner mu
	shutdown  bool       // Session.Shutdown is asked for; owner mu
	finishing bool       // the reader has left its loop: deadlines are its own; owner mu
	endErr    error      // owner mu
	reason    string     // for Session.Shutdown; owner mu

	// The rest belongs to the reader.
	raw      syscall.RawConn    // nil: read through the connection's methods
	rawRead  func(uintptr) bool // reads into buf without waiting; made once, so that a read allocates nothing
	n        int                // result of rawRead
	readErr  error              // result of rawRead
	buf      []byte             // borrowed; nil while the connection is idle
	r, w     int                // buf[r:w] was read and not yet taken by the session
	need     int                // what the session said it needs to go on
	greedy   bool               // the last read filled the buffer
	eof      bool               // the client has closed its sending half
	next     time.Time          // when the session wants its Tick
	graceEnd time.Time          // when a shutdown ceases to wait for the client
}

func newConn(s *Server, nc net.Conn, id uint64) *Conn {
	c := &Conn{srv: s, nc: nc, id: id, kick: make(chan struct{}, 1)}
	c.tls, _ = nc.(*tls.Conn)
	c.raw = rawConn(nc)
	c.rawRead = c.readRaw
	c.out.init(c, c.raw, s.cfg.OutputLimit)
	return c
}

// Out is the connection's output.
func (c *Conn) Out() *Output { return &c.out }

// RemoteAddr is the client's address.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// LocalAddr is the address that the client connected to.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// TLS describes the connection's encryption, nil when there is none.
func (c *Conn) TLS() *tls.ConnectionState {
	if c.tls == nil {
		return nil
	}
	state := c.tls.ConnectionState()
	return &state
}

// ID is unique among the connections of one Server.
func (c *Conn) ID() uint64 { return c.id }

// Logger returns the server's logger with the protocol and the peer's address.
func (c *Conn) Logger() *slog.Logger {
	return c.srv.cfg.Logger.With("protocol", c.srv.cfg.Front.Protocol(), "peer", c.nc.RemoteAddr().String(), "conn", c.id)
}

// BytesRead counts what was read from the client. A session that compares it between two Ticks knows whether the client
// has been heard.
func (c *Conn) BytesRead() uint64 { return c.bytesRead.Load() }

// BytesWritten counts what was written to the client. A session that compares it between two Ticks knows whether it has
// been silent.
func (c *Conn) BytesWritten() uint64 { return c.bytesWritten.Load() }

// Unread is what was read and not taken by Feed: in Session.EOF it is what an unfinished last frame has left. It is the
// pump's buffer and valid during the call; only the session's own calls may ask for it.
func (c *Conn) Unread() []byte { return c.buf[c.r:c.w] }

// Close ends the connection once what stands in the output has been written, within Config.WriteTimeout: the reader calls
// Closed(err). nil and io.EOF are a clean end, every other error is logged. Of several calls the first counts. Close
// returns at once and may be called with any lock held.
func (c *Conn) Close(err error) { c.end(err) }

func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ending {
		c.ending, c.endErr = true, err
		c.signal()
	}
}

// Wake makes the reader call Tick soon. It returns at once and may be called with any lock held.
func (c *Conn) Wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.wake {
		c.wake = true
		c.signal()
	}
}

func (c *Conn) askShutdown(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shutdown, c.reason = true, reason
	c.signal()
}

// signal interrupts whatever the reader waits in. Under mu.
func (c *Conn) signal() {
	if c.finishing {
		return
	}
	c.signalled.Store(true)
	_ = c.nc.SetReadDeadline(longAgo)
	c.rouse()
}

func (c *Conn) rouse() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// run is the reader, from the first byte to the last.
func (c *Conn) run() error {
	if err := c.handshake(); err != nil {
		_ = c.nc.Close()
		c.Logger().Warn("TLS handshake failed", "err", err)
		return err
	}
	c.sess = c.srv.cfg.Front.NewSession(c)
	return c.finish(c.serve())
}

// handshake completes TLS before there is a session, because a handshake cannot be interrupted and gone on with.
func (c *Conn) handshake() error {
	if c.tls == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.srv.cfg.HandshakeTimeout)
	defer cancel()
	return c.tls.HandshakeContext(ctx)
}

// serve reads and feeds until the connection ends, and says why.
func (c *Conn) serve() error {
	if err := c.tick(); err != nil {
		return err
	}
	hungry, resumed := true, false
	for {
		if c.signalled.Load() {
			if done, err := c.attend(); done {
				return err
			}
		}
		if hold, held := c.held(); held {
			if err := c.pause(hold); err != nil {
				return err
			}
			hungry, resumed = c.r == c.w, true
			continue
		}
		if resumed {
			resumed = false
			if c.due() {
				c.grant()
			}
		} else if !hungry && c.due() {
			if err := c.tick(); err != nil {
				return err
			}
		}
		if hungry {
			err := c.fill()
			switch {
			case err == nil:
			case errors.Is(err, os.ErrDeadlineExceeded):
				if err := c.onDeadline(); err != nil {
					return err
				}
				continue
			case err == io.EOF:
				c.eof = true
				c.rest()
				stay := c.sess.EOF()
				c.out.Flush()
				if !stay {
					return io.EOF
				}
				return c.serveHalfClosed()
			default:
				c.eof = true
				return err
			}
			if c.w-c.r < c.need {
				continue
			}
		}
		n, need, err := c.sess.Feed(c.buf[c.r:c.w])
		c.r += n
		c.sess.EndBatch()
		c.out.Flush()
		if err != nil {
			return err
		}
		switch left := c.w - c.r; {
		case left == 0:
			hungry, c.need = true, 0
		case need > 0:
			hungry, c.need = true, need
		case n == 0: // no progress: only more bytes or the end of a hold can help
			hungry, c.need = true, left+1
		default:
			hungry, c.need = false, 0
		}
	}
}

// serveHalfClosed waits for the end of a connection that is only written to.
func (c *Conn) serveHalfClosed() error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if c.signalled.Load() {
			if done, err := c.attend(); done {
				return err
			}
		}
		if at := c.alarm(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(at.Sub(c.srv.cfg.Now()))
		}
		select {
		case <-c.kick:
		case <-timer.C:
			if err := c.onDeadline(); err != nil {
				return err
			}
		}
	}
}

// held reports whether the client may not be read: because it does not read itself, or because the session says so.
func (c *Conn) held() (hold <-chan struct{}, held bool) {
	if c.out.choked.Load() {
		return nil, true
	}
	hold = c.sess.Hold()
	return hold, hold != nil
}

// pause waits until the connection may perhaps be read again. An error ends the connection.
func (c *Conn) pause(hold <-chan struct{}) error {
	if c.r == c.w {
		c.rest()
	}
	var over <-chan time.Time
	if !c.graceEnd.IsZero() {
		timer := time.NewTimer(c.graceEnd.Sub(c.srv.cfg.Now()))
		over = timer.C
		defer timer.Stop()
	}
	select {
	case <-hold:
	case <-c.kick:
	case <-over:
		return io.EOF
	}
	return nil
}

// attend does what other goroutines asked the reader for. done: the connection ends, with err.
func (c *Conn) attend() (done bool, err error) {
	c.mu.Lock()
	wake, shutdown, ending := c.wake, c.shutdown, c.ending
	reason, endErr := c.reason, c.endErr
	c.wake, c.shutdown = false, false
	c.signalled.Store(false)
	c.mu.Unlock()
	if ending {
		return true, endErr
	}
	if shutdown {
		grace := c.sess.Shutdown(reason)
		c.out.Flush()
		if grace <= 0 {
			return true, nil
		}
		c.graceEnd = c.srv.cfg.Now().Add(grace)
	}
	if wake {
		if err := c.tick(); err != nil {
			return true, err
		}
	} else {
		c.arm()
	}
	return false, nil
}

// onDeadline is called when a read has met its deadline: because the time has come, or because of a signal, which the
// reader's loop attends to.
func (c *Conn) onDeadline() error {
	if !c.graceEnd.IsZero() && !c.srv.cfg.Now().Before(c.graceEnd) {
		return io.EOF
	}
	if c.due() {
		return c.tick()
	}
	c.arm()
	return nil
}

func (c *Conn) due() bool {
	return !c.next.IsZero() && !c.srv.cfg.Now().Before(c.next)
}

func (c *Conn) tick() (err error) {
	c.next, err = c.sess.Tick(c.srv.cfg.Now())
	c.out.Flush()
	if err == nil {
		c.arm()
	}
	return err
}

// alarm is the time of the next thing to do for which nobody calls, zero for never.
func (c *Conn) alarm() time.Time {
	if !c.graceEnd.IsZero() && (c.next.IsZero() || c.graceEnd.Before(c.next)) {
		return c.graceEnd
	}
	return c.next
}

// arm sets the read deadline to the alarm, unless a signal has set it to the past. The injected clock may run differently
// from the socket's, so the difference counts.
func (c *Conn) arm() {
	at := c.alarm()
	if !at.IsZero() {
		at = time.Now().Add(at.Sub(c.srv.cfg.Now()))
	}
	c.setReadDeadline(at)
}

// grant lets a read happen although a Tick is due.
func (c *Conn) grant() { c.setReadDeadline(time.Now().Add(resumeTime)) }

func (c *Conn) setReadDeadline(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.signalled.Load() {
		_ = c.nc.SetReadDeadline(at)
	}
}

// fill waits until the socket has bytes and reads them behind buf[r:w].
func (c *Conn) fill() error {
	if c.raw == nil {
		return c.fillBlocking()
	}
	if err := c.raw.Read(c.rawRead); err != nil {
		return err
	}
	return c.filled(c.n, c.readErr)
}

// readRaw tries to read; false makes the runtime wait until the socket is readable and call it again.
func (c *Conn) readRaw(fd uintptr) bool {
	c.room(c.srv.cfg.ReadBuffer)
	n, again, err := readNow(fd, c.buf[c.w:])
	if again {
		c.rest()
		return false
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	c.n, c.readErr = n, err
	return true
}

// fillBlocking reads a connection that cannot be asked whether it has bytes: the wait holds a small buffer, unless the
// last read has shown that much is coming.
func (c *Conn) fillBlocking() error {
	size := c.srv.cfg.ReadBuffer
	if !c.greedy {
		c.rest()
		size = sizeSmall
	}
	c.room(size)
	n, err := c.nc.Read(c.buf[c.w:])
	c.greedy = c.w+n == len(c.buf)
	if n > 0 {
		err = nil // what was read comes first; the error comes again
	}
	return c.filled(n, err)
}

func (c *Conn) filled(n int, err error) error {
	c.w += n
	c.bytesRead.Add(uint64(n))
	return err
}

// room makes buf large enough to read on: at least size, and towards what the session needs, but never more than double
// what has come already, so that memory follows what is sent and not what is announced.
func (c *Conn) room(size int) {
	left := c.w - c.r
	size = max(size, min(c.need, 2*left))
	switch {
	case len(c.buf) < size:
		b := c.srv.buffers.get(size)
		b = b[:cap(b)]
		copy(b, c.buf[c.r:c.w])
		if c.buf != nil {
			c.srv.buffers.put(c.buf)
		}
		c.buf = b
	case c.r > 0:
		copy(c.buf, c.buf[c.r:c.w])
	}
	c.r, c.w = 0, left
}

// rest gives the buffer back before a wait, or changes it for a small one when a little is left in it.
func (c *Conn) rest() {
	left := c.w - c.r
	switch {
	case c.buf == nil:
		return
	case left == 0:
		c.srv.buffers.put(c.buf)
		c.buf = nil
	case left <= sizeSmall/2 && len(c.buf) > sizeSmall:
		b := c.srv.buffers.get(sizeSmall)
		b = b[:cap(b)]
		copy(b, c.buf[c.r:c.w])
		c.srv.buffers.put(c.buf)
		c.buf = b
	default:
		return
	}
	c.r, c.w = 0, left
}

// finish ends the connection; the package documentation says in which order.
func (c *Conn) finish(err error) error {
	if err == io.EOF {
		err = nil
	}
	if c.buf != nil {
		c.srv.buffers.put(c.buf)
		c.buf, c.r, c.w = nil, 0, 0
	}
	c.mu.Lock()
	c.finishing = true
	c.mu.Unlock()

	written := c.out.finish()
	if c.srv.closed() {
		err = nil
	}
	if err != nil {
		c.Logger().Warn("connection closed", "err", err)
	}
	c.sess.Closed(err)
	if written != nil {
		timer := time.NewTimer(c.srv.cfg.WriteTimeout)
		select {
		case <-written:
		case <-timer.C:
		}
		timer.Stop()
	}
	if !c.eof && c.out.failed() == nil {
		c.linger()
	}
	_ = c.nc.Close()
	if written != nil {
		<-written
	}
	return err
}

// linger closes the sending half and waits for the client to do the same.
func (c *Conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok {
		return
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(lingerTime))
	if half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(c.nc, lingerBytes))
	}
}
