package storetest

import (
	"errors"
	"io"
	"sync"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// errDead is what a process gets of its file system after it has died.
var errDead = errors.New("storetest: the process is dead")

// process is a file system as one process sees it: it can die before or after any call that changes something, and from
// then on reaches the disk no more; and its disk may be full.
type process struct {
	disk vfs.FS

	mu    sync.Mutex
	calls int  // lock: mu; that changed something, or would have
	death int  // lock: mu; the number of the call to die at; 0 is none
	late  bool // lock: mu; that call is still done
	dead  bool // lock: mu
	full  bool // lock: mu; nothing more can be written
}

// dieAt makes the process die at the n-th call from now on, 1 being the next.
func (p *process) dieAt(n int, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.death, p.late = p.calls+n, late
}

func (p *process) setFull(full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.full = full
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// kill ends the process.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// change does a call that changes something; grows says that it needs room.
func (p *process) change(grows bool, call func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return errDead
	}
	p.calls++
	if p.death == p.calls {
		p.dead = true
		if p.late {
			_ = call() // nobody is left who could look at its error
		}
		return errDead
	}
	if grows && p.full {
		return vfs.ErrNoSpace
	}
	return call()
}

// look does a call that changes nothing.
func look[T any](p *process, call func() (T, error)) (T, error) {
	if p.isDead() {
		var none T
		return none, errDead
	}
	return call()
}

func (p *process) open(grows, changes bool, open func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	call := func() (err error) {
		f, err = open()
		return err
	}
	var err error
	if changes {
		err = p.change(grows, call)
	} else {
		_, err = look(p, func() (struct{}, error) { return struct{}{}, call() })
	}
	if err != nil {
		return nil, err
	}
	return &processFile{f, p}, nil
}

func (p *process) Create(name string) (vfs.File, error) {
	return p.open(true, true, func() (vfs.File, error) { return p.disk.Create(name) })
}

func (p *process) Open(name string) (vfs.File, error) {
	return p.open(false, false, func() (vfs.File, error) { return p.disk.Open(name) })
}

func (p *process) OpenReadWrite(name string) (vfs.File, error) {
	return p.open(false, false, func() (vfs.File, error) { return p.disk.OpenReadWrite(name) })
}

func (p *process) Remove(name string) error {
	return p.change(false, func() error { return p.disk.Remove(name) })
}

func (p *process) Rename(from, to string) error {
	return p.change(false, func() error { return p.disk.Rename(from, to) })
}

func (p *process) Link(name, other string) error {
	return p.change(true, func() error { return p.disk.Link(name, other) })
}

func (p *process) MkdirAll(dir string) error {
	return p.change(false, func() error { return p.disk.MkdirAll(dir) })
}

func (p *process) SyncDir(dir string) error {
	return p.change(false, func() error { return p.disk.SyncDir(dir) })
}

func (p *process) List(dir string) ([]string, error) {
	return look(p, func() ([]string, error) { return p.disk.List(dir) })
}

func (p *process) Free(dir string) (uint64, error) {
	return look(p, func() (uint64, error) { return p.disk.Free(dir) })
}

func (p *process) Lock(name string) (io.Closer, error) {
	return look(p, func() (io.Closer, error) { return p.disk.Lock(name) })
}

type processFile struct {
	file    vfs.File
	process *process
}

func (f *processFile) ReadAt(b []byte, off int64) (int, error) {
	return look(f.process, func() (int, error) { return f.file.ReadAt(b, off) })
}

func (f *processFile) WriteAt(b []byte, off int64) (n int, err error) {
	err = f.process.change(false, func() (err error) {
		if f.process.full { // a part of it finds room
			n, _ = f.file.WriteAt(b[:len(b)/2], off)
			return vfs.ErrNoSpace
		}
		n, err = f.file.WriteAt(b, off)
		return err
	})
	return n, err
}

func (f *processFile) Sync() error {
	return f.process.change(false, f.file.Sync)
}

func (f *processFile) Size() (int64, error) { return look(f.process, f.file.Size) }

func (f *processFile) Truncate(size int64) error {
	return f.process.change(false, func() error { return f.file.Truncate(size) })
}

// Close is done for the dead as well: their files are closed for them.
func (f *processFile) Close() error { return f.file.Close() }
