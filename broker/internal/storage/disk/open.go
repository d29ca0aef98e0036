package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
)

// Open opens the store in a folder, and makes one where there is none. Somebody else having the folder is a
// *vfs.LockedError. Files that are not as they were written are a *storage.DamageError, files of a younger format an
// error that says so.
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

// recovery is how a store is opened: the last checkpoint says which files there are and what was so behind one unit
// of the journal; the journal says what came then. Of units before that only the places of records are taken.
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

// transients settles the transient records in segments. Those in segments that were there when the store was opened
// for the last time have been settled then, and the checkpoint says so.
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
