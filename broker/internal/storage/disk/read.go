package disk

import (
	"fmt"
	"math"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
)

// reader reads records of streams. It looks at a stream in turns: under the stream's lock it notes which records of one chunk
// are alive and pins their file (plan), then it reads them without a lock. It is for one goroutine at a time, and is used again.
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

// plan looks for the first chunk with a live record from a number on, of those that want says, pins its file and notes what
// is alive there. It reports whether there is one.
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
	if r.file.pins.Add(-1) == 0 && r.file.live.Load() == 0 {
		r.store.emptied()
	}
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
	return &storage.DamageError{File: segment.Name(r.file.number), What: fmt.Sprintf("record %d has its payload in file %d, which is not there", f.seq, f.at.File)}
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

// Due implements storage.Stream.
func (s *stream) Due(before int64, visit func(*storage.Record) bool) (next int64, err error) {
	r := s.store.reader()
	defer s.store.giveBack(r)
	if s.store.closed.Load() {
		return 0, storage.ErrClosed
	}
	d := due{stream: s, reader: r, before: before, visit: visit}
	for from := uint64(0); ; {
		c, ok := d.chunk(from)
		if !ok {
			return d.next, nil
		}
		if more, err := d.scan(c.span); err != nil {
			return 0, s.store.reading(err)
		} else if !more {
			// Of what was not looked at nothing is known but what its chunk says.
			return earlier(d.next, c.deadline), nil
		}
		d.learn(c)
		from = c.to
	}
}

// due is a call of Due.
type due struct {
	stream *stream
	reader *reader
	before int64
	visit  func(*storage.Record) bool
	next   int64 // the earliest deadline of what was not shown
	all    int64 // and of what is in the chunk
}

// hasDue is a chunk in which something may be due.
type hasDue struct {
	span
	file     *file
	deadline int64
	added    uint64
}

// earlier returns the earlier one of two deadlines.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// chunk returns the first chunk from a number on in which something may be due.
func (d *due) chunk(from uint64) (hasDue, bool) {
	s := d.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := s.find(from); i < len(s.chunks); i++ {
		c := &s.chunks[i]
		switch {
		case c.due == 0:
		case c.due > d.before:
			d.next = earlier(d.next, c.due)
		default:
			return hasDue{span{max(c.first, from), c.last + 1}, c.file, c.due, s.added}, true
		}
	}
	return hasDue{}, false
}

// scan shows what is due of some numbers.
func (d *due) scan(g span) (more bool, err error) {
	d.all = 0
	r, s := d.reader, d.stream
	var rec storage.Record
	for from := g.from; from < g.to && r.plan(s, from, nil); from = r.next {
		i := -1
		more, err := r.records(s, false, func(f *found, deliveries uint16) (bool, error) {
			if len(r.spots) > 0 {
				i++
			}
			if f.seq >= g.to || f.deadline == 0 {
				return true, nil
			}
			if s.changes.Load() != r.changes {
				alive := false
				if deliveries, alive = s.look(f.seq); !alive {
					return true, nil
				}
			}
			d.all = earlier(d.all, f.deadline)
			if f.deadline > d.before {
				d.next = earlier(d.next, f.deadline)
				return true, nil
			}
			if err := r.fetch(s, i, f); err != nil {
				return false, err
			}
			rec = storage.Record{Seq: f.seq, Deadline: f.deadline, Deliveries: deliveries, Payload: f.block[block.Header:]}
			return d.visit(&rec), nil
		})
		if !more || err != nil {
			return false, err
		}
	}
	return true, nil
}

// learn notes the earliest deadline in a chunk, if it is the same that was looked at.
func (d *due) learn(h hasDue) {
	s := d.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(h.from)
	if i == len(s.chunks) || s.added != h.added {
		return
	}
	if c := &s.chunks[i]; c.file == h.file && c.first >= h.from && c.last < h.to {
		c.due = d.all
	}
}

// window is the part of a file of the journal that is in memory.
type window struct {
	file *file
	at   int64
	buf  []byte
}

const (
	// ahead is how much is read at once at most, where records are smaller.
	ahead = 256 << 10
	// apart is how far records may be apart to be read at once.
	apart = 4 << 10
)

func (w *window) reset() {
	w.file, w.at, w.buf = nil, 0, w.buf[:0]
	if cap(w.buf) > keptUnit {
		w.buf = nil
	}
}

// view returns [from, to) of the planned file, which belongs to spot i; payloads says that those of the spots are wanted as well.
func (w *window) view(r *reader, i int, from, to int64, payloads bool) ([]byte, error) {
	if w.file == r.file && w.at <= from && to <= w.at+int64(len(w.buf)) {
		return w.buf[from-w.at : to-w.at], nil
	}
	end := r.file.end.Load()
	start, stop := from, to
	if payloads {
		// Blocks stand before what points to them.
		start = max(r.file.begin, from-min(int64(r.size+r.size/4)+2*maxTo, ahead))
	}
	start = min(start, from)
	gap := int64(apart)
	if payloads {
		gap += int64(2 * r.size)
	}
	for _, p := range r.spots[i+1:] {
		off := int64(p.off)
		if off < stop-maxTo || off-stop > gap || off+maxTo-start > ahead {
			break
		}
		stop = max(stop, min(off+maxTo, end))
	}
	n := int(stop - start)
	if n > math.MaxInt32 {
		return nil, r.damage(from, "a record of %d bytes", n)
	}
	if cap(w.buf) < n {
		w.buf = make([]byte, n)
	}
	w.file, w.at, w.buf = r.file, start, w.buf[:n]
	if err := r.store.journal.ReadAt(r.file.number, w.buf, start); err != nil {
		w.file = nil
		return nil, err
	}
	return w.buf[from-start : to-start], nil
}
