package segment

import (
	"fmt"

	"github.com/warrenmq/warren/broker/internal/storage/block"
)

// Cursor goes over the records of an extent. It is for one goroutine. The zero Cursor has no records; Reset gives it some.
//
// It reads a short extent at once and a long one in parts of 64 to 256 KiB, into a buffer that it uses again.
type Cursor struct {
	s       *Segment
	e       int
	extent  Extent // number e
	seed    uint32
	from    uint64
	inline  window // over the extent
	shared  window // over payloads that stand behind other records of the file
	at      int64  // the next record
	start   entry  // where it began
	sought  bool   // start is known
	last    uint64 // the number of the record before
	count   uint32 // records so far, also those before from
	err     error  // why it does not go on
	head    recordHead
	scratch [8]byte
}

// Cursor returns a cursor over the records of extent number e, from number from on.
func (s *Segment) Cursor(e int, from uint64) *Cursor {
	c := new(Cursor)
	c.Reset(s, e, from)
	return c
}

// Reset sets the cursor on an extent, of this or another segment. Buffers are used again. Views of the extent before are
// not valid any more.
func (c *Cursor) Reset(s *Segment, e int, from uint64) {
	extent := s.table.extents[e]
	inline, shared := c.inline, c.shared
	*c = Cursor{
		s: s, e: e, extent: extent, from: from, inline: inline, shared: shared,
		start: entry{extent.First, extent.Offset + prefixSize},
	}
	c.seed = streamSeed(s.seed, extent.Stream, c.scratch[:])
	c.inline.reset(&s.file, extent.Offset+extent.Length, midAhead)
	c.shared.reset(&s.file, s.end, minAhead)
	c.at = extent.Offset
	if from > extent.Last {
		c.at, c.last = extent.Offset+extent.Length, extent.Last
	}
	c.sought = from <= extent.First || from > extent.Last
}

// seek goes to the last record with an entry in the extent's index that is not behind the one that is wanted.
func (c *Cursor) seek() error {
	entries, err := c.s.index(c.e)
	if err != nil {
		return err
	}
	if start := seek(entries, c.start, c.from); start != c.start {
		c.start, c.at = start, start.off
	}
	c.sought = true
	return nil
}

// Next reads the next record into r; it returns false when there is none any more. Where r.At is in another file, the
// payload is not looked at and r.Block is nil; otherwise r.Block is a view, valid until the next call.
//
// An error that is a *storage.DamageError means that there are no more records to be had, except when r.Seq is not 0: then
// only the payload of that record is damaged, and Next goes on behind it. Any other error is one of reading, and the call
// can be repeated.
func (c *Cursor) Next(r *Record) (bool, error) {
	*r = Record{}
	at, ok, err := c.next()
	if !ok || err != nil {
		return false, err
	}
	h := &c.head
	r.Seq, r.Deadline, r.Transient, r.At = h.seq, h.deadline, h.transient, h.at
	switch {
	case !h.elsewhere:
		b, err := c.inline.view(at, int(h.size))
		if err != nil {
			return false, c.unread(r, err)
		}
		r.Block = b[r.At.Offset-at:]
	case h.at.File == c.s.number:
		if err := c.s.holds(h.at); err != nil {
			c.pass(at)
			return false, err
		}
		if r.Block, err = c.shared.view(h.at.Offset, block.Size(int(h.at.Len))); err != nil {
			return false, c.unread(r, err)
		}
	}
	c.pass(at)
	if r.Block != nil && !isBlock(r.Block) {
		r.Block = nil
		return false, c.s.file.damage(r.At.Offset,
			fmt.Sprintf("the payload of record %d of stream %d does not match its checksum", h.seq, c.extent.Stream))
	}
	return true, nil
}

// NextHead is Next without the payload, which is not read: r.Block is nil. r.At says where it is, for Segment.Block where
// it is in this one.
func (c *Cursor) NextHead(r *Record) (bool, error) {
	*r = Record{}
	at, ok, err := c.next()
	if !ok || err != nil {
		return false, err
	}
	h := &c.head
	r.Seq, r.Deadline, r.Transient, r.At = h.seq, h.deadline, h.transient, h.at
	c.pass(at)
	return true, nil
}

// unread is for a payload that could not be read: the record is not passed.
func (c *Cursor) unread(r *Record, err error) error {
	*r = Record{}
	return err
}

// pass goes behind the record at an offset.
func (c *Cursor) pass(at int64) {
	c.at = at + c.head.size
	c.last = c.head.seq
	c.count++
}

// next reads the header of the next record from number from on into c.head, and returns its offset. It is not passed yet.
func (c *Cursor) next() (at int64, ok bool, err error) {
	if c.err != nil || c.s == nil {
		return 0, false, c.err
	}
	if !c.sought {
		if err := c.seek(); err != nil {
			return 0, false, err
		}
	}
	end := c.extent.Offset + c.extent.Length
	if c.at == c.extent.Offset {
		b, err := c.inline.view(c.at, prefixSize)
		if err != nil {
			return 0, false, err
		}
		if stream, ok := decodeExtent(b, placed(c.s.seed, c.at)); !ok || stream != c.extent.Stream {
			return c.broken("the header of an extent does not match its checksum")
		}
		c.at += prefixSize
	}
	for c.at < end {
		b, err := c.inline.view(c.at, int(min(maxHead, end-c.at)))
		if err != nil {
			return 0, false, err
		}
		h := &c.head
		if !h.decode(b, placed(c.seed, c.at)) || h.size > end-c.at {
			return c.broken(fmt.Sprintf("a record of stream %d does not match its checksum", c.extent.Stream))
		}
		if h.seq <= c.last || h.seq > c.extent.Last || c.count == 0 && h.seq != c.start.seq {
			return c.broken(fmt.Sprintf("record %d of stream %d is out of order", h.seq, c.extent.Stream))
		}
		if !h.elsewhere {
			h.at.File = c.s.number
			h.at.Offset += c.at
		}
		if h.seq >= c.from {
			return c.at, true, nil
		}
		c.pass(c.at)
	}
	if c.last != c.extent.Last || c.start.seq == c.extent.First && c.from <= c.extent.Last && c.count != c.extent.Count {
		return c.broken(fmt.Sprintf("records of stream %d are missing", c.extent.Stream))
	}
	return 0, false, nil
}

// broken ends the way: what follows is not known.
func (c *Cursor) broken(what string) (int64, bool, error) {
	c.err = c.s.file.damage(c.at, what)
	return 0, false, c.err
}
