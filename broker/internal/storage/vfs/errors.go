package vfs

import (
	"errors"
	"fmt"
	"io/fs"
)

// ErrNoSpace is what errors.Is finds in the error of an operation for which the disk, or its user's share of it, has no
// room. Such an operation may have been done in part: WriteAt says how much.
var ErrNoSpace = errors.New("no space left on the disk")

// LockedError says that somebody else has a lock.
type LockedError struct {
	Name string // the lock's file
	PID  int    // the process that has it; 0 is unknown
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is locked by another process", e.Name)
	}
	return fmt.Sprintf("%s is locked by process %d", e.Name, e.PID)
}

// noSpaceError is an operating system's error that means ErrNoSpace, and says what it said.
type noSpaceError struct{ err error }

func (e *noSpaceError) Error() string        { return e.err.Error() }
func (e *noSpaceError) Unwrap() error        { return e.err }
func (e *noSpaceError) Is(target error) bool { return target == ErrNoSpace }

// Errors of files that are the same wherever they come from.
var (
	errNegative = errors.New("negative offset")
	errReadOnly = errors.New("the file is open for reading only")
	errTooLarge = errors.New("the file would be too large")
	errFolder   = errors.New("is a folder")
	errNoFolder = errors.New("is not a folder")
	errFolders  = errors.New("the names lie in different folders")
)

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}
