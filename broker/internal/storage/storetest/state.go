package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Op is a kind of change.
type Op uint8

// The changes that a storage.Batch can hold.
const (
	To Op = iota + 1
	Delivered
	Returned
	Settle
	Truncate
	Drop
	Put
	Delete
)

// Change is one change of a batch. Which fields count is up to its Op; they are those of storage.Batch's methods.
type Change struct {
	Op         Op
	Stream     uint64
	Seq        uint64 // of Truncate: the first
	Until      uint64 // of Truncate: behind the last
	Deadline   int64
	Transient  bool
	Deliveries uint16
	Payload    []byte // of To, shared by all To of a message; of Put the value. Nobody changes it
	Key        string
}

// String returns the change as a line of a trace.
func (c Change) String() string {
	switch c.Op {
	case To:
		s := fmt.Sprintf("to %d/%d, %d bytes", c.Stream, c.Seq, len(c.Payload))
		if c.Deadline != 0 {
			s += fmt.Sprintf(", deadline %d", c.Deadline)
		}
		if c.Transient {
			s += ", transient"
		}
		return s
	case Delivered:
		return fmt.Sprintf("delivered %d/%d", c.Stream, c.Seq)
	case Returned:
		return fmt.Sprintf("returned %d/%d, %d deliveries", c.Stream, c.Seq, c.Deliveries)
	case Settle:
		return fmt.Sprintf("settle %d/%d", c.Stream, c.Seq)
	case Truncate:
		return fmt.Sprintf("truncate %d/[%d,%d)", c.Stream, c.Seq, c.Until)
	case Drop:
		return fmt.Sprintf("drop %d", c.Stream)
	case Put:
		return fmt.Sprintf("put %q, %d bytes", c.Key, len(c.Payload))
	case Delete:
		return fmt.Sprintf("delete %q", c.Key)
	}
	return fmt.Sprintf("change of kind %d", c.Op)
}

// A State is what a store holds: what the changes made of it that were applied in their order. The zero State holds
// nothing. It is not safe for concurrent use.
type State struct {
	streams    map[uint64]*streamState
	values     map[string][]byte
	lastStream uint64 // the highest id that was mentioned
}

type streamState struct {
	records   []record // that are alive, by number
	gone      []span   // settled before the record came: it is dead on arrival
	delivered uint64
	next      uint64
	held      bool // it has held a record
	dropped   bool
}

type record struct {
	seq       uint64
	deadline  int64
	returned  uint16
	transient bool
	payload   []byte
}

// span is the numbers from and including from, up to and excluding to.
type span struct{ from, to uint64 }

// Apply applies the changes of one batch.
func (s *State) Apply(changes []Change) {
	for i := range changes {
		c := &changes[i]
		switch c.Op {
		case Put:
			if s.values == nil {
				s.values = make(map[string][]byte)
			}
			s.values[c.Key] = c.Payload
		case Delete:
			delete(s.values, c.Key)
		default:
			s.stream(c.Stream).apply(c)
		}
	}
}

func (s *State) stream(id uint64) *streamState {
	st := s.streams[id]
	if st == nil {
		if s.streams == nil {
			s.streams = make(map[uint64]*streamState)
		}
		st = &streamState{next: 1}
		s.streams[id] = st
		s.lastStream = max(s.lastStream, id)
	}
	return st
}

