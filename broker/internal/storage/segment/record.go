package segment

import (
	"encoding/binary"
	"math"

	"github.com/warrenmq/warren/broker/internal/storage/block"
)

// Record is a record of a stream in a segment.
type Record struct {
	Seq       uint64 // above 0
	Deadline  int64  // 0 is none
	Transient bool

	// Block is the record's payload as a whole block, header and all, as package block has it. What a Cursor shows is a view
	// that is valid until the cursor's next call. It is nil where the payload lies in another file.
	Block []byte
	// At says where that block lies. On writing it is looked at only when Block is nil.
	At Location
}

// Location says where a payload lies. What is found there is held to its length and to the checksum that it has itself; that
// it is the very one, and not another of the same length in its place, rests on files that do not change.
type Location struct {
	File   uint64 // the number of a file of the folder, above 0
	Offset int64  // of the first byte of the block
	Len    uint32 // of the payload, without the block's header
}

// end is where the block ends. It does not overflow for locations that are valid.
func (l Location) end() int64 { return l.Offset + block.Header + int64(l.Len) }

// valid says whether it can be the place of a block in any file.
func (l Location) valid() bool {
	return l.File != 0 && l.Offset >= 0 && l.Offset < math.MaxInt64/2 && l.Len <= maxPayload
}

// An extent is its header, and the records of one stream in the order of their numbers. Both begin alike:
//
//	 0         4    5         8                 16
//	+---------+----+---------+-----------------+
//	| crc32c  | 0  | "EXT"   | stream          |
//	| u32     | u8 |         | u64             |
//	+---------+----+---------+-----------------+
//
//	 0         4    5         8                 16
//	+---------+----+---------+-----------------+ - - - - - - - - +---------+---------+---------+
//	| crc32c  |flag| "REC"   | seq             | deadline        | crc32c  | len     | payload |
//	| u32     | u8 |         | u64             | i64             | u32     | u32     |         |
//	+---------+----+---------+-----------------+ - - - - - - - - +---------+---------+---------+
//	          :<------------ the record's crc32c ------------------------->:
//
// The deadline is there only with its flag. Behind it follows the block, verbatim; or, with the flag elsewhere, the place
// where that is, of which the record's checksum covers everything:
//
//	+-----------------+-----------------+---------+
//	| file            | offset          | len     |
//	| u64             | u64             | u32     |
//	+-----------------+-----------------+---------+
//
// The record's checksum covers the block's header, so the length of a payload is known even where the payload is damaged,
// and a record cannot have another one's payload. It starts from the stream's seed, which is the file's with the stream's
// id, an extent's checksum from the file's; and both from where they stand (placed), so that what is whole, but in the
// wrong place, is not taken for what was written there.
const (
	prefixSize  = 16
	recordMagic = "REC"
	extentMagic = "EXT"

	flagTransient = 1
	flagDeadline  = 2
	flagElsewhere = 4

	placeSize = 20
	// minRecord and maxHead are the least size of a record and the most that is needed to know what its header says.
	minRecord = prefixSize + block.Header
	maxHead   = prefixSize + 8 + placeSize
)

// streamSeed is what the checksums of a stream's records start from. scratch is room for a few bytes, which would be
// allocated otherwise.
func streamSeed(seed uint32, stream uint64, scratch []byte) uint32 {
	return block.Checksum(seed, binary.LittleEndian.AppendUint64(scratch[:0], stream))
}

// placed is a seed for what stands at an offset.
func placed(seed uint32, off int64) uint32 { return seed ^ uint32(off) }

// appendExtent appends an extent's header. Its seed, like those of the other three, is placed already.
func appendExtent(dst []byte, seed uint32, stream uint64) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0)
	dst = append(dst, extentMagic...)
	dst = binary.LittleEndian.AppendUint64(dst, stream)
	binary.LittleEndian.PutUint32(dst[at:], block.Checksum(seed, dst[at+4:]))
	return dst
}

// decodeExtent reads the extent's header that b begins with; ok says whether it is one of the file with that seed.
func decodeExtent(b []byte, seed uint32) (stream uint64, ok bool) {
	if len(b) < prefixSize || b[4] != 0 || string(b[5:8]) != extentMagic {
		return 0, false
	}
	le := binary.LittleEndian
	return le.Uint64(b[8:]), le.Uint32(b) == block.Checksum(seed, b[4:prefixSize])
}

// appendRecord appends a record's header and, of an inline one, the block's header, which is part of the checksum.
func appendRecord(dst []byte, seed uint32, r *Record) []byte {
	le := binary.LittleEndian
	at := len(dst)
	var flags byte
	if r.Transient {
		flags |= flagTransient
	}
	if r.Deadline != 0 {
		flags |= flagDeadline
	}
	if r.Block == nil {
		flags |= flagElsewhere
	}
	dst = append(dst, 0, 0, 0, 0, flags)
	dst = append(dst, recordMagic...)
	dst = le.AppendUint64(dst, r.Seq)
	if r.Deadline != 0 {
		dst = le.AppendUint64(dst, uint64(r.Deadline))
	}
	if r.Block == nil {
		dst = le.AppendUint64(dst, r.At.File)
		dst = le.AppendUint64(dst, uint64(r.At.Offset))
		dst = le.AppendUint32(dst, r.At.Len)
	} else {
		dst = append(dst, r.Block[:block.Header]...)
	}
	le.PutUint32(dst[at:], block.Checksum(seed, dst[at+4:]))
	return dst
}

// recordHead is what is known of a record without its payload.
type recordHead struct {
	seq       uint64
	deadline  int64
	transient bool
	elsewhere bool
	at        Location // of the payload; of an inline one Offset counts from the record's first byte, and there is no File
	size      int64    // of the record as it lies in the extent, payload and all
}

// decode reads the header of the record that b begins with; maxHead bytes are enough of it. ok says whether it is one of
// the stream with that seed.
func (h *recordHead) decode(b []byte, seed uint32) (ok bool) {
	if len(b) < minRecord || string(b[5:8]) != recordMagic {
		return false
	}
	le := binary.LittleEndian
	flags := b[4]
	n := prefixSize
	if flags&flagDeadline != 0 {
		n += 8
	}
	inline := n
	if flags&flagElsewhere != 0 {
		n += placeSize
	} else {
		n += block.Header
	}
	if len(b) < n || le.Uint32(b) != block.Checksum(seed, b[4:n]) || flags&^(flagTransient|flagDeadline|flagElsewhere) != 0 {
		return false
	}
	h.seq = le.Uint64(b[8:])
	h.deadline = 0
	if flags&flagDeadline != 0 {
		h.deadline = int64(le.Uint64(b[prefixSize:]))
	}
	h.transient = flags&flagTransient != 0
	h.elsewhere = flags&flagElsewhere != 0
	if h.elsewhere {
		h.at = Location{
			File:   le.Uint64(b[inline:]),
			Offset: int64(le.Uint64(b[inline+8:])),
			Len:    le.Uint32(b[inline+16:]),
		}
		h.size = int64(n)
		return h.at.valid()
	}
	h.at = Location{Offset: int64(inline), Len: le.Uint32(b[inline+4:])}
	h.size = int64(n) + int64(h.at.Len)
	return h.at.Len <= maxPayload
}
