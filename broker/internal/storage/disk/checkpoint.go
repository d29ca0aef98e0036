package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

const (
	checkpointName = "checkpoint"
	tempSuffix     = ".tmp"
)

// saved is what the last checkpoint says, as far as the next one asks.
type saved struct {
	at     journal.Pos
	known  uint64 // see picture
	meta   uint64 // number of the file with the values; 0 is none
	serial uint64 // of the values in it
}

// picture is the store as it is behind one unit of the journal, which is what a checkpoint says.
type picture struct {
	lastFile   uint64
	lastStream uint64
	ticket     storage.Ticket // of the last unit; or a later one, of a frame without any
	at         journal.Pos    // behind it
	opened     uint64         // segments of lower numbers have no transient records alive
	known      uint64         // files of the journal with higher numbers were begun later
	journals   []uint64       // files of the journal that have something live, or may yet have
	segments   []*file
	meta       uint64
	dropped    spans
}

// Checkpoint writes down how things are, if they are different from what the last checkpoint says. Recovery begins
// there, and files of which it needs nothing are free.
func (st *Store) Checkpoint() error { return st.working(st.checkpoint) }

// working does something that needs work, and then tells the owner what came of it.
func (st *Store) working(do func() error) error {
	st.work.Lock()
	err := st.fine()
	if err == nil {
		err = do()
	}
	st.work.Unlock()
	st.tell()
	return err
}

// fine returns why nothing more should be written.
func (st *Store) fine() error {
	if f := st.failure.Load(); f != nil {
		return f.err
	}
	if st.closed.Load() {
		return storage.ErrClosed
	}
	return st.journal.Err()
}

// checkpoint does so. work is held.
//
// The picture is taken in one moment. It is of a time that may not be durable yet, so the journal is synced before
// the file gets its name.
func (st *Store) checkpoint() error {
	st.mu.Lock()
	p, streams, recyclable := st.take()
	changed := p.at != st.saved.at || st.unchecked || len(p.segments) < len(st.segments) ||
		slices.ContainsFunc(recyclable, func(f *file) bool { return !slices.Contains(st.recyclable, f) })
	if !changed {
		st.mu.Unlock()
		st.sweep()
		return nil
	}
	values, serial := st.values.since(st.saved.serial)
	st.mu.Unlock()
	if err := st.journal.Sync(); err != nil {
		return err
	}

	now := saved{at: p.at, known: p.known, meta: st.saved.meta, serial: serial}
	metaBytes := st.metaBytes
	if serial != st.saved.serial {
		b := encodeValues(values)
		now.meta, metaBytes = st.number(), int64(len(b))
		if _, err := writeFile(st.fs, st.o.Dir, metaName(now.meta), b); err != nil {
			return st.unwritten("the values", err)
		}
	}
	p.meta, p.lastFile = now.meta, st.lastFile.Load()
	b := p.encode(streams)
	if renamed, err := writeFile(st.fs, st.o.Dir, checkpointName, b); err != nil {
		if now.meta != st.saved.meta && !renamed {
			_ = st.fs.Remove(filepath.Join(st.o.Dir, metaName(now.meta))) // what stays is found by its name on the next start
		}
		if renamed { // which of the two a crash leaves is not known
			st.fail(err)
		}
		return st.unwritten("a checkpoint", err)
	}
	st.pressure.set(func(p *pressure) { p.noFile = false })
	st.otherBytes.Store(int64(len(b)) + metaBytes)
	if st.saved.meta != 0 && st.saved.meta != now.meta {
		st.remove(metaName(st.saved.meta))
	}
	st.saved, st.metaBytes, st.unchecked, st.recyclable = now, metaBytes, false, recyclable
	for _, f := range st.segments {
		if !slices.Contains(p.segments, f) {
			st.leaving = append(st.leaving, f)
		}
	}
	st.segments = p.segments
	st.sweep()
	return nil
}

// unwritten is for a file that could not be written: for want of room, which may come again, or for a reason after
// which the disk is not to be trusted.
func (st *Store) unwritten(what string, err error) error {
	err = fmt.Errorf("disk: writing %s: %w", what, err)
	if errors.Is(err, vfs.ErrNoSpace) {
		st.pressure.set(func(p *pressure) { p.noFile = true })
	} else {
		st.fail(err)
	}
	return err
}

// writeFile writes a file that is there whole or not at all. renamed says that it may be there although there is an
// error.
func writeFile(fs vfs.FS, dir, name string, b []byte) (renamed bool, err error) {
	temp := filepath.Join(dir, name+tempSuffix)
	f, err := fs.Create(temp)
	if err != nil {
		return false, err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fs.Rename(temp, filepath.Join(dir, name))
	}
	if err != nil {
		_ = fs.Remove(temp) // what stays is found by its name on the next start
		return false, err
	}
	return true, fs.SyncDir(dir)
}

