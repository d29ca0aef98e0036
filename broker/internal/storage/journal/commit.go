package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// run is the committer.
func (j *Journal) run() {
	defer close(j.done)
	for j.await() {
		j.step.Lock()
		err := j.commit(false)
		j.step.Unlock()
		if err != nil && (j.Err() != nil || !j.pause()) {
			return
		}
		j.gather()
	}
}

// await returns true when there is something to commit, false when there never will be.
func (j *Journal) await() bool {
	j.mu.Lock()
	for {
		select {
		case <-j.stop:
			j.mu.Unlock()
			return false
		default:
		}
		if j.err != nil || j.ready() {
			well := j.err == nil
			j.mu.Unlock()
			return well
		}
		j.asleep = true
		j.mu.Unlock()
		<-j.wake
		j.mu.Lock()
	}
}

// ready reports whether it is time for a commit. mu is held.
func (j *Journal) ready() bool {
	b := j.filling
	return j.flight != nil || b.urgent || b.size > min(eager, int64(j.c.MaxBuffer)/2) || j.idled || j.syncDue
}

// pause waits until a frame that found no room is worth another try; false says that it isn't: the journal is closed.
func (j *Journal) pause() bool {
	t := time.NewTimer(retryEvery)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-j.stop:
		return false
	}
}

// gather waits a moment for those who were told of the last commit to come back with more. Without that the first of them
// would set off a commit for itself alone, with all others in the next: half as many in each. It lets others run as long
// as each time somebody has appended, and until as much has come as was committed last. It ends at once for a lone unit,
// and looks at no clock.
func (j *Journal) gather() {
	const patience = 16
	for n, still := -1, 0; still < patience; still++ {
		j.mu.Lock()
		units := int(j.filling.units)
		enough := units > 0 && units >= int(j.lastUnits) || j.filling.size > eager || j.flight != nil
		j.mu.Unlock()
		if enough {
			return
		}
		if units != n {
			n, still = units, 0
		}
		runtime.Gosched()
	}
}

// roomError says that a frame stays where it is until there is room.
type roomError struct{ error }

func (e roomError) Unwrap() error { return e.error }

// orRoom makes an error of the disk a roomError where nothing is lost by trying again.
func orRoom(err error) error {
	if errors.Is(err, vfs.ErrNoSpace) {
		return roomError{err}
	}
	return err
}

// commit writes and syncs the frame that waits, if there is one; mark says that one without units will do. step is held.
func (j *Journal) commit(mark bool) error {
	b, due, err := j.take(mark)
	if err != nil {
		return err
	}
	if b != nil {
		if err := j.write(b); err != nil {
			j.syncLater(due)
			return j.refused(err)
		}
	}
	if lies && b != nil {
		j.report(b)
	}
	if j.current != nil && (due || j.c.Sync == storage.Always) {
		if err := j.sync(); err != nil {
			return j.refused(err)
		}
	}
	j.hasRoom()
	if !lies && b != nil {
		j.report(b)
	}
	if b != nil {
		j.spareAhead()
	}
	return nil
}

// report tells everybody that a frame is durable.
func (j *Journal) report(b *frame) {
	j.durable.Store(b.number)
	j.landed()
	if j.c.Committed != nil {
		j.c.Committed(j.Durable())
	}
}

// syncLater puts off a sync that is due until a commit goes through.
func (j *Journal) syncLater(due bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.syncDue = due
}

// take returns the frame to commit: the one that is still on its way, or else the one that was filled, in whose place the
// empty one comes; nil when there is none. due says that storage.Interval is over.
func (j *Journal) take(mark bool) (b *frame, due bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return nil, false, j.err
	}
	due, j.syncDue = j.syncDue, false
	if j.flight != nil {
		return j.flight, due, nil
	}
	b = j.filling
	j.idled = false
	if b.units == 0 {
		if !mark {
			return nil, due, nil
		}
		b.file, b.start = j.current, j.current.end
	}
	if b.file == j.tail {
		j.tailEnd = b.start + b.size
	}
	j.flight, j.filling, j.empty = b, j.empty, nil
	j.filling.number = b.number + 1
	if j.blocked > 0 {
		j.room.Signal()
	}
	return b, due, nil
}

// write writes a frame where it belongs, and begins its file if it is the first there.
func (j *Journal) write(b *frame) error {
	if b.file != j.current {
		if err := j.begin(b.file, b.number); err != nil {
			return err
		}
	}
	f := b.file
	b.seal(f.seed, f.synced)
	if err := b.write(f.disk); err != nil {
		return orRoom(fmt.Errorf("journal: writing %s: %w", Name(f.number), err))
	}
	f.end = b.start + b.size
	length := max(f.length, f.end)
	if length == f.end && b.size < large {
		length += j.ahead(f)
	}
	j.mu.Lock()
	f.length = length
	j.mu.Unlock()
	return nil
}

