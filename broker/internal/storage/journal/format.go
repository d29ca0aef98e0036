package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage/block"
)

// A file is its header and frames. All numbers are little endian, all checksums CRC-32C.
//
//	 0                 8         12        16                24
//	+-----------------+---------+---------+-----------------+-----------------+
//	| "WRNJRNL1"      | version | flags   | number          | salt            |
//	|                 | u32     | u32     | u64             | u64             |
//	+-----------------+---------+---------+-----------------+-----------------+
//	 32                40                48                 56        60       64
//	+-----------------+-----------------+-----------------+---------+---------+
//	| previous file   | its end         | first frame     | 0       | crc32c  |
//	| u64             | u64             | u64             | u32     | u32     |
//	+-----------------+-----------------+-----------------+---------+---------+
//
// number is the file's own, as in its name. The previous file, 0 for none, is complete and synced up to its end; what lies
// behind that is not of the journal. first frame is the number that the file's first frame has. The checksum covers what
// stands before it.
//
// The salt is drawn anew for every file and is part of all checksums of its frames. So the remains of an earlier life of
// the file are not taken for frames, and nor is a message whose payload looks like one: nobody outside knows the salt.
const (
	fileMagic  = "WRNJRNL1"
	fileHeader = 64
	version    = 1

	// flagReused: the file held something else before, which may stand behind the last frame.
	flagReused = 1
)

// fileHead is the header of a file.
type fileHead struct {
	reused      bool
	number      uint64
	salt        uint64
	previous    uint64
	previousEnd int64
	first       uint64
}

func (h *fileHead) encode(b *[fileHeader]byte) {
	le := binary.LittleEndian
	copy(b[:], fileMagic)
	le.PutUint32(b[8:], version)
	le.PutUint32(b[12:], 0)
	if h.reused {
		le.PutUint32(b[12:], flagReused)
	}
	le.PutUint64(b[16:], h.number)
	le.PutUint64(b[24:], h.salt)
	le.PutUint64(b[32:], h.previous)
	le.PutUint64(b[40:], uint64(h.previousEnd))
	le.PutUint64(b[48:], h.first)
	le.PutUint32(b[56:], 0)
	le.PutUint32(b[60:], block.Checksum(0, b[:60]))
}

var errFileHead = errors.New("the file's header is not whole")

// decodeFileHead reads a header of any version that is known.
func decodeFileHead(b []byte) (h fileHead, err error) {
	le := binary.LittleEndian
	if len(b) < fileHeader || !bytes.Equal(b[:8], []byte(fileMagic)) {
		return h, errFileHead
	}
	if v := le.Uint32(b[8:]); v > version {
		return h, versionError(v) // its checksum may lie elsewhere
	}
	if le.Uint32(b[8:]) == 0 || le.Uint32(b[60:]) != block.Checksum(0, b[:60]) {
		return h, errFileHead
	}
	h = fileHead{
		reused:      le.Uint32(b[12:])&flagReused != 0,
		number:      le.Uint64(b[16:]),
		salt:        le.Uint64(b[24:]),
		previous:    le.Uint64(b[32:]),
		previousEnd: int64(le.Uint64(b[40:])),
		first:       le.Uint64(b[48:]),
	}
	if h.first == 0 || h.previous >= h.number || h.previousEnd < 0 || h.previous != 0 && h.previousEnd < fileHeader {
		return h, errFileHead
	}
	return h, nil
}

// versionError says that a file is younger than this program.
type versionError uint32

func (v versionError) Error() string {
	return fmt.Sprintf("journal: the file has format version %d, this program knows versions up to %d", uint32(v), version)
}

// seed is what the checksums of the file's frames start from.
func (h *fileHead) seed() uint32 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], h.number)
	binary.LittleEndian.PutUint64(b[8:], h.salt)
	return block.Checksum(0, b[:])
}

// A frame is its header and units, each behind its length; units follow one another and fill the frame exactly.
//
//	 0         4         8         12        16
//	+---------+---------+---------+---------+-----------------+
//	| magic   | crc32c  | crc32c  | length  | number          |
//	| "WFRM"  | header  | payload | u32     | u64             |
//	+---------+---------+---------+---------+-----------------+
//	 24                32        36         40
//	+-----------------+---------+---------+----------+-------+-----
//	| synced          | units   | 0       | length   | unit  | ...
//	| u64             | u32     | u32     | u32      |       |
//	+-----------------+---------+---------+----------+-------+-----
//
// The header's checksum covers what follows it in the header, the payload's checksum length bytes behind the header; both
// start from the file's seed. The header has one of its own so that what it says can be believed where the payload is torn,
// and so that looking for headers in 32 MiB of anything takes no longer than reading them. number goes up by one from frame
// to frame. synced is up to where the file was known to be synced when the frame was written.
const (
	frameMagic  = "WFRM"
	frameHeader = 40
	unitHeader  = 4

	// maxUnit keeps every length and every offset within a frame well inside of 32 bits.
	maxUnit = 1 << 30
)

// frameHead is the header of a frame.
type frameHead struct {
	payloadSum uint32
	length     uint32
	number     uint64
	synced     int64
	units      uint32
}

func (h *frameHead) encode(b []byte, seed uint32) {
	le := binary.LittleEndian
	_ = b[:frameHeader]
	copy(b, frameMagic)
	le.PutUint32(b[8:], h.payloadSum)
	le.PutUint32(b[12:], h.length)
	le.PutUint64(b[16:], h.number)
	le.PutUint64(b[24:], uint64(h.synced))
	le.PutUint32(b[32:], h.units)
	le.PutUint32(b[36:], 0)
	le.PutUint32(b[4:], block.Checksum(seed, b[8:frameHeader]))
}

// decodeFrameHead reads the header at b[0], which is as long as a header at least; ok says whether it is one of this file.
func decodeFrameHead(b []byte, seed uint32) (h frameHead, ok bool) {
	le := binary.LittleEndian
	h = frameHead{
		payloadSum: le.Uint32(b[8:]),
		length:     le.Uint32(b[12:]),
		number:     le.Uint64(b[16:]),
		synced:     int64(le.Uint64(b[24:])),
		units:      le.Uint32(b[32:]),
	}
	return h, string(b[:4]) == frameMagic && le.Uint32(b[4:]) == block.Checksum(seed, b[8:frameHeader])
}

const (
	journalSuffix = ".journal"
	spareSuffix   = ".spare"
)

// Name returns the name of a journal file within its folder.
func Name(number uint64) string { return fmt.Sprintf("%06d%s", number, journalSuffix) }

// Number returns the number of the journal file of that name; ok is false for names of anything else.
func Number(name string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, journalSuffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, err == nil && Name(number) == name
}
