package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Recovery is what was found in the files of a journal.
type Recovery struct {
	Files  int
	Frames int
	Units  int
	Bytes  int64          // of frames
	Last   storage.Ticket // the number of the last frame; 0 when there is none

	// TornFile is the file whose end a crash has torn, 0 for none. TornBytes is how much was cut from TornAt on, as far as
	// can be told: where the file had held something else before, no more than what the torn frame's own header says.
	TornFile  uint64
	TornAt    int64
	TornBytes int64
}

// Scan reads the files of a journal as Open does, and changes nothing.
func Scan(fs vfs.FS, dir string, files []uint64, next storage.Ticket, replay func(file uint64, off int64, unit []byte) error) (Recovery, error) {
	_, rec, err := scan(fs, dir, files, next, replay)
	return rec, err
}

// foundFile is a file as a recovery found it.
type foundFile struct {
	number uint64
	end    int64 // of its last frame
	length int64
}

func scan(fs vfs.FS, dir string, files []uint64, next storage.Ticket, replay func(uint64, int64, []byte) error) (found []foundFile, rec Recovery, err error) {
	if !slices.IsSorted(files) {
		return nil, rec, fmt.Errorf("journal: the files %d are not in order", files)
	}
	// Where a file ends is known from its successor, so the headers come first.
	heads := make([]fileHead, len(files))
	for i, number := range files {
		if heads[i], err = readHead(fs, dir, number); err != nil {
			return nil, rec, err
		}
		if i > 0 {
			if err := follows(heads[i-1], heads[i]); err != nil {
				return nil, rec, err
			}
		}
	}
	expected := uint64(0) // number of the next frame; 0: any
	for i, h := range heads {
		if h.first > max(expected, uint64(next), 1) || h.first < expected {
			return nil, rec, &storage.DamageError{File: Name(h.number), Offset: 0, What: fmt.Sprintf(
				"its first frame is %d, after frame %d: a file is missing", h.first, max(expected, uint64(next), 1)-1)}
		}
		bound := int64(-1)
		if i+1 < len(heads) && heads[i+1].previous == h.number {
			bound = heads[i+1].previousEnd
		}
		f, err := scanFile(fs, dir, h, bound, &rec, replay)
		if err != nil {
			return nil, rec, err
		}
		found = append(found, f)
		expected = h.first
		if rec.Last != 0 {
			expected = max(expected, uint64(rec.Last)+1)
		}
	}
	rec.Files = len(found)
	return found, rec, nil
}

// readHead reads the header of a file.
func readHead(fs vfs.FS, dir string, number uint64) (fileHead, error) {
	f, err := fs.Open(filepath.Join(dir, Name(number)))
	if err != nil {
		return fileHead{}, fmt.Errorf("journal: %w", err)
	}
	defer f.Close()
	var b [fileHeader]byte
	if n, err := f.ReadAt(b[:], 0); n < len(b) && !errors.Is(err, io.EOF) {
		return fileHead{}, fmt.Errorf("journal: reading %s: %w", Name(number), err)
	}
	h, err := decodeFileHead(b[:])
	var v versionError
	switch {
	case errors.As(err, &v):
		return h, fmt.Errorf("%s: %w", Name(number), err)
	case err != nil:
		return h, &storage.DamageError{File: Name(number), Offset: 0, What: err.Error()}
	case h.number != number:
		return h, &storage.DamageError{File: Name(number), Offset: 0, What: fmt.Sprintf("its header is that of %s", Name(h.number))}
	}
	return h, nil
}

// follows says whether b may be the next file after a. Between them there may have been others, whose frames scan looks
// after.
func follows(a, b fileHead) error {
	if b.number > a.number && b.previous >= a.number {
		return nil
	}
	return &storage.DamageError{File: Name(b.number), Offset: 0, What: fmt.Sprintf("it follows file %d, not %d", b.previous, a.number)}
}

// scanFile replays a file. bound is where its successor says that it ends, -1 when there is none.
func scanFile(fs vfs.FS, dir string, h fileHead, bound int64, rec *Recovery, replay func(uint64, int64, []byte) error) (foundFile, error) {
	disk, err := fs.Open(filepath.Join(dir, Name(h.number)))
	if err != nil {
		return foundFile{}, fmt.Errorf("journal: %w", err)
	}
	defer disk.Close()
	length, err := disk.Size()
	if err != nil {
		return foundFile{}, fmt.Errorf("journal: %s: %w", Name(h.number), err)
	}
	r := &reader{head: h, seed: h.seed(), disk: disk, length: length}
	if bound > length {
		return foundFile{}, r.damage(length, fmt.Sprintf("it ends here, and had %d bytes", bound))
	}
	if bound >= 0 {
		r.length = bound // what lies behind it was cut by an earlier recovery
	}
	at, number := int64(fileHeader), h.first
	for {
		fh, payload, err := r.frame(at, number)
		if err != nil {
			return foundFile{}, err
		}
		if payload == nil {
			break
		}
		if err := r.units(at, fh, payload, replay); err != nil {
			return foundFile{}, err
		}
		rec.Frames++
		rec.Units += int(fh.units)
		rec.Bytes += frameHeader + int64(fh.length)
		rec.Last = storage.Ticket(number)
		at += frameHeader + int64(fh.length)
		number++
	}
	switch {
	case bound >= 0 && at < bound:
		return foundFile{}, r.damage(at, fmt.Sprintf("no frame %d, and the next file says that this one is complete up to byte %d", number, bound))
	case bound < 0:
		torn, err := r.tail(at, number)
		if err != nil {
			return foundFile{}, err
		}
		if torn > 0 {
			rec.TornFile, rec.TornAt, rec.TornBytes = h.number, at, torn
		}
	}
	return foundFile{h.number, at, length}, nil
}

