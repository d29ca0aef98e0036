package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// errBroken is what a broken disk says.
var errBroken = errors.New("storetest: input/output error")

// Failing repeats a run, and in each repetition another one of its calls to the disk fails.
type Failing struct {
	Open  Open
	Seed  uint64
	Steps int  // of the run; 0 is 80
	Busy  bool // as in a Simulation
}

// Faults is what was tried, and what came of it.
type Faults struct {
	Runs     int // with a fault each
	Failed   int // after which the store has failed, and said so
	Refused  int // in which the store was not opened, and said so
	Survived int // after which it went on
}

// Add adds others.
func (f *Faults) Add(o Faults) {
	f.Runs += o.Runs
	f.Failed += o.Failed
	f.Refused += o.Refused
	f.Survived += o.Survived
}

func (f Faults) String() string {
	return fmt.Sprintf("%d faults: in %d runs the store has failed and said so, in %d it did not open and said so, in %d it went on",
		f.Runs, f.Failed, f.Refused, f.Survived)
}

// faultKinds are the ways in which a call fails.
var faultKinds = []struct {
	name string
	err  func(vfs.Op) error
}{
	{"input/output error", func(vfs.Op) error { return errBroken }},
	{"no room", func(vfs.Op) error { return vfs.ErrNoSpace }},
	{"short write, no room", func(op vfs.Op) error { return &vfs.ShortWrite{N: op.Len / 2, Err: vfs.ErrNoSpace} }},
	{"short write, input/output error", func(op vfs.Op) error { return &vfs.ShortWrite{N: op.Len - 1, Err: errBroken} }},
}

// needsRoom reports whether a call is one that may find no room.
func needsRoom(k vfs.Kind) bool {
	switch k {
	case vfs.OpCreate, vfs.OpWriteAt, vfs.OpRename, vfs.OpLink, vfs.OpMkdirAll:
		return true
	}
	return false
}

// Run runs all repetitions and returns in what the store broke its promises.
func (f Failing) Run() (Faults, error) {
	if f.Steps == 0 {
		f.Steps = 80
	}
	var ops []vfs.Op
	calm := f.world()
	calm.process.setFault(func(op vfs.Op) error {
		ops = append(ops, op)
		return nil
	})
	if err := calm.steps(); err != nil {
		return Faults{}, fmt.Errorf("without a fault: %w", err)
	}
	var sum Faults
	for _, op := range ops {
		for i, kind := range faultKinds {
			if i == 1 && !needsRoom(op.Kind) || i > 1 && op.Kind != vfs.OpWriteAt {
				continue
			}
			sum.Runs++
			r := &faultyRun{world: f.world(), at: op.Count, err: kind.err}
			if err := r.run(); err != nil {
				return sum, fmt.Errorf("%s at call %v, step %d: %w", kind.name, op, r.tally.Steps, err)
			}
			switch {
			case r.refused:
				sum.Refused++
			case r.failed != nil:
				sum.Failed++
			default:
				sum.Survived++
			}
		}
	}
	return sum, nil
}

func (f Failing) world() *world {
	return newWorld(Simulation{Open: f.Open, Seed: f.Seed, Steps: f.Steps, Busy: f.Busy}, work)
}

// faultyRun is a run in which one call fails.
type faultyRun struct {
	*world
	at      int
	err     func(vfs.Op) error
	fired   *vfs.Op // the call that failed
	refused bool    // the store did not open
}

func (r *faultyRun) run() error {
	r.process.setFault(func(op vfs.Op) error {
		if op.Count != r.at {
			return nil
		}
		r.fired = &op
		return r.err(op)
	})
	late := false // something was reported durable after the store had failed
	r.promised = func() { late = late || r.failed != nil }
	err := r.steps()
	switch {
	case err != nil && !injected(err):
		return err
	case r.fired == nil:
		return errors.New("the call did not come: a run is not the same again")
	}
	if late {
		return errors.New("something was reported durable after the store had failed")
	}
	if r.refused {
		return r.again(false)
	}
	if r.failed != nil {
		return r.afterFailure()
	}
	if err := r.store.Commit(); err != nil && r.failed == nil {
		return fmt.Errorf("Commit, after the fault is over: %w", err)
	}
	if r.failed != nil {
		return r.afterFailure()
	}
	if n := r.history.Pending(); n > 0 {
		return fmt.Errorf("silence: %d batches are not durable, and the store has not failed", n)
	}
	if err := Compare(r.store, r.history.Now()); err != nil {
		return fmt.Errorf("after the fault is over: %w", err)
	}
	// A file that could not be removed, or read to be copied, may stay until the store is opened again.
	if _, err := r.rest(); err != nil {
		return fmt.Errorf("after the fault is over: %w", err)
	}
	return r.again(true)
}

