package amqp091

import (
	"encoding/binary"
	"iter"
	"math"
)

// Table is the octets of a field table, without its length, as they travel: name, type, value, and so on (AMQP 0-9-1
// §4.2.5.5). A name may stand in it more than once, and the order is kept. Tables that the package decoded out of methods
// and properties are sound; in others iteration ends at the first octet that does not decode. nil is the empty table.
//
//	0      1        1+n     2+n
//	+------+--------+-------+----------
//	|  n   |  name  | kind  | value …
//	+------+--------+-------+----------
type Table []byte

// Array is the octets of a field array, without its length: kind, value, and so on.
type Array []byte

// Kind is the octet that names the type of a field's value. RabbitMQ's set, which is not the specification's: there is no
// shortstr, and s is a signed 16-bit integer.
type Kind uint8

// The kinds. The wire knows 64-bit integers as l and as L, both signed; they are read as KindInt64 and written as l.
const (
	KindBool      Kind = 't'
	KindInt8      Kind = 'b'
	KindUint8     Kind = 'B'
	KindInt16     Kind = 's'
	KindUint16    Kind = 'u'
	KindInt32     Kind = 'I'
	KindUint32    Kind = 'i'
	KindInt64     Kind = 'l'
	KindFloat     Kind = 'f'
	KindDouble    Kind = 'd'
	KindDecimal   Kind = 'D'
	KindLongstr   Kind = 'S'
	KindArray     Kind = 'A'
	KindTimestamp Kind = 'T'
	KindTable     Kind = 'F'
	KindVoid      Kind = 'V'
	KindBytes     Kind = 'x'

	kindInt64Alias = 'L'
)

// maxDepth is how deep tables and arrays may nest in a table: more than any client does, little enough for any stack.
const maxDepth = 64

// Value is one value of a table or array. Its zero value is no value of the wire; Void() is.
type Value struct {
	kind  Kind
	scale uint8
	num   uint64 // an integer in two's complement, the bits of a float, seconds, or a decimal's digits
	data  []byte // a string's, table's or array's octets: a view where the value was read
}

// Constructors of the values that a broker writes, one a kind.

// Bool returns a value of KindBool.
func Bool(v bool) Value { return Value{kind: KindBool, num: uint64(bit(v, 0))} }

// Int returns v as an integer of the given kind, which must hold it.
func Int(kind Kind, v int64) Value { return Value{kind: kind, num: uint64(v)} }

// Float returns a value of KindFloat.
func Float(v float32) Value { return Value{kind: KindFloat, num: uint64(math.Float32bits(v))} }

// Double returns a value of KindDouble.
func Double(v float64) Value { return Value{kind: KindDouble, num: math.Float64bits(v)} }

// Decimal returns digits / 10^scale.
func Decimal(scale uint8, digits uint32) Value {
	return Value{kind: KindDecimal, scale: scale, num: uint64(digits)}
}

// Longstr returns a string of octets. The value keeps s.
func Longstr[S ~string | ~[]byte](s S) Value { return Value{kind: KindLongstr, data: []byte(s)} }

// Bytes returns a value of KindBytes. The value keeps b.
func Bytes(b []byte) Value { return Value{kind: KindBytes, data: b} }

// Timestamp returns a time in seconds since 1970.
func Timestamp(seconds uint64) Value { return Value{kind: KindTimestamp, num: seconds} }

// TableValue returns a table as a value. The value keeps t.
func TableValue(t Table) Value { return Value{kind: KindTable, data: t} }

// ArrayValue returns an array as a value. The value keeps a.
func ArrayValue(a Array) Value { return Value{kind: KindArray, data: a} }

// Void returns the value that is there and holds nothing.
func Void() Value { return Value{kind: KindVoid} }

// Kind is the type of v, zero for the zero Value.
func (v Value) Kind() Kind { return v.kind }

// Bool is the truth of a KindBool, false for others.
func (v Value) Bool() bool { return v.kind == KindBool && v.num != 0 }

// Int is the number of an integer of any width, signed or not; false for other kinds.
func (v Value) Int() (int64, bool) {
	switch v.kind {
	case KindInt8, KindUint8, KindInt16, KindUint16, KindInt32, KindUint32, KindInt64:
		return int64(v.num), true
	}
	return 0, false
}

// Float is the number of a KindFloat or KindDouble; false for other kinds.
func (v Value) Float() (float64, bool) {
	switch v.kind {
	case KindFloat:
		return float64(math.Float32frombits(uint32(v.num))), true
	case KindDouble:
		return math.Float64frombits(v.num), true
	}
	return 0, false
}

// Decimal is the number of a KindDecimal, digits / 10^scale; false for other kinds.
func (v Value) Decimal() (scale uint8, digits uint32, ok bool) {
	return v.scale, uint32(v.num), v.kind == KindDecimal
}

// Timestamp is a KindTimestamp in seconds since 1970; false for other kinds.
func (v Value) Timestamp() (uint64, bool) { return v.num, v.kind == KindTimestamp }

// Bytes is the octets of a KindLongstr or KindBytes; nil for other kinds. A view where v was read.
func (v Value) Bytes() []byte {
	if v.kind != KindLongstr && v.kind != KindBytes {
		return nil
	}
	return v.data
}

// Table is the table of a KindTable; nil for other kinds. A view where v was read.
func (v Value) Table() Table {
	if v.kind != KindTable {
		return nil
	}
	return Table(v.data)
}

// Array is the array of a KindArray; nil for other kinds. A view where v was read.
func (v Value) Array() Array {
	if v.kind != KindArray {
		return nil
	}
	return Array(v.data)
}

