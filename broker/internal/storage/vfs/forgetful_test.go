package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// writeForgetfully is the process that is killed.
func writeForgetfully(dir string) {
	fs := Forgetful(OS())
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	write := func(name, s string, sync bool) {
		f, err := fs.OpenReadWrite(filepath.Join(dir, name))
		if err != nil {
			f, err = fs.Create(filepath.Join(dir, name))
		}
		check(err)
		_, err = f.WriteAt([]byte(s), 0)
		check(err)
		if sync {
			check(f.Sync())
		}
	}
	write("kept", "synced", true)
	write("empty", "name only", false)
	check(fs.SyncDir(dir))
	write("nameless", "content only", true)
	write("kept", "forgotten, and longer", false)
	check(fs.Rename(filepath.Join(dir, "empty"), filepath.Join(dir, "renamed")))
	ready()
}

func TestKilledProcessLosesWhatItHadNotSynced(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("open files cannot be renamed there")
	}
	dir := t.TempDir()
	cmd := startProcess(t, "forget", dir)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	fs := Forgetful(OS())
	names, err := fs.List(dir)
	must(t, err)
	if !slices.Equal(names, []string{"empty", "kept"}) {
		t.Fatalf("left: %v", names)
	}
	if got := readAll(t, fs, filepath.Join(dir, "kept")); string(got) != "synced" {
		t.Errorf("the synced file holds %q", got)
	}
	if got := readAll(t, fs, filepath.Join(dir, "empty")); len(got) != 0 {
		t.Errorf("the file of which the name was synced holds %q", got)
	}
}

func TestForgetfulHandsOverEverythingOnSync(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	fs := Forgetful(OS())
	b := pattern(3<<20, 1) // more than one run of pages
	put(t, fs, name, b, false)
	if got, err := os.ReadDir(dir); err != nil || len(got) != 1 || got[0].Name() == "f" {
		t.Fatalf("the name is there before it was synced: %v, %v", got, err)
	}
	must(t, fs.SyncDir(dir))
	if got := readAll(t, OS(), name); len(got) != 0 {
		t.Fatalf("%d bytes are there before they were synced", len(got))
	}
	f, err := fs.OpenReadWrite(name)
	must(t, err)
	must(t, f.Sync()) // what another handle wrote
	if got := readAll(t, OS(), name); !bytes.Equal(got, b) {
		t.Fatalf("%d other bytes were handed over", len(got))
	}
	must(t, f.Truncate(5000))
	must(t, f.Truncate(1<<20))
	copy(b[5000:], make([]byte, 1<<20-5000))
	if got := readAll(t, fs, name); !bytes.Equal(got, b[:1<<20]) {
		t.Fatal("bytes that were cut off are read")
	}
	must(t, f.Sync())
	if got := readAll(t, OS(), name); !bytes.Equal(got, b[:1<<20]) {
		t.Fatal("bytes that were cut off are on the disk")
	}
	must(t, f.Close())
}

func TestForgetfulReadsZerosWhereUnsyncedBytesWereCutOff(t *testing.T) {
	fs := Forgetful(NewMemory())
	f, err := fs.Create("f")
	must(t, err)
	b := pattern(10000, 1)
	_, err = f.WriteAt(b, 0)
	must(t, err)
	must(t, f.Truncate(5000))
	must(t, f.Truncate(6000))
	clear(b[5000:])
	must(t, f.Close())
	if got := readAll(t, fs, "f"); !bytes.Equal(got, b[:6000]) {
		t.Error("bytes that were cut off are read")
	}
}

// A Sync that has failed half way can be made good: nothing that was handed over is taken back.
func TestForgetfulSyncGoesOnAfterAnError(t *testing.T) {
	under, writes := NewMemory(), 0
	fs := Forgetful(Inject(under, func(op Op) error {
		if op.Kind == OpWriteAt {
			writes++
			if writes == 3 {
				return ErrNoSpace
			}
		}
		return nil
	}))
	f, err := fs.Create("f")
	must(t, err)
	old, b := pattern(100, 9), pattern(10000, 1)
	_, err = f.WriteAt(old, 0)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Truncate(0))
	want := make([]byte, 50000)
	for _, off := range []int64{0, 20000, 40000} { // written one by one
		_, err = f.WriteAt(b, off)
		must(t, err)
		copy(want[off:], b)
	}
	if err := f.Sync(); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("sync on a full disk: %v", err)
	}
	must(t, f.Sync())
	must(t, f.Close())
	must(t, fs.SyncDir("."))
	if got := readAll(t, under, "f"); !bytes.Equal(got, want) {
		t.Error("something else was handed over")
	}
}

// A file with two names keeps the one when the other goes, whether that is removed or taken by another file.
func TestForgetfulFileOutlivesItsFirstName(t *testing.T) {
	for _, end := range []string{"removed", "taken"} {
		fs := Forgetful(NewMemory())
		must(t, fs.MkdirAll("sub"))
		put(t, fs, "f", []byte("linked"), true)
		put(t, fs, "g", []byte("other"), true)
		must(t, fs.Link("f", "sub/f"))
		must(t, fs.SyncDir("."))
		if end == "removed" {
			must(t, fs.Remove("f"))
		} else {
			must(t, fs.Rename("g", "f"))
		}
		must(t, fs.SyncDir("."))
		for range 2 { // before its name is synced, and after
			if got := readAll(t, fs, "sub/f"); string(got) != "linked" {
				t.Errorf("%s: it holds %q", end, got)
			}
			must(t, fs.SyncDir("sub"))
		}
	}
}

func TestForgetfulIsSafeFromManyGoroutines(t *testing.T) {
	dir := t.TempDir()
	fs := Forgetful(OS())
	shared, err := fs.Create(filepath.Join(dir, "shared"))
	must(t, err)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			name := filepath.Join(dir, fmt.Sprint(k))
			for i := range 20 {
				put(t, fs, name, pattern(6000, byte(i)), i%3 == 0)
				_, _ = shared.WriteAt(pattern(6000, byte(k)), int64(k)*6000)
				_ = shared.Sync()
				b := make([]byte, 6000)
				if _, err := shared.ReadAt(b, int64(k)*6000); err != nil || !bytes.Equal(b, pattern(6000, byte(k))) {
					t.Errorf("read something else: %v", err)
				}
				if err := fs.SyncDir(dir); err != nil {
					t.Error(err)
				}
				if got := readAll(t, fs, name); !bytes.Equal(got, pattern(6000, byte(i))) {
					t.Error("a file holds something else")
				}
			}
		})
	}
	wg.Wait()
	must(t, shared.Close())
}
