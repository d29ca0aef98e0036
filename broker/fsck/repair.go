package fsck

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// AsideName is the folder within a data folder to which Repair moves files that are damaged.
const AsideName = "damaged"

// Repair does what Check does, and then makes a folder of it that a broker can be started with: everything that can be read is kept, and
// the report says what was dropped. Files that are damaged are moved to the folder "damaged" within, never deleted. A folder in which
// nothing is wrong stays as it is.
//
// What is kept of damaged files, and everything in the journal, is written to new files, for which there must be room. They count from
// the moment on that the checkpoint says so, which is the last step. A Repair that was cut short at any point can be begun again.
func Repair(ctx context.Context, dir string, o *Options) (*Report, error) {
	s, done, err := look(ctx, dir, o, true)
	if err != nil {
		return nil, err
	}
	defer done()
	if len(s.problems) == 0 {
		return s.report(), nil
	}
	r := &repair{survey: s}
	if err := r.run(); err != nil {
		return nil, err
	}
	report := s.report()
	report.Moved = r.moved
	return report, nil
}

// repair is a survey that something is made of.
type repair struct {
	*survey
	last  uint64 // the highest number of a file so far
	moved []string
	kept  []*segmentFile // the segments from now on
}

func (r *repair) run() error {
	r.last = r.cp.LastFile
	for _, name := range r.names {
		digits, _, _ := strings.Cut(name, ".")
		if n, err := strconv.ParseUint(digits, 10, 64); err == nil && kindOf(name) != KindForeign {
			r.last = max(r.last, n)
		}
	}
	old := r.needed()
	if err := r.putAside(); err != nil {
		return err
	}
	for _, f := range r.segments {
		if err := r.keep(f); err != nil {
			return err
		}
	}
	if err := r.file(); err != nil {
		return err
	}
	if err := r.write(); err != nil {
		return err
	}
	if err := r.sweep(old); err != nil {
		return err
	}
	return r.try()
}

func (r *repair) number() uint64 {
	r.last++
	return r.last
}

// putAside gives the damaged files a second name in the folder for such.
func (r *repair) putAside() error {
	aside := filepath.Join(r.dir, AsideName)
	for _, name := range slices.Sorted(maps.Keys(r.damaged)) {
		if _, there := r.sizes[name]; !there {
			continue
		}
		if err := r.fs.MkdirAll(aside); err != nil {
			return err
		}
		to, err := r.freeName(aside, name)
		if err != nil {
			return err
		}
		if to == "" {
			continue // a repair that was cut short has done so
		}
		if err := r.fs.Link(filepath.Join(r.dir, name), filepath.Join(aside, to)); err != nil {
			if err := copyFile(r.ctx, r.fs, filepath.Join(r.dir, name), filepath.Join(aside, to), nil); err != nil {
				return err
			}
		}
		r.moved = append(r.moved, filepath.Join(AsideName, to))
	}
	if len(r.moved) == 0 {
		return nil
	}
	return r.fs.SyncDir(aside)
}

// freeName returns a name for a file that is put aside; empty when the very same is there.
func (r *repair) freeName(aside, name string) (string, error) {
	to := name
	for i := 1; ; i++ {
		same, err := sameContent(r.fs, filepath.Join(r.dir, name), filepath.Join(aside, to))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return to, nil
		case err != nil:
			return "", err
		case same:
			r.moved = append(r.moved, filepath.Join(AsideName, to))
			return "", nil
		}
		to = fmt.Sprintf("%s.%d", name, i)
	}
}

// keep makes a segment one of the new store's: as it is, or what can be read of it in a new one.
func (r *repair) keep(f *segmentFile) error {
	live := map[uint64]numbers{}
	for id, st := range r.streams {
		for _, p := range st.parts {
			if p.file == f {
				all := live[id]
				for _, span := range p.live {
					all.add(span.From, span.To)
				}
				if len(all) > 0 {
					live[id] = all
				}
			}
		}
	}
	if len(live) == 0 {
		return nil
	}
	if !f.damaged {
		r.kept = append(r.kept, f)
		return nil
	}
	return r.anew(f, live)
}

// anew writes what is alive of a damaged segment to a new one.
func (r *repair) anew(f *segmentFile, live map[uint64]numbers) error {
	w, err := segment.Create(r.fs, r.dir, r.number())
	if err != nil {
		return err
	}
	of, begun := uint64(0), false
	shared := map[segment.Location]segment.Location{}
	r.meter.file(segment.Name(r.last))
	err = segment.Salvage(r.fs, r.dir, f.number, segment.Salvaging{Record: func(id uint64, rec *segment.Record) error {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if !live[id].has(rec.Seq) {
			return nil
		}
		if !begun || of != id {
			if err := w.Stream(id); err != nil {
				return err
			}
			of, begun = id, true
		}
		return add(w, rec, shared)
	}})
	if err != nil {
		w.Abort()
		return err
	}
	return r.finish(w, func(p *part) bool { return p.file == f }, live)
}

