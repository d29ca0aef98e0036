package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

const (
	// maxSpares is how many files are kept to be written again.
	maxSpares = 3
	// maxMade is how many of them are made, by writing zeros, before it is clear whether files come back.
	maxMade = 3
	// stride is how much of a spare is written and synced at a time: commits go on meanwhile.
	stride = 1 << 20
	// leastAhead is how much of a file that grows is written ahead, at first and at a time.
	leastAhead = 64 << 10
)

// file is a file of the journal.
type file struct {
	number uint64
	// Owned by step from begin on; unchanged once complete.
	seed   uint32
	synced int64 // up to where it is
	end    int64 // of its last frame

	disk   vfs.File // set by begin under mu
	length int64    // on the disk, what stands behind end included; written under step and mu

	pending  atomic.Int64 // units that are not applied
	complete atomic.Bool  // no frame will come any more, all are synced
	told     atomic.Bool  // SealedFiles has it
}

// spare is a file that waits to become one of the journal.
type spare struct {
	name   string // within the folder
	length int64
	reused bool // there is something in it
}

// Files returns the numbers of the files that a recovery would need, oldest first. A file is among them from the moment on
// that it has a name, which is before any of its units is durable.
func (j *Journal) Files() []uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]uint64, len(j.files))
	for i, f := range j.files {
		out[i] = f.number
	}
	return out
}

// SealedFiles returns the files that are complete and synced and whose units are all applied, oldest first.
func (j *Journal) SealedFiles() []FileInfo {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []FileInfo
	for _, f := range j.files {
		if f.told.Load() {
			out = append(out, FileInfo{f.number, f.end})
		}
	}
	return out
}

// Recycle takes back a sealed file whose content nobody needs, a recovery included: the owner's records must say so
// durably. It is kept to be written again, or removed. Nobody may be reading it any more.
func (j *Journal) Recycle(number uint64) error {
	f, err := j.leave(number)
	if err != nil {
		return err
	}
	err = f.disk.Close()
	name := filepath.Join(j.c.Dir, Name(number))
	sp := spare{spareName(number), f.length, true}
	if !j.wanted(sp.length) {
		return errors.Join(err, j.c.FS.Remove(name))
	}
	// That this is not synced does no harm: under its old name it is a file that nobody needs.
	if rerr := j.c.FS.Rename(name, filepath.Join(j.c.Dir, sp.name)); rerr != nil {
		return errors.Join(err, rerr)
	}
	if !j.keep(sp) {
		err = errors.Join(err, j.c.FS.Remove(filepath.Join(j.c.Dir, sp.name)))
	}
	return err
}

// Adopt makes a sealed file the caller's, who knows it by its name: see Name. A recovery does not need it for the journal.
func (j *Journal) Adopt(number uint64) error {
	f, err := j.leave(number)
	if err != nil {
		return err
	}
	return f.disk.Close()
}

// leave takes a sealed file out of the journal.
func (j *Journal) leave(number uint64) (*file, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f := j.find(number)
	if f == nil || !f.told.Load() {
		return nil, fmt.Errorf("journal: %s is not among the sealed files", Name(number))
	}
	j.files = slices.DeleteFunc(j.files, func(g *file) bool { return g == f })
	return f, nil
}

// begin makes a file and its header, after the one before it is complete, and makes it current. first is the number of its
// first frame. It may be tried again after an error for want of room. step is held.
//
//	sync the file before ─► header into a spare, or a new file that is named like one ─► sync ─► rename ─► sync the folder
func (j *Journal) begin(f *file, first uint64) error {
	h := fileHead{number: f.number, salt: j.salt(), first: first}
	if j.current != nil {
		if err := j.sync(); err != nil {
			return err
		}
		h.previous, h.previousEnd = j.current.number, j.current.end
	}
	sp, disk, err := j.openSpare(f.number)
	if err != nil {
		return err
	}
	h.reused = sp.reused
	disk, err = j.install(disk, sp.name, &h)
	if err != nil {
		if sp.length > 0 {
			j.keep(sp)
		}
		return err
	}
	f.seed, f.end, f.synced = h.seed(), fileHeader, fileHeader
	before := j.current
	j.mu.Lock()
	f.disk, f.length = disk, max(sp.length, fileHeader)
	j.files = append(j.files, f)
	j.stats.Written += fileHeader
	j.stats.Syncs++
	j.mu.Unlock()
	j.current = f
	if before != nil && !before.complete.Load() {
		j.complete(before)
	}
	return nil
}

// openSpare returns a spare to be a file, or a new one.
func (j *Journal) openSpare(number uint64) (spare, vfs.File, error) {
	j.mu.Lock()
	var sp spare
	if len(j.spares) > 0 {
		sp = j.spares[0]
		j.spares = slices.Delete(j.spares, 0, 1)
	}
	j.mu.Unlock()
	if sp.name != "" {
		disk, err := j.c.FS.OpenReadWrite(filepath.Join(j.c.Dir, sp.name))
		if err == nil {
			return sp, disk, nil
		}
		j.log.Warn("a spare file of the journal cannot be opened", slog.String("name", sp.name), slog.Any("err", err))
	}
	sp = spare{name: spareName(number)}
	disk, err := j.c.FS.Create(filepath.Join(j.c.Dir, sp.name))
	if err != nil {
		return sp, nil, orRoom(fmt.Errorf("journal: making a file: %w", err))
	}
	return sp, disk, nil
}

