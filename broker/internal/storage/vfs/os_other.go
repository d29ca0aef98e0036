//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package vfs

import (
	"errors"
	"os"
)

func syncDir(string) error { return nil }

func lockFile(*os.File) (bool, error) { return false, errors.ErrUnsupported }

func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }

func meansNoSpace(error) bool { return false }
