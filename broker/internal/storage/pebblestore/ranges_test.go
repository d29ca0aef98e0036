package pebblestore

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRangesAreASetOfNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = 64
		var r ranges
		var model [most + 1]bool
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				s := drawSpan(t, most)
				merged, _ := r.add(s)
				if merged.from > s.from || merged.to < s.to {
					t.Fatalf("%v was merged into %v", s, merged)
				}
				for n := s.from; n < s.to; n++ {
					model[n] = true
				}
			},
			"remove": func(t *rapid.T) {
				s := drawSpan(t, most)
				var want uint64
				for n := s.from; n < s.to; n++ {
					if model[n] {
						want++
					}
					model[n] = false
				}
				if got := r.remove(s); got != want {
					t.Fatalf("removing %v removed %d numbers, want %d", s, got, want)
				}
			},
			"": func(t *rapid.T) {
				for n := range uint64(most) {
					if r.contains(n) != model[n] {
						t.Fatalf("contains(%d) = %v in %v", n, r.contains(n), r)
					}
				}
				for i, s := range r {
					if s.from >= s.to || i > 0 && r[i-1].to >= s.from {
						t.Fatalf("no set: %v", r)
					}
				}
			},
		})
	})
}

func drawSpan(t *rapid.T, most uint64) span {
	from := rapid.Uint64Range(0, most-1).Draw(t, "from")
	return span{from, rapid.Uint64Range(from+1, most).Draw(t, "to")}
}

func TestAddTellsWhatItSwallowed(t *testing.T) {
	r := ranges{{1, 3}, {5, 6}, {9, 12}}
	merged, swallowed := r.add(span{3, 9})
	if want := (span{1, 12}); merged != want || !slices.Equal(swallowed, []span{{1, 3}, {5, 6}, {9, 12}}) || !slices.Equal(r, ranges{want}) {
		t.Errorf("merged into %v, swallowed %v, the set is %v", merged, swallowed, r)
	}
}
