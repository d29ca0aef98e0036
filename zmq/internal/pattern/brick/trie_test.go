package brick

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestATrieFindsWhatAListOfPrefixesFinds(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00é")), 0, 5, -1)
	rapid.Check(t, func(t *rapid.T) {
		var trie Trie[int]
		model := map[string]int{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			w := word.Draw(t, "word")
			if rapid.Bool().Draw(t, "add") {
				*trie.At(w)++
				model[w]++
			} else {
				trie.Remove(w)
				delete(model, w)
			}
			check(t, &trie, model, word.Draw(t, "topic"))
		}
		for w := range model {
			trie.Remove(w)
		}
		if trie.Len() != 0 || len(trie.root.children) != 0 {
			t.Fatalf("an empty trie has %d prefixes and %d nodes below its root", trie.Len(), len(trie.root.children))
		}
	})
}

func check(t *rapid.T, trie *Trie[int], model map[string]int, topic string) {
	var got, want []string
	for prefix, n := range model {
		if v := trie.Get(prefix); v == nil || *v != n {
			t.Fatalf("%q has %v, want %d", prefix, v, n)
		}
		if strings.HasPrefix(topic, prefix) {
			want = append(want, prefix)
		}
	}
	trie.Match([]byte(topic), func(v *int) bool {
		for prefix := range model {
			if trie.Get(prefix) == v {
				got = append(got, prefix)
			}
		}
		return true
	})
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || trie.Matches([]byte(topic)) != (len(want) > 0) {
		t.Fatalf("%q matches %q, want %q", topic, got, want)
	}
	var all []string
	trie.Prefixes(func(prefix string, v *int) {
		if model[prefix] != *v {
			t.Fatalf("the walk shows %q with %d, want %d", prefix, *v, model[prefix])
		}
		all = append(all, prefix)
	})
	if len(all) != len(model) || trie.Len() != len(model) {
		t.Fatalf("the walk shows %q, Len is %d, the model has %d", all, trie.Len(), len(model))
	}
}

func TestADeepTrieNeedsNoStack(t *testing.T) {
	var trie Trie[int]
	long := strings.Repeat("a", 1<<16)
	for i := 0; i <= len(long); i += 64 {
		*trie.At(long[:i]) = i
	}
	n := 0
	trie.Match([]byte(long), func(*int) bool { n++; return true })
	if want := 1<<10 + 1; n != want {
		t.Errorf("%d prefixes match, want %d", n, want)
	}
	for i := 0; i <= len(long); i += 64 {
		trie.Remove(long[:i])
	}
	if trie.Len() != 0 {
		t.Errorf("%d prefixes are left", trie.Len())
	}
}

func BenchmarkTrieMatch(b *testing.B) {
	var trie Trie[int]
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		for _, d := range "abcdefghijklmnopqrstuvwxyz" {
			*trie.At("market." + string(c) + string(d)) = 1
		}
	}
	topic := []byte("market.qz.last")
	b.ReportAllocs()
	for b.Loop() {
		if !trie.Matches(topic) {
			b.Fatal("no match")
		}
	}
}
