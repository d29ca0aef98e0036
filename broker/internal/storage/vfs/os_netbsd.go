package vfs

import "golang.org/x/sys/unix"

func freeBytes(dir string) (uint64, error) {
	var st unix.Statvfs_t
	if err := retry(func() error { return unix.Statvfs(dir, &st) }); err != nil {
		return 0, err
	}
	return st.Bavail * st.Frsize, nil
}
