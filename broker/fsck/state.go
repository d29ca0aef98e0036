package fsck

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
)

// stream is what is known of a stream: what is alive of it, and where.
type stream struct {
	id, next, delivered uint64
	returned            []disk.Mark
	parts               []*part
	loose               []loose // records in the journal, in the order in which they came
	looseLive           numbers // which of them are alive
	settled             numbers // what the journal says
	awaited             numbers // alive in the journal, says the checkpoint, and not seen yet
	found               bool    // there is something that says that it exists
}

// part is what is alive of a stream in an extent of a segment.
type part struct {
	file   *segmentFile
	extent int // -1: there is no table to tell
	live   numbers
}

// loose is a record in a file of the journal.
type loose struct {
	seq      uint64
	deadline int64
	at       segment.Location // of its block
}

func (s *survey) stream(id uint64) *stream {
	st := s.streams[id]
	if st == nil {
		st = &stream{id: id, next: 1}
		s.streams[id] = st
	}
	return st
}

// kill settles numbers.
func (st *stream) kill(from, to uint64) {
	st.settled.add(from, to)
	st.looseLive.remove(from, to)
	for _, p := range st.parts {
		p.live.remove(from, to)
	}
}

func (st *stream) mention(seq uint64) {
	if seq+1 != 0 {
		st.next = max(st.next, seq+1)
	}
}

func (st *stream) has(seq uint64) bool {
	return st.looseLive.has(seq) || slices.ContainsFunc(st.parts, func(p *part) bool { return p.live.has(seq) })
}

// others returns those of some numbers that no part has.
func (st *stream) others(of numbers) numbers {
	for _, p := range st.parts {
		of = of.without(p.live)
	}
	return of
}

// live returns how many records are alive.
func (st *stream) live() int {
	n := st.looseLive.count()
	for _, p := range st.parts {
		n += p.live.count()
	}
	return n
}

// bytes returns how long their payloads are, about.
func (st *stream) bytes() (n int64) {
	for _, p := range st.parts {
		n += p.bytes()
	}
	for _, r := range st.loose {
		if st.looseLive.has(r.seq) {
			n += int64(r.at.Len)
		}
	}
	return n
}

// bytes returns how long the payloads are, about.
func (p *part) bytes() int64 {
	if p.extent < 0 || p.file.seg == nil {
		return 0
	}
	x := &p.file.seg.Extents()[p.extent]
	return int64(float64(x.Payload) / float64(x.Count) * float64(p.live.count()))
}

// load takes from the checkpoint what is alive in segments.
func (s *survey) load() error {
	if s.guessed {
		return s.loadAll()
	}
	listed := make([]map[int]bool, len(s.segments))
	regions := make([]map[uint64]numbers, len(s.segments)) // of files without a table: what parts tell of each stream
	for i := range listed {
		listed[i], regions[i] = map[int]bool{}, map[uint64]numbers{}
	}
	for i := range s.cp.Streams {
		c := &s.cp.Streams[i]
		st := s.stream(c.ID)
		st.found, st.next, st.delivered, st.returned, st.awaited = true, c.Next, c.Delivered, c.Returned, slices.Clone(numbers(c.Journaled))
		st.settled = slices.Clone(numbers(c.Early))
		for _, p := range c.Parts {
			f := s.segments[p.Segment]
			live := numbers{{From: p.First, To: p.Last + 1}}.without(p.Dead)
			if f.seg == nil {
				r := regions[p.Segment][c.ID]
				r.add(p.First, p.Last+1)
				regions[p.Segment][c.ID] = r
				st.parts = append(st.parts, &part{f, -1, live})
				continue
			}
			if x := f.extent(p.Extent); x == nil || x.Stream != c.ID || p.First < x.First || p.Last > x.Last {
				return s.disagree(fmt.Sprintf("it tells of records of stream %d in %s that cannot be there", c.ID, f.name))
			}
			listed[p.Segment][p.Extent] = true
			st.parts = append(st.parts, &part{f, p.Extent, live})
		}
	}
	for i, f := range s.segments {
		if f.seg == nil {
			continue
		}
		for e, x := range f.seg.Extents() {
			st := s.streams[x.Stream]
			if st == nil || !st.found || listed[i][e] || numbers(s.cp.Segments[i].Unseen).has(uint64(e)) {
				continue
			}
			if uint64(x.Count) != x.Last-x.First+1 {
				return s.disagree(fmt.Sprintf("it says that stream %d has all records from %d to %d in %s, which has %d of them", x.Stream, x.First, x.Last, f.name, x.Count))
			}
			st.parts = append(st.parts, &part{f, e, numbers{{From: x.First, To: x.Last + 1}}})
		}
	}
	// Of a file without a table it is not known which of the records that no part tells of are wanted. Those that are elsewhere are not.
	for i, f := range s.segments {
		if f.seg != nil {
			continue
		}
		s.unsure = true
		for _, id := range slices.Sorted(maps.Keys(f.whole)) {
			if st := s.streams[id]; st != nil && st.found {
				if rest := st.others(f.whole[id].without(regions[i][id])); len(rest) > 0 {
					st.parts = append(st.parts, &part{f, -1, rest})
				}
			}
		}
	}
	return s.transients()
}

