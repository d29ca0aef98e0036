package fsck

import (
	"slices"
	"sort"

	"github.com/warrenmq/warren/broker/internal/storage/disk"
)

// numbers is a set of sequence numbers: spans in order, apart from one another, none empty.
type numbers []disk.Span

// find returns the index of the first span that ends above n.
func (s numbers) find(n uint64) int {
	if k := len(s); k == 0 || s[k-1].To <= n {
		return k
	}
	return sort.Search(len(s), func(i int) bool { return s[i].To > n })
}

func (s numbers) has(n uint64) bool {
	i := s.find(n)
	return i < len(s) && s[i].From <= n
}

// add puts [from, to) into the set.
func (s *numbers) add(from, to uint64) {
	if from >= to {
		return
	}
	i := 0
	if from > 0 {
		i = s.find(from - 1) // one that ends at from is a neighbour
	}
	j := i
	for ; j < len(*s) && (*s)[j].From <= to; j++ {
		from, to = min(from, (*s)[j].From), max(to, (*s)[j].To)
	}
	*s = slices.Replace(*s, i, j, disk.Span{From: from, To: to})
}

// remove takes [from, to) out of the set.
func (s *numbers) remove(from, to uint64) {
	if from >= to {
		return
	}
	i := s.find(from)
	j := i
	var left []disk.Span
	for ; j < len(*s) && (*s)[j].From < to; j++ {
		if r := (*s)[j]; r.From < from {
			left = append(left, disk.Span{From: r.From, To: from})
		}
		if r := (*s)[j]; r.To > to {
			left = append(left, disk.Span{From: to, To: r.To})
		}
	}
	if i < j {
		*s = slices.Replace(*s, i, j, left...)
	}
}

// without returns the numbers that are not in another set.
func (s numbers) without(other numbers) numbers {
	var out numbers
	for _, r := range s {
		from := r.From
		for i := other.find(from); i < len(other) && other[i].From < r.To; i++ {
			if from < other[i].From {
				out = append(out, disk.Span{From: from, To: other[i].From})
			}
			from = other[i].To
		}
		if from < r.To {
			out = append(out, disk.Span{From: from, To: r.To})
		}
	}
	return out
}

// count returns how many numbers there are.
func (s numbers) count() (n int) {
	for _, r := range s {
		n += int(r.To - r.From)
	}
	return n
}

// first returns at most n of the numbers.
func (s numbers) first(n int) (list []uint64) {
	for _, r := range s {
		for seq := r.From; seq < r.To && len(list) < n; seq++ {
			list = append(list, seq)
		}
	}
	return list
}

// within returns those from and including from, up to and excluding to.
func (s numbers) within(from, to uint64) (part numbers) {
	if from >= to {
		return nil
	}
	for i := s.find(from); i < len(s) && s[i].From < to; i++ {
		part = append(part, disk.Span{From: max(s[i].From, from), To: min(s[i].To, to)})
	}
	return part
}
