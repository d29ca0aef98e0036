package vfs

import "golang.org/x/sys/unix"

func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(dir, &st) }); err != nil {
		return 0, err
	}
	return uint64(max(st.F_bavail, 0)) * uint64(st.F_bsize), nil // below zero is what only root may still use
}
