// Package xpub is the XPUB end of RFC 29: a publisher that tells its user who
// subscribes to what.
package xpub

import (
	"bytes"
	"slices"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/brick"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// maxNotes is how many messages wait for Recv before the peers are no longer
// read, maxNoteBytes how many bytes of them.
const (
	maxNotes     = 1 << 16
	maxNoteBytes = 8 << 20
)

// A Core is the pattern of one XPUB socket.
type Core struct {
	limit int64 // bytes of subscriptions of one peer
	quiet bool

	// Verbose notes every subscription, not only the first to its prefix.
	// It is set before the first peer comes.
	Verbose bool

	out   brick.Distributor
	in    brick.FairQueue
	got   pattern.In
	notes [][][]byte // messages for Recv
	read  int        // how many of notes Recv has taken
	bytes int        // in those that it has not
	lease pattern.Lease
}

// New returns the pattern of an XPUB whose peers may each have limit bytes of
// subscriptions (0: no limit). A quiet one keeps nothing for Recv.
func New(limit int64, quiet bool) *Core {
	return &Core{limit: limit, quiet: quiet}
}

// Attach accepts every peer.
func (c *Core) Attach(*pattern.Pipe) bool { return true }

// Connected does nothing: p will say what it wants.
func (c *Core) Connected(*pattern.Pipe) {}

// Disconnected ends p's subscriptions; it will send them again.
func (c *Core) Disconnected(p *pattern.Pipe) {
	for _, topic := range c.out.Forget(p) {
		c.note(0, []byte(topic))
	}
}

// Detach ends p's subscriptions, as if it had cancelled them.
func (c *Core) Detach(p *pattern.Pipe) {
	p.Gone = true
	c.Disconnected(p)
}

// Readable reads the subscriptions that p sent.
func (c *Core) Readable(p *pattern.Pipe) {
	c.in.Readable(p)
	c.drain()
}

func (c *Core) drain() {
	for len(c.notes)-c.read < maxNotes && c.bytes < maxNoteBytes {
		p := c.in.Recv(&c.got)
		if p == nil {
			return
		}
		c.take(p)
	}
}

// take acts on one message or command of p. Subscriptions are accepted in the
// form of ZMTP 3.0 and of ZMTP 3.1 whatever the peer's version.
func (c *Core) take(p *pattern.Pipe) {
	frames := c.got.Frames
	prefix, on, ok := []byte(nil), false, false
	if c.got.Command {
		prefix, on, ok = zmtp.ParseSubscription(frames[0])
	} else if len(frames) == 1 && len(frames[0]) > 0 && frames[0][0] <= 1 {
		prefix, on, ok = frames[0][1:], frames[0][0] == 1, true
	}
	switch {
	case p.Gone && ok:
	case ok && on:
		first, fits := c.out.Subscribe(p, prefix, c.limit)
		if !fits {
			p.Reset("its subscriptions take more than MaxSubscriptionBytes")
		}
		if first || fits && c.Verbose {
			c.note(1, prefix)
		}
	case ok:
		if c.out.Unsubscribe(p, prefix) {
			c.note(0, prefix)
		}
	case !c.quiet && !c.got.Command:
		message := make([][]byte, len(frames))
		for i, f := range frames {
			message[i] = bytes.Clone(f)
			c.bytes += len(f)
		}
		c.notes = append(c.notes, message)
	}
}

// note keeps a subscription or cancellation for Recv.
func (c *Core) note(on byte, prefix []byte) {
	if !c.quiet {
		c.notes = append(c.notes, [][]byte{slices.Concat([]byte{on}, prefix)})
		c.bytes += 1 + len(prefix)
	}
}

// Writable does nothing: a message that finds a queue full is dropped.
func (c *Core) Writable(*pattern.Pipe) {}

// Send publishes a message to all that subscribed to a prefix of its first
// frame. It never waits: a subscriber whose queue is full loses the message
// (RFC 29, The XPUB Socket Type).
func (c *Core) Send(out *pattern.Out) error {
	c.out.Send(out)
	return nil
}

// Recv returns the first subscription to each prefix as 0x01 and the prefix,
// the last cancellation as 0x00 and the prefix, and what else the peers sent.
func (c *Core) Recv(in *pattern.In) error {
	if c.read == len(c.notes) {
		return pattern.ErrAgain
	}
	in.Fill(append(in.Scratch(), c.notes[c.read]...))
	in.Lease = &c.lease
	for _, f := range in.Frames {
		c.bytes -= len(f)
	}
	c.notes[c.read] = nil
	c.read++
	if c.read == len(c.notes) || c.read >= maxNotes/2 {
		c.notes = slices.Delete(c.notes, 0, c.read)
		c.read = 0
		c.drain()
	}
	return nil
}
