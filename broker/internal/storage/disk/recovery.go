package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
)

// Open opens the store in a folder, and makes one where there is none. Somebody else having the folder is a *vfs.LockedError.
// Files that are not as they were written are a *storage.DamageError, files of a younger format an error that says so.
func Open(o Options) (*Store, error) {
	o.fill()
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, fmt.Errorf("disk: %w", err)
	}
	lock, err := o.FS.Lock(filepath.Join(o.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("disk: %w", err)
	}
	st := &Store{
		o: o, fs: o.FS, log: o.Logger, lock: lock,
		opening: true,
		streams: make(map[uint64]*stream),
		failed:  make(chan struct{}),
		kick:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	st.values.byKey = make(map[string][]byte)
	if err := st.recover(); err != nil {
		if st.journal != nil {
			_ = st.journal.Close()
		}
		st.closeFiles()
		_ = lock.Close()
		return nil, err
	}
	st.opening = false
	if o.Manual {
		close(st.done)
		return st, nil
	}
	go st.run()
	st.call()
	return st, nil
}

const lockName = "lock"

// recovery is how a store is opened: the last checkpoint says which files there are and what was so behind one unit of the journal; the journal
// says what came then. Of units before that only the places of records are taken.
type recovery struct {
	*Store
	names     []string
	at        journal.Pos      // behind the last unit that the checkpoint knows
	journaled map[uint64]spans // by stream: the numbers that are alive in the journal according to the checkpoint
	missing   uint64           // how many of them were not found yet
}

func (st *Store) recover() error {
	rc := &recovery{Store: st, journaled: make(map[uint64]spans)}
	var err error
	if rc.names, err = st.fs.List(st.o.Dir); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	b, err := readFile(st.fs, st.o.Dir, checkpointName)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = rc.begin()
	}
	if err != nil {
		return fmt.Errorf("disk: reading %s: %w", checkpointName, err)
	}
	body, err := checkFile(b, checkpointMagic, checkpointVersion)
	if err != nil {
		return damaged(checkpointName, err)
	}
	cp, err := decodePicture(body)
	if err != nil {
		return damaged(checkpointName, err)
	}
	st.otherBytes.Store(int64(len(b)))
	if err := rc.load(cp); err != nil {
		return err
	}
	return rc.replay(cp)
}

// begin makes the first checkpoint of a new store, so that one that is missing is seen.
func (rc *recovery) begin() ([]byte, error) {
	for _, name := range rc.names {
		if _, what, ok := numbered(name); ok && what != spareSuffix {
			return nil, &storage.DamageError{File: checkpointName, What: fmt.Sprintf("it is missing, and there is %s", name)}
		}
	}
	b := (&picture{}).encode([]byte{0})
	_, err := writeFile(rc.fs, rc.o.Dir, checkpointName, b)
	return b, err
}

// spareSuffix is what the names of files end in that the journal keeps to write them again.
const spareSuffix = ".spare"

