package journal

import (
	"encoding/binary"

	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// frame is one frame from its first unit until it is committed. While it is filled, mu owns it. On its way it belongs to
// step, and only its first frameHeader bytes change.
type frame struct {
	file   *file // where it goes, from start on; set with the first unit
	start  int64
	number uint64
	units  uint32
	urgent bool
	size   int64  // of header, units and their lengths
	data   []byte // that, without the units that are lent
	lent   []lent
	most   int // a decaying maximum of len(data)
}

// lent is a unit that is not copied.
type lent struct {
	at   int // it stands before data[at]
	unit []byte
}

func newFrame() *frame {
	return &frame{data: make([]byte, frameHeader, 16<<10), size: frameHeader}
}

// add appends a unit.
func (b *frame) add(unit []byte) {
	b.data = binary.LittleEndian.AppendUint32(b.data, uint32(len(unit)))
	if len(unit) < large {
		b.data = append(b.data, unit...)
	} else {
		b.lent = append(b.lent, lent{len(b.data), unit})
	}
	b.size += int64(unitHeader + len(unit))
	b.units++
}

// pieces yields the frame's bytes in order, with their offsets in the file.
func (b *frame) pieces(yield func(off int64, p []byte) bool) {
	from, off := 0, b.start
	for _, l := range b.lent {
		if !yield(off, b.data[from:l.at]) {
			return
		}
		off += int64(l.at - from)
		if !yield(off, l.unit) {
			return
		}
		off += int64(len(l.unit))
		from = l.at
	}
	if from < len(b.data) {
		yield(off, b.data[from:])
	}
}

// seal fills in the header.
func (b *frame) seal(seed uint32, synced int64) {
	h := frameHead{payloadSum: seed, length: uint32(b.size - frameHeader), number: b.number, synced: synced, units: b.units}
	for off, p := range b.pieces {
		if off == b.start {
			p = p[frameHeader:]
		}
		h.payloadSum = block.Checksum(h.payloadSum, p)
	}
	h.encode(b.data, seed)
}

// write writes the frame.
func (b *frame) write(f vfs.File) error {
	for off, p := range b.pieces {
		if _, err := f.WriteAt(p, off); err != nil {
			return err
		}
	}
	return nil
}

// copyTo copies what the frame has of the len(p) bytes from off on in its file, except for its header.
func (b *frame) copyTo(p []byte, off int64) {
	for at, piece := range b.pieces {
		if at == b.start {
			at, piece = at+frameHeader, piece[frameHeader:] // the committer may be writing the header
		}
		switch {
		case at >= off+int64(len(p)):
			return
		case at >= off:
			copy(p[at-off:], piece)
		case at+int64(len(piece)) > off:
			copy(p, piece[off-at:])
		}
	}
}

// reset makes the frame empty. A buffer that was needed once, and isn't any more, is given back.
func (b *frame) reset() {
	b.most = max(len(b.data), b.most-b.most/16)
	if cap(b.data) > 1<<20 && cap(b.data)/4 > b.most {
		b.data = make([]byte, frameHeader, 2*b.most)
	}
	clear(b.lent)
	*b = frame{data: b.data[:frameHeader], lent: b.lent[:0], size: frameHeader, most: b.most}
}
