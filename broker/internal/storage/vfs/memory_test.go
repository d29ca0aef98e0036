package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

func TestMemoryIsFullAtItsCapacity(t *testing.T) {
	m := NewMemory()
	m.SetCapacity(3 * pageSize)
	f, err := m.Create("f")
	must(t, err)
	must(t, f.Truncate(1<<30)) // nothing was written: it takes no room
	n, err := f.WriteAt(make([]byte, 5*pageSize), 100)
	if n != 3*pageSize-100 || !errors.Is(err, ErrNoSpace) {
		t.Fatalf("%d bytes written: %v", n, err)
	}
	if free, err := m.Free("."); err != nil || free != 0 {
		t.Errorf("free: %d, %v", free, err)
	}
	if n, err := f.WriteAt([]byte("over what is there"), pageSize); err != nil {
		t.Errorf("%d bytes written in place: %v", n, err)
	}
	if n, err := f.WriteAt([]byte("x"), 10*pageSize); n != 0 || !errors.Is(err, ErrNoSpace) {
		t.Errorf("%d bytes written elsewhere: %v", n, err)
	}
	if l, err := m.Lock("lock"); err != nil {
		t.Errorf("no lock on a full disk: %v", err)
	} else {
		must(t, l.Close())
	}
	after := m.Clone()
	must(t, f.Truncate(pageSize))
	must(t, m.Remove("f"))
	if used := m.Used(); used != pageSize {
		t.Errorf("a removed file that is open uses %d bytes", used)
	}
	must(t, f.Close())
	if used := m.Used(); used != 0 {
		t.Errorf("a removed file uses %d bytes", used)
	}
	if used := after.Used(); used != 3*pageSize {
		t.Errorf("the clone uses %d bytes", used)
	}
	if _, err := after.Create("g"); err != nil {
		t.Errorf("no file on a full disk: %v", err)
	}
	after.SetCapacity(0)
	put(t, after, "g", make([]byte, 10*pageSize), true)
	if used := after.Used(); used != 13*pageSize {
		t.Errorf("without a limit %d bytes are used", used)
	}
	crashed := after.Crash(rand.New(rand.NewPCG(1, 1)), 1)
	if used := crashed.Used(); used != 13*pageSize {
		t.Errorf("after a crash %d bytes are used", used)
	}
}

func TestMemoryRefusesWildOffsets(t *testing.T) {
	f, err := NewMemory().Create("f")
	must(t, err)
	if _, err := f.WriteAt([]byte("x"), 1<<60); err == nil {
		t.Error("wrote an exabyte away")
	}
	if f.Truncate(1<<60) == nil {
		t.Error("a file of an exabyte")
	}
	if f.Truncate(-1) == nil {
		t.Error("a file of less than nothing")
	}
	if n, err := f.ReadAt(make([]byte, 4), 1<<60); n != 0 || err != io.EOF {
		t.Errorf("read %d bytes an exabyte away: %v", n, err)
	}
}

func TestOpenFilesNamesWhatIsOpen(t *testing.T) {
	m := NewMemory()
	f, err := m.Create("f")
	must(t, err)
	g, err := m.Open("f")
	must(t, err)
	l, err := m.Lock("lock")
	must(t, err)
	if got := m.OpenFiles(); !slices.Equal(got, []string{"f", "f", "lock"}) {
		t.Errorf("open: %v", got)
	}
	for _, c := range []io.Closer{f, g, l} {
		must(t, c.Close())
	}
	if got := m.OpenFiles(); len(got) != 0 {
		t.Errorf("open: %v", got)
	}
}

