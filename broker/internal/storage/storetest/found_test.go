package storetest

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// What the harnesses have found, step by step.

// scene is a store of which a test takes each step.
type scene struct {
	*testing.T
	disk    *vfs.Memory
	process *process
	store   *disk.Store
	streams map[uint64]storage.Stream // that are in use
	want    State
}

func newScene(t *testing.T) *scene {
	s := &scene{T: t, disk: vfs.NewMemory()}
	s.open()
	return s
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) open() {
	s.Helper()
	var err error
	s.process, s.streams = newProcess(s.disk), make(map[uint64]storage.Stream)
	s.store, err = disk.Open(disk.Options{FS: s.process, Dir: dir, JournalSize: 4096, Manual: true})
	s.ok(err)
}

// file commits changes, and files what of it is alive in a segment of its own.
func (s *scene) file(changes ...Change) {
	s.Helper()
	s.do(changes...)
	s.ok(s.store.Seal())
	s.ok(s.store.CopyOut())
}

// do commits changes.
func (s *scene) do(changes ...Change) {
	s.Helper()
	s.handOver(changes...)
	s.ok(s.store.Commit())
}

func (s *scene) handOver(changes ...Change) {
	b := s.store.NewBatch()
	Fill(b, changes, func(id uint64) storage.Stream {
		if s.streams[id] == nil {
			s.streams[id] = s.store.Stream(id)
		}
		for s.streams[id] == nil { // until it is the one that has that id
			made := s.store.NewStream()
			s.streams[made.ID()] = made
		}
		return s.streams[id]
	})
	b.Commit(true)
	s.want.Apply(changes)
}

// reopen closes the store, opens it again and compares.
func (s *scene) reopen() {
	s.Helper()
	s.ok(s.store.Close())
	s.open()
	s.want.Reopen()
	s.ok(Compare(s.store, &s.want))
}

// crash loses what was not synced, opens the store again and compares.
func (s *scene) crash() {
	s.Helper()
	s.disk = s.disk.Crash(rand.New(rand.NewPCG(1, 1)), 0)
	s.open()
	s.want.Reopen()
	s.ok(Compare(s.store, &s.want))
}

func TestDeliveriesAreKeptWhereTransientRecordsBeforeThemAreGone(t *testing.T) {
	s := newScene(t)
	s.file(transient(to(1, 1, "gone")))
	s.do(to(1, 2, "kept"), returned(1, 2, 3))
	s.reopen()
}

func TestAStreamThatIsDroppedWhileACheckpointIsWrittenStaysDropped(t *testing.T) {
	s := newScene(t)
	s.do(to(1, 1, "one"), to(2, 1, "two"), to(3, 1, "three"))
	s.do(drop(1), put("k", "v"))
	dropped := false
	s.process.setBusy(func() {
		if !dropped {
			dropped = true
			s.handOver(drop(2))
		}
	})
	s.ok(s.store.Checkpoint())
	s.process.setBusy(nil)
	s.ok(s.store.Commit())
	s.crash()
}

func TestASegmentIsReadToItsEndAlsoWhenItIsNotNeededAnyMore(t *testing.T) {
	s := newScene(t)
	large := strings.Repeat("-", 32<<10) // so that reading takes many calls to the disk
	s.file(run(1, 1, 40, large)...)
	s.do(to(1, 41, "in the journal"))
	var seen []uint64
	s.ok(s.store.Stream(1).Read(0, func(r *storage.Record) bool {
		seen = append(seen, r.Seq)
		if r.Seq == 1 {
			s.do(truncate(1, 1, 41))
			s.ok(s.store.Checkpoint())
			s.ok(s.store.Checkpoint())
		}
		return true
	}))
	if !slices.Equal(seen, []uint64{1, 41}) {
		t.Fatalf("shown: %d", seen)
	}
	s.ok(s.store.Checkpoint())
	files, err := folder(s.disk)
	s.ok(err)
	for name := range files {
		if strings.HasSuffix(name, ".segment") {
			t.Errorf("nobody needs %s", name)
		}
	}
	s.reopen()
}
