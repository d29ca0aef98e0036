package segment_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// rate reports how many of something there were per second.
func rate(b *testing.B, each int, unit string) {
	b.ReportMetric(float64(b.N)*float64(each)/b.Elapsed().Seconds(), unit+"/s")
}

// BenchmarkWrite adds records, 32 MiB to a file, each finished with its sync.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{100, 1024} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			fs, dir := vfs.OS(), b.TempDir()
			payload := seal(pattern(1, size))
			b.ReportAllocs()
			b.SetBytes(int64(size))
			var w *segment.Writer
			finish := func() {
				s, err := w.Finish()
				if err != nil {
					b.Fatal(err)
				}
				s.Close()
				w = nil
			}
			seq := uint64(0)
			for b.Loop() {
				if w == nil {
					var err error
					if w, err = segment.Create(fs, dir, 1); err != nil {
						b.Fatal(err)
					}
					if err := w.Stream(1); err != nil {
						b.Fatal(err)
					}
				}
				seq++
				if err := w.Add(segment.Record{Seq: seq, Block: payload}); err != nil {
					b.Fatal(err)
				}
				if w.Size() >= 32<<20 {
					finish()
				}
			}
			if w != nil {
				finish()
			}
			rate(b, 1, "records")
		})
	}
}

// written makes a file of 32 MiB or so on the real disk, which its cache has then.
func written(b *testing.B, streams, size int) *segment.Segment {
	b.Helper()
	w, err := segment.Create(vfs.OS(), b.TempDir(), 1)
	if err != nil {
		b.Fatal(err)
	}
	payload := seal(pattern(1, size))
	each := max(1, 32<<20/size/streams)
	for id := range streams {
		if err := w.Stream(uint64(id)); err != nil {
			b.Fatal(err)
		}
		for i := range each {
			if err := w.Add(segment.Record{Seq: uint64(i + 1), Block: payload}); err != nil {
				b.Fatal(err)
			}
		}
	}
	s, err := w.Finish()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkCursor reads records one after another from the page cache.
func BenchmarkCursor(b *testing.B) {
	for _, c := range []struct{ streams, size int }{{1, 100}, {1, 1024}, {1000, 100}, {1000, 1024}, {100_000, 100}} {
		b.Run(fmt.Sprintf("%dB/streams=%d", c.size, c.streams), func(b *testing.B) {
			s := written(b, c.streams, c.size)
			b.ReportAllocs()
			b.SetBytes(int64(c.size))
			var cursor segment.Cursor
			var r segment.Record
			e := -1
			for b.Loop() {
				for {
					ok, err := cursor.Next(&r)
					if err != nil {
						b.Fatal(err)
					}
					if ok {
						break
					}
					e = (e + 1) % len(s.Extents())
					cursor.Reset(s, e, 0)
				}
			}
			rate(b, 1, "records")
		})
	}
}

// BenchmarkHeads is BenchmarkCursor without payloads.
func BenchmarkHeads(b *testing.B) {
	s := written(b, 1, 100)
	b.ReportAllocs()
	var cursor segment.Cursor
	var r segment.Record
	for b.Loop() {
		for {
			ok, err := cursor.NextHead(&r)
			if err != nil {
				b.Fatal(err)
			}
			if ok {
				break
			}
			cursor.Reset(s, 0, 0)
		}
	}
	rate(b, 1, "records")
}

// BenchmarkSeek reads one record by its number.
func BenchmarkSeek(b *testing.B) {
	s := written(b, 1, 100)
	last := s.Extents()[0].Last
	rnd := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	var cursor segment.Cursor
	var r segment.Record
	for b.Loop() {
		cursor.Reset(s, 0, 1+rnd.Uint64N(last))
		if ok, err := cursor.Next(&r); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkOpen opens a file of so many streams.
func BenchmarkOpen(b *testing.B) {
	for _, streams := range []int{1, 1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			dir := b.TempDir()
			w, err := segment.Create(vfs.OS(), dir, 1)
			if err != nil {
				b.Fatal(err)
			}
			payload := seal(pattern(1, 10))
			for id := range streams {
				if err := w.Stream(uint64(id)); err != nil {
					b.Fatal(err)
				}
				if err := w.Add(segment.Record{Seq: 1 + uint64(id), Block: payload}); err != nil {
					b.Fatal(err)
				}
			}
			s, err := w.Finish()
			if err != nil {
				b.Fatal(err)
			}
			s.Close()
			b.ReportAllocs()
			for b.Loop() {
				s, err := segment.Open(vfs.OS(), dir, 1)
				if err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}

// BenchmarkSalvage searches 32 MiB for records, of which the first is damaged and the rest one payload.
func BenchmarkSalvage(b *testing.B) {
	memory := vfs.NewMemory()
	payload := pattern(1, 32<<20)
	write(b, memory, []run{{stream: 1, puts: []put{{seq: 1, payload: payload}}}})
	if err := memory.Flip(segment.Name(number), 8*(40+16+8)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if err := segment.Salvage(memory, dir, number, segment.Salvaging{}); err != nil {
			b.Fatal(err)
		}
	}
}
