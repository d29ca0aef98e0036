package vfs

import (
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// everyOp does each kind of operation once, in the order of the kinds, and returns their errors.
func everyOp(fs FS) map[Kind]error {
	errs := map[Kind]error{}
	f, err := fs.Create("f")
	errs[OpCreate] = err
	_, errs[OpOpen] = fs.Open("g")
	h, err := fs.OpenReadWrite("g")
	errs[OpOpenReadWrite] = err
	errs[OpRemove] = fs.Remove("r")
	errs[OpRename] = fs.Rename("g", "h")
	errs[OpLink] = fs.Link("h", "i")
	errs[OpMkdirAll] = fs.MkdirAll("d")
	_, errs[OpList] = fs.List(".")
	errs[OpSyncDir] = fs.SyncDir(".")
	_, errs[OpLock] = fs.Lock("lock")
	_, errs[OpFree] = fs.Free(".")
	if f == nil {
		f = h
	}
	_, errs[OpReadAt] = f.ReadAt(make([]byte, 1), 0)
	if errs[OpReadAt] == io.EOF {
		errs[OpReadAt] = nil
	}
	_, errs[OpWriteAt] = f.WriteAt([]byte("abc"), 7)
	errs[OpSync] = f.Sync()
	_, errs[OpSize] = f.Size()
	errs[OpTruncate] = f.Truncate(99)
	errs[OpClose] = f.Close()
	return errs
}

func prepared(t *testing.T) *Memory {
	m := NewMemory()
	put(t, m, "g", []byte("g"), true)
	put(t, m, "r", []byte("r"), true)
	must(t, m.SyncDir("."))
	return m
}

func TestInjectFailsWhatItIsToldToAndNothingElse(t *testing.T) {
	broken := errors.New("broken")
	var ops []Op
	fs := Inject(prepared(t), func(op Op) error { ops = append(ops, op); return nil })
	for kind, err := range everyOp(fs) {
		if err != nil {
			t.Errorf("%v without a fault: %v", kind, err)
		}
	}
	if len(ops) != int(OpClose) {
		t.Fatalf("%d operations were seen, want %d", len(ops), OpClose)
	}
	for i, op := range ops {
		if op.Kind != Kind(i+1) || op.Count != i+1 {
			t.Errorf("operation %d is seen as %v", i+1, op)
		}
	}
	if w := ops[OpWriteAt-1]; w.Name != "f" || w.Offset != 7 || w.Len != 3 || w.String() != "#13 write f [7,10)" {
		t.Errorf("the write is seen as %+v, %v", w, w)
	}
	if r := ops[OpRename-1]; r.String() != "#5 rename g to h" {
		t.Errorf("the rename is seen as %v", r)
	}
	if r := ops[OpTruncate-1]; r.String() != "#16 truncate f to 99" {
		t.Errorf("the truncation is seen as %v", r)
	}

	for kind := OpCreate; kind <= OpClose; kind++ {
		m := prepared(t)
		fs := Inject(m, func(op Op) error {
			if op.Kind == kind {
				return broken
			}
			return nil
		})
		errs := everyOp(fs)
		if errs[kind] != broken {
			t.Errorf("%v is to be broken: %v", kind, errs[kind])
		}
		if kind > OpLink { // those before are what others need
			delete(errs, kind)
			for other, err := range errs {
				if err != nil {
					t.Errorf("%v is to be broken, and %v gives %v", kind, other, err)
				}
			}
		}
	}
}

func TestInjectedShortWriteWritesTheFirstBytes(t *testing.T) {
	broken := errors.New("broken")
	m := NewMemory()
	fs := Inject(m, func(op Op) error {
		if op.Kind == OpWriteAt || op.Kind == OpSync {
			return &ShortWrite{N: 2, Err: broken}
		}
		return nil
	})
	f, err := fs.Create("f")
	must(t, err)
	if n, err := f.WriteAt([]byte("abc"), 0); n != 2 || err != broken {
		t.Errorf("wrote %d bytes: %v", n, err)
	}
	if n, err := f.WriteAt([]byte("x"), 2); n != 1 || err != broken {
		t.Errorf("wrote %d bytes of one: %v", n, err)
	}
	if err := f.Sync(); err != broken {
		t.Errorf("sync: %v", err)
	}
	must(t, f.Close())
	must(t, m.SyncDir("."))
	if got := readAll(t, m, "f"); string(got) != "abx" {
		t.Errorf("the file holds %q", got)
	}
	if got := readAll(t, m.Crash(rand.New(rand.NewPCG(1, 1)), 0), "f"); len(got) != 0 {
		t.Errorf("a sync that failed has made %q durable", got)
	}
	if err := error(&ShortWrite{N: 2, Err: broken}); !errors.Is(err, broken) || err.Error() != "after 2 bytes: broken" {
		t.Errorf("it says %q", err)
	}
}

func TestInjectedCloseClosesAllTheSame(t *testing.T) {
	broken := errors.New("broken")
	m := NewMemory()
	f, err := Inject(m, func(op Op) error {
		if op.Kind == OpClose {
			return broken
		}
		return nil
	}).Create("f")
	must(t, err)
	if err := f.Close(); err != broken {
		t.Errorf("close: %v", err)
	}
	if open := m.OpenFiles(); len(open) != 0 {
		t.Errorf("open: %v", open)
	}
}