// All yields the fields of t in order; names and values are views on t. It allocates nothing.
func (t Table) All() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		for b := []byte(t); len(b) > 0; {
			name, v, rest, ok := readField(b)
			if !ok || !yield(name, v) {
				return
			}
			b = rest
		}
	}
}

// Get is the first field of t with the given name.
func (t Table) Get(name string) (Value, bool) {
	for b := []byte(t); len(b) > 0; {
		n, v, rest, ok := readField(b)
		if !ok {
			break
		}
		if string(n) == name {
			return v, true
		}
		b = rest
	}
	return Value{}, false
}

// All yields the values of a in order; they are views on a. It allocates nothing.
func (a Array) All() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for b := []byte(a); len(b) > 0; {
			v, rest, ok := readValue(b)
			if !ok || !yield(v) {
				return
			}
			b = rest
		}
	}
}

// Validate reports whether all of t decodes and nests no deeper than 64; a failure is an *Error with 501 FRAME_ERROR.
func (t Table) Validate() error {
	if t.valid() {
		return nil
	}
	return decodeError(faultTable, 0, t)
}

func (t Table) valid() bool { return validTable(t, 0) }

func validTable(b []byte, depth int) bool {
	for len(b) > 0 {
		_, v, rest, ok := readField(b)
		if !ok || !validNested(v, depth) {
			return false
		}
		b = rest
	}
	return true
}

func validNested(v Value, depth int) bool {
	switch v.kind {
	case KindTable:
		return depth < maxDepth && validTable(v.data, depth+1)
	case KindArray:
		return depth < maxDepth && validArray(v.data, depth+1)
	}
	return true
}

func validArray(b []byte, depth int) bool {
	for len(b) > 0 {
		v, rest, ok := readValue(b)
		if !ok || !validNested(v, depth) {
			return false
		}
		b = rest
	}
	return true
}

func readField(b []byte) (name []byte, v Value, rest []byte, ok bool) {
	n := 1 + int(b[0])
	if n > len(b) {
		return nil, Value{}, nil, false
	}
	v, rest, ok = readValue(b[n:])
	return b[1:n:n], v, rest, ok
}

// readValue takes a kind and its value from the front of b.
func readValue(b []byte) (v Value, rest []byte, ok bool) {
	if len(b) == 0 {
		return v, nil, false
	}
	kind, b := Kind(b[0]), b[1:]
	width := 0
	switch kind {
	case KindVoid:
	case KindBool, KindInt8, KindUint8:
		width = 1
	case KindInt16, KindUint16:
		width = 2
	case KindInt32, KindUint32, KindFloat:
		width = 4
	case KindDecimal:
		width = 5
	case KindInt64, kindInt64Alias, KindDouble, KindTimestamp:
		width = 8
	case KindLongstr, KindBytes, KindTable, KindArray:
		if len(b) < 4 {
			return v, nil, false
		}
		n := uint64(binary.BigEndian.Uint32(b))
		if n > uint64(len(b)-4) {
			return v, nil, false
		}
		return Value{kind: kind, data: b[4 : 4+n : 4+n]}, b[4+n:], true
	default:
		return v, nil, false
	}
	if len(b) < width {
		return v, nil, false
	}
	v.kind = kind
	switch kind {
	case KindBool:
		v.num = uint64(bit(b[0] != 0, 0))
	case KindUint8:
		v.num = uint64(b[0])
	case KindInt8:
		v.num = uint64(int8(b[0]))
	case KindUint16:
		v.num = uint64(binary.BigEndian.Uint16(b))
	case KindInt16:
		v.num = uint64(int16(binary.BigEndian.Uint16(b)))
	case KindUint32, KindFloat:
		v.num = uint64(binary.BigEndian.Uint32(b))
	case KindInt32:
		v.num = uint64(int32(binary.BigEndian.Uint32(b)))
	case KindDecimal:
		v.scale, v.num = b[0], uint64(binary.BigEndian.Uint32(b[1:]))
	case kindInt64Alias, KindInt64, KindDouble, KindTimestamp:
		v.num = binary.BigEndian.Uint64(b)
		if kind == kindInt64Alias {
			v.kind = KindInt64
		}
	}
	return v, b[width:], true
}

// AppendTable appends t as a field of a method or a property: its length, then its octets.
func AppendTable(dst []byte, t Table) []byte { return AppendLongstr(dst, t) }

// AppendField appends one field to the octets of a table: Table(AppendField(nil, name, v)) is a table of one field.
func AppendField[S ~string | ~[]byte](dst []byte, name S, v Value) []byte {
	return AppendValue(AppendShortstr(dst, name), v)
}

// AppendValue appends v to the octets of an array, or after a name. The zero Value is written as a void.
func AppendValue(dst []byte, v Value) []byte {
	switch v.kind {
	case 0:
		return append(dst, byte(KindVoid))
	case KindVoid:
		return append(dst, byte(v.kind))
	case KindBool, KindInt8, KindUint8:
		return append(dst, byte(v.kind), byte(v.num))
	case KindInt16, KindUint16:
		return binary.BigEndian.AppendUint16(append(dst, byte(v.kind)), uint16(v.num))
	case KindInt32, KindUint32, KindFloat:
		return binary.BigEndian.AppendUint32(append(dst, byte(v.kind)), uint32(v.num))
	case KindDecimal:
		return binary.BigEndian.AppendUint32(append(dst, byte(v.kind), v.scale), uint32(v.num))
	case KindInt64, KindDouble, KindTimestamp:
		return binary.BigEndian.AppendUint64(append(dst, byte(v.kind)), v.num)
	default:
		return AppendLongstr(append(dst, byte(v.kind)), v.data)
	}
}
