// Package router is the ROUTER of RFC 28: each message names the peer that it
// goes to, and says which one it came from, in its first frame.
package router

import (
	"bytes"
	"encoding/binary"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/brick"
)

// A Core is the pattern of one ROUTER socket.
type Core struct {
	mandatory bool
	counter   uint32 // the last routing id that was made up
	peers     map[string]*pattern.Pipe
	in        brick.FairQueue
}

// New returns the pattern of a ROUTER. The ids of peers that gave none are
// counted up from seed. With mandatory set, Send reports what it would
// otherwise drop.
func New(seed uint32, mandatory bool) *Core {
	return &Core{mandatory: mandatory, counter: seed, peers: make(map[string]*pattern.Pipe)}
}

// Attach accepts every peer; Connected gives it a name.
func (c *Core) Attach(*pattern.Pipe) bool { return true }

// Connected enters p under the routing id that its peer gave, or one that is
// made up: a zero byte and four bytes of a counter, as libzmq does. The id is
// read again after each reconnect. A peer whose id another one has stays
// connected and is ignored.
func (c *Core) Connected(p *pattern.Pipe) {
	id := p.Peer.Identity
	if len(id) == 0 {
		if len(p.ID) == 5 && p.ID[0] == 0 {
			return // reconnected, and still without a name of its own
		}
		id = c.makeID()
	}
	if bytes.Equal(id, p.ID) {
		return
	}
	c.forget(p)
	if _, taken := c.peers[string(id)]; taken {
		return
	}
	p.ID = bytes.Clone(id)
	c.peers[string(id)] = p
	c.in.Readable(p) // what came before it had a name
}

func (c *Core) makeID() []byte {
	for {
		c.counter++
		id := binary.BigEndian.AppendUint32([]byte{0}, c.counter)
		if _, taken := c.peers[string(id)]; !taken {
			return id
		}
	}
}

func (c *Core) forget(p *pattern.Pipe) {
	if c.peers[string(p.ID)] == p {
		delete(c.peers, string(p.ID))
	}
	p.ID = nil
}

// Disconnected does nothing: p keeps its id and its queue waits.
func (c *Core) Disconnected(*pattern.Pipe) {}

// Detach frees p's routing id. What p sent can still be received.
func (c *Core) Detach(p *pattern.Pipe) {
	p.Gone = true
	if c.peers[string(p.ID)] == p {
		delete(c.peers, string(p.ID))
	}
}

// Readable reads p in its turn, if it has an id.
func (c *Core) Readable(p *pattern.Pipe) {
	if p.ID != nil {
		c.in.Readable(p)
	}
}

// Writable does nothing: Send asks the peer's queue each time.
func (c *Core) Writable(*pattern.Pipe) {}

// Send takes the first frame off and hands the rest to the peer of that id. A
// message for an unknown id or a full queue is dropped, or reported if the
// socket is mandatory (RFC 28, The ROUTER Socket Type: either is allowed).
func (c *Core) Send(out *pattern.Out) error {
	p, known := c.peers[string(out.Body[0])]
	if !known {
		if c.mandatory {
			return pattern.ErrUnroutable
		}
		return nil
	}
	if len(out.Body) == 1 {
		return nil // an address and nothing to send there
	}
	out.Set(out.Body[1:])
	if !p.Push(out) && c.mandatory {
		return pattern.ErrAgain
	}
	return nil
}

// Recv reads the next peer that has a message and puts its id in front.
func (c *Core) Recv(in *pattern.In) error {
	p := c.in.Recv(in)
	if p == nil {
		return pattern.ErrAgain
	}
	in.Prepend(p.ID)
	return nil
}