// numbered splits the name of a file of the store into its number and what follows that.
func numbered(name string) (number uint64, what string, ok bool) {
	digits, rest, ok := strings.Cut(name, ".")
	if !ok {
		return 0, "", false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, "." + rest, err == nil
}

// load takes what the checkpoint says, and the files that it names.
func (rc *recovery) load(cp *decoded) error {
	rc.at = cp.at
	rc.Store.at, rc.ticket, rc.dropped, rc.opened = cp.at, cp.ticket, cp.dropped, cp.opened
	rc.saved = saved{at: cp.at, known: cp.known, meta: cp.meta}
	rc.lastStream.Store(cp.lastStream)
	last := cp.lastFile
	for _, name := range rc.names {
		if n, _, ok := numbered(name); ok {
			last = max(last, n)
		}
	}
	rc.lastFile.Store(last)
	if cp.meta != 0 {
		b, err := readFile(rc.fs, rc.o.Dir, metaName(cp.meta))
		if err != nil {
			return missing(metaName(cp.meta), err)
		}
		if err := decodeValues(b, rc.values.set); err != nil {
			return damaged(metaName(cp.meta), err)
		}
		rc.metaBytes = int64(len(b))
		rc.otherBytes.Add(rc.metaBytes)
	}
	rc.saved.serial = rc.values.serial
	for i := range cp.segments {
		s, err := segment.Open(rc.fs, rc.o.Dir, cp.segments[i].number)
		if err != nil {
			return missing(segmentName(cp.segments[i].number), err)
		}
		f, err := rc.newSegmentFile(s)
		if err != nil {
			_ = s.Close()
			return missing(segmentName(cp.segments[i].number), err)
		}
		for _, b := range f.bodies {
			b.adopted = true
			rc.segmentBytes.Add(b.size)
		}
		rc.segments = append(rc.segments, f)
		if s.Size() != cp.segments[i].size {
			return damaged(segmentName(f.number), fmt.Errorf("it has %d bytes, and had %d", s.Size(), cp.segments[i].size))
		}
	}
	return rc.loadStreams(cp)
}

// missing makes of an error of opening a file that must be there one for who opens the store.
func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return damaged(name, errors.New("it is missing"))
	}
	return fmt.Errorf("disk: %s: %w", name, err)
}

// loadStreams makes the streams, and their chunks in segments.
func (rc *recovery) loadStreams(cp *decoded) error {
	listed := make([]map[int]bool, len(rc.segments))
	for i := range cp.streams {
		d := &cp.streams[i]
		s := newStream(rc.Store, d.id)
		s.known, s.next, s.delivered, s.returned, s.early = true, d.next, d.delivered, d.returned, d.early
		rc.streams[d.id] = s
		if len(d.journaled) > 0 {
			rc.journaled[d.id] = d.journaled
			rc.missing += d.journaled.size()
		}
		for _, p := range d.parts {
			if p.segment >= len(rc.segments) || p.extent >= len(rc.segments[p.segment].views) {
				return damaged(checkpointName, errBody)
			}
			f := rc.segments[p.segment]
			x := &f.segment.Extents()[p.extent]
			if x.Stream != d.id || p.first < x.First || p.last > x.Last {
				return damaged(checkpointName, errBody)
			}
			if listed[p.segment] == nil {
				listed[p.segment] = make(map[int]bool)
			}
			listed[p.segment][p.extent] = true
			s.load(f, p.extent, p.first, p.last, p.dead)
		}
	}
	for i, f := range rc.segments {
		unseen := cp.segments[i].unseen
		for e := range f.segment.Extents() {
			x := &f.segment.Extents()[e]
			s := rc.streams[x.Stream]
			if s == nil || listed[i][e] || unseen.has(uint64(e)) {
				continue
			}
			if uint64(x.Count) != x.Last-x.First+1 {
				return damaged(checkpointName, errBody)
			}
			s.load(f, e, x.First, x.Last, nil)
		}
	}
	for _, s := range rc.streams {
		slices.SortFunc(s.chunks, func(a, b chunk) int {
			if a.first < b.first {
				return -1
			}
			return 1
		})
		for i := 1; i < len(s.chunks); i++ {
			if s.chunks[i].first <= s.chunks[i-1].last {
				return damaged(checkpointName, errBody)
			}
		}
	}
	return rc.transients(cp.opened)
}

// load adds a chunk that lies in a segment.
func (s *stream) load(f *file, extent int, first, last uint64, dead *holes) {
	x := &f.segment.Extents()[extent]
	c := chunk{first: first, last: last, due: x.MinDeadline, file: f, extent: extent, dead: dead}
	live := last - first + 1 - dead.count(first, last+1)
	if live == 0 {
		return
	}
	c.live, c.bytes = int(live), share(x, int(live))
	c.first, _ = c.next(first)
	c.forget()
	f.live.Add(int64(live))
	f.used.Add(c.bytes)
	f.views[extent].Add(1)
	s.live += c.live
	s.chunks = append(s.chunks, c)
}

