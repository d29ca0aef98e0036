package storetest

import (
	"errors"
	"sync"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// errDead is what a process gets of its file system after it has died.
var errDead = errors.New("storetest: the process is dead")

// process is a disk as one process sees it: it can die before any call that changes something, and from then on reaches
// the disk no more; its disk may be full; and calls may fail.
type process struct {
	vfs.FS

	mu    sync.Mutex
	calls int                // lock: mu; that changed something, or would have
	death int                // lock: mu; the number of the call to die at; 0 is none
	dead  bool               // lock: mu
	full  bool               // lock: mu; nothing more can be written
	fault func(vfs.Op) error // lock: mu; asked for each call while there is one
	busy  func()             // lock: mu; called before each call while there is one, and calls the disk no more
}

func newProcess(disk vfs.FS) *process {
	p := new(process)
	p.FS = vfs.Inject(disk, p.decide)
	return p
}

func (p *process) decide(op vfs.Op) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy != nil && !p.dead {
		p.busy()
	}
	if changes(op.Kind) && !p.dead {
		p.calls++
		p.dead = p.calls == p.death
	}
	switch {
	case p.dead:
		return errDead
	case p.full && op.Kind == vfs.OpCreate:
		return vfs.ErrNoSpace
	case p.full && op.Kind == vfs.OpWriteAt:
		return &vfs.ShortWrite{N: op.Len / 2, Err: vfs.ErrNoSpace}
	case p.fault != nil:
		return p.fault(op)
	}
	return nil
}

// changes reports whether such a call changes what is on the disk.
func changes(k vfs.Kind) bool {
	switch k {
	case vfs.OpCreate, vfs.OpRemove, vfs.OpRename, vfs.OpLink, vfs.OpMkdirAll, vfs.OpSyncDir, vfs.OpWriteAt, vfs.OpSync, vfs.OpTruncate:
		return true
	}
	return false
}

// dieAt makes the process die at the n-th call from now on, 1 being the next; 0: it will not.
func (p *process) dieAt(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.death = 0
	if n > 0 {
		p.death = p.calls + n
	}
}

func (p *process) setFull(full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.full = full
}

func (p *process) setFault(fault func(vfs.Op) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

func (p *process) setBusy(busy func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = busy
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
