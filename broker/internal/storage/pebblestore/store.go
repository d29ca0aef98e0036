package pebblestore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/warrenmq/warren/broker/internal/storage"
)

const (
	// idle is how long what nobody waits for may wait.
	idle = 100 * time.Millisecond
	// mostWaiting is how many bytes may wait for a sync before Commit blocks.
	mostWaiting = 8 << 20
)

// Options are how a store is opened.
type Options struct {
	// Dir is the folder, made when it is missing. Required.
	Dir string
	// FS is where it lies; nil is the operating system's.
	FS vfs.FS
	// MemTable is how many bytes Pebble gathers in memory before it files them; 0 is 64 MiB.
	MemTable uint64
	// Events tells the owner what happens. Pressed and Failed are never called.
	Events storage.Events
	// Logger gets what Pebble says of errors; nil drops it.
	Logger *slog.Logger
}

// Store implements storage.Store. It syncs always.
type Store struct {
	db     *pebble.DB
	events storage.Events
	kick   chan struct{} // capacity 1: there is something to sync
	quit   chan struct{} // closed by Close
	done   chan struct{} // closed when the committer has ended

	// commitMu puts commits in order: what is in memory changes in the order in which Pebble gets it. Taken before mu.
	commitMu sync.Mutex
	reserved uint64 // owner: commitMu; the next stream id, as it was written

	mu       sync.Mutex // guards what follows
	moved    sync.Cond  // on mu: one of these has changed
	streams  map[uint64]*stream
	nextID   uint64
	appended storage.Ticket
	durable  storage.Ticket
	waiting  int  // bytes that were handed over and not synced
	armed    bool // an idle timer runs
	readers  int  // that are using db
	closed   bool // nothing may begin
	ended    bool // nothing will become durable any more
	commits  uint64
}

var _ storage.Store = (*Store)(nil)

// Open opens or makes a store. It reads all keys.
func Open(o Options) (*Store, error) {
	db, err := pebble.Open(o.Dir, tuned(o))
	if err != nil {
		return nil, fmt.Errorf("pebblestore: %w", err)
	}
	s := &Store{
		db: db, events: o.Events, streams: map[uint64]*stream{}, nextID: 1,
		kick: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	s.moved.L = &s.mu
	if err := s.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("pebblestore: %w", err), db.Close())
	}
	go s.commitLoop()
	return s, nil
}

// tuned is Pebble for values that are written once, read once in order and deleted in ranges.
func tuned(o Options) *pebble.Options {
	fs := o.FS
	if fs == nil {
		fs = vfs.Default
	}
	p := &pebble.Options{
		FS:                          fs,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                cmp.Or(o.MemTable, 64<<20),
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               256 << 20,
		BytesPerSync:                1 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Logger:                      logger{o.Logger},
	}
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	p.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: true, MinimumSize: 256, MaxBlobReferenceDepth: 10, RewriteMinimumAge: 5 * time.Minute, TargetGarbageRatio: 0.5,
		}
	}
	return p
}

// logger passes on what Pebble complains of.
type logger struct{ to *slog.Logger }

func (logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	if l.to != nil {
		l.to.Error("pebble: " + fmt.Sprintf(format, args...))
	}
}

// Fatalf must not return, Pebble says.
func (l logger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	panic(fmt.Sprintf(format, args...))
}

// scan yields the keys and values with a prefix until yield returns false.
func scan(r pebble.Reader, prefix []byte, yield func(key []byte, value pebble.LazyValue) (bool, error)) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: behind(prefix)})
	if err != nil {
		return err
	}
	more := true
	for ok := it.First(); ok && more && err == nil; ok = it.Next() {
		more, err = yield(it.Key(), it.LazyValue())
	}
	return errors.Join(err, it.Close())
}

// numbers yields keys of numbers and values that are one.
func (s *Store) numbers(letter byte, yield func(key []byte, value uint64)) error {
	return scan(s.db, []byte{letter}, func(key []byte, value pebble.LazyValue) (bool, error) {
		v, _, err := value.Value(nil)
		var padded [8]byte
		copy(padded[8-len(v):], v)
		yield(key, binary.BigEndian.Uint64(padded[:]))
		return true, err
	})
}

// recover reads what streams there are, and takes away what is transient.
func (s *Store) recover() error {
	of := func(key []byte) *stream {
		st := s.streams[number(key, 0)]
		if st == nil {
			st = s.newStream(number(key, 0))
			st.known = true
			s.streams[st.id] = st
		}
		return st
	}
	err := errors.Join(
		s.numbers(nextIDKey, func(_ []byte, v uint64) { s.nextID = v }),
		s.numbers(ticketKey, func(_ []byte, v uint64) { s.appended, s.durable = storage.Ticket(v), storage.Ticket(v) }),
		s.numbers(deliveredKey, func(key []byte, v uint64) {
			st := of(key)
			st.delivered = v
			st.mention(v)
		}),
		s.numbers(returnedKey, func(key []byte, v uint64) {
			st := of(key)
			st.returned[number(key, 1)] = uint16(v)
			st.mention(number(key, 1))
		}),
		s.numbers(settledKey, func(key []byte, v uint64) {
			st := of(key)
			st.settled.add(span{number(key, 1), v})
			st.mention(v - 1)
		}),
		scan(s.db, []byte{recordKey}, func(key []byte, value pebble.LazyValue) (bool, error) {
			st := of(key)
			seq := number(key, 1)
			st.live.add(span{seq, seq + 1})
			st.records++
			st.bytes += int64(value.Len() - recordHeader)
			st.mention(seq)
			return true, nil
		}),
		scan(s.db, []byte{deadlineKey}, func(key []byte, _ pebble.LazyValue) (bool, error) {
			of(key).timed = true
			return true, nil
		}),
	)
	if err != nil {
		return err
	}
	s.reserved = s.nextID
	for id := range s.streams {
		s.nextID = max(s.nextID, id+1)
	}
	b := s.db.NewBatch()
	defer b.Close()
	err = scan(s.db, []byte{transientKey}, func(key []byte, _ pebble.LazyValue) (bool, error) {
		st := of(key)
		seq := number(key, 1)
		st.settle(b, span{seq, seq + 1})
		return true, b.Delete(key, nil)
	})
	if err != nil {
		return err
	}
	return s.db.Apply(b, pebble.Sync)
}

