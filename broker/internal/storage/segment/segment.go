package segment

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Segment is a segment that is open for reading. Its methods may be called from any goroutine, Close when nobody reads
// any more.
type Segment struct {
	file   file
	number uint64
	seed   uint32
	end    int64 // of the records
	table  *table

	mu      sync.Mutex
	indexes map[int][]entry // by mu: those that were needed so far, by extent
}

// Open opens the segment of that number in a folder. It reads the table of extents, and none of the records. A file that is
// not as it was written is a *storage.DamageError, one of a version that is not known a *VersionError.
func Open(fs vfs.FS, dir string, number uint64) (*Segment, error) {
	opened, err := openFile(fs, dir, number)
	if err != nil {
		return nil, err
	}
	s := &Segment{file: *opened, number: number, indexes: map[int][]entry{}}
	if err := s.load(); err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

func openFile(fs vfs.FS, dir string, number uint64) (*file, error) {
	name := Name(number)
	f, err := fs.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &file{File: f, name: name, size: size}, nil
}

func (s *Segment) load() error {
	head, err := readHeader(&s.file, s.number)
	if err != nil {
		return err
	}
	foot, err := readFooter(&s.file)
	if err != nil {
		return err
	}
	if foot.header != head {
		return s.file.damage(s.file.size-footerSize, "the footer is that of another file")
	}
	s.table, err = readTable(&s.file, &foot)
	if errors.Is(err, errTable) {
		return s.file.damage(foot.table, err.Error())
	}
	s.seed, s.end = head.seed(), foot.indexes
	return err
}

func readHeader(f *file, number uint64) (head header, err error) {
	if f.size < headerSize {
		return head, f.damage(f.size, "the file is too short to be a segment")
	}
	var b [headerSize]byte
	if err := f.readAt(b[:], 0); err != nil {
		return head, err
	}
	switch ok := head.decode(b[:]); {
	case !ok:
		return head, f.damage(0, "the header does not match its checksum")
	case head.version > version:
		return head, &VersionError{File: f.name, Version: head.version}
	case head.number != number:
		return head, f.damage(0, fmt.Sprintf("this is segment %d", head.number))
	}
	return head, nil
}

func readFooter(f *file) (foot footer, err error) {
	var b [footerSize]byte
	if f.size < headerSize+footerSize {
		return foot, f.damage(f.size, "the file is too short to be a segment")
	}
	if err := f.readAt(b[:], f.size-footerSize); err != nil {
		return foot, err
	}
	if !foot.decode(b[:], f.size) {
		return foot, f.damage(f.size-footerSize, "the footer does not match its checksum")
	}
	return foot, nil
}

// Number returns the segment's number.
func (s *Segment) Number() uint64 { return s.number }

// Size returns how many bytes the file has.
func (s *Segment) Size() int64 { return s.file.size }

// Extents returns the extents in the order of their streams, and of a stream in the order of their numbers. They are the
// segment's: they are not to be changed.
func (s *Segment) Extents() []Extent { return s.table.extents }

// Refs returns which other files records of an extent have their payloads in, in the order of the files' numbers. They are
// the segment's: they are not to be changed.
func (s *Segment) Refs(e int) []Ref {
	from, to, _ := find(s.table.reffing, e)
	return s.table.refs[from:to:to]
}

// Files returns the numbers of the other files that payloads of this segment's records lie in, in order. They are the
// segment's: they are not to be changed.
func (s *Segment) Files() []uint64 { return s.table.files }

// Block reads the block at a place of this segment, into buf if that has room for it, and returns it whole, header and all.
// Bytes that are not a block of that length are a *storage.DamageError.
func (s *Segment) Block(at Location, buf []byte) ([]byte, error) {
	if err := s.holds(at); err != nil {
		return nil, err
	}
	n := block.Size(int(at.Len))
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if err := s.file.readAt(buf, at.Offset); err != nil {
		return nil, err
	}
	if !isBlock(buf) {
		return nil, s.file.damage(at.Offset, "a payload does not match its checksum")
	}
	return buf, nil
}

// holds says whether a block can be at a place.
func (s *Segment) holds(at Location) error {
	if at.File != s.number {
		return fmt.Errorf("segment: a payload in file %d was sought in %s", at.File, s.file.name)
	}
	if !at.valid() || at.Offset < headerSize || at.end() > s.end {
		return s.file.damage(at.Offset, fmt.Sprintf("no payload of %d bytes can be here", at.Len))
	}
	return nil
}

// isBlock says whether b is a block and nothing else.
func isBlock(b []byte) bool {
	payload, err := block.Open(b)
	return err == nil && len(payload) == len(b)-block.Header
}

// index returns the index of an extent, loading it if need be.
func (s *Segment) index(e int) ([]entry, error) {
	from, to, ok := find(s.table.indexed, e)
	if !ok {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, ok := s.indexes[e]
	if ok {
		return entries, nil
	}
	b := make([]byte, to-from)
	if err := s.file.readAt(b, from); err != nil {
		return nil, err
	}
	extent := &s.table.extents[e]
	if entries, ok = decodeIndex(b, streamSeed(s.seed, extent.Stream, nil), extent); !ok {
		return nil, s.file.damage(from, "an index does not match its checksum")
	}
	s.indexes[e] = entries
	return entries, nil
}

// DropIndexes frees what has been loaded of the indexes: 16 bytes for each 64 KiB of the extents that were read from
// elsewhere than their beginning. They are loaded again when they are needed.
func (s *Segment) DropIndexes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.indexes)
}

// Close closes the file.
func (s *Segment) Close() error { return s.file.Close() }
