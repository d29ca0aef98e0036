package storetest

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// journaled is a Model over the real journal, without segments: its checkpoint is the whole state. What the harnesses
// find in it is the journal's.
type journaled struct {
	*Model
	fs       vfs.FS
	lock     io.Closer
	journal  *journal.Journal
	number   uint64         // of the file that was made last
	appended int            // of the batches that are pending
	last     storage.Ticket // of the journal, of what was appended
}

// journaledState is what a checkpoint holds.
type journaledState struct {
	Number  uint64         // of the last file; what is up to it is not needed
	Next    storage.Ticket // of the journal
	Changes []Change
}

func openJournaled(o Options) (_ Subject, err error) {
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, err
	}
	lock, err := o.FS.Lock(filepath.Join(o.Dir, "lock"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	s := &journaled{fs: o.FS, lock: lock}
	var state State
	saved, err := s.load()
	if err != nil {
		return nil, err
	}
	state.Apply(saved.Changes)
	files, err := s.files(saved.Number)
	if err != nil {
		return nil, err
	}
	s.Model = &Model{Manual: true, Events: o.Events}
	s.journal, _, err = journal.Open(journal.Config{
		FS: o.FS, Dir: o.Dir, FileSize: o.JournalSize, Sync: o.Sync, Manual: true, Failed: s.Fail,
		Number: func() uint64 {
			s.number++
			return s.number
		},
	}, files, saved.Next, func(_ uint64, _ int64, unit []byte) error {
		var changes []Change
		if err := gob.NewDecoder(bytes.NewReader(unit)).Decode(&changes); err != nil {
			return err
		}
		state.Apply(changes)
		return nil
	})
	if err != nil {
		return nil, err
	}
	state.Reopen()
	*s.Model = Model{Manual: true, Events: o.Events, lastStream: state.lastStream}
	s.history.Begin(&state)
	return s, nil
}

func (s *journaled) name() string { return filepath.Join(dir, "state") }

func (s *journaled) load() (state journaledState, err error) {
	f, err := s.fs.Open(s.name())
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return state, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return state, err
	}
	saved := make([]byte, size)
	if _, err := f.ReadAt(saved, 0); err != nil && err != io.EOF {
		return state, err
	}
	content, err := block.Open(saved)
	if err != nil {
		return state, &storage.DamageError{File: "state", What: err.Error()}
	}
	return state, gob.NewDecoder(bytes.NewReader(content)).Decode(&state)
}

// files returns the journal's files above a number, and removes the others.
func (s *journaled) files(known uint64) (files []uint64, err error) {
	names, err := s.fs.List(dir)
	if err != nil {
		return nil, err
	}
	s.number = known
	for _, name := range names {
		base, _, _ := strings.Cut(name, ".")
		n, err := strconv.ParseUint(base, 10, 64)
		if err != nil {
			continue
		}
		s.number = max(s.number, n)
		switch {
		case name != journal.Name(n):
		case n <= known:
			if err := s.fs.Remove(filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		default:
			files = append(files, n)
		}
	}
	slices.Sort(files)
	return files, nil
}

func (s *journaled) Commit() error {
	for _, u := range s.history.pending[s.appended:] {
		var unit bytes.Buffer
		if err := gob.NewEncoder(&unit).Encode(u.changes); err != nil {
			return err
		}
		at, t := s.journal.Append(unit.Bytes(), true)
		s.journal.Applied(at.File)
		s.last = t
		s.appended++
	}
	for range 2 { // one that found no room before, and one for what came since
		if err := s.journal.Commit(); err != nil {
			return err
		}
	}
	s.appended = 0
	return s.Model.Commit()
}

// Durable says what the journal says.
func (s *journaled) Durable() storage.Ticket {
	if n := s.appended; n > 0 && s.journal.Durable() >= s.last {
		return s.history.pending[n-1].ticket
	}
	return s.Model.Durable()
}

func (s *journaled) CopyOut() error { return nil }

// Compact begins a new file.
func (s *journaled) Compact() error {
	if err := s.Commit(); err != nil {
		return err
	}
	return s.journal.Seal()
}

// Checkpoint saves the state, after which no file of the journal is needed.
func (s *journaled) Checkpoint() (err error) {
	if err := s.Compact(); err != nil {
		return err
	}
	var state bytes.Buffer
	if err := gob.NewEncoder(&state).Encode(journaledState{s.number, s.journal.Durable() + 1, s.history.durable.contents()}); err != nil {
		return err
	}
	f, err := s.fs.Create(s.name() + ".tmp")
	if err != nil {
		return err
	}
	saved, content := block.Reserve(nil, state.Len())
	copy(content, state.Bytes())
	block.Seal(saved)
	_, err = f.WriteAt(saved, 0)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, s.fs.Remove(s.name()+".tmp"))
	}
	if err := errors.Join(s.fs.Rename(s.name()+".tmp", s.name()), s.fs.SyncDir(dir)); err != nil {
		s.Fail(err) // which of the two is there nobody knows
		return err
	}
	for _, f := range s.journal.SealedFiles() {
		if err := s.journal.Recycle(f.Number); err != nil {
			return err
		}
	}
	return nil
}

func (s *journaled) Close() error {
	err := s.Commit()
	if err != nil {
		s.Fail(err)
	}
	return errors.Join(err, s.journal.Close(), s.Model.Close(), s.lock.Close())
}

func TestTheJournalKeepsItsPromisesWhateverCrashes(t *testing.T) {
	simulate(t, Simulation{Open: openJournaled}, 30)
}

func TestTheJournalLosesOnlyTheLatestWhereItDoesNotSync(t *testing.T) {
	for _, sync := range []storage.Sync{storage.Interval, storage.Never} {
		t.Run(sync.String(), func(t *testing.T) { simulate(t, Simulation{Open: openJournaled, Sync: sync}, 10) })
	}
}

func TestTheJournalKeepsItsPromisesWhereverThePowerIsCut(t *testing.T) {
	enumerate(t, Enumeration{Open: openJournaled}, 1)
}

func TestTheJournalSaysWhichCallsFailed(t *testing.T) { fail(t, Failing{Open: openJournaled}, 1) }

// Where the last file ends its owner must know: it is the checkpoint that says so.
func TestTheJournalNeverServesWhatHasRotted(t *testing.T) {
	rot(t, Rot{Open: openJournaled, Whole: true}, 3)
}