// disagree is for a checkpoint that contradicts the other files: it is given up.
func (s *survey) disagree(what string) error {
	s.close()
	s.segments, s.streams, s.bodies = nil, map[uint64]*stream{}, map[uint64]*bodyFile{}
	s.problems, s.damaged, s.notes, s.defaced = nil, map[string]bool{}, nil, false
	s.guess(s.problem(disk.CheckpointName, 0, 0, what))
	if err := s.readValues(); err != nil {
		return err
	}
	if err := s.openSegments(); err != nil {
		return err
	}
	return s.load()
}

// loadAll takes everything for alive that is in segments. Where two have the same record, which was gathered from one into the other, it
// counts once.
func (s *survey) loadAll() error {
	for _, f := range slices.Backward(s.segments) {
		take := func(id uint64, extent int, have numbers) {
			st := s.stream(id)
			st.found = true
			if have = st.others(have); len(have) > 0 {
				st.parts = append(st.parts, &part{f, extent, have})
				st.mention(have[len(have)-1].To - 1)
			}
		}
		if f.seg == nil {
			for _, id := range slices.Sorted(maps.Keys(f.whole)) {
				take(id, -1, f.whole[id])
			}
			continue
		}
		for e, x := range f.seg.Extents() {
			have := numbers{{From: x.First, To: x.Last + 1}}
			if f.damaged || uint64(x.Count) != x.Last-x.First+1 {
				var err error
				if have, err = f.listed(e, false); err != nil {
					return err
				}
			}
			take(x.Stream, e, have)
		}
	}
	return s.transients()
}

// transients takes away what does not survive the end of the process.
func (s *survey) transients() error {
	for _, st := range s.streams {
		for _, p := range st.parts {
			if p.file.number < s.cp.Opened || len(p.live) == 0 {
				continue
			}
			gone := p.file.transient[st.id]
			if p.extent >= 0 && p.file.seg.Extents()[p.extent].Transients > 0 {
				var err error
				if gone, err = p.file.listed(p.extent, true); err != nil {
					return err
				}
			}
			p.live = p.live.without(gone)
		}
	}
	return nil
}

// unit takes a unit of the journal.
func (s *survey) unit(number uint64, off int64, unit []byte) error {
	at := s.cp.At
	known := number < at.File || number == at.File && off < at.Offset
	err := disk.Changes(unit, func(c *disk.Change) error {
		switch {
		case c.Op == disk.OpPut && !known:
			s.values[string(c.Key)] = slices.Clone(c.Value)
		case c.Op == disk.OpDelete && !known:
			delete(s.values, string(c.Key))
		case c.Op == disk.OpPut, c.Op == disk.OpDelete:
		case c.Op == disk.OpTo:
			s.to(c, segment.Location{File: number, Offset: off + int64(c.BlockAt), Len: uint32(len(c.Block) - block.Header)}, known)
		case !known && !numbers(s.cp.Dropped).has(c.Stream):
			s.change(c)
		}
		return nil
	})
	if !errors.Is(err, disk.ErrUnit) {
		return err
	}
	p := s.problem(journal.Name(number), off, int64(len(unit)), "a batch that cannot be read, though it is as it was written")
	p.Means = "what was changed in it does not count"
	p.Repair = "it is left out"
	return nil
}

