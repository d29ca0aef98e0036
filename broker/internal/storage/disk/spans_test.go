package disk

import (
	"testing"

	"pgregory.net/rapid"
)

func TestSpansAreLikeASetOfNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = 500
		var s spans
		set := map[uint64]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				from := rapid.Uint64Range(0, most).Draw(t, "from")
				to := from + rapid.Uint64Range(0, 20).Draw(t, "n")
				added := uint64(0)
				for n := from; n < to; n++ {
					if !set[n] {
						set[n] = true
						added++
					}
				}
				if got := s.add(from, to); got != added {
					t.Fatalf("%d were added, want %d", got, added)
				}
			},
			"": func(t *rapid.T) {
				for n := range uint64(most + 30) {
					if s.has(n) != set[n] {
						t.Fatalf("has(%d) is %t: %v", n, s.has(n), s)
					}
				}
				for i := range s {
					if s[i].from >= s[i].to || i > 0 && s[i-1].to >= s[i].from {
						t.Fatalf("%v", s)
					}
				}
				if s.size() != uint64(len(set)) {
					t.Fatalf("size is %d, want %d", s.size(), len(set))
				}
			},
		})
	})
}

func TestHolesAreLikeASetOfNumbersInEitherForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Uint64Range(1, 1000).Draw(t, "from")
		limit := from + rapid.Uint64Range(1, 700).Draw(t, "n")
		h := &holes{bounds: span{from, limit}}
		if rapid.Bool().Draw(t, "bits") {
			h.toBits()
		}
		set := map[uint64]bool{}
		number := func(t *rapid.T) uint64 { return rapid.Uint64Range(from, limit-1).Draw(t, "number") }
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				a := number(t)
				b := min(a+rapid.Uint64Range(0, 130).Draw(t, "n"), limit)
				added := uint64(0)
				for n := a; n < b; n++ {
					if !set[n] {
						set[n] = true
						added++
					}
				}
				if got := h.add(a, b); got != added {
					t.Fatalf("%d were added, want %d", got, added)
				}
			},
			"gap": func(t *rapid.T) {
				n := number(t)
				end := min(n+rapid.Uint64Range(0, 300).Draw(t, "limit"), limit)
				for n < end && set[n] {
					n++
				}
				to := n
				for to < end && !set[to] {
					to++
				}
				if n == to {
					n, to = end, end
				}
				first := n
				if g := h.gap(first, end); g != (span{n, to}) {
					t.Fatalf("gap(%d, %d) is %v, want %d to %d", first, end, g, n, to)
				}
			},
			"within": func(t *rapid.T) {
				a := number(t)
				b := min(a+rapid.Uint64Range(1, 300).Draw(t, "n"), limit)
				part := h.within(a, b)
				for n := a; n < b; n++ {
					if part.has(n) != set[n] {
						t.Fatalf("within(%d, %d): has(%d) is %t", a, b, n, part.has(n))
					}
				}
				if part.count(a, b) != h.count(a, b) {
					t.Fatal("count differs")
				}
			},
			"": func(t *rapid.T) {
				for n := from; n < limit; n++ {
					if h.has(n) != set[n] {
						t.Fatalf("has(%d) is %t", n, h.has(n))
					}
				}
				if h.count(from, limit) != uint64(len(set)) {
					t.Fatalf("count is %d, want %d", h.count(from, limit), len(set))
				}
			},
		})
	})
}