// take takes a picture, all but the number of the file with the values, with what of it is about streams encoded
// already. mu is held. recyclable are the files of the journal that it has no need of.
func (st *Store) take() (p picture, streams []byte, recyclable []*file) {
	p = picture{
		lastStream: st.lastStream.Load(), ticket: max(st.ticket, st.journal.Durable()), at: st.at,
		opened: st.opened, known: st.saved.known, dropped: slices.Clone(st.dropped),
	}
	bodies := map[uint64]bool{}
	for _, f := range st.segments {
		if f.live.Load() > 0 {
			p.segments = append(p.segments, f)
			for _, b := range f.bodies {
				bodies[b.number] = true
			}
		}
	}
	for _, f := range st.sealedFiles() {
		if f.live.Load() == 0 && !bodies[f.number] {
			recyclable = append(recyclable, f)
		}
	}
	for _, n := range st.journal.Files() {
		p.known = max(p.known, n)
		if !bodies[n] && !slices.ContainsFunc(recyclable, func(f *file) bool { return f.number == n }) {
			p.journals = append(p.journals, n)
		}
	}
	return p, st.appendStreams(nil, p.segments), recyclable
}

// sealedFiles returns the files of the journal that are complete, synced, and of which everything has taken effect.
// mu is held.
func (st *Store) sealedFiles() (files []*file) {
	for _, info := range st.journal.SealedFiles() {
		i, found := slices.BinarySearchFunc(st.files, info.Number, func(f *file, n uint64) int {
			if f.number < n {
				return -1
			}
			if f.number > n {
				return 1
			}
			return 0
		})
		if found {
			files = append(files, st.files[i])
		} else {
			files = append(files, &file{number: info.Number}) // without a unit
		}
	}
	return files
}

// sealed returns the same.
func (st *Store) sealed() []*file {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.sealedFiles()
}

// adopt takes files out of the journal that belong to segments from now on, unless somebody is still reading what he
// found in them before. work is held, and a checkpoint says whose they are.
func (st *Store) adopt() {
	read := st.sealed()
	st.adopting = false
	for _, f := range st.segments {
		for _, b := range f.bodies {
			switch {
			case b.adopted:
				continue
			case slices.ContainsFunc(read, func(f *file) bool { return f.number == b.number && f.pins.Load() > 0 }):
				st.adopting = true
				continue
			}
			b.adopted = true
			if err := st.journal.Adopt(b.number); err != nil {
				st.log.Warn("a file of the journal was not given away", slog.Any("err", err))
			}
			st.segmentBytes.Add(b.size)
			st.drop(b.number)
		}
	}
}

// drop forgets a file of the journal.
func (st *Store) drop(number uint64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.files = slices.DeleteFunc(st.files, func(f *file) bool { return f.number == number })
}

// sweep gives files to their owners, and removes those that the last checkpoint has no need of, as far as nobody
// reads them. work is held.
func (st *Store) sweep() {
	st.adopt()
	st.leaving = slices.DeleteFunc(st.leaving, func(f *file) bool {
		if f.pins.Load() > 0 {
			return false
		}
		f.close()
		size := f.segment.Size()
		st.remove(segmentName(f.number))
		for _, b := range f.bodies {
			if b.adopted {
				size += b.size
				st.remove(journalName(b.number))
			}
		}
		st.segmentBytes.Add(-size)
		st.segmentCount.Add(-1)
		return true
	})
	st.recyclable = slices.DeleteFunc(st.recyclable, func(f *file) bool {
		if f.pins.Load() > 0 || slices.ContainsFunc(st.leaving, func(l *file) bool { return l.pointsTo(f.number) }) {
			return false
		}
		if err := st.journal.Recycle(f.number); err != nil {
			st.log.Warn("a file of the journal was not taken back", slog.String("file", journalName(f.number)), slog.Any("err", err))
		}
		st.drop(f.number)
		return true
	})
}

func (f *file) pointsTo(number uint64) bool {
	return slices.ContainsFunc(f.bodies, func(b *body) bool { return b.number == number })
}

// remove removes a file that nobody needs. What stays is found on the next start.
func (st *Store) remove(name string) {
	if err := st.fs.Remove(filepath.Join(st.o.Dir, name)); err != nil {
		st.log.Warn("a file was not removed", slog.String("file", name), slog.Any("err", err))
	}
}

// A checkpoint is
//
//	 0                 8         12
//	+-----------------+---------+-----------+---------+
//	| "WRNCHKP1"      | version | body      | crc32c  |
//	|                 | u32     |           | u32     |
//	+-----------------+---------+-----------+---------+
//
// little endian; the checksum covers what stands before it. The body is made of unsigned varints: the numbers of
// picture in their order; how many files of the journal, and the number of each, less the one before; how many
// segments, and of each its number, its size and the spans of its extents that nobody has anything in; the spans of
// dropped; and the streams, see appendStreams. Spans are how many there are, and of each how far it begins behind the
// one before and how long it is.
const (
	checkpointMagic   = "WRNCHKP1"
	checkpointVersion = 1
	fileHead          = 12
)

func appendHead(b []byte, magic string, version uint32) []byte {
	return binary.LittleEndian.AppendUint32(append(b, magic...), version)
}

func appendSum(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, block.Checksum(0, b)) }

