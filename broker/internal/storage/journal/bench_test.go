package journal

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

var shapes = []struct{ window, size int }{{1, 100}, {64, 100}, {64, 1 << 10}, {1024, 100}, {1024, 1 << 10}}

// BenchmarkAppendCommit has so many units in flight: whenever one is durable another is appended, by one goroutine. An
// operation is a unit, or, with a window of 1, a commit. BenchmarkBareLoop, beside which it is to be seen, has the same on
// the disk.
func BenchmarkAppendCommit(b *testing.B) {
	for _, s := range shapes {
		b.Run(fmt.Sprintf("window=%d/size=%d", s.window, s.size), func(b *testing.B) {
			committed := make(chan struct{}, 1)
			last := uint64(0)
			sealed := make(chan struct{}, 1)
			j, _, err := Open(Config{
				FS: vfs.OS(), Dir: b.TempDir(),
				Number: func() uint64 { last++; return last },
				Sealed: func() {
					select {
					case sealed <- struct{}{}:
					default:
					}
				},
				Committed: func(storage.Ticket) {
					select {
					case committed <- struct{}{}:
					default:
					}
				},
			}, nil, 1, nil)
			if err != nil {
				b.Fatal(err)
			}
			recycled := make(chan struct{})
			go func() {
				defer close(recycled)
				recycle(j, sealed)
			}()
			defer func() {
				j.Close()
				close(sealed)
				<-recycled
			}()
			unit := content(1, s.size)
			// tickets is a ring of those in flight; from its oldest on.
			tickets := make([]storage.Ticket, s.window)
			b.SetBytes(int64(s.size))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				slot := &tickets[n%s.window]
				for j.Durable() < *slot {
					<-committed
				}
				at, ticket := j.Append(unit, true)
				j.Applied(at.File)
				*slot = ticket
				n++
			}
			if err := j.Sync(); err != nil {
				b.Fatal(err)
			}
			report(b, n, j.Stats().Frames)
		})
	}
}

// recycle gives sealed files back, as an owner does whose messages are short-lived.
func recycle(j *Journal, sealed <-chan struct{}) {
	for range sealed {
		for _, f := range j.SealedFiles() {
			_ = j.Recycle(f.Number) // after Close it has nothing to close
		}
	}
}

func report(b *testing.B, units int, commits uint64) {
	s := b.Elapsed().Seconds()
	b.ReportMetric(float64(units)/s, "units/s")
	b.ReportMetric(float64(commits)/s, "syncs/s")
	b.ReportMetric(float64(units)/float64(commits), "units/sync")
}

// bareLoop is the limit: units, each behind its length, are gathered behind a header with a checksum, and written and
// synced at once. Nothing else.
type bareLoop struct {
	disk  vfs.File
	size  int
	batch []byte
	off   int64
}

// bareSize is from where on a bareLoop begins at the front again, as a journal does that is recycled.
const bareSize = 32 << 20

func (l *bareLoop) add(unit []byte) {
	if len(l.batch) == 0 {
		l.batch = append(l.batch, make([]byte, 24)...)
	}
	l.batch = append(binary.LittleEndian.AppendUint32(l.batch, uint32(l.size)), unit...)
}

func (l *bareLoop) commit() error {
	binary.LittleEndian.PutUint32(l.batch, block.Checksum(0, l.batch[4:]))
	if _, err := l.disk.WriteAt(l.batch, l.off); err != nil {
		return err
	}
	l.off += int64(len(l.batch))
	if l.off > bareSize {
		l.off = 0
	}
	l.batch = l.batch[:0]
	return l.disk.Sync()
}

