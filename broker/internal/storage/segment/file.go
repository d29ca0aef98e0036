package segment

import (
	"errors"
	"io"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// file is a file that is open for reading.
type file struct {
	vfs.File
	name string // within the folder
	size int64
}

func (f *file) damage(off int64, what string) error {
	return &storage.DamageError{File: f.name, Offset: off, What: what}
}

// readAt fills p. That there is not as much is damage: nothing is read that should not be there.
func (f *file) readAt(p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return f.damage(off+int64(n), "the file ends here")
	}
	return err
}

const (
	minAhead = 4 << 10
	midAhead = 64 << 10
	maxAhead = 256 << 10
	// keepBuffer is the largest buffer that is kept for the next extent.
	keepBuffer = 1 << 20
)

// window is the part of a file that is in memory, and moves on over it. It reads ahead the more the longer it is moved
// steadily, and little after a leap.
type window struct {
	f     *file
	limit int64 // where what may be read ends
	at    int64 // where buf lies
	buf   []byte
	ahead int
}

// reset sets the window on another part of a file, with nothing read. ahead is how much the first read is.
func (w *window) reset(f *file, limit int64, ahead int) {
	if cap(w.buf) > keepBuffer {
		w.buf = nil
	}
	*w = window{f: f, limit: limit, buf: w.buf[:0], ahead: ahead}
}

// view returns n bytes of the file, which do not go beyond limit, until the next call.
func (w *window) view(off int64, n int) ([]byte, error) {
	if i := off - w.at; i >= 0 && i+int64(n) <= int64(len(w.buf)) {
		return w.buf[i : i+int64(n) : i+int64(n)], nil
	}
	return w.move(off, n)
}

func (w *window) move(off int64, n int) ([]byte, error) {
	var kept []byte
	if end := w.at + int64(len(w.buf)); len(w.buf) > 0 {
		if off >= w.at && off-end <= int64(w.ahead) {
			w.ahead = min(2*w.ahead, maxAhead)
		} else {
			w.ahead = minAhead
		}
		if off >= w.at && off < end {
			kept = w.buf[off-w.at:]
		}
	}
	size := int(min(int64(max(n, w.ahead)), w.limit-off))
	to := w.buf[:0]
	if cap(to) < size {
		to = make([]byte, size)
	}
	m := copy(to[:size], kept)
	if err := w.f.readAt(to[m:size], off+int64(m)); err != nil {
		w.buf = to[:0]
		return nil, err
	}
	w.at, w.buf = off, to[:size]
	return w.buf[:n:n], nil
}
