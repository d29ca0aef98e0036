package amqp091

import (
	"slices"
	"testing"

	"github.com/warrenmq/warren/broker/internal/engine"
	"pgregory.net/rapid"
)

// TestLedgerBehavesLikeAList compares the ledger with the simplest thing that could stand in for it.
func TestLedgerBehavesLikeAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l ledger
		var model []uint64
		queue := new(engine.Queue)
		next := uint64(1)
		tags := func(us []unacked) []uint64 {
			var out []uint64
			for _, u := range us {
				if u.queue != queue || u.seq != u.tag*10 {
					t.Fatalf("entry %+v", u)
				}
				out = append(out, u.tag)
			}
			return out
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(t, "n") {
					next += rapid.Uint64Range(1, 2).Draw(t, "gap") // automatic acknowledgements take tags too
					l.push(unacked{tag: next, seq: next * 10, queue: queue})
					model = append(model, next)
				}
			},
			"one": func(t *rapid.T) {
				tag := rapid.Uint64Range(0, next+1).Draw(t, "tag")
				got, ok := l.take(nil, tag, false)
				at := slices.Index(model, tag)
				if ok != (at >= 0) || ok && !slices.Equal(tags(got), []uint64{tag}) || !ok && len(got) > 0 {
					t.Fatalf("take(%d): %v %v, model has it at %d", tag, got, ok, at)
				}
				if ok {
					model = slices.Delete(model, at, at+1)
				}
			},
			"multiple": func(t *rapid.T) {
				tag := rapid.Uint64Range(0, next+1).Draw(t, "tag")
				got, ok := l.take(nil, tag, true)
				n := slices.Index(model, tag) + 1
				if tag == 0 {
					n = len(model)
				}
				if ok != (n > 0 || tag == 0) || ok && !slices.Equal(tags(got), model[:n]) {
					t.Fatalf("take(%d, multiple): %v %v, want %v", tag, got, ok, model[:n])
				}
				model = slices.Clone(model[n:])
			},
			"takeAndRestore": func(t *rapid.T) {
				var back []unacked
				for _, tag := range slices.Clone(model) {
					if rapid.IntRange(0, 3).Draw(t, "keep") == 0 {
						back, _ = l.take(back, tag, false)
					}
				}
				l.restore(back)
			},
			"": func(t *rapid.T) {
				if l.live != len(model) {
					t.Fatalf("%d live, want %d", l.live, len(model))
				}
				if n := len(l.entries) - l.head; n > 4*l.live+65 {
					t.Fatalf("%d entries for %d live", n, l.live)
				}
			},
		})
		if got := tags(l.takeTo(nil, len(l.entries))); !slices.Equal(got, model) && len(got)+len(model) > 0 {
			t.Fatalf("left %v, want %v", got, model)
		}
	})
}

// TestLedgerOfOneStragglerStaysSmall holds one old delivery while a million pass.
func TestLedgerOfOneStragglerStaysSmall(t *testing.T) {
	var l ledger
	q := new(engine.Queue)
	l.push(unacked{tag: 1, queue: q})
	var taken []unacked
	for tag := uint64(2); tag < 1_000_000; tag++ {
		l.push(unacked{tag: tag, queue: q})
		taken, _ = l.take(taken[:0], tag, false)
	}
	if cap(l.entries) > 1024 || l.live != 1 {
		t.Errorf("room for %d entries, %d live", cap(l.entries), l.live)
	}
}
