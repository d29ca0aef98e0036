//go:build !linux

package vfs

import "os"

// syncFile makes data and metadata durable: F_FULLFSYNC on macOS, FlushFileBuffers on Windows, fsync elsewhere.
func syncFile(f *os.File) error { return f.Sync() }
