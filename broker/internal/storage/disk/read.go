package disk

import (
	"fmt"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
)

// reader reads records of streams. It looks at a stream in turns: under the stream's lock it notes which records of
// one chunk are alive and pins their file (plan), then it reads them without a lock. It is for one goroutine at a
// time, and is used again.
type reader struct {
	store *Store

	// The plan: places in a file of the journal, or runs of an extent. The file is pinned.
	file    *file
	extent  int
	spots   []spot
	runs    []run
	skipped bool   // there are chunks that are not wanted before this one, from where the search began on
	next    uint64 // where the plan after this one begins
	size    int    // how large payloads are, about
	changes uint64 // the stream's, when the plan was made
	limit   int    // how many spots and runs a plan has at most

	window window // over a file of the journal

	// The cursor over an extent, and behind which number it is.
	cursor segment.Cursor
	on     *file
	onExt  int
	behind uint64
	block  []byte // a payload that lies elsewhere
}

// spot is a record in a file of the journal.
type spot struct {
	seq        uint64
	off        uint32
	deliveries uint16
}

// run is neighbours in an extent that are alive.
type run struct {
	span
	deliveries uint16
}

// found is a record that was read.
type found struct {
	seq       uint64
	deadline  int64
	transient bool
	shared    bool             // in the journal: other records have the same payload
	at        segment.Location // where the block is
	block     []byte           // a view until the next call
}

const (
	firstPlan = 16
	maxPlan   = 1024
)

func (st *Store) reader() *reader {
	r, ok := st.readers.Get().(*reader)
	if !ok {
		r = &reader{store: st}
	}
	r.limit = firstPlan
	return r
}

func (st *Store) giveBack(r *reader) {
	r.window.reset()
	if cap(r.block) > keptUnit {
		r.block = nil
	}
	r.on = nil
	st.readers.Put(r)
}

// plan looks for the first chunk with a live record from a number on, of those that want says, pins its file and
// notes what is alive there. It reports whether there is one.
func (r *reader) plan(s *stream, from uint64, want func(*chunk) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.skipped = false
	for i := s.find(from); i < len(s.chunks); i++ {
		c := &s.chunks[i]
		if want != nil && !want(c) {
			r.skipped = true
			continue
		}
		first, ok := c.next(from)
		if !ok {
			continue
		}
		r.spots, r.runs = r.spots[:0], r.runs[:0]
		r.file, r.extent, r.changes = c.file, c.extent, s.changes.Load()
		r.size = int(c.bytes / int64(c.live))
		c.file.pins.Add(1)
		if c.places != nil {
			r.planSpots(s, c, first)
		} else {
			r.planRuns(s, c, first)
		}
		r.limit = min(4*r.limit, maxPlan)
		return true
	}
	return false
}

func (r *reader) planSpots(s *stream, c *chunk, first uint64) {
	p := c.places
	n, until := s.deliveries(first)
	for i := p.find(first); i < len(p.entries); i++ {
		e := p.entries[i]
		if e.off == 0 {
			continue
		}
		seq := p.seq(i)
		if len(r.spots) == r.limit {
			r.next = seq
			return
		}
		if seq >= until {
			n, until = s.deliveries(seq)
		}
		r.spots = append(r.spots, spot{seq, e.off, n})
	}
	r.next = c.last + 1
}

func (r *reader) planRuns(s *stream, c *chunk, first uint64) {
	for seq := first; ; {
		g := c.dead.gap(seq, c.last+1)
		if g.from == g.to {
			r.next = c.last + 1
			return
		}
		if len(r.runs) == r.limit {
			r.next = g.from
			return
		}
		n, until := s.deliveries(g.from)
		g.to = min(g.to, until)
		r.runs = append(r.runs, run{g, n})
		seq = g.to
	}
}

// unpin ends a plan.
func (r *reader) unpin() {
	r.file.pins.Add(-1)
	r.store.emptied(r.file)
	r.file = nil
}

// records shows what was planned, until visit returns false or an error. It reports whether to go on behind the plan.
func (r *reader) records(s *stream, payloads bool, visit func(*found, uint16) (bool, error)) (more bool, err error) {
	defer r.unpin()
	var f found
	for i := range r.spots {
		if err := r.spot(s, i, payloads, &f); err != nil {
			return false, err
		}
		if more, err := visit(&f, r.spots[i].deliveries); !more || err != nil {
			return false, err
		}
	}
	for _, g := range r.runs {
		for seq := g.from; seq < g.to; {
			if err := r.record(s.id, seq, payloads, &f); err != nil {
				return false, err
			}
			if more, err := visit(&f, g.deliveries); !more || err != nil {
				return false, err
			}
			seq = f.seq + 1
		}
	}
	return true, nil
}

