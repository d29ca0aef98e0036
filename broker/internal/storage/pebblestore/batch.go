package pebblestore

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// batch implements storage.Batch. Records and values go to Pebble's batch at once; what depends on the state that Commit
// finds is gathered.
type batch struct {
	store *Store
	b     *pebble.Batch
	body  []byte // what Message returned last
	size  int

	tos       []to
	settled   []settled
	delivered []mark
	returned  []returned
	dropped   []*stream
	touched   uint64 // above the greatest stream id
}

type to struct {
	s         *stream
	seq       uint64
	size      int
	timed     bool
	transient bool
}

type settled struct {
	s *stream
	span
}

type mark struct {
	s   *stream
	seq uint64
}

type returned struct {
	mark
	deliveries uint16
}

// NewBatch implements storage.Store.
func (s *Store) NewBatch() storage.Batch { return &batch{store: s, b: s.db.NewBatch()} }

// Message implements storage.Batch.
func (b *batch) Message(n int) []byte {
	b.body = slices.Grow(b.body[:0], n)[:n]
	return b.body
}

// of returns the stream as what it is, and takes note of it.
func (b *batch) of(s storage.Stream) *stream {
	st := s.(*stream)
	b.touched = max(b.touched, st.id+1)
	return st
}

// To implements storage.Batch.
func (b *batch) To(s storage.Stream, seq uint64, deadline int64, transient bool) {
	st := b.of(s)
	op := b.b.SetDeferred(1+8+8, recordHeader+len(b.body))
	appendKey(op.Key[:0], recordKey, st.id, seq)
	op.Value[0] = 0
	if transient {
		op.Value[0] = flagTransient
	}
	binary.BigEndian.PutUint64(op.Value[1:], uint64(deadline))
	copy(op.Value[recordHeader:], b.body)
	op.Finish()
	if transient {
		b.b.Set(key(transientKey, st.id, seq), nil, nil)
	}
	if deadline != 0 {
		b.b.Set(key(deadlineKey, st.id, ordered(deadline), seq), nil, nil)
	}
	b.tos = append(b.tos, to{st, seq, len(b.body), deadline != 0, transient})
	b.size += len(b.body) + recordHeader
}

// Delivered implements storage.Batch.
func (b *batch) Delivered(s storage.Stream, seq uint64) {
	b.delivered = append(b.delivered, mark{b.of(s), seq})
	b.size += 16
}

// Returned implements storage.Batch.
func (b *batch) Returned(s storage.Stream, seq uint64, deliveries uint16) {
	b.returned = append(b.returned, returned{mark{b.of(s), seq}, deliveries})
	b.size += 16
}

// Settle implements storage.Batch.
func (b *batch) Settle(s storage.Stream, seq uint64) { b.Truncate(s, seq, seq+1) }

// Truncate implements storage.Batch.
func (b *batch) Truncate(s storage.Stream, from, to uint64) {
	if from >= to {
		return
	}
	st := b.of(s)
	if n := len(b.settled); n > 0 && b.settled[n-1].s == st && b.settled[n-1].to == from {
		b.settled[n-1].to = to
		return
	}
	b.settled = append(b.settled, settled{st, span{from, to}})
	b.size += 24
}

// Drop implements storage.Batch.
func (b *batch) Drop(s storage.Stream) {
	b.dropped = append(b.dropped, b.of(s))
	b.size += 8
}

// Put implements storage.Batch.
func (b *batch) Put(name string, value []byte) {
	b.b.Set(append([]byte{valueKey}, name...), value, nil)
	b.size += len(name) + len(value) + 1
}

// Delete implements storage.Batch.
func (b *batch) Delete(name string) {
	b.b.Delete(append([]byte{valueKey}, name...), nil)
	b.size += len(name) + 1
}

// Empty implements storage.Batch.
func (b *batch) Empty() bool { return b.size == 0 }

// Size implements storage.Batch.
func (b *batch) Size() int { return b.size }

// Commit implements storage.Batch.
func (b *batch) Commit(urgent bool) storage.Ticket {
	if b.Empty() {
		return 0
	}
	s := b.store
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	s.mu.Lock()
	for s.waiting > mostWaiting && !s.closed {
		s.wake()
		s.moved.Wait()
	}
	if s.closed {
		defer s.mu.Unlock()
		return s.appended + 1 // never
	}
	b.apply()
	b.b.Set(key(ticketKey), binary.BigEndian.AppendUint64(nil, uint64(s.appended+1)), nil)
	s.mu.Unlock()

	size := b.b.Len()
	if err := s.db.Apply(b.b, pebble.NoSync); err != nil {
		panic(err) // Pebble has ended the process before it comes to that
	}
	b.b.Close()
	b.b = s.db.NewBatch()
	b.empty()

	s.mu.Lock()
	defer s.mu.Unlock()
	s.appended++
	s.waiting += size
	switch {
	case urgent:
		s.wake()
	case !s.armed:
		s.armed = true
		time.AfterFunc(idle, func() {
			s.mu.Lock()
			s.armed = false
			s.mu.Unlock()
			s.wake()
		})
	}
	return s.appended
}

// apply applies the changes to what is in memory and completes Pebble's batch. The caller holds commitMu and mu.
func (b *batch) apply() {
	if b.touched > b.store.reserved {
		b.store.reserved = b.store.nextID
		b.b.Set(key(nextIDKey), binary.BigEndian.AppendUint64(nil, b.store.nextID), nil)
	}
	for i := range b.tos {
		t := &b.tos[i]
		t.s.mention(t.seq)
		t.s.known = true
		if t.s.dropped || t.s.settled.contains(t.seq) {
			b.b.Delete(key(recordKey, t.s.id, t.seq), nil)
			continue
		}
		t.s.live.add(span{t.seq, t.seq + 1})
		t.s.records++
		t.s.bytes += int64(t.size)
		t.s.timed = t.s.timed || t.timed
		t.s.transient = t.s.transient || t.transient
	}
	for _, r := range b.returned {
		if r.s.mention(r.seq); !r.s.dropped && r.s.live.contains(r.seq) {
			r.s.known = true
			r.s.returned[r.seq] = r.deliveries
			b.b.Set(key(returnedKey, r.s.id, r.seq), binary.BigEndian.AppendUint16(nil, r.deliveries), nil)
		}
	}
	for _, d := range b.delivered {
		if d.s.mention(d.seq); !d.s.dropped && d.seq > d.s.delivered {
			d.s.known = true
			d.s.delivered = d.seq
			b.b.Set(key(deliveredKey, d.s.id), binary.BigEndian.AppendUint64(nil, d.seq), nil)
		}
	}
	for _, t := range b.settled {
		if !t.s.dropped {
			t.s.known = true
			t.s.settle(b.b, t.span)
		}
	}
	for _, st := range b.dropped {
		if !st.dropped {
			st.drop(b.b)
		}
	}
}

// empty forgets what was committed and keeps the room.
func (b *batch) empty() {
	clear(b.tos)
	clear(b.settled)
	clear(b.delivered)
	clear(b.returned)
	clear(b.dropped)
	b.tos, b.settled, b.delivered, b.returned, b.dropped = b.tos[:0], b.settled[:0], b.delivered[:0], b.returned[:0], b.dropped[:0]
	b.size, b.touched = 0, 0
}
