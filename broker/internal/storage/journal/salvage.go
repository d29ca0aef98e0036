package journal

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Salvage reads what can be read of a journal that Open refuses. It changes nothing. replay is called as by Open, with the
// units of every frame that is whole, also behind damage; lost with what is not, and how many bytes that is. Both are
// called in the order of the files. What a crash has torn, and nobody was told is durable, is among what is lost.
//
// An error is one of reading, or of replay; one of a younger version; never damage.
func Salvage(fs vfs.FS, dir string, files []uint64, replay func(file uint64, off int64, unit []byte) error, lost func(what *storage.DamageError, bytes int64)) error {
	heads := make([]fileHead, len(files))
	for i, number := range files {
		var err error
		var damage *storage.DamageError
		if heads[i], err = readHead(fs, dir, number); err != nil && !errors.As(err, &damage) {
			return err
		} else if err != nil {
			heads[i] = fileHead{} // without its salt nothing in the file can be told from anything else
		}
	}
	for i, number := range files {
		bound := int64(-1)
		if i+1 < len(heads) && heads[i+1].previous == number {
			bound = heads[i+1].previousEnd
		}
		if err := salvageFile(fs, dir, number, heads[i], bound, replay, lost); err != nil {
			return err
		}
	}
	return nil
}

// Previous returns the number of the file that a file was begun behind, as its header says; 0 for none.
func Previous(fs vfs.FS, dir string, number uint64) (uint64, error) {
	h, err := readHead(fs, dir, number)
	return h.previous, err
}

func salvageFile(fs vfs.FS, dir string, number uint64, h fileHead, bound int64, replay func(uint64, int64, []byte) error, lost func(*storage.DamageError, int64)) error {
	disk, err := fs.Open(filepath.Join(dir, Name(number)))
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer disk.Close()
	length, err := disk.Size()
	if err != nil {
		return fmt.Errorf("journal: %s: %w", Name(number), err)
	}
	if h.number == 0 {
		lost(&storage.DamageError{File: Name(number), What: errFileHead.Error()}, length)
		return nil
	}
	r := &reader{head: h, seed: h.seed(), disk: disk, length: length}
	if bound >= 0 {
		r.length = min(bound, length)
	}
	at, next := int64(fileHeader), h.first
	for {
		found, fh, payload, err := r.search(at, next)
		if err != nil {
			return err
		}
		if payload == nil {
			break
		}
		if found > at {
			lost(&storage.DamageError{File: Name(number), Offset: at, What: fmt.Sprintf("no frame %d; the next one is frame %d at byte %d", next, fh.number, found)}, found-at)
		}
		var damage *storage.DamageError
		at, next = found+frameHeader+int64(fh.length), fh.number+1
		if err := r.units(found, fh, payload, replay); errors.As(err, &damage) {
			lost(damage, at-damage.Offset)
		} else if err != nil {
			return err
		}
	}
	var damage *storage.DamageError
	torn, err := r.tail(at, next)
	switch {
	case errors.As(err, &damage):
		lost(damage, r.length-at)
	case err != nil:
		return err
	case bound > at:
		lost(&storage.DamageError{File: Name(number), Offset: at, What: fmt.Sprintf("no frame %d, and the next file says that this one is complete up to byte %d", next, bound)}, bound-at)
	case torn > 0:
		lost(&storage.DamageError{File: Name(number), Offset: at, What: fmt.Sprintf("no whole frame %d: torn by a crash", next)}, torn)
	}
	return nil
}

// search returns the first whole frame from off on whose number is next or above, with a nil payload when there is none.
func (r *reader) search(off int64, next uint64) (at int64, h frameHead, payload []byte, err error) {
	for r.length-off >= frameHeader {
		b, err := r.window(off, min(readAhead, r.length-off))
		if err != nil {
			return 0, h, nil, err
		}
		d := bytes.Index(b, []byte(frameMagic))
		if d < 0 {
			off += int64(len(b)) - int64(len(frameMagic)) + 1
			continue
		}
		off += int64(d)
		b, err = r.window(off, frameHeader)
		if b == nil {
			return 0, h, nil, err
		}
		if h, ok := decodeFrameHead(b, r.seed); ok && h.number >= next {
			if _, payload, err := r.frame(off, h.number); payload != nil || err != nil && !errors.As(err, new(*storage.DamageError)) {
				return off, h, payload, err
			}
		}
		off++
	}
	return 0, h, nil, nil
}