// spot reads the record at a place in a file of the journal.
func (r *reader) spot(s *stream, i int, payload bool, f *found) error {
	var c change
	p := r.spots[i]
	off, end := int64(p.off), r.file.end.Load()
	b, err := r.window.view(r, i, off, min(off+maxTo, end), payload)
	if err != nil {
		return err
	}
	if _, err := decodeTo(b, &c); err != nil || c.stream != s.id || c.from != p.seq || int64(c.back) >= off {
		return r.damage(off, "this is not record %d of stream %d", p.seq, s.id)
	}
	begin := off - int64(c.back)
	*f = found{seq: p.seq, deadline: c.deadline, transient: c.transient, at: segment.Location{File: r.file.number, Offset: begin}}
	if !payload {
		return nil
	}
	// What stands before a block is what says that it is a message.
	b, err = r.window.view(r, i, begin-1, off, true)
	if err != nil {
		return err
	}
	b, flags := b[1:], b[0]
	if kind(flags&kindMask) != opMessage || block.Size(block.Len(b)) > len(b) {
		return r.damage(begin, "the payload of record %d of stream %d is not here", p.seq, s.id)
	}
	f.block = b[:block.Size(block.Len(b))]
	f.shared = flags&flagShared != 0
	f.at.Len = uint32(block.Len(b))
	if _, err := block.Open(f.block); err != nil {
		return r.damage(begin, "the payload of record %d of stream %d does not match its checksum", p.seq, s.id)
	}
	return nil
}

func (r *reader) damage(off int64, what string, args ...any) error {
	return &storage.DamageError{File: journalName(r.file.number), Offset: off, What: fmt.Sprintf(what, args...)}
}

// fewRecords is up to how many records are passed one by one rather than looked up.
const fewRecords = 64

// record reads a record of the planned extent.
func (r *reader) record(stream, seq uint64, payload bool, f *found) error {
	if r.on != r.file || r.onExt != r.extent || seq <= r.behind || seq-r.behind > fewRecords {
		r.cursor.Reset(r.file.segment, r.extent, seq)
		r.on, r.onExt, r.behind = r.file, r.extent, 0
	}
	var rec segment.Record
	for {
		var ok bool
		var err error
		if payload {
			ok, err = r.cursor.Next(&rec)
		} else {
			ok, err = r.cursor.NextHead(&rec)
		}
		if err != nil && rec.Seq == 0 || rec.Seq == seq && err != nil {
			r.on = nil
			return err
		}
		if err == nil && !ok || rec.Seq > seq {
			r.on = nil
			return &storage.DamageError{File: segment.Name(r.file.number), Offset: rec.At.Offset,
				What: fmt.Sprintf("record %d of stream %d is missing", seq, stream)}
		}
		r.behind = rec.Seq
		if rec.Seq == seq {
			break
		}
	}
	*f = found{seq: seq, deadline: rec.Deadline, transient: rec.Transient, at: rec.At, block: rec.Block}
	if payload && f.block == nil {
		return r.elsewhere(f)
	}
	return nil
}

// elsewhere reads the payload of a record that lies in another file.
func (r *reader) elsewhere(f *found) error {
	for _, b := range r.file.bodies {
		if b.number == f.at.File {
			var err error
			r.block, err = b.read(f.at, r.block)
			f.block = r.block
			return err
		}
	}
	return &storage.DamageError{File: segment.Name(r.file.number),
		What: fmt.Sprintf("record %d has its payload in file %d, which is not there", f.seq, f.at.File)}
}

// fetch reads the payload of a record that was read without.
func (r *reader) fetch(s *stream, i int, f *found) error {
	switch {
	case i >= 0:
		return r.spot(s, i, true, f)
	case f.at.File != r.file.number:
		return r.elsewhere(f)
	}
	var err error
	r.block, err = r.file.segment.Block(f.at, r.block)
	f.block = r.block
	return err
}

// Read implements storage.Stream.
func (s *stream) Read(from uint64, visit func(*storage.Record) bool) error {
	r := s.store.reader()
	defer s.store.giveBack(r)
	if s.store.closed.Load() {
		return storage.ErrClosed
	}
	var rec storage.Record
	for r.plan(s, from, nil) {
		more, err := r.records(s, true, func(f *found, deliveries uint16) (bool, error) {
			if s.changes.Load() != r.changes {
				alive := false
				if deliveries, alive = s.look(f.seq); !alive {
					return true, nil
				}
			}
			rec = storage.Record{Seq: f.seq, Deadline: f.deadline, Deliveries: deliveries, Payload: f.block[block.Header:]}
			return visit(&rec), nil
		})
		if err != nil {
			return s.store.reading(err)
		}
		if !more {
			return nil
		}
		from = r.next
	}
	return nil
}

// look returns what is so of a record now.
func (s *stream) look(seq uint64) (deliveries uint16, alive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	deliveries, _ = s.deliveries(seq)
	return deliveries, s.alive(seq)
}
