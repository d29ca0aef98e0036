//go:build darwin || dragonfly || freebsd

package vfs

import "golang.org/x/sys/unix"

func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(dir, &st) }); err != nil {
		return 0, err
	}
	// Below zero is what only root may still use.
	return uint64(max(int64(st.Bavail), 0)) * uint64(st.Bsize), nil
}
