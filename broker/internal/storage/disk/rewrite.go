package disk

import (
	"encoding/binary"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
)

// rewrite copies what is alive in some files to a new segment, sorted by stream, and has it read from there. That is
// how files of the journal are copied out, and how segments of which little is left are gathered.
//
// Nothing stands still meanwhile. A record that is settled after it was copied is not installed as alive (install); a
// stream that is dropped has nothing to install. Until a checkpoint names the new segment a crash leaves everything
// where it was.
//
// The sources are complete: no record comes to them any more. work is held.
type rewrite struct {
	store   *Store
	reader  *reader
	sources []*file
	adopted []*file // those of the sources whose large payloads stay where they are
	w       *segment.Writer
	broken  bool // the error is one of writing

	shared map[segment.Location]segment.Location // where in the new segment a payload is that may be wanted again
	header [9]byte
}

// sharedFrom is from how many bytes on a payload that several records have is written once.
const sharedFrom = 512

func (st *Store) rewrite(sources []*file) error {
	rw := newRewrite(st, sources)
	streams := rw.streams()
	made, err := rw.write(streams)
	if err == nil {
		return rw.finish(made, streams)
	}
	st.giveBack(rw.reader)
	if rw.w != nil {
		rw.w.Abort()
	}
	if rw.broken {
		return st.unwritten("a segment", err)
	}
	st.log.Error("a file could not be copied", slog.Any("err", err))
	return err
}

func newRewrite(st *Store, sources []*file) *rewrite {
	rw := &rewrite{store: st, reader: st.reader(), sources: sources, shared: map[segment.Location]segment.Location{}}
	for _, f := range sources {
		if f.stays() {
			rw.adopted = append(rw.adopted, f)
		}
	}
	return rw
}

// finish has the new segment, if there is one, read in place of the sources.
func (rw *rewrite) finish(made *segment.Segment, streams []*stream) error {
	st := rw.store
	st.giveBack(rw.reader)
	st.pressure.set(func(p *pressure) { p.noFile = false })
	if made == nil {
		return nil
	}
	f, err := st.newSegmentFile(made)
	if err != nil {
		_ = made.Close()
		st.remove(segmentName(made.Number()))
		return err
	}
	st.filed.Add(uint64(made.Size()))
	rw.install(f, streams)
	f.measured = f.live.Load()
	st.segments = append(st.segments, f)
	st.unchecked = true
	return nil
}

// stays reports whether so much of a file is large payloads that it is not worth copying them.
func (f *file) stays() bool {
	if f.segment != nil {
		return false
	}
	half := f.end.Load() / 2
	return f.large > half && f.used.Load() > half
}

// newSegmentFile returns the file of a segment, with the files that it points to.
func (st *Store) newSegmentFile(s *segment.Segment) (*file, error) {
	f := &file{number: s.Number(), segment: s, views: make([]atomic.Int32, len(s.Extents()))}
	f.complete.Store(true)
	for _, number := range s.Files() {
		b, err := st.openBody(number)
		if err != nil {
			for _, b := range f.bodies {
				_ = b.disk.Close()
			}
			return nil, err
		}
		f.bodies = append(f.bodies, b)
	}
	st.segmentBytes.Add(s.Size())
	st.segmentCount.Add(1)
	return f, nil
}

func (rw *rewrite) want(c *chunk) bool { return slices.Contains(rw.sources, c.file) }

// streams returns the streams that have something in the sources, in the order of their ids.
func (rw *rewrite) streams() (streams []*stream) {
	st := rw.store
	for _, f := range rw.sources {
		if f.segment == nil {
			st.mu.Lock()
			streams = append(streams, f.streams...)
			st.mu.Unlock()
			continue
		}
		for e, x := range f.segment.Extents() {
			if f.views[e].Load() == 0 {
				continue
			}
			if s := st.stream(x.Stream); s != nil {
				streams = append(streams, s)
			}
		}
	}
	slices.SortFunc(streams, byID)
	return slices.Compact(streams)
}

// write writes the segment, unless there is nothing to write.
func (rw *rewrite) write(streams []*stream) (*segment.Segment, error) {
	for _, s := range streams {
		if err := rw.stream(s); err != nil {
			return nil, err
		}
	}
	if rw.w == nil {
		return nil, nil
	}
	s, err := rw.w.Finish()
	rw.broken = err != nil
	return s, err
}

// stream writes what a stream has in the sources. Between what is written behind one another no chunk of another file
// lies.
func (rw *rewrite) stream(s *stream) error {
	r := rw.reader
	begun := false
	for from := uint64(0); r.plan(s, from, rw.want); from = r.next {
		source := r.file
		if !begun || r.skipped {
			if err := rw.begin(s.id); err != nil {
				r.unpin()
				return err
			}
			begun = true
		}
		i := -1
		stays := slices.Contains(rw.adopted, source)
		_, err := r.records(s, !stays, func(f *found, _ uint16) (bool, error) {
			i++
			rec := segment.Record{Seq: f.seq, Deadline: f.deadline, Transient: f.transient}
			if stays {
				if err := rw.header9(source, f); err != nil {
					return false, err
				}
				if f.at.Len >= large {
					rec.At = f.at
					return true, rw.add(rec)
				}
				if err := r.fetch(s, i, f); err != nil {
					return false, err
				}
			}
			if f.shared || source.segment != nil && f.at.File != 0 {
				return true, rw.addShared(rec, f)
			}
			rec.Block = f.block
			return true, rw.add(rec)
		})
		if err != nil {
			if isDamage(err) && !rw.broken {
				source.damaged.Store(true)
			}
			return err
		}
	}
	return nil
}