// to takes a record.
func (s *survey) to(c *disk.Change, at segment.Location, known bool) {
	if known {
		st := s.streams[c.Stream]
		if st == nil || !st.awaited.has(c.From) {
			return
		}
		st.awaited.remove(c.From, c.From+1)
		if !c.Transient && !(s.unsure && st.has(c.From)) {
			st.loose = append(st.loose, loose{c.From, c.Deadline, at})
			st.looseLive.add(c.From, c.From+1)
		}
		return
	}
	if numbers(s.cp.Dropped).has(c.Stream) {
		return
	}
	st := s.stream(c.Stream)
	st.found = true
	st.mention(c.From)
	if c.Transient || st.settled.has(c.From) || s.unsure && st.has(c.From) {
		return
	}
	st.loose = append(st.loose, loose{c.From, c.Deadline, at})
	st.looseLive.add(c.From, c.From+1)
}

// change takes any other change of a stream.
func (s *survey) change(c *disk.Change) {
	st := s.stream(c.Stream)
	st.found = true
	switch c.Op {
	case disk.OpDelivered:
		st.mention(c.From)
		st.delivered = max(st.delivered, c.From)
	case disk.OpReturned:
		if c.To > c.From {
			st.mention(c.To - 1)
			st.mark(c.From, c.To, c.Deliveries)
		}
	case disk.OpSettle, disk.OpTruncate:
		if c.To > c.From {
			st.mention(c.To - 1)
			st.kill(c.From, c.To)
		}
	case disk.OpDrop:
		delete(s.streams, c.Stream)
		gone := numbers(s.cp.Dropped)
		gone.add(c.Stream, c.Stream+1)
		s.cp.Dropped = gone
	}
}

// mark notes how often records have been out.
func (st *stream) mark(from, to uint64, deliveries uint16) {
	i := sort.Search(len(st.returned), func(i int) bool { return st.returned[i].To > from })
	j := i
	var between []disk.Mark
	if i < len(st.returned) && st.returned[i].From < from {
		between = append(between, disk.Mark{Span: disk.Span{From: st.returned[i].From, To: from}, Deliveries: st.returned[i].Deliveries})
	}
	if deliveries > 0 {
		between = append(between, disk.Mark{Span: disk.Span{From: from, To: to}, Deliveries: deliveries})
	}
	for ; j < len(st.returned) && st.returned[j].From < to; j++ {
		if m := st.returned[j]; m.To > to {
			between = append(between, disk.Mark{Span: disk.Span{From: to, To: m.To}, Deliveries: m.Deliveries})
		}
	}
	st.returned = slices.Replace(st.returned, i, j, between...)
}

// content is what is alive in a file.
type content struct {
	messages int
	bytes    int64
}

// contents returns what is alive in each file.
func (s *survey) contents() map[string]content {
	in := map[string]content{}
	for _, st := range s.streams {
		for _, p := range st.parts {
			c := in[p.file.name]
			in[p.file.name] = content{c.messages + p.live.count(), c.bytes + p.bytes()}
		}
		for _, r := range st.loose {
			if st.looseLive.has(r.seq) {
				c := in[journal.Name(r.at.File)]
				in[journal.Name(r.at.File)] = content{c.messages + 1, c.bytes + int64(r.at.Len)}
			}
		}
	}
	return in
}

// queues returns the queues that definitions or records tell of, in the order of vhosts and names.
func (s *survey) queues() []Queue {
	out := []Queue{}
	for i := range s.topology.Queues {
		d := &s.topology.Queues[i]
		q := Queue{VHost: d.VHost, Name: d.Name, Stream: d.Stream}
		if st := s.streams[d.Stream]; st != nil {
			q.Messages, q.Bytes = st.live(), st.bytes()
		}
		out = append(out, q)
	}
	for _, id := range slices.Sorted(maps.Keys(s.streams)) {
		if st := s.streams[id]; s.topology.queues[id] == nil && st.live() > 0 {
			out = append(out, Queue{Stream: id, Messages: st.live(), Bytes: st.bytes()})
		}
	}
	return out
}
