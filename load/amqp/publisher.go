package amqp

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/warrenmq/warren/load"
)

const (
	// writeSize is how much one write carries when there is that much to send.
	writeSize = 64 << 10
	// stampSize is what a stamp takes at the start of a body.
	stampSize = 8
	// backoff is how long a publisher that has to wait for the consumers sleeps.
	backoff = 200 * time.Microsecond
)

// publisher sends the messages of one connection.
//
// All its messages are encoded once, one behind the other, in block: a whole
// rotation over its queues, or several, so that a write is a slice of the
// block and costs nothing per message. They are of one size since only the
// queues' numbers differ. A stamp (the time that the message was due, in the
// run's nanoseconds, zero for none) is patched into the bodies that need one.
//
// Everything is owned by the goroutine that publishes, but for the window (see
// there) and confirms, which belong to the goroutine that reads.
type publisher struct {
	run *run
	c   *conn

	block    []byte
	size     int // of one message
	count    int // messages in block
	pos      int // the next one
	most     int // messages in one write
	bodyAt   int // where a message's body begins
	stamped  bool
	left     int64 // messages still to send
	interval float64

	window   *window        // nil without confirms
	confirms load.Histogram // from written to confirmed
	opened   chan struct{}  // capacity 1: the window has opened
	synced   chan struct{}  // closed by the reading goroutine: the server has come to the end
	silent   chan struct{}  // closed by it when it returns
	heard    error          // why it did; readable once silent is closed
}

// newPublisher encodes the messages of publisher i.
func newPublisher(r *run, c *conn, i int) *publisher {
	p := &publisher{run: r, c: c, stamped: r.plan.Size >= stampSize, opened: make(chan struct{}, 1),
		synced: make(chan struct{}), silent: make(chan struct{})}
	queues := r.plan.share(i, r.plan.Publishers)
	if r.plan.copies > 1 {
		queues = queues[:1] // the exchange does the rotation
	}
	body := make([]byte, r.plan.Size)
	for j := stampSize; j < len(body); j++ {
		body[j] = byte('a' + j%26)
	}
	for p.count == 0 || len(p.block)+p.size*len(queues) <= writeSize {
		for _, q := range queues {
			start := len(p.block)
			p.block, p.bodyAt = appendPublish(p.block, theChannel, r.plan.exchange, r.plan.key(q), body, r.plan.Persistent, c.frameMax)
			p.bodyAt -= start
			p.size = len(p.block) - start
			p.count++
		}
	}
	p.most = max(1, writeSize/p.size)
	p.left = math.MaxInt64
	if n := int64(r.plan.Publishers); r.plan.Count > 0 {
		p.left = r.plan.Count / n
		if int64(i) < r.plan.Count%n {
			p.left++
		}
	}
	if r.plan.Rate > 0 {
		p.interval = 1e9 * float64(r.plan.Publishers) / r.plan.Rate
	}
	if r.plan.Confirms > 0 {
		p.window = newWindow(r.plan.Confirms)
	}
	return p
}

// publish sends until the run stops it or its messages are all sent, and, in
// confirm mode, confirmed.
func (p *publisher) publish() error {
	var err error
	switch {
	case p.interval > 0:
		err = p.paced()
	case p.window != nil:
		err = p.windowed()
	default:
		err = p.flood()
	}
	if err == nil && p.window == nil && p.run.plan.Consumers == 0 && p.left == 0 {
		return p.sync()
	}
	return err
}

// sync waits until the server has taken in all that was sent, where neither
// confirms nor deliveries tell: a method that is answered follows the messages.
func (p *publisher) sync() error {
	if err := p.c.write(appendMethod(nil, theChannel, basicQos, arguments{}.long(0).short(0).bits(false))); err != nil {
		return err
	}
	select {
	case <-p.synced:
	case <-p.silent:
	}
	return nil
}

// reads tells whether publish itself reads the connection. If not, listen has
// to run beside it.
func (p *publisher) reads() bool { return p.window != nil && p.interval == 0 }

// listen reads what the server sends to a publisher that doesn't: confirms, if
// any, and the news that the connection is over. It returns nil when the run
// makes it stop.
func (p *publisher) listen() error {
	defer close(p.silent)
	for {
		if err := p.settle(); err != nil {
			if p.run.ending.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			p.heard = err
			return err
		}
		select {
		case p.opened <- struct{}{}:
		default:
		}
	}
}

// reason returns why a write failed. Where the server has closed the
// connection, it has said why before, and that is what should be reported.
func (p *publisher) reason(err error) error {
	const patience = time.Second
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err // it was the run that ended the write
	}
	if !p.reads() {
		select {
		case <-p.silent:
			return cmp.Or(p.heard, err)
		case <-time.After(patience):
			return err
		}
	}
	p.c.nc.SetReadDeadline(time.Now().Add(patience))
	for {
		read := p.settle()
		var closed *ServerError
		if errors.As(read, &closed) {
			return read
		}
		if read != nil {
			return err
		}
	}
}

