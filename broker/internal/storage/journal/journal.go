package journal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Config says where a journal lies and how it works. FS, Dir and Number are needed; the zero of everything else is usable.
type Config struct {
	// FS is the file system, Dir the folder in it, which exists.
	FS  vfs.FS
	Dir string
	// FileSize is after how many bytes a new file is begun; 0 is 32 MiB. A frame never straddles files: the last one of a
	// file may make it longer.
	FileSize int64
	// MaxBuffer is how many bytes may wait for the next commit before Append blocks, while as many may be on their way; 0
	// is 8 MiB. A longer unit is let in when nothing else waits.
	MaxBuffer int
	// Sync says when a commit counts as durable; the zero is storage.Always. Interval is how often storage.Interval syncs;
	// 0 is a second. Whatever it says, a file is synced before the next one is begun.
	Sync     storage.Sync
	Interval time.Duration
	// Idle is how long what is not urgent may wait; 0 is 100 ms.
	Idle time.Duration
	// Number returns the number of the next file, above all before. It is called with a lock of the journal held, from any
	// goroutine, and must not call the journal.
	Number func() uint64
	// Manual makes the journal start no goroutine and no timer: nothing happens but in the calls of its owner, who calls
	// Commit. Append then never blocks, Wait commits, no spare files are made, and salts are 0.
	Manual bool

	// Committed, if set, is called after every commit, in order, with what is durable now. It, NoRoom and Failed are
	// called by whoever commits, the committer or a call of Commit, Sync, Seal, Wait or Close, and must not call one of
	// these.
	Committed func(durable storage.Ticket)
	// Sealed, if set, is called when SealedFiles has one more, by whoever commits or calls Applied.
	Sealed func()
	// NoRoom, if set, is called with true when the disk has no room for the next frame, which is kept and tried again every
	// 100 ms, and with false when it went through.
	NoRoom func(bool)
	// Failed, if set, is called once, with the error after which nothing is committed any more.
	Failed func(error)
	// Logger is told what an administrator should know; nil is silence.
	Logger *slog.Logger
}

const (
	// eager is how many bytes are committed without anything urgent among them.
	eager = 1 << 20
	// large is from how many bytes on a unit is not copied but kept until it is written.
	large = 64 << 10
	// retryEvery is how often a frame that found no room is tried again.
	retryEvery = 100 * time.Millisecond
)

// Pos is where a unit lies: its first byte.
type Pos struct {
	File   uint64
	Offset int64
}

// FileInfo is a file that is complete.
type FileInfo struct {
	Number uint64
	Size   int64 // up to the end of its last frame
}

// Stats are figures for showing.
type Stats struct {
	Files    int    // those of Files
	Bytes    int64  // that they and the spares take on the disk
	Spares   int    // files that are kept to be written again
	Waiting  int64  // bytes that are not committed
	Frames   uint64 // committed since Open
	Units    uint64 // in them
	Written  uint64 // bytes of files since Open, spares that were filled included
	Syncs    uint64 // since Open
	NoRoom   bool   // a frame waits for room
	Failures uint64 // frames that found no room, retries included
}

// Journal is an open journal. Its methods may be called from any goroutine.
//
// Two locks: step is held by who commits, through the sync; mu for moments. step is taken first.
type Journal struct {
	c   Config
	log *slog.Logger

	durable atomic.Uint64        // the last frame that is; written under step
	newest  atomic.Pointer[file] // the last that was begun since Open, if any; written under mu

	step sync.Mutex
	// Owned by step.
	current  *file         // the one that frames go to, or the last one; nil before the first
	salt     func() uint64 // of the next file
	made     int           // spares that were made, or tried
	spareFor *file         // the file that was current when the last one was thought of
	zeros    []byte        // that are written ahead; nil until some are
	closed   bool

	mu   sync.Mutex
	room sync.Cond // of mu: there may be room in filling
	// Owned by mu.
	filling   *frame   // what Append appends to
	flight    *frame   // what is being committed, until it is; nil when nothing is
	empty     *frame   // the other one of the two, while there is no flight
	tail      *file    // where the next frame goes; nil when it begins a new file
	tailEnd   int64    // where in it
	files     []*file  // what Files returns
	spares    []spare  // at most maxSpares
	lean      bool     // none are kept
	waiters   []waiter // those of Wait, in no order
	blocked   int      // calls of Append that wait for room
	asleep    bool     // the committer waits for wake
	armed     bool     // the timer idle is set
	idled     bool     // and has fired since the last commit
	unsynced  bool     // something written waits for the timer resync
	syncDue   bool     // which has fired
	lastUnits uint32   // of the last commit
	err       error    // why nothing is committed any more: storage.ErrClosed, or what failed
	stats     Stats    // what is counted, not what is looked up

	wake   chan struct{}  // holds a token for the committer that was asleep
	stop   chan struct{}  // closed by Close
	done   chan struct{}  // closed by the committer's end
	idle   *time.Timer    // nil if Manual
	resync *time.Timer    // nil if Manual or not storage.Interval
	making sync.WaitGroup // of who makes a spare
}