// BenchmarkBareLoop is one thread with a bareLoop, in a file that is new, or was written before, as a journal's are after
// a while.
func BenchmarkBareLoop(b *testing.B) {
	for _, reused := range []bool{false, true} {
		for _, s := range shapes {
			b.Run(fmt.Sprintf("reused=%v/window=%d/size=%d", reused, s.window, s.size), func(b *testing.B) {
				disk, err := vfs.OS().Create(b.TempDir() + "/bare")
				if err != nil {
					b.Fatal(err)
				}
				defer disk.Close()
				if reused {
					zeros := make([]byte, 1<<20)
					for off := int64(0); off < bareSize; off += int64(len(zeros)) {
						disk.WriteAt(zeros, off)
					}
					disk.Sync()
				}
				loop := bareLoop{disk: disk, size: s.size}
				unit := content(1, s.size)
				n := 0
				b.SetBytes(int64(s.size))
				b.ReportAllocs()
				for b.Loop() {
					loop.add(unit)
					if n++; n%s.window > 0 {
						continue
					}
					if err := loop.commit(); err != nil {
						b.Fatal(err)
					}
				}
				if commits := n / s.window; commits > 0 {
					report(b, n, uint64(commits))
				}
			})
		}
	}
}

// BenchmarkCommitBesideBare commits a window of units with nothing else under way, in turn with one round of the bare loop
// in another file, since disks change from second to second: medians of both, and how many times as long the journal
// takes.
func BenchmarkCommitBesideBare(b *testing.B) {
	for _, s := range shapes {
		b.Run(fmt.Sprintf("window=%d/size=%d", s.window, s.size), func(b *testing.B) {
			dir := b.TempDir()
			loop := bareLoop{size: s.size}
			var err error
			if loop.disk, err = vfs.OS().Create(dir + "/bare"); err != nil {
				b.Fatal(err)
			}
			defer loop.disk.Close()
			last := uint64(0)
			j, _, err := Open(Config{FS: vfs.OS(), Dir: dir, Number: func() uint64 { last++; return last }}, nil, 1, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			unit := content(1, s.size)
			var bare, journal []time.Duration
			for b.Loop() {
				begin := time.Now()
				for range s.window {
					loop.add(unit)
				}
				if err := loop.commit(); err != nil {
					b.Fatal(err)
				}
				between := time.Now()
				var at Pos
				var ticket storage.Ticket
				for i := range s.window {
					at, ticket = j.Append(unit, i == s.window-1)
					j.Applied(at.File)
				}
				if err := j.Wait(ticket); err != nil {
					b.Fatal(err)
				}
				bare, journal = append(bare, between.Sub(begin)), append(journal, time.Since(between))
				for _, f := range j.SealedFiles() {
					if err := j.Recycle(f.Number); err != nil {
						b.Fatal(err)
					}
				}
			}
			slices.Sort(bare)
			slices.Sort(journal)
			x, y := bare[len(bare)/2], journal[len(journal)/2]
			b.ReportMetric(float64(x)/1000, "µs/bare")
			b.ReportMetric(float64(y)/1000, "µs/journal")
			b.ReportMetric(float64(y)/float64(x), "times")
		})
	}
}

// BenchmarkAppend is what Append costs where nothing is written.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 1 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			o := start(b, nowhere{vfs.NewMemory()}, Config{Manual: true, Sync: storage.Never, FileSize: 1 << 50})
			unit := content(1, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				at, _ := o.j.Append(unit, true)
				o.j.Applied(at.File)
				if n%1000 == 0 {
					o.commit()
				}
			}
		})
	}
}

// nowhere is a file system that keeps nothing of what is written behind a file's header.
type nowhere struct{ vfs.FS }

func (n nowhere) OpenReadWrite(name string) (vfs.File, error) {
	f, err := n.FS.OpenReadWrite(name)
	return nowhereFile{f}, err
}

type nowhereFile struct{ vfs.File }

func (nowhereFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// BenchmarkReplay reads frames of 64 units from the page cache.
func BenchmarkReplay(b *testing.B) {
	for _, size := range []int{100, 1 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			o := &owner{TB: b, c: Config{FS: vfs.OS(), Dir: b.TempDir(), Manual: true, Sync: storage.Never, FileSize: 1 << 40}}
			o.c.Number = func() uint64 { return 1 }
			var err error
			if o.j, _, err = Open(o.c, nil, 1, nil); err != nil {
				b.Fatal(err)
			}
			unit := content(1, size)
			for n := 0; n < 32<<20; n += 64 * size {
				for range 64 {
					o.j.Append(unit, true)
				}
				o.commit()
			}
			if err := o.j.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				rec, err := Scan(o.c.FS, o.c.Dir, []uint64{1}, 1, func(uint64, int64, []byte) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(rec.Bytes)
			}
		})
	}
}
