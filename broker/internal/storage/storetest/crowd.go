package storetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Crowd is several writers and readers at once on a store that runs by itself, with its own goroutines, on a disk that
// is closed, left behind or cut from its power between rounds, and while the writers are at it.
type Crowd struct {
	Open    func(Options) (storage.Store, error)
	Seed    uint64
	Rounds  int // 0 is 4
	Batches int // of each writer in a round; 0 is 150
}

const (
	crowdWriters = 4
	crowdReaders = 2
)

// crowd is a Crowd that runs. Each writer has a stream of its own, on which it does everything, and all have one in common,
// to which each adds records of its own numbers and settles those: there the order of the writers changes nothing.
type crowd struct {
	Crowd
	rnd     *rand.Rand
	disk    *vfs.Memory
	store   storage.Store
	shared  storage.Stream
	writers [crowdWriters]writer
}

type writer struct {
	number  int
	rnd     *rand.Rand
	stream  storage.Stream
	next    uint64
	alive   []uint64 // of its stream
	common  []uint64 // of the stream in common, its own
	batches []unit   // since the store was opened
	durable uint64   // how many of those were reported durable when the store ended
	serial  uint64   // of all batches that are there
	base    State    // what was there when the store was opened
}

// Run runs all rounds and returns in what the store broke its promises.
func (c Crowd) Run() error {
	if c.Rounds == 0 {
		c.Rounds = 4
	}
	if c.Batches == 0 {
		c.Batches = 150
	}
	r := &crowd{Crowd: c, rnd: rand.New(rand.NewPCG(c.Seed, 3)), disk: vfs.NewMemory()}
	for i := range r.writers {
		r.writers[i] = writer{number: i, rnd: rand.New(rand.NewPCG(c.Seed, uint64(10+i)))}
	}
	for round := range c.Rounds {
		if err := r.open(); err != nil {
			return fmt.Errorf("round %d, opening: %w", round, err)
		}
		if err := r.round(); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	if err := r.open(); err != nil {
		return fmt.Errorf("in the end: %w", err)
	}
	return r.store.Close()
}

// payloadOf is what the record with a number of a stream holds: so readers know whether what they see is right.
func payloadOf(stream, seq uint64) []byte {
	h := fnv.New64a()
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], stream)
	binary.LittleEndian.PutUint64(b[8:], seq)
	h.Write(b[:])
	sum := h.Sum64()
	p := make([]byte, sum%300)
	for i := range p {
		p[i] = byte(sum >> (i % 8 * 8))
	}
	return p
}

// open opens the store and holds what is there against what each writer did.
func (c *crowd) open() (err error) {
	c.store, err = c.Open(Options{FS: c.disk, Dir: dir, JournalSize: 4096})
	if err != nil {
		return err
	}
	var all State
	for i := range c.writers {
		if err := c.writers[i].recovered(c.store, &all); err != nil {
			return fmt.Errorf("writer %d: %w", i, err)
		}
	}
	all.Reopen()
	if err := Compare(c.store, &all); err != nil {
		return err
	}
	if c.shared, err = c.stream(c.shared, &all); err != nil {
		return err
	}
	for i := range c.writers {
		w := &c.writers[i]
		if w.stream, err = c.stream(w.stream, &all); err != nil {
			return err
		}
		w.next = w.stream.Info().Next
		w.alive = seqs(&w.base, w.stream.ID())
		w.common = seqs(&w.base, c.shared.ID())
	}
	return nil
}

// stream returns what is now the stream that was known before: a new one when nothing of it is known to the disk.
func (c *crowd) stream(known storage.Stream, all *State) (storage.Stream, error) {
	if known == nil {
		return c.store.NewStream(), nil
	}
	if s := c.store.Stream(known.ID()); s != nil {
		return s, nil
	}
	if st := all.streams[known.ID()]; st != nil && st.held {
		return nil, fmt.Errorf("stream %d is gone", known.ID())
	}
	return c.store.NewStream(), nil
}

func seqs(s *State, id uint64) (seqs []uint64) {
	if st := s.streams[id]; st != nil {
		for _, r := range st.records {
			seqs = append(seqs, r.seq)
		}
	}
	return seqs
}

// recovered takes the batches of the writer that are there, which its last value tells, into its base and into all.
func (w *writer) recovered(s storage.Store, all *State) error {
	var found uint64
	if v, ok := s.Value(w.key()); ok {
		n, err := strconv.ParseUint(string(v), 10, 64)
		if err != nil {
			return err
		}
		found = n
	}
	before := w.serial - uint64(len(w.batches)) // those of earlier rounds
	if found < before+w.durable || found > w.serial {
		return fmt.Errorf("the last batch that is there is the %dth of %d, and %d were durable", found, w.serial, before+w.durable)
	}
	for _, u := range w.batches[:found-before] {
		w.base.Apply(u.changes)
	}
	w.base.Reopen()
	w.serial, w.batches = found, nil
	all.Apply(w.base.contents())
	return nil
}

func (w *writer) key() string { return fmt.Sprintf("writer %d", w.number) }

