package disk

import (
	"fmt"
	"path/filepath"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// large is from how many bytes on a payload may stay where it is when its file of the journal is copied.
const large = 64 << 10

// body is a file of the journal whose large payloads a segment points to. It belongs to that segment: it comes with
// it, and goes with it.
type body struct {
	number  uint64
	disk    vfs.File
	size    int64
	adopted bool // a checkpoint says whose it is, and the journal does not have it any more. lock: Store.work
}

func (st *Store) openBody(number uint64) (*body, error) {
	disk, err := st.fs.Open(filepath.Join(st.o.Dir, journal.Name(number)))
	if err != nil {
		return nil, err
	}
	size, err := disk.Size()
	if err != nil {
		_ = disk.Close()
		return nil, err
	}
	return &body{number: number, disk: disk, size: size}, nil
}

// read reads the block at a place, into buf if that has room for it.
func (b *body) read(at segment.Location, buf []byte) ([]byte, error) {
	n := block.Size(int(at.Len))
	if at.Offset < 0 || at.Offset > b.size-int64(n) {
		return buf, b.damage(at.Offset, fmt.Sprintf("no payload of %d bytes can be here", at.Len))
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if m, err := b.disk.ReadAt(buf, at.Offset); m < n {
		return buf, fmt.Errorf("disk: reading %s at %d: %w", journal.Name(b.number), at.Offset, err)
	}
	if payload, err := block.Open(buf); err != nil || len(payload) != int(at.Len) {
		return buf, b.damage(at.Offset, "a payload does not match its checksum")
	}
	return buf, nil
}

func (b *body) damage(off int64, what string) error {
	return &storage.DamageError{File: journal.Name(b.number), Offset: off, What: what}
}