type waiter struct {
	ticket storage.Ticket
	done   chan struct{}
}

// Open reads the files with the given numbers, which ascend, and opens the journal behind them. replay is called with
// every unit of every frame, in order, and where it lies; the bytes are valid during the call. An error of it ends Open.
//
// next says which frames the owner knows already: all below it. So one of the files may begin with a frame that does not
// follow the one before it, if nothing from next on is between them: a file between them was recycled, or adopted. The
// first frame of this journal has number next, or the one behind the last frame of the files, whichever is higher.
//
// A file that does not exist is an error, one that is not as it was written a *storage.DamageError. What a crash has torn
// is cut, and told in Recovery. Everything that was replayed is durable when Open returns. Open writes nothing, except
// that it removes spare files that it cannot use.
func Open(c Config, files []uint64, next storage.Ticket, replay func(file uint64, off int64, unit []byte) error) (*Journal, Recovery, error) {
	if c.FileSize == 0 {
		c.FileSize = 32 << 20
	}
	if c.MaxBuffer == 0 {
		c.MaxBuffer = 8 << 20
	}
	c.MaxBuffer = min(c.MaxBuffer, maxUnit)
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.Idle == 0 {
		c.Idle = 100 * time.Millisecond
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}

	found, rec, err := scan(c.FS, c.Dir, files, next, replay)
	if err != nil {
		return nil, rec, err
	}
	j := &Journal{
		c:    c,
		log:  c.Logger,
		wake: make(chan struct{}, 1),
		stop: make(chan struct{}),
		done: make(chan struct{}),
		salt: rand.Uint64,
	}
	if c.Manual {
		j.salt = func() uint64 { return 0 }
	}
	j.room.L = &j.mu
	j.filling, j.empty = newFrame(), newFrame()
	first := max(uint64(rec.Last)+1, uint64(next), 1)
	j.filling.number = first
	j.durable.Store(first - 1)
	if err := j.adoptFound(found); err != nil {
		for _, f := range j.files {
			f.disk.Close()
		}
		return nil, rec, err
	}
	if c.Manual {
		close(j.done)
		return j, rec, nil
	}
	j.idle = time.AfterFunc(time.Hour, j.idleOver)
	j.idle.Stop()
	if c.Sync == storage.Interval {
		j.resync = time.AfterFunc(time.Hour, j.syncIsDue)
		j.resync.Stop()
	}
	go j.run()
	return j, rec, nil
}

// adoptFound opens the files of a recovery and looks for spares.
func (j *Journal) adoptFound(found []foundFile) error {
	for i, ff := range found {
		name := filepath.Join(j.c.Dir, Name(ff.number))
		open := j.c.FS.Open
		last := i == len(found)-1
		if last {
			open = j.c.FS.OpenReadWrite // to sync it
		}
		disk, err := open(name)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		f := &file{number: ff.number, disk: disk, end: ff.end, synced: ff.end, length: ff.length}
		f.complete.Store(true)
		f.told.Store(true)
		j.files = append(j.files, f)
		j.current = f
		if last && ff.end > fileHeader {
			// A process that was killed may have left this to the operating system. The owner is about to build on it.
			if err := disk.Sync(); err != nil {
				return fmt.Errorf("journal: syncing %s: %w", Name(ff.number), err)
			}
		}
	}
	return j.findSpares()
}

// Append hands over a unit and returns where it lies and the ticket of the frame that it is part of. It can be read there
// at once. The unit counts as one of its file's that are not applied yet: see Applied. urgent says that somebody waits for
// it; what is not goes along with the next commit, and after Config.Idle at last.
//
// The unit is copied, unless it has 64 KiB or more: then it is the journal's, and never to be changed again. It must not be
// longer than 1 GiB.
//
// Append blocks while Config.MaxBuffer bytes are waiting already. After a failure, or Close, it does nothing: the position
// is zero, and the ticket one that never becomes durable. Err says why.
func (j *Journal) Append(unit []byte, urgent bool) (Pos, storage.Ticket) {
	if len(unit) > maxUnit {
		panic(fmt.Sprintf("journal: a unit of %d bytes: the limit is 1 GiB", len(unit)))
	}
	n := int64(unitHeader + len(unit))
	j.mu.Lock()
	if !j.fits(n) {
		j.waitForRoom(n)
	}
	b := j.filling
	if j.err != nil {
		j.mu.Unlock()
		return Pos{}, storage.Ticket(b.number)
	}
	if b.units == 0 {
		b.file, b.start = j.place(n)
	}
	at := Pos{b.file.number, b.start + b.size + unitHeader}
	ticket := storage.Ticket(b.number)
	b.add(unit)
	b.file.pending.Add(1)
	b.urgent = b.urgent || urgent
	if !urgent && !j.armed && j.idle != nil {
		j.armed = true
		j.idle.Reset(j.c.Idle)
	}
	wake := j.asleep && j.ready()
	if wake {
		j.asleep = false
	}
	j.mu.Unlock()
	if wake {
		j.wake <- struct{}{}
	}
	return at, ticket
}

