package disk

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// stream implements storage.Stream. What it knows of a record is in which chunk it is, and of a chunk's records which
// are alive: nothing per record, except for the files of the journal that were not copied yet.
type stream struct {
	store *Store
	id    uint64
	known bool // the store lists it. lock: Store.mu

	// changes counts what says something else of records that were there before. It is written under mu.
	changes atomic.Uint64

	mu sync.Mutex
	// mu owns everything below.
	chunks    []chunk // in the order of their numbers
	spare     *places // to be used again
	live      int     // sum of the chunks'
	added     uint64  // counts records that were added
	next      uint64  // above every number that was mentioned
	delivered uint64  // every record up to it has been out
	returned  []mark  // records that came back, in the order of their numbers
	early     spans   // settled, and perhaps not there yet: such a record is dead on arrival
	dropped   bool
}

// mark says how often records have been out. Numbers that are not alive may be among them.
type mark struct {
	span
	deliveries uint16
}

// maxEarly is how many runs of numbers are remembered that were settled when there was nothing to settle. Batches
// overtake one another by little; who settles the same records again and again is no reason to grow. Beyond it the
// lowest are forgotten.
const maxEarly = 1 << 16

func newStream(st *Store, id uint64) *stream { return &stream{store: st, id: id, next: 1} }

func (s *stream) ID() uint64 { return s.id }

func (s *stream) Info() storage.StreamInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := storage.StreamInfo{Next: s.next, Records: s.live, Bytes: s.bytes(), First: s.next}
	if len(s.chunks) > 0 {
		info.First = s.chunks[0].first
	}
	return info
}

// bytes returns how many bytes of payloads are alive. mu is held.
func (s *stream) bytes() (n int64) {
	for i := range s.chunks {
		n += s.chunks[i].bytes
	}
	return n
}

func (s *stream) mention(seq uint64) {
	if seq != noNumber {
		s.next = max(s.next, seq+1)
	}
}

// find returns the index of the first chunk that ends at a number or above it.
func (s *stream) find(seq uint64) int {
	n := len(s.chunks)
	if n == 0 || s.chunks[n-1].last < seq {
		return n
	}
	if seq <= s.chunks[0].last {
		return 0
	}
	i, _ := slices.BinarySearchFunc(s.chunks, seq, func(c chunk, seq uint64) int {
		if c.last < seq {
			return -1
		}
		return 1
	})
	return i
}

func (s *stream) alive(seq uint64) bool {
	i := s.find(seq)
	return i < len(s.chunks) && s.chunks[i].alive(seq)
}

// deliveries returns how often a record has been out, as far as was said, and up to which number that is so for all
// others.
func (s *stream) deliveries(seq uint64) (n uint16, until uint64) {
	until = noNumber
	if seq <= s.delivered {
		n, until = 1, s.delivered+1
	}
	if len(s.returned) == 0 {
		return n, until
	}
	i := s.markAt(seq)
	if i == len(s.returned) {
		return n, until
	}
	if m := &s.returned[i]; m.from <= seq {
		return m.deliveries, m.to
	}
	return n, min(until, s.returned[i].from)
}

// markAt returns the index of the first mark that ends above a number.
func (s *stream) markAt(seq uint64) int {
	i, _ := slices.BinarySearchFunc(s.returned, seq, func(m mark, seq uint64) int {
		if m.to <= seq {
			return -1
		}
		return 1
	})
	return i
}

// apply makes a step take effect. It is at unit+step.at in a file of the journal. mu is held; so is Store.mu, or
// nobody else knows of the store yet.
func (s *stream) apply(f *file, unit int64, c *step) {
	if s.dropped {
		return
	}
	switch c.kind {
	case opTo:
		s.mention(c.from)
		if len(s.early) > 0 && s.overtaken(c.from) {
			return
		}
		s.place(f, c.from, uint32(unit+int64(c.at)), c.deadline, int64(c.size))
	case opDelivered:
		s.mention(c.from)
		if c.from > s.delivered {
			s.delivered = c.from
			s.changes.Add(1)
		}
	case opReturned:
		s.mention(c.to - 1)
		s.mark(c.from, c.to, c.deliveries)
	case opSettle:
		s.mention(c.to - 1)
		if uint64(s.kill(c.from, c.to)) != c.to-c.from {
			s.settledEarly(c.from, c.to)
		}
	case opTruncate:
		if c.from < c.to {
			s.mention(c.to - 1)
			s.kill(c.from, c.to)
			s.settledEarly(c.from, c.to)
		}
	case opDrop:
		s.drop()
	}
}

