package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// OS returns the file system of the operating system.
//
// Files are made for this user only. Sync is fdatasync on Linux, and on other systems what reaches the disk itself and not
// only its cache (F_FULLFSYNC, FlushFileBuffers, fsync). SyncDir does nothing where folders cannot be synced: on Windows,
// and on file systems that say so. Lock is flock, or LockFileEx on Windows; the lock's file holds the number of the process
// that has it. Windows refuses to remove or rename a file that is open. Calls that a signal interrupted are made again, and
// a write that was cut short is an error.
//
// On systems other than Linux, macOS, Windows and the BSDs, Lock and Free are errors.ErrUnsupported.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) Create(name string) (File, error) {
	return openOS(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

func (osFS) Open(name string) (File, error) { return openOS(name, os.O_RDONLY) }

func (osFS) OpenReadWrite(name string) (File, error) { return openOS(name, os.O_RDWR) }

func openOS(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, osError(err)
	}
	return &osFile{f}, nil
}

func (osFS) Remove(name string) error { return osError(os.Remove(name)) }

func (osFS) Rename(from, to string) error {
	if filepath.Dir(from) != filepath.Dir(to) {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: errFolders}
	}
	return osError(os.Rename(from, to))
}

func (osFS) Link(name, other string) error { return osError(os.Link(name, other)) }

func (o osFS) MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return pathError("mkdir", dir, errNoFolder)
		}
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := o.MkdirAll(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return osError(err)
	}
	return o.SyncDir(above)
}

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, osError(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) SyncDir(dir string) error { return osError(syncDir(dir)) }

func (osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, osError(err)
	}
	free, err := lockFile(f)
	if err != nil {
		f.Close()
		return nil, osError(pathError("lock", name, err))
	}
	if !free {
		defer f.Close()
		return nil, &LockedError{Name: name, PID: readPID(f)}
	}
	// The number is for the other one's error only: on a full disk the lock is as good without it.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(pidLine(os.Getpid()), 0)
	}
	return f, nil
}

func pidLine(pid int) []byte { return append(strconv.AppendInt(nil, int64(pid), 10), '\n') }

// readPID returns the process number in a lock's file, or 0.
func readPID(r io.ReaderAt) int {
	b := make([]byte, 20)
	n, _ := r.ReadAt(b, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return 0
	}
	return pid
}

func (osFS) Free(dir string) (uint64, error) {
	n, err := freeBytes(dir)
	if err != nil {
		return 0, osError(pathError("statfs", dir, err))
	}
	return n, nil
}

// osError makes an error that means that there is no room match ErrNoSpace.
func osError(err error) error {
	if err != nil && meansNoSpace(err) {
		return &noSpaceError{err}
	}
	return err
}

type osFile struct{ f *os.File }

func (f *osFile) ReadAt(b []byte, off int64) (int, error) { return f.f.ReadAt(b, off) }

func (f *osFile) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(b, off) // goes on after a short write until the system gives an error
	if err == nil && n < len(b) {
		err = pathError("write", f.f.Name(), io.ErrShortWrite)
	}
	return n, osError(err)
}

func (f *osFile) Close() error { return osError(f.f.Close()) }

func (f *osFile) Sync() error { return osError(syncFile(f.f)) }

func (f *osFile) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *osFile) Truncate(size int64) error { return osError(f.f.Truncate(size)) }