// A rotten bit is rotten in the process, after a crash and after another, and nowhere else.
func TestFlipTurnsOverOneBitEverywhere(t *testing.T) {
	for _, synced := range []bool{true, false} {
		m := NewMemory()
		b := pattern(10000, 1)
		put(t, m, "f", pattern(10000, 200), true)
		must(t, m.SyncDir("."))
		put(t, m, "f", b, synced)
		before := m.Clone()
		const bit = 5001*8 + 3
		must(t, m.Flip("f", bit))
		want := bytes.Clone(b)
		want[5001] ^= 1 << 3
		rnd := rand.New(rand.NewPCG(1, 1))
		if !bytes.Equal(readAll(t, m, "f"), want) {
			t.Errorf("synced %t: the bit is not turned over", synced)
		}
		if !bytes.Equal(readAll(t, m.Clone().Crash(rnd, 1), "f"), want) {
			t.Errorf("synced %t: the bit is as it was after a crash", synced)
		}
		if !bytes.Equal(readAll(t, before, "f"), b) || !bytes.Equal(readAll(t, before.Crash(rnd, 1), "f"), b) {
			t.Errorf("synced %t: the bit is turned over in a clone from before", synced)
		}
		durable := pattern(10000, 200)
		if synced {
			durable = bytes.Clone(b)
		}
		durable[5001] ^= 1 << 3
		if !bytes.Equal(readAll(t, m.Clone().Crash(rnd, 0), "f"), durable) {
			t.Errorf("synced %t: the bit is as it was in what was durable", synced)
		}
		must(t, m.Flip("f", bit))
		if !bytes.Equal(readAll(t, m, "f"), b) {
			t.Errorf("synced %t: turned over twice it is not as it was", synced)
		}
	}
	if NewMemory().Flip("f", 0) == nil {
		t.Error("a bit of no file")
	}
	m := NewMemory()
	put(t, m, "f", []byte("x"), true)
	if m.Flip("f", 8) == nil || m.Flip("f", -1) == nil {
		t.Error("a bit behind the file, or in front of it")
	}
}

func TestMemoryIsSafeFromManyGoroutines(t *testing.T) {
	m := NewMemory()
	shared, err := m.Create("shared")
	must(t, err)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			name := fmt.Sprintf("f%d", k)
			for i := range 50 {
				put(t, m, name, pattern(3000, byte(i)), true)
				_, _ = shared.WriteAt(pattern(1000, byte(k)), int64(k*1000))
				_ = shared.Sync()
				b := make([]byte, 1000)
				if _, err := shared.ReadAt(b, int64(k*1000)); err != nil || !bytes.Equal(b, pattern(1000, byte(k))) {
					t.Errorf("read something else: %v", err)
				}
				c := m.Clone()
				_ = c.SyncDir(".")
				if got := readAll(t, c.Crash(rand.New(rand.NewPCG(1, 1)), 0), name); !bytes.Equal(got, pattern(3000, byte(i))) {
					t.Errorf("a synced file is lost")
				}
			}
		})
	}
	wg.Wait()
	must(t, shared.Close())
}

// filled returns a store's worth of files with a little that is not synced.
func filled(b *testing.B) *Memory {
	m := NewMemory()
	for i := range 4 {
		put(b, m, fmt.Sprint(i), pattern(1<<20, byte(i)), true)
	}
	must(b, m.SyncDir("."))
	f, err := m.OpenReadWrite("0")
	must(b, err)
	_, err = f.WriteAt(pattern(64<<10, 9), 1<<20)
	must(b, err)
	must(b, f.Close())
	return m
}

func BenchmarkClone4MB(b *testing.B) {
	m := filled(b)
	b.ReportAllocs()
	for b.Loop() {
		m.Clone()
	}
}

func BenchmarkCrash4MB(b *testing.B) {
	m := filled(b)
	rnd := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		m.Clone().Crash(rnd, 0.5)
	}
}

func BenchmarkMemoryAppendAndSync4KB(b *testing.B) {
	m := NewMemory()
	f, err := m.Create("f")
	must(b, err)
	p := pattern(4096, 1)
	off := int64(0)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = f.WriteAt(p, off)
		_ = f.Sync()
		off = (off + int64(len(p))) % (32 << 20)
	}
}
