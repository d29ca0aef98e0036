package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage"
)

func (w *world) client() *client { return &w.clients[w.rnd.IntN(len(w.clients))] }

// add adds a change to a client's batch.
func (w *world) add(c *client, changes ...Change) {
	for _, change := range changes {
		w.trace("  %v", change)
	}
	for i := range changes {
		switch id := changes[i].Stream; changes[i].Op {
		case To, Delivered, Returned, Settle:
			w.highest[id] = max(w.highest[id], changes[i].Seq)
		case Truncate:
			w.highest[id] = max(w.highest[id], changes[i].Until-1)
		}
	}
	Fill(c.batch, changes, w.on)
	c.changes = append(c.changes, changes...)
}

// on returns a stream that was met since the store was opened, also one that was dropped.
func (w *world) on(id uint64) storage.Stream { return w.handles[id] }

// stream returns a stream: often one of a few, sometimes a new one.
func (w *world) stream() (*simStream, error) {
	if n := len(w.streams); n > 0 && (n > 12 || w.rnd.IntN(10) > 0) {
		if w.rnd.IntN(2) == 0 {
			return w.streams[w.rnd.IntN(min(n, 2))], nil
		}
		return w.streams[w.rnd.IntN(n)], nil
	}
	s := &simStream{Stream: w.store.NewStream(), next: 1}
	if s.ID() <= w.lastID {
		return nil, fmt.Errorf("a new stream has id %d, and %d was known", s.ID(), w.lastID)
	}
	w.lastID = s.ID()
	w.streams = append(w.streams, s)
	w.handles[s.ID()] = s.Stream
	return s, nil
}

func (s *simStream) take(n uint64) uint64 {
	s.next += n
	return s.next - 1
}

// message returns a payload that no other has.
func (w *world) message() []byte {
	n := w.rnd.IntN(w.payload)
	kind := w.rnd.IntN(200)
	if w.small {
		kind = 200
	}
	switch kind {
	case 0, 1:
		n = 64<<10 + w.rnd.IntN(3) - 1 // where large begins
	case 2, 3, 4:
		n = int(w.journal)/2 + w.rnd.IntN(int(w.journal))
	case 5:
		n = 0
	}
	w.serial++
	p := fmt.Appendf(make([]byte, 0, n+16), "%d of %d;", w.serial, w.Seed)
	for i := len(p); i < n; i++ {
		p = append(p, byte(i*w.serial))
	}
	return p[:n]
}

func (w *world) to(s *simStream, payload []byte) Change {
	c := Change{Op: To, Stream: s.ID(), Seq: s.take(1), Payload: payload, Transient: w.rnd.IntN(6) == 0}
	if w.rnd.IntN(4) == 0 {
		c.Deadline = 1 + w.rnd.Int64N(1000)
	}
	switch w.rnd.IntN(300) { // numbers that nobody uses
	case 0, 1, 2, 3, 4, 5:
		s.take(1 + w.rnd.Uint64N(5))
	case 6:
		s.take(1 << w.rnd.IntN(40))
	}
	return c
}

func (w *world) publish() error {
	w.trace("publish")
	s, err := w.stream()
	if err != nil {
		return err
	}
	c := w.client()
	var changes []Change
	for range 1 + w.rnd.IntN(w.burst) {
		changes = append(changes, w.to(s, w.message()))
	}
	w.add(c, changes...)
	return nil
}

func (w *world) fanOut() error {
	w.trace("fan out")
	payload := w.message()
	var changes []Change
	used := make(map[uint64]bool)
	for range 2 + w.rnd.IntN(5) {
		s, err := w.stream()
		if err != nil {
			return err
		}
		if !used[s.ID()] {
			used[s.ID()] = true
			changes = append(changes, w.to(s, payload))
		}
	}
	w.add(w.client(), changes...)
	return nil
}