// install gives a file its header and then its name, and returns it open.
func (j *Journal) install(disk vfs.File, spare string, h *fileHead) (vfs.File, error) {
	to := Name(h.number)
	if err := errors.Join(writeHead(disk, h), disk.Close()); err != nil { // some systems rename no open files
		return nil, fmt.Errorf("journal: the header of %s: %w", to, err)
	}
	to = filepath.Join(j.c.Dir, to)
	if err := j.c.FS.Rename(filepath.Join(j.c.Dir, spare), to); err != nil {
		return nil, orRoom(fmt.Errorf("journal: %w", err))
	}
	if err := j.c.FS.SyncDir(j.c.Dir); err != nil {
		return nil, fmt.Errorf("journal: syncing the folder: %w", err)
	}
	disk, err := j.c.FS.OpenReadWrite(to)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return disk, nil
}

// writeHead writes a header and syncs it.
func writeHead(disk vfs.File, h *fileHead) error {
	var b [fileHeader]byte
	h.encode(&b)
	if _, err := disk.WriteAt(b[:], 0); err != nil {
		return orRoom(err)
	}
	return disk.Sync()
}

func spareName(number uint64) string {
	return strings.TrimSuffix(Name(number), journalSuffix) + spareSuffix
}

// wanted reports whether a file of that length is worth keeping.
func (j *Journal) wanted(length int64) bool {
	return length >= j.c.FileSize/2 && length <= 2*j.c.FileSize
}

// keep takes a spare, unless there are enough.
func (j *Journal) keep(sp spare) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lean || len(j.spares) >= maxSpares {
		return false
	}
	j.spares = append(j.spares, sp)
	return true
}

// Lean says whether the disk is short of room. While it is, the journal keeps no spare files: those that it has are removed.
func (j *Journal) Lean(lean bool) {
	j.mu.Lock()
	j.lean = lean
	var spares []spare
	if lean {
		spares, j.spares = j.spares, nil
	}
	j.mu.Unlock()
	for _, sp := range spares {
		if err := j.c.FS.Remove(filepath.Join(j.c.Dir, sp.name)); err != nil {
			j.log.Warn("a spare file of the journal cannot be removed", slog.String("name", sp.name), slog.Any("err", err))
		}
	}
}

// findSpares takes those that an earlier journal left, and removes what is left of making others.
func (j *Journal) findSpares() error {
	names, err := j.c.FS.List(j.c.Dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, spareSuffix) {
			continue
		}
		path := filepath.Join(j.c.Dir, name)
		length := int64(0)
		if f, err := j.c.FS.Open(path); err == nil {
			length, _ = f.Size() // of 0 it is removed
			f.Close()
		}
		if j.wanted(length) && j.keep(spare{name, length, true}) {
			continue
		}
		if err := j.c.FS.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("journal: %w", err)
		}
	}
	return nil
}

// spareAhead sees to it that there is a spare by the time the current file is full. A file that has been written once
// takes half the time to sync. step is held.
func (j *Journal) spareAhead() {
	if j.c.Manual || j.made == maxMade || j.current.end < j.c.FileSize/2 || j.current == j.spareFor {
		return
	}
	j.spareFor = j.current // one try for each
	j.mu.Lock()
	have := len(j.spares) > 0
	j.mu.Unlock()
	if have {
		return
	}
	j.made++
	j.making.Go(j.makeSpare)
}

// makeSpare writes a spare. Where that fails, files begin without one.
func (j *Journal) makeSpare() {
	j.mu.Lock()
	sp := spare{name: spareName(j.c.Number()), length: j.c.FileSize}
	j.mu.Unlock()
	path := filepath.Join(j.c.Dir, sp.name)
	if err := j.fill(path); err != nil {
		j.log.Warn("no spare file for the journal", slog.Any("err", err))
		_ = j.c.FS.Remove(path)
		return
	}
	if !j.keep(sp) {
		_ = j.c.FS.Remove(path)
	}
}

// errStopped is why fill ends early.
var errStopped = errors.New("the journal is being closed")

// fill writes a file full of zeros.
func (j *Journal) fill(path string) (err error) {
	f, err := j.c.FS.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zeros := make([]byte, min(stride, j.c.FileSize))
	for off := int64(0); off < j.c.FileSize; off += int64(len(zeros)) {
		select {
		case <-j.stop:
			return errStopped
		default:
		}
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), j.c.FileSize-off)], off); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		j.mu.Lock()
		j.stats.Written += uint64(len(zeros))
		j.mu.Unlock()
	}
	return nil
}