// transients settles the transient records in segments. Those in segments that were there when the store was opened for the last time have
// been settled then, and the checkpoint says so.
func (rc *recovery) transients(opened uint64) error {
	for _, f := range rc.segments {
		if f.number < opened {
			continue
		}
		for e := range f.segment.Extents() {
			x := &f.segment.Extents()[e]
			s := rc.streams[x.Stream]
			switch {
			case x.Transients == 0 || f.views[e].Load() == 0:
			case x.Transients == x.Count:
				s.killExtent(f, e)
			default:
				if err := s.killTransients(f, e); err != nil {
					return fmt.Errorf("disk: %w", err)
				}
			}
		}
	}
	rc.opened = rc.lastFile.Load() + 1
	return nil
}

// killExtent settles everything that lies in an extent.
func (s *stream) killExtent(f *file, extent int) {
	for i := 0; i < len(s.chunks); {
		if c := &s.chunks[i]; c.file == f && c.extent == extent {
			s.kill(c.first, c.last+1)
		} else {
			i++
		}
	}
}

// killTransients settles the transient records of an extent.
func (s *stream) killTransients(f *file, extent int) error {
	var r segment.Record
	c := f.segment.Cursor(extent, 0)
	for {
		ok, err := c.NextHead(&r)
		if !ok || err != nil {
			return err
		}
		if i := s.find(r.Seq); r.Transient && i < len(s.chunks) && s.chunks[i].file == f && s.chunks[i].extent == extent {
			s.kill(r.Seq, r.Seq+1)
		}
	}
}

// replay opens the journal and removes what nobody needs.
func (rc *recovery) replay(cp *decoded) error {
	bodies := map[uint64]bool{}
	for _, f := range rc.segments {
		for _, b := range f.bodies {
			bodies[b.number] = true
		}
	}
	files := slices.Clone(cp.journals)
	for _, name := range rc.names {
		if n, ok := journal.Number(name); ok && n > cp.known && !bodies[n] {
			files = append(files, n)
		}
	}
	st := rc.Store
	j, found, err := journal.Open(journal.Config{
		FS: st.fs, Dir: st.o.Dir, FileSize: st.o.JournalSize, Sync: st.o.Sync, Interval: st.o.Interval, Number: st.number, Manual: st.o.Manual,
		Committed: st.committed,
		Sealed:    st.call,
		NoRoom: func(noRoom bool) {
			st.pressure.set(func(p *pressure) { p.noRoom = noRoom })
			st.tell()
		},
		Failed: func(err error) {
			st.fail(err)
			st.tell()
		},
		Logger: st.log,
	}, files, cp.ticket+1, rc.unit)
	if err != nil {
		return missing("the journal", err)
	}
	st.journal = j
	if slices.Contains(files, cp.at.File) && before(st.at, cp.at) {
		return &storage.DamageError{File: journalName(cp.at.File), Offset: cp.at.Offset, What: "it ends before what the checkpoint knows of it"}
	}
	if rc.missing > 0 {
		return damaged("the journal", fmt.Errorf("%d records that the checkpoint knows are missing", rc.missing))
	}
	if before(st.at, cp.at) {
		st.at = cp.at // and its file is not there any more
	}
	st.ticket, st.dropped = max(st.ticket, found.Last), nil
	if found.TornFile != 0 {
		st.log.Warn("the end of the journal was torn by a crash, and is cut", slog.String("file", journalName(found.TornFile)),
			slog.Int64("at", found.TornAt), slog.Int64("bytes", found.TornBytes))
	}
	return rc.clean(files, bodies)
}

func before(a, b journal.Pos) bool {
	return a.File < b.File || a.File == b.File && a.Offset < b.Offset
}