func (st *streamState) apply(c *Change) {
	if st.dropped {
		return
	}
	switch c.Op {
	case To:
		st.mention(c.Seq)
		if slices.ContainsFunc(st.gone, func(g span) bool { return g.from <= c.Seq && c.Seq < g.to }) {
			return
		}
		st.held = true
		at, _ := st.find(c.Seq)
		st.records = slices.Insert(st.records, at,
			record{seq: c.Seq, deadline: c.Deadline, transient: c.Transient, payload: c.Payload})
	case Delivered:
		st.mention(c.Seq)
		st.delivered = max(st.delivered, c.Seq)
	case Returned:
		st.mention(c.Seq)
		if at, alive := st.find(c.Seq); alive {
			st.records[at].returned = c.Deliveries
		}
	case Settle:
		st.mention(c.Seq)
		if at, alive := st.find(c.Seq); alive {
			st.records = slices.Delete(st.records, at, at+1)
		} else {
			st.settled(span{c.Seq, c.Seq + 1})
		}
	case Truncate:
		if c.Until <= c.Seq {
			return
		}
		st.mention(c.Until - 1)
		first, _ := st.find(c.Seq)
		end, _ := st.find(c.Until)
		st.records = slices.Delete(st.records, first, end)
		st.settled(span{c.Seq, c.Until})
	case Drop:
		*st = streamState{next: st.next, dropped: true}
	}
}

func (st *streamState) mention(seq uint64) { st.next = max(st.next, seq+1) }

// settled remembers numbers of which some may not have come yet.
func (st *streamState) settled(s span) {
	if n := len(st.gone); n > 0 {
		if last := &st.gone[n-1]; s.from <= last.to && last.from <= s.to {
			last.from, last.to = min(last.from, s.from), max(last.to, s.to)
			return
		}
	}
	st.gone = append(st.gone, s)
}

// find returns where the record with a number stands, or would.
func (st *streamState) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(st.records, seq, func(r record, seq uint64) int { return cmp.Compare(r.seq, seq) })
}

func (st *streamState) first() uint64 {
	if len(st.records) == 0 {
		return st.next
	}
	return st.records[0].seq
}

func (st *streamState) bytes() (n int64) {
	for i := range st.records {
		n += int64(len(st.records[i].payload))
	}
	return n
}

// deliveries is how often a record has been out, as far as was said.
func (st *streamState) deliveries(r *record) uint16 {
	if r.returned == 0 && r.seq <= st.delivered {
		return 1
	}
	return r.returned
}

// Reopen makes of the state what a store shows that was opened again: without transient records.
func (s *State) Reopen() {
	for _, st := range s.streams {
		st.records = slices.DeleteFunc(st.records, func(r record) bool { return r.transient })
	}
}

// Clone returns a state of its own. Payloads and values are shared.
func (s *State) Clone() *State {
	c := &State{streams: make(map[uint64]*streamState, len(s.streams)), values: maps.Clone(s.values), lastStream: s.lastStream}
	for id, st := range s.streams {
		own := *st
		own.records, own.gone = slices.Clone(st.records), slices.Clone(st.gone)
		c.streams[id] = &own
	}
	return c
}

// ids returns the ids of the streams for which keep says so, in order.
func (s *State) ids(keep func(*streamState) bool) []uint64 {
	var ids []uint64
	for id, st := range s.streams {
		if keep(st) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// contents returns changes that make such a state of an empty one.
func (s *State) contents() (changes []Change) {
	for _, id := range s.ids(func(*streamState) bool { return true }) {
		st := s.streams[id]
		if st.held && len(st.records) == 0 { // a number that is not used otherwise makes it listed
			changes = append(changes, to(id, 0, ""), settle(id, 0))
		}
		for _, g := range st.gone {
			changes = append(changes, truncate(id, g.from, g.to))
		}
		for _, r := range st.records {
			changes = append(changes, Change{Op: To, Stream: id, Seq: r.seq, Deadline: r.deadline, Transient: r.transient, Payload: r.payload})
			if r.returned > 0 {
				changes = append(changes, returned(id, r.seq, r.returned))
			}
		}
		if _, alive := st.find(st.next - 1); !alive {
			changes = append(changes, settle(id, st.next-1))
		}
		changes = append(changes, delivered(id, st.delivered))
		if st.dropped {
			changes = append(changes, drop(id))
		}
	}
	for key, value := range s.values {
		changes = append(changes, put(key, string(value)))
	}
	return changes
}
