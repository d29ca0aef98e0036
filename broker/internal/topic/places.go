package topic

import "slices"

// target is one destination, whatever the number of patterns that lead to it.
type target[D comparable] struct {
	d D
	// places is the number of nodes that hold the target. A target at one place
	// only cannot be met twice in one match, so it needs no comparing.
	places int
}

// A seat is a target at one node, and how many times it was added there.
type seat[D comparable] struct {
	*target[D]
	times int
}

// seats are the destinations of one node, in the order in which they came.
type seats[D comparable] []seat[D]

// registry knows every destination of one trie.
type registry[D comparable] struct {
	targets map[D]*target[D]
	added   int // additions not yet removed
}

// add returns at with d added once more.
func (r *registry[D]) add(at seats[D], d D) seats[D] {
	r.added++
	t := r.targets[d]
	if t == nil {
		if r.targets == nil {
			r.targets = make(map[D]*target[D])
		}
		t = &target[D]{d: d}
		r.targets[d] = t
	}
	if i := at.index(t); i >= 0 {
		at[i].times++
		return at
	}
	t.places++
	return append(at, seat[D]{target: t, times: 1})
}

// remove returns at with d removed once, and whether it was there.
func (r *registry[D]) remove(at seats[D], d D) (seats[D], bool) {
	t := r.targets[d]
	if t == nil {
		return at, false
	}
	i := at.index(t)
	if i < 0 {
		return at, false
	}
	r.added--
	at[i].times--
	if at[i].times > 0 {
		return at, true
	}
	t.places--
	if t.places == 0 {
		delete(r.targets, d)
	}
	return slices.Delete(at, i, i+1), true
}

func (s seats[D]) index(t *target[D]) int {
	return slices.IndexFunc(s, func(have seat[D]) bool { return have.target == t })
}

// scanLimit is how many destinations are compared one by one before a set is
// made of them.
const scanLimit = 32

// A gathering appends destinations to dst, each at most once.
type gathering[D comparable] struct {
	dst  []D
	from int            // what stood in dst before is not ours
	seen map[D]struct{} // made once more than scanLimit were gathered
}

func (g *gathering[D]) take(from seats[D]) {
	for _, s := range from {
		if s.places > 1 && g.met(s.d) {
			continue
		}
		g.dst = append(g.dst, s.d)
	}
}

// met reports whether d was gathered before, and notes that it is now.
func (g *gathering[D]) met(d D) bool {
	mine := g.dst[g.from:]
	if g.seen == nil {
		if len(mine) <= scanLimit {
			return slices.Contains(mine, d)
		}
		g.seen = make(map[D]struct{}, 2*len(mine))
		for _, have := range mine {
			g.seen[have] = struct{}{}
		}
	}
	if _, ok := g.seen[d]; ok {
		return true
	}
	g.seen[d] = struct{}{}
	return false
}