// alive returns a stream with live records, and those.
func (w *world) alive() (*simStream, []record) {
	now := w.history.Now()
	var with []*simStream
	for _, s := range w.streams {
		if st := now.streams[s.ID()]; st != nil && len(st.records) > 0 {
			with = append(with, s)
		}
	}
	if len(with) == 0 {
		return nil, nil
	}
	s := with[w.rnd.IntN(len(with))]
	return s, now.streams[s.ID()].records
}

func (w *world) settle() error {
	s, records := w.alive()
	if s == nil {
		return nil
	}
	w.trace("settle")
	c, n := w.client(), 1+w.rnd.IntN(w.burst)
	if w.rnd.IntN(3) > 0 { // as queues do: from the front
		for _, r := range records[:min(n, len(records))] {
			w.add(c, settle(s.ID(), r.seq))
		}
		return nil
	}
	for range n {
		w.add(c, settle(s.ID(), records[w.rnd.IntN(len(records))].seq))
	}
	return nil
}

// settleEarly settles a record that stands in a batch of another client, which was not handed over yet.
func (w *world) settleEarly() error {
	from := w.rnd.IntN(len(w.clients))
	changes := w.clients[from].changes
	i := slices.IndexFunc(changes, func(c Change) bool { return c.Op == To })
	if i < 0 {
		return nil
	}
	w.trace("settle early")
	w.add(&w.clients[(from+1)%len(w.clients)], settle(changes[i].Stream, changes[i].Seq))
	return nil
}

func (w *world) delivered() error {
	s, records := w.alive()
	if s == nil {
		return nil
	}
	w.trace("delivered")
	w.add(w.client(), delivered(s.ID(), records[w.rnd.IntN(len(records))].seq))
	return nil
}

func (w *world) returned() error {
	s, records := w.alive()
	if s == nil {
		return nil
	}
	w.trace("returned")
	w.add(w.client(), returned(s.ID(), records[w.rnd.IntN(len(records))].seq, uint16(1+w.rnd.IntN(5))))
	return nil
}

func (w *world) truncate() error {
	s, records := w.alive()
	if s == nil {
		return nil
	}
	w.trace("truncate")
	from, until := uint64(0), s.next
	if w.rnd.IntN(2) == 0 {
		from = records[w.rnd.IntN(len(records))].seq
		until = from + w.rnd.Uint64N(s.next-from+1)
	}
	w.add(w.client(), truncate(s.ID(), from, until))
	return nil
}

func (w *world) drop() error {
	if len(w.streams) == 0 {
		return nil
	}
	w.trace("drop")
	i := w.rnd.IntN(len(w.streams))
	w.add(w.client(), drop(w.streams[i].ID()))
	w.streams = slices.Delete(w.streams, i, i+1)
	return nil
}

func (w *world) value() error {
	w.trace("value")
	key := fmt.Sprint("key ", w.rnd.IntN(12))
	if w.rnd.IntN(3) == 0 {
		w.add(w.client(), del(key))
		return nil
	}
	w.serial++
	w.add(w.client(), put(key, strings.Repeat("v", w.rnd.IntN(50))+fmt.Sprint(w.serial)))
	return nil
}

func (w *world) handOver() error {
	c := w.client()
	if w.slow && c == &w.clients[0] && w.rnd.IntN(8) > 0 {
		return nil
	}
	w.handOverBatch(c)
	return nil
}

func (w *world) handOverBatch(c *client) {
	if len(c.changes) == 0 {
		return
	}
	t := c.batch.Commit(w.rnd.IntN(2) == 0)
	w.trace("hand over %d changes: ticket %d", len(c.changes), t)
	w.history.Add(t, c.changes)
	if w.Sync != storage.Always {
		w.weak.Add(t, c.changes)
	}
	if w.handed != nil {
		w.handed(unit{t, c.changes})
	}
	c.changes = nil
	w.tally.Batches++
}

