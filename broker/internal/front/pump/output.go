package pump

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// hardFactor times the soft limit of pending output stops the reading of a client.
	hardFactor = 4
	// flushRounds is how often one Flush goes back for what others appended while it wrote, before it leaves the
	// connection to its writer: a reader must not become somebody else's writer for good.
	flushRounds = 4
	// A writer writes in steps, so that progress can be told from none. TLS cannot go on after a timeout in the middle
	// of a write, so its step is one record.
	writeStep    = 64 << 10
	writeStepTLS = 16 << 10
)

// Output is the bytes waiting for one client. Any goroutine may append to it and flush it.
//
// One goroutine at a time writes to the socket: whoever finds the output pending and nobody writing. What is appended
// meanwhile goes into a second buffer and is written by the same goroutine when it comes back, so nobody waits for a
// socket and nothing is left behind: writing becomes false only under the lock, with nothing pending.
type Output struct {
	conn  *Conn
	limit int // soft limit of pending bytes

	mu      sync.Mutex    // lock: output, the last in the lock order
	buf     []byte        // appended and not yet taken by a writer; owner mu
	taken   int           // bytes taken by a writer and not yet written; owner mu
	hint    int           // how much the last writer took: the next buffer begins with room for it; owner mu
	writing bool          // somebody writes; owner mu
	sealed  bool          // appends are dropped; owner mu
	timed   bool          // the socket has a write deadline; owner mu
	err     error         // why writing failed; owner mu
	idle    chan struct{} // closed when nothing is left to write, nil while nobody waits for it; owner mu

	full   atomic.Bool // over the soft limit; Drained is owed. Written under mu
	choked atomic.Bool // over the hard limit; the reader waits. Written under mu

	// The rest belongs to whoever made writing true.
	out      []byte             // the buffer being written
	off      int                // how much of it has been
	raw      syscall.RawConn    // nil: write through the connection's methods
	rawWrite func(uintptr) bool // writes out[off:] without waiting; made once, so that a flush allocates nothing
	n        int                // result of rawWrite
	rawErr   error              // result of rawWrite
}

func (o *Output) init(c *Conn, raw syscall.RawConn, limit int) {
	o.conn, o.raw, o.limit = c, raw, limit
	o.rawWrite = func(fd uintptr) bool {
		o.n, o.rawErr = writeNow(fd, o.out[o.off:])
		return true
	}
}

// Begin locks the output and returns the buffer to append to. End must follow soon, on the same goroutine.
func (o *Output) Begin() []byte {
	o.mu.Lock()
	if len(o.buf) >= cap(o.buf)/2 {
		o.enlarge()
	}
	return o.buf
}

// enlarge takes a larger buffer from the pool while there is still room in the old one: if append had to, it would make
// garbage of a size that nobody can use again. Under mu.
func (o *Output) enlarge() {
	if cap(o.buf) >= sizeHuge {
		return
	}
	p := &o.conn.srv.buffers
	b := p.get(max(o.hint, cap(o.buf)+1))
	if o.buf != nil {
		b = append(b, o.buf...)
		p.put(o.buf)
	}
	o.buf = b
}

// End stores the buffer that Begin returned, with what was appended to it, and unlocks the output. dirty says that this
// append made an idle output pending, so the caller must see to a Flush; what others append until then rides along.
// After the connection has ended the appended bytes are dropped.
func (o *Output) End(b []byte) (dirty bool) {
	before := len(o.buf)
	if o.sealed {
		b = o.buf[:before]
	}
	o.buf = b
	dirty = before == 0 && len(b) > 0 && !o.writing
	if pending := len(b) + o.taken; pending > o.limit {
		if !o.full.Load() {
			o.full.Store(true)
		}
		if pending > hardFactor*o.limit && !o.choked.Load() {
			o.choked.Store(true)
		}
	}
	o.mu.Unlock()
	return dirty
}

// Full reports whether the output is over its soft limit (or the connection has ended): deliveries are refused until
// Session.Drained. It costs one atomic load.
func (o *Output) Full() bool { return o.full.Load() }

// Pending returns how many bytes wait to be written.
func (o *Output) Pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.buf) + o.taken
}

