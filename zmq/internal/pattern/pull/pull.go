// Package pull is the PULL end of RFC 30: the peers are read in turn.
package pull

import (
	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/brick"
)

// A Core is the pattern of one PULL socket. The zero Core is ready to use.
type Core struct {
	in brick.FairQueue
}

// Attach accepts every peer.
func (c *Core) Attach(*pattern.Pipe) bool { return true }

// Connected does nothing.
func (c *Core) Connected(*pattern.Pipe) {}

// Disconnected does nothing.
func (c *Core) Disconnected(*pattern.Pipe) {}

// Detach does nothing: what p sent is still read.
func (c *Core) Detach(p *pattern.Pipe) { p.Gone = true }

// Readable reads p in its turn.
func (c *Core) Readable(p *pattern.Pipe) { c.in.Readable(p) }

// Writable does nothing.
func (c *Core) Writable(*pattern.Pipe) {}

// Send never sends (RFC 30, The PULL Socket Type).
func (c *Core) Send(*pattern.Out) error { return pattern.ErrAgain }

// Recv reads the next peer that has a message, so that none is starved
// (RFC 30, The PULL Socket Type: fair queuing).
func (c *Core) Recv(in *pattern.In) error {
	if c.in.Recv(in) == nil {
		return pattern.ErrAgain
	}
	return nil
}
