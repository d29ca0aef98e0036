package engine

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// machine is what a broker's process runs on: something that keeps what a store gives it, and has accidents.
type machine interface {
	// open opens the store on what is there.
	open(storage.Events) (storetest.Subject, error)
	// leave says that the process has ended, and makes what is left of it what the next open finds. What the old store still
	// does changes nothing of that, unless it was closed.
	leave(t *rapid.T, how ending)
	// plan lets something go wrong some calls from now, while the store is being opened too if early is set; hurt reports
	// whether it has since leave.
	plan(t *rapid.T)
	hurt() bool
	// fill makes the disk full, or gives it room.
	fill(bool)
	full() bool
}

// ending is how a process ends.
type ending uint8

const (
	closed   ending = iota
	killed          // the machine goes on
	powerCut        // it does not
)

// watched is a store of which the units that are handed over are counted.
type watched struct {
	storetest.Subject
	machine machine
	lazy    bool             // who waits for the disk goes on at once: what others do in the meantime comes behind it
	asked   bool             // somebody waits for the disk
	units   []storage.Ticket // of each unit the ticket; they count from 1
	handed  func(log storage.Batch, unit int)
}

func (s *watched) NewBatch() storage.Batch { return &watchedBatch{s.Subject.NewBatch(), s} }

// Wait commits, instead of waiting for others to do so.
func (s *watched) Wait(t storage.Ticket) error {
	if s.lazy || s.machine.full() {
		return nil
	}
	return s.Subject.Wait(t)
}

// Durable commits too while somebody waits for the disk, and says what he wants to hear if he goes on at once.
func (s *watched) Durable() storage.Ticket {
	if !s.asked {
		return s.Subject.Durable()
	}
	if s.lazy || s.machine.full() {
		return s.last()
	}
	_ = s.Commit() // it has failed: then nothing more is durable
	return s.Subject.Durable()
}

// last is the ticket of the last unit.
func (s *watched) last() storage.Ticket {
	if len(s.units) == 0 {
		return 0
	}
	return s.units[len(s.units)-1]
}

// durable is how many units are.
func (s *watched) durable() int {
	d := s.Durable()
	n, _ := slices.BinarySearch(s.units, d+1)
	return n
}

type watchedBatch struct {
	storage.Batch
	store *watched
}

func (b *watchedBatch) Commit(urgent bool) storage.Ticket {
	t := b.Batch.Commit(urgent)
	if t != 0 && t != math.MaxUint64 {
		b.store.units = append(b.store.units, t)
		b.store.handed(b, len(b.store.units))
	}
	return t
}

// modelMachine keeps a model of a store.
type modelMachine struct{ model *storetest.Model }

// modelSubject is a model that takes the steps of a store by doing nothing.
type modelSubject struct{ *storetest.Model }

func (m modelSubject) Wait(t storage.Ticket) error {
	if err := m.Commit(); err != nil {
		return err
	}
	return m.Model.Wait(t)
}

func (modelSubject) CopyOut() error    { return nil }
func (modelSubject) Compact() error    { return nil }
func (modelSubject) Checkpoint() error { return nil }

func (m *modelMachine) open(e storage.Events) (storetest.Subject, error) {
	if m.model == nil {
		m.model = storetest.NewModel()
	}
	m.model.Events, m.model.Manual = e, true
	return modelSubject{m.model}, nil
}

func (m *modelMachine) leave(t *rapid.T, how ending) {
	if how == closed {
		m.model = m.model.Reopen()
		return
	}
	m.model = m.model.Crash(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
}

func (*modelMachine) plan(*rapid.T) {}
func (*modelMachine) hurt() bool    { return false }
func (*modelMachine) fill(bool)     {}
func (*modelMachine) full() bool    { return false }

// diskMachine has a disk in memory, as its process sees it.
type diskMachine struct {
	memory  *vfs.Memory
	journal int64 // size of a file of the journal
	filled  bool
	fault   *fault // nil: none is planned
}

// fault is something that goes wrong at a call of the disk.
type fault struct {
	left     int  // calls until then
	reads    bool // it is a call that reads, instead of one that changes something
	deadly   bool // from then on nothing reaches the disk
	happened bool
}

var (
	errBroken = errors.New("input/output error")
	errDead   = errors.New("the process is dead")
)

func newDiskMachine(t *rapid.T) *diskMachine {
	return &diskMachine{memory: vfs.NewMemory(), journal: rapid.SampledFrom([]int64{1 << 10, 4 << 10, 32 << 10}).Draw(t, "journal")}
}

func (m *diskMachine) open(e storage.Events) (storetest.Subject, error) {
	s, err := disk.Open(disk.Options{FS: vfs.Inject(m.memory, m.decide), Dir: "data", JournalSize: m.journal, Manual: true, Events: e})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// decide is asked before each call.
func (m *diskMachine) decide(op vfs.Op) error {
	changes := false
	switch op.Kind {
	case vfs.OpCreate, vfs.OpRemove, vfs.OpRename, vfs.OpLink, vfs.OpMkdirAll, vfs.OpSyncDir, vfs.OpWriteAt, vfs.OpSync, vfs.OpTruncate:
		changes = true
	}
	if f := m.fault; f != nil {
		switch {
		case f.happened && f.deadly:
			return errDead
		case f.happened || f.reads != (op.Kind == vfs.OpReadAt) || !f.reads && !changes:
		case f.left > 0:
			f.left--
		default:
			f.happened = true
			return &vfs.ShortWrite{N: op.Len / 2, Err: errBroken}
		}
	}
	switch {
	case m.filled && op.Kind == vfs.OpCreate:
		return vfs.ErrNoSpace
	case m.filled && op.Kind == vfs.OpWriteAt:
		return &vfs.ShortWrite{N: op.Len / 2, Err: vfs.ErrNoSpace}
	}
	return nil
}

func (m *diskMachine) leave(t *rapid.T, how ending) {
	switch m.fault = nil; how {
	case killed:
		m.memory = m.memory.Clone()
	case powerCut:
		keep := rapid.SampledFrom([]float64{0, 0.1, 0.5, 0.9, 1}).Draw(t, "keep")
		m.memory = m.memory.Crash(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), keep)
	}
}

func (m *diskMachine) plan(t *rapid.T) {
	if m.fault == nil {
		m.fault = &fault{
			left: rapid.IntRange(0, 25).Draw(t, "calls"), reads: rapid.IntRange(0, 5).Draw(t, "reads") == 0, deadly: rapid.Bool().Draw(t, "deadly"),
		}
	}
}

func (m *diskMachine) hurt() bool     { return m.fault != nil && m.fault.happened }
func (m *diskMachine) fill(full bool) { m.filled = full }
func (m *diskMachine) full() bool     { return m.filled }
