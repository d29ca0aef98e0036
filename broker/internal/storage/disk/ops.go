package disk

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/warrenmq/warren/broker/internal/storage/block"
)

// A unit of the journal is one batch: its changes in their order, each behind a byte that says what it is. Numbers are
// unsigned varints where nothing else is said.
//
//	message     1            block                                        payload, as package block has it
//	to          2 | flags    stream, seq, [deadline: signed], back, check  a record whose payload is the block that begins
//	                                                                      back bytes before this change does
//	delivered   3            stream, seq
//	returned    4            stream, first seq, how many, deliveries
//	settle      5            stream, first seq, how many
//	truncate    6            stream, from, to - from
//	drop        7            stream
//	put         8            length of the key, key, length of the value, value
//	delete      9            length of the key, key
//
// A record is read from where its "to" stands, while its file is there; check, the lower 16 bits (little endian) of
// the CRC-32C of what stands before it in the change, tells that this is one still.
type kind uint8

const (
	opMessage kind = iota + 1
	opTo
	opDelivered
	opReturned
	opSettle
	opTruncate
	opDrop
	opPut
	opDelete

	kindMask      = 0x0f
	flagShared    = 0x10 // of a message: more than one "to" points to it
	flagDeadline  = 0x10 // of a "to": it has a deadline
	flagTransient = 0x20 // of a "to": it is transient
)

// maxTo is how long a "to" is at most.
const maxTo = 1 + 4*binary.MaxVarintLen64 + 2

// change is one change of a unit, decoded. Which fields count is up to its kind.
type change struct {
	kind       kind
	transient  bool
	shared     bool
	deliveries uint16
	stream     uint64
	from, to   uint64 // numbers: from and including from, up to and excluding to
	deadline   int64
	back       int    // of a "to": how far before it its block begins
	at         int    // where it begins in its unit
	block      int    // where a message's block begins in its unit
	size       int    // of a message's payload
	key, value []byte // views of the unit
}

var errUnit = errors.New("these bytes are no batch")

func appendTo(dst []byte, stream, seq uint64, deadline int64, transient bool, block int) []byte {
	at := len(dst)
	flags := byte(opTo)
	if deadline != 0 {
		flags |= flagDeadline
	}
	if transient {
		flags |= flagTransient
	}
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, stream)
	dst = binary.AppendUvarint(dst, seq)
	if deadline != 0 {
		dst = binary.AppendVarint(dst, deadline)
	}
	dst = binary.AppendUvarint(dst, uint64(at-block))
	return binary.LittleEndian.AppendUint16(dst, checkTo(dst[at:]))
}

func checkTo(b []byte) uint16 { return uint16(block.Checksum(0, b)) }

// appendNumbers is for the kinds that have nothing but numbers.
func appendNumbers(dst []byte, k kind, numbers ...uint64) []byte {
	dst = append(dst, byte(k))
	for _, n := range numbers {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func appendPut(dst []byte, key string, value []byte) []byte {
	dst = binary.AppendUvarint(append(dst, byte(opPut)), uint64(len(key)))
	dst = append(dst, key...)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

func appendDelete(dst []byte, key string) []byte {
	dst = binary.AppendUvarint(append(dst, byte(opDelete)), uint64(len(key)))
	return append(dst, key...)
}

// decoder reads numbers and strings; after something that cannot be, bad is set and everything is 0.
type decoder struct {
	b   []byte
	at  int
	bad bool
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.b[d.at:])
	if size <= 0 || d.bad {
		d.bad = true
		return 0
	}
	d.at += size
	return n
}

func (d *decoder) varint() int64 {
	n := d.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)-d.at) {
		d.bad = true
		return nil
	}
	b := d.b[d.at : d.at+int(n) : d.at+int(n)]
	d.at += int(n)
	return b
}

// count is a number of things of which each takes at least a byte.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.b)-d.at) {
		d.bad = true
		return 0
	}
	return int(n)
}

// run reads the first of some numbers, and how many there are.
func (d *decoder) run() (from, to uint64) {
	from = d.uvarint()
	n := d.uvarint()
	if n > math.MaxUint64-from {
		d.bad = true
	}
	return from, from + n
}

// decode reads the change at an offset of a unit and returns where the next one begins.
func decode(unit []byte, at int, c *change) (next int, err error) {
	if at >= len(unit) {
		return 0, errUnit
	}
	first := unit[at]
	*c = change{kind: kind(first & kindMask), at: at}
	flags := first &^ kindMask
	d := decoder{b: unit, at: at + 1}
	switch c.kind {
	case opMessage:
		c.shared = flags == flagShared
		if flags&^flagShared != 0 || len(unit)-d.at < block.Header {
			return 0, errUnit
		}
		c.block, c.size = d.at, block.Len(unit[d.at:])
		if c.size > len(unit)-d.at-block.Header {
			return 0, errUnit
		}
		return d.at + block.Size(c.size), nil
	case opTo:
		n, err := decodeTo(unit[at:], c)
		if err != nil || c.back > at {
			return 0, errUnit
		}
		c.at = at
		return at + n, nil
	case opDelivered:
		c.stream, c.from = d.uvarint(), d.uvarint()
	case opReturned:
		c.stream = d.uvarint()
		c.from, c.to = d.run()
		n := d.uvarint()
		d.bad = d.bad || n > math.MaxUint16
		c.deliveries = uint16(n)
	case opSettle, opTruncate:
		c.stream = d.uvarint()
		c.from, c.to = d.run()
	case opDrop:
		c.stream = d.uvarint()
	case opPut:
		c.key, c.value = d.bytes(), d.bytes()
	case opDelete:
		c.key = d.bytes()
	default:
		return 0, errUnit
	}
	if d.bad || flags != 0 {
		return 0, errUnit
	}
	return d.at, nil
}

// decodeTo reads the "to" that b begins with and returns how long it is.
func decodeTo(b []byte, c *change) (int, error) {
	if len(b) == 0 || kind(b[0]&kindMask) != opTo || b[0]&^(kindMask|flagDeadline|flagTransient) != 0 {
		return 0, errUnit
	}
	*c = change{kind: opTo, transient: b[0]&flagTransient != 0}
	d := decoder{b: b, at: 1}
	c.stream, c.from = d.uvarint(), d.uvarint()
	if b[0]&flagDeadline != 0 {
		c.deadline = d.varint()
	}
	back := d.uvarint()
	if d.bad || len(b)-d.at < 2 || binary.LittleEndian.Uint16(b[d.at:]) != checkTo(b[:d.at]) ||
		back < block.Header || back > math.MaxInt32 || c.from == 0 || c.from == math.MaxUint64 {
		return 0, errUnit
	}
	c.back, c.to = int(back), c.from+1
	return d.at + 2, nil
}
