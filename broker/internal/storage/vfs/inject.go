package vfs

import (
	"fmt"
	"io"
	"sync"
)

// ShortWrite is an error for Inject's decide to return: the first N bytes of a write are written, then it gives Err. With
// any other operation it is just Err.
type ShortWrite struct {
	N   int
	Err error
}

func (e *ShortWrite) Error() string { return fmt.Sprintf("after %d bytes: %v", e.N, e.Err) }
func (e *ShortWrite) Unwrap() error { return e.Err }

// Inject returns fs with operations that fail. Before each operation decide is called with what is about to be done; its
// Count tells how many operations fs was asked for in this way, this one included. If decide returns nil the operation is
// done; otherwise it is not and gives that error, as it is. A Sync that fails thus has made nothing durable. Close closes in
// any case.
//
// decide is called by whoever does the operation, never twice at a time, and must not use the returned file system.
func Inject(fs FS, decide func(Op) error) FS { return &injected{fs: fs, decide: decide} }

type injected struct {
	fs     FS
	decide func(Op) error // called with mu held
	mu     sync.Mutex
	count  int // by mu
}

func (i *injected) before(op Op) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count++
	op.Count = i.count
	return i.decide(op)
}

// plain is before for operations that write nothing.
func (i *injected) plain(op Op) error {
	err := i.before(op)
	if short, ok := err.(*ShortWrite); ok {
		return short.Err
	}
	return err
}

func (i *injected) open(kind Kind, name string, open func(string) (File, error)) (File, error) {
	if err := i.plain(Op{Kind: kind, Name: name}); err != nil {
		return nil, err
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	return &injectedFile{i: i, f: f, name: name}, nil
}

func (i *injected) Create(name string) (File, error) { return i.open(OpCreate, name, i.fs.Create) }

func (i *injected) Open(name string) (File, error) { return i.open(OpOpen, name, i.fs.Open) }

func (i *injected) OpenReadWrite(name string) (File, error) {
	return i.open(OpOpenReadWrite, name, i.fs.OpenReadWrite)
}

func (i *injected) Remove(name string) error {
	if err := i.plain(Op{Kind: OpRemove, Name: name}); err != nil {
		return err
	}
	return i.fs.Remove(name)
}

func (i *injected) Rename(from, to string) error {
	if err := i.plain(Op{Kind: OpRename, Name: from, Other: to}); err != nil {
		return err
	}
	return i.fs.Rename(from, to)
}

func (i *injected) Link(name, other string) error {
	if err := i.plain(Op{Kind: OpLink, Name: name, Other: other}); err != nil {
		return err
	}
	return i.fs.Link(name, other)
}

func (i *injected) MkdirAll(dir string) error {
	if err := i.plain(Op{Kind: OpMkdirAll, Name: dir}); err != nil {
		return err
	}
	return i.fs.MkdirAll(dir)
}

func (i *injected) List(dir string) ([]string, error) {
	if err := i.plain(Op{Kind: OpList, Name: dir}); err != nil {
		return nil, err
	}
	return i.fs.List(dir)
}

func (i *injected) SyncDir(dir string) error {
	if err := i.plain(Op{Kind: OpSyncDir, Name: dir}); err != nil {
		return err
	}
	return i.fs.SyncDir(dir)
}

func (i *injected) Lock(name string) (io.Closer, error) {
	if err := i.plain(Op{Kind: OpLock, Name: name}); err != nil {
		return nil, err
	}
	return i.fs.Lock(name)
}

func (i *injected) Free(dir string) (uint64, error) {
	if err := i.plain(Op{Kind: OpFree, Name: dir}); err != nil {
		return 0, err
	}
	return i.fs.Free(dir)
}

type injectedFile struct {
	i    *injected
	f    File
	name string
}

func (f *injectedFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.i.plain(Op{Kind: OpReadAt, Name: f.name, Offset: off, Len: len(b)}); err != nil {
		return 0, err
	}
	return f.f.ReadAt(b, off)
}

func (f *injectedFile) WriteAt(b []byte, off int64) (int, error) {
	switch err := f.i.before(Op{Kind: OpWriteAt, Name: f.name, Offset: off, Len: len(b)}).(type) {
	case nil:
		return f.f.WriteAt(b, off)
	case *ShortWrite:
		n, wrong := f.f.WriteAt(b[:min(err.N, len(b))], off)
		if wrong != nil {
			return n, wrong
		}
		return n, err.Err
	default:
		return 0, err
	}
}

func (f *injectedFile) Close() error {
	failed := f.i.plain(Op{Kind: OpClose, Name: f.name})
	if err := f.f.Close(); err != nil {
		return err
	}
	return failed
}

func (f *injectedFile) Sync() error {
	if err := f.i.plain(Op{Kind: OpSync, Name: f.name}); err != nil {
		return err
	}
	return f.f.Sync()
}

func (f *injectedFile) Size() (int64, error) {
	if err := f.i.plain(Op{Kind: OpSize, Name: f.name}); err != nil {
		return 0, err
	}
	return f.f.Size()
}

func (f *injectedFile) Truncate(size int64) error {
	if err := f.i.plain(Op{Kind: OpTruncate, Name: f.name, Offset: size}); err != nil {
		return err
	}
	return f.f.Truncate(size)
}
