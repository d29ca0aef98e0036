package disk

import (
	"math"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/storage/segment"
)

// file is a file that records lie in: one of the journal, or a segment.
type file struct {
	number uint64

	live atomic.Int64 // records in it that are alive
	used atomic.Int64 // bytes of their payloads, as far as can be told
	pins atomic.Int32 // readers; taken under the lock of a stream that has a chunk in the file

	complete atomic.Bool // no record comes to it any more
	damaged  atomic.Bool // it could not be copied, and is not tried again

	// Of a file of the journal. Appending owns these: Store.mu.
	begin   int64        // of the first unit
	end     atomic.Int64 // of the last unit that was applied
	large   int64        // bytes of blocks that need not be copied
	streams []*stream    // that had a record in it, some of them more than once

	// Of a segment.
	segment  *segment.Segment // nil: this is a file of the journal
	views    []atomic.Int32   // how many chunks each extent is behind
	bodies   []*body          // files that the segment's records point to
	measured int64            // how many records were alive when used was last set right; lock: Store.work
	unseen   spans            // extents that have no view, when a checkpoint was begun; lock: Store.work
}

// chunk is a run of a stream's records in one file. The chunks of a stream follow one another: their numbers do not
// overlap. A chunk has a live record at least. The lock is the stream's.
type chunk struct {
	first uint64 // that is alive
	last  uint64 // above which it has none
	live  int    // how many records are alive
	bytes int64  // of their payloads: exact as long as all are alive, or all are of one size
	due   int64  // none of them has an earlier deadline; 0: none has one
	file  *file

	places *places // of a file of the journal: where each record is

	extent int    // of a segment: which of its extents this is, or a part of
	dead   *holes // those of the numbers from first to last that are not alive; nil is none
}

// places is where the records of a chunk lie in a file of the journal.
type places struct {
	base    uint64  // what the numbers are counted from
	entries []place // by number
	head    int     // the first that may be alive
}

// place is where one record lies: its "to". Where that is 0 it is dead.
type place struct{ delta, off uint32 }

// fits reports whether a number can be among the places.
func (p *places) fits(seq uint64) bool { return seq >= p.base && seq-p.base <= math.MaxUint32 }

// find returns the index of the first entry from a number on.
func (p *places) find(seq uint64) int {
	if seq <= p.base {
		return p.head
	}
	n := len(p.entries)
	if seq-p.base > math.MaxUint32 {
		return n
	}
	delta := uint32(seq - p.base)
	if p.head < n {
		if p.entries[p.head].delta >= delta {
			return p.head
		}
		// Where no number is missing the index is known.
		if guess := p.head + int(delta-p.entries[p.head].delta); guess < n && p.entries[guess].delta == delta {
			return guess
		}
	}
	return p.head + sort.Search(n-p.head, func(i int) bool { return p.entries[p.head+i].delta >= delta })
}

func (p *places) seq(i int) uint64 { return p.base + uint64(p.entries[i].delta) }

// alive reports whether a number is that of a record that is alive.
func (c *chunk) alive(seq uint64) bool {
	if seq < c.first || seq > c.last {
		return false
	}
	if p := c.places; p != nil {
		i := p.find(seq)
		return i < len(p.entries) && p.seq(i) == seq && p.entries[i].off != 0
	}
	return !c.dead.has(seq)
}

// next returns the number of the first record that is alive from a number on.
func (c *chunk) next(seq uint64) (uint64, bool) {
	seq = max(seq, c.first)
	if seq > c.last {
		return 0, false
	}
	if p := c.places; p != nil {
		for i := p.find(seq); i < len(p.entries); i++ {
			if p.entries[i].off != 0 {
				return p.seq(i), true
			}
		}
		return 0, false
	}
	g := c.dead.gap(seq, c.last+1)
	return g.from, g.from < g.to
}

// kill settles the records from and including from, up to and excluding to, and returns how many of them were alive.
// The chunk is to be removed when none is left.
func (c *chunk) kill(from, to uint64) (killed int) {
	from, to = max(from, c.first), min(to, c.last+1)
	if from >= to {
		return 0
	}
	if c.places != nil {
		killed = c.places.kill(from, to)
	} else {
		killed = c.killExtent(from, to)
	}
	if killed == 0 {
		return 0
	}
	freed := c.bytes
	if killed < c.live {
		freed = int64(float64(c.bytes) / float64(c.live) * float64(killed))
	}
	c.live -= killed
	c.bytes -= freed
	c.file.live.Add(-int64(killed))
	c.file.used.Add(-freed)
	if c.live > 0 && from == c.first {
		c.first, _ = c.next(to)
		c.forget()
	}
	return killed
}

func (p *places) kill(from, to uint64) (killed int) {
	i := p.find(from)
	for ; i < len(p.entries) && p.seq(i) < to; i++ {
		if p.entries[i].off != 0 {
			p.entries[i].off = 0
			killed++
		}
	}
	return killed
}

func (c *chunk) killExtent(from, to uint64) (killed int) {
	if from == c.first {
		// They are in front of everything from now on, and no holes.
		return int(to - from - c.dead.count(from, to))
	}
	if c.dead == nil {
		c.dead = &holes{bounds: span{c.first, c.last + 1}}
	}
	return int(c.dead.add(from, to))
}

// forget drops what is known of numbers below the first.
func (c *chunk) forget() {
	if p := c.places; p != nil {
		p.head = p.find(c.first)
		return
	}
	if c.dead != nil && c.dead.bits == nil {
		c.dead.spans = c.dead.spans[c.dead.spans.find(c.first):]
		if len(c.dead.spans) == 0 {
			c.dead = nil
		}
	}
}

// leave takes the chunk's view off its extent.
func (c *chunk) leave() {
	if c.file.segment != nil {
		c.file.views[c.extent].Add(-1)
	}
}

// split returns what of the chunk lies below a number that is none of its records', and what lies above. It counts as
// left.
func (c *chunk) split(seq uint64) (parts []chunk) {
	left := c.bytes
	for _, s := range [...]span{{c.first, seq}, {seq + 1, c.last + 1}} {
		if part, ok := c.within(s.from, s.to); ok {
			parts = append(parts, part)
			left -= part.bytes
		}
	}
	parts[len(parts)-1].bytes += left // of rounding
	c.leave()
	return parts
}

// within returns the part of the chunk from and including from, up to and excluding to, if a record there is alive.
// It is in place of the chunk: the file's counts do not change.
func (c *chunk) within(from, to uint64) (chunk, bool) {
	first, ok := c.next(from)
	if !ok || first >= to {
		return chunk{}, false
	}
	part := *c
	part.first, part.last, part.live = first, min(c.last, to-1), 0
	if p := c.places; p != nil {
		lo, hi := p.find(first), p.find(to)
		entries := slices.Clone(p.entries[lo:hi])
		for _, e := range entries {
			if e.off != 0 {
				part.live++
			}
		}
		part.places = &places{base: p.base, entries: entries}
	} else {
		part.dead = c.dead.within(first, part.last+1)
		part.live = int(part.last + 1 - first - part.dead.count(first, part.last+1))
		c.file.views[c.extent].Add(1)
	}
	part.bytes = int64(float64(c.bytes) / float64(c.live) * float64(part.live))
	return part, true
}
