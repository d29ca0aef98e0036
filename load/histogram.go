package load

import (
	"math/bits"
	"time"
)

// subBits sets the resolution: every power of two is cut into 1<<subBits
// buckets, so a value is off by less than 1/128.
const subBits = 7

// buckets counts the slots for durations of up to 63 bits: the values below
// 1<<subBits each have their own, then every further bit adds 1<<subBits.
const buckets = (63 - subBits + 1) << subBits

// Histogram counts durations in logarithmic buckets of linear parts, in the
// manner of HdrHistogram: 58 KB whatever it is fed, a few nanoseconds a value,
// and every quantile within 0.8 % of the true one. The zero value is empty and
// ready. It is not safe for concurrent use: give each goroutine its own and
// Merge them when they are done.
type Histogram struct {
	counts   [buckets]uint64
	n        uint64
	sum      float64 // nanoseconds
	min, max uint64
}

// Record adds one duration. A negative one, as clocks that were set produce
// it, counts as zero.
func (h *Histogram) Record(d time.Duration) { h.RecordN(d, 1) }

// RecordN adds the same duration n times; n = 0 adds nothing.
func (h *Histogram) RecordN(d time.Duration, n uint64) {
	if n == 0 {
		return
	}
	v := uint64(max(d, 0))
	h.counts[slot(v)] += n
	if h.n == 0 || v < h.min {
		h.min = v
	}
	h.max = max(h.max, v)
	h.n += n
	h.sum += float64(v) * float64(n)
}

// Merge adds all that other has counted.
func (h *Histogram) Merge(other *Histogram) {
	if other.n == 0 {
		return
	}
	for i, n := range other.counts {
		h.counts[i] += n
	}
	if h.n == 0 || other.min < h.min {
		h.min = other.min
	}
	h.max = max(h.max, other.max)
	h.n += other.n
	h.sum += other.sum
}

// Count tells how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.n }

// Quantile returns a duration that the share q of the recorded ones do not
// exceed: Quantile(0.99) is the 99th percentile. It is zero when nothing was
// recorded; q outside [0, 1] is taken as the nearer end.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(max(0, min(1, q)) * float64(h.n))
	rank = max(1, min(rank, h.n))
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return time.Duration(max(h.min, min(highest(i), h.max)))
		}
	}
	return time.Duration(h.max)
}

// Summary returns the figures that reports print.
func (h *Histogram) Summary() Summary {
	s := Summary{
		Count: h.n,
		Min:   time.Duration(h.min),
		P50:   h.Quantile(0.50),
		P90:   h.Quantile(0.90),
		P99:   h.Quantile(0.99),
		P999:  h.Quantile(0.999),
		Max:   time.Duration(h.max),
	}
	if h.n > 0 {
		s.Mean = time.Duration(h.sum / float64(h.n))
	}
	return s
}

// Summary describes a distribution of durations. All its fields are zero when
// Count is. In JSON the durations are whole nanoseconds.
type Summary struct {
	Count uint64        `json:"count"`
	Min   time.Duration `json:"min_ns"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
}

// slot returns the bucket of v, for v below 1<<63.
func slot(v uint64) int {
	shift := max(0, bits.Len64(v)-subBits-1)
	return shift<<subBits + int(v>>shift)
}

// highest returns the largest value that falls into bucket i.
func highest(i int) uint64 {
	if i < 2<<subBits {
		return uint64(i)
	}
	shift := i>>subBits - 1
	return uint64(i-shift<<subBits+1)<<shift - 1
}