// unit takes a unit of the journal.
func (rc *recovery) unit(number uint64, off int64, unit []byte) error {
	at := journal.Pos{File: number, Offset: off}
	known := before(at, rc.at)
	f := rc.fileAt(at)
	end := off + int64(len(unit))
	f.end.Store(end)
	if rc.Store.at = (journal.Pos{File: number, Offset: end}); known && before(rc.at, rc.Store.at) {
		return &storage.DamageError{File: journalName(number), Offset: off, What: "the checkpoint says that a batch ends within this one"}
	}
	var c change
	message, again := -1, false
	size := 0
	for next := 0; next < len(unit); {
		from := next
		var err error
		if next, err = decode(unit, from, &c); err != nil {
			return &storage.DamageError{File: journalName(number), Offset: off + int64(from), What: err.Error()}
		}
		switch c.kind {
		case opMessage:
			message, again, size = c.block, false, c.size
		case opPut, opDelete:
			if !known {
				rc.values.set(&c)
			}
			continue
		case opTo:
			if c.at-c.back != message {
				return &storage.DamageError{File: journalName(number), Offset: off + int64(from), What: "a record whose payload is not a message's"}
			}
			if size >= large && !again {
				f.large += int64(size)
			}
			again = true
		}
		if c.kind == opMessage {
			continue
		}
		if known {
			rc.find(f, off, &c, size)
		} else {
			rc.apply(f, off, &c, size)
		}
	}
	return nil
}

// find takes the place of a record that the checkpoint knows to be alive.
func (rc *recovery) find(f *file, unit int64, c *change, size int) {
	if c.kind != opTo || !rc.journaled[c.stream].has(c.from) {
		return
	}
	rc.missing--
	if !c.transient {
		rc.streams[c.stream].place(f, c.from, uint32(unit+int64(c.at)), c.deadline, int64(size))
	}
}

// apply makes a change take effect that the checkpoint does not know.
func (rc *recovery) apply(f *file, unit int64, c *change, size int) {
	rc.lastStream.Store(max(rc.lastStream.Load(), c.stream))
	if rc.dropped.has(c.stream) {
		return
	}
	s := rc.streams[c.stream]
	if s == nil {
		s = newStream(rc.Store, c.stream)
		rc.learn(s)
	}
	if c.kind == opTo && c.transient {
		s.mention(c.from)
		return
	}
	s.apply(f, unit, &step{kind: c.kind, deliveries: c.deliveries, size: uint32(size), at: c.at, from: c.from, to: c.to, deadline: c.deadline})
	if c.kind == opDrop {
		rc.forget(s)
	}
}

