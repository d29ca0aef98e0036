package journal

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

var shapes = []struct{ window, size int }{{1, 100}, {64, 100}, {64, 1 << 10}, {1024, 100}, {1024, 1 << 10}}

// BenchmarkAppendCommit has so many units in flight: whenever one is durable another is appended, by one goroutine. An operation is a
// unit, or, with a window of 1, a commit. BenchmarkBareLoop, beside which it is to be seen, has the same on the disk.
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

// BenchmarkBareLoop is the limit: one thread that gathers a window of units, each behind its length, puts a header with a checksum before
// them, writes that at once and syncs. reused files were written before, as a journal's are after a while.
func BenchmarkBareLoop(b *testing.B) {
	for _, reused := range []bool{false, true} {
		for _, s := range shapes {
			b.Run(fmt.Sprintf("reused=%v/window=%d/size=%d", reused, s.window, s.size), func(b *testing.B) {
				const fileSize = 32 << 20
				disk, err := vfs.OS().Create(b.TempDir() + "/bare")
				if err != nil {
					b.Fatal(err)
				}
				defer disk.Close()
				if reused {
					zeros := make([]byte, 1<<20)
					for off := int64(0); off < 2*fileSize; off += int64(len(zeros)) {
						disk.WriteAt(zeros, off)
					}
					disk.Sync()
				}
				unit := content(1, s.size)
				batch := make([]byte, 24, 24+s.window*(unitHeader+s.size))
				off, n, syncs := int64(0), 0, uint64(0)
				b.SetBytes(int64(s.size))
				b.ReportAllocs()
				for b.Loop() {
					batch = append(binary.LittleEndian.AppendUint32(batch, uint32(s.size)), unit...)
					n++
					if n%s.window > 0 {
						continue
					}
					binary.LittleEndian.PutUint32(batch, block.Checksum(0, batch[4:]))
					if _, err := disk.WriteAt(batch, off); err != nil {
						b.Fatal(err)
					}
					if err := disk.Sync(); err != nil {
						b.Fatal(err)
					}
					off += int64(len(batch))
					if reused && off > fileSize {
						off = 0
					}
					batch = batch[:24]
					syncs++
				}
				if syncs > 0 {
					report(b, n, syncs)
				}
			})
		}
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
