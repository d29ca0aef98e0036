package storetest

import (
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// Model is a storage.Store that lives in memory. It keeps everything that it was given until it is settled, and knows what
// a crash may leave of it. The zero Model is empty and ready; its exported fields are set before anything else is done.
//
// Unless it is Manual, what is committed is durable at once, and Committed is told from a goroutine that ends by itself.
type Model struct {
	// Events are told what happens. The zero value: nobody is.
	Events storage.Events
	// Manual: nothing becomes durable until Commit. False: at once.
	Manual bool

	mu         sync.Mutex
	changed    sync.Cond      // lock: mu; made by lock. Signals changes of what is below
	history    History        // lock: mu
	lastStream uint64         // lock: mu; the highest id that was handed out
	ticket     storage.Ticket // lock: mu; of the commit that what comes now is part of, less one
	durable    storage.Ticket // lock: mu
	told       storage.Ticket // lock: mu; to Committed
	telling    bool           // lock: mu; somebody is telling
	err        error          // lock: mu; why nothing becomes durable any more
	commits    uint64         // lock: mu
}

// NewModel returns a store in memory on which everything is durable at once.
func NewModel() *Model { return new(Model) }

func (m *Model) lock() {
	m.mu.Lock()
	m.changed.L = &m.mu
}

// Commit makes durable what was handed over, and tells Committed before it returns. It is for Manual models.
func (m *Model) Commit() error {
	m.lock()
	if m.err != nil {
		defer m.mu.Unlock()
		return m.err
	}
	m.settleUp()
	m.mu.Unlock()
	m.tell()
	return nil
}

// settleUp makes everything durable. mu is held.
func (m *Model) settleUp() {
	if m.durable == m.ticket {
		return
	}
	m.durable = m.ticket
	m.commits++
	m.history.Durable(m.durable)
	m.changed.Broadcast()
}

// tell tells Committed how far everything is durable, unless somebody else is doing so, who then does it once more.
func (m *Model) tell() {
	m.lock()
	defer m.mu.Unlock()
	if m.telling || m.Events.Committed == nil {
		return
	}
	m.telling = true
	for m.told != m.durable {
		durable := m.durable
		m.mu.Unlock()
		m.Events.Committed(durable)
		m.lock()
		m.told = durable
	}
	m.telling = false
	m.changed.Broadcast()
}

// Fail makes the model fail as if its disk had: nothing becomes durable from now on.
func (m *Model) Fail(err error) {
	m.lock()
	first := m.err == nil
	if first {
		m.err = err
	}
	m.changed.Broadcast()
	m.mu.Unlock()
	if first && m.Events.Failed != nil {
		m.Events.Failed(err)
	}
}

// Press tells Pressed of a pressure. The model itself is never under any.
func (m *Model) Press(p storage.Pressure) {
	if m.Events.Pressed != nil {
		m.Events.Pressed(p)
	}
}

// Reopen returns a model that holds what this one, which is closed, would hold when it is opened again.
func (m *Model) Reopen() *Model {
	m.lock()
	defer m.mu.Unlock()
	state := m.history.durable.Clone()
	state.Reopen()
	return reopened(m, state)
}

// Crash returns a model that holds what one may find after a crash of this one at this moment, chosen by rnd: what is
// durable, and with it as many of the later batches as it may be.
func (m *Model) Crash(rnd *rand.Rand) *Model {
	m.lock()
	defer m.mu.Unlock()
	chosen := rnd.IntN(m.history.Pending() + 1)
	for n, state := range m.history.Outcomes() {
		if n == chosen {
			return reopened(m, state)
		}
	}
	panic("storetest: a history without an outcome")
}

func reopened(m *Model, state *State) *Model {
	r := &Model{Events: m.Events, Manual: m.Manual, lastStream: state.lastStream, ticket: m.ticket, durable: m.ticket, told: m.ticket}
	r.history.Begin(state)
	return r
}

// NewStream implements storage.Store.
func (m *Model) NewStream() storage.Stream {
	m.lock()
	defer m.mu.Unlock()
	m.lastStream++
	return &modelStream{m, m.lastStream}
}

// Stream implements storage.Store.
func (m *Model) Stream(id uint64) storage.Stream {
	m.lock()
	defer m.mu.Unlock()
	if st := m.history.now.streams[id]; st == nil || st.dropped {
		return nil
	}
	return &modelStream{m, id}
}

// Streams implements storage.Store.
func (m *Model) Streams() []uint64 {
	m.lock()
	defer m.mu.Unlock()
	return m.history.now.ids(func(st *streamState) bool { return st.held && !st.dropped })
}

// Value implements storage.Store.
func (m *Model) Value(key string) ([]byte, bool) {
	m.lock()
	defer m.mu.Unlock()
	v, ok := m.history.now.values[key]
	return v, ok
}

// Values implements storage.Store.
func (m *Model) Values(prefix string) iter.Seq2[string, []byte] {
	m.lock()
	defer m.mu.Unlock()
	values := maps.Clone(m.history.now.values)
	return func(yield func(string, []byte) bool) {
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if strings.HasPrefix(key, prefix) && !yield(key, values[key]) {
				return
			}
		}
	}
}

// Durable implements storage.Store.
func (m *Model) Durable() storage.Ticket {
	m.lock()
	defer m.mu.Unlock()
	return m.durable
}

