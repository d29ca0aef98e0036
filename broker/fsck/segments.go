package fsck

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// segmentFile is a segment that the checkpoint names.
type segmentFile struct {
	number  uint64
	name    string
	size    int64
	seg     *segment.Segment // nil: it is missing, or its table cannot be read
	missing bool

	// damaged says that something in it, or in what it points to, is not as it was written. Then whole and transient say what
	// there still is, by stream.
	damaged   bool
	whole     map[uint64]numbers
	transient map[uint64]numbers
	why       []*Problem
}

// extent returns an extent that the table has, or nil.
func (f *segmentFile) extent(e int) *segment.Extent {
	if x := f.seg.Extents(); e < len(x) {
		return &x[e]
	}
	return nil
}

// listed returns the numbers of the records of an extent, or of those that are transient. Where the extent is damaged it is what
// salvaging has found.
func (f *segmentFile) listed(e int, transient bool) (list numbers, err error) {
	x := f.extent(e)
	if f.damaged {
		all := f.whole[x.Stream]
		if transient {
			all = f.transient[x.Stream]
		}
		return all.within(x.First, x.Last+1), nil
	}
	var r segment.Record
	for c := f.seg.Cursor(e, 0); ; {
		ok, err := c.NextHead(&r)
		if !ok || err != nil {
			return list, err
		}
		if r.Transient || !transient {
			list.add(r.Seq, r.Seq+1)
		}
	}
}

func isDamage(err error) bool {
	_, ok := errors.AsType[*storage.DamageError](err)
	return ok
}

// bodyFile is a file that was one of the journal, and which segments point to.
type bodyFile struct {
	number uint64
	disk   vfs.File // nil: it is missing
	size   int64
	buf    []byte
}

