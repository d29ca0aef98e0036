package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// FuzzReplay reads a journal's only file, which is anything. If mend, checksums are put right first, where there is
// something like a header: so what stands in headers is tried, too.
func FuzzReplay(f *testing.F) {
	o := newOwner(f, vfs.NewMemory(), manual(2<<10))
	o.mustOpen(0, 1)
	for i := range 8 {
		o.append(i*30, true)
		o.append(3, true)
		o.commit()
	}
	whole := readAll(f, o.c.FS, Name(1))
	o.j.Close()
	f.Add(whole, true)
	f.Add(whole, false)
	f.Add(whole[:len(whole)-9], true)
	f.Add(slices.Concat(whole[:500], make([]byte, 600), whole[500:]), true)
	f.Add(whole[:fileHeader], true)
	f.Add([]byte{}, false)

	f.Fuzz(func(t *testing.T, file []byte, mend bool) {
		if mend {
			file = mended(file)
		}
		disk := vfs.NewMemory()
		if err := disk.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
		w, err := disk.Create(filepath.Join(dir, Name(1)))
		if err != nil {
			t.Fatal(err)
		}
		w.WriteAt(file, 0)
		w.Close()

		if err := Salvage(disk, dir, []uint64{1}, func(_ uint64, off int64, unit []byte) error {
			if !bytes.HasPrefix(file[off:], unit) {
				t.Fatalf("salvaged a unit at %d that is not there", off)
			}
			return nil
		}, func(what *storage.DamageError, bytes int64) {
			if what.Offset < 0 || bytes < 0 || what.Offset+bytes > int64(len(file)) {
				t.Fatalf("%d bytes are lost: %v", bytes, what)
			}
		}); err != nil && !errors.As(err, new(versionError)) {
			t.Fatal(err)
		}

		o := newOwner(t, disk, manual(2<<10))
		got, rec, err := o.open(0, 1)
		if err != nil {
			return
		}
		if rec.Units != len(got) || rec.Bytes > int64(len(file)) || rec.TornAt > int64(len(file)) || rec.TornAt+rec.TornBytes > int64(len(file)) {
			t.Fatalf("%d units, %+v in %d bytes", len(got), rec, len(file))
		}
		end := int64(fileHeader)
		for _, w := range got {
			if w.at.Offset < end || !bytes.HasPrefix(file[w.at.Offset:], w.unit) {
				t.Fatalf("a unit at %v that is not there", w.at)
			}
			end = w.at.Offset + int64(len(w.unit))
		}
		// Life goes on behind it.
		o.all = got
		o.append(100, true)
		o.commit()
		o.readable(o.all)
		if err := o.j.Close(); err != nil {
			t.Fatal(err)
		}
		got, again := o.mustOpen(0, 1)
		o.same(got, o.all)
		if again.TornFile != 0 {
			t.Fatalf("torn again: %+v", again)
		}
		o.j.Close()
	})
}

// mended returns a file with the checksums of its header and of the frames that follow.
func mended(file []byte) []byte {
	file = slices.Clone(file)
	if len(file) < fileHeader {
		return file
	}
	le := binary.LittleEndian
	le.PutUint32(file[60:], block.Checksum(0, file[:60]))
	h, err := decodeFileHead(file)
	if err != nil {
		return file
	}
	seed := h.seed()
	for b := file[fileHeader:]; len(b) >= frameHeader && string(b[:4]) == frameMagic; {
		n := frameHeader + int(le.Uint32(b[12:]))
		if n > len(b) {
			break
		}
		le.PutUint32(b[8:], block.Checksum(seed, b[frameHeader:n]))
		le.PutUint32(b[4:], block.Checksum(seed, b[8:frameHeader]))
		b = b[n:]
	}
	return file
}