func (w *world) commit() error {
	w.trace("commit")
	return w.store.Commit()
}

func (w *world) copyOut() error {
	w.trace("copy out")
	return w.whileBusy(w.store.CopyOut)
}

func (w *world) compact() error {
	w.trace("compact")
	return w.whileBusy(w.store.Compact)
}

func (w *world) checkpoint() error {
	w.trace("checkpoint")
	return w.whileBusy(w.store.Checkpoint)
}

// whileBusy takes a step of the store while clients go on, if they do. What they do then needs nothing of the disk.
func (w *world) whileBusy(step func() error) error {
	if w.Busy {
		w.process.setBusy(w.interrupt)
		defer w.process.setBusy(nil)
	}
	return step()
}

// interrupt is what clients do at a call to the disk.
func (w *world) interrupt() {
	if w.rnd.IntN(4) > 0 {
		return
	}
	do := []func(*world) error{(*world).publish, (*world).settle, (*world).settle, (*world).settle, (*world).truncate, (*world).returned,
		(*world).delivered, (*world).value, (*world).drop}
	n := w.rnd.IntN(len(do) + 12)
	w.trace("meanwhile")
	if n < len(do) {
		if err := do[n](w); err != nil && w.wrong == nil {
			w.wrong = err
		}
	}
	w.handOverBatch(w.client())
}

// peek reads a stream while the store works and clients go on. What was there all the time must be shown, and nothing that
// was never there.
func (w *world) peek() error {
	s, records := w.alive()
	if s == nil {
		return nil
	}
	w.trace("peek at %d", s.ID())
	before := slices.Clone(records)
	var seen []storage.Record
	steps := []func(*world) error{(*world).settle, (*world).publish, (*world).truncate, (*world).returned, (*world).handOver, (*world).handOver,
		(*world).commit, (*world).copyOut, (*world).compact, (*world).checkpoint}
	var wrong error
	err := s.Read(0, func(r *storage.Record) bool {
		seen = append(seen, storage.Record{Seq: r.Seq, Deadline: r.Deadline, Payload: slices.Clone(r.Payload)})
		if w.rnd.IntN(1+len(records)/4) == 0 {
			wrong = steps[w.rnd.IntN(len(steps))](w)
			if i := len(seen) - 1; wrong == nil && !w.process.isDead() && string(seen[i].Payload) != string(r.Payload) {
				wrong = fmt.Errorf("stream %d: record %d changes while it is looked at", s.ID(), r.Seq)
			}
		}
		return wrong == nil
	})
	if w.process.isDead() {
		return nil
	}
	if wrong != nil || err != nil {
		return errors.Join(wrong, err)
	}
	var after []record
	if st := w.history.Now().streams[s.ID()]; st != nil {
		after = st.records
	}
	return peeked(seen, before, after)
}

// peeked holds what was seen of a stream against what was there before and after.
func peeked(seen []storage.Record, before, after []record) error {
	find := func(records []record, seq uint64) *record {
		if i, ok := (&streamState{records: records}).find(seq); ok {
			return &records[i]
		}
		return nil
	}
	shown := make(map[uint64]bool)
	var last uint64
	for _, r := range seen {
		if r.Seq <= last {
			return fmt.Errorf("record %d is shown behind %d", r.Seq, last)
		}
		last = r.Seq
		shown[r.Seq] = true
		want := find(before, r.Seq)
		if want == nil {
			want = find(after, r.Seq)
		}
		if want == nil {
			continue // it has come and gone
		}
		if want.deadline != r.Deadline || string(want.payload) != string(r.Payload) {
			return fmt.Errorf("record %d is not what was written: %s, want %s", r.Seq, brief(r.Payload), brief(want.payload))
		}
	}
	for i := range before {
		if seq := before[i].seq; find(after, seq) != nil && !shown[seq] {
			return fmt.Errorf("record %d was there all the time and is not shown", seq)
		}
	}
	return nil
}
