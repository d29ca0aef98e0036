package vfs

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
)

// step is an operation that changed a Memory, with all that is needed to do it to another that is in the same state. Files
// are meant by number, since an open one may have got another name.
type step struct {
	Op
	node int    // OpCreate: the number if it is a new file. OpWriteAt, OpSync, OpTruncate, OpLink: which
	data []byte // OpWriteAt; never changed
}

// do makes a change that was found to be possible, and records it. It is the only thing that changes files and folders.
func (m *Memory) do(s step) {
	switch node := m.inodes[s.node]; s.Kind {
	case OpCreate:
		d, base := m.split(s.Name)
		if old := d.names[base]; old != nil {
			m.change(old, func() { old.truncate(0) })
			break
		}
		m.lastNode = s.node
		m.inodes[s.node] = &inode{id: s.node}
		m.changeNames(d, entry{kind: OpCreate, name: base, node: m.inodes[s.node]})
	case OpWriteAt:
		m.change(node, func() { node.write(s.Offset, s.data) })
	case OpTruncate:
		m.change(node, func() { node.truncate(s.Offset) })
	case OpSync:
		node.sync()
	case OpRemove:
		d, base := m.split(s.Name)
		m.changeNames(d, entry{kind: OpRemove, name: base})
	case OpRename:
		d, base := m.split(s.Name)
		m.changeNames(d, entry{kind: OpRename, name: base, to: filepath.Base(s.Other)})
	case OpLink:
		d, base := m.split(s.Other)
		m.changeNames(d, entry{kind: OpLink, name: base, node: node})
	case OpMkdirAll:
		for _, at := range m.missing(s.Name) {
			m.folders[at] = newFolder()
		}
	case OpSyncDir:
		d := m.folders[filepath.Clean(s.Name)]
		for _, e := range d.unsynced {
			e.apply(d.synced)
		}
		d.unsynced = nil
	}
	if m.record != nil {
		m.record.add(s)
	}
}

// change changes what a file holds and keeps count of the room.
func (m *Memory) change(node *inode, f func()) {
	m.used -= node.allocated * pageSize
	f()
	m.used += node.allocated * pageSize
}

func (m *Memory) changeNames(d *folder, e entry) {
	if e.node != nil {
		e.node.links++
	}
	if loser := e.apply(d.names); loser != nil {
		loser.links--
		m.forget(loser)
	}
	d.unsynced = append(d.unsynced, e)
}

// forget gives back the room of a file that has no name and is not open. After a crash it may be there again.
func (m *Memory) forget(node *inode) {
	if node.links == 0 && node.handles == 0 && !m.replay {
		m.used -= node.allocated * pageSize
		delete(m.inodes, node.id)
	}
}

// Clone returns the disk again, with everything that was written and all that is known of what is durable: what a new
// process finds when this one has died and the machine goes on. Nothing is open in it, and no lock is held. The two are
// independent of one another from now on. It costs a few bytes for each page of 4 KiB; pages are copied when they are
// written to.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clone()
}

func (m *Memory) clone() *Memory {
	c := newMemory()
	c.capacity, c.lastNode, c.dead = m.capacity, m.lastNode, m.dead
	cloned := map[*inode]*inode{}
	clone := func(f *inode) *inode {
		if f == nil {
			return nil
		}
		g := cloned[f]
		if g == nil {
			g = f.clone()
			cloned[f] = g
			c.keep(g)
		}
		return g
	}
	for at, d := range m.folders {
		e := &folder{names: make(map[string]*inode, len(d.names)), synced: make(map[string]*inode, len(d.synced))}
		for name, f := range d.names {
			e.names[name] = clone(f)
		}
		for name, f := range d.synced {
			e.synced[name] = clone(f)
		}
		e.unsynced = slices.Clone(d.unsynced)
		for i := range e.unsynced {
			e.unsynced[i].node = clone(e.unsynced[i].node)
		}
		c.folders[at] = e
	}
	return c
}

// keep counts in a file of which the links are known.
func (m *Memory) keep(f *inode) {
	m.inodes[f.id] = f
	if f.links > 0 {
		m.used += f.allocated * pageSize
	}
}

// Crash cuts the power and returns the disk as it is found when that is back. Of what was not durable, each thing
// that Memory lists arrived with the probability keep, by what rnd says: with 0 everything is lost, with 1 nothing is. The
// same operations and the same rnd make the same disk.
//
// The old one cannot be used any more: everything in it gives fs.ErrClosed.
func (m *Memory) Crash(rnd *rand.Rand, keep float64) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.afterCrash(func() bool { return rnd.Float64() < keep })
	m.dead = true
	clear(m.handles)
	clear(m.locks)
	return c
}

// afterCrash returns what a power cut leaves. survives is asked for each thing that may have arrived or not, in an order
// that depends on nothing but what was done. Nothing in m changes, except that pages are shared.
func (m *Memory) afterCrash(survives func() bool) *Memory {
	c := newMemory()
	c.capacity, c.lastNode = m.capacity, m.lastNode
	left := map[*inode]*inode{}
	for _, at := range slices.Sorted(maps.Keys(m.folders)) {
		d := m.folders[at]
		names := maps.Clone(d.synced)
		for _, e := range d.unsynced {
			if !survives() {
				break
			}
			e.apply(names)
		}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			f := names[name]
			if left[f] == nil {
				left[f] = f.afterCrash(survives)
			}
			left[f].links++
			names[name] = left[f]
		}
		c.folders[at] = &folder{names: names, synced: maps.Clone(names)}
	}
	for _, f := range left {
		c.keep(f)
	}
	return c
}