// sharedFrom is from how many bytes on a payload of several records is written once.
const sharedFrom = 512

// add writes a record. shared is where payloads are, of those that may be those of others too.
func add(w *segment.Writer, rec *segment.Record, shared map[segment.Location]segment.Location) error {
	was := rec.At
	if to, ok := shared[was]; ok {
		rec.Block, rec.At = nil, to
	}
	if err := w.Add(*rec); err != nil {
		return err
	}
	if len(rec.Block) >= sharedFrom {
		shared[was] = w.Last()
	}
	return nil
}

// finish completes a new segment, which has the records live. They are not where they were any more: replaced says of which parts.
func (r *repair) finish(w *segment.Writer, replaced func(*part) bool, live map[uint64]numbers) error {
	seg, err := w.Finish()
	if err != nil {
		return err
	}
	f := &segmentFile{number: seg.Number(), name: segment.Name(seg.Number()), size: seg.Size(), seg: seg}
	r.kept = append(r.kept, f)
	r.meter.more(f.size)
	r.meter.add(f.size)
	for id := range live {
		st := r.streams[id]
		st.parts = slices.DeleteFunc(st.parts, replaced)
	}
	for e, x := range seg.Extents() {
		st := r.streams[x.Stream]
		st.parts = append(st.parts, &part{f, e, live[x.Stream].within(x.First, x.Last+1)})
	}
	return nil
}

// file writes what is alive in the journal to a new segment.
func (r *repair) file() error {
	live := map[uint64]numbers{}
	for id, st := range r.streams {
		if len(st.looseLive) > 0 {
			live[id] = st.looseLive
		}
	}
	if len(live) == 0 {
		return nil
	}
	w, err := segment.Create(r.fs, r.dir, r.number())
	if err != nil {
		return err
	}
	r.meter.file(segment.Name(r.last))
	if err := r.fileStreams(w, live); err != nil {
		w.Abort()
		return err
	}
	if err := r.finish(w, func(*part) bool { return false }, live); err != nil {
		return err
	}
	for _, st := range r.streams {
		st.loose, st.looseLive = nil, nil
	}
	return nil
}

