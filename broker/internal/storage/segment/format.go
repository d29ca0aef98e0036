package segment

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage/block"
)

// A file is its header, extents, indexes, the table and a footer, without a gap. All numbers are little endian, all
// checksums CRC-32C.
//
//	+--------+----------+----------+-----+---------+-----+-------+--------+
//	| header | extent 0 | extent 1 | ... | index 1 | ... | table | footer |
//	+--------+----------+----------+-----+---------+-----+-------+--------+
//	 0        40                          indexes         table   size-64
//
// The header has this form in all versions, so that a newer version can be told from damage:
//
//	 0                 8         12        16                24                32        36       40
//	+-----------------+---------+---------+-----------------+-----------------+---------+---------+
//	| "WRNSEGM1"      | version | 0       | number          | salt            | 0       | crc32c  |
//	|                 | u32     | u32     | u64             | u64             | u32     | u32     |
//	+-----------------+---------+---------+-----------------+-----------------+---------+---------+
//
// number is the file's own, as in its name. The salt is drawn anew for every file; with the number it is the seed of the
// checksums of extents and the table. So what belongs to another file is not taken for this one's, and nor is a payload
// that looks like a record when a damaged file is searched for what is left: nobody outside knows the salt.
//
// The footer says where things are. What header and footer both say is the same, so that one of them is enough to find the
// records of a damaged file:
//
//	 0         4         8                 16                24
//	+---------+---------+-----------------+-----------------+
//	| "WSGF"  | version | number          | salt            |
//	|         | u32     | u64             | u64             |
//	+---------+---------+-----------------+-----------------+
//	 24                32                40                48                56        60       64
//	+-----------------+-----------------+-----------------+-----------------+---------+---------+
//	| indexes         | table           | extents         | records         | crc32c  | crc32c  |
//	| offset u64      | offset u64      | how many, u64   | how many, u64   | table   | footer  |
//	+-----------------+-----------------+-----------------+-----------------+---------+---------+
//
// The checksums of header and footer cover what stands before them.
const (
	headerMagic = "WRNSEGM1"
	headerSize  = 40
	footerMagic = "WSGF"
	footerSize  = 64
	version     = 1

	// maxPayload keeps every length inside of 32 bits.
	maxPayload = 1 << 30
)

// header is the header of a file.
type header struct {
	version uint32
	number  uint64
	salt    uint64
}

func (h *header) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, headerSize)
	copy(b, headerMagic)
	le.PutUint32(b[8:], h.version)
	le.PutUint64(b[16:], h.number)
	le.PutUint64(b[24:], h.salt)
	le.PutUint32(b[36:], block.Checksum(0, b[:36]))
	return b
}

// decode reads the header that b is; ok says whether it is one, of whatever version.
func (h *header) decode(b []byte) (ok bool) {
	le := binary.LittleEndian
	*h = header{version: le.Uint32(b[8:]), number: le.Uint64(b[16:]), salt: le.Uint64(b[24:])}
	return string(b[:8]) == headerMagic && h.version > 0 && le.Uint32(b[36:]) == block.Checksum(0, b[:36])
}

// seed is what the checksums of the file's table and of its extents' headers start from.
func (h *header) seed() uint32 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], h.number)
	binary.LittleEndian.PutUint64(b[8:], h.salt)
	return block.Checksum(0, b[:])
}

// VersionError says that a file is younger than this program.
type VersionError struct {
	File    string // its name within the data folder
	Version uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has format version %d, this program knows versions up to %d", e.File, e.Version, version)
}

// footer is the footer of a file.
type footer struct {
	header
	indexes  int64 // where the records end
	table    int64 // where the indexes end
	extents  uint64
	records  uint64
	tableSum uint32
}

func (f *footer) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, footerSize)
	copy(b, footerMagic)
	le.PutUint32(b[4:], f.version)
	le.PutUint64(b[8:], f.number)
	le.PutUint64(b[16:], f.salt)
	le.PutUint64(b[24:], uint64(f.indexes))
	le.PutUint64(b[32:], uint64(f.table))
	le.PutUint64(b[40:], f.extents)
	le.PutUint64(b[48:], f.records)
	le.PutUint32(b[56:], f.tableSum)
	le.PutUint32(b[60:], block.Checksum(0, b[:60]))
	return b
}

// decode reads the footer that b is, of a file of that size; ok says whether it is one.
func (f *footer) decode(b []byte, size int64) (ok bool) {
	le := binary.LittleEndian
	*f = footer{
		header:   header{version: le.Uint32(b[4:]), number: le.Uint64(b[8:]), salt: le.Uint64(b[16:])},
		indexes:  int64(le.Uint64(b[24:])),
		table:    int64(le.Uint64(b[32:])),
		extents:  le.Uint64(b[40:]),
		records:  le.Uint64(b[48:]),
		tableSum: le.Uint32(b[56:]),
	}
	return string(b[:4]) == footerMagic && f.version > 0 && le.Uint32(b[60:]) == block.Checksum(0, b[:60]) &&
		headerSize <= f.indexes && f.indexes <= f.table && f.table <= size-footerSize
}

const (
	suffix = ".segment"
	// TempSuffix is what the name of a file has at its end while it is written. One that is found belongs to nobody.
	TempSuffix = ".tmp"
)

// Name returns the name of a segment within its folder.
func Name(number uint64) string { return fmt.Sprintf("%06d%s", number, suffix) }

// Number returns the number of the segment of that name; ok is false for names of anything else.
func Number(name string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, err == nil && Name(number) == name
}