// Wait implements storage.Store.
func (m *Model) Wait(t storage.Ticket) error {
	m.lock()
	defer m.mu.Unlock()
	for m.durable < t && m.err == nil {
		m.changed.Wait()
	}
	if m.durable >= t {
		return nil
	}
	return m.err
}

// Stats implements storage.Store.
func (m *Model) Stats() storage.Stats {
	m.lock()
	defer m.mu.Unlock()
	s := storage.Stats{Commits: m.commits}
	for _, st := range m.history.now.streams {
		if st.dropped {
			continue
		}
		s.Streams++
		s.Records += len(st.records)
		s.Bytes += st.bytes()
	}
	return s
}

// Close implements storage.Store.
func (m *Model) Close() error {
	m.lock()
	err := m.err
	if err == nil {
		m.settleUp()
		m.err = storage.ErrClosed
		m.changed.Broadcast()
	}
	m.mu.Unlock()
	m.tell()
	m.lock()
	defer m.mu.Unlock()
	for m.telling {
		m.changed.Wait()
	}
	return err
}

// NewBatch implements storage.Store.
func (m *Model) NewBatch() storage.Batch { return &modelBatch{model: m} }

type modelBatch struct {
	model   *Model
	changes []Change
	payload []byte // of the message that was begun last
	size    int
}

func (b *modelBatch) add(c Change) {
	b.changes = append(b.changes, c)
	b.size += len(c.Key) + 8
}

func (b *modelBatch) Message(n int) []byte {
	b.payload = make([]byte, n)
	b.size += n
	return b.payload
}

func (b *modelBatch) To(s storage.Stream, seq uint64, deadline int64, transient bool) {
	b.add(Change{Op: To, Stream: s.ID(), Seq: seq, Deadline: deadline, Transient: transient, Payload: b.payload})
}

func (b *modelBatch) Delivered(s storage.Stream, seq uint64) {
	b.add(Change{Op: Delivered, Stream: s.ID(), Seq: seq})
}

func (b *modelBatch) Returned(s storage.Stream, seq uint64, deliveries uint16) {
	b.add(Change{Op: Returned, Stream: s.ID(), Seq: seq, Deliveries: deliveries})
}

func (b *modelBatch) Settle(s storage.Stream, seq uint64) {
	b.add(Change{Op: Settle, Stream: s.ID(), Seq: seq})
}

func (b *modelBatch) Truncate(s storage.Stream, from, to uint64) {
	b.add(Change{Op: Truncate, Stream: s.ID(), Seq: from, Until: to})
}

func (b *modelBatch) Drop(s storage.Stream) { b.add(Change{Op: Drop, Stream: s.ID()}) }

func (b *modelBatch) Put(key string, value []byte) {
	b.size += len(value)
	b.add(Change{Op: Put, Key: key, Payload: slices.Clone(value)})
}

func (b *modelBatch) Delete(key string) { b.add(Change{Op: Delete, Key: key}) }

func (b *modelBatch) Empty() bool { return len(b.changes) == 0 }
func (b *modelBatch) Size() int   { return b.size }

func (b *modelBatch) Commit(bool) storage.Ticket {
	changes := b.changes
	b.changes, b.payload, b.size = nil, nil, 0
	if len(changes) == 0 {
		return 0
	}
	m := b.model
	m.lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.ticket + 1
	}
	if m.ticket == m.durable {
		m.ticket++
	}
	ticket := m.ticket
	m.history.Add(ticket, changes)
	if !m.Manual {
		m.settleUp()
		if m.Events.Committed != nil && !m.telling {
			go m.tell()
		}
	}
	return ticket
}

// modelStream holds nothing itself: what the stream is stands in the model's history.
type modelStream struct {
	model *Model
	id    uint64
}

func (s *modelStream) ID() uint64 { return s.id }

// snapshot returns what the stream is now, for looking at without the lock.
func (s *modelStream) snapshot() streamState {
	s.model.lock()
	defer s.model.mu.Unlock()
	st := s.model.history.now.streams[s.id]
	if st == nil {
		return streamState{next: 1}
	}
	own := *st
	own.records = slices.Clone(st.records)
	return own
}

func (s *modelStream) Info() storage.StreamInfo {
	st := s.snapshot()
	return storage.StreamInfo{Next: st.next, Records: len(st.records), Bytes: st.bytes(), First: st.first()}
}

func (s *modelStream) closed() error {
	s.model.lock()
	defer s.model.mu.Unlock()
	if s.model.err == storage.ErrClosed {
		return storage.ErrClosed
	}
	return nil
}

func (st *streamState) show(r *record) *storage.Record {
	return &storage.Record{Seq: r.seq, Deadline: r.deadline, Deliveries: st.deliveries(r), Payload: r.payload}
}

func (s *modelStream) Read(from uint64, visit func(*storage.Record) bool) error {
	if err := s.closed(); err != nil {
		return err
	}
	st := s.snapshot()
	at, _ := st.find(from)
	for i := range st.records[at:] {
		if !visit(st.show(&st.records[at+i])) {
			break
		}
	}
	return nil
}

func (s *modelStream) Due(before int64, visit func(*storage.Record) bool) (next int64, err error) {
	if err := s.closed(); err != nil {
		return 0, err
	}
	st := s.snapshot()
	visiting := true
	for i := range st.records {
		r := &st.records[i]
		if r.deadline == 0 {
			continue
		}
		if visiting && r.deadline <= before {
			visiting = visit(st.show(r))
			continue
		}
		if next == 0 || r.deadline < next {
			next = r.deadline
		}
	}
	return next, nil
}
