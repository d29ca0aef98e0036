package disk

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Store implements storage.Store on a disk. See the package's documentation.
//
// Locks, in the order in which they are taken: work, door, mu, a stream's mu, table, values.mu. Beneath them are
// those of the journal.
type Store struct {
	o    Options
	fs   vfs.FS
	log  *slog.Logger
	lock io.Closer // of the folder

	journal    *journal.Journal
	lastFile   atomic.Uint64 // the highest number of a file so far
	lastStream atomic.Uint64 // the highest id of a stream so far
	readers    sync.Pool     // of *reader
	opening    bool          // nobody but Open has the store yet
	closed     atomic.Bool   // written under mu
	failure    atomic.Pointer[failure]
	pressure   pressure
	values     values

	// door is held by the one whose batch is next, also while it waits for room in the journal.
	door sync.Mutex

	// mu is held while a batch is handed over, so that batches take effect in the order that they have in the
	// journal, and while a picture of the store is taken.
	mu sync.Mutex
	// mu owns these.
	at      journal.Pos    // behind the last unit that has taken effect
	ticket  storage.Ticket // its
	files   []*file        // those of the journal that have a unit, in order
	dropped spans          // ids of streams that were dropped since the store was opened

	table sync.RWMutex
	// table owns these.
	streams map[uint64]*stream
	order   []*stream // by id, if it is not nil; a slice is never changed

	// work is held by whoever copies, compacts or writes a checkpoint.
	work sync.Mutex
	// work owns these.
	segments   []*file // that a checkpoint is to name
	leaving    []*file // segments that the last checkpoint does not name any more: to be removed when nobody reads them
	recyclable []*file // files of the journal of which the same is so
	adopting   bool    // segments have files that are still with the journal, for who reads them
	saved      saved   // what the last checkpoint says
	opened     uint64  // segments of lower numbers have no transient records alive
	metaBytes  int64   // size of the file of values
	unchecked  bool    // segments have changed since the last checkpoint

	segmentBytes atomic.Int64 // of all segments and the files they point to
	segmentCount atomic.Int64
	otherBytes   atomic.Int64 // of checkpoint and values
	filed        atomic.Uint64

	failed chan struct{} // closed once failure is set

	kick chan struct{} // something to do for the janitor
	stop chan struct{} // closed by Close
	done chan struct{} // closed by the janitor's end
}

// failure is why nothing can be promised any more.
type failure struct {
	err     error
	durable storage.Ticket // what was durable then
	told    atomic.Bool
}

// number returns the number of the next file.
func (st *Store) number() uint64 { return st.lastFile.Add(1) }

// commit hands over a unit and makes its steps take effect.
func (st *Store) commit(unit []byte, steps []step, urgent bool) storage.Ticket {
	st.door.Lock()
	defer st.door.Unlock()
	st.journal.Room(len(unit))
	st.mu.Lock()
	if st.closed.Load() || st.failure.Load() != nil {
		st.mu.Unlock()
		return never
	}
	at, ticket := st.journal.Append(unit, urgent)
	if at.File == 0 {
		st.mu.Unlock()
		return never
	}
	st.apply(at, ticket, unit, steps)
	st.mu.Unlock()
	st.journal.Applied(at.File)
	return ticket
}

// never is a ticket that does not become durable.
const never = storage.Ticket(1<<64 - 1)

// apply makes the steps of a unit take effect. mu is held.
func (st *Store) apply(at journal.Pos, ticket storage.Ticket, unit []byte, steps []step) {
	f := st.fileAt(at)
	f.end.Store(at.Offset + int64(len(unit)))
	st.at, st.ticket = journal.Pos{File: at.File, Offset: at.Offset + int64(len(unit))}, ticket
	for i := 0; i < len(steps); {
		switch c := &steps[i]; c.kind {
		case opPut, opDelete:
			var d change
			_, _ = decode(unit, c.at, &d) // the batch has written it
			st.values.set(&d)
			i++
		default:
			i += st.applyRun(f, at.Offset, steps[i:])
		}
	}
}

