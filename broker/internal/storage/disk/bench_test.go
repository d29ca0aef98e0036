package disk

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// load is a store on the real disk, under load.
type load struct {
	*testing.B
	dir     string
	store   *Store
	tickets []storage.Ticket // of the commits in flight
	depth   int              // how many there are at most
	pressed atomic.Bool      // nothing more is to be published for now
	changed chan struct{}    // holds a token when that may be different
}

func newLoad(b *testing.B, depth int) *load {
	l := &load{B: b, dir: b.TempDir(), depth: depth, changed: make(chan struct{}, 1)}
	l.open()
	b.Cleanup(func() { l.store.Close() })
	return l
}

func (l *load) open() {
	l.Helper()
	s, err := Open(Options{FS: vfs.OS(), Dir: l.dir, Events: storage.Events{
		Pressed: func(p storage.Pressure) {
			l.pressed.Store(p != storage.Easy)
			select {
			case l.changed <- struct{}{}:
			default:
			}
		},
	}})
	if err != nil {
		l.Fatal(err)
	}
	l.store = s
}

// commit hands a batch over, once no more than depth others are in flight, and there is no pressure.
func (l *load) commit(batch storage.Batch) {
	for l.pressed.Load() {
		<-l.changed
	}
	l.tickets = append(l.tickets, batch.Commit(true))
	if len(l.tickets) >= l.depth {
		if err := l.store.Wait(l.tickets[0]); err != nil {
			l.Fatal(err)
		}
		l.tickets = l.tickets[1:]
	}
}

func (l *load) settle() {
	for _, t := range l.tickets {
		if err := l.store.Wait(t); err != nil {
			l.Fatal(err)
		}
	}
	l.tickets = nil
}

// fill gives n records of some bytes to the streams, to one after another.
func (l *load) fill(streams []storage.Stream, n, size int, next []uint64) {
	batch := l.store.NewBatch()
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(rand.Uint32())
	}
	for i := range n {
		k := i % len(streams)
		copy(batch.Message(size), payload)
		next[k]++
		batch.To(streams[k], next[k], 0, false)
		if i%1024 == 1023 {
			l.commit(batch)
		}
	}
	l.commit(batch)
	l.settle()
}

// drain reads and settles all, so many of each stream at a time.
func (l *load) drain(streams []storage.Stream, turn int) (records int) {
	batch := l.store.NewBatch()
	from := make([]uint64, len(streams))
	for left := len(streams); left > 0; {
		left = 0
		for k, s := range streams {
			n := 0
			if err := s.Read(from[k], func(r *storage.Record) bool {
				batch.Settle(s, r.Seq)
				from[k] = r.Seq + 1
				n++
				return n < turn
			}); err != nil {
				l.Fatal(err)
			}
			if n > 0 {
				left++
				records += n
				batch.Commit(false)
			}
		}
	}
	return records
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (l *load) rate(n int, d time.Duration, what string) {
	l.ReportMetric(float64(n)/d.Seconds()/1000, "k"+what+"/s")
}

func backlog(b *testing.B, streams, records, size, depth, turn int) {
	for b.Loop() {
		l := newLoad(b, depth)
		all := make([]storage.Stream, streams)
		for i := range all {
			all[i] = l.store.NewStream()
		}
		start := time.Now()
		l.fill(all, records, size, make([]uint64, streams))
		l.rate(records, time.Since(start), "fill")
		if err := l.store.Checkpoint(); err != nil { // after what the janitor is doing
			b.Fatal(err)
		}
		s := l.store.Stats()
		b.ReportMetric(float64(s.Written+s.Filed)/float64(records*size), "WA")
		b.ReportMetric(float64(heap())/1e6, "heap-MB")
		start = time.Now()
		n := 0
		for _, s := range all {
			if err := s.Read(0, func(*storage.Record) bool { n++; return true }); err != nil {
				b.Fatal(err)
			}
		}
		l.rate(n, time.Since(start), "read")
		if n != records {
			b.Fatalf("%d records", n)
		}
		start = time.Now()
		if err := l.store.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "close-ms")
		start = time.Now()
		l.open()
		b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "reopen-ms")
		for i := range all {
			all[i] = l.store.Stream(all[i].ID())
		}
		start = time.Now()
		n = l.drain(all, turn)
		l.rate(n, time.Since(start), "drain")
		if n != records {
			b.Fatalf("%d records drained", n)
		}
		if err := l.store.Close(); err != nil {
			b.Fatal(err)
		}
		l.open()
		b.ReportMetric(float64(l.store.Stats().Disk)/1e6, "left-MB")
	}
}

var records = flag.Int("records", 1_000_000, "how long the backlog of benchmarks is")

func BenchmarkBacklogOfOneStream(b *testing.B) {
	for _, depth := range []int{1, 4} {
		b.Run(fmt.Sprintf("100 B, %d in flight", depth), func(b *testing.B) { backlog(b, 1, *records, 100, depth, 1024) })
	}
}

func BenchmarkBacklogOfAThousandStreams(b *testing.B) {
	b.Run("1 KiB", func(b *testing.B) { backlog(b, 1000, *records, 1024, 4, 256) })
}

// BenchmarkCommit is what handing over costs, without a disk: per record.
func BenchmarkCommit(b *testing.B) {
	for _, records := range []int{1, 64, 1024} {
		b.Run(fmt.Sprint(records, " records"), func(b *testing.B) {
			st, err := Open(Options{FS: vfs.OS(), Dir: b.TempDir(), Sync: storage.Never})
			if err != nil {
				b.Fatal(err)
			}
			defer st.Close()
			s, batch := st.NewStream(), st.NewBatch()
			b.ReportAllocs()
			seq := uint64(0)
			for b.Loop() {
				for range records {
					seq++
					batch.Message(100)
					batch.To(s, seq, 0, false)
				}
				for n := range uint64(records) {
					batch.Settle(s, seq-n)
				}
				batch.Commit(false)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seq), "ns/record")
		})
	}
}

// BenchmarkReadSomewhere is a read of one record of a long stream, most of which lies in segments.
func BenchmarkReadSomewhere(b *testing.B) {
	l := newLoad(b, 4)
	s := l.store.NewStream()
	l.fill([]storage.Stream{s}, *records, 100, []uint64{0})
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Read(1+rand.Uint64N(uint64(*records)), func(*storage.Record) bool { return false }); err != nil {
			b.Fatal(err)
		}
	}
}
