package disk

import (
	"math"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
)

// batch implements storage.Batch. It is written as the unit of the journal that it will be: a payload is filled in
// where it will be taken from, and handing over is one append.
//
// Three changes are held back, since neighbours become one: what was settled, delivered and returned last. Settling
// and delivering may come later in a batch than they were called without anybody seeing a difference; returning may
// not come behind a "to", as it says something of records that are there.
type batch struct {
	store *Store
	unit  []byte
	steps []step

	message int // where the last message begins, -1 when there is none
	tos     int // that it has

	settled   held
	delivered held
	returned  held

	most int // a decaying maximum of len(unit)
}

// step is a change that is in the unit, as far as it takes effect in memory.
type step struct {
	kind       kind
	transient  bool
	again      bool // of a "to": not the first of its message
	deliveries uint16
	size       uint32 // of the payload
	at         int    // in the unit
	stream     *stream
	from, to   uint64
	deadline   int64
}

// held is a change that may still grow. It is there when stream is not nil.
type held struct {
	stream     *stream
	from, to   uint64
	deliveries uint16
}

// take makes a number part of the change, if it is its neighbour.
func (h *held) take(s *stream, seq uint64) bool {
	switch {
	case h.stream != s:
		return false
	case seq == h.to:
		h.to++
	case seq+1 == h.from:
		h.from--
	default:
		return h.from <= seq && seq < h.to
	}
	return true
}

// noNumber is a number that no record has, so that there is one behind each.
const noNumber = math.MaxUint64

const (
	// borrowed is from how many bytes on a unit is the journal's once it was appended: it is not copied.
	borrowed = 64 << 10
	// keptUnit is the largest buffer that is kept for the next unit.
	keptUnit = 1 << 20
	// slack is how much room is made for what comes behind a message.
	slack = 512
)

// NewBatch implements storage.Store.
func (st *Store) NewBatch() storage.Batch { return &batch{store: st, message: -1} }

// grow makes room for n bytes more. A large payload is moved at most once by what comes behind it.
func (b *batch) grow(n int) {
	if need := len(b.unit) + n; need > cap(b.unit) {
		unit := make([]byte, len(b.unit), max(need+slack+need/8, 2*len(b.unit), min(b.most+b.most/8, keptUnit)))
		copy(unit, b.unit)
		b.unit = unit
	}
}

func (b *batch) Message(n int) []byte {
	b.endMessage()
	b.grow(1 + block.Size(n))
	b.message, b.tos = len(b.unit), 0
	var payload []byte
	b.unit, payload = block.Reserve(append(b.unit, byte(opMessage)), n)
	return payload[:n:n]
}

// endMessage ends the message. One that nobody wanted is forgotten, if nothing came behind it.
func (b *batch) endMessage() {
	if b.message >= 0 && b.tos == 0 && len(b.unit) == b.message+1+block.Size(block.Len(b.unit[b.message+1:])) {
		b.unit = b.unit[:b.message]
	}
	b.message = -1
}

func (b *batch) To(s storage.Stream, seq uint64, deadline int64, transient bool) {
	if b.message < 0 {
		panic("disk: a record without a message")
	}
	if seq == 0 || seq == noNumber {
		panic("disk: a record without a number")
	}
	b.flushReturned()
	switch b.tos {
	case 0:
		block.Seal(b.unit[b.message+1:])
	case 1:
		b.unit[b.message] |= flagShared
	}
	b.tos++
	b.grow(maxTo)
	st, at, begin := s.(*stream), len(b.unit), b.message+1
	b.unit = appendTo(b.unit, st.id, seq, deadline, transient, begin)
	b.steps = append(b.steps, step{
		kind: opTo, transient: transient, again: b.tos > 1, size: uint32(block.Len(b.unit[begin:])), at: at,
		stream: st, from: seq, to: seq + 1, deadline: deadline,
	})
}

