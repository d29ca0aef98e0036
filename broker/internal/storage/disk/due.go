package disk

import (
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
)

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
