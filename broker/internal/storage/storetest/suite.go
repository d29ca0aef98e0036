package storetest

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// Place is where one store lives. Its first call makes the store; each later one opens again what the one before left,
// which is closed then.
type Place func(storage.Events) (storage.Store, error)

// Run tests that stores keep the contract, each test on a store in a new place.
func Run(t *testing.T, place func(t *testing.T) Place) {
	for _, l := range slices.Concat(batchLaws, streamLaws, valueLaws, storeLaws) {
		t.Run(l.name, func(t *testing.T) {
			f := &fixture{T: t, place: place(t)}
			f.open(storage.Events{})
			t.Cleanup(func() { f.store.Close() })
			l.hold(f)
		})
	}
}

type law struct {
	name string
	hold func(*fixture)
}

// fixture is a store under test, and what it should hold.
type fixture struct {
	*testing.T
	place   Place
	store   storage.Store
	streams map[uint64]storage.Stream // that are in use, by id
	want    State
	last    storage.Ticket
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) open(e storage.Events) {
	f.Helper()
	var err error
	f.store, err = f.place(e)
	f.ok(err)
	f.streams = make(map[uint64]storage.Stream)
	f.last = 0
}

// reopen closes the store and opens it again.
func (f *fixture) reopen() {
	f.Helper()
	f.ok(f.store.Close())
	f.open(storage.Events{})
	f.want.Reopen()
}

// stream makes a stream and returns its id.
func (f *fixture) stream() uint64 {
	s := f.store.NewStream()
	f.streams[s.ID()] = s
	return s.ID()
}

// on returns the stream with an id.
func (f *fixture) on(id uint64) storage.Stream {
	f.Helper()
	if f.streams[id] == nil {
		s := f.store.Stream(id)
		if s == nil {
			f.Fatalf("stream %d is not there", id)
		}
		f.streams[id] = s
	}
	return f.streams[id]
}

// do commits changes in one batch, as something urgent.
func (f *fixture) do(changes ...Change) storage.Ticket {
	f.Helper()
	b := f.store.NewBatch()
	Fill(b, changes, f.on)
	t := b.Commit(true)
	if t == 0 || t < f.last {
		f.Fatalf("ticket %d comes after %d", t, f.last)
	}
	f.last = t
	f.want.Apply(changes)
	return t
}

// same compares what the store shows with what it should.
func (f *fixture) same() {
	f.Helper()
	f.ok(Compare(f.store, &f.want))
}

// sameAgain does so too, and once more after the store was closed and opened.
func (f *fixture) sameAgain() {
	f.Helper()
	f.same()
	f.reopen()
	f.same()
}

// seqs returns the numbers that a stream shows.
func (f *fixture) seqs(id, from uint64) (seqs []uint64) {
	f.Helper()
	f.ok(f.on(id).Read(from, func(r *storage.Record) bool {
		seqs = append(seqs, r.Seq)
		return true
	}))
	return seqs
}

func (f *fixture) equal(what string, got, want []uint64) {
	f.Helper()
	if !slices.Equal(got, want) {
		f.Fatalf("%s: %d, want %d", what, got, want)
	}
}

// Fill puts changes into a batch. Neighbouring To that share a payload become one message. on returns the stream with an id.
func Fill(b storage.Batch, changes []Change, on func(id uint64) storage.Stream) {
	for i, c := range changes {
		switch c.Op {
		case To:
			if i == 0 || changes[i-1].Op != To || !shared(changes[i-1].Payload, c.Payload) {
				copy(b.Message(len(c.Payload)), c.Payload)
			}
			b.To(on(c.Stream), c.Seq, c.Deadline, c.Transient)
		case Delivered:
			b.Delivered(on(c.Stream), c.Seq)
		case Returned:
			b.Returned(on(c.Stream), c.Seq, c.Deliveries)
		case Settle:
			b.Settle(on(c.Stream), c.Seq)
		case Truncate:
			b.Truncate(on(c.Stream), c.Seq, c.Until)
		case Drop:
			b.Drop(on(c.Stream))
		case Put:
			b.Put(c.Key, c.Payload)
		case Delete:
			b.Delete(c.Key)
		}
	}
}

// shared reports whether two payloads are the same bytes in memory.
func shared(a, b []byte) bool { return len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b) }

func to(stream, seq uint64, payload string) Change {
	return Change{Op: To, Stream: stream, Seq: seq, Payload: []byte(payload)}
}

func settle(stream, seq uint64) Change { return Change{Op: Settle, Stream: stream, Seq: seq} }

func truncate(stream, from, until uint64) Change {
	return Change{Op: Truncate, Stream: stream, Seq: from, Until: until}
}

func delivered(stream, seq uint64) Change { return Change{Op: Delivered, Stream: stream, Seq: seq} }

func returned(stream, seq uint64, n uint16) Change {
	return Change{Op: Returned, Stream: stream, Seq: seq, Deliveries: n}
}

func drop(stream uint64) Change { return Change{Op: Drop, Stream: stream} }

func put(key, value string) Change { return Change{Op: Put, Key: key, Payload: []byte(value)} }

func del(key string) Change { return Change{Op: Delete, Key: key} }

func due(c Change, deadline int64) Change {
	c.Deadline = deadline
	return c
}

func transient(c Change) Change {
	c.Transient = true
	return c
}

// run is a record for each number from first up to and including last.
func run(stream, first, last uint64, payload string) (changes []Change) {
	for seq := first; seq <= last; seq++ {
		changes = append(changes, to(stream, seq, payload))
	}
	return changes
}
