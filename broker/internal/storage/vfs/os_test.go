package vfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets the test binary be the other process that has a lock, or a disk that is killed with it.
func TestMain(m *testing.M) {
	switch os.Getenv("VFS_TEST_PROCESS") {
	case "lock":
		holdLock(os.Getenv("VFS_TEST_PATH"))
	case "forget":
		writeForgetfully(os.Getenv("VFS_TEST_PATH"))
	default:
		os.Exit(m.Run())
	}
}

// startProcess starts this binary as another process and returns once it has said that it is ready.
func startProcess(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "VFS_TEST_PROCESS="+role, "VFS_TEST_PATH="+path)
	cmd.Stderr = os.Stderr
	_, err := cmd.StdinPipe() // it ends when this is closed
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("the other process says %q: %v", line, err)
	}
	return cmd
}

func ready() {
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func holdLock(name string) {
	l, err := OS().Lock(name)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	ready()
}

func TestLockKeepsOutAnotherProcessAndSaysWhich(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	cmd := startProcess(t, "lock", name)
	_, err := OS().Lock(name)
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != cmd.Process.Pid || locked.Name != name {
		t.Fatalf("the lock of process %d: %v", cmd.Process.Pid, err)
	}
	if want := fmt.Sprintf("%s is locked by process %d", name, cmd.Process.Pid); err.Error() != want {
		t.Errorf("the error says %q, want %q", err, want)
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	l, err := OS().Lock(name)
	if err != nil {
		t.Fatalf("the lock of a process that was killed: %v", err)
	}
	must(t, l.Close())
}

func TestLockKeepsOutThisProcess(t *testing.T) {
	for name, fs := range map[string]FS{"OS": OS(), "Memory": NewMemory(), "Forgetful": Forgetful(OS())} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			must(t, fs.MkdirAll(dir))
			path := filepath.Join(dir, "lock")
			for range 2 { // the second time over the file of the first
				l, err := fs.Lock(path)
				must(t, err)
				_, err = fs.Lock(path)
				var locked *LockedError
				if !errors.As(err, &locked) || locked.PID != os.Getpid() {
					t.Fatalf("locked twice: %v", err)
				}
				must(t, l.Close())
				if l.Close() == nil {
					t.Error("unlocked twice")
				}
			}
			if names, err := fs.List(dir); err != nil || len(names) != 1 || names[0] != "lock" {
				t.Errorf("the folder holds %v, %v", names, err)
			}
		})
	}
	if (&LockedError{Name: "data/lock"}).Error() != "data/lock is locked by another process" {
		t.Error("a lock of somebody unknown says something else")
	}
}

func TestOSErrorsThatMeanNoRoomMatch(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		t.Skip("the numbers are POSIX's")
	}
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT} {
		err := osError(pathError("write", "f", errno))
		if !errors.Is(err, ErrNoSpace) || !errors.Is(err, errno) || !strings.Contains(err.Error(), errno.Error()) {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if err := osError(pathError("write", "f", syscall.EIO)); errors.Is(err, ErrNoSpace) {
		t.Errorf("%v passes for a full disk", err)
	}
	if osError(nil) != nil {
		t.Error("no error has become one")
	}
}

// /dev/full is a disk without room, for real.
func TestOSWriteToAFullDeviceIsErrNoSpace(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	f, err := OS().OpenReadWrite("/dev/full")
	must(t, err)
	defer f.Close()
	if n, err := f.WriteAt([]byte("x"), 0); n != 0 || !errors.Is(err, ErrNoSpace) {
		t.Errorf("wrote %d bytes: %v", n, err)
	}
}

func TestOSFilesAreForThisUserOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	must(t, OS().MkdirAll(dir))
	must(t, OS().MkdirAll(dir))
	put(t, OS(), filepath.Join(dir, "f"), []byte("x"), true)
	must(t, OS().SyncDir(dir))
	for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Dir(dir): 0o700, filepath.Join(dir, "f"): 0o600} {
		info, err := os.Stat(path)
		must(t, err)
		if got := info.Mode().Perm(); got&^want != 0 {
			t.Errorf("%s has mode %v", path, got)
		}
	}
}

func TestErrorsAreThoseOfPackageOS(t *testing.T) {
	for name, fsys := range map[string]FS{"OS": OS(), "Memory": NewMemory(), "Forgetful": Forgetful(OS())} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			must(t, fsys.MkdirAll(dir))
			path := func(name string) string { return filepath.Join(dir, name) }
			put(t, fsys, path("f"), []byte("x"), true)
			put(t, fsys, path("g"), []byte("y"), true)
			must(t, fsys.SyncDir(dir))

			_, open := fsys.Open(path("none"))
			_, openRW := fsys.OpenReadWrite(path("none"))
			_, create := fsys.Create(path("none/f"))
			_, list := fsys.List(path("none"))
			_, lock := fsys.Lock(path("none/lock"))
			_, free := fsys.Free(path("none"))
			for i, err := range []error{open, openRW, create, list, lock, free, fsys.Remove(path("none")), fsys.Rename(path("none"), path("f")),
				fsys.Link(path("none"), path("h")), fsys.SyncDir(path("none"))} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("operation %d on what is not there: %v", i, err)
				}
			}
			if err := fsys.Link(path("f"), path("g")); !errors.Is(err, fs.ErrExist) {
				t.Errorf("linked over a file: %v", err)
			}
			must(t, fsys.MkdirAll(path("sub")))
			if err := fsys.Rename(path("f"), path("sub/f")); err == nil {
				t.Error("renamed into another folder")
			}
			if err := fsys.MkdirAll(path("f")); err == nil {
				t.Error("a folder in place of a file")
			}
			if _, err := fsys.Create(path("sub")); err == nil {
				t.Error("a file in place of a folder")
			}
			f, err := fsys.Open(path("f"))
			must(t, err)
			if _, err := f.WriteAt([]byte("z"), 0); err == nil {
				t.Error("wrote to a file that is open for reading")
			}
			if f.Truncate(0) == nil {
				t.Error("truncated a file that is open for reading")
			}
			if _, err := f.ReadAt(make([]byte, 1), -1); err == nil {
				t.Error("read in front of the file")
			}
			must(t, f.Sync())
			must(t, f.Close())
			_, read := f.ReadAt(make([]byte, 1), 0)
			_, write := f.WriteAt([]byte("z"), 0)
			_, size := f.Size()
			for i, err := range []error{read, write, size, f.Sync(), f.Truncate(0), f.Close()} {
				if !errors.Is(err, fs.ErrClosed) {
					t.Errorf("operation %d on a closed file: %v", i, err)
				}
			}
			if n, err := fsys.Free(dir); err != nil || n == 0 {
				t.Errorf("free: %d, %v", n, err)
			}
		})
	}
}
