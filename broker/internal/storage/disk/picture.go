package disk

import (
	"encoding/binary"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
)

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
