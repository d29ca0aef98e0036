package topic

import "bytes"

// A Trie holds AMQP topic patterns, each with its destinations. The zero value
// is empty and ready.
//
// The patterns share their beginnings: one node for each word, * and # among
// them. Matching walks the key word by word and keeps the nodes that the words
// so far can have led to. They are of two sorts:
//
//   - here: nodes whose own word was the latest one. They are given up as soon
//     as the next word is read.
//   - loops: # nodes. Once reached they stay, for # takes any further word too.
//
// A node is reached from its parent only, so it comes into here at most once a
// word. A # node below another # can be reached again while it is already in
// loops; those nodes, and only those, carry a number in a bit set. So the work
// for one word is bounded by the nodes that are alive, and "#.#.#.a" or
// "#.a.#.a.#" costs a few nodes and no backtracking. Patterns that the key has
// left are not looked at, however many there are.
type Trie[D comparable] struct {
	root     node[D]
	registry registry[D]
	numbers  int   // one more than the greatest number in use
	free     []int // numbers that removed nodes gave back
}

// node is one word of a pattern, or the beginning of all (the root).
type node[D comparable] struct {
	parent *node[D]
	word   string
	words  map[string]*node[D] // the children that are neither * nor #
	star   *node[D]
	hash   *node[D]
	seats  seats[D] // the destinations of the pattern that ends here

	// nested is set below a # node: the node can be reached at many words.
	nested bool
	// number is the bit of a nested # node.
	number int
}

// Add adds d once more to the destinations of pattern.
func (t *Trie[D]) Add(pattern string, d D) {
	n := &t.root
	for word := range patternWords(pattern) {
		next := n.child(word)
		if next == nil {
			next = t.grow(n, word)
		}
		n = next
	}
	n.seats = t.registry.add(n.seats, d)
}

// Remove takes back one Add of d to pattern and reports whether there was one.
// Patterns that differ only in the length of a run of # ("#.#" and "#") are the
// same pattern.
func (t *Trie[D]) Remove(pattern string, d D) bool {
	n := &t.root
	for word := range patternWords(pattern) {
		if n = n.child(word); n == nil {
			return false
		}
	}
	var ok bool
	n.seats, ok = t.registry.remove(n.seats, d)
	for n.parent != nil && n.empty() {
		parent := n.parent
		t.prune(n)
		n = parent
	}
	return ok
}

// Len returns the number of additions that were not removed.
func (t *Trie[D]) Len() int { return t.registry.added }

const (
	// aliveHint nodes are held without allocating; more is rare and allocates.
	aliveHint = 16
	// numberHint is the same for the bits of nested # nodes.
	numberHint = 8 * 64
)

// Match appends to dst the destinations of the patterns that match key, each
// once, and returns the extended slice. What dst holds already is not looked
// at. The order is the same for the same history of Add and Remove, and no
// other order is promised.
//
// A destination that stands at several patterns is compared with those
// appended so far, beyond 32 of them by a set; one that stands at one pattern
// is not compared. So Match allocates nothing besides dst, except when more
// than 16 nodes are alive at once or when that set is needed.
func (t *Trie[D]) Match(key []byte, dst []D) []D {
	var hereSpace, nextSpace, loopSpace [aliveHint]*node[D]
	here, next, loops := hereSpace[:0], nextSpace[:0], loopSpace[:0]

	var bitSpace [numberHint / 64]uint64
	inLoops := bitSpace[:]
	if t.numbers > numberHint {
		inLoops = make([]uint64, (t.numbers+63)/64)
	}

	here, loops = reach(&t.root, here, loops, inLoops)
	for more := len(key) > 0; more && len(here)+len(loops) > 0; {
		word := key
		if i := bytes.IndexByte(key, separator); i >= 0 {
			word, key = key[:i], key[i+1:]
		} else {
			more = false
		}
		// The loops reached by this word begin with the next one.
		before := loops
		next = next[:0]
		for _, n := range here {
			next, loops = n.step(word, next, loops, inLoops)
		}
		for _, n := range before {
			next, loops = n.step(word, next, loops, inLoops)
		}
		here, next = next, here
	}

	g := gathering[D]{dst: dst, from: len(dst)}
	for _, n := range here {
		g.take(n.seats)
	}
	for _, n := range loops {
		g.take(n.seats)
	}
	return g.dst
}

// step reaches the children of n that take word.
func (n *node[D]) step(word []byte, here, loops []*node[D], inLoops []uint64) ([]*node[D], []*node[D]) {
	if c := n.words[string(word)]; c != nil {
		here, loops = reach(c, here, loops, inLoops)
	}
	if n.star != nil {
		here, loops = reach(n.star, here, loops, inLoops)
	}
	return here, loops
}

// reach notes n and, since # may stand for no word, the # below it.
func reach[D comparable](n *node[D], here, loops []*node[D], inLoops []uint64) ([]*node[D], []*node[D]) {
	here = append(here, n)
	h := n.hash
	if h == nil {
		return here, loops
	}
	if h.nested {
		cell, bit := &inLoops[h.number/64], uint64(1)<<(h.number%64)
		if *cell&bit != 0 {
			return here, loops
		}
		*cell |= bit
	}
	return here, append(loops, h)
}

func (n *node[D]) child(word string) *node[D] {
	switch word {
	case anyWord:
		return n.star
	case anyWords:
		return n.hash
	}
	return n.words[word]
}

func (n *node[D]) empty() bool {
	return len(n.seats) == 0 && len(n.words) == 0 && n.star == nil && n.hash == nil
}

// grow makes the child of n for word.
func (t *Trie[D]) grow(n *node[D], word string) *node[D] {
	c := &node[D]{parent: n, word: word, nested: n.nested || n.word == anyWords}
	switch word {
	case anyWord:
		n.star = c
	case anyWords:
		n.hash = c
		if c.nested {
			c.number = t.takeNumber()
		}
	default:
		if n.words == nil {
			n.words = make(map[string]*node[D])
		}
		n.words[word] = c
	}
	return c
}

// prune cuts off the empty node n.
func (t *Trie[D]) prune(n *node[D]) {
	switch n.word {
	case anyWord:
		n.parent.star = nil
	case anyWords:
		n.parent.hash = nil
		if n.nested {
			t.free = append(t.free, n.number)
		}
	default:
		delete(n.parent.words, n.word)
	}
}

func (t *Trie[D]) takeNumber() int {
	if last := len(t.free) - 1; last >= 0 {
		number := t.free[last]
		t.free = t.free[:last]
		return number
	}
	t.numbers++
	return t.numbers - 1
}
