package lab

import (
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

const defaultSample = 0.3

var seed = sync.OnceValue(func() uint64 {
	if s := os.Getenv("WARREN_INTEROP_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			panic("WARREN_INTEROP_SEED: " + err.Error())
		}
		return n
	}
	return uint64(time.Now().UnixNano()) % 1_000_000
})

// Seed is the seed of this run, for tests that choose by themselves.
func Seed() uint64 { return seed() }

// fraction is the part of each matrix that runs, in (0, 1].
var fraction = sync.OnceValue(func() float64 {
	switch s := os.Getenv("WARREN_INTEROP_SAMPLE"); s {
	case "":
		return defaultSample
	case "full":
		return 1
	default:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f <= 0 || f > 1 {
			panic(fmt.Sprintf("WARREN_INTEROP_SAMPLE=%q: want a fraction in (0, 1] or full", s))
		}
		return f
	}
})

func sampleText() string {
	if fraction() == 1 {
		return "full"
	}
	return strconv.FormatFloat(fraction(), 'g', -1, 64)
}

// Rounds is how often a test repeats what is different each time: so often in the sample, and so often in full, if
// WARREN_INTEROP_ROUNDS does not say something else.
func Rounds(sample, full int) int {
	if s := os.Getenv("WARREN_INTEROP_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			panic(fmt.Sprintf("WARREN_INTEROP_ROUNDS=%q: want a number", s))
		}
		return n
	}
	if fraction() == 1 {
		return full
	}
	return sample
}

// Cell is one case of a matrix: a name and the test behind it.
type Cell struct {
	Name string
	Run  func(t *testing.T)
}

// Matrix runs the sampled cells of a matrix as parallel subtests. The choice
// depends on the seed and on the names of the test and the cell alone, so a
// failing cell comes back under the same seed; at least one cell always runs.
func Matrix(t *testing.T, cells []Cell) {
	t.Helper()
	least, leastRank := -1, 2.0
	chosen := make([]bool, len(cells))
	for i, c := range cells {
		r := rank(t.Name() + "/" + c.Name)
		chosen[i] = r < fraction()
		if r < leastRank {
			least, leastRank = i, r
		}
	}
	if least >= 0 {
		chosen[least] = true
	}
	for i, c := range cells {
		if chosen[i] {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				c.Run(t)
			})
		}
	}
}

// rank places a name in [0, 1) by the seed.
func rank(name string) float64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", seed(), name)
	// FNV's high bits hardly move for short changes at the end of a string;
	// a multiplication by an odd constant and a shift spread them.
	x := h.Sum64()
	x ^= x >> 32
	x *= 0x9E3779B97F4A7C15
	return float64(x>>11) / (1 << 53)
}
