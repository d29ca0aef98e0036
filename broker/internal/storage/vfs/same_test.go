package vfs

import (
	"maps"
	"math/rand/v2"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// every file system of the package shows a program the same.
func TestRandomScriptsReadAlikeOnEveryFileSystem(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		temp := func() string {
			dir, err := os.MkdirTemp(root, "")
			must(t, err)
			return dir
		}
		never := func(Op) error { return nil }
		names := []string{"OS", "Memory", "Forgetful over OS", "Forgetful over Memory", "Inject over Memory", "Shadow over Memory"}
		worlds := []*world{
			newWorld(t, OS(), temp()), newWorld(t, NewMemory(), "/data"), newWorld(t, Forgetful(OS()), temp()),
			newWorld(t, Forgetful(NewMemory()), "/data"), newWorld(t, Inject(NewMemory(), never), "/data"),
			newWorld(t, Shadow(shadowed(t)), "/data"),
		}
		defer func() {
			for _, w := range worlds {
				w.close()
			}
		}()
		for i, a := range scripts(rt) {
			want, _ := worlds[0].do(a)
			for k, w := range worlds[1:] {
				if got, _ := w.do(a); got != want {
					rt.Fatalf("action %d %+v:\n%s has %s\nOS has %s", i, a, names[k+1], got, want)
				}
			}
		}
		want := dump(t, worlds[0].fs, worlds[0].dir)
		for k, w := range worlds[1:] {
			if got := dump(t, w.fs, w.dir); !maps.Equal(got, want) {
				rt.Fatalf("in the end %s has %v\nOS has %v", names[k+1], got, want)
			}
		}
	})
}

// A process with a Forgetful disk that is killed loses exactly what a power cut takes that takes all it can.
func TestKilledForgetfulLosesWhatACrashThatKeepsNothingLoses(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		must(t, err)
		m := NewMemory()
		killed, crashed := newWorld(t, Forgetful(OS()), dir), newWorld(t, m, "/data")
		defer killed.close() // closing hands over nothing
		for _, a := range scripts(rt) {
			killed.do(a)
			crashed.do(a)
		}
		got := dump(t, Forgetful(OS()), dir)
		want := dump(t, m.Crash(rand.New(rand.NewPCG(1, 1)), 0), "/data")
		if !maps.Equal(got, want) {
			rt.Fatalf("after the kill: %v\nafter the crash: %v", got, want)
		}
		for _, n := range []string{dir, dir + "/sub"} {
			left, err := os.ReadDir(n)
			must(t, err)
			for _, e := range left {
				if len(e.Name()) > 5 {
					rt.Fatalf("%s was left behind", e.Name())
				}
			}
		}
	})
}

// What a process wrote is there for the next one, synced or not, as long as the machine runs.
func TestCloneHoldsAllThatWasWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := NewMemory()
		w := newWorld(t, m, "/data")
		var clones []*Memory
		var want []disk
		for _, a := range scripts(rt) {
			w.do(a)
			clones = append(clones, m.Clone())
			want = append(want, dump(t, m, "/data"))
		}
		for i, c := range clones {
			if got := dump(t, c, "/data"); !maps.Equal(got, want[i]) {
				rt.Fatalf("the clone behind action %d has %v, want %v", i, got, want[i])
			}
			if open := c.OpenFiles(); len(open) != 0 {
				rt.Fatalf("open in a clone: %v", open)
			}
		}
	})
}