// body returns the file of that number.
func (s *survey) body(number uint64) (*bodyFile, error) {
	b := s.bodies[number]
	if b != nil {
		return b, nil
	}
	b = &bodyFile{number: number}
	f, err := s.fs.Open(filepath.Join(s.dir, journal.Name(number)))
	if err == nil {
		b.disk = f
		b.size, err = f.Size()
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	s.bodies[number] = b
	return b, err
}

// read returns the block at a place, or why there is none.
func (b *bodyFile) read(at segment.Location) (blk []byte, why string, err error) {
	n := block.Size(int(at.Len))
	switch {
	case b.disk == nil:
		return nil, "it is missing", nil
	case at.Offset > b.size-int64(n):
		return nil, fmt.Sprintf("no payload of %d bytes can be here", at.Len), nil
	}
	if cap(b.buf) < n {
		b.buf = make([]byte, n)
	}
	b.buf = b.buf[:n]
	if got, err := b.disk.ReadAt(b.buf, at.Offset); got < n {
		return nil, "", err
	}
	if payload, err := block.Open(b.buf); err != nil || len(payload) != int(at.Len) {
		return nil, "a payload does not match its checksum", nil
	}
	return b.buf, "", nil
}

// openSegments opens the segments that the checkpoint names, reads them and checks them.
func (s *survey) openSegments() error {
	for _, c := range s.cp.Segments {
		f := &segmentFile{number: c.Number, name: segment.Name(c.Number), whole: map[uint64]numbers{}, transient: map[uint64]numbers{}}
		f.size = s.sizes[f.name]
		s.segments = append(s.segments, f)
		s.meter.file(f.name)
		if err := s.openSegment(f, c.Size); err != nil {
			return err
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// openSegment opens a segment that was so long when the checkpoint was written.
func (s *survey) openSegment(f *segmentFile, size int64) error {
	seg, err := segment.Open(s.fs, s.dir, f.number)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.missing, f.damaged = true, true
		p := s.problem(f.name, 0, size, "it is missing")
		p.Repair = "it is forgotten"
		f.why = append(f.why, p)
		return nil
	case isDamage(err):
		return s.salvage(f, err)
	case err != nil:
		return err
	case seg.Size() != size:
		_ = seg.Close()
		return s.salvage(f, &storage.DamageError{File: f.name, What: fmt.Sprintf("it has %d bytes, and had %d", seg.Size(), size)})
	}
	f.seg = seg
	for _, n := range seg.Files() {
		if _, err := s.body(n); err != nil {
			return err
		}
	}
	if !s.deep {
		s.meter.add(f.size)
		return nil
	}
	before := int64(0)
	err = seg.Verify(func(done, _ int64) {
		s.meter.add(done - before)
		before = done
	})
	if err == nil {
		err = s.verifyBodies(f)
	}
	if isDamage(err) {
		return s.salvage(f, err)
	}
	return err
}

// verifyBodies checks the payloads that lie in other files.
func (s *survey) verifyBodies(f *segmentFile) error {
	var c segment.Cursor
	var r segment.Record
	for e := range f.seg.Extents() {
		if len(f.seg.Refs(e)) == 0 {
			continue
		}
		c.Reset(f.seg, e, 0)
		for {
			ok, err := c.NextHead(&r)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if r.At.File == f.number {
				continue
			}
			if why, err := s.bodyAt(r.At); err != nil {
				return err
			} else if why != "" {
				return &storage.DamageError{File: journal.Name(r.At.File), Offset: r.At.Offset, What: why}
			}
		}
	}
	return nil
}

// bodyAt says what is wrong with a payload that lies in a file of bodies.
func (s *survey) bodyAt(at segment.Location) (why string, err error) {
	b, err := s.body(at.File)
	if err != nil {
		return "", err
	}
	_, why, err = b.read(at)
	return why, err
}

// salvage looks what of a damaged segment can be read. first is the damage that was seen first.
func (s *survey) salvage(f *segmentFile, first error) error {
	f.damaged = true
	damage, _ := errors.AsType[*storage.DamageError](first)
	begin := len(s.problems)
	if f.seg == nil {
		f.tell(s, f.name, damage.Offset, 0, damage.What)
	}
	err := segment.Salvage(s.fs, s.dir, f.number, segment.Salvaging{
		Record: func(id uint64, r *segment.Record) error {
			if err := s.ctx.Err(); err != nil {
				return err
			}
			if r.Block == nil {
				why, err := s.bodyAt(r.At)
				if err != nil {
					return err
				}
				if why != "" {
					f.tell(s, journal.Name(r.At.File), r.At.Offset, int64(block.Size(int(r.At.Len))), why)
					return nil
				}
			}
			have := f.whole[id]
			have.add(r.Seq, r.Seq+1)
			f.whole[id] = have
			if r.Transient {
				gone := f.transient[id]
				gone.add(r.Seq, r.Seq+1)
				f.transient[id] = gone
			}
			return nil
		},
		Skipped: func(from, to int64, why string) {
			if len(s.problems) == begin+1 && s.problems[begin].Offset == from && s.problems[begin].Bytes == 0 {
				s.problems[begin].Bytes = to - from
				return
			}
			f.tell(s, f.name, from, to-from, why)
		},
	})
	switch {
	case isDamage(err): // neither header nor footer
		if f.seg == nil && len(s.problems) > begin {
			s.problems[begin].Bytes = f.size
		}
		f.whole = map[uint64]numbers{}
		for _, p := range f.why {
			p.Repair = "neither the beginning nor the end of the file can be read, so nothing in it can: it is put aside"
		}
	case err != nil:
		return err
	}
	if len(s.problems) == begin { // records are whole, and what says where they are is not
		f.tell(s, damage.File, damage.Offset, 0, damage.What)
	}
	s.meter.add(f.size)
	return nil
}

// tell adds a problem of the file, or of one that it points to.
func (f *segmentFile) tell(s *survey, file string, offset, bytes int64, what string) {
	p := s.problem(file, offset, bytes, what)
	p.Repair = "the file is written anew with all that can be read of it"
	s.damaged[f.name] = true
	f.why = append(f.why, p)
}
