package topic

import (
	"cmp"
	"slices"
	"strings"
)

// A Prefix holds byte prefixes, each with its destinations: ZeroMQ's
// subscriptions (RFC 29 §"The PUB socket type"). The zero value is empty and
// ready.
//
// It is a radix tree: a node stands where prefixes end or part, so there are
// fewer than two nodes for each prefix, however long the prefixes are.
type Prefix[D comparable] struct {
	root     branch[D] // its label is empty, so that the empty prefix ends there
	registry registry[D]
}

// branch is a node of the tree together with the bytes that lead to it.
type branch[D comparable] struct {
	label string
	kids  []*branch[D] // ordered by the first bytes of their labels, which differ
	seats seats[D]
}

// Add adds d once more to the destinations of prefix.
func (t *Prefix[D]) Add(prefix string, d D) {
	n := &t.root
	for prefix != "" {
		i, found := n.find(prefix[0])
		if !found {
			kid := &branch[D]{label: strings.Clone(prefix)}
			n.kids = slices.Insert(n.kids, i, kid)
			n = kid
			break
		}
		kid := n.kids[i]
		if common := commonLen(kid.label, prefix); common < len(kid.label) {
			// The copies keep a short rest from holding a long label's memory.
			upper := &branch[D]{label: strings.Clone(kid.label[:common]), kids: []*branch[D]{kid}}
			kid.label = strings.Clone(kid.label[common:])
			n.kids[i] = upper
			kid = upper
		}
		prefix = prefix[len(kid.label):]
		n = kid
	}
	n.seats = t.registry.add(n.seats, d)
}

// Remove takes back one Add of d to prefix and reports whether there was one.
func (t *Prefix[D]) Remove(prefix string, d D) bool {
	var grandparent, parent *branch[D]
	n := &t.root
	for prefix != "" {
		i, found := n.find(prefix[0])
		if !found || !strings.HasPrefix(prefix, n.kids[i].label) {
			return false
		}
		grandparent, parent, n = parent, n, n.kids[i]
		prefix = prefix[len(n.label):]
	}
	var ok bool
	n.seats, ok = t.registry.remove(n.seats, d)
	if !ok || len(n.seats) > 0 || parent == nil {
		return ok
	}
	switch len(n.kids) {
	case 0:
		i, _ := parent.find(n.label[0])
		parent.kids = slices.Delete(parent.kids, i, i+1)
		if grandparent != nil {
			parent.join()
		}
	case 1:
		n.join()
	}
	return true
}

// Len returns the number of additions that were not removed.
func (t *Prefix[D]) Len() int { return t.registry.added }

// Match appends to dst the destinations of the prefixes that key begins with,
// each once, from the shortest prefix to the longest, and returns the extended
// slice. What dst holds already is not looked at. A destination at several
// prefixes is compared as in [Trie.Match], and Match allocates nothing besides
// dst unless that needs a set.
func (t *Prefix[D]) Match(key []byte, dst []D) []D {
	g := gathering[D]{dst: dst, from: len(dst)}
	n := &t.root
	for {
		g.take(n.seats)
		if len(key) == 0 {
			break
		}
		i, found := n.find(key[0])
		if !found {
			break
		}
		n = n.kids[i]
		if len(key) < len(n.label) || string(key[:len(n.label)]) != n.label {
			break
		}
		key = key[len(n.label):]
	}
	return g.dst
}

// find returns where the kid that begins with first is, or would be.
func (n *branch[D]) find(first byte) (int, bool) {
	return slices.BinarySearchFunc(n.kids, first, func(kid *branch[D], first byte) int {
		return cmp.Compare(kid.label[0], first)
	})
}

// join makes n and its only kid one, when no prefix ends at n.
func (n *branch[D]) join() {
	if len(n.seats) > 0 || len(n.kids) != 1 {
		return
	}
	kid := n.kids[0]
	n.label, n.kids, n.seats = n.label+kid.label, kid.kids, kid.seats
}

func commonLen(a, b string) int {
	limit := min(len(a), len(b))
	for i := range limit {
		if a[i] != b[i] {
			return i
		}
	}
	return limit
}
