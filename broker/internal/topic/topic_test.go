package topic

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatchFollowsTheTopicRules(t *testing.T) {
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"", "", true},
		{"", "a", false},
		{"#", "", true},
		{"#", "a.b.c", true},
		{"*", "", false},
		{"*", "a", true},
		{"*", ".", false},
		{"*.*", ".", true},
		{"a.b", "a.b", true},
		{"a.b", "a.b.c", false},
		{"a.*", "a.", true},
		{"a.*", "a", false},
		{"a.#", "a", true},
		{"a.#", "a.b.c", true},
		{"a.#", "ab", false},
		{"#.a", "a", true},
		{"#.a", "b.c.a", true},
		{"#.a", "a.b", false},
		{"#.a.#", "x.a.y", true},
		{"#.a.#", "x.y", false},
		{"*.orange.*", "quick.orange.rabbit", true},
		{"lazy.#", "lazy.orange.new.rabbit", true},
		{"*.*.rabbit", "orange", false},
		{"#.#.#.a", "a", true},
		{"#.*", "", false},
		{"#.*", "a", true},
		{"*.#.*", "a", false},
		{"a..b", "a..b", true},
		{"a.*.b", "a..b", true},
		{"a.b", "a..b", false},
		{"a*.b", "ax.b", false},
		{"a*.b", "a*.b", true},
		{"*", "#", true},
		{"a", "*", false},
	} {
		if got := Match(c.pattern, []byte(c.key)); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.key, got)
		}
		var trie Trie[int]
		trie.Add(c.pattern, 1)
		if got := len(trie.Match([]byte(c.key), nil)) == 1; got != c.want {
			t.Errorf("a Trie with %q matches %q: %v", c.pattern, c.key, got)
		}
	}
}

// words joins a few words of a small alphabet, so that patterns and keys meet.
func words(alphabet ...string) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 7).Draw(t, "words"), ".")
	})
}

// index is what Trie and Prefix have in common.
type index interface {
	Add(pattern string, d int)
	Remove(pattern string, d int) bool
	Match(key []byte, dst []int) []int
	Len() int
}

// obeysModel runs random operations on x and on a list of additions.
func obeysModel(t *rapid.T, x index, patterns, keys *rapid.Generator[string], same func(a, b string) bool,
	matches func(pattern string, key []byte) bool) {
	type pair struct {
		pattern string
		d       int
	}
	var model []pair
	destinations := rapid.IntRange(0, 60)
	t.Repeat(map[string]func(*rapid.T){
		"add": func(t *rapid.T) {
			p := pair{patterns.Draw(t, "pattern"), destinations.Draw(t, "d")}
			model = append(model, p)
			x.Add(p.pattern, p.d)
		},
		"add many": func(t *rapid.T) {
			pattern := patterns.Draw(t, "pattern")
			for d := range 40 {
				model = append(model, pair{pattern, d})
				x.Add(pattern, d)
			}
		},
		"remove": func(t *rapid.T) {
			p := pair{patterns.Draw(t, "pattern"), destinations.Draw(t, "d")}
			if len(model) > 0 && rapid.Bool().Draw(t, "one that is there") {
				p = rapid.SampledFrom(model).Draw(t, "p")
			}
			at := slices.IndexFunc(model, func(m pair) bool { return same(m.pattern, p.pattern) && m.d == p.d })
			if got := x.Remove(p.pattern, p.d); got != (at >= 0) {
				t.Fatalf("Remove(%q, %d) = %v", p.pattern, p.d, got)
			}
			if at >= 0 {
				model = slices.Delete(model, at, at+1)
			}
		},
		"": func(t *rapid.T) {
			if x.Len() != len(model) {
				t.Fatalf("Len is %d, want %d", x.Len(), len(model))
			}
			key := []byte(keys.Draw(t, "key"))
			var want []int
			for _, p := range model {
				if matches(p.pattern, key) {
					want = append(want, p.d)
				}
			}
			slices.Sort(want)
			want = slices.Compact(want)
			got := x.Match(key, []int{-1, 3})
			if !slices.Equal(got[:2], []int{-1, 3}) {
				t.Fatalf("Match changed what dst held: %v", got[:2])
			}
			got = got[2:]
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("Match(%q) = %v, want %v", key, got, want)
			}
		},
	})
	for _, p := range model {
		if !x.Remove(p.pattern, p.d) {
			t.Fatalf("Remove(%q, %d) finds nothing", p.pattern, p.d)
		}
	}
}

func TestTrieMatchesWhatTheOracleMatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x Trie[int]
		obeysModel(t, &x, words("a", "b", "", "*", "#", "#"), words("a", "b", "", "c"),
			func(a, b string) bool { return collapse(a) == collapse(b) }, Match)
		if !x.root.empty() || len(x.registry.targets) != 0 {
			t.Fatal("an emptied trie keeps nodes or destinations")
		}
		if len(x.free) != x.numbers {
			t.Fatalf("%d of %d numbers came back", len(x.free), x.numbers)
		}
	})
}

func collapse(pattern string) string {
	return strings.Join(slices.Collect(patternWords(pattern)), ".")
}

func TestPrefixMatchesWhatKeysBeginWith(t *testing.T) {
	texts := rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom([]byte("aab\x00\xff")), 0, 6).Draw(t, "bytes"))
	})
	rapid.Check(t, func(t *rapid.T) {
		var x Prefix[int]
		obeysModel(t, &x, texts, texts, func(a, b string) bool { return a == b },
			func(prefix string, key []byte) bool { return bytes.HasPrefix(key, []byte(prefix)) })
		if len(x.root.kids) != 0 || len(x.registry.targets) != 0 {
			t.Fatal("an emptied tree keeps nodes or destinations")
		}
	})
}

func TestPrefixHasFewerThanTwoNodesForEachPrefix(t *testing.T) {
	var count func(*branch[int]) int
	count = func(n *branch[int]) int {
		total := 1
		for _, kid := range n.kids {
			if len(kid.seats) == 0 && len(kid.kids) < 2 {
				t.Errorf("the node %q neither ends a prefix nor parts two", kid.label)
			}
			total += count(kid)
		}
		return total
	}
	rapid.Check(t, func(t *rapid.T) {
		var x Prefix[int]
		prefixes := rapid.SliceOfDistinct(rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 1, 20, -1), rapid.ID[string]).Draw(t, "prefixes")
		for _, p := range prefixes {
			x.Add(p, 1)
		}
		gone := rapid.IntRange(0, len(prefixes)).Draw(t, "gone")
		for _, p := range prefixes[:gone] {
			x.Remove(p, 1)
		}
		if left := len(prefixes) - gone; count(&x.root) > 2*left+1 {
			t.Fatalf("%d nodes for %d prefixes", count(&x.root), left)
		}
	})
}

