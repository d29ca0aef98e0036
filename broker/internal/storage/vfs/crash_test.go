package vfs

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// modelFile is a file's contents since its last sync: the durable one first, the present one last.
type modelFile struct{ history [][]byte }

func (f *modelFile) now() []byte { return f.history[len(f.history)-1] }

// modelDir is a folder's names since its last sync, likewise.
type modelDir struct{ history []map[string]*modelFile }

func (d *modelDir) now() map[string]*modelFile { return d.history[len(d.history)-1] }

// model is a disk that keeps every state in full.
type model struct {
	dirs    map[string]*modelDir
	handles [3]*modelFile
}

func newModel() *model {
	m := &model{dirs: map[string]*modelDir{}}
	for _, dir := range []string{".", "sub"} {
		m.dirs[dir] = &modelDir{[]map[string]*modelFile{{}}}
	}
	return m
}

// do follows an action that went well.
func (m *model) do(a action) {
	d, base := m.dirs[filepath.Dir(a.Name)], filepath.Base(a.Name)
	change := func(d *modelDir, f func(map[string]*modelFile)) {
		names := maps.Clone(d.now())
		f(names)
		d.history = append(d.history, names)
	}
	file := d.now()[base]
	h := m.handles[a.Handle]
	resize := func(f *modelFile, size int64) {
		if int64(len(f.now())) == size {
			return
		}
		b := make([]byte, size)
		copy(b, f.now())
		f.history = append(f.history, b)
	}
	switch a.Kind {
	case OpCreate:
		if file == nil {
			file = &modelFile{[][]byte{{}}}
			change(d, func(names map[string]*modelFile) { names[base] = file })
		} else {
			resize(file, 0)
		}
		m.handles[a.Handle] = file
	case OpOpen, OpOpenReadWrite:
		m.handles[a.Handle] = file
	case OpRemove:
		change(d, func(names map[string]*modelFile) { delete(names, base) })
	case OpRename:
		if to := filepath.Base(a.Other); d.now()[to] != file {
			change(d, func(names map[string]*modelFile) { delete(names, base); names[to] = file })
		}
	case OpLink:
		change(m.dirs[filepath.Dir(a.Other)], func(names map[string]*modelFile) { names[filepath.Base(a.Other)] = file })
	case OpSyncDir:
		d.history = d.history[len(d.history)-1:]
	case OpWriteAt:
		if a.Len > 0 {
			b := make([]byte, max(int64(len(h.now())), a.Off+int64(a.Len)))
			copy(b, h.now())
			copy(b[a.Off:], a.content())
			h.history = append(h.history, b)
		}
	case OpTruncate:
		resize(h, a.Off)
	case OpSync:
		h.history = h.history[len(h.history)-1:]
	}
}

// allows reports whether a crash may leave a disk so.
func (m *model) allows(got disk) bool {
	for dir, d := range m.dirs {
		ok := false
		for _, names := range d.history {
			ok = ok || namesAllow(dir, names, got)
		}
		if !ok {
			return false
		}
	}
	return true
}

func namesAllow(dir string, names map[string]*modelFile, got disk) bool {
	n := 0
	for name := range got {
		if filepath.Dir(name) == dir {
			n++
		}
	}
	if n != len(names) {
		return false
	}
	for name, f := range names {
		s, ok := got[filepath.Join(dir, name)]
		if !ok || !f.allows([]byte(s)) {
			return false
		}
	}
	return true
}

func (f *modelFile) allows(got []byte) bool {
	least, most := len(f.history[0]), len(f.history[0])
	for _, b := range f.history {
		least, most = min(least, len(b)), max(most, len(b))
	}
	if len(got) < least || len(got) > most {
		return false
	}
	for start := 0; start < len(got); start += sectorSize {
		end := min(start+sectorSize, len(got))
		ok := false
		for j := range f.history {
			ok = ok || f.sectorAllows(got[start:end], start, j)
		}
		if !ok {
			return false
		}
	}
	return true
}

// sectorAllows reports whether a sector may be what it was in state j, but for what was cut off later.
func (f *modelFile) sectorAllows(got []byte, start, j int) bool {
	shortest := len(f.history[j])
	for _, b := range f.history[j:] {
		shortest = min(shortest, len(b))
	}
	for i, b := range got {
		at := start + i
		var was byte
		if at < len(f.history[j]) {
			was = f.history[j][at]
		}
		if b != was && (b != 0 || at < shortest) {
			return false
		}
	}
	return true
}

func (m *model) first() disk {
	return m.state(func(d *modelDir) map[string]*modelFile { return d.history[0] }, func(f *modelFile) []byte { return f.history[0] })
}

func (m *model) last() disk { return m.state((*modelDir).now, (*modelFile).now) }

func (m *model) state(names func(*modelDir) map[string]*modelFile, content func(*modelFile) []byte) disk {
	got := disk{}
	for dir, d := range m.dirs {
		for name, f := range names(d) {
			got[filepath.Join(dir, name)] = string(content(f))
		}
	}
	return got
}

