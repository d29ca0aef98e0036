package vfs

import (
	"errors"
	"io/fs"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// shadowed returns a file system with the folders that a world has.
func shadowed(t testing.TB) FS {
	m := NewMemory()
	must(t, m.MkdirAll("/data/sub"))
	return m
}

// What is done to a shadow looks as if it were done to the files themselves, and these stay as they are.
func TestAShadowIsChangedAndWhatItShowsIsNot(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		below, twin := NewMemory(), NewMemory()
		first, second := newWorld(t, below, "/data"), newWorld(t, twin, "/data")
		for _, a := range scripts(rt) {
			if a.Kind == OpLink {
				continue // two names of one file are two files above
			}
			first.do(a)
			second.do(a)
		}
		first.close()
		second.close()
		before := dump(t, below, "/data")
		over := newWorld(t, Shadow(below), "/data")
		second = newWorld(t, twin, "/data")
		for i, a := range scripts(rt) {
			want, _ := second.do(a)
			if got, _ := over.do(a); got != want {
				rt.Fatalf("action %d %+v:\nthe shadow has %s\nthe file system has %s", i, a, got, want)
			}
		}
		if got, want := dump(t, over.fs, over.dir), dump(t, twin, "/data"); !maps.Equal(got, want) {
			rt.Fatalf("in the end the shadow has %v\nthe file system has %v", got, want)
		}
		over.close()
		second.close()
		if after := dump(t, below, "/data"); !maps.Equal(before, after) {
			rt.Fatalf("below the shadow there was %v\nand now there is %v", before, after)
		}
		if open := below.OpenFiles(); len(open) > 0 {
			rt.Fatalf("still open below the shadow: %v", open)
		}
	})
}

func TestAShadowsLocksAreItsOwn(t *testing.T) {
	below := shadowed(t)
	held, err := below.Lock("/data/lock")
	must(t, err)
	defer held.Close()
	s := Shadow(below)
	l, err := s.Lock("/data/lock")
	must(t, err)
	if _, err := s.Lock("/data/lock"); !errors.As(err, new(*LockedError)) {
		t.Fatalf("a lock was had twice: %v", err)
	}
	must(t, l.Close())
	if err := l.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Fatalf("a lock was given back twice: %v", err)
	}
	l, err = s.Lock("/data/lock")
	must(t, err)
	must(t, l.Close())
}