func (b *batch) Delivered(s storage.Stream, seq uint64) {
	st := s.(*stream)
	if b.delivered.stream != st {
		b.flushDelivered()
		b.delivered = held{stream: st}
	}
	b.delivered.from = max(b.delivered.from, seq)
}

func (b *batch) Returned(s storage.Stream, seq uint64, deliveries uint16) {
	if seq == noNumber {
		return
	}
	st := s.(*stream)
	if h := &b.returned; h.stream != st || h.deliveries != deliveries || !h.take(st, seq) {
		b.flushReturned()
		b.returned = held{st, seq, seq + 1, deliveries}
	}
}

func (b *batch) Settle(s storage.Stream, seq uint64) {
	if seq == noNumber {
		return
	}
	st := s.(*stream)
	if !b.settled.take(st, seq) {
		b.flushSettled()
		b.settled = held{stream: st, from: seq, to: seq + 1}
	}
}

func (b *batch) Truncate(s storage.Stream, from, to uint64) {
	st := s.(*stream)
	to = max(from, to)
	b.numbers(step{kind: opTruncate, stream: st, from: from, to: to}, st.id, from, to-from)
}

func (b *batch) Drop(s storage.Stream) {
	b.flushHeld()
	st := s.(*stream)
	b.numbers(step{kind: opDrop, stream: st}, st.id)
}

func (b *batch) Put(key string, value []byte) {
	b.steps = append(b.steps, step{kind: opPut, at: len(b.unit)})
	b.grow(len(key) + len(value) + maxTo)
	b.unit = appendPut(b.unit, key, value)
}

func (b *batch) Delete(key string) {
	b.steps = append(b.steps, step{kind: opDelete, at: len(b.unit)})
	b.grow(len(key) + maxTo)
	b.unit = appendDelete(b.unit, key)
}

// numbers appends a change that has nothing but numbers.
func (b *batch) numbers(s step, numbers ...uint64) {
	s.at = len(b.unit)
	b.grow(maxTo)
	b.unit = appendNumbers(b.unit, s.kind, numbers...)
	b.steps = append(b.steps, s)
}

func (b *batch) flushHeld() {
	b.flushReturned()
	b.flushDelivered()
	b.flushSettled()
}

func (b *batch) flushReturned() {
	if h := b.returned; h.stream != nil {
		b.returned = held{}
		b.numbers(step{kind: opReturned, stream: h.stream, from: h.from, to: h.to, deliveries: h.deliveries},
			h.stream.id, h.from, h.to-h.from, uint64(h.deliveries))
	}
}

func (b *batch) flushDelivered() {
	if h := b.delivered; h.stream != nil {
		b.delivered = held{}
		b.numbers(step{kind: opDelivered, stream: h.stream, from: h.from}, h.stream.id, h.from)
	}
}

func (b *batch) flushSettled() {
	if h := b.settled; h.stream != nil {
		b.settled = held{}
		b.numbers(step{kind: opSettle, stream: h.stream, from: h.from, to: h.to}, h.stream.id, h.from, h.to-h.from)
	}
}

func (b *batch) Empty() bool {
	return len(b.steps) == 0 && b.settled.stream == nil && b.delivered.stream == nil && b.returned.stream == nil
}

func (b *batch) Size() int {
	n := len(b.unit)
	for _, h := range [...]*held{&b.settled, &b.delivered, &b.returned} {
		if h.stream != nil {
			n += 8
		}
	}
	return n
}

func (b *batch) Commit(urgent bool) storage.Ticket {
	b.endMessage()
	b.flushHeld()
	if len(b.steps) == 0 {
		b.unit = b.unit[:0]
		return 0
	}
	t := b.store.commit(b.unit, b.steps, urgent)
	b.most = max(len(b.unit), b.most-b.most/16)
	if len(b.unit) >= borrowed || cap(b.unit) > keptUnit {
		b.unit = nil
	}
	b.unit = b.unit[:0]
	clear(b.steps) // streams are not kept alive
	if cap(b.steps) > 1<<16 {
		b.steps = nil
	}
	b.steps = b.steps[:0]
	return t
}
