package pebblestore

import "sort"

// span is the numbers from and including from, up to and excluding to.
type span struct{ from, to uint64 }

// ranges is a set of numbers: spans in order that neither overlap nor touch.
type ranges []span

// at returns the index of the first span that ends at n or later.
func (r ranges) at(n uint64) int {
	return sort.Search(len(r), func(i int) bool { return r[i].to >= n })
}

func (r ranges) contains(n uint64) bool {
	i := r.at(n)
	if i < len(r) && r[i].to == n {
		i++
	}
	return i < len(r) && r[i].from <= n
}

// add adds a span. It returns the span that now holds it, and which were swallowed by that.
func (r *ranges) add(s span) (merged span, swallowed []span) {
	i := r.at(s.from)
	j := i
	merged = s
	for j < len(*r) && (*r)[j].from <= s.to {
		merged.from, merged.to = min(merged.from, (*r)[j].from), max(merged.to, (*r)[j].to)
		j++
	}
	swallowed = append(swallowed, (*r)[i:j]...)
	r.replace(i, j, merged)
	return merged, swallowed
}

// remove removes a span and returns how many numbers of it were there.
func (r *ranges) remove(s span) (n uint64) {
	i := r.at(s.from + 1)
	j := i
	var left []span
	for j < len(*r) && (*r)[j].from < s.to {
		old := (*r)[j]
		n += min(old.to, s.to) - max(old.from, s.from)
		if old.from < s.from {
			left = append(left, span{old.from, s.from})
		}
		if old.to > s.to {
			left = append(left, span{s.to, old.to})
		}
		j++
	}
	r.replace(i, j, left...)
	return n
}

// replace puts spans in the place of those from i to j. What mostly happens, at the ends of a long set, copies nothing.
func (r *ranges) replace(i, j int, with ...span) {
	switch {
	case len(with) == j-i:
		copy((*r)[i:j], with)
	case i == 0 && len(with) < j:
		*r = (*r)[j-len(with):]
		copy(*r, with)
	default:
		tail := append([]span{}, (*r)[j:]...)
		*r = append(append((*r)[:i], with...), tail...)
	}
}
