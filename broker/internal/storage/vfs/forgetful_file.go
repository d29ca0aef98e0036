package vfs

import (
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
)

// pendingFile is a file of a Forgetful file system: the file in under as of its last Sync, and what lies over it.
type pendingFile struct {
	paths   []string // where it lies in under; by forgetful.mu
	handles int      // by forgetful.mu

	mu    sync.RWMutex // guards everything below; what under points to is itself safe
	under File         // open while there are handles
	size  int64
	below int64                     // the size in under
	valid int64                     // behind it what under holds is not the file's any more: it was cut off
	pages map[int64]*[pageSize]byte // that were written since the last Sync, by number
}

// lose says that a name is gone in under.
func (p *pendingFile) lose(path string) {
	p.paths = slices.DeleteFunc(p.paths, func(s string) bool { return s == path })
}

// acquire adds a handle.
func (p *pendingFile) acquire(under FS) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handles == 0 {
		f, err := under.OpenReadWrite(p.paths[0])
		if err != nil {
			return err
		}
		if !p.dirty() {
			if p.below, err = f.Size(); err != nil {
				f.Close()
				return err
			}
			p.size, p.valid = p.below, p.below
		}
		p.under = f
	}
	p.handles++
	return nil
}

// release takes a handle away. What was not synced stays.
func (p *pendingFile) release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handles--
	if p.handles > 0 {
		return nil
	}
	err := p.under.Close()
	p.under = nil
	return err
}

func (p *pendingFile) dirty() bool {
	return len(p.pages) > 0 || p.size != p.below || p.valid != p.below
}

// read fills b from off on; it lies within the file.
func (p *pendingFile) read(b []byte, off int64) error {
	for len(b) > 0 {
		at := off % pageSize
		n := min(int64(len(b)), pageSize-at)
		if page := p.pages[off/pageSize]; page != nil {
			copy(b[:n], page[at:])
		} else if err := p.readUnder(b[:n], off); err != nil {
			return err
		}
		b = b[n:]
		off += n
	}
	return nil
}

// readUnder fills b with what under has from off on of the file, and zeros where it has nothing.
func (p *pendingFile) readUnder(b []byte, off int64) error {
	n := min(max(p.valid-off, 0), int64(len(b)))
	clear(b[n:])
	got, err := p.under.ReadAt(b[:n], off)
	if int64(got) == n {
		return nil
	}
	return err
}

// write changes bytes, and makes the file longer if need be. It returns how many it has changed.
func (p *pendingFile) write(b []byte, off int64) (done int, err error) {
	for done < len(b) {
		number, at := off/pageSize, off%pageSize
		page := p.pages[number]
		if page == nil {
			page = new([pageSize]byte)
			if err := p.readUnder(page[:], number*pageSize); err != nil {
				return done, err
			}
			if p.pages == nil {
				p.pages = map[int64]*[pageSize]byte{}
			}
			p.pages[number] = page
		}
		n := copy(page[at:], b[done:])
		done += n
		off += int64(n)
		p.size = max(p.size, off)
	}
	return done, nil
}

func (p *pendingFile) truncate(size int64) {
	if size < p.size {
		for number, page := range p.pages {
			switch start := number * pageSize; {
			case start >= size:
				delete(p.pages, number)
			case start+pageSize > size:
				clear(page[size-start:])
			}
		}
		p.valid = min(p.valid, size)
	}
	p.size = size
}

// flush hands everything to under, which is then to be synced.
func (p *pendingFile) flush() error {
	if p.valid < p.below {
		if err := p.under.Truncate(p.valid); err != nil {
			return err
		}
		p.below = p.valid
	}
	numbers := slices.Sorted(maps.Keys(p.pages))
	for len(numbers) > 0 {
		run := 1 // neighbours are written together
		for run < len(numbers) && run < 256 && numbers[run] == numbers[0]+int64(run) {
			run++
		}
		start := numbers[0] * pageSize
		b := make([]byte, 0, run*pageSize)
		for _, number := range numbers[:run] {
			b = append(b, p.pages[number][:]...)
		}
		b = b[:min(int64(len(b)), p.size-start)]
		if _, err := p.under.WriteAt(b, start); err != nil {
			return err
		}
		p.below = max(p.below, start+int64(len(b)))
		p.valid = p.below
		for _, number := range numbers[:run] {
			delete(p.pages, number)
		}
		numbers = numbers[run:]
	}
	if p.below != p.size {
		if err := p.under.Truncate(p.size); err != nil {
			return err
		}
	}
	p.below, p.valid = p.size, p.size
	return nil
}

// forgetfulFile is a handle.
type forgetfulFile struct {
	f        *forgetful
	file     *pendingFile
	name     string
	writable bool

	mu     sync.RWMutex // held for reading during every use, so that Close waits for it
	closed bool         // by mu
}

// use begins a use of the handle, which done ends.
func (h *forgetfulFile) use(op string, change bool) (done func(), err error) {
	h.mu.RLock()
	switch {
	case h.closed:
		err = fs.ErrClosed
	case change && !h.writable:
		err = errReadOnly
	default:
		return h.mu.RUnlock, nil
	}
	h.mu.RUnlock()
	return nil, pathError(op, h.name, err)
}

func (h *forgetfulFile) ReadAt(b []byte, off int64) (int, error) {
	done, err := h.use("read", false)
	if err != nil {
		return 0, err
	}
	defer done()
	if off < 0 {
		return 0, pathError("read", h.name, errNegative)
	}
	p := h.file
	p.mu.RLock()
	defer p.mu.RUnlock()
	n := min(int64(len(b)), max(p.size-off, 0))
	if err := p.read(b[:n], off); err != nil {
		return 0, err
	}
	if n < int64(len(b)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

func (h *forgetfulFile) WriteAt(b []byte, off int64) (int, error) {
	done, err := h.use("write", true)
	if err != nil {
		return 0, err
	}
	defer done()
	if off < 0 {
		return 0, pathError("write", h.name, errNegative)
	}
	h.file.mu.Lock()
	defer h.file.mu.Unlock()
	return h.file.write(b, off)
}

func (h *forgetfulFile) Sync() error {
	done, err := h.use("sync", false)
	if err != nil {
		return err
	}
	defer done()
	h.file.mu.Lock()
	err = h.file.flush()
	under := h.file.under
	h.file.mu.Unlock()
	if err != nil {
		return err
	}
	return under.Sync()
}

func (h *forgetfulFile) Size() (int64, error) {
	done, err := h.use("stat", false)
	if err != nil {
		return 0, err
	}
	defer done()
	h.file.mu.RLock()
	defer h.file.mu.RUnlock()
	return h.file.size, nil
}

func (h *forgetfulFile) Truncate(size int64) error {
	done, err := h.use("truncate", true)
	if err != nil {
		return err
	}
	defer done()
	if size < 0 {
		return pathError("truncate", h.name, errNegative)
	}
	h.file.mu.Lock()
	defer h.file.mu.Unlock()
	h.file.truncate(size)
	return nil
}

func (h *forgetfulFile) Close() error {
	h.mu.Lock()
	closed := h.closed
	h.closed = true
	h.mu.Unlock()
	if closed {
		return pathError("close", h.name, fs.ErrClosed)
	}
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	return h.file.release()
}
