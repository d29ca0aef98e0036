package fsck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// survey is what is known of a folder. It is made in the order of its methods here: each needs what those before it found.
//
//	inventory ─► checkpoint ─► segments ─► load ─► replay ─► losses ─► definitions ─► report
//
// Somebody holds the folder's lock meanwhile.
type survey struct {
	ctx   context.Context
	fs    vfs.FS
	dir   string
	meter *meter
	deep  bool // read payloads too; otherwise only what says what there is

	sizes map[string]int64 // of all files of the folder, by name
	names []string         // in order

	cp      *disk.Checkpoint // as it was written, or made up
	guessed bool             // it is made up
	unsure  bool             // what is taken for alive in segments may be so in the journal

	segments []*segmentFile // in the order of cp.Segments
	bodies   map[uint64]*bodyFile
	journals []uint64 // that a recovery would read

	streams map[uint64]*stream
	values  map[string][]byte
	// defaced says that values may be missing or not as they were.
	defaced  bool
	topology *topology

	lastFrame  storage.Ticket // of the journal
	lostFrames []*Problem     // parts of the journal before cp.At that cannot be read

	problems []*Problem
	damaged  map[string]bool // files that are to be put aside
	notes    []string
}

// open begins a survey. Closing it closes its files.
func open(ctx context.Context, fs vfs.FS, dir string, m *meter, deep bool) *survey {
	return &survey{
		ctx: ctx, fs: fs, dir: dir, meter: m, deep: deep, sizes: map[string]int64{}, bodies: map[uint64]*bodyFile{},
		streams: map[uint64]*stream{}, damaged: map[string]bool{},
	}
}

func (s *survey) close() {
	for _, f := range s.segments {
		if f.seg != nil {
			_ = f.seg.Close() // it was read only
		}
	}
	for _, b := range s.bodies {
		if b.disk != nil {
			_ = b.disk.Close()
		}
	}
}