// fits reports whether a unit of n bytes with its length has room in the frame that is being filled. mu is held.
func (j *Journal) fits(n int64) bool {
	return j.filling.size+n <= int64(j.c.MaxBuffer) || j.filling.units == 0 || j.c.Manual || j.err != nil
}

// Room returns once a unit of n bytes can be appended without waiting, as long as nobody else appends, or nothing can be
// appended any more. So who appends under a lock of his own need not hold it while he waits.
func (j *Journal) Room(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.fits(int64(unitHeader + n)) {
		j.waitForRoom(int64(unitHeader + n))
	}
}

// waitForRoom returns once n bytes fit. mu is held.
func (j *Journal) waitForRoom(n int64) {
	j.blocked++
	for !j.fits(n) {
		j.filling.urgent = true
		j.callLocked()
		j.room.Wait()
	}
	j.blocked--
	if j.blocked > 0 {
		j.room.Signal() // one at a time, each calls the next: there is no herd
	}
}

// place returns where the next frame, whose first unit takes n bytes, begins. mu is held.
func (j *Journal) place(n int64) (*file, int64) {
	if j.tail == nil || j.tailEnd > fileHeader && j.tailEnd+frameHeader+n > j.c.FileSize {
		j.tail, j.tailEnd = &file{number: j.c.Number()}, fileHeader
		j.newest.Store(j.tail)
	}
	return j.tail, j.tailEnd
}

// Applied says that the owner has taken a unit of the file into its state. A file is not among the sealed ones before all
// of its units are applied.
func (j *Journal) Applied(number uint64) {
	f := j.newest.Load()
	if f == nil || f.number != number {
		j.mu.Lock()
		f = j.find(number)
		if f == nil && j.flight != nil && j.flight.file.number == number {
			f = j.flight.file // whose first frame is on its way
		}
		j.mu.Unlock()
		if f == nil {
			return // of an Append after a failure
		}
	}
	f.pending.Add(-1)
	j.tellSealed(f)
}

// tellSealed calls Sealed if the file is to be given out from now on.
func (j *Journal) tellSealed(f *file) {
	if f.complete.Load() && f.pending.Load() == 0 && f.told.CompareAndSwap(false, true) && j.c.Sealed != nil {
		j.c.Sealed()
	}
}

// ReadAt fills p with what lies in a file from off on. That is on the disk, or in units that are not committed yet: of
// these, only what is within a unit. It is the owner's to know where units are.
func (j *Journal) ReadAt(number uint64, p []byte, off int64) error {
	j.mu.Lock()
	f := j.find(number)
	filed := int64(len(p)) // bytes of p that lie before what is buffered
	top := int64(-1)       // where what is buffered ends
	for _, b := range [...]*frame{j.flight, j.filling} {
		if b == nil || b.units == 0 || b.file.number != number {
			continue
		}
		top = b.start + b.size
		if off+int64(len(p)) > b.start {
			b.copyTo(p, off)
			filed = min(filed, max(b.start-off, 0))
		}
	}
	j.mu.Unlock()
	switch {
	case top >= 0 && off+int64(len(p)) > top:
		return fmt.Errorf("journal: %s: reading %d bytes at %d: %w", Name(number), len(p), off, io.ErrUnexpectedEOF)
	case filed == 0:
		return nil
	case f == nil:
		return fmt.Errorf("journal: reading %s, which it does not have", Name(number))
	}
	if n, err := f.disk.ReadAt(p[:filed], off); int64(n) < filed {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("journal: %s: reading %d bytes at %d: %w", Name(number), filed, off, err)
	}
	return nil
}

// Commit is one step of the committer: it writes what waits, and returns when that is durable. An error that is
// errors.Is(err, vfs.ErrNoSpace) means that it goes on waiting; after any other nothing is committed any more.
func (j *Journal) Commit() error {
	j.step.Lock()
	defer j.step.Unlock()
	return j.commit(false)
}

// Sync makes durable in the sense of storage.Always what Append was given before, whatever Config.Sync says.
func (j *Journal) Sync() error {
	j.step.Lock()
	defer j.step.Unlock()
	return j.flush()
}

