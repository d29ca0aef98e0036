package segment_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// several is more than is buffered: it needs several writes.
func several() []run {
	return append(deep(300), run{stream: 4, puts: []put{
		{seq: 1, payload: pattern(1, 300_000)}, {seq: 2, payload: pattern(2, 200_000)}, {seq: 3, payload: []byte("last")},
	}})
}

// produce writes and finishes a segment; it aborts where it has to.
func produce(fs vfs.FS, runs []run) error {
	w, err := segment.Create(fs, dir, number)
	if err != nil {
		return err
	}
	if err := fill(w, runs); err != nil {
		w.Abort()
		return err
	}
	s, err := w.Finish()
	if err != nil {
		return err
	}
	return s.Close()
}

// operations returns what is asked of a file system when runs are written.
func operations(t testing.TB, runs []run) (ops []vfs.Op) {
	t.Helper()
	fs := vfs.Inject(vfs.NewMemory(), func(op vfs.Op) error {
		ops = append(ops, op)
		return nil
	})
	if err := produce(fs, runs); err != nil {
		t.Fatal(err)
	}
	return ops
}

func TestACrashLeavesAWholeSegmentOrNone(t *testing.T) {
	runs := several()
	ops := operations(t, runs)
	renamed := slices.IndexFunc(ops, func(op vfs.Op) bool { return op.Kind == vfs.OpRename })
	published := slices.IndexFunc(ops, func(op vfs.Op) bool { return op.Kind == vfs.OpSyncDir })
	if renamed < 0 || published < renamed {
		t.Fatalf("%v", ops)
	}
	crash := errors.New("the power is cut")
	for at := range len(ops) + 1 {
		for seed := range uint64(12) {
			memory := vfs.NewMemory()
			fs := vfs.Inject(memory, func(op vfs.Op) error {
				if op.Count > at {
					return crash
				}
				return nil
			})
			if err := produce(fs, runs); at < len(ops) && !errors.Is(err, crash) {
				t.Fatalf("crash after %d: %v", at, err)
			}
			after := memory.Crash(rand.New(rand.NewPCG(seed, uint64(at))), float64(seed%4)/3)
			names, err := after.List(dir)
			if err != nil {
				t.Fatal(err)
			}
			there := slices.Contains(names, segment.Name(number))
			switch {
			case at <= renamed && there:
				t.Fatalf("crash after %d, seed %d: it has its name before it was finished", at, seed)
			case at > published && !there:
				t.Fatalf("crash after %d, seed %d: it is gone", at, seed)
			case there && readDamaged(t, after, runs):
				t.Fatalf("crash after %d, seed %d: it is not whole", at, seed)
			}
		}
	}
}

func TestWhateverFailsLeavesNoFileAndNothingOpen(t *testing.T) {
	runs := several()
	ops := operations(t, runs)
	// The last operation closes the finished segment.
	for i, op := range ops[:len(ops)-1] {
		for _, failure := range []error{
			vfs.ErrNoSpace, syscall.EIO, &vfs.ShortWrite{N: 100, Err: vfs.ErrNoSpace}, &vfs.ShortWrite{N: 1 << 30, Err: syscall.EIO},
		} {
			memory := vfs.NewMemory()
			fs := vfs.Inject(memory, func(op vfs.Op) error {
				if op.Count == i+1 {
					return failure
				}
				return nil
			})
			err := produce(fs, runs)
			if short, ok := failure.(*vfs.ShortWrite); ok {
				failure = short.Err
			}
			if !errors.Is(err, failure) {
				t.Errorf("%v of %v: %v", failure, op, err)
			}
			if names, _ := memory.List(dir); len(names) > 0 || len(memory.OpenFiles()) > 0 {
				t.Errorf("%v of %v leaves %v, open %v", failure, op, names, memory.OpenFiles())
			}
		}
	}
}

func TestAFullDiskIsToldAndFreeAgainAfterwards(t *testing.T) {
	memory := vfs.NewMemory()
	memory.SetCapacity(400 << 10)
	if err := produce(memory, several()); !errors.Is(err, vfs.ErrNoSpace) {
		t.Fatal(err)
	}
	if memory.Used() != 0 {
		t.Fatalf("%d bytes are still used", memory.Used())
	}
	memory.SetCapacity(0)
	if err := produce(memory, several()); err != nil {
		t.Fatal(err)
	}
}

func TestAnErrorOfReadingIsNotDamageAndCanBeTriedAgain(t *testing.T) {
	memory := vfs.NewMemory()
	runs := several()
	write(t, memory, runs)
	broken := false
	fs := vfs.Inject(memory, func(op vfs.Op) error {
		if broken && op.Kind == vfs.OpReadAt {
			broken = false
			return syscall.EIO
		}
		return nil
	})
	s, err := segment.Open(fs, dir, number)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for e, r := range runs {
		for _, from := range []int{0, len(r.puts) / 2} {
			c := s.Cursor(e, r.puts[from].seq)
			for _, p := range r.puts[from:] {
				var rec segment.Record
				broken = true
				ok, err := c.Next(&rec)
				if err != nil {
					if !errors.Is(err, syscall.EIO) || ok || rec.Seq != 0 {
						t.Fatalf("%v, %v", ok, err)
					}
					broken = false
					ok, err = c.Next(&rec)
				}
				if !ok || err != nil {
					t.Fatalf("record %d: %v, %v", p.seq, ok, err)
				}
				if differs := same(p, &rec, false); differs != "" {
					t.Fatal(differs)
				}
			}
		}
	}
	broken = true
	if err := s.Verify(nil); !errors.Is(err, syscall.EIO) {
		t.Fatalf("verifying: %v", err)
	}
	broken = true
	if err := segment.Salvage(fs, dir, number, segment.Salvaging{}); !errors.Is(err, syscall.EIO) {
		t.Fatalf("salvaging: %v", err)
	}
}
