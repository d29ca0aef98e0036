package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// action is one thing that a random script does to a file system. It uses few names and few handles, so that they meet.
type action struct {
	Kind        Kind
	Name, Other string // relative to the world's folder
	Handle      int
	Off         int64
	Len         int
	Fill        byte
}

var (
	scriptNames = []string{"a", "b", "sub/c"}
	scriptKinds = []Kind{
		OpCreate, OpCreate, OpOpen, OpOpenReadWrite, OpRemove, OpRename, OpLink, OpList, OpSyncDir, OpReadAt,
		OpWriteAt, OpWriteAt, OpWriteAt, OpSync, OpSize, OpTruncate, OpTruncate, OpClose,
	}
	scriptActions = rapid.Custom(func(t *rapid.T) action {
		name := rapid.SampledFrom(scriptNames)
		return action{
			Kind: rapid.SampledFrom(scriptKinds).Draw(t, "kind"), Name: name.Draw(t, "name"), Other: name.Draw(t, "other"),
			Handle: rapid.IntRange(0, 2).Draw(t, "handle"), Fill: rapid.Byte().Draw(t, "fill"),
			Off: rapid.OneOf(rapid.Int64Range(0, 3000), rapid.SampledFrom([]int64{0, 511, 512, 4096, 9000})).Draw(t, "off"),
			Len: rapid.OneOf(rapid.IntRange(1, 1500), rapid.SampledFrom([]int{1, 512, 4096, 10000})).Draw(t, "len"),
		}
	})
)

// The length is never 0: package os lets nothing be read from a closed file, and written to one.
func scripts(t *rapid.T) []action {
	return rapid.SliceOfN(scriptActions, 1, 100).Draw(t, "script")
}

// world is a file system with what a script has open in it.
type world struct {
	fs      FS
	dir     string
	handles [3]File
}

func newWorld(t testing.TB, fs FS, dir string) *world {
	t.Helper()
	if err := fs.MkdirAll(filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	return &world{fs: fs, dir: dir}
}

// content is what an action writes: no two sectors are alike.
func (a action) content() []byte {
	b := make([]byte, a.Len)
	for i := range b {
		b[i] = a.Fill + byte(i/100) + 1
	}
	return b
}

// do does an action and returns what a program can see of how it went, and whether it went well.
func (w *world) do(a action) (seen string, ok bool) {
	path, other := filepath.Join(w.dir, a.Name), filepath.Join(w.dir, a.Other)
	h := w.handles[a.Handle]
	var err error
	switch a.Kind {
	case OpCreate, OpOpen, OpOpenReadWrite:
		open := map[Kind]func(string) (File, error){OpCreate: w.fs.Create, OpOpen: w.fs.Open, OpOpenReadWrite: w.fs.OpenReadWrite}
		var f File
		if f, err = open[a.Kind](path); err == nil {
			if h != nil {
				h.Close()
			}
			w.handles[a.Handle] = f
		}
	case OpRemove:
		err = w.fs.Remove(path)
	case OpRename:
		err = w.fs.Rename(path, other)
	case OpLink:
		err = w.fs.Link(path, other)
	case OpList:
		var names []string
		names, err = w.fs.List(w.dir)
		seen = fmt.Sprint(names)
	case OpSyncDir:
		err = w.fs.SyncDir(filepath.Dir(path))
	default:
		if h == nil {
			return "no handle", false
		}
		switch a.Kind {
		case OpReadAt:
			b := make([]byte, a.Len)
			var n int
			n, err = h.ReadAt(b, a.Off)
			seen = fmt.Sprintf("%d:%x", n, sum(b[:n]))
		case OpWriteAt:
			var n int
			n, err = h.WriteAt(a.content(), a.Off)
			seen = fmt.Sprintf("%d:%x", n, whole(h))
		case OpSync:
			err = h.Sync()
		case OpSize:
			var n int64
			n, err = h.Size()
			seen = fmt.Sprint(n)
		case OpTruncate:
			err = h.Truncate(a.Off)
			seen = fmt.Sprintf("%x", whole(h))
		case OpClose:
			err = h.Close()
		}
	}
	return fmt.Sprintf("%v %s %s: %s %s", a.Kind, a.Name, a.Other, seen, class(err)), err == nil
}

// whole is what a file holds, and a bit more than is there.
func whole(h File) uint64 {
	b := make([]byte, 1<<15)
	n, err := h.ReadAt(b, 0)
	return sum(fmt.Appendf(b[:n], "%s", class(err)))
}

func sum(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}

// class is as much of an error as all file systems have to agree on.
func class(err error) string {
	for _, e := range []error{io.EOF, fs.ErrNotExist, fs.ErrExist, fs.ErrClosed, ErrNoSpace} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	if err != nil {
		return "error"
	}
	return ""
}

func (w *world) close() {
	for i, h := range w.handles {
		if h != nil {
			h.Close()
		}
		w.handles[i] = nil
	}
}

// disk is what is in the files of a folder and its subfolder sub, by name.
type disk map[string]string

func dump(t testing.TB, fs FS, dir string) disk {
	t.Helper()
	d := disk{}
	for _, sub := range []string{"", "sub"} {
		names, err := fs.List(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if name == "sub" {
				continue
			}
			d[filepath.Join(sub, name)] = string(readAll(t, fs, filepath.Join(dir, sub, name)))
		}
	}
	return d
}

func readAll(t testing.TB, fs FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n != len(b) || (err != nil && err != io.EOF) {
		t.Fatalf("%s: read %d of %d bytes: %v", name, n, size, err)
	}
	return b
}

func (d disk) String() string {
	var b strings.Builder
	for _, name := range scriptNames {
		if s, ok := d[name]; ok {
			fmt.Fprintf(&b, "%s: %d bytes %x; ", name, len(s), sum([]byte(s)))
		}
	}
	return b.String()
}

// put makes a file with some bytes, which it syncs if it says so, but not its name.
func put(t testing.TB, fs FS, name string, b []byte, sync bool) {
	t.Helper()
	f, err := fs.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if sync {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pattern(n int, seed byte) []byte {
	return bytes.Clone(action{Len: n, Fill: seed}.content())
}
