package storetest

import (
	"fmt"
	"math/rand/v2"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Enumeration cuts the power behind each call of a recorded run.
type Enumeration struct {
	Open  Open
	Seed  uint64
	Steps int  // of the run; 0 is 120
	Busy  bool // as in a Simulation
	Cuts  int  // how many ways are tried, behind each call, in which a power cut can leave what was not synced; 0 is 8
}

// Cuts is what was enumerated.
type Cuts struct {
	Runs     int
	Calls    int // after which the power was cut
	Disks    int // that the store was opened on
	Recovery int // of which were left by a power cut during recovery
}

// Add adds others.
func (c *Cuts) Add(o Cuts) {
	c.Runs += o.Runs
	c.Calls += o.Calls
	c.Disks += o.Disks
	c.Recovery += o.Recovery
}

func (c Cuts) String() string {
	return fmt.Sprintf("%d runs of %d calls, %d disks after power cuts, %d of them during recovery", c.Runs, c.Calls, c.Disks, c.Recovery)
}

// mark is what had been promised when so many calls had been made.
type mark struct {
	calls         int
	durable, over int // batches that are durable, and that were handed over
}

// recordedRun is a run with all that a crash at any of its moments can be judged by.
type recordedRun struct {
	e       Enumeration
	rnd     *rand.Rand
	disk    *vfs.Recording
	journal int64
	batches []unit
	marks   []mark
	cuts    Cuts
}

// Run runs the enumeration and returns in what the store broke its promises.
func (e Enumeration) Run() (Cuts, error) {
	if e.Steps == 0 {
		e.Steps = 120
	}
	if e.Cuts == 0 {
		e.Cuts = 8
	}
	r := &recordedRun{e: e, rnd: rand.New(rand.NewPCG(e.Seed, 1)), cuts: Cuts{Runs: 1}}
	if err := r.record(); err != nil {
		return r.cuts, fmt.Errorf("while the run was recorded: %w", err)
	}
	var base State // after the batches that are durable
	r.cuts.Calls = r.disk.Len()
	next, at := 0, mark{}
	for calls := range r.disk.Len() + 1 {
		for next < len(r.marks) && r.marks[next].calls <= calls {
			for _, u := range r.batches[at.durable:r.marks[next].durable] {
				base.Apply(u.changes)
			}
			at = r.marks[next]
			next++
		}
		for cut := range r.disk.Cuts(calls, e.Cuts, r.rnd) {
			if err := r.judge(cut.Disk, &base, r.batches[at.durable:at.over], r.rnd.IntN(25) == 0); err != nil {
				last := "nothing"
				if calls > 0 {
					last = r.disk.Step(calls).String()
				}
				return r.cuts, fmt.Errorf("%v (%s); %d batches handed over, %d durable: %w", cut, last, at.over, at.durable, err)
			}
		}
	}
	return r.cuts, nil
}

// record does the run.
func (r *recordedRun) record() error {
	w := newWorld(Simulation{Open: r.e.Open, Seed: r.e.Seed, Steps: r.e.Steps, Busy: r.e.Busy}, work)
	r.disk, r.journal = vfs.Record(w.disk), w.journal
	mark := func() {
		r.marks = append(r.marks, mark{calls: r.disk.Len(), durable: len(r.batches) - w.history.Pending(), over: len(r.batches)})
	}
	w.handed = func(u unit) {
		r.batches = append(r.batches, u)
		mark()
	}
	w.promised = mark
	w.process.setFault(func(vfs.Op) error { // at each call, what somebody sees who looks now
		if w.store != nil {
			w.history.Durable(w.store.Durable())
			mark()
		}
		return nil
	})
	if err := w.run(); err != nil {
		return err
	}
	r.disk.Stop()
	return nil
}

// judge opens a store on a disk that was left by a power cut. deeper says to cut the power while it recovers, too.
func (r *recordedRun) judge(disk *vfs.Memory, base *State, pending []unit, deeper bool) error {
	history := func() *History { return &History{durable: *base, pending: pending} }
	var recovery *vfs.Recording
	if deeper {
		recovery = vfs.Record(disk)
	}
	if err := r.openAfter(disk, history()); err != nil {
		return err
	}
	if recovery == nil {
		return nil
	}
	recovery.Stop()
	for calls := range recovery.Len() + 1 {
		for cut := range recovery.Cuts(calls, 3, r.rnd) {
			r.cuts.Recovery++
			if err := r.openAfter(cut.Disk, history()); err != nil {
				return fmt.Errorf("recovery, %v: %w", cut, err)
			}
		}
	}
	return nil
}

// openAfter opens the store, compares, closes and opens it again, and compares once more.
func (r *recordedRun) openAfter(disk *vfs.Memory, h *History) error {
	r.cuts.Disks++
	for range 2 {
		s, err := r.e.Open(Options{FS: disk, Dir: dir, JournalSize: r.journal, Events: storage.Events{}})
		if err != nil {
			return fmt.Errorf("opening: %w", err)
		}
		if _, err := recovered(s, h); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return fmt.Errorf("closing: %w", err)
		}
	}
	return nil
}
