package disk

import (
	"math/bits"
	"slices"
)

// span is the numbers from and including from, up to and excluding to.
type span struct{ from, to uint64 }

// spans is a set of numbers: in order, apart from one another, none empty.
type spans []span

// find returns the index of the first span that ends above n: the one that holds n, or the one behind it.
func (s spans) find(n uint64) int {
	if len(s) == 0 || s[len(s)-1].to <= n {
		return len(s)
	}
	if n < s[0].to {
		return 0
	}
	lo, hi := 0, len(s)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); s[mid].to <= n {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// has reports whether n is in the set.
func (s spans) has(n uint64) bool {
	i := s.find(n)
	return i < len(s) && s[i].from <= n
}

// add puts numbers into the set and returns how many of them were not there before.
func (s *spans) add(from, to uint64) (added uint64) {
	if from >= to {
		return 0
	}
	if n := len(*s); n == 0 || (*s)[n-1].to < from {
		*s = append(*s, span{from, to})
		return to - from
	}
	// Everything from i up to j touches the new span and becomes one with it.
	i := 0
	if from > 0 {
		i = s.find(from - 1)
	}
	j, had, whole := i, uint64(0), span{from, to}
	for ; j < len(*s) && (*s)[j].from <= to; j++ {
		old := (*s)[j]
		if lo, hi := max(old.from, from), min(old.to, to); lo < hi {
			had += hi - lo
		}
		whole = span{min(whole.from, old.from), max(whole.to, old.to)}
	}
	if i == j {
		*s = slices.Insert(*s, i, whole)
	} else {
		(*s)[i] = whole
		*s = slices.Delete(*s, i+1, j)
	}
	return to - from - had
}

// size returns how many numbers are in the set.
func (s spans) size() (n uint64) {
	for _, r := range s {
		n += r.to - r.from
	}
	return n
}

// holes is a set of numbers within bounds: those of an extent's numbers that are not alive. It is a list of spans
// while that is short, and a bitmap once that takes less memory: so it never takes much more than a bit per number.
type holes struct {
	bounds span
	spans  spans
	bits   []uint64 // instead of spans, from bounds.from on
}

// fewSpans is up to how many spans a list is good for, whatever it takes.
const fewSpans = 64

// add puts numbers within the bounds into the set and returns how many of them were not there before.
func (h *holes) add(from, to uint64) (added uint64) {
	if h.bits == nil {
		added = h.spans.add(from, to)
		if n := uint64(len(h.spans)); n > fewSpans && 16*n > (h.bounds.to-h.bounds.from)/8 {
			h.toBits()
		}
		return added
	}
	return h.set(from, to)
}

func (h *holes) toBits() {
	h.bits = make([]uint64, (h.bounds.to-h.bounds.from+63)/64)
	for _, r := range h.spans {
		h.set(r.from, r.to)
	}
	h.spans = nil
}

// set sets the bits of [from, to) and returns how many were not set.
func (h *holes) set(from, to uint64) (added uint64) {
	for n := from - h.bounds.from; n < to-h.bounds.from; {
		word, bit := n/64, n%64
		count := min(64-bit, to-h.bounds.from-n)
		mask := (^uint64(0) >> (64 - count)) << bit
		added += uint64(bits.OnesCount64(mask &^ h.bits[word]))
		h.bits[word] |= mask
		n += count
	}
	return added
}

// has reports whether n, which is within the bounds, is in the set. A nil set holds nothing.
func (h *holes) has(n uint64) bool {
	switch {
	case h == nil:
		return false
	case h.bits == nil:
		return h.spans.has(n)
	}
	n -= h.bounds.from
	return h.bits[n/64]>>(n%64)&1 != 0
}

// gap returns the first run of numbers from n on, and below limit, that are not in the set; it is empty when there is
// none.
func (h *holes) gap(n, limit uint64) span {
	switch {
	case n >= limit:
		return span{limit, limit}
	case h == nil:
		return span{n, limit}
	case h.bits != nil:
		from := min(h.scan(n, 0), limit)
		return span{from, min(h.scan(from, ^uint64(0)), limit)}
	}
	i := h.spans.find(n)
	if i < len(h.spans) && h.spans[i].from <= n {
		n = h.spans[i].to
		i++
	}
	if n >= limit {
		return span{limit, limit}
	}
	if i < len(h.spans) {
		limit = min(limit, h.spans[i].from)
	}
	return span{n, limit}
}

// count returns how many numbers of [from, to), which is within the bounds, are in the set.
func (h *holes) count(from, to uint64) (n uint64) {
	if h == nil {
		return 0
	}
	if h.bits == nil {
		for i := h.spans.find(from); i < len(h.spans) && h.spans[i].from < to; i++ {
			n += min(h.spans[i].to, to) - max(h.spans[i].from, from)
		}
		return n
	}
	from, to = from-h.bounds.from, to-h.bounds.from
	for from < to {
		word, bit := from/64, from%64
		count := min(64-bit, to-from)
		n += uint64(bits.OnesCount64(h.bits[word] & ((^uint64(0) >> (64 - count)) << bit)))
		from += count
	}
	return n
}

// scan returns the first number from n on whose bit is not like those of what, or the upper bound.
func (h *holes) scan(n uint64, flip uint64) uint64 {
	n -= h.bounds.from
	total := h.bounds.to - h.bounds.from
	for n < total {
		// Looking for a bit that is 0, or with flip for one that is 1, as a 1.
		word := (^h.bits[n/64] ^ flip) >> (n % 64)
		if word != 0 {
			return h.bounds.from + min(n+uint64(bits.TrailingZeros64(word)), total)
		}
		n = (n/64 + 1) * 64
	}
	return h.bounds.to
}

// within returns the part of the set in [from, to), with these bounds; nil when it is empty.
func (h *holes) within(from, to uint64) *holes {
	if h == nil {
		return nil
	}
	part := &holes{bounds: span{from, to}}
	empty := true
	for n := from; n < to; {
		g := h.gap(n, to)
		if n < g.from {
			part.add(n, g.from)
			empty = false
		}
		n = g.to
	}
	if empty {
		return nil
	}
	return part
}
