package fsck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Copied is what Backup has copied.
type Copied struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	// Attempts is how often it looked which files there are: more than once when a running broker was done with some of them meanwhile.
	Attempts int `json:"attempts"`
}

// TargetError is returned for a target of Backup in which there is something.
type TargetError struct{ Dir string }

func (e *TargetError) Error() string {
	return fmt.Sprintf("the target %s is not empty: name a folder that does not exist", e.Dir)
}

// Backup copies a data folder to target, a folder that does not exist or is empty, while a broker uses it or none does. The broker is not
// asked and does not wait. The copy is the folder as of one moment: everything that was confirmed before Backup was called is in it, a
// batch is in it whole or not at all, and there is nothing in it that was committed behind something that is not. Each part is checked as it is read, but not
// payloads in segments: Check the copy for that.
//
// When Backup returns the copy is on the disk. After an error, or when ctx ends, what was copied is removed. On Windows, where
// files that are open cannot be removed, the broker must not run.
func Backup(ctx context.Context, dir, target string, o *Options) (*Copied, error) {
	fs := o.system()
	if _, err := fs.List(dir); err != nil {
		return nil, err
	}
	if held, err := hasStore(o, dir); err != nil || !held {
		return nil, orNotAFolder(err, dir)
	}
	if runtime.GOOS == "windows" {
		l, err := lock(fs, dir)
		if err != nil {
			return nil, err
		}
		defer l.Close()
	}
	if err := fs.MkdirAll(target); err != nil {
		return nil, err
	}
	if there, err := fs.List(target); err != nil || len(there) > 0 {
		if err == nil {
			err = &TargetError{target}
		}
		return nil, err
	}
	b := &backup{
		ctx: ctx, fs: fs, dir: dir, target: target, meter: newMeter(o, 0), open: map[string]vfs.File{},
		bodies: map[uint64][]uint64{}, journals: map[uint64]bool{},
	}
	defer b.close()
	if err := b.run(); err != nil {
		b.remove()
		return nil, err
	}
	return &b.done, nil
}

// backup is a Backup under way.
//
// Files of a store are of two sorts. Segments, files of bodies and of values never change: one that is open can be copied whenever, though
// it may lose its name. A file of the journal grows at its end while it is the last, and is written over when a checkpoint says that it is not needed any more:
// but it has lost its name before that. So a copy of it is good if it still has its name afterwards.
type backup struct {
	ctx         context.Context
	fs          vfs.FS
	dir, target string
	meter       *meter
	done        Copied

	open     map[string]vfs.File // those that never change, by name
	bodies   map[uint64][]uint64 // by segment: the files that it points to
	journals map[uint64]bool     // that were copied; true: as a whole
}

func (b *backup) close() {
	for _, f := range b.open {
		_ = f.Close() // it was read only
	}
}

// errOutdated says that a file is gone that the checkpoint names, so that there is another checkpoint now.
var errOutdated = errors.New("the broker has worked on faster than it can be copied; try a faster target, or at a calmer time")

// maxAttempts is how often Backup looks which files there are. What it has copied it does not copy again, so it catches up.
const maxAttempts = 100

func (b *backup) run() error {
	var cp *disk.Checkpoint
	var journals []uint64
	for {
		if b.done.Attempts++; b.done.Attempts > maxAttempts {
			return errOutdated
		}
		var err error
		if cp, journals, err = b.attempt(); err == nil {
			err = b.trim(cp, journals)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, errOutdated) {
			return err
		}
	}
	needed := map[string]bool{}
	for _, n := range journals {
		needed[journal.Name(n)] = true
	}
	for n := range b.journals {
		if !needed[journal.Name(n)] {
			if err := b.fs.Remove(filepath.Join(b.target, journal.Name(n))); err != nil {
				return err
			}
			continue
		}
		size, err := sizeOf(b.fs, filepath.Join(b.target, journal.Name(n)))
		if err != nil {
			return err
		}
		b.done.Files++
		b.done.Bytes += size
	}
	for _, name := range slices.Sorted(maps.Keys(b.files(cp))) {
		if err := b.copyOpen(name); err != nil {
			return err
		}
	}
	if err := b.fs.SyncDir(b.target); err != nil {
		return err
	}
	// From here on it is a store.
	if err := cp.Write(b.fs, b.target); err != nil {
		return err
	}
	b.done.Files++
	return nil
}

// attempt opens the files that the checkpoint names, and copies those of the journal.
func (b *backup) attempt() (*disk.Checkpoint, []uint64, error) {
	cp, err := disk.ReadCheckpoint(b.fs, b.dir)
	if err != nil {
		return nil, nil, hint(err, b.dir)
	}
	for _, s := range cp.Segments {
		if err := b.openFile(segment.Name(s.Number)); err != nil {
			return nil, nil, err
		}
		if _, known := b.bodies[s.Number]; !known {
			seg, err := segment.Open(b.fs, b.dir, s.Number)
			if err != nil {
				return nil, nil, outdated(err, b.dir)
			}
			b.bodies[s.Number] = slices.Clone(seg.Files())
			_ = seg.Close() // it was read only
		}
	}
	for name := range b.files(cp) {
		if err := b.openFile(name); err != nil {
			return nil, nil, err
		}
	}
	names, err := b.fs.List(b.dir)
	if err != nil {
		return nil, nil, err
	}
	files := b.files(cp)
	journals := slices.Clone(cp.Journals)
	for _, name := range names {
		if n, ok := journal.Number(name); ok && n > cp.Known && !files[name] {
			journals = append(journals, n)
		}
	}
	slices.Sort(journals)
	for i, n := range journals {
		if b.journals[n] {
			continue
		}
		if err := b.copyJournal(n); err != nil {
			return nil, nil, err
		}
		b.journals[n] = i+1 < len(journals)
	}
	return cp, journals, nil
}