// overtaken reports whether a record was settled before it came.
func (s *stream) overtaken(seq uint64) bool {
	i := s.early.find(seq)
	if i == len(s.early) || s.early[i].from > seq {
		return false
	}
	// It comes only once: where it is at the edge of a run it can be forgotten.
	switch r := &s.early[i]; seq {
	case r.from:
		r.from++
	case r.to - 1:
		r.to--
	}
	if s.early[i].from == s.early[i].to {
		s.early = slices.Delete(s.early, i, i+1)
	}
	return true
}

func (s *stream) settledEarly(from, to uint64) {
	s.early.add(from, to)
	if n := len(s.early); n > maxEarly {
		s.early = slices.Delete(s.early, 0, n-maxEarly)
	}
}

// place makes a record part of the stream.
func (s *stream) place(f *file, seq uint64, off uint32, deadline, size int64) {
	n := len(s.chunks)
	if n > 0 && s.chunks[n-1].file == f && seq > s.chunks[n-1].last && s.chunks[n-1].places.fits(seq) {
		c := &s.chunks[n-1]
		c.places.entries = append(c.places.entries, place{uint32(seq - c.places.base), off})
		c.last = seq
		s.count(c, deadline, size)
		return
	}
	i := s.find(seq)
	if i < n && s.chunks[i].first <= seq {
		// It is within a chunk.
		c := &s.chunks[i]
		switch {
		case c.file == f:
			if s.insert(c, seq, off) {
				s.count(c, deadline, size)
			}
			return
		case c.alive(seq):
			return // a number that the stream has had before
		}
		parts := c.split(seq)
		s.chunks = slices.Replace(s.chunks, i, i+1, parts...)
		for i < len(s.chunks) && s.chunks[i].last < seq {
			i++
		}
	}
	// It is between two chunks: i-1 and i.
	for _, at := range [...]int{i - 1, i} {
		if at >= 0 && at < len(s.chunks) && s.chunks[at].file == f && s.chunks[at].places.fits(seq) && s.insert(&s.chunks[at], seq, off) {
			s.count(&s.chunks[at], deadline, size)
			return
		}
	}
	s.chunks = slices.Insert(s.chunks, i, chunk{first: seq, last: seq, file: f, places: s.newPlaces(seq, off)})
	f.streams = append(f.streams, s)
	s.count(&s.chunks[i], deadline, size)
}

// insert puts a record into a chunk of the journal that reaches as far, or to there. False: a record with that number
// is there.
func (s *stream) insert(c *chunk, seq uint64, off uint32) bool {
	p := c.places
	i := p.find(seq)
	if seq < c.first {
		i = p.head // what is before is dead
	}
	if i < len(p.entries) && p.seq(i) == seq {
		return false
	}
	p.entries = slices.Insert(p.entries, i, place{uint32(seq - p.base), off})
	c.first, c.last = min(c.first, seq), max(c.last, seq)
	return true
}

// count counts in a record that was added to a chunk.
func (s *stream) count(c *chunk, deadline, size int64) {
	c.live++
	c.bytes += size
	if deadline != 0 && (c.due == 0 || deadline < c.due) {
		c.due = deadline
	}
	c.file.live.Add(1)
	c.file.used.Add(size)
	s.live++
	s.added++
}

// kill settles records and returns how many of them were alive.
func (s *stream) kill(from, to uint64) (killed int) {
	if from >= to {
		return 0
	}
	i := s.find(from)
	empty := 0
	j := i
	for ; j < len(s.chunks) && s.chunks[j].first < to; j++ {
		c := &s.chunks[j]
		killed += c.kill(from, to)
		if c.live == 0 {
			empty++
		}
	}
	if killed == 0 {
		return 0
	}
	s.live -= killed
	s.changes.Add(1)
	if empty > 0 {
		s.remove(i, j, empty)
	}
	if len(s.returned) > 0 {
		s.forget()
	}
	return killed
}

