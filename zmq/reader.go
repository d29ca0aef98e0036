package zmq

import (
	"io"
	"runtime"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// read reads messages into the pipe until the connection ends. left is what
// came with the handshake.
func (c *conn) read(left []byte) error {
	r := reader{
		c: c,
		d: zmtp.Decoder{
			MaxMessage:    c.p.s.opts.MaxMessageSize,
			Subscriptions: c.p.in.subscriptions,
		},
		buf:  append(c.p.s.pool.get(len(left)), left...),
		size: smallBuffer,
	}
	for {
		if err := r.decode(); err != nil {
			return err
		}
		if err := r.fill(); err != nil {
			if err == io.EOF {
				return errEnd
			}
			return err
		}
	}
}

// A reader cuts what a connection reads into segments. All of a buffer's
// messages go into the queue in place; when the last of them go, the part of
// a message that remains moves on to the next buffer.
type reader struct {
	c     *conn
	d     zmtp.Decoder
	buf   []byte
	start int  // of what is not in the queue yet
	given bool // a part of buf is in the queue
	size  int  // of the next buffer, from what the reads were like
	quiet int  // small reads in a row
}

// quietReads is how many small reads make a connection a quiet one.
const quietReads = 16

// fill reads once, and gets a buffer with room for it first.
func (r *reader) fill() error {
	need := r.d.Need // where the next frame ends, if that is known
	if need > largeBuffer {
		r.size = min(need, hugeBuffer)
	}
	end := cap(r.buf)
	if need > largeBuffer && need < end {
		end = need // so that one large message has its buffer alone
	}
	if len(r.buf) == end {
		r.grow()
		end = cap(r.buf)
	}
	n, err := r.c.nc.Read(r.buf[len(r.buf):end])
	if n == 0 && err != nil {
		return err
	}
	r.c.beat.heard()
	if len(r.buf)+n == end {
		r.size = max(r.size, largeBuffer)
	}
	if n > smallBuffer/2 {
		r.quiet = 0
	} else if r.quiet++; r.quiet >= quietReads {
		r.size = smallBuffer
	}
	r.buf = r.buf[:len(r.buf)+n]
	return nil
}

// grow moves an unfinished message into a larger buffer: one that it fits in,
// if its size is known, but of no more than a few times what has come of it,
// so that an announcement alone costs little.
func (r *reader) grow() {
	have := len(r.buf)
	size := 2 * have
	if need := r.d.Need; need > have {
		size = min(need, max(size, hugeBuffer))
	}
	pool := r.c.p.in.pool
	next := append(pool.get(max(size, largeBuffer)), r.buf...)
	pool.put(r.buf)
	r.buf = next
}

// decode puts all whole messages into the queue, and waits for room in it
// where it must. Afterwards buf begins with the first unfinished message and
// is the reader's alone.
func (r *reader) decode() error {
	for {
		room, err := r.c.awaitRoom()
		if err != nil {
			return err
		}
		for {
			command, err := r.d.Scan(r.buf[r.start:], room)
			if err != nil {
				return err
			}
			if command == nil {
				break
			}
			if err := r.c.obey(command); err != nil {
				return err
			}
		}
		more := r.d.Messages == room
		r.give(!more)
		if !more {
			return nil
		}
	}
}

// give puts the messages that were found into the queue. last tells that only
// an unfinished message follows.
func (r *reader) give(last bool) {
	end := r.start + r.d.End
	s := segment{buf: r.buf[r.start:end], messages: r.d.Messages}
	need := max(r.d.Need-r.d.End, 0)
	r.d.Consume()
	r.d.Need = need
	if last {
		tail := r.buf[end:]
		if s.messages == 0 && !r.given {
			// Nothing of this buffer is used elsewhere: it can be used on.
			r.buf = r.buf[:copy(r.buf, tail)]
		} else {
			s.base = r.buf
			if cap(r.buf) > largeBuffer {
				s.alone = s.messages == 1 && !r.given && len(tail) == 0
				if !s.alone {
					r.size = largeBuffer
				}
			}
			r.buf = append(r.c.p.in.pool.get(max(r.size, len(tail))), tail...)
		}
		r.start, r.given = 0, false
	} else {
		r.start, r.given = end, true
	}
	if (s.messages > 0 || s.base != nil) && r.c.p.in.put(s) {
		r.c.p.readable()
		if s.messages == 1 {
			// Most likely a request or a reply, behind which nothing comes
			// for now: who waits for it goes first.
			runtime.Gosched()
		}
	}
}