// Patterns made to be reached in every way at once: each word of the key may be
// taken by a, by * or by a #. The nodes alive are bounded by the trie's own
// size, where a search with backtracking would take longer than this test may.
func TestManyHashesDoNotMultiply(t *testing.T) {
	var x Trie[string]
	var patterns []string
	for i := range 1 << 10 {
		var b strings.Builder
		for bit := range 10 {
			b.WriteString("#.")
			if i>>bit&1 == 0 {
				b.WriteString("a.")
			} else {
				b.WriteString("*.")
			}
		}
		b.WriteString("#.b")
		patterns = append(patterns, b.String())
		x.Add(b.String(), b.String())
	}
	if x.numbers <= numberHint {
		t.Fatalf("only %d nested # nodes: the test is too small to leave the space on the stack", x.numbers)
	}
	key := []byte(strings.Repeat("a.", 60) + "b")
	got := x.Match(key, nil)
	slices.Sort(got)
	slices.Sort(patterns)
	if !slices.Equal(got, patterns) {
		t.Errorf("%d patterns of %d match", len(got), len(patterns))
	}
	if got := x.Match(key[:len(key)-2], nil); len(got) != 0 {
		t.Errorf("%d patterns match a key without their last word", len(got))
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	x, prefix := filled(1000), new(Prefix[int])
	for _, p := range []string{"", "stock", "stock.nyse", "other"} {
		prefix.Add(p, 1)
	}
	key, dst := []byte("stock.nyse.k500"), make([]int, 0, 64)
	if n := testing.AllocsPerRun(100, func() { dst = x.Match(key, dst[:0]) }); n != 0 {
		t.Errorf("Trie.Match allocates %v times", n)
	}
	if len(dst) < 3 {
		t.Errorf("the trie found %d destinations only", len(dst))
	}
	if n := testing.AllocsPerRun(100, func() { dst = prefix.Match(key, dst[:0]) }); n != 0 {
		t.Errorf("Prefix.Match allocates %v times", n)
	}
}

func FuzzTrieMatch(f *testing.F) {
	f.Add("a.*.#", "#.#.b", "*.*", "a.b.c")
	f.Add("#", "", ".", "")
	f.Add("#.a.#.a.#", "#.*.#.*", "#.#.#.a", "a.a.a.a")
	f.Add("*.", ".*", "..#..", "...")
	f.Fuzz(func(t *testing.T, p0, p1, p2, key string) {
		if len(p0)+len(p1)+len(p2)+len(key) > 1024 {
			t.Skip("longer than AMQP's short strings")
		}
		var x Trie[int]
		patterns := []string{p0, p1, p2}
		for d, p := range patterns {
			x.Add(p, d)
		}
		for removed := range len(patterns) + 1 {
			var want []int
			for d, p := range patterns[removed:] {
				if Match(p, []byte(key)) {
					want = append(want, d+removed)
				}
			}
			got := x.Match([]byte(key), nil)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("Match(%q) among %q = %v, want %v", key, patterns[removed:], got, want)
			}
			if removed < len(patterns) && !x.Remove(patterns[removed], removed) {
				t.Fatalf("Remove(%q) finds nothing", patterns[removed])
			}
		}
		if !x.root.empty() {
			t.Fatal("an emptied trie keeps nodes")
		}
	})
}

// filled returns a trie of n destinations, of which three match stock.nyse.k500
// when n is over 500 and one more stands at two patterns.
func filled(n int) *Trie[int] {
	x := new(Trie[int])
	for i := range n {
		x.Add(fmt.Sprintf("stock.nyse.k%d", i), i)
	}
	x.Add("stock.#", n)
	x.Add("*.nyse.*", n)
	x.Add("#.k500", n+1)
	return x
}

func BenchmarkTrieMatch(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		for _, c := range []struct{ name, key string }{
			{"hit", "stock.nyse.k5"},
			{"miss", "weather.london.rain"},
		} {
			b.Run(fmt.Sprintf("bindings=%d/%s", n, c.name), func(b *testing.B) {
				x, key, dst := filled(n), []byte(c.key), make([]int, 0, 64)
				b.ReportAllocs()
				for b.Loop() {
					dst = x.Match(key, dst[:0])
				}
			})
		}
	}
}

func BenchmarkTrieAddRemove(b *testing.B) {
	x := filled(10_000)
	b.ReportAllocs()
	for b.Loop() {
		x.Add("reply.4711.*", -1)
		x.Remove("reply.4711.*", -1)
	}
}

func BenchmarkPrefixMatch(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("prefixes=%d", n), func(b *testing.B) {
			var x Prefix[int]
			for i := range n {
				x.Add(fmt.Sprintf("stock.nyse.k%d", i), i)
			}
			key, dst := []byte("stock.nyse.k5.bid"), make([]int, 0, 64)
			b.ReportAllocs()
			for b.Loop() {
				dst = x.Match(key, dst[:0])
			}
		})
	}
}
