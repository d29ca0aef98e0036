package disk

import (
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/storage"
)

const (
	// behindAbove is with how many sealed files that are to be copied there is storage.Behind, and easyBelow with how
	// many it is over.
	behindAbove = 4
	easyBelow   = 3
)

// pressure is why nothing more should be published for now.
type pressure struct {
	free atomic.Uint64 // bytes that the disk has left, as of the last look; 0 is unknown

	mu sync.Mutex
	// mu owns these.
	noRoom  bool // the journal found no room
	noFile  bool // another file found none
	low     bool // the disk has less left than it must have
	behind  bool // files wait to be copied
	told    storage.Pressure
	telling bool
}

// now returns what there is. mu is held.
func (p *pressure) now() storage.Pressure {
	switch {
	case p.noRoom || p.noFile || p.low:
		return storage.Full
	case p.behind:
		return storage.Behind
	}
	return storage.Easy
}

// set changes something. Who does so calls tell, once he holds no lock.
func (p *pressure) set(change func(*pressure)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// full reports whether a file could not be written for want of room.
func (p *pressure) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.noFile
}

// tell tells the owner of a pressure that has changed, and of a failure.
func (st *Store) tell() {
	if f := st.failure.Load(); f != nil && !f.told.Swap(true) && st.o.Events.Failed != nil {
		st.o.Events.Failed(f.err)
	}
	p := &st.pressure
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.telling {
		return // somebody else does, and looks once more
	}
	p.telling = true
	for p.told != p.now() {
		p.told = p.now()
		told := p.told
		p.mu.Unlock()
		if st.o.Events.Pressed != nil {
			st.o.Events.Pressed(told)
		}
		p.mu.Lock()
	}
	p.telling = false
}

// look looks at how much room the disk has, and how many files wait.
func (st *Store) look() {
	free, err := st.fs.Free(st.o.Dir)
	if err != nil {
		free = 0 // not known
	}
	st.pressure.free.Store(free)
	waiting := st.waiting()
	low := false
	st.pressure.set(func(p *pressure) {
		if p.low {
			// A little more than there must be, so that it does not come and go.
			p.low = err == nil && free < st.o.MinFree+st.o.MinFree/16
		} else {
			p.low = err == nil && free < st.o.MinFree
		}
		if p.behind {
			p.behind = waiting > easyBelow
		} else {
			p.behind = waiting > behindAbove
		}
		low = p.low
	})
	st.journal.Lean(low) // what it keeps for speed is room, too
}

// waiting returns how many files of the journal wait to be copied.
func (st *Store) waiting() (n int) {
	for _, f := range st.sealed() {
		if f.live.Load() > 0 && !f.damaged.Load() {
			n++
		}
	}
	return n
}
