package storetest

import (
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// What the harnesses have found, step by step.

// scene is a store of which a test takes each step.
type scene struct {
	*testing.T
	disk  *vfs.Memory
	store *disk.Store
	want  State
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
	s.store, err = disk.Open(disk.Options{FS: s.disk, Dir: dir, JournalSize: 4096, Manual: true})
	s.ok(err)
}

// do commits changes, and files what of it is alive in a segment of its own.
func (s *scene) file(changes ...Change) {
	s.Helper()
	s.do(changes...)
	s.ok(s.store.Seal())
	s.ok(s.store.CopyOut())
}

// do commits changes.
func (s *scene) do(changes ...Change) {
	s.Helper()
	b := s.store.NewBatch()
	Fill(b, changes, func(id uint64) storage.Stream {
		if stream := s.store.Stream(id); stream != nil {
			return stream
		}
		return s.store.NewStream()
	})
	b.Commit(true)
	s.ok(s.store.Commit())
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

func TestDeliveriesAreKeptWhereTransientRecordsBeforeThemAreGone(t *testing.T) {
	s := newScene(t)
	s.file(transient(to(1, 1, "gone")))
	s.do(to(1, 2, "kept"), returned(1, 2, 3))
	s.reopen()
}