// run makes the survey.
func (s *survey) run() error {
	for _, step := range []func() error{s.inventory, s.checkpoint, s.openSegments, s.load, s.replay, s.losses, s.definitions} {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// problem adds one. What it means and what is done about it may be added to it later.
func (s *survey) problem(file string, offset, bytes int64, what string) *Problem {
	p := &Problem{File: file, Offset: offset, Bytes: bytes, What: what}
	s.problems = append(s.problems, p)
	s.damaged[file] = true
	return p
}

func (s *survey) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// NotAFolderError says that there is nothing of Warren's in a folder.
type NotAFolderError struct{ Dir string }

func (e *NotAFolderError) Error() string {
	return fmt.Sprintf("%s is no data folder: there are no files of a broker in it", e.Dir)
}

// inventory looks which files there are.
func (s *survey) inventory() error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	any := false
	for _, name := range names {
		size, err := sizeOf(s.fs, filepath.Join(s.dir, name))
		if err != nil {
			if _, lerr := s.fs.List(filepath.Join(s.dir, name)); lerr == nil || kindOf(name) == KindForeign {
				continue // a folder, or none of our business
			}
			return err
		}
		s.sizes[name] = size
		s.names = append(s.names, name)
		switch kindOf(name) {
		case KindForeign, KindLock, KindSpare:
		default:
			any = true
			s.meter.more(size)
		}
	}
	if !any {
		return &NotAFolderError{s.dir}
	}
	return nil
}

func sizeOf(fs vfs.FS, path string) (int64, error) {
	f, err := fs.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Size()
}

// kindOf says what a file is for, as far as its name tells.
func kindOf(name string) Kind {
	if name == lockName {
		return KindLock
	}
	if name == disk.CheckpointName {
		return KindCheckpoint
	}
	whole, unfinished := strings.CutSuffix(name, segment.TempSuffix)
	kind := KindForeign
	if _, ok := segment.Number(whole); ok {
		kind = KindSegment
	} else if _, ok := journal.Number(whole); ok {
		kind = KindJournal
	} else if _, ok := disk.MetaNumber(whole); ok {
		kind = KindMeta
	} else if whole == disk.CheckpointName {
		kind = KindCheckpoint
	} else if strings.HasSuffix(name, ".spare") {
		return KindSpare
	}
	if unfinished && kind != KindForeign {
		return KindLeftover
	}
	return kind
}

// checkpoint reads the checkpoint and the values that it names. Where there is no telling what it said, one is made up.
func (s *survey) checkpoint() error {
	s.meter.file(disk.CheckpointName)
	cp, err := disk.ReadCheckpoint(s.fs, s.dir)
	damage, isDamage := errors.AsType[*storage.DamageError](err)
	switch {
	case err == nil:
		s.cp = cp
	case errors.Is(err, fs.ErrNotExist):
		s.guess(s.problem(disk.CheckpointName, 0, 0, "it is missing"))
	case isDamage:
		s.guess(s.problem(disk.CheckpointName, damage.Offset, s.sizes[disk.CheckpointName], damage.What))
	default:
		return err
	}
	s.meter.add(s.sizes[disk.CheckpointName])
	return s.readValues()
}

// guess makes up a checkpoint: every segment counts, the journal from the oldest file on that is followed by all younger ones, and
// the youngest values.
func (s *survey) guess(p *Problem) {
	s.guessed, s.unsure = true, true
	s.cp = new(disk.Checkpoint)
	for _, name := range s.names {
		if n, ok := segment.Number(name); ok {
			s.cp.Segments = append(s.cp.Segments, disk.SegmentState{Number: n, Size: s.sizes[name]})
		}
		if n, ok := disk.MetaNumber(name); ok {
			s.cp.Meta = max(s.cp.Meta, n)
		}
	}
	slices.SortFunc(s.cp.Segments, func(a, b disk.SegmentState) int {
		if a.Number < b.Number {
			return -1
		}
		return 1
	})
	p.Means = "it is not known which messages were acknowledged before those that the journal still tells of: such messages may come again, and all are marked as redelivered; nor is it known whether other files are missing"
	p.Repair = "another one is made from the segments, the journal and the definitions"
	if s.cp.Meta == 0 {
		s.defaced = true
		p.Means += "; there are no definitions but those that the journal still tells of"
	}
}

// readValues reads the values that the checkpoint names.
func (s *survey) readValues() error {
	s.values = map[string][]byte{}
	if s.cp.Meta == 0 {
		return nil
	}
	name := disk.MetaName(s.cp.Meta)
	s.meter.file(name)
	values, err := disk.ReadValues(s.fs, s.dir, s.cp.Meta)
	damage, isDamage := errors.AsType[*storage.DamageError](err)
	switch {
	case err == nil:
		s.values = values
	case errors.Is(err, fs.ErrNotExist):
		p := s.problem(name, 0, 0, "it is missing")
		s.defaced = true
		p.Means = "definitions of vhosts, users, exchanges, queues and bindings are lost, but for those that the journal still tells of"
		p.Repair = "messages whose queue is not known any more get queues of their own; users and bindings are to be made again"
	case isDamage:
		p := s.problem(name, damage.Offset, s.sizes[name], damage.What)
		s.defaced = true
		s.values = values
		p.Means = fmt.Sprintf("of the definitions %d can be read; a name, a password or an argument in one of them may be wrong, and others may be lost", len(values))
		p.Repair = "what can be read of them is kept: compare it with what was meant (warren store export)"
	default:
		return err
	}
	s.meter.add(s.sizes[name])
	return nil
}

// needed are the names of the files that the store needs.
func (s *survey) needed() map[string]bool {
	needed := map[string]bool{disk.CheckpointName: true, lockName: true}
	if s.cp.Meta != 0 {
		needed[disk.MetaName(s.cp.Meta)] = true
	}
	for _, f := range s.segments {
		needed[f.name] = true
	}
	for n := range s.bodies {
		needed[journal.Name(n)] = true
	}
	for _, n := range s.journals {
		needed[journal.Name(n)] = true
	}
	return needed
}

// report says what was found.
func (s *survey) report() *Report {
	r := &Report{Dir: s.dir, Files: []File{}, Queues: []Queue{}, Problems: []Problem{}}
	needed := s.needed()
	in := s.contents()
	for _, name := range s.names {
		f := File{Name: name, Kind: kindOf(name), Bytes: s.sizes[name]}
		if n, ok := journal.Number(name); ok && s.bodies[n] != nil {
			f.Kind = KindBodies
		}
		if !needed[name] && f.Kind != KindForeign && f.Kind != KindSpare {
			f.Kind = KindLeftover
			s.note("%s belongs to nothing; the next start removes it", name)
		}
		f.Messages, f.MessageBytes = in[name].messages, in[name].bytes
		r.Files = append(r.Files, f)
	}
	r.Queues = s.queues()
	for _, p := range s.problems {
		r.Problems = append(r.Problems, *p)
	}
	r.sortProblems()
	r.Notes = s.notes
	return r
}
