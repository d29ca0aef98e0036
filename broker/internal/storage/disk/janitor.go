package disk

import (
	"log/slog"
	"slices"
	"time"

	"github.com/warrenmq/warren/broker/internal/storage/segment"
)

const (
	// keep is how many sealed files of the journal are not copied yet: most messages are taken before theirs would be.
	keep = 2
	// together is how many are copied at once when more have gathered.
	together = 2
	// gather is up to how many segments are made one.
	gather = 16
	// fewAlive is up to how many live records a segment is looked at again whenever one has died: one of them may be
	// most of it.
	fewAlive = 512
	// tidyEvery is how often the janitor looks without being called.
	tidyEvery = time.Second
)

// emptied is called when a chunk of a file, or a reader, has gone. A file that records still come to is empty all the
// time, and no reason to do anything.
func (st *Store) emptied(f *file) {
	if f.live.Load() == 0 && f.pins.Load() == 0 && f.complete.Load() {
		st.call()
	}
}

// call wakes the janitor.
func (st *Store) call() {
	select {
	case st.kick <- struct{}{}:
	default:
	}
}

// run is the janitor.
func (st *Store) run() {
	defer close(st.done)
	t := time.NewTicker(tidyEvery)
	defer t.Stop()
	for {
		idle := false
		select {
		case <-st.stop:
			return
		case <-st.kick:
		case <-t.C:
			idle = true
		}
		st.look()
		st.tell()
		_ = st.working(func() error { return st.tidy(idle) }) // what can be tried again is, after a while; anything else has been told
		st.look()
		st.tell()
	}
}

// tidy does what there is to do. work is held.
func (st *Store) tidy(idle bool) error {
	if !idle && st.pressure.full() {
		return nil // it is tried again, but not all the time
	}
	for !st.closed.Load() {
		live, dead := st.sealedNow()
		if len(live) > keep {
			if err := st.rewrite(live[:min(len(live)-keep, together)]); err != nil {
				return err
			}
			if err := st.checkpoint(); err != nil {
				return err
			}
			st.look()
			continue
		}
		for _, f := range st.segments {
			if f.live.Load() == 0 {
				dead++
			}
		}
		if dead >= keep || idle && dead > 0 || len(st.leaving)+len(st.recyclable) > 0 || st.adopting {
			if err := st.checkpoint(); err != nil {
				return err
			}
		}
		if worth := st.worthGathering(); len(worth) > 0 {
			if err := st.rewrite(worth); err != nil {
				return err
			}
			if err := st.checkpoint(); err != nil {
				return err
			}
			continue
		}
		break
	}
	return nil
}

// sealedNow returns the sealed files of the journal of which something is alive, oldest first, and how many others
// there are.
func (st *Store) sealedNow() (live []*file, dead int) {
	for _, f := range st.sealed() {
		switch {
		case f.live.Load() == 0:
			dead++
		case !f.damaged.Load():
			live = append(live, f)
		}
	}
	return live, dead
}

// CopyOut copies what is alive in the oldest sealed file of the journal to a segment, and frees files of which
// nothing is.
func (st *Store) CopyOut() error {
	st.look()
	return st.working(func() error {
		if live, _ := st.sealedNow(); len(live) > 0 {
			if err := st.rewrite(live[:1]); err != nil {
				return err
			}
		}
		return st.checkpointIfFreeing()
	})
}

// Compact gathers segments of which little is alive.
func (st *Store) Compact() error {
	return st.working(func() error {
		if worth := st.worthGathering(); len(worth) > 0 {
			if err := st.rewrite(worth); err != nil {
				return err
			}
		}
		return st.checkpointIfFreeing()
	})
}

// checkpointIfFreeing writes a checkpoint if a file can be removed then.
func (st *Store) checkpointIfFreeing() error {
	_, dead := st.sealedNow()
	if dead > 0 || st.unchecked || slices.ContainsFunc(st.segments, func(f *file) bool { return f.live.Load() == 0 }) {
		return st.checkpoint()
	}
	st.sweep()
	return nil
}

// size returns how many bytes a segment takes, with the files that it points to.
func (f *file) size() int64 {
	n := f.segment.Size()
	for _, b := range f.bodies {
		n += b.size
	}
	return n
}

// cost returns how many bytes, at most, what is alive in a segment would take in a new one.
func (f *file) cost() int64 {
	n := int64(512) + f.used.Load() + 48*f.live.Load()
	for e := range f.views {
		if f.views[e].Load() > 0 {
			n += 64
		}
	}
	return n
}

// measure sets right how many bytes are alive in a segment, when that may be quite different from what the average of
// its payloads makes it. work is held.
func (st *Store) measure(f *file) error {
	live := f.live.Load()
	if live == f.measured || len(f.bodies) == 0 && live > fewAlive && live > f.measured-f.measured/8 {
		return nil
	}
	used := int64(0)
	var c segment.Cursor
	var r segment.Record
	for e, x := range f.segment.Extents() {
		s := st.stream(x.Stream)
		if s == nil || f.views[e].Load() == 0 {
			continue
		}
		before := used
		c.Reset(f.segment, e, 0)
		for {
			ok, err := c.NextHead(&r)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if s.aliveIn(f, r.Seq) {
				used += int64(r.At.Len)
			}
		}
		s.measured(f, e, used-before)
	}
	f.measured = live
	return nil
}

// aliveIn reports whether a record is alive, and in a file.
func (s *stream) aliveIn(f *file, seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(seq)
	return i < len(s.chunks) && s.chunks[i].file == f && s.chunks[i].alive(seq)
}

// measured takes in how many bytes are alive in an extent, if a chunk has it for itself.
func (s *stream) measured(f *file, extent int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.views[extent].Load() != 1 {
		return
	}
	for i := range s.chunks {
		if c := &s.chunks[i]; c.file == f && c.extent == extent {
			f.used.Add(bytes - c.bytes)
			c.bytes = bytes
		}
	}
}

// worthGathering returns segments that take twice as much as what is alive in them, and small ones when there are many.
// work is held.
func (st *Store) worthGathering() (worth []*file) {
	small := make([]*file, 0, len(st.segments))
	bytes := int64(0)
	for _, f := range st.segments {
		if f.live.Load() == 0 || f.damaged.Load() {
			continue
		}
		if err := st.measure(f); err != nil {
			f.damaged.Store(true)
			st.log.Error("a segment cannot be read", slog.Any("err", err))
			continue
		}
		size := f.size()
		switch cost := f.cost(); {
		case 2*cost < size:
			if len(worth) < gather && (len(worth) == 0 || bytes+cost <= 4*st.o.JournalSize) {
				worth = append(worth, f)
				bytes += cost
			}
		case size < max(st.o.JournalSize/4, 64<<10):
			small = append(small, f)
		}
	}
	if len(worth) == 0 && len(small) >= gather/2 {
		return small[:min(len(small), gather)]
	}
	return worth
}
