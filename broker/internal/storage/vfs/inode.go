package vfs

import (
	"maps"
	"slices"
)

const (
	sectorSize = 512
	pageSize   = 4096
	maxFile    = 1 << 34 // bytes of one file, so that a wild offset makes an error and not a table of pages for it
)

// inode is what a file of a Memory holds: now (pages, size), at its last sync (of the pages that have changed since, before,
// the others are the same), and what happened to it in between.
//
// Pages are shared: with before, with clones, with what crashes leave. A page is written in place only by the inode that
// owns it and only when before has had its turn; otherwise it is copied first. A clone has no pages of its own, and its
// original has none any more.
type inode struct {
	id         int
	links      int // names, as of now
	handles    int
	owner      *owner
	size       int64
	pages      []*page // nil: zeros. Behind size everything is zeros
	allocated  int64   // how many are not nil
	syncedSize int64
	before     map[int]*page
	unsynced   []change
}

type page struct {
	owner *owner
	data  [pageSize]byte
}

// owner is an identity. It is not empty, since pointers to empty things may be equal.
type owner struct{ _ byte }

// change is something that happened to a file and was not synced.
type change struct {
	off  int64
	data []byte // of a write; never changed
	size int64  // the file's, afterwards
	was  int64  // before
}

func (c change) isWrite() bool { return c.data != nil }
func (c change) shrinks() bool { return c.size < c.was }

// write writes and remembers that it is not synced. The data must not change any more.
func (f *inode) write(off int64, data []byte) {
	was := f.size
	f.put(off, data)
	f.unsynced = append(f.unsynced, change{off: off, data: data, size: f.size, was: was})
}

// truncate changes the size and remembers that it is not synced.
func (f *inode) truncate(size int64) {
	if size == f.size {
		return
	}
	f.unsynced = append(f.unsynced, change{size: size, was: f.size})
	f.resize(size)
}

// sync makes the present the durable state.
func (f *inode) sync() {
	f.syncedSize = f.size
	f.before = nil
	f.unsynced = nil
}

// put changes bytes, and makes the file longer if need be.
func (f *inode) put(off int64, b []byte) {
	f.size = max(f.size, off+int64(len(b)))
	for len(b) > 0 {
		p := f.own(int(off / pageSize))
		n := copy(p.data[off%pageSize:], b)
		b = b[n:]
		off += int64(n)
	}
}

// resize changes the size.
func (f *inode) resize(size int64) {
	if size < f.size {
		keep := int((size + pageSize - 1) / pageSize)
		for i := keep; i < len(f.pages); i++ {
			f.remember(i)
			if f.pages[i] != nil {
				f.allocated--
			}
		}
		f.pages = f.pages[:min(keep, len(f.pages))]
		if at := size % pageSize; at != 0 && keep == len(f.pages) && f.pages[keep-1] != nil {
			clear(f.own(keep - 1).data[at:])
		}
	}
	f.size = size
}

// remember keeps a page as it was at the last sync.
func (f *inode) remember(i int) {
	if _, done := f.before[i]; done {
		return
	}
	if f.before == nil {
		f.before = map[int]*page{}
	}
	var p *page
	if i < len(f.pages) {
		p = f.pages[i]
	}
	f.before[i] = p
}

// own returns a page that may be written in place.
func (f *inode) own(i int) *page {
	if f.owner == nil {
		f.owner = new(owner)
	}
	_, remembered := f.before[i]
	if i < len(f.pages) && f.pages[i] != nil && f.pages[i].owner == f.owner && remembered {
		return f.pages[i]
	}
	f.remember(i)
	for i >= len(f.pages) {
		f.pages = append(f.pages, nil)
	}
	p := new(page)
	if old := f.pages[i]; old != nil {
		p.data = old.data
	} else {
		f.allocated++
	}
	p.owner = f.owner
	f.pages[i] = p
	return p
}

