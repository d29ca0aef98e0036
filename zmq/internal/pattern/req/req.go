// Package req is the REQ end of RFC 28: one request goes out, and the reply
// to it is read from the peer that it went to.
package req

import (
	"bytes"
	"encoding/binary"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/brick"
)

// A Core is the pattern of one REQ socket. Its user sends, receives or
// abandons, and only then sends again.
type Core struct {
	correlate bool
	id        uint32 // of the last request
	envelope  [][]byte
	out       brick.Balancer
	asked     *pattern.Pipe // whose reply is awaited
	last      *pattern.Pipe // who was asked last
	broken    bool          // the connection that asked was asked on has ended
	stale     pattern.In
}

// New returns the pattern of a REQ. With correlate set, each request carries
// an id in front of the delimiter, counted up from seed, and a reply without
// it is dropped.
func New(seed uint32, correlate bool) *Core {
	c := &Core{correlate: correlate, id: seed, envelope: [][]byte{{}}}
	if correlate {
		c.envelope = [][]byte{make([]byte, 4), {}}
	}
	return c
}

// Attach starts sending to p.
func (c *Core) Attach(p *pattern.Pipe) bool {
	c.out.Add(p)
	return true
}

// Connected sends to p again, if it was dropped.
func (c *Core) Connected(p *pattern.Pipe) { c.out.Add(p) }

// Disconnected gives the awaited reply up if p was asked and has not left it
// behind. A REQ does not ask again by itself: the request may have been acted
// on.
func (c *Core) Disconnected(p *pattern.Pipe) {
	p.Discard() // nobody waits for the reply any more
	if p == c.asked {
		c.broken = true
	}
	c.out.Add(p)
}

// Detach stops sending to p. For an awaited reply it is as Disconnected.
func (c *Core) Detach(p *pattern.Pipe) {
	p.Gone = true
	c.Disconnected(p)
	c.out.Remove(p)
}

// Readable drops what p sent without being asked (RFC 28, The REQ Socket Type).
func (c *Core) Readable(p *pattern.Pipe) {
	if p != c.asked {
		c.drain(p)
	}
}

func (c *Core) drain(p *pattern.Pipe) {
	for p.Pop(&c.stale) {
	}
}

// Writable sends to p again.
func (c *Core) Writable(p *pattern.Pipe) { c.out.Add(p) }

// Send puts the empty delimiter in front of the request and hands it to the
// next peer with room (RFC 28).
func (c *Core) Send(out *pattern.Out) error {
	if c.last != nil {
		c.drain(c.last)
	}
	if c.correlate {
		c.id++
		binary.BigEndian.PutUint32(c.envelope[0], c.id)
	}
	out.Head = c.envelope
	p := c.out.Send(out)
	if p == nil {
		return pattern.ErrAgain
	}
	c.asked, c.last, c.broken = p, p, false
	return nil
}

// Recv reads the reply of the peer that was asked, and drops what is not
// one. It fails with ErrReplyLost when that peer is gone.
func (c *Core) Recv(in *pattern.In) error {
	if c.asked == nil {
		return pattern.ErrAgain
	}
	for c.asked.Pop(in) {
		if c.open(in) {
			c.asked = nil
			return nil
		}
	}
	if c.broken {
		c.asked = nil
		return pattern.ErrReplyLost
	}
	return pattern.ErrAgain
}

// open takes the envelope off a reply and tells whether it was the right one.
func (c *Core) open(in *pattern.In) bool {
	n := len(c.envelope)
	if len(in.Frames) <= n {
		return false
	}
	for i, f := range c.envelope {
		if !bytes.Equal(f, in.Frames[i]) {
			return false
		}
	}
	in.Frames = in.Frames[n:]
	return true
}

// Abandon gives the awaited reply up. Without correlation the connection is
// dropped as well, because a late reply would pass for the next one's, and the
// peer is not asked again before it is.
func (c *Core) Abandon() {
	if p := c.asked; p != nil {
		p.Discard()
		if !c.correlate {
			c.out.Remove(p)
			p.Reset("a request on it was given up")
		}
	}
	c.asked = nil
}
