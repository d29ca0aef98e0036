package fsck

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Options say how to go about it. Nil is the zero value.
type Options struct {
	// Progress is told how far the work is, several times a second on a fast disk. It must return soon. Nil: nobody is told.
	Progress func(Progress)

	fs vfs.FS // the zero is the operating system's
}

// Progress is how far the work is. Where more work turns up, Total grows.
type Progress struct {
	File  string // that is being read, or written
	Done  int64  // bytes, of all files
	Total int64
}

func (o *Options) system() vfs.FS {
	if o == nil || o.fs == nil {
		return vfs.OS()
	}
	return o.fs
}

// InUseError says that a broker, or somebody who checks or repairs, has the folder.
type InUseError struct {
	Dir string
	PID int // of the process that has it; 0 is unknown
}

func (e *InUseError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("the data folder %s is in use by %s: stop that one, or look at a backup of the folder", e.Dir, who)
}

// lockName is the file in a folder that is locked by whoever uses the folder.
const lockName = "lock"

// lock takes the lock of a folder that exists.
func lock(fs vfs.FS, dir string) (io.Closer, error) {
	l, err := fs.Lock(filepath.Join(dir, lockName))
	if locked, ok := errors.AsType[*vfs.LockedError](err); ok {
		return nil, &InUseError{Dir: dir, PID: locked.PID}
	}
	return l, err
}

// meter counts what is done, for Options.Progress.
type meter struct {
	tell func(Progress)
	at   Progress
	told int64
}

func newMeter(o *Options, total int64) *meter {
	m := &meter{tell: func(Progress) {}, at: Progress{Total: total}}
	if o != nil && o.Progress != nil {
		m.tell = o.Progress
	}
	return m
}

// step is how much is done between two calls of Options.Progress, about.
const step = 4 << 20

// file begins a file.
func (m *meter) file(name string) {
	m.at.File = name
	m.tell(m.at)
	m.told = m.at.Done
}

// add counts in what was done.
func (m *meter) add(n int64) {
	m.at.Done += n
	m.at.Total = max(m.at.Total, m.at.Done)
	if m.at.Done-m.told >= step {
		m.told = m.at.Done
		m.tell(m.at)
	}
}

// more counts in work that has turned up.
func (m *meter) more(n int64) { m.at.Total += n }