// Flush makes one non-blocking attempt to write what is pending; the rest goes to the connection's writer goroutine. It
// never blocks. While another goroutine writes it returns at once: that goroutine takes everything along. Flush is called
// without any lock held, since it may call Session.Drained.
func (o *Output) Flush() {
	o.mu.Lock()
	if o.writing || len(o.buf) == 0 {
		o.mu.Unlock()
		return
	}
	o.writing = true
	o.take()
	o.mu.Unlock()
	if o.raw == nil {
		go o.drain()
		return
	}
	for range flushRounds {
		size := len(o.out) - o.off
		err := o.raw.Write(o.rawWrite)
		n := o.n
		if err == nil {
			err = o.rawErr
		} else {
			n = 0
		}
		if !o.wrote(n, err) {
			return
		}
		if n < size {
			break // the kernel has no more room
		}
	}
	go o.drain()
}

// take gives the appended bytes to the writer. Under mu, by whoever writes.
func (o *Output) take() {
	o.out, o.off = o.buf, 0
	o.buf = nil
	o.taken = len(o.out)
	o.hint = o.taken
}

// drain is the connection's writer: it writes, waiting for the client as long as it makes progress, until nothing is left.
func (o *Output) drain() {
	c := o.conn
	step := writeStep
	if c.tls != nil {
		step = writeStepTLS
	}
	for {
		b := o.out[o.off:]
		if len(b) > step {
			b = b[:step]
		}
		o.mu.Lock()
		o.timed = true
		o.mu.Unlock()
		_ = c.nc.SetWriteDeadline(time.Now().Add(c.srv.cfg.WriteTimeout))
		n, err := c.nc.Write(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if n > 0 && c.tls == nil {
				err = nil // slow, but alive
			} else {
				err = errSlowReader
			}
		}
		if !o.wrote(n, err) {
			return
		}
	}
}

// wrote books n written bytes and reports whether there is more to write. When there is not, the caller has ceased to be
// the writer.
func (o *Output) wrote(n int, err error) (more bool) {
	c := o.conn
	c.bytesWritten.Add(uint64(n))
	o.off += n
	o.mu.Lock()
	o.taken -= n
	if err != nil {
		o.err = err
		o.seal()
		o.drop()
	}
	if o.full.Load() && !o.sealed && len(o.buf)+o.taken < o.limit/2 {
		o.full.Store(false)
		choked := o.choked.Swap(false)
		// Still the writer: what Drained brings forth is taken below, by this goroutine.
		o.mu.Unlock()
		c.sess.Drained()
		if choked {
			c.rouse()
		}
		o.mu.Lock()
	}
	if o.off == len(o.out) {
		c.srv.buffers.put(o.out)
		o.out, o.off = nil, 0
		if len(o.buf) > 0 {
			o.take()
		}
	}
	if more = o.out != nil; !more {
		o.writing = false
		if o.buf != nil {
			c.srv.buffers.put(o.buf)
			o.buf = nil
		}
		if o.timed {
			o.timed = false
			_ = c.nc.SetWriteDeadline(time.Time{})
		}
		if o.idle != nil {
			close(o.idle)
			o.idle = nil
		}
	}
	o.mu.Unlock()
	if err != nil {
		c.end(err)
	}
	return more
}

// seal lets no more bytes in. Under mu.
func (o *Output) seal() {
	o.sealed = true
	o.full.Store(true)
}

// drop forgets what is pending. Under mu, by whoever writes.
func (o *Output) drop() {
	o.buf = o.buf[:0]
	o.off, o.taken = len(o.out), 0
}

// finish seals the output, and returns a channel that is closed when all of it is written or writing has failed; nil when
// that is so already.
func (o *Output) finish() <-chan struct{} {
	o.mu.Lock()
	o.seal()
	if !o.writing && len(o.buf) == 0 {
		o.mu.Unlock()
		return nil
	}
	if o.idle == nil {
		o.idle = make(chan struct{})
	}
	idle := o.idle
	o.mu.Unlock()
	o.Flush()
	return idle
}

// failed returns why writing failed, nil when it has not.
func (o *Output) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
