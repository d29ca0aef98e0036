package storetest

import (
	"errors"
	"fmt"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Subject is a store that does nothing by itself: it takes each of its steps when it is told to.
type Subject interface {
	storage.Store
	// Commit makes durable what was handed over.
	Commit() error
	// CopyOut files what has left the journal's live part, Compact gathers files of which little is alive, Checkpoint
	// shortens recovery. Without something to do they do nothing.
	CopyOut() error
	Compact() error
	Checkpoint() error
}

// Options is how a Subject is to be opened.
type Options struct {
	FS          vfs.FS
	Dir         string
	JournalSize int64 // soft size of a file of the journal, in bytes
	Sync        storage.Sync
	Events      storage.Events
}

// Open opens a Subject.
type Open func(Options) (Subject, error)

// dir is the folder that the harnesses give to a store.
const dir = "data"

// recovered finds the outcome that a store shows that was opened after a crash, and begins the history anew with it. It
// returns how many of the batches that were not durable are in it, or in what each outcome differs.
func recovered(s storage.Store, h *History) (kept int, err error) {
	var found *State
	var differences []error
	for n, outcome := range h.Outcomes() {
		if err := Compare(s, outcome); err != nil {
			differences = append(differences, fmt.Errorf("with %d of %d batches that were not durable: %w", n, h.Pending(), err))
			continue
		}
		// Of those that look the same, the first: it says the least of what cannot be seen.
		kept, found = n, outcome
		break
	}
	if found == nil {
		return 0, errors.Join(differences...)
	}
	h.Begin(found)
	return kept, nil
}
