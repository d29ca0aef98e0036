// Package block is the form in which payloads lie in journals and in segments alike: behind their length and a checksum,
// which they keep when they are copied from one to the other. So what is read is what was written, wherever it has been.
//
//	 0          4          8
//	+----------+----------+---------+
//	| crc32c   | len      | payload |
//	| u32 le   | u32 le   |         |
//	+----------+----------+---------+
//
// The checksum covers the length and the payload.
package block

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// Header is how many bytes stand before the payload.
const Header = 8

// ErrDamaged is returned for bytes that are no block.
var ErrDamaged = errors.New("block: the checksum does not match")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the sum that all files of the store use: CRC-32C, going on from seed.
func Checksum(seed uint32, b []byte) uint32 { return crc32.Update(seed, castagnoli, b) }

// Size is how many bytes a block with a payload of n bytes has.
func Size(n int) int { return Header + n }

// Reserve makes room for a block with a payload of n bytes behind dst and returns dst with it, and the room for the payload.
// After that is filled, Seal.
func Reserve(dst []byte, n int) (extended, payload []byte) {
	at := len(dst)
	if cap(dst)-at < Header+n {
		dst = append(dst, make([]byte, Header+n)...)
	} else {
		dst = dst[:at+Header+n]
	}
	binary.LittleEndian.PutUint32(dst[at+4:], uint32(n))
	return dst, dst[at+Header:]
}

// Seal sets the checksum of the block that begins at b[0].
func Seal(b []byte) {
	n := binary.LittleEndian.Uint32(b[4:])
	binary.LittleEndian.PutUint32(b, Checksum(0, b[4:Header+n]))
}

// Len returns how long the payload of the block is that begins at b[0], of which Header bytes are enough.
func Len(b []byte) int { return int(binary.LittleEndian.Uint32(b[4:])) }

// Open returns the payload of the block that begins at b[0], which is as long as b or shorter.
func Open(b []byte) ([]byte, error) {
	if len(b) < Header || uint64(len(b)) < Header+uint64(binary.LittleEndian.Uint32(b[4:])) {
		return nil, ErrDamaged
	}
	end := Header + Len(b)
	if Checksum(0, b[4:end]) != binary.LittleEndian.Uint32(b) {
		return nil, ErrDamaged
	}
	return b[Header:end:end], nil
}
