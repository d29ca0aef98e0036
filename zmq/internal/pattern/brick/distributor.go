package brick

import (
	"maps"
	"slices"

	"github.com/warrenmq/warren/zmq/internal/pattern"
)

// A Distributor is the publishing side's state: who subscribed to which
// prefix. It sends a message to each subscriber that matches, once, and drops
// it for those whose queues are full (RFC 29). The zero Distributor is ready
// to use.
type Distributor struct {
	subscribers Trie[[]*pattern.Pipe]
	round       uint64
}

// topicCost is what a subscription counts beside the bytes of its prefix.
const topicCost = 64

// Subscribe adds a subscription of one peer. first tells that nobody had this
// prefix before. ok is false when the subscriptions of the peer would take
// more than limit bytes; a limit of zero is none.
func (d *Distributor) Subscribe(p *pattern.Pipe, prefix []byte, limit int64) (first, ok bool) {
	if _, dup := p.Topics[string(prefix)]; dup {
		return false, true
	}
	cost := len(prefix) + topicCost
	if limit > 0 && int64(p.Bytes+cost) > limit {
		return false, false
	}
	topic := string(prefix)
	list := d.subscribers.At(topic)
	if p.Topics == nil {
		p.Topics = make(map[string]int)
	}
	p.Topics[topic] = len(*list)
	p.Bytes += cost
	*list = append(*list, p)
	return len(*list) == 1, true
}

// Unsubscribe takes a subscription of one peer away. last tells that nobody
// has this prefix any more.
func (d *Distributor) Unsubscribe(p *pattern.Pipe, prefix []byte) (last bool) {
	i, found := p.Topics[string(prefix)]
	if !found {
		return false
	}
	topic := string(prefix)
	list := d.subscribers.Get(topic)
	end := len(*list) - 1
	moved := (*list)[end]
	(*list)[i] = moved
	moved.Topics[topic] = i
	(*list)[end] = nil
	*list = (*list)[:end]
	delete(p.Topics, topic)
	p.Bytes -= len(prefix) + topicCost
	if end == 0 {
		d.subscribers.Remove(topic)
	}
	return end == 0
}

// Forget takes all subscriptions of one peer away and returns, sorted, the
// prefixes that nobody has any more.
func (d *Distributor) Forget(p *pattern.Pipe) (last []string) {
	for _, topic := range slices.Sorted(maps.Keys(p.Topics)) {
		if d.Unsubscribe(p, []byte(topic)) {
			last = append(last, topic)
		}
	}
	return last
}

// Send pushes the message to every peer that has a prefix of its first frame.
func (d *Distributor) Send(out *pattern.Out) {
	d.round++
	out.Share = true
	d.subscribers.Match(out.Body[0], func(list *[]*pattern.Pipe) bool {
		for _, p := range *list {
			if p.Mark != d.round {
				p.Mark = d.round
				p.Push(out) // full: the message is lost for this one only
			}
		}
		return true
	})
}
