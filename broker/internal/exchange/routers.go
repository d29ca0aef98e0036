package exchange

import (
	"slices"

	"github.com/warrenmq/warren/broker/internal/topic"
)

// group is an ordered set of destinations that counts the bindings of each.
type group[D comparable] struct {
	members []D
	times   []int // of the member with the same index
}

func (g *group[D]) add(d D) {
	if i := slices.Index(g.members, d); i >= 0 {
		g.times[i]++
		return
	}
	g.members = append(g.members, d)
	g.times = append(g.times, 1)
}

func (g *group[D]) remove(d D) {
	i := slices.Index(g.members, d)
	if g.times[i]--; g.times[i] == 0 {
		g.members = slices.Delete(g.members, i, i+1)
		g.times = slices.Delete(g.times, i, i+1)
	}
}

// direct looks the routing key up.
type direct[D comparable] struct{ byKey map[string]*group[D] }

func (r *direct[D]) bind(e *entry[D]) {
	g := r.byKey[e.Key]
	if g == nil {
		if r.byKey == nil {
			r.byKey = make(map[string]*group[D])
		}
		g = new(group[D])
		r.byKey[e.Key] = g
	}
	g.add(e.d())
}

func (r *direct[D]) unbind(e *entry[D]) {
	g := r.byKey[e.Key]
	if g.remove(e.d()); len(g.members) == 0 {
		delete(r.byKey, e.Key)
	}
}

func (r *direct[D]) route(m *Routing, dst []D) []D {
	if g := r.byKey[string(m.Key)]; g != nil {
		dst = append(dst, g.members...)
	}
	return dst
}

// fanout takes all.
type fanout[D comparable] struct{ all group[D] }

func (r *fanout[D]) bind(e *entry[D])              { r.all.add(e.d()) }
func (r *fanout[D]) unbind(e *entry[D])            { r.all.remove(e.d()) }
func (r *fanout[D]) route(_ *Routing, dst []D) []D { return append(dst, r.all.members...) }

// topics matches the routing key with the patterns.
type topics[D comparable] struct{ trie topic.Trie[D] }

func (r *topics[D]) bind(e *entry[D])              { r.trie.Add(e.Key, e.d()) }
func (r *topics[D]) unbind(e *entry[D])            { r.trie.Remove(e.Key, e.d()) }
func (r *topics[D]) route(m *Routing, dst []D) []D { return r.trie.Match(m.Key, dst) }