// round lets everybody work, and ends the store while they do or after they have done.
func (c *crowd) round() error {
	var done atomic.Int64
	var stop atomic.Bool
	errs := make(chan error, crowdWriters+crowdReaders)
	var writers, readers sync.WaitGroup
	half := make(chan struct{})
	goal := int64(1 + c.rnd.IntN(crowdWriters*c.Batches))
	for i := range c.writers {
		writers.Go(func() {
			for range c.Batches {
				if !c.writers[i].write(c.store, c.shared) {
					return
				}
				if done.Add(1) == goal {
					close(half)
				}
			}
		})
	}
	streams := []storage.Stream{c.shared}
	for i := range c.writers {
		streams = append(streams, c.writers[i].stream)
	}
	for i := range crowdReaders {
		readers.Go(func() {
			for n := i; !stop.Load(); n++ {
				if err := readAll(streams[n%len(streams)]); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	var durable storage.Ticket
	left := c.disk
	switch c.rnd.IntN(3) {
	case 0: // they finish, and the store is closed
		writers.Wait()
		stop.Store(true)
		readers.Wait()
		if err := c.store.Close(); err != nil {
			return fmt.Errorf("closing: %w", err)
		}
		durable = c.store.Durable()
	case 1: // the process is killed: what it does later reaches another disk
		<-half
		durable = c.store.Durable()
		left = c.disk.Clone()
	default: // the power is cut
		<-half
		durable = c.store.Durable()
		left = c.disk.Crash(c.rnd, c.rnd.Float64())
	}
	writers.Wait()
	stop.Store(true)
	readers.Wait()
	_ = c.store.Close() // of what was killed or cut, nobody looks at it
	c.disk = left
	for i := range c.writers {
		w := &c.writers[i]
		w.durable = 0
		for w.durable < uint64(len(w.batches)) && w.batches[w.durable].ticket <= durable {
			w.durable++
		}
	}
	close(errs)
	for err := range errs {
		if !errors.Is(err, fs.ErrClosed) && !errors.Is(err, storage.ErrClosed) { // as all calls give after a power cut
			return fmt.Errorf("reading while others write: %w", err)
		}
	}
	return nil
}

// write commits one batch; false says that the store has ended.
func (w *writer) write(s storage.Store, shared storage.Stream) bool {
	own := w.stream.ID()
	var changes []Change
	add := func(c Change) { changes = append(changes, c) }
	for range w.rnd.IntN(6) {
		p := payloadOf(own, w.next)
		add(Change{Op: To, Stream: own, Seq: w.next, Payload: p, Transient: w.rnd.IntN(8) == 0})
		w.alive = append(w.alive, w.next)
		w.next++
	}
	if w.rnd.IntN(2) == 0 {
		seq := (w.serial+1)*crowdWriters + uint64(w.number) // nobody else's, and never used again
		add(Change{Op: To, Stream: shared.ID(), Seq: seq, Payload: payloadOf(shared.ID(), seq)})
		w.common = append(w.common, seq)
	}
	for range w.rnd.IntN(6) {
		if n := len(w.alive); n > 0 {
			i := 0
			if w.rnd.IntN(3) == 0 {
				i = w.rnd.IntN(n)
			}
			add(settle(own, w.alive[i]))
			w.alive = append(w.alive[:i], w.alive[i+1:]...)
		}
	}
	if n := len(w.alive); n > 0 {
		switch w.rnd.IntN(12) {
		case 0:
			add(returned(own, w.alive[w.rnd.IntN(n)], uint16(1+w.rnd.IntN(9))))
		case 1:
			add(delivered(own, w.alive[w.rnd.IntN(n)]))
		case 2:
			cut := w.alive[w.rnd.IntN(n)]
			add(truncate(own, 0, cut))
			for len(w.alive) > 0 && w.alive[0] < cut {
				w.alive = w.alive[1:]
			}
		}
	}
	if n := len(w.common); n > 0 && w.rnd.IntN(3) == 0 {
		i := w.rnd.IntN(n)
		add(settle(shared.ID(), w.common[i]))
		w.common = append(w.common[:i], w.common[i+1:]...)
	}
	w.serial++
	add(put(w.key(), fmt.Sprint(w.serial)))
	b := s.NewBatch()
	Fill(b, changes, func(id uint64) storage.Stream {
		if id == own {
			return w.stream
		}
		return shared
	})
	t := b.Commit(w.rnd.IntN(3) > 0)
	w.batches = append(w.batches, unit{t, changes})
	return w.rnd.IntN(10) > 0 || s.Wait(t) == nil
}

// readAll reads a stream while others write to it.
func readAll(s storage.Stream) error {
	var last uint64
	var wrong error
	err := s.Read(0, func(r *storage.Record) bool {
		if want := payloadOf(s.ID(), r.Seq); r.Seq <= last || string(r.Payload) != string(want) {
			wrong = fmt.Errorf("stream %d: record %d comes after %d and holds %s, want %s", s.ID(), r.Seq, last, brief(r.Payload), brief(want))
		}
		last = r.Seq
		return wrong == nil
	})
	if wrong != nil {
		return wrong
	}
	return err
}
