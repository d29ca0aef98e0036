package brick

import "github.com/warrenmq/warren/zmq/internal/pattern"

// A Balancer sends to many peers in turn, passing over those whose queues are
// full (RFC 28 and 30: round robin over the available peers). The zero
// Balancer is ready to use.
type Balancer struct {
	active []*pattern.Pipe
	next   int
}

// Add puts a pipe on the list of those that can be sent to.
func (b *Balancer) Add(p *pattern.Pipe) {
	if p.OutSlot == 0 && !p.Gone {
		b.active = append(b.active, p)
		p.OutSlot = len(b.active)
	}
}

// Remove takes a pipe off the list, for good if it is gone.
func (b *Balancer) Remove(p *pattern.Pipe) {
	if p.OutSlot == 0 {
		return
	}
	last := len(b.active) - 1
	moved := b.active[last]
	b.active[p.OutSlot-1] = moved
	moved.OutSlot = p.OutSlot
	b.active[last] = nil
	b.active = b.active[:last]
	p.OutSlot = 0
}

// Send pushes the message into the next pipe with room and says which it was,
// or returns nil when none has.
func (b *Balancer) Send(out *pattern.Out) *pattern.Pipe {
	for len(b.active) > 0 {
		if b.next >= len(b.active) {
			b.next = 0
		}
		p := b.active[b.next]
		if p.Push(out) {
			b.next++
			return p
		}
		b.Remove(p) // until Writable adds it again
	}
	return nil
}