// read fills b from off on and returns how many bytes there were.
func (f *inode) read(b []byte, off int64) int {
	if off >= f.size {
		return 0
	}
	b = b[:min(int64(len(b)), f.size-off)]
	for done := 0; done < len(b); {
		i, at := int(off/pageSize), off%pageSize
		n := min(len(b)-done, pageSize-int(at))
		if i < len(f.pages) && f.pages[i] != nil {
			copy(b[done:done+n], f.pages[i].data[at:])
		} else {
			clear(b[done : done+n])
		}
		done += n
		off += int64(n)
	}
	return len(b)
}

// flip turns over a bit in the present, in what was synced and in what is to be.
func (f *inode) flip(bit int64) {
	at, mask := bit/8, byte(1)<<(bit%8)
	i := int(at / pageSize)
	flipped := func(p *page) *page {
		q := &page{owner: f.owner}
		if p != nil {
			q.data = p.data
		}
		q.data[at%pageSize] ^= mask
		return q
	}
	if at >= f.syncedSize {
		f.remember(i)
	}
	for i >= len(f.pages) {
		f.pages = append(f.pages, nil)
	}
	if f.pages[i] == nil {
		f.allocated++
	}
	f.pages[i] = flipped(f.pages[i])
	if p, changed := f.before[i]; changed && at < f.syncedSize {
		f.before[i] = flipped(p)
	}
	f.unsynced = slices.Clone(f.unsynced)
	for k, c := range f.unsynced {
		if c.isWrite() && c.off <= at && at < c.off+int64(len(c.data)) {
			c.data = slices.Clone(c.data)
			c.data[at-c.off] ^= mask
			f.unsynced[k] = c
		}
	}
}

// clone returns the same again, without handles.
func (f *inode) clone() *inode {
	g := *f
	g.handles = 0
	g.pages = slices.Clone(f.pages)
	g.before = maps.Clone(f.before)
	g.unsynced = slices.Clip(f.unsynced)
	f.owner, g.owner = nil, nil
	return &g
}

// synced returns what was durable of the file, without names and handles.
func (f *inode) synced() *inode {
	g := &inode{id: f.id, size: f.syncedSize, syncedSize: f.syncedSize}
	g.pages = make([]*page, (f.syncedSize+pageSize-1)/pageSize)
	copy(g.pages, f.pages)
	for i, p := range f.before {
		if i < len(g.pages) {
			g.pages[i] = p
		}
	}
	for _, p := range g.pages {
		if p != nil {
			g.allocated++
		}
	}
	f.owner = nil
	return g
}

// afterCrash returns what a power cut leaves of the file, as Memory describes it. survives is asked for each thing that
// may have arrived or not.
func (f *inode) afterCrash(survives func() bool) *inode {
	g := f.synced()
	changes := f.unsynced
	for i, c := range changes {
		if c.shrinks() && !survives() {
			changes = changes[:i]
			break
		}
	}
	arrived := map[int64]int{} // by sector: the last of its writes that arrived, counted from 1
	grown := make([]bool, len(changes))
	for i, c := range changes {
		if c.isWrite() {
			for s := c.off / sectorSize; s*sectorSize < c.off+int64(len(c.data)); s++ {
				if survives() {
					arrived[s] = i + 1
				}
			}
		}
		grown[i] = c.size > c.was && survives()
	}
	for i, c := range changes {
		switch {
		case c.shrinks():
			g.resize(c.size)
			continue
		case grown[i]:
			g.size = max(g.size, c.size)
		}
		// A sector arrives as a whole: with it come the earlier writes to it.
		for off := c.off; off < c.off+int64(len(c.data)); {
			end := min((off/sectorSize+1)*sectorSize, c.off+int64(len(c.data)))
			if arrived[off/sectorSize] > i {
				g.put(off, c.data[off-c.off:end-c.off])
			}
			off = end
		}
	}
	g.sync()
	return g
}
