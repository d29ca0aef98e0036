// Package dealer is the DEALER of RFC 28: messages go to the peers in turn,
// and the peers are read in turn.
package dealer

import (
	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/brick"
)

// A Core is the pattern of one DEALER socket. The zero Core is ready to use.
type Core struct {
	out brick.Balancer
	in  brick.FairQueue
}

// Attach starts sending to p.
func (c *Core) Attach(p *pattern.Pipe) bool {
	c.out.Add(p)
	return true
}

// Connected does nothing.
func (c *Core) Connected(*pattern.Pipe) {}

// Disconnected does nothing: p's queue waits for the next connection.
func (c *Core) Disconnected(*pattern.Pipe) {}

// Detach stops sending to p.
func (c *Core) Detach(p *pattern.Pipe) {
	p.Gone = true
	c.out.Remove(p)
}

// Readable reads p in its turn.
func (c *Core) Readable(p *pattern.Pipe) { c.in.Readable(p) }

// Writable sends to p again.
func (c *Core) Writable(p *pattern.Pipe) { c.out.Add(p) }

// Send hands the message to the next peer with room, and never drops one that
// fits nowhere (RFC 28, The DEALER Socket Type).
func (c *Core) Send(out *pattern.Out) error {
	if c.out.Send(out) == nil {
		return pattern.ErrAgain
	}
	return nil
}

// Recv reads the next peer that has a message (RFC 28: fair queuing).
func (c *Core) Recv(in *pattern.In) error {
	if c.in.Recv(in) == nil {
		return pattern.ErrAgain
	}
	return nil
}