// header9 reads how long a payload is that is not looked at.
func (rw *rewrite) header9(source *file, f *found) error {
	b := rw.header[:]
	if err := rw.store.journal.ReadAt(source.number, b, f.at.Offset-1); err != nil {
		return err
	}
	f.at.Len = binary.LittleEndian.Uint32(b[1+block.Header-4:])
	return nil
}

func (rw *rewrite) begin(id uint64) (err error) {
	if rw.w == nil {
		if rw.w, err = segment.Create(rw.store.fs, rw.store.o.Dir, rw.store.number()); err != nil {
			rw.broken = true
			return err
		}
	}
	err = rw.w.Stream(id)
	rw.broken = err != nil
	return err
}

func (rw *rewrite) add(rec segment.Record) error {
	err := rw.w.Add(rec)
	rw.broken = err != nil
	return err
}

// addShared adds a record whose payload others may have as well.
func (rw *rewrite) addShared(rec segment.Record, f *found) error {
	if len(f.block) < sharedFrom {
		rec.Block = f.block
		return rw.add(rec)
	}
	key := segment.Location{File: f.at.File, Offset: f.at.Offset}
	at, ok := rw.shared[key]
	if ok {
		rec.At = at
		return rw.add(rec)
	}
	rec.Block = f.block
	if err := rw.add(rec); err != nil {
		return err
	}
	rw.shared[key] = rw.w.Last()
	return nil
}

// install has all streams read from the new segment what they had in the sources.
func (rw *rewrite) install(f *file, streams []*stream) {
	extents := f.segment.Extents()
	for e := 0; e < len(extents); {
		end := e + 1
		for end < len(extents) && extents[end].Stream == extents[e].Stream {
			end++
		}
		i, _ := slices.BinarySearchFunc(streams, extents[e].Stream, func(s *stream, id uint64) int {
			if s.id < id {
				return -1
			}
			if s.id > id {
				return 1
			}
			return 0
		})
		streams[i].install(f, e, end, rw.want)
		e = end
	}
}

// install puts views of extents of a new segment, from number e up to end, in place of chunks whose records were
// copied there.
func (s *stream) install(f *file, e, end int, copied func(*chunk) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	extents := f.segment.Extents()
	lo := slices.IndexFunc(s.chunks, func(c chunk) bool { return copied(&c) })
	if lo < 0 {
		return // everything was settled meanwhile
	}
	at, done := lo, lo // chunks up to at are those of the new list, up to done those that were looked at
	for done < len(s.chunks) {
		c := &s.chunks[done]
		if !copied(c) {
			s.chunks[at] = *c
			at, done = at+1, done+1
			continue
		}
		for e < end-1 && extents[e].Last < c.first {
			e++
		}
		next := done + 1
		for next < len(s.chunks) && copied(&s.chunks[next]) && s.chunks[next].first <= extents[e].Last {
			next++
		}
		s.chunks[at] = view(f, e, s.chunks[done:next])
		at, done = at+1, next
	}
	clear(s.chunks[at:])
	s.chunks = s.chunks[:at]
}

// view makes one chunk, of an extent, of neighbouring chunks whose live records are all in it. Those are left.
func view(f *file, extent int, chunks []chunk) chunk {
	x := &f.segment.Extents()[extent]
	v := chunk{first: chunks[0].first, file: f, extent: extent}
	last := min(chunks[len(chunks)-1].last, x.Last)
	dead := &holes{bounds: span{v.first, last + 1}}
	at, gaps := v.first, false
	for i := range chunks {
		c := &chunks[i]
		for seq, ok := c.next(0); ok; {
			g := c.run(seq)
			if at < g.from {
				dead.add(at, g.from)
				gaps = true
			}
			at = g.to
			seq, ok = c.next(g.to)
		}
		v.live += c.live
		v.due = earlier(v.due, c.due)
		c.file.live.Add(-int64(c.live))
		c.file.used.Add(-c.bytes)
		c.leave()
	}
	v.last = at - 1
	if gaps {
		v.dead = dead
	}
	v.bytes = share(x, v.live)
	f.live.Add(int64(v.live))
	f.used.Add(v.bytes)
	f.views[extent].Add(1)
	return v
}

// share returns about how many bytes of an extent's payloads so many of its records have.
func share(x *segment.Extent, live int) int64 {
	if live == int(x.Count) {
		return x.Payload
	}
	return int64(float64(x.Payload) / float64(x.Count) * float64(live))
}

// run returns the numbers from one that is alive on, up to the first that is not.
func (c *chunk) run(seq uint64) span {
	p := c.places
	if p == nil {
		return c.dead.gap(seq, c.last+1)
	}
	g := span{seq, seq + 1}
	for i := p.find(seq) + 1; i < len(p.entries) && p.entries[i].off != 0 && p.seq(i) == g.to; i++ {
		g.to++
	}
	return g
}