func (r *repair) fileStreams(w *segment.Writer, live map[uint64]numbers) error {
	files := map[uint64]*bodyFile{}
	defer func() {
		for _, f := range files {
			_ = f.disk.Close()
		}
	}()
	for _, n := range r.journals {
		disk, err := r.fs.Open(filepath.Join(r.dir, journal.Name(n)))
		if err != nil {
			return err
		}
		files[n] = &bodyFile{number: n, disk: disk, size: r.sizes[journal.Name(n)]}
	}
	shared := map[segment.Location]segment.Location{}
	for _, id := range slices.Sorted(maps.Keys(live)) {
		st := r.streams[id]
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := w.Stream(id); err != nil {
			return err
		}
		slices.SortStableFunc(st.loose, func(a, b loose) int { return cmp.Compare(a.seq, b.seq) })
		before := uint64(0)
		for _, l := range st.loose {
			if l.seq == before || !st.looseLive.has(l.seq) {
				continue
			}
			before = l.seq
			b, why, err := files[l.at.File].read(l.at)
			if err != nil {
				return err
			}
			if why != "" {
				return fmt.Errorf("%s has changed while it was read: %s at byte %d", journal.Name(l.at.File), why, l.at.Offset)
			}
			if err := add(w, &segment.Record{Seq: l.seq, Deadline: l.deadline, Block: b, At: l.at}, shared); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes the definitions and, with it, everything else that was written counts: the checkpoint.
func (r *repair) write() error {
	c := &disk.Checkpoint{LastStream: r.cp.LastStream, Ticket: max(r.cp.Ticket, r.lastFrame)}
	if len(r.values) > 0 {
		c.Meta = r.number()
		if _, err := disk.WriteValues(r.fs, r.dir, c.Meta, r.values); err != nil {
			return err
		}
	}
	c.LastFile, c.Known, c.Opened = r.last, r.last, r.last+1
	index := map[*segmentFile]int{}
	slices.SortFunc(r.kept, func(a, b *segmentFile) int { return cmp.Compare(a.number, b.number) })
	for i, f := range r.kept {
		index[f] = i
		c.Segments = append(c.Segments, disk.SegmentState{Number: f.number, Size: f.size})
	}
	seen := make([]map[int]bool, len(r.kept))
	for i := range seen {
		seen[i] = map[int]bool{}
	}
	for _, id := range slices.Sorted(maps.Keys(r.streams)) {
		st := r.streams[id]
		if r.guessed {
			st.delivered = st.next - 1
		}
		c.LastStream = max(c.LastStream, id)
		state := disk.StreamState{ID: id, Next: st.next, Delivered: st.delivered, Returned: st.returned, Parts: st.laidOut(index)}
		for _, p := range state.Parts {
			seen[p.Segment][p.Extent] = true
		}
		c.Streams = append(c.Streams, state)
	}
	for i := range r.topology.Queues {
		c.LastStream = max(c.LastStream, r.topology.Queues[i].Stream)
	}
	for i, f := range r.kept {
		var unseen numbers
		for e := range f.seg.Extents() {
			if !seen[i][e] {
				unseen.add(uint64(e), uint64(e)+1)
			}
		}
		c.Segments[i].Unseen = unseen
	}
	if err := c.Write(r.fs, r.dir); err != nil {
		return err
	}
	r.cp, r.guessed, r.journals = c, false, nil
	return nil
}

// laidOut returns the parts as a checkpoint has them: they follow one another and do not overlap.
func (st *stream) laidOut(index map[*segmentFile]int) (parts []disk.Part) {
	type run struct {
		disk.Span
		part *part
	}
	var runs []run
	for _, p := range st.parts {
		for _, span := range p.live {
			runs = append(runs, run{span, p})
		}
	}
	slices.SortFunc(runs, func(a, b run) int { return cmp.Compare(a.From, b.From) })
	var of *part
	for _, r := range runs {
		if r.part == of {
			last := &parts[len(parts)-1]
			last.Dead = append(last.Dead, disk.Span{From: last.Last + 1, To: r.From})
			last.Last = r.To - 1
			continue
		}
		of = r.part
		parts = append(parts, disk.Part{Segment: index[of.file], Extent: of.extent, First: r.From, Last: r.To - 1})
	}
	return parts
}

// sweep removes what was needed and is not any more. What is damaged has its second name by now.
func (r *repair) sweep(old map[string]bool) error {
	old = maps.Clone(old)
	for name := range r.damaged {
		old[name] = true
	}
	for _, f := range r.segments {
		if f.seg != nil && !slices.Contains(r.kept, f) {
			_ = f.seg.Close() // it was read only
		}
	}
	r.segments = r.kept
	bodies := map[uint64]*bodyFile{}
	for _, f := range r.kept {
		for _, n := range f.seg.Files() {
			bodies[n] = r.bodies[n]
		}
	}
	for n, b := range r.bodies {
		if bodies[n] == nil && b.disk != nil {
			_ = b.disk.Close()
		}
	}
	r.bodies = bodies
	needed := r.needed()
	for name := range old {
		if _, there := r.sizes[name]; !there || needed[name] {
			continue
		}
		if err := r.fs.Remove(filepath.Join(r.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := r.fs.SyncDir(r.dir); err != nil {
		return err
	}
	r.sizes, r.names = map[string]int64{}, nil
	return r.inventory()
}

// try opens the store as a broker does, without leaving anything.
func (r *repair) try() error {
	st, err := disk.Open(disk.Options{FS: vfs.Shadow(r.fs), Dir: r.dir, Manual: true})
	if err != nil {
		return fmt.Errorf("the repaired folder cannot be opened, which it should: %w", err)
	}
	return st.Close()
}

// sameContent reports whether two files hold the same.
func sameContent(fs vfs.FS, a, b string) (bool, error) {
	f, err := fs.Open(a)
	if err != nil {
		return false, err
	}
	defer f.Close()
	g, err := fs.Open(b)
	if err != nil {
		return false, err
	}
	defer g.Close()
	n, err := f.Size()
	if err != nil {
		return false, err
	}
	if m, err := g.Size(); err != nil || n != m {
		return false, err
	}
	x, y := make([]byte, min(n, copyChunk)), make([]byte, min(n, copyChunk))
	for at := int64(0); at < n; at += copyChunk {
		k := min(copyChunk, n-at)
		if _, err := f.ReadAt(x[:k], at); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if _, err := g.ReadAt(y[:k], at); err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if !bytes.Equal(x[:k], y[:k]) {
			return false, nil
		}
	}
	return true, nil
}

const copyChunk = 1 << 20

// copyFile copies a file: durably, and under its name as a whole or not at all, once the folder is synced. told is told of every part.
func copyFile(ctx context.Context, fs vfs.FS, from, to string, told func(int64)) error {
	f, err := fs.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	return copyTo(ctx, fs, f, size, to, told)
}

// copyTo copies the first so many bytes of an open file.
func copyTo(ctx context.Context, fs vfs.FS, f vfs.File, size int64, to string, told func(int64)) (err error) {
	temp := to + segment.TempSuffix
	g, err := fs.Create(temp)
	if err != nil {
		return err
	}
	defer func() {
		if g != nil {
			err = errors.Join(err, g.Close())
		}
		if err != nil {
			_ = fs.Remove(temp)
		}
	}()
	buf := make([]byte, min(size, copyChunk))
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(copyChunk, size-at)]
		if n, err := f.ReadAt(b, at); n < len(b) {
			return fmt.Errorf("reading at byte %d: %w", at, err)
		}
		if _, err := g.WriteAt(b, at); err != nil {
			return err
		}
		at += int64(len(b))
		if told != nil {
			told(int64(len(b)))
		}
	}
	if err := g.Sync(); err != nil {
		return err
	}
	err = g.Close()
	g = nil
	if err != nil {
		return err
	}
	return fs.Rename(temp, to)
}
