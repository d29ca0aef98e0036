// Package vfs is how the store sees a disk: what it needs of a file system and nothing else, so that tests can put one in
// its place that crashes, fails, fills up or forgets.
package vfs

import "io"

// FS is a file system. Names are paths as package os takes them. Errors are those of package os where it has one:
// errors.Is(err, fs.ErrNotExist) and so on; a disk without room is errors.Is(err, ErrNoSpace). Its methods may be called
// from any goroutine.
type FS interface {
	// Create makes a file, or empties one that exists, for reading and writing.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// OpenReadWrite opens a file that exists for reading and writing.
	OpenReadWrite(name string) (File, error)
	// Remove removes a file. That it is gone is durable after SyncDir.
	Remove(name string) error
	// Rename gives a file a new name, in place of one that has it. Both names lie in one folder. That it has it is durable
	// after SyncDir.
	Rename(from, to string) error
	// Link gives a file another name, where the file system can.
	Link(name, other string) error
	// MkdirAll makes a folder and those above it, for this user only. Those that it made are durable when it returns.
	MkdirAll(dir string) error
	// List returns the names in a folder, sorted, without the folder.
	List(dir string) ([]string, error)
	// SyncDir makes durable which names a folder holds.
	SyncDir(dir string) error
	// Lock takes a file as a lock that no other process, and nobody else in this one, has, and gives it back on Close or
	// when the process ends. Somebody else having it is a *LockedError.
	Lock(name string) (io.Closer, error)
	// Free returns how many bytes can still be written to the disk that a folder is on.
	Free(dir string) (uint64, error)
}

// File is an open file. ReadAt, WriteAt and Sync may be called at the same time.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes durable what was written, with what is needed to read it back. After an error nothing is known about
	// what reached the disk, and calling it again does not tell.
	Sync() error
	// Size returns how long the file is.
	Size() (int64, error)
	// Truncate makes the file as long.
	Truncate(size int64) error
}
