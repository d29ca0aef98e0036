package pebblestore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// stream implements storage.Stream.
type stream struct {
	store *Store
	id    uint64

	// Owner: store.mu.
	known     bool // something was ever committed for it
	dropped   bool
	live      ranges
	settled   ranges // whether they came before or not: a record that comes is dead
	records   int
	bytes     int64
	next      uint64
	delivered uint64
	returned  map[uint64]uint16
	timed     bool // a record with a deadline was there
	transient bool // a transient record was there
}

func (s *Store) newStream(id uint64) *stream {
	return &stream{store: s, id: id, next: 1, returned: map[uint64]uint16{}}
}

// ID implements storage.Stream.
func (st *stream) ID() uint64 { return st.id }

// Info implements storage.Stream.
func (st *stream) Info() storage.StreamInfo {
	st.store.mu.Lock()
	defer st.store.mu.Unlock()
	info := storage.StreamInfo{Next: st.next, Records: st.records, Bytes: st.bytes, First: st.next}
	if len(st.live) > 0 {
		info.First = st.live[0].from
	}
	return info
}

// mention keeps next above a number. The caller holds store.mu.
func (st *stream) mention(seq uint64) { st.next = max(st.next, seq+1) }

// settle takes records away, in memory and, with b, on disk. The caller holds store.mu.
func (st *stream) settle(b *pebble.Batch, s span) {
	if n := int(st.live.remove(s)); n > 0 {
		st.bytes -= st.bytes * int64(n) / int64(st.records)
		st.records -= n
		st.erase(b, recordKey, s)
		if st.transient {
			st.erase(b, transientKey, s)
		}
	}
	for seq := range st.returned {
		if seq >= s.from && seq < s.to {
			delete(st.returned, seq)
			b.Delete(key(returnedKey, st.id, seq), nil)
		}
	}
	st.mention(s.to - 1)
	merged, swallowed := st.settled.add(s)
	for _, old := range swallowed {
		if old.from != merged.from {
			b.Delete(key(settledKey, st.id, old.from), nil)
		}
	}
	b.Set(key(settledKey, st.id, merged.from), binary.BigEndian.AppendUint64(nil, merged.to), nil)
}

// erase deletes the keys of a range of numbers.
func (st *stream) erase(b *pebble.Batch, letter byte, s span) {
	if s.to-s.from == 1 {
		b.Delete(key(letter, st.id, s.from), nil)
		return
	}
	b.DeleteRange(key(letter, st.id, s.from), key(letter, st.id, s.to), nil)
}

// drop takes everything of the stream away. The caller holds store.mu.
func (st *stream) drop(b *pebble.Batch) {
	for _, letter := range []byte{deliveredKey, returnedKey, recordKey, deadlineKey, transientKey, settledKey} {
		b.DeleteRange(key(letter, st.id), key(letter, st.id+1), nil)
	}
	*st = stream{store: st.store, id: st.id, dropped: true, next: st.next}
	delete(st.store.streams, st.id)
}

// show fills in a record from its value and what memory has of it.
func (st *stream) show(r *storage.Record, seq uint64, value []byte) error {
	if len(value) < recordHeader {
		return fmt.Errorf("pebblestore: record %d of stream %d is too short", seq, st.id)
	}
	*r = storage.Record{Seq: seq, Deadline: int64(binary.BigEndian.Uint64(value[1:])), Payload: value[recordHeader:]}
	st.store.mu.Lock()
	defer st.store.mu.Unlock()
	if r.Deliveries = st.returned[seq]; seq <= st.delivered {
		r.Deliveries = max(r.Deliveries, 1)
	}
	return nil
}

// Read implements storage.Stream.
func (st *stream) Read(from uint64, visit func(*storage.Record) bool) error {
	if err := st.store.enter(); err != nil {
		return err
	}
	defer st.store.leave()
	it, err := st.store.db.NewIter(&pebble.IterOptions{
		LowerBound: key(recordKey, st.id, from),
		UpperBound: key(recordKey, st.id+1),
	})
	if err != nil {
		return err
	}
	var r storage.Record
	for ok := it.First(); ok; ok = it.Next() {
		var v []byte
		if v, err = it.ValueAndErr(); err == nil {
			err = st.show(&r, number(it.Key(), 1), v)
		}
		if err != nil || !visit(&r) {
			break
		}
	}
	return errors.Join(err, it.Close())
}

// Due implements storage.Stream. On its way it removes what points to records that are gone.
func (st *stream) Due(before int64, visit func(*storage.Record) bool) (next int64, err error) {
	if err := st.store.enter(); err != nil {
		return 0, err
	}
	defer st.store.leave()
	st.store.mu.Lock()
	timed := st.timed
	st.store.mu.Unlock()
	if !timed {
		return 0, nil
	}
	snapshot := st.store.db.NewSnapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	type due struct {
		seq      uint64
		deadline int64
		value    []byte
	}
	var list []due
	b := st.store.db.NewBatch()
	defer b.Close()
	err = scan(snapshot, key(deadlineKey, st.id), func(k []byte, _ pebble.LazyValue) (bool, error) {
		d := due{seq: number(k, 2), deadline: unordered(number(k, 1))}
		value, release, err := snapshot.Get(key(recordKey, st.id, d.seq))
		if errors.Is(err, pebble.ErrNotFound) {
			return true, b.Delete(k, nil)
		}
		if err != nil {
			return false, err
		}
		defer release.Close()
		if d.deadline > before {
			next = d.deadline
			return false, nil
		}
		d.value = slices.Clone(value)
		list = append(list, d)
		return true, nil
	})
	if err != nil {
		return 0, err
	}
	if err := st.store.db.Apply(b, pebble.NoSync); err != nil {
		return 0, err
	}
	slices.SortFunc(list, func(a, b due) int { return cmp.Compare(a.seq, b.seq) })
	var r storage.Record
	for i, d := range list {
		if err := st.show(&r, d.seq, d.value); err != nil {
			return 0, err
		}
		if !visit(&r) {
			for _, d := range list[i+1:] {
				if next == 0 || d.deadline < next {
					next = d.deadline
				}
			}
			break
		}
	}
	return next, nil
}
