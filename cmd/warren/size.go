package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a number of bytes on the command line: digits, and behind them KiB, MiB, GiB or TiB (or K, M, G, T, which mean
// the same), or nothing.
type size int64

var units = []struct {
	name  string
	bytes float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// UnmarshalText reads a size.
func (s *size) UnmarshalText(text []byte) error {
	word := strings.TrimSpace(string(text))
	number, unit := word, 1.0
	for _, u := range units {
		for _, suffix := range [...]string{u.name, u.name[:1]} {
			if rest, ok := strings.CutSuffix(strings.ToLower(word), strings.ToLower(suffix)); ok && unit == 1 {
				number, unit = rest, u.bytes
			}
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || n < 0 || math.IsNaN(n) || n*unit > math.MaxInt64/2 {
		return fmt.Errorf("%q is no number of bytes: say 1000000, 64MiB or 1.5GiB", text)
	}
	*s = size(n * unit)
	return nil
}

// String writes a size as people read it.
func (s size) String() string {
	for i := len(units) - 1; i >= 0; i-- {
		if u := units[i]; float64(s) >= u.bytes {
			return strconv.FormatFloat(math.Round(float64(s)/u.bytes*10)/10, 'f', -1, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + " B"
}
