// Package pair is the PAIR of RFC 31: one peer and no other.
package pair

import (
	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/brick"
)

// A Core is the pattern of one PAIR socket. The zero Core is ready to use.
type Core struct {
	peer *pattern.Pipe
	in   brick.FairQueue // of the peer, and of one before it that left messages
}

// Attach accepts the first peer and refuses any other while it is there
// (RFC 31, The PAIR Socket Type).
func (c *Core) Attach(p *pattern.Pipe) bool {
	if c.peer != nil {
		return false
	}
	c.peer = p
	return true
}

// Connected does nothing.
func (c *Core) Connected(*pattern.Pipe) {}

// Disconnected does nothing: p's queue waits for the next connection.
func (c *Core) Disconnected(*pattern.Pipe) {}

// Detach makes room for another peer.
func (c *Core) Detach(p *pattern.Pipe) {
	p.Gone = true
	if c.peer == p {
		c.peer = nil
	}
}

// Readable reads p.
func (c *Core) Readable(p *pattern.Pipe) { c.in.Readable(p) }

// Writable does nothing: Send asks the peer's queue each time.
func (c *Core) Writable(*pattern.Pipe) {}

// Send hands the message to the peer, and never drops one that does not fit
// (RFC 31, The PAIR Socket Type).
func (c *Core) Send(out *pattern.Out) error {
	if c.peer == nil || !c.peer.Push(out) {
		return pattern.ErrAgain
	}
	return nil
}

// Recv reads the peer's next message.
func (c *Core) Recv(in *pattern.In) error {
	if c.in.Recv(in) == nil {
		return pattern.ErrAgain
	}
	return nil
}