func (p *picture) encode(streams []byte) []byte {
	b := appendHead(make([]byte, 0, len(streams)+64*len(p.segments)+4096), checkpointMagic, checkpointVersion)
	for _, n := range [...]uint64{p.lastFile, p.lastStream, uint64(p.ticket), p.at.File, uint64(p.at.Offset), p.opened, p.known, p.meta} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(p.journals)))
	before := uint64(0)
	for _, n := range p.journals {
		b = binary.AppendUvarint(b, n-before)
		before = n
	}
	b = binary.AppendUvarint(b, uint64(len(p.segments)))
	for _, f := range p.segments {
		b = binary.AppendUvarint(b, f.number)
		b = binary.AppendUvarint(b, uint64(f.segment.Size()))
		b = appendSpans(b, f.unseen)
	}
	b = appendSpans(b, p.dropped)
	return appendSum(append(b, streams...))
}

func appendSpans(b []byte, s spans) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	before := uint64(0)
	for _, r := range s {
		b = binary.AppendUvarint(b, r.from-before)
		b = binary.AppendUvarint(b, r.to-r.from)
		before = r.to
	}
	return b
}

// appendStreams appends how many streams there are, and each:
//
//	id, next, delivered
//	returned   how many marks, and of each: how far behind the one before, how long, deliveries
//	early      spans
//	journaled  spans: the numbers that are alive in files of the journal
//	parts      how many chunks are in segments, without those that are whole extents with nothing dead and nothing missing;
//	           and of each: which of the segments, extent, first, last - first, dead
//
// dead is 0 and spans, less first; or 1, how far below first a bitmap begins, for how many numbers, and its words
// (u64).
//
// mu is held.
func (st *Store) appendStreams(b []byte, segments []*file) []byte {
	index := make(map[*file]int, len(segments))
	for i, f := range segments {
		index[f] = i
		f.unseen = nil
		for e := range f.views {
			if f.views[e].Load() == 0 {
				f.unseen.add(uint64(e), uint64(e)+1)
			}
		}
	}
	all := st.all()
	b = binary.AppendUvarint(b, uint64(len(all)))
	var scratch spans
	var parts []*chunk
	for _, s := range all {
		s.mu.Lock()
		for _, n := range [...]uint64{s.id, s.next, s.delivered} {
			b = binary.AppendUvarint(b, n)
		}
		b = appendMarks(b, s.returned)
		b = appendSpans(b, s.early)
		parts, scratch = parts[:0], scratch[:0]
		for i := range s.chunks {
			c := &s.chunks[i]
			if c.places != nil {
				scratch = c.places.alive(scratch)
			} else if !c.whole() {
				parts = append(parts, c)
			}
		}
		b = appendSpans(b, scratch)
		b = binary.AppendUvarint(b, uint64(len(parts)))
		for _, c := range parts {
			for _, n := range [...]uint64{uint64(index[c.file]), uint64(c.extent), c.first, c.last - c.first} {
				b = binary.AppendUvarint(b, n)
			}
			b = c.appendDead(b)
		}
		s.mu.Unlock()
	}
	return b
}

// alive adds the numbers of the records that are alive to a set whose numbers are lower.
func (p *places) alive(set spans) spans {
	for i := p.head; i < len(p.entries); i++ {
		if p.entries[i].off != 0 {
			seq := p.seq(i)
			if n := len(set); n > 0 && set[n-1].to == seq {
				set[n-1].to++
			} else {
				set = append(set, span{seq, seq + 1})
			}
		}
	}
	return set
}

// whole reports whether a chunk is an extent with nothing dead and nothing missing.
func (c *chunk) whole() bool {
	e := &c.file.segment.Extents()[c.extent]
	return c.dead == nil && c.first == e.First && c.last == e.Last && uint64(e.Count) == e.Last-e.First+1
}

func appendMarks(b []byte, marks []mark) []byte {
	b = binary.AppendUvarint(b, uint64(len(marks)))
	before := uint64(0)
	for _, m := range marks {
		b = binary.AppendUvarint(b, m.from-before)
		b = binary.AppendUvarint(b, m.to-m.from)
		b = binary.AppendUvarint(b, uint64(m.deliveries))
		before = m.to
	}
	return b
}

func (c *chunk) appendDead(b []byte) []byte {
	if c.dead == nil || c.dead.bits == nil {
		b = append(b, 0)
		if c.dead == nil {
			return append(b, 0)
		}
		moved := make(spans, 0, len(c.dead.spans))
		for _, r := range c.dead.spans {
			if r.to > c.first {
				moved = append(moved, span{max(r.from, c.first) - c.first, r.to - c.first})
			}
		}
		return appendSpans(b, moved)
	}
	// Whole words from below the first number on.
	skip := (c.first - c.dead.bounds.from) / 64
	from := c.dead.bounds.from + 64*skip
	b = append(b, 1)
	b = binary.AppendUvarint(b, c.first-from)
	b = binary.AppendUvarint(b, c.dead.bounds.to-from)
	for _, word := range c.dead.bits[skip:] {
		b = binary.LittleEndian.AppendUint64(b, word)
	}
	return b
}
