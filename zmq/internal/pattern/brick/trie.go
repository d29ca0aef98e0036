package brick

import (
	"bytes"
	"strings"
)

// A Trie maps prefixes to values and finds all prefixes of a topic in one
// walk: a radix tree, each of whose edges is a string. The zero Trie is empty.
//
// Walks and removals are loops: the depth of the tree is a peer's choice.
type Trie[V any] struct {
	root node[V]
	size int
}

type node[V any] struct {
	edge     string // from the parent to here
	first    []byte // the first byte of each child's edge
	children []*node[V]
	value    V
	set      bool
}

// Len returns the number of prefixes that have a value.
func (t *Trie[V]) Len() int { return t.size }

// At returns the value of prefix, and makes a zero one if there is none.
func (t *Trie[V]) At(prefix string) *V {
	n := &t.root
	for prefix != "" {
		i := bytes.IndexByte(n.first, prefix[0])
		if i < 0 {
			n = n.add(&node[V]{edge: strings.Clone(prefix)})
			prefix = ""
			break
		}
		child := n.children[i]
		common := commonPrefix(child.edge, prefix)
		if common < len(child.edge) {
			child = n.split(i, common)
		}
		n, prefix = child, prefix[common:]
	}
	if !n.set {
		n.set = true
		t.size++
	}
	return &n.value
}

// Get returns the value of prefix, or nil if there is none.
func (t *Trie[V]) Get(prefix string) *V {
	n := &t.root
	for prefix != "" {
		i := bytes.IndexByte(n.first, prefix[0])
		if i < 0 || !strings.HasPrefix(prefix, n.children[i].edge) {
			return nil
		}
		n = n.children[i]
		prefix = prefix[len(n.edge):]
	}
	if !n.set {
		return nil
	}
	return &n.value
}

// Remove takes the value of prefix away.
func (t *Trie[V]) Remove(prefix string) {
	var parent, grandparent *node[V]
	n := &t.root
	for prefix != "" {
		i := bytes.IndexByte(n.first, prefix[0])
		if i < 0 || !strings.HasPrefix(prefix, n.children[i].edge) {
			return
		}
		grandparent, parent, n = parent, n, n.children[i]
		prefix = prefix[len(n.edge):]
	}
	if !n.set {
		return
	}
	var zero V
	n.value, n.set = zero, false
	t.size--
	// A node without a value has two children or more; only the root, which
	// has no parent, may be poorer.
	switch {
	case parent == nil:
	case len(n.children) == 0:
		parent.drop(n)
		if len(parent.children) == 1 && !parent.set && grandparent != nil {
			parent.merge()
		}
	case len(n.children) == 1:
		n.merge()
	}
}

// Match calls visit with the value of every prefix of topic, the shortest
// first, until visit returns false.
func (t *Trie[V]) Match(topic []byte, visit func(*V) bool) {
	n := &t.root
	for {
		if n.set && !visit(&n.value) {
			return
		}
		if n = n.step(topic); n == nil {
			return
		}
		topic = topic[len(n.edge):]
	}
}

// Matches tells whether any prefix of topic has a value.
func (t *Trie[V]) Matches(topic []byte) bool {
	n := &t.root
	for !n.set {
		if n = n.step(topic); n == nil {
			return false
		}
		topic = topic[len(n.edge):]
	}
	return true
}

// Prefixes calls visit with every prefix that has a value, in an order that
// only the calls before decide.
func (t *Trie[V]) Prefixes(visit func(prefix string, value *V)) {
	type place struct {
		n      *node[V]
		prefix string
	}
	stack := []place{{&t.root, ""}}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if at.n.set {
			visit(at.prefix, &at.n.value)
		}
		for i := len(at.n.children) - 1; i >= 0; i-- {
			child := at.n.children[i]
			stack = append(stack, place{child, at.prefix + child.edge})
		}
	}
}

// step returns the child that topic leads to, or nil.
func (n *node[V]) step(topic []byte) *node[V] {
	if len(topic) == 0 {
		return nil
	}
	i := bytes.IndexByte(n.first, topic[0])
	if i < 0 {
		return nil
	}
	child := n.children[i]
	if len(topic) < len(child.edge) || string(topic[:len(child.edge)]) != child.edge {
		return nil
	}
	return child
}

func (n *node[V]) add(child *node[V]) *node[V] {
	n.first = append(n.first, child.edge[0])
	n.children = append(n.children, child)
	return child
}

func (n *node[V]) drop(child *node[V]) {
	i := bytes.IndexByte(n.first, child.edge[0])
	last := len(n.children) - 1
	n.first[i], n.children[i] = n.first[last], n.children[last]
	n.children[last] = nil
	n.first, n.children = n.first[:last], n.children[:last]
}

// split puts a new node after the first at bytes of the edge to child i.
func (n *node[V]) split(i, at int) *node[V] {
	child := n.children[i]
	middle := &node[V]{edge: child.edge[:at]}
	child.edge = child.edge[at:]
	middle.add(child)
	n.children[i] = middle
	return middle
}

// merge makes one node of n and its only child.
func (n *node[V]) merge() {
	child := n.children[0]
	edge := n.edge + child.edge
	*n = *child
	n.edge = edge
}

func commonPrefix(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}