// Seal ends the file that is being written, after what Append was given before: the next frame begins a new one.
func (j *Journal) Seal() error {
	j.step.Lock()
	defer j.step.Unlock()
	j.mu.Lock()
	j.tail = nil
	j.mu.Unlock()
	if err := j.flush(); err != nil {
		return err
	}
	return j.finish()
}

// Err returns why nothing is committed any more: what failed, or storage.ErrClosed; nil while everything is well.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Durable returns up to which ticket everything is durable.
func (j *Journal) Durable() storage.Ticket { return storage.Ticket(j.durable.Load()) }

// Wait blocks until the ticket is durable; what it waits for is urgent from then on. It fails when the ticket never will
// be, and if Manual, when a commit fails. It is for the few: who has many to wait for looks at Committed.
func (j *Journal) Wait(t storage.Ticket) error {
	if j.Durable() >= t {
		return nil
	}
	if j.c.Manual {
		return j.waitManually(t)
	}
	j.mu.Lock()
	if j.Durable() >= t {
		j.mu.Unlock()
		return nil
	}
	if err := j.hopeless(t); err != nil {
		j.mu.Unlock()
		return err
	}
	w := waiter{t, make(chan struct{})}
	j.waiters = append(j.waiters, w)
	if t == storage.Ticket(j.filling.number) {
		j.filling.urgent = true
		j.callLocked()
	}
	j.mu.Unlock()
	<-w.done
	if j.Durable() >= t {
		return nil
	}
	return j.Err()
}

func (j *Journal) waitManually(t storage.Ticket) error {
	for j.Durable() < t {
		j.mu.Lock()
		err := j.hopeless(t)
		j.mu.Unlock()
		if err == nil {
			err = j.Commit()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hopeless returns why a ticket that is not durable never will be. mu is held.
func (j *Journal) hopeless(t storage.Ticket) error {
	last := j.filling.number
	if j.filling.units == 0 {
		last--
	}
	if j.err == nil && uint64(t) > last {
		return fmt.Errorf("journal: waiting for ticket %d, the last one is %d", t, last)
	}
	return j.err
}

// callLocked wakes the committer. mu is held.
func (j *Journal) callLocked() {
	if j.asleep {
		j.asleep = false
		j.wake <- struct{}{} // has room: there is a token only for one who was asleep
	}
}

// idleOver is called by the timer idle.
func (j *Journal) idleOver() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.armed = false
	if j.filling.units > 0 {
		j.idled = true
		j.callLocked()
	}
}

// syncIsDue is called by the timer resync.
func (j *Journal) syncIsDue() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.syncDue = true
	j.callLocked()
}

// Close commits and syncs what was handed over, and closes the files. An error says that not all of that is durable. It
// may be called again, and then does nothing.
func (j *Journal) Close() error {
	j.mu.Lock()
	select {
	case <-j.stop:
	default:
		close(j.stop)
	}
	j.callLocked()
	j.mu.Unlock()
	<-j.done
	j.making.Wait()

	j.step.Lock()
	defer j.step.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	if j.idle != nil {
		j.idle.Stop()
	}
	if j.resync != nil {
		j.resync.Stop()
	}
	failed := j.Err()
	err := failed
	if err == nil {
		if err = j.flush(); err == nil {
			err = j.finish()
		}
		j.end(storage.ErrClosed)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if waiting := j.waiting(); err != nil && failed == nil && waiting > 0 {
		err = fmt.Errorf("journal: closed with %d bytes that are not durable: %w", waiting, err)
	}
	for _, f := range j.files {
		if cerr := f.disk.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("journal: %w", cerr)
		}
	}
	return err
}

// end makes everything that waits give up. Only the first reason counts.
func (j *Journal) end(why error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.err = why
	}
	for _, w := range j.waiters {
		close(w.done)
	}
	j.waiters = nil
	j.room.Broadcast()
}

// waiting returns how many bytes are not committed. mu is held.
func (j *Journal) waiting() int64 {
	n := int64(0)
	for _, b := range [...]*frame{j.flight, j.filling} {
		if b != nil && b.units > 0 {
			n += b.size
		}
	}
	return n
}

// Stats returns figures for showing.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Files, s.Spares, s.Waiting = len(j.files), len(j.spares), j.waiting()
	for _, f := range j.files {
		s.Bytes += f.length
	}
	for _, sp := range j.spares {
		s.Bytes += sp.length
	}
	return s
}

// find returns the file with that number, or nil. mu is held.
func (j *Journal) find(number uint64) *file {
	// The youngest are asked for the most.
	for _, f := range slices.Backward(j.files) {
		if f.number == number {
			return f
		}
	}
	return nil
}