// ahead writes zeros behind the end of a file that grows, and returns how many. To sync what lies within a file takes half
// the time that it takes to sync one that has grown; so small frames make room for those to come, the more the more there
// have been. Where that fails nothing is lost. step is held.
func (j *Journal) ahead(f *file) int64 {
	n := min(max(f.end, leastAhead), stride, j.c.FileSize-f.end)
	if n <= 0 {
		return 0
	}
	if j.zeros == nil {
		j.zeros = make([]byte, leastAhead)
	}
	for done := int64(0); done < n; {
		some := j.zeros[:min(leastAhead, n-done)]
		if _, err := f.disk.WriteAt(some, f.end+done); err != nil {
			return 0
		}
		done += int64(len(some))
	}
	j.mu.Lock()
	j.stats.Written += uint64(n)
	j.mu.Unlock()
	return n
}

// sync syncs the current file. Its errors are final: what a disk forgets after one it does not say.
func (j *Journal) sync() error {
	f := j.current
	if f.synced == f.end {
		return nil
	}
	if err := f.disk.Sync(); err != nil {
		return fmt.Errorf("journal: syncing %s: %w", Name(f.number), err)
	}
	f.synced = f.end
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats.Syncs++
	j.unsynced = false
	return nil
}

// landed ends the way of the frame: the file is where its units are read from now, and who waited for it goes on.
func (j *Journal) landed() {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.flight
	j.stats.Frames++
	j.stats.Units += uint64(b.units)
	j.stats.Written += uint64(b.size)
	j.lastUnits = b.units
	b.reset()
	j.flight, j.empty = nil, b
	if j.resync != nil && !j.unsynced && j.current.synced < j.current.end {
		j.unsynced = true
		j.resync.Reset(j.c.Interval)
	}
	if len(j.waiters) == 0 {
		return
	}
	kept := j.waiters[:0]
	for _, w := range j.waiters {
		if w.ticket <= j.Durable() {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	clear(j.waiters[len(kept):])
	j.waiters = kept
}

// refused deals with an error of a commit, and returns it.
func (j *Journal) refused(err error) error {
	if !errors.As(err, new(roomError)) {
		j.log.Error("the journal has failed: nothing is durable from here on", slog.String("dir", j.c.Dir), slog.Any("err", err))
		j.end(err)
		if j.c.Failed != nil {
			j.c.Failed(err)
		}
		return err
	}
	j.mu.Lock()
	first := !j.stats.NoRoom
	j.stats.NoRoom = true
	j.stats.Failures++
	j.mu.Unlock()
	if first {
		j.log.Warn("the disk is full: the journal waits for room", slog.String("dir", j.c.Dir), slog.Any("err", err))
		if j.c.NoRoom != nil {
			j.c.NoRoom(true)
		}
	}
	return err
}

// hasRoom is called after a commit went through.
func (j *Journal) hasRoom() {
	j.mu.Lock()
	was := j.stats.NoRoom
	j.stats.NoRoom = false
	j.mu.Unlock()
	if was {
		j.log.Info("the disk has room again", slog.String("dir", j.c.Dir))
		if j.c.NoRoom != nil {
			j.c.NoRoom(false)
		}
	}
}

// flush commits and syncs what Append was given before. step is held.
func (j *Journal) flush() error {
	// One frame may be on its way since it found no room, and another be filled meanwhile.
	for range 2 {
		if err := j.commit(false); err != nil {
			return err
		}
	}
	if j.current == nil {
		return nil
	}
	if err := j.sync(); err != nil {
		return j.refused(err)
	}
	return nil
}

// finish completes the current file, unless another unit is on its way to it. A frame without units ends it: so damage to
// the last one with units is seen as such. step is held.
func (j *Journal) finish() error {
	f := j.current
	if f == nil || f.complete.Load() {
		return nil
	}
	j.mu.Lock()
	more := j.filling.units > 0
	j.mu.Unlock()
	if more {
		return nil
	}
	if err := j.commit(true); err != nil {
		return err
	}
	if err := j.sync(); err != nil {
		return j.refused(err)
	}
	j.complete(f)
	return nil
}

// complete is called when no frame will come to a file any more, and all are synced.
func (j *Journal) complete(f *file) {
	f.complete.Store(true)
	j.tellSealed(f)
}