// flood sends as fast as the server reads and the backlog allows. One message
// in each write is stamped.
func (p *publisher) flood() error {
	for p.left > 0 && !p.run.stopped.Load() {
		n := p.batch(p.run.room())
		if n == 0 {
			time.Sleep(backoff)
			continue
		}
		p.stamp(0, p.run.now())
		err := p.send(n)
		p.stamp(-n, 0)
		if err != nil {
			return err
		}
	}
	return nil
}

// windowed sends as fast as the confirms come: it fills the window, then waits
// for a read to open it. One goroutine does both, as with a window of 1 a second
// one would mostly measure its wake-ups.
func (p *publisher) windowed() error {
	for {
		more := p.left > 0 && !p.run.stopped.Load()
		if more {
			if n := p.batch(min(p.window.free(), p.run.room())); n > 0 {
				now := p.run.now()
				for i := range n {
					p.stamp(i, now)
				}
				p.window.sent(n, now)
				if err := p.send(n); err != nil {
					return err
				}
				continue
			}
		}
		switch {
		case p.window.outstanding() > 0:
			if err := p.settle(); err != nil {
				if p.run.ending.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
					return nil
				}
				return err
			}
		case more:
			time.Sleep(backoff) // nothing to read, so it is the backlog that is full
		default:
			return nil
		}
	}
}

// paced sends every message when it is due: those that fell due while the
// server did not read, or while the window was closed, at once, with the times
// at which they should have gone.
func (p *publisher) paced() error {
	start := p.run.now()
	for sent := int64(0); p.left > 0 && !p.run.stopped.Load(); {
		now := p.run.now()
		next := start + int64(float64(sent)*p.interval)
		if next > now {
			pause(time.Duration(min(next-now, int64(10*time.Millisecond))))
			continue
		}
		due := int64(float64(now-start)/p.interval) + 1 - sent
		room := p.run.room()
		if p.window != nil {
			room = min(room, p.window.free())
		}
		n := p.batch(min(room, int(min(due, math.MaxInt32))))
		if n == 0 {
			p.awaitRoom()
			continue
		}
		for i := range n {
			p.stamp(i, start+int64(float64(sent+int64(i))*p.interval))
		}
		if p.window != nil {
			p.window.sent(n, now)
		}
		if err := p.send(n); err != nil {
			return err
		}
		sent += int64(n)
	}
	for p.window != nil && p.window.outstanding() > 0 && !p.run.ending.Load() {
		p.awaitRoom()
	}
	return nil
}

// awaitRoom waits for confirms, or for a moment.
func (p *publisher) awaitRoom() {
	timer := time.NewTimer(backoff)
	defer timer.Stop()
	select {
	case <-p.opened:
	case <-timer.C:
	}
}

// batch returns how many messages the next write takes of the n that may go.
func (p *publisher) batch(n int) int {
	n = min(n, p.most, p.count-p.pos)
	return max(0, int(min(int64(n), p.left)))
}

// stamp writes a time into the message that is i behind the next one, for
// negative i into one of those just sent.
func (p *publisher) stamp(i int, at int64) {
	if p.stamped {
		message := (p.pos + i + p.count) % p.count
		binary.LittleEndian.PutUint64(p.block[message*p.size+p.bodyAt:], uint64(at))
	}
}

// send writes the next n messages. When the write ends early, whole messages
// count, and the connection can't be used again.
func (p *publisher) send(n int) error {
	wrote, err := p.c.nc.Write(p.block[p.pos*p.size : (p.pos+n)*p.size])
	whole := wrote / p.size
	p.left -= int64(whole)
	p.pos = (p.pos + n) % p.count
	p.run.published.Add(int64(whole))
	switch {
	case err == nil, p.run.stopped.Load() && errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return p.reason(fmt.Errorf("amqp: %w", err))
}

// settle reads once and takes note of the confirms that came.
func (p *publisher) settle() error {
	c := p.c
	if err := c.fill(); err != nil {
		return err
	}
	now := p.run.now()
	for {
		f, n, err := next(c.in[c.r:c.w], c.frameMax)
		if err != nil || n == 0 {
			return err
		}
		c.r += n
		if f.typ != frameMethod {
			continue
		}
		m, args := f.method()
		if m == basicQosOK {
			close(p.synced)
			continue
		}
		if (m != basicAck && m != basicNack) || p.window == nil {
			if err := unexpected(&f); err != nil {
				return err
			}
			continue
		}
		if len(args) < 9 {
			return errors.New("amqp: the server sent a confirm that can't be read")
		}
		settled, err := p.window.settle(binary.BigEndian.Uint64(args), args[8]&1 != 0, now, &p.confirms)
		if err != nil {
			return err
		}
		if m == basicAck {
			p.run.confirmed.Add(int64(settled))
		} else {
			p.run.nacked.Add(int64(settled))
		}
	}
}