// clean removes files that nobody needs: of steps that a crash has cut short.
func (rc *recovery) clean(journals []uint64, bodies map[uint64]bool) error {
	needed := map[string]bool{}
	for _, n := range journals {
		needed[journalName(n)] = true
	}
	for n := range bodies {
		needed[journalName(n)] = true
	}
	for _, f := range rc.segments {
		needed[segmentName(f.number)] = true
	}
	if rc.saved.meta != 0 {
		needed[metaName(rc.saved.meta)] = true
	}
	for _, name := range rc.names {
		if needed[name] || !ours(name) {
			continue
		}
		if err := rc.fs.Remove(filepath.Join(rc.o.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("disk: %w", err)
		}
	}
	return nil
}

// ours reports whether a file of that name is one of the store's, except for those that stay and those that are the journal's own.
func ours(name string) bool {
	if name == checkpointName+tempSuffix {
		return true
	}
	name, _ = strings.CutSuffix(name, tempSuffix)
	_, isSegment := segment.Number(name)
	_, isMeta := metaNumber(name)
	_, isJournal := journal.Number(name)
	return isSegment || isMeta || isJournal
}

// decoded is a checkpoint that was read.
type decoded struct {
	picture
	segments []decodedSegment
	streams  []decodedStream
}

type decodedSegment struct {
	number uint64
	size   int64
	unseen spans
}

type decodedStream struct {
	id, next, delivered uint64
	returned            []mark
	early, journaled    spans
	parts               []decodedPart
}

type decodedPart struct {
	segment, extent int
	first, last     uint64
	dead            *holes
}

// decodePicture reads the body of a checkpoint. What it says of files is not held against them yet.
func decodePicture(body []byte) (*decoded, error) {
	d := decoder{b: body}
	cp := &decoded{}
	cp.lastFile, cp.lastStream, cp.ticket = d.uvarint(), d.uvarint(), storage.Ticket(d.uvarint())
	cp.at = journal.Pos{File: d.uvarint(), Offset: int64(d.uvarint())}
	cp.opened, cp.known, cp.meta = d.uvarint(), d.uvarint(), d.uvarint()
	number := uint64(0)
	for range d.count() {
		n := d.uvarint()
		number += n
		d.bad = d.bad || n == 0 || number < n
		cp.journals = append(cp.journals, number)
	}
	for range d.count() {
		cp.segments = append(cp.segments, decodedSegment{d.uvarint(), int64(d.uvarint()), d.set()})
	}
	cp.dropped = d.set()
	before := uint64(0)
	for range d.count() {
		s := decodedStream{id: d.uvarint(), next: d.uvarint(), delivered: d.uvarint(), returned: d.marks(), early: d.set(), journaled: d.set()}
		d.bad = d.bad || s.id <= before
		before = s.id
		for range d.count() {
			p := decodedPart{segment: d.index(), extent: d.index(), first: d.uvarint()}
			n := d.uvarint()
			p.last = p.first + n
			d.bad = d.bad || p.last < n || p.last == noNumber
			p.dead = d.holes(p.first, p.last)
			if d.bad {
				return nil, errBody
			}
			s.parts = append(s.parts, p)
		}
		if d.bad {
			return nil, errBody
		}
		cp.streams = append(cp.streams, s)
	}
	if d.bad || d.at != len(body) {
		return nil, errBody
	}
	return cp, nil
}

// index reads a number that counts something in memory.
func (d *decoder) index() int {
	n := d.uvarint()
	if n > 1<<31-1 {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) set() (s spans) {
	at := uint64(0)
	for i := range d.count() {
		gap, n := d.uvarint(), d.uvarint()
		from, to := at+gap, at+gap+n
		if from < at || to <= from || i > 0 && gap == 0 {
			d.bad = true
		}
		if d.bad {
			return nil
		}
		s = append(s, span{from, to})
		at = to
	}
	return s
}

func (d *decoder) marks() (m []mark) {
	at := uint64(0)
	for range d.count() {
		gap, n, deliveries := d.uvarint(), d.uvarint(), d.uvarint()
		from, to := at+gap, at+gap+n
		if from < at || to <= from || deliveries == 0 || deliveries > 1<<16-1 {
			d.bad = true
		}
		if d.bad {
			return nil
		}
		m = append(m, mark{span{from, to}, uint16(deliveries)})
		at = to
	}
	return m
}

// holes reads those of the numbers from first to last that are not alive.
func (d *decoder) holes(first, last uint64) *holes {
	switch d.uvarint() {
	case 0:
		h := &holes{bounds: span{first, last + 1}}
		for _, r := range d.set() {
			if r.to > last+1-first {
				d.bad = true
				return nil
			}
			h.spans = append(h.spans, span{first + r.from, first + r.to})
		}
		if h.spans == nil {
			return nil
		}
		return h
	case 1:
		below, n := d.uvarint(), d.uvarint()
		words := n/64 + (n%64+63)/64
		if below > first || n < below || n-below < last+1-first || words > uint64(len(d.b)-d.at)/8 {
			d.bad = true
			return nil
		}
		h := &holes{bounds: span{first - below, first - below + n}, bits: make([]uint64, words)}
		for i := range h.bits {
			h.bits[i] = binary.LittleEndian.Uint64(d.b[d.at:])
			d.at += 8
		}
		return h
	}
	d.bad = true
	return nil
}
