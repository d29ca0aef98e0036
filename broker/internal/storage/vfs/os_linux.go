package vfs

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// syncFile makes the data durable, and of the rest only what is needed to read it (the size, the blocks), not the times.
func syncFile(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return pathError("fdatasync", f.Name(), err)
	}
	var failed error
	if raw.Control(func(fd uintptr) {
		failed = retry(func() error { return unix.Fdatasync(int(fd)) })
	}) != nil {
		return pathError("fdatasync", f.Name(), fs.ErrClosed)
	}
	if failed != nil {
		return pathError("fdatasync", f.Name(), failed)
	}
	return nil
}

func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(dir, &st) }); err != nil {
		return 0, err
	}
	unit := st.Frsize // what the blocks are counted in; Bsize is only what is good to read at once
	if unit == 0 {
		unit = st.Bsize
	}
	return st.Bavail * uint64(unit), nil
}
