package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Sync says when what a client was told to be safe is.
type Sync uint8

const (
	// SyncAlways: a confirm is sent once fdatasync has returned. What is confirmed survives a power cut.
	SyncAlways = Sync(storage.Always)
	// SyncInterval: a confirm is sent once the operating system has the message; the disk is synced at intervals. What is
	// confirmed survives the end of the process, but a power cut or a crash of the system takes the last interval.
	SyncInterval = Sync(storage.Interval)
	// SyncNever: the same, and when the operating system writes it is its own business: half a minute, usually.
	SyncNever = Sync(storage.Never)
)

// String returns the word of the configuration: always, interval or never.
func (s Sync) String() string { return storage.Sync(s).String() }

// ParseSync returns what a word of the configuration means.
func ParseSync(word string) (Sync, error) {
	for s := SyncAlways; s <= SyncNever; s++ {
		if s.String() == word {
			return s, nil
		}
	}
	return 0, fmt.Errorf("sync is always, interval or never, not %q", word)
}

// StoreOptions say how a broker with a data folder keeps its messages. The zero value is the safe one.
type StoreOptions struct {
	// Sync is when a message counts as safe. The zero value is SyncAlways.
	Sync Sync
	// SyncInterval is how often SyncInterval syncs. 0 is once a second.
	SyncInterval time.Duration
	// MinFree is how many bytes the disk must have left: with less, publishers are held and told so ("low on disk"), while
	// consumers go on. 0 is 256 MiB; a negative number is no limit.
	MinFree int64
	// JournalFile is how many bytes a file of the journal has, about. 0 is 32 MiB. Up to six of them exist at a time.
	JournalFile int64
}

const (
	defaultSyncInterval = time.Second
	defaultMinFree      = 256 << 20
)

// DirInUseError is returned by Open when somebody else uses the data folder.
type DirInUseError struct {
	Dir string
	PID int // of the process that uses it; 0 is unknown
}

func (e *DirInUseError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("broker: the data folder %s is in use by %s: stop that one or choose another folder", e.Dir, who)
}

// opener returns what opens the data folder; nil for a broker in memory.
func (c *Config) opener(log *slog.Logger) func(storage.Events) (storage.Store, error) {
	if c.Dir == "" {
		return nil
	}
	o := disk.Options{
		FS: c.fs, Dir: c.Dir, Sync: storage.Sync(c.Store.Sync), Interval: c.Store.SyncInterval,
		JournalSize: c.Store.JournalFile, Logger: log,
	}
	if o.FS == nil {
		o.FS = diskFS()
	}
	if o.Interval == 0 {
		o.Interval = defaultSyncInterval
	}
	switch {
	case c.Store.MinFree == 0:
		o.MinFree = defaultMinFree
	case c.Store.MinFree > 0:
		o.MinFree = uint64(c.Store.MinFree)
	}
	return func(events storage.Events) (storage.Store, error) {
		o.Events = events
		s, err := disk.Open(o)
		if locked, ok := errors.AsType[*vfs.LockedError](err); ok {
			return nil, &DirInUseError{Dir: c.Dir, PID: locked.PID}
		}
		if damaged, ok := errors.AsType[*storage.DamageError](err); ok {
			return nil, fmt.Errorf("broker: the data folder %s: %w; see what can be saved with: warren fsck %s", c.Dir, damaged, c.Dir)
		}
		if err != nil {
			return nil, fmt.Errorf("broker: the data folder %s: %w", c.Dir, err)
		}
		return s, nil
	}
}
