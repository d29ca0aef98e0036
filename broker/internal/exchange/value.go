package exchange

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ValueKind says which field of a [Value] holds it.
type ValueKind uint8

// The kinds of header values, with the AMQP 0-9-1 field types of RabbitMQ's
// table grammar that become them.
const (
	Void      ValueKind = iota // nothing (V)
	Bool                       // Bool (t)
	Int                        // Int, of any width (b B s u I i l)
	Float                      // Float, of any width (f d)
	String                     // Bytes: text or raw bytes (S x)
	Timestamp                  // Int, in seconds since 1970-01-01 UTC (T)
	// Other is whatever else a protocol has: decimals, arrays, tables. Bytes
	// holds its encoding, type tag included, and is only compared as a whole.
	Other
)

// A Value is one header or one argument of a binding. The zero value is void.
type Value struct {
	Bytes []byte
	Int   int64
	Float float64
	Kind  ValueKind
	Bool  bool
}

// Equal reports whether a header holds what a binding asks for. As in RabbitMQ
// the width of a number does not matter, nor whether it is an integer, a
// timestamp or a float: 1 equals 1.0. Numbers are compared exactly, without
// rounding an integer to a float.
func (v Value) Equal(w Value) bool {
	if v.integer() && w.integer() {
		return v.Int == w.Int
	}
	switch {
	case v.integer() && w.Kind == Float:
		return equalNumbers(v.Int, w.Float)
	case v.Kind == Float && w.integer():
		return equalNumbers(w.Int, v.Float)
	case v.Kind != w.Kind:
		return false
	}
	switch v.Kind {
	case Bool:
		return v.Bool == w.Bool
	case Float:
		return v.Float == w.Float
	case String, Other:
		return bytes.Equal(v.Bytes, w.Bytes)
	}
	return true // void
}

func (v Value) integer() bool { return v.Kind == Int || v.Kind == Timestamp }

func equalNumbers(i int64, f float64) bool {
	// 2^63 is the first float past the integers; every float below it that has
	// no fraction converts exactly.
	return f >= math.MinInt64 && f < 1<<63 && math.Trunc(f) == f && int64(f) == i
}

// appendIdentity appends bytes that are the same for the same value of the
// same kind, and end themselves.
func (v Value) appendIdentity(b []byte) []byte {
	b = append(b, byte(v.Kind))
	switch v.Kind {
	case Bool:
		if v.Bool {
			return append(b, 1)
		}
		return append(b, 0)
	case Int, Timestamp:
		return binary.BigEndian.AppendUint64(b, uint64(v.Int))
	case Float:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float))
	case String, Other:
		b = binary.AppendUvarint(b, uint64(len(v.Bytes)))
		return append(b, v.Bytes...)
	}
	return b
}

// Describe returns the names that RabbitMQ's messages give to the type and to
// the value. What a Value no longer knows, the width of an integer, is told by
// its size.
func (v Value) Describe() (kind, value string) {
	switch v.Kind {
	case Void:
		return "void", "undefined"
	case Bool:
		return "bool", fmt.Sprint(v.Bool)
	case Int:
		if v.Int == int64(int32(v.Int)) {
			return "signedint", fmt.Sprint(v.Int)
		}
		return "long", fmt.Sprint(v.Int)
	case Float:
		text := strconv.FormatFloat(v.Float, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
		return "double", text
	case Timestamp:
		return "timestamp", fmt.Sprint(v.Int)
	case String:
		return "longstr", quote(v.Bytes)
	}
	return "other", quote(v.Bytes)
}

// quote writes bytes as RabbitMQ's messages show them: <<"text">>, or the
// numbers of the bytes when they are not printable.
func quote(b []byte) string {
	var text strings.Builder
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			text.WriteByte('\\')
			text.WriteByte(c)
		case c == '\n':
			text.WriteString(`\n`)
		case c == '\r':
			text.WriteString(`\r`)
		case c == '\t':
			text.WriteString(`\t`)
		case c < ' ' || c > '~':
			return "<<" + strings.ReplaceAll(strings.Trim(fmt.Sprint(b), "[]"), " ", ",") + ">>"
		default:
			text.WriteByte(c)
		}
	}
	if len(b) == 0 {
		return "<<>>"
	}
	return `<<"` + text.String() + `">>`
}