// NewStream implements storage.Store.
func (s *Store) NewStream() storage.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.newStream(s.nextID)
	s.streams[st.id] = st
	s.nextID++
	return st
}

// Stream implements storage.Store.
func (s *Store) Stream(id uint64) storage.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.streams[id]; st != nil {
		return st
	}
	return nil
}

// Streams implements storage.Store.
func (s *Store) Streams() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Sorted(maps.Keys(s.streams))
	return slices.DeleteFunc(ids, func(id uint64) bool { return !s.streams[id].known })
}

// enter lets a reader in, who leaves when it is done: Close waits for that.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return storage.ErrClosed
	}
	s.readers++
	return nil
}

func (s *Store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readers--; s.readers == 0 {
		s.moved.Broadcast()
	}
}

// Value implements storage.Store.
func (s *Store) Value(name string) ([]byte, bool) {
	if s.enter() != nil {
		return nil, false
	}
	defer s.leave()
	v, release, err := s.db.Get(append([]byte{valueKey}, name...))
	if err != nil {
		return nil, false
	}
	defer release.Close()
	return slices.Clone(v), true
}

// Values implements storage.Store.
func (s *Store) Values(prefix string) iter.Seq2[string, []byte] {
	type pair struct {
		name  string
		value []byte
	}
	var all []pair
	if s.enter() != nil {
		return func(func(string, []byte) bool) {}
	}
	defer s.leave()
	err := scan(s.db, append([]byte{valueKey}, prefix...), func(key []byte, value pebble.LazyValue) (bool, error) {
		v, _, err := value.Value(nil)
		all = append(all, pair{string(key[1:]), slices.Clone(v)})
		return true, err
	})
	if err != nil {
		panic(err) // the contract has no error here, and what is missing must not look like what was never there
	}
	return func(yield func(string, []byte) bool) {
		for _, p := range all {
			if !yield(p.name, p.value) {
				return
			}
		}
	}
}

// Durable implements storage.Store.
func (s *Store) Durable() storage.Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.durable
}

// Wait implements storage.Store.
func (s *Store) Wait(t storage.Ticket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.durable < t {
		if s.ended {
			return storage.ErrClosed
		}
		s.moved.Wait()
	}
	return nil
}

// commitLoop syncs what was handed over, until Close: once for all of it, and again when there is more.
func (s *Store) commitLoop() {
	defer close(s.done)
	for {
		select {
		case <-s.kick:
			s.sync()
		case <-s.quit:
			s.sync()
			return
		}
	}
}

func (s *Store) sync() {
	s.mu.Lock()
	t, size := s.appended, s.waiting
	done := t == s.durable
	s.mu.Unlock()
	if done {
		return
	}
	// Pebble's log is one sequence: that this is synced means that what came before is. An error doesn't return.
	if err := s.db.LogData([]byte{0}, pebble.Sync); err != nil {
		panic(err)
	}
	s.mu.Lock()
	s.durable = t
	s.waiting -= size
	s.commits++
	s.moved.Broadcast()
	s.mu.Unlock()
	if s.events.Committed != nil {
		s.events.Committed(t)
	}
}

// wake makes the committer sync.
func (s *Store) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// Stats implements storage.Store.
func (s *Store) Stats() storage.Stats {
	if s.enter() != nil {
		return storage.Stats{}
	}
	defer s.leave()
	m := s.db.Metrics()
	total := m.Total()
	stats := storage.Stats{
		Disk:        int64(m.DiskSpaceUsage()),
		JournalDisk: int64(m.WAL.PhysicalSize),
		Files:       int(m.WAL.Files + total.TablesCount),
		Written:     m.WAL.BytesWritten,
		Filed:       total.TableBytesFlushed + total.TableBytesCompacted + total.BlobBytesFlushed + total.BlobBytesCompacted,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stats.Commits = s.commits
	for _, st := range s.streams {
		if st.known {
			stats.Streams++
			stats.Records += st.records
			stats.Bytes += st.bytes
		}
	}
	return stats
}

// Close implements storage.Store. It waits for readers.
func (s *Store) Close() error {
	s.commitMu.Lock()
	s.mu.Lock()
	again := s.closed
	s.closed = true
	for s.readers > 0 {
		s.moved.Wait()
	}
	s.mu.Unlock()
	s.commitMu.Unlock()
	if again {
		return storage.ErrClosed
	}
	close(s.quit)
	<-s.done
	s.mu.Lock()
	s.ended = true
	s.moved.Broadcast()
	s.mu.Unlock()
	return s.db.Close()
}