// reader reads one file, a good deal at a time.
type reader struct {
	head   fileHead
	seed   uint32
	disk   io.ReaderAt
	length int64 // where to stop

	buf []byte // what lies from at on
	at  int64
}

// readAhead is how much is read at once where frames are smaller.
const readAhead = 256 << 10

// window returns the n bytes at off, or nil where the file is shorter. They are valid until the next call. As nothing
// longer than the file is asked for, the file bounds the memory.
func (r *reader) window(off, n int64) ([]byte, error) {
	if off < 0 || n > r.length-off {
		return nil, nil
	}
	if off < r.at || off+n > r.at+int64(len(r.buf)) {
		want := min(max(n, readAhead), r.length-off)
		r.buf = slices.Grow(r.buf[:0], int(want))[:want]
		r.at = off
		if got, err := r.disk.ReadAt(r.buf, off); int64(got) < want {
			r.buf = r.buf[:0]
			return nil, fmt.Errorf("journal: reading %s at %d: %w", Name(r.head.number), off, err)
		}
	}
	return r.buf[off-r.at:][:n], nil
}

func (r *reader) damage(off int64, what string) error {
	return &storage.DamageError{File: Name(r.head.number), Offset: off, What: what}
}

// frame returns the frame with that number at off, or a nil payload when there is no whole one.
func (r *reader) frame(off int64, number uint64) (h frameHead, payload []byte, err error) {
	b, err := r.window(off, frameHeader)
	if b == nil {
		return h, nil, err
	}
	h, ok := decodeFrameHead(b, r.seed)
	if !ok {
		return h, nil, nil
	}
	if h.number != number || h.synced > off || h.synced < fileHeader {
		// A checksum that is right, so this was written: by something that is no journal.
		return h, nil, r.damage(off, fmt.Sprintf("frame %d, synced up to %d, where frame %d belongs", h.number, h.synced, number))
	}
	b, err = r.window(off, frameHeader+int64(h.length))
	if b == nil {
		return h, nil, err
	}
	if block.Checksum(r.seed, b[frameHeader:]) != h.payloadSum {
		return h, nil, nil
	}
	return h, b[frameHeader:], nil
}

// units replays those of a frame.
func (r *reader) units(off int64, h frameHead, payload []byte, replay func(uint64, int64, []byte) error) error {
	off += frameHeader
	for range h.units {
		if len(payload) < unitHeader || uint64(binary.LittleEndian.Uint32(payload)) > uint64(len(payload)-unitHeader) {
			return r.damage(off, fmt.Sprintf("no unit, in frame %d of %d", h.number, h.units))
		}
		n := unitHeader + int(binary.LittleEndian.Uint32(payload))
		if err := replay(r.head.number, off+unitHeader, payload[unitHeader:n:n]); err != nil {
			return err
		}
		off, payload = off+int64(n), payload[n:]
	}
	if len(payload) != 0 {
		return r.damage(off, fmt.Sprintf("%d bytes behind the units of frame %d", len(payload), h.number))
	}
	return nil
}

// tail looks at what stands where no whole frame with that number begins, at off, in the last file. Either it is what a
// crash left of frames that were not synced: how much, as far as can be told. Or a later frame says that more was synced:
// that is damage.
func (r *reader) tail(off int64, number uint64) (torn int64, err error) {
	if torn, err = r.tornFrame(off, number); err != nil {
		return 0, err
	}
	const overlap = frameHeader - 1
	for from := off; r.length-from > 0; {
		n := min(readAhead, r.length-from)
		b, err := r.window(from, n)
		if err != nil {
			return 0, err
		}
		for i := 0; i+frameHeader <= len(b); i++ {
			d := bytes.Index(b[i:], []byte(frameMagic))
			if d < 0 || i+d+frameHeader > len(b) {
				break
			}
			i += d
			h, ok := decodeFrameHead(b[i:], r.seed)
			if !ok || h.number < number {
				continue
			}
			at := from + int64(i)
			if h.synced > off {
				return 0, r.damage(off, fmt.Sprintf("no frame %d, and frame %d at %d says that the file was synced up to %d", number, h.number, at, h.synced))
			}
			torn = max(torn, min(at+frameHeader+int64(h.length), r.length)-off)
		}
		if !r.head.reused {
			// Nothing was here before: whatever is not zero belongs to what was torn.
			if some := len(bytes.TrimRight(b, "\x00")); some > 0 {
				torn = max(torn, from-off+int64(some))
			}
		}
		if n < readAhead {
			break
		}
		from += n - overlap
	}
	return torn, nil
}

// tornFrame returns how long the frame at off was to be, as far as what is left of it tells; 0 when nothing says that
// there was one. A bit that is not as it should be leaves either its number or its checksums.
func (r *reader) tornFrame(off int64, number uint64) (int64, error) {
	b, err := r.window(off, frameHeader)
	if b == nil {
		return max(r.length-off, 0), err // not even a header
	}
	h, ok := decodeFrameHead(b, r.seed)
	n := min(frameHeader+int64(h.length), r.length-off)
	if ok || h.number == number {
		return n, nil
	}
	b, err = r.window(off, frameHeader+int64(h.length))
	if b == nil || block.Checksum(r.seed, b[frameHeader:]) != h.payloadSum {
		return 0, err
	}
	return n, nil
}