// applyRun makes those steps take effect that are of the stream of the first one and stand behind it, and returns how
// many.
func (st *Store) applyRun(f *file, unit int64, steps []step) (n int) {
	s := steps[0].stream
	if !s.known {
		st.learn(s)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for n < len(steps) && steps[n].stream == s {
		c := &steps[n]
		s.apply(f, unit, c)
		if c.kind == opTo && c.size >= large && !c.again {
			f.large += int64(c.size)
		}
		if c.kind == opDrop {
			st.forget(s)
		}
		n++
	}
	return n
}

// fileAt returns the file of the journal at which a unit begins.
func (st *Store) fileAt(at journal.Pos) *file {
	if n := len(st.files); n > 0 && st.files[n-1].number == at.File {
		return st.files[n-1]
	}
	f := &file{number: at.File, begin: at.Offset}
	if n := len(st.files); n > 0 {
		st.files[n-1].complete.Store(true)
	}
	st.files = append(st.files, f)
	return f
}

// learn lists a stream. mu is held.
func (st *Store) learn(s *stream) {
	s.known = true
	st.table.Lock()
	defer st.table.Unlock()
	st.streams[s.id], st.order = s, nil
}

// forget takes a stream that was dropped off the list. mu is held.
func (st *Store) forget(s *stream) {
	st.dropped.add(s.id, s.id+1)
	st.table.Lock()
	defer st.table.Unlock()
	delete(st.streams, s.id)
	st.order = nil
}

// NewStream implements storage.Store.
func (st *Store) NewStream() storage.Stream { return newStream(st, st.lastStream.Add(1)) }

// Stream implements storage.Store.
func (st *Store) Stream(id uint64) storage.Stream {
	if s := st.stream(id); s != nil {
		return s
	}
	return nil
}

func (st *Store) stream(id uint64) *stream {
	st.table.RLock()
	defer st.table.RUnlock()
	return st.streams[id]
}

// all returns the streams, in the order of their ids. The slice is not to be changed.
func (st *Store) all() []*stream {
	st.table.RLock()
	all, n := st.order, len(st.streams)
	st.table.RUnlock()
	if all != nil || n == 0 {
		return all
	}
	st.table.Lock()
	defer st.table.Unlock()
	if st.order == nil {
		st.order = slices.SortedFunc(maps.Values(st.streams), byID)
	}
	return st.order
}

func byID(a, b *stream) int {
	if a.id < b.id {
		return -1
	}
	if a.id > b.id {
		return 1
	}
	return 0
}

// Streams implements storage.Store.
func (st *Store) Streams() []uint64 {
	all := st.all()
	ids := make([]uint64, len(all))
	for i, s := range all {
		ids[i] = s.id
	}
	return ids
}

// Durable implements storage.Store.
func (st *Store) Durable() storage.Ticket {
	if f := st.failure.Load(); f != nil {
		return f.durable
	}
	return st.journal.Durable()
}

// Wait implements storage.Store.
func (st *Store) Wait(t storage.Ticket) error {
	if t <= st.Durable() {
		return nil
	}
	if f := st.failure.Load(); f != nil {
		return f.err
	}
	if !st.o.Manual && st.notGivenOut(t) {
		select {
		case <-st.stop:
			return storage.ErrClosed
		case <-st.failed:
			return st.failure.Load().err
		}
	}
	err := st.journal.Wait(t)
	if f := st.failure.Load(); f != nil && t > f.durable {
		return f.err
	}
	return err
}

// notGivenOut reports whether nobody has got a ticket yet.
func (st *Store) notGivenOut(t storage.Ticket) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return t > st.ticket
}

// committed is the journal's word that everything up to a ticket is durable.
func (st *Store) committed(t storage.Ticket) {
	if st.failure.Load() == nil && st.o.Events.Committed != nil {
		st.o.Events.Committed(t)
	}
}

// fail takes in that the disk has failed. Only the first time counts. Who calls it calls tell, once he holds no lock.
func (st *Store) fail(err error) {
	if st.failure.CompareAndSwap(nil, &failure{err: err, durable: st.journal.Durable()}) {
		close(st.failed)
		st.log.Error("the store has failed: nothing is durable from here on", slog.String("dir", st.o.Dir), slog.Any("err", err))
	}
}

// reading is what an error of reading means for who reads.
func (st *Store) reading(err error) error {
	if st.closed.Load() && !isDamage(err) {
		return storage.ErrClosed
	}
	return err
}

func isDamage(err error) bool {
	_, ok := errors.AsType[*storage.DamageError](err)
	return ok
}

// Commit makes durable what was handed over. It is for Manual stores.
func (st *Store) Commit() error {
	// One frame may be on its way since it found no room, and another one be filled.
	if err := st.journal.Commit(); err != nil {
		return err
	}
	return st.journal.Commit()
}

// Seal ends the file of the journal that is being written, so that it can be copied out.
func (st *Store) Seal() error { return st.journal.Seal() }

// Stats implements storage.Store.
func (st *Store) Stats() storage.Stats {
	j := st.journal.Stats()
	s := storage.Stats{
		Disk:        j.Bytes + st.segmentBytes.Load() + st.otherBytes.Load(),
		JournalDisk: j.Bytes,
		Files:       j.Files + j.Spares + int(st.segmentCount.Load()) + 1,
		Commits:     j.Frames,
		Written:     j.Written,
		Filed:       st.filed.Load(),
		Free:        st.pressure.free.Load(),
	}
	all := st.all()
	s.Streams = len(all)
	for _, stream := range all {
		stream.mu.Lock()
		s.Records += stream.live
		s.Bytes += stream.bytes()
		stream.mu.Unlock()
	}
	return s
}

// Close implements storage.Store.
func (st *Store) Close() error {
	st.mu.Lock() // what is being handed over is; nothing is any more
	first := !st.closed.Swap(true)
	st.mu.Unlock()
	if !first {
		return nil
	}
	close(st.stop)
	<-st.done
	st.work.Lock()
	defer st.work.Unlock()
	if st.failure.Load() == nil {
		// What fails here is said by the journal when it is closed, or is made up for by the next start.
		if err := st.journal.Seal(); err == nil {
			if err := st.checkpoint(); err != nil {
				st.log.Warn("no checkpoint on closing", slog.String("dir", st.o.Dir), slog.Any("err", err))
			}
		}
	}
	err := st.journal.Close()
	st.closeFiles()
	if f := st.failure.Load(); f != nil {
		err = f.err
	}
	if lerr := st.lock.Close(); err == nil && lerr != nil {
		err = fmt.Errorf("disk: %w", lerr)
	}
	return err
}

func (st *Store) closeFiles() {
	for _, f := range slices.Concat(st.segments, st.leaving) {
		f.close()
	}
}

// close closes a segment and what it points to.
func (f *file) close() {
	_ = f.segment.Close() // it was read only
	for _, b := range f.bodies {
		_ = b.disk.Close()
	}
}

// journalName returns the name of a file of the journal within the folder.
func journalName(number uint64) string { return journal.Name(number) }