func TestCrashKeepsWhatIsDurableAndOfTheRestWhatADiskMay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m, want := NewMemory(), newModel()
		w := newWorld(t, m, "/data")
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		// A first life, so that files exist that are durable, or half.
		for _, a := range scripts(rt) {
			if _, ok := w.do(a); ok {
				want.do(a)
			}
		}
		check := func(m *Memory) {
			if got := dump(t, m.Clone().Crash(rnd, 0), "/data"); !maps.Equal(got, want.first()) {
				rt.Fatalf("with nothing kept: %v\nwant %v", got, want.first())
			}
			if got := dump(t, m.Clone().Crash(rnd, 1), "/data"); !maps.Equal(got, want.last()) {
				rt.Fatalf("with everything kept: %v\nwant %v", got, want.last())
			}
			for range 5 {
				if got := dump(t, m.Clone().Crash(rnd, rnd.Float64()), "/data"); !want.allows(got) {
					rt.Fatalf("no disk would be left so: %v\nof first %v\nand last %v", got, want.first(), want.last())
				}
			}
		}
		check(m)
		if got := dump(t, m, "/data"); !maps.Equal(got, want.last()) {
			rt.Fatalf("crashes of clones have changed the original to %v", got)
		}
		// What a crash leaves is durable, and nothing is behind it.
		after := m.Crash(rnd, rnd.Float64())
		left := dump(t, after, "/data")
		if got := dump(t, after.Crash(rnd, 0), "/data"); !maps.Equal(got, left) {
			rt.Fatalf("a second crash left %v of %v", got, left)
		}
	})
}

func TestCrashIsTheSameForTheSameSeed(t *testing.T) {
	m := NewMemory()
	must(t, m.MkdirAll("/data/sub"))
	for i, name := range scriptNames {
		put(t, m, "/data/"+name, pattern(20000, byte(i)), false)
		put(t, m, "/data/"+name, pattern(30000, byte(i+7)), i%2 == 0)
	}
	must(t, m.SyncDir("/data"))
	crash := func(seed uint64) disk { return dump(t, m.Clone().Crash(rand.New(rand.NewPCG(seed, 0)), 0.5), "/data") }
	distinct := map[string]bool{}
	for seed := range uint64(20) {
		first := crash(seed)
		if again := crash(seed); !maps.Equal(first, again) {
			t.Fatalf("seed %d: %v, and then %v", seed, first, again)
		}
		distinct[first.String()] = true
	}
	if len(distinct) < 15 {
		t.Errorf("20 seeds have made %d disks", len(distinct))
	}
}

func TestCrashEndsTheOldFileSystem(t *testing.T) {
	m := NewMemory()
	f, err := m.Create("f")
	must(t, err)
	l, err := m.Lock("lock")
	must(t, err)
	must(t, m.SyncDir("."))
	after := m.Crash(rand.New(rand.NewPCG(1, 2)), 1)
	_, write := f.WriteAt([]byte("x"), 0)
	_, read := f.ReadAt(make([]byte, 1), 0)
	_, size := f.Size()
	_, open := m.Open("f")
	_, create := m.Create("g")
	_, list := m.List(".")
	_, lock := m.Lock("other")
	_, free := m.Free(".")
	for i, err := range []error{write, read, size, open, create, list, lock, free, f.Sync(), f.Truncate(0), f.Close(), l.Close(),
		m.Remove("f"), m.Rename("f", "g"), m.Link("f", "g"), m.MkdirAll("d"), m.SyncDir("."), m.Flip("f", 0)} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("use %d of a file system without power: %v", i, err)
		}
	}
	if open := m.OpenFiles(); len(open) != 0 {
		t.Errorf("open after a crash: %v", open)
	}
	l, err = after.Lock("lock")
	if err != nil {
		t.Fatalf("a lock outlived the crash: %v", err)
	}
	must(t, l.Close())
}

// Sectors of one write arrive one by one, and a file can have grown without all of its data.
func TestCrashTearsWritesAtSectors(t *testing.T) {
	m := NewMemory()
	old := bytes.Repeat([]byte("o"), 4*sectorSize)
	put(t, m, "f", old, true)
	must(t, m.SyncDir("."))
	f, err := m.OpenReadWrite("f")
	must(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte("n"), 8*sectorSize), 0)
	must(t, err)
	rnd := rand.New(rand.NewPCG(3, 4))
	torn, holed, grown := 0, 0, 0
	for range 200 {
		got := readAll(t, m.Clone().Crash(rnd, 0.5), "f")
		states := map[byte]bool{}
		for start := 0; start < len(got); start += sectorSize {
			sector := got[start : start+sectorSize]
			if !bytes.Equal(sector, bytes.Repeat(sector[:1], sectorSize)) {
				t.Fatalf("sector %d is itself torn", start/sectorSize)
			}
			switch before := start < len(old); {
			case sector[0] == 'n', sector[0] == 'o' && before, sector[0] == 0 && !before:
			default:
				t.Fatalf("sector %d holds %q", start/sectorSize, sector[0])
			}
			states[sector[0]] = true
		}
		if states['o'] && states['n'] {
			torn++
		}
		if states[0] {
			holed++
		}
		if len(got) > len(old) {
			grown++
		}
	}
	if torn < 100 || holed < 50 || grown < 100 {
		t.Errorf("of 200 crashes %d tore the overwritten part, %d left holes, %d grew the file", torn, holed, grown)
	}
}

// A new name without the new content: what who renames before syncing gets.
func TestCrashMayKeepARenameAndNotTheContent(t *testing.T) {
	m := NewMemory()
	put(t, m, "f", []byte("old"), true)
	must(t, m.SyncDir("."))
	put(t, m, "f.tmp", []byte("new"), false)
	must(t, m.Rename("f.tmp", "f"))
	must(t, m.SyncDir("."))
	if got := readAll(t, m.Crash(rand.New(rand.NewPCG(1, 1)), 0), "f"); len(got) != 0 {
		t.Errorf("the file holds %q", got)
	}
}
