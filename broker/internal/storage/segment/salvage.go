package segment

import (
	"errors"
	"fmt"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Salvaging is what Salvage tells while it goes through a file, in the order of the file.
type Salvaging struct {
	// Record is called for each record that is as it was written. Streams ascend, and so do the numbers in each of them. The
	// block is a view, valid during the call; where it is nil the payload lies in another file, at r.At, and was not looked
	// at. An error ends Salvage with it. It must not be nil.
	Record func(stream uint64, r *Record) error
	// Skipped is called for bytes that are lost, and says why. nil: not called.
	Skipped func(from, to int64, why string)
	// Progress is called every 1 MiB or so, with how many bytes are done. nil: not called.
	Progress func(done, total int64)
}

// Salvage reads what can still be read of a segment that is damaged, whatever is damaged in it: it goes on behind bytes that
// are no record. It needs the header or the footer; where neither is whole it gives a *storage.DamageError, and where
// the file is of a version that is not known, a *VersionError. An error of reading ends it too: whether bytes are lost that
// the disk will not show is not for it to say. Of a segment that is not damaged it skips nothing.
func Salvage(fs vfs.FS, dir string, number uint64, to Salvaging) error {
	f, err := openFile(fs, dir, number)
	if err != nil {
		return err
	}
	defer f.Close()
	if to.Skipped == nil {
		to.Skipped = func(int64, int64, string) {}
	}
	if to.Progress == nil {
		to.Progress = func(int64, int64) {}
	}
	s := &salvage{f: f, to: to, number: number}
	areas, err := s.survey()
	if err != nil {
		return err
	}
	s.shared.reset(f, s.end, minAhead)
	for _, a := range areas {
		if err := s.area(a); err != nil {
			return err
		}
	}
	if s.open {
		to.Skipped(f.size, f.size, "the end of the file is damaged or gone: it is not known what was behind this")
	}
	to.Progress(f.size, f.size)
	return nil
}

// salvage is a Salvage under way.
type salvage struct {
	f        *file
	to       Salvaging
	number   uint64
	seed     uint32
	end      int64 // of the records, or of the file if that is not known
	open     bool  // it is not known
	window   window
	shared   window
	reported int64

	stream uint64 // of the records that are read
	of     uint32 // its seed
	known  bool   // there is one
	any    bool   // a record was told
	told   uint64 // of this stream, the last
	last   uint64 // and its number
}

// area is a part of the file where extents are.
type area struct {
	from, to int64
	stream   uint64 // if exact
	exact    bool   // it is one extent; the table says so
}

// survey finds out where extents are, from whatever is whole of header, footer and table.
func (s *salvage) survey() ([]area, error) {
	head, badHead := readHeader(s.f, s.number)
	if !isDamage(badHead) && badHead != nil {
		return nil, badHead
	}
	foot, badFoot := readFooter(s.f)
	switch {
	case badFoot == nil && badHead != nil:
		if foot.number != s.number {
			return nil, badHead
		}
		if foot.version > version {
			return nil, &VersionError{File: s.f.name, Version: foot.version}
		}
		s.to.Skipped(0, headerSize, "the header does not match its checksum")
		head = foot.header
	case badHead != nil:
		return nil, badHead
	case isDamage(badFoot):
	case badFoot != nil:
		return nil, badFoot
	case foot.header != head:
		badFoot = s.f.damage(s.f.size-footerSize, "the footer is that of another file")
	}
	s.seed = head.seed()
	if badFoot != nil {
		s.end, s.open = s.f.size, true
		return []area{{from: headerSize, to: s.end}}, nil
	}
	s.end = foot.indexes
	t, err := readTable(s.f, &foot)
	switch {
	case errors.Is(err, errTable):
		s.to.Skipped(foot.table, s.f.size-footerSize, err.Error())
		return []area{{from: headerSize, to: s.end}}, nil
	case err != nil:
		return nil, err
	}
	areas := make([]area, len(t.extents))
	for i, e := range t.extents {
		areas[i] = area{from: e.Offset, to: e.Offset + e.Length, stream: e.Stream, exact: true}
	}
	return areas, nil
}

func isDamage(err error) bool {
	var damage *storage.DamageError
	return errors.As(err, &damage)
}

// area goes through a part of the file.
func (s *salvage) area(a area) error {
	s.window.reset(s.f, a.to, midAhead)
	s.known = a.exact
	if a.exact {
		s.enter(a.stream)
	}
	for at := a.from; at < a.to; {
		if at-s.reported >= 1<<20 {
			s.reported = at
			s.to.Progress(at, s.f.size)
		}
		b, err := s.window.view(at, int(min(maxHead, a.to-at)))
		if err != nil {
			return err
		}
		var h recordHead
		switch s.what(b, at, &h, a.to-at) {
		case extentMagic:
			if stream, _ := decodeExtent(b, placed(s.seed, at)); !a.exact {
				s.enter(stream)
			}
			at += prefixSize
		case recordMagic:
			if err := s.record(at, &h); err != nil {
				return err
			}
			at += h.size
		default:
			next, err := s.search(at+1, a.to)
			if err != nil {
				return err
			}
			why := "this is no record"
			if s.known {
				why = fmt.Sprintf("this is no record of stream %d", s.stream)
			}
			s.to.Skipped(at, next, why)
			at = next
		}
	}
	return nil
}

// enter makes what follows the records of a stream.
func (s *salvage) enter(stream uint64) {
	s.stream, s.of, s.known = stream, streamSeed(s.seed, stream, nil), true
}

// what says what b begins with, which stands at an offset with so many bytes left: an extent, a record, or nothing that is known.
func (s *salvage) what(b []byte, at int64, h *recordHead, left int64) string {
	if _, ok := decodeExtent(b, placed(s.seed, at)); ok {
		return extentMagic
	}
	if s.known && h.decode(b, placed(s.of, at)) && h.size <= left {
		return recordMagic
	}
	return ""
}

// search returns where the next extent or record begins, from at on; to if there is none.
func (s *salvage) search(at, to int64) (int64, error) {
	const magicAt = 5
	for to-at >= prefixSize {
		// Two parts overlap by what a header may be long.
		b, err := s.window.view(at, int(min(midAhead, to-at)))
		if err != nil {
			return 0, err
		}
		starts := len(b)
		if int64(len(b)) < to-at {
			starts -= maxHead
		}
		for i := range starts {
			if i+prefixSize > len(b) {
				break
			}
			switch string(b[i+magicAt : i+magicAt+len(recordMagic)]) {
			case recordMagic, extentMagic:
				var h recordHead
				if found := at + int64(i); s.what(b[i:min(i+maxHead, len(b))], found, &h, to-found) != "" {
					return found, nil
				}
			}
		}
		at += int64(starts)
	}
	return to, nil
}

// record tells a record whose header is whole, or that its payload is not.
func (s *salvage) record(at int64, h *recordHead) error {
	if s.any && (s.stream < s.told || s.stream == s.told && h.seq <= s.last) {
		s.to.Skipped(at, at+h.size, fmt.Sprintf("record %d of stream %d is out of order", h.seq, s.stream))
		return nil
	}
	r := Record{Seq: h.seq, Deadline: h.deadline, Transient: h.transient, At: h.at}
	var err error
	switch size := block.Size(int(h.at.Len)); {
	case !h.elsewhere:
		r.At.File = s.number
		r.At.Offset += at
		r.Block, err = s.window.view(r.At.Offset, size)
	case h.at.File == s.number && (h.at.Offset < headerSize || h.at.end() > s.end):
		r.Block = []byte{}
	case h.at.File == s.number:
		r.Block, err = s.shared.view(r.At.Offset, size)
	}
	if err != nil {
		return err
	}
	if r.Block != nil && !isBlock(r.Block) {
		s.to.Skipped(at, at+h.size,
			fmt.Sprintf("the payload of record %d of stream %d, at byte %d, does not match its checksum", h.seq, s.stream, r.At.Offset))
		return nil
	}
	s.any, s.told, s.last = true, s.stream, h.seq
	return s.to.Record(s.stream, &r)
}
