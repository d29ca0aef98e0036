// Package push is the PUSH end of RFC 30: messages go to the peers in turn.
package push

import (
	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/brick"
)

// A Core is the pattern of one PUSH socket. The zero Core is ready to use.
type Core struct {
	out brick.Balancer
	in  pattern.In
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

// Readable throws away what p sent: a PUSH only sends (RFC 30).
func (c *Core) Readable(p *pattern.Pipe) {
	for p.Pop(&c.in) {
	}
}

// Writable sends to p again.
func (c *Core) Writable(p *pattern.Pipe) { c.out.Add(p) }

// Send hands the message to the next peer with room, and never drops one that
// fits nowhere (RFC 30, The PUSH Socket Type).
func (c *Core) Send(out *pattern.Out) error {
	if c.out.Send(out) == nil {
		return pattern.ErrAgain
	}
	return nil
}

// Recv never has anything.
func (c *Core) Recv(*pattern.In) error { return pattern.ErrAgain }