// injected reports whether an error comes from the fault.
func injected(err error) bool { return errors.Is(err, errBroken) || errors.Is(err, vfs.ErrNoSpace) }

// steps takes the steps of the run, and goes on after errors that come from the fault as long as there is a store.
func (r *faultyRun) steps() error {
	if err := r.openFaulty(); err != nil || r.refused {
		return err
	}
	for r.tally.Steps < r.Steps && r.failed == nil {
		r.tally.Steps++
		a := r.choose()
		if a.name == "reopen" {
			if err := r.reopenFaulty(); err != nil || r.refused {
				return err
			}
			continue
		}
		if err := a.do(r.world); err != nil && !injected(err) {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return nil
}

// reopenFaulty closes the store and opens it again. Either may fail.
func (r *faultyRun) reopenFaulty() error {
	for i := range r.clients {
		r.handOverBatch(&r.clients[i])
	}
	if err := r.store.Close(); err != nil {
		if !injected(err) {
			return fmt.Errorf("closing: %w", err)
		}
		r.refused = true
		return err
	}
	if n := r.history.Pending(); n > 0 {
		return fmt.Errorf("silence: %d batches are not durable after Close", n)
	}
	return r.openFaulty()
}

// openFaulty opens the store, and compares once more if that is where the call failed.
func (r *faultyRun) openFaulty() error {
	if err := r.open(); err != nil {
		r.refused = true
		return err
	}
	err := r.compareOpened(false)
	if injected(err) {
		err = r.compareOpened(false)
	}
	return err
}

// afterFailure holds what a store says that has failed, and what it leaves.
func (r *faultyRun) afterFailure() error {
	if r.fired == nil {
		return fmt.Errorf("the store has failed, and the disk has not: %w", r.failed)
	}
	if r.fired.Kind == vfs.OpWriteAt || r.fired.Kind == vfs.OpCreate {
		if errors.Is(r.err(*r.fired), vfs.ErrNoSpace) {
			return fmt.Errorf("the store has failed where the disk was only full: %w", r.failed)
		}
	}
	b := r.store.NewBatch()
	b.Put("late", nil)
	t := b.Commit(true)
	_ = r.store.Commit() // as somebody else would try
	if err := r.store.Wait(t); err == nil {
		return errors.New("Wait says nothing of the failure")
	}
	pending := r.history.Pending()
	_ = r.store.Close() // it may say again that the disk has failed
	if open := r.disk.OpenFiles(); len(open) > 0 {
		return fmt.Errorf("after the failure and Close are still open: %s", strings.Join(open, ", "))
	}
	if n := r.history.Pending(); n != pending {
		return fmt.Errorf("%d batches became durable after the failure", pending-n)
	}
	return r.again(true)
}

// again opens the store on a disk that is whole again, in the same process, which must not have left its lock or, where
// power is true, after a power cut or another end of the process, and compares.
func (r *faultyRun) again(power bool) error {
	r.process.setFault(nil)
	r.promised = nil
	if open := r.disk.OpenFiles(); len(open) > 0 && !power {
		return fmt.Errorf("no store is open, and these files are: %s", strings.Join(open, ", "))
	}
	if !power {
		return r.finish()
	}
	r.process.kill()
	rnd := rand.New(rand.NewPCG(r.Seed, uint64(r.at)))
	if rnd.IntN(3) == 0 {
		r.disk = r.disk.Clone()
	} else {
		r.disk = r.disk.Crash(rnd, rnd.Float64())
	}
	r.process = newProcess(r.disk)
	return r.finish()
}

func (r *faultyRun) finish() error {
	failed := r.failed
	defer func() { r.failed = failed }()
	if err := r.open(); err != nil {
		return fmt.Errorf("opening on a disk that is whole again: %w", err)
	}
	if r.failed != nil {
		return fmt.Errorf("the store has failed on a disk that is whole again: %w", r.failed)
	}
	if _, err := recovered(r.store, &r.history); err != nil {
		return fmt.Errorf("on a disk that is whole again: %w", err)
	}
	if err := r.begun(); err != nil {
		return err
	}
	return r.store.Close()
}