// remove takes those of some chunks away that are empty.
func (s *stream) remove(i, j, empty int) {
	for k := i; k < j; k++ {
		if c := &s.chunks[k]; c.live == 0 {
			c.leave()
			s.store.emptied(c.file)
		}
	}
	switch {
	case empty == len(s.chunks):
		s.reuse()
	case i == 0 && empty == j:
		clear(s.chunks[:j])
		s.chunks = s.chunks[j:]
	default:
		kept := slices.DeleteFunc(s.chunks[i:j], func(c chunk) bool { return c.live == 0 })
		s.chunks = slices.Delete(s.chunks, i+len(kept), j)
	}
}

// reuse empties the list of chunks and keeps, of a short one, what the next record needs: a stream that is empty
// every now and then should not make garbage each time.
func (s *stream) reuse() {
	if n := len(s.chunks); n > 0 && cap(s.chunks) <= 8 {
		if p := s.chunks[n-1].places; p != nil && cap(p.entries) <= 1024 {
			s.spare = p
		}
		clear(s.chunks)
		s.chunks = s.chunks[:0]
		return
	}
	s.chunks = nil
}

// newPlaces begins the places of a chunk with a record.
func (s *stream) newPlaces(seq uint64, off uint32) *places {
	p := s.spare
	if p == nil {
		p = &places{entries: make([]place, 0, 4)}
	}
	s.spare = nil
	*p = places{entries: append(p.entries[:0], place{0, off})}
	if seq > math.MaxInt32 {
		p.base = seq - math.MaxInt32 // others may be somewhat lower
	}
	p.entries[0].delta = uint32(seq - p.base)
	return p
}

// forget drops marks of records that are all settled. While the store is being opened some of them are only about to
// be found.
func (s *stream) forget() {
	if s.store.opening {
		return
	}
	if len(s.chunks) == 0 {
		s.returned = nil
		return
	}
	s.returned = s.returned[s.markAt(s.chunks[0].first):]
}

// mark notes how often those of some records that are alive have been out.
func (s *stream) mark(from, to uint64, deliveries uint16) {
	for i := s.find(from); i < len(s.chunks) && s.chunks[i].first < to; i++ {
		c := &s.chunks[i]
		for seq, ok := c.next(from); ok && seq < to; seq, ok = c.next(seq + 1) {
			s.markOne(seq, deliveries)
			s.changes.Add(1)
		}
	}
}

// markOne notes it of one record.
func (s *stream) markOne(seq uint64, deliveries uint16) {
	i := s.markAt(seq)
	if i < len(s.returned) && s.returned[i].from <= seq {
		m := s.returned[i]
		if m.deliveries == deliveries {
			return
		}
		// It leaves its mark, which may become two.
		var parts []mark
		if m.from < seq {
			parts = append(parts, mark{span{m.from, seq}, m.deliveries})
		}
		if seq+1 < m.to {
			parts = append(parts, mark{span{seq + 1, m.to}, m.deliveries})
		}
		s.returned = slices.Replace(s.returned, i, i+1, parts...)
		i = s.markAt(seq)
	}
	if deliveries == 0 {
		return // what Delivered says counts
	}
	before := i > 0 && s.returned[i-1].to == seq && s.returned[i-1].deliveries == deliveries
	behind := i < len(s.returned) && s.returned[i].from == seq+1 && s.returned[i].deliveries == deliveries
	switch {
	case before && behind:
		s.returned[i-1].to = s.returned[i].to
		s.returned = slices.Delete(s.returned, i, i+1)
	case before:
		s.returned[i-1].to++
	case behind:
		s.returned[i].from--
	default:
		s.returned = slices.Insert(s.returned, i, mark{span{seq, seq + 1}, deliveries})
	}
}

// drop ends the stream.
func (s *stream) drop() {
	s.kill(0, math.MaxUint64)
	s.dropped, s.early, s.returned = true, nil, nil
	s.changes.Add(1)
}
