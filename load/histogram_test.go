package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreWithinOnePartIn128OfTheTrueOnes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, scale := range []float64{100, 1e4, 1e6, 1e9, 1e13} {
		var h Histogram
		values := make([]time.Duration, 10_000)
		for i := range values {
			values[i] = time.Duration(rng.ExpFloat64() * scale)
			h.Record(values[i])
		}
		slices.Sort(values)
		for _, q := range []float64{0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
			want := values[int(q*float64(len(values)))-1]
			got := h.Quantile(q)
			if got < want || float64(got-want) > float64(want)/128+1 {
				t.Errorf("scale %g: Quantile(%g) = %d, want %d or a little more", scale, q, got, want)
			}
		}
	}
}

func TestEveryValueLiesInTheBucketThatClaimsIt(t *testing.T) {
	values := []uint64{0, 1, 127, 128, 129, 255, 256, 257, 1<<20 - 1, 1 << 20, math.MaxInt64}
	for _, v := range values {
		i := slot(v)
		if i >= buckets {
			t.Fatalf("slot(%d) = %d, beyond the %d there are", v, i, buckets)
		}
		if v > highest(i) || (i > 0 && v <= highest(i-1)) {
			t.Errorf("slot(%d) = %d, which ends at %d and begins after %d", v, i, highest(i), highest(i-1))
		}
	}
	for i := 1; i < buckets; i++ {
		if slot(highest(i)) != i || slot(highest(i-1)+1) != i {
			t.Fatalf("bucket %d does not begin where %d ends", i, i-1)
		}
	}
}

func TestMergeEqualsRecordingEverythingInOne(t *testing.T) {
	var all, a, b, empty Histogram
	for i := range 1000 {
		d := time.Duration(i*i) * time.Microsecond
		all.Record(d)
		if i%3 == 0 {
			a.Record(d)
		} else {
			b.Record(d)
		}
	}
	a.Merge(&b)
	a.Merge(&empty)
	if got, want := a.Summary(), all.Summary(); got != want {
		t.Errorf("merged %+v, want %+v", got, want)
	}
}

func TestAnEmptyHistogramIsAllZeros(t *testing.T) {
	var h Histogram
	h.RecordN(time.Second, 0)
	if s := h.Summary(); s != (Summary{}) {
		t.Errorf("Summary() = %+v", s)
	}
}

func TestANegativeDurationCountsAsZero(t *testing.T) {
	var h Histogram
	h.Record(-time.Second)
	if s := h.Summary(); s.Count != 1 || s.Max != 0 {
		t.Errorf("Summary() = %+v", s)
	}
}

func BenchmarkRecord(b *testing.B) {
	b.ReportAllocs()
	var h Histogram
	d := time.Duration(0)
	for b.Loop() {
		h.Record(d & 0xfffff)
		d += 997
	}
}
