// Package brick holds the parts that the patterns are built from: the fair
// queue, the load balancer, the distributor and the prefix trie. Like the
// patterns they are pure.
package brick

import "github.com/warrenmq/warren/zmq/internal/pattern"

// A FairQueue reads from many peers in turn, one message each (RFC 28 and 30:
// fair queuing). It lists only the pipes that may have a message. The zero
// FairQueue is ready to use.
type FairQueue struct {
	active []*pattern.Pipe
	next   int
}

// Readable puts a pipe on the list.
func (q *FairQueue) Readable(p *pattern.Pipe) {
	if p.InSlot == 0 {
		q.active = append(q.active, p)
		p.InSlot = len(q.active)
	}
}

// Recv takes a message from the next pipe that has one and says which it was,
// or returns nil.
func (q *FairQueue) Recv(in *pattern.In) *pattern.Pipe {
	for len(q.active) > 0 {
		if q.next >= len(q.active) {
			q.next = 0
		}
		p := q.active[q.next]
		if p.Pop(in) {
			q.next++
			return p
		}
		q.remove(p)
	}
	return nil
}

func (q *FairQueue) remove(p *pattern.Pipe) {
	last := len(q.active) - 1
	moved := q.active[last]
	q.active[p.InSlot-1] = moved
	moved.InSlot = p.InSlot
	q.active[last] = nil
	q.active = q.active[:last]
	p.InSlot = 0
}