// files returns the names of the files that a checkpoint names and that never change.
func (b *backup) files(cp *disk.Checkpoint) map[string]bool {
	names := map[string]bool{}
	if cp.Meta != 0 {
		names[disk.MetaName(cp.Meta)] = true
	}
	for _, s := range cp.Segments {
		names[segment.Name(s.Number)] = true
		for _, n := range b.bodies[s.Number] {
			names[journal.Name(n)] = true
		}
	}
	return names
}

// outdated makes of a file that is gone an errOutdated.
func outdated(err error, dir string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errOutdated
	}
	return hint(err, dir)
}

// hint says what can be done about damage.
func hint(err error, dir string) error {
	if isDamage(err) {
		return fmt.Errorf("%w; see what can be saved with: warren fsck %s", err, dir)
	}
	return err
}

// openFile opens a file that never changes, if it is not open.
func (b *backup) openFile(name string) error {
	if b.open[name] != nil {
		return nil
	}
	f, err := b.fs.Open(filepath.Join(b.dir, name))
	if err != nil {
		return outdated(err, b.dir)
	}
	b.open[name] = f
	return nil
}

// copyOpen copies a file that never changes.
func (b *backup) copyOpen(name string) error {
	f := b.open[name]
	size, err := f.Size()
	if err != nil {
		return err
	}
	b.meter.more(size)
	b.meter.file(name)
	b.done.Files++
	b.done.Bytes += size
	return copyTo(b.ctx, b.fs, f, size, filepath.Join(b.target, name), b.meter.add)
}

// copyJournal copies a file of the journal, as far as it goes now.
func (b *backup) copyJournal(number uint64) error {
	name := journal.Name(number)
	f, err := b.fs.Open(filepath.Join(b.dir, name))
	if err != nil {
		return outdated(err, b.dir)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	b.meter.more(size)
	b.meter.file(name)
	err = copyTo(b.ctx, b.fs, f, size, filepath.Join(b.target, name), b.meter.add)
	if _, had := b.journals[number]; !had {
		b.journals[number] = false
	}
	if err != nil {
		return err
	}
	if _, err := sizeOf(b.fs, filepath.Join(b.dir, name)); err != nil {
		return outdated(err, b.dir)
	}
	return nil
}

// How often, and after how long, the end of the journal is looked at again where it seems damaged: it may have been written while it was read.
const (
	maxLooks  = 20
	lookAgain = 20 * time.Millisecond
)

// trim cuts what does not end in a whole frame off the copy of the journal. Everything up to the first frame that is not whole was there when it was
// read; what lies behind it was not there when Backup was called.
func (b *backup) trim(cp *disk.Checkpoint, journals []uint64) error {
	if len(journals) == 0 {
		return nil
	}
	last := journals[len(journals)-1]
	first := int64(-1) // where the end was not whole when it was read first
	for look := 1; ; look++ {
		found, err := journal.Scan(b.fs, b.target, journals, cp.Ticket+1, func(uint64, int64, []byte) error { return b.ctx.Err() })
		damage, isDamage := errors.AsType[*storage.DamageError](err)
		switch {
		case err == nil && found.TornFile != 0:
			return b.cut(found.TornFile, found.TornAt)
		case err == nil:
			return nil
		case !isDamage:
			return err
		case damage.File != journal.Name(last) || damage.Offset == 0 || look == maxLooks:
			return hint(err, b.dir)
		case first >= 0 && damage.Offset > first:
			// It was being written then, and something else is now.
			return b.cut(last, damage.Offset)
		}
		first = damage.Offset
		select {
		case <-time.After(lookAgain):
		case <-b.ctx.Done():
			return b.ctx.Err()
		}
		if err := b.copyJournal(last); err != nil {
			return err
		}
	}
}

// cut ends the copy of a file of the journal at an offset.
func (b *backup) cut(number uint64, at int64) error {
	f, err := b.fs.OpenReadWrite(filepath.Join(b.target, journal.Name(number)))
	if err != nil {
		return err
	}
	err = f.Truncate(at)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// remove removes what was copied.
func (b *backup) remove() {
	names, err := b.fs.List(b.target)
	if err != nil {
		return
	}
	for _, name := range names {
		_ = b.fs.Remove(filepath.Join(b.target, name)) // without a checkpoint what stays is no store
	}
	_ = b.fs.SyncDir(b.target)
	_ = b.fs.Remove(b.target)
}
