package topic

import (
	"bytes"
	"strings"
)

const (
	separator = '.'
	anyWord   = "*"
	anyWords  = "#"
)

// Match reports whether the one pattern matches key. It is the definition that
// [Trie] is tested against, written to be read rather than to be fast: time is
// the number of words of the pattern times that of the key.
func Match(pattern string, key []byte) bool {
	words := split(key)
	// reached[i]: the pattern read so far matches the first i words of the key.
	reached := make([]bool, len(words)+1)
	reached[0] = true
	for _, p := range split([]byte(pattern)) {
		next := make([]bool, len(words)+1)
		for i := range reached {
			switch {
			case string(p) == anyWords:
				next[i] = reached[i] || i > 0 && next[i-1]
			case i > 0:
				next[i] = reached[i-1] && (string(p) == anyWord || bytes.Equal(p, words[i-1]))
			}
		}
		reached = next
	}
	return reached[len(words)]
}

// split returns the words of a key; the empty key has none.
func split(key []byte) [][]byte {
	if len(key) == 0 {
		return nil
	}
	return bytes.Split(key, []byte{separator})
}

// patternWords yields the words of a pattern with every run of # made one #,
// which matches the same keys.
func patternWords(pattern string) func(yield func(word string) bool) {
	return func(yield func(string) bool) {
		if pattern == "" {
			return
		}
		previous := ""
		for word := range strings.SplitSeq(pattern, string(separator)) {
			if word == anyWords && previous == anyWords {
				continue
			}
			if !yield(word) {
				return
			}
			previous = word
		}
	}
}
