package disk

import (
	"log/slog"
	"time"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Options says where a store lies and how it works. FS and Dir are needed; the zero of everything else is usable.
type Options struct {
	// FS is the file system, Dir the data folder in it, which is made if it does not exist.
	FS  vfs.FS
	Dir string
	// Sync says when a commit counts as durable; the zero is storage.Always. Interval is how often storage.Interval
	// syncs; 0 is a second.
	Sync     storage.Sync
	Interval time.Duration
	// JournalSize is after how many bytes a new file of the journal is begun, at most 1 GiB; 0 is 32 MiB. What a store
	// takes to open grows with it, and what it keeps in memory: up to 8 bytes for each record of half a dozen files.
	JournalSize int64
	// MinFree is how many bytes the disk must have left: with less there is storage.Full. 0: there is, only when the
	// disk has no room at all.
	MinFree uint64
	// Manual makes the store start no goroutine and no timer: nothing happens but in the calls of its owner, who
	// calls Commit, CopyOut, Compact and Checkpoint. For simulators.
	Manual bool
	// Events are told what happens. The zero value: nobody is.
	Events storage.Events
	// Logger is told what an administrator should know; nil is silence.
	Logger *slog.Logger
}

const (
	defaultJournalSize = 32 << 20
	maxJournalSize     = 1 << 30
)

func (o *Options) fill() {
	if o.JournalSize == 0 {
		o.JournalSize = defaultJournalSize
	}
	o.JournalSize = min(o.JournalSize, maxJournalSize)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}
