package segment

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/warrenmq/warren/broker/internal/storage/block"
)

// An extent that is longer than indexSpacing has an index: for each record that begins that far behind the last one that
// has an entry, or behind the first, its number and offset as varints, as differences from the entry before, or from
// the first record. At the end stands a checksum that starts from the stream's seed.
//
//	+---------+--------+---------+--------+-----+---------+
//	| seq     | offset | seq     | offset | ... | crc32c  |
//	| varint  | varint | varint  | varint |     | u32     |
//	+---------+--------+---------+--------+-----+---------+
const indexSpacing = 64 << 10

// entry says where a record is.
type entry struct {
	seq uint64
	off int64
}

func (e entry) append(dst []byte, before entry) []byte {
	dst = binary.AppendUvarint(dst, e.seq-before.seq)
	return binary.AppendUvarint(dst, uint64(e.off-before.off))
}

// decodeIndex reads the index of an extent. What it says is possible if ok.
func decodeIndex(b []byte, seed uint32, e *Extent) (entries []entry, ok bool) {
	if len(b) < 4 {
		return nil, false
	}
	b, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if block.Checksum(seed, b) != sum {
		return nil, false
	}
	before := entry{e.First, e.Offset + prefixSize}
	// Entries that make sense are never more than this, whatever the length of b.
	entries = make([]entry, 0, min(int64(len(b)/2), e.Length/indexSpacing+1))
	for len(b) > 0 {
		seq, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, false
		}
		off, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return nil, false
		}
		b = b[n+m:]
		if seq == 0 || seq > e.Last-before.seq || off < indexSpacing || off > uint64(e.Offset+e.Length-before.off) {
			return nil, false
		}
		before = entry{before.seq + seq, before.off + int64(off)}
		entries = append(entries, before)
	}
	return entries, true
}

// seek returns the last record with an entry whose number is not above seq; start if there is none.
func seek(entries []entry, start entry, seq uint64) entry {
	i, found := slices.BinarySearchFunc(entries, seq, func(e entry, seq uint64) int { return cmp.Compare(e.seq, seq) })
	switch {
	case found:
		return entries[i]
	case i > 0:
		return entries[i-1]
	}
	return start
}
