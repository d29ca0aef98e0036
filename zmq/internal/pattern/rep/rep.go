// Package rep is the REP end of RFC 28: requests are read in turn, and each
// reply goes back the way its request came.
//
// RFC 28 has a REP answer one request before it reads the next. Here each
// request carries its own envelope, so that many can be worked on at a time;
// to the peers it looks the same.
package rep

import (
	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/brick"
)

// A Core is the pattern of one REP socket. The zero Core is ready to use.
type Core struct {
	in brick.FairQueue
}

// Attach accepts every peer.
func (c *Core) Attach(*pattern.Pipe) bool { return true }

// Connected does nothing.
func (c *Core) Connected(*pattern.Pipe) {}

// Disconnected does nothing.
func (c *Core) Disconnected(*pattern.Pipe) {}

// Detach makes replies to p go nowhere.
func (c *Core) Detach(p *pattern.Pipe) { p.Gone = true }

// Readable reads p in its turn.
func (c *Core) Readable(p *pattern.Pipe) { c.in.Readable(p) }

// Writable does nothing: a reply never waits.
func (c *Core) Writable(*pattern.Pipe) {}

// Recv reads the next request, with all frames up to and including the first
// empty one in in.Head and the peer in in.From. A message without an empty
// frame, or with nothing after it, is dropped.
func (c *Core) Recv(in *pattern.In) error {
	for {
		p := c.in.Recv(in)
		if p == nil {
			return pattern.ErrAgain
		}
		for i, f := range in.Frames[:len(in.Frames)-1] {
			if len(f) == 0 {
				in.Head, in.Frames = in.Frames[:i+1], in.Frames[i+1:]
				in.From = p
				return nil
			}
		}
	}
}

// Send puts out.Head in front of the reply and hands it to out.To. It never
// waits: a peer that is gone loses its reply (RFC 28, The REP Socket Type), and
// so does one that does not read its replies.
func (c *Core) Send(out *pattern.Out) error {
	if !out.To.Gone {
		out.To.Push(out)
	}
	return nil
}
