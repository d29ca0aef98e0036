package amqp091

import (
	"encoding/binary"
	"unicode/utf8"
)

// MethodID is class << 16 | method.
type MethodID uint32

// Class is the class of id, such as ClassBasic.
func (id MethodID) Class() uint16 { return uint16(id >> 16) }

// Number is the method's number in its class.
func (id MethodID) Number() uint16 { return uint16(id) }

// Method is a method of the protocol: one of the generated types, by pointer.
type Method interface {
	// ID tells which method it is.
	ID() MethodID
	// Decode sets the method from its arguments, all of them. Byte slices and tables among the fields are views on args,
	// strings are copies. A failure is an *Error with 501 FRAME_ERROR; the fields are then in no particular state.
	Decode(args []byte) error
	// AppendFrame appends the method to dst as a whole frame. Strings above 255 octets are cut (AMQP 0-9-1 §4.2.5.3).
	AppendFrame(dst []byte, channel uint16) []byte
}

// SplitMethod splits the payload of a method frame into the method and its arguments, a view. The method may be one that
// the protocol does not have: its String is then empty.
func SplitMethod(payload []byte) (MethodID, []byte, error) {
	if len(payload) < 4 {
		return 0, nil, Unknown(Frame{Type: FrameMethod, Payload: payload})
	}
	return MethodID(binary.BigEndian.Uint32(payload)), payload[4:], nil
}

// maxShortstr is the length that a shortstr's one octet can count.
const maxShortstr = 255

// AppendShortstr appends s as a shortstr; what does not fit in 255 octets is cut at a character.
func AppendShortstr[S ~string | ~[]byte](dst []byte, s S) []byte {
	if len(s) > maxShortstr {
		s = S(cutShortstr(string(s)))
	}
	dst = append(dst, byte(len(s)))
	return append(dst, s...)
}

// AppendLongstr appends s as a longstr.
func AppendLongstr[S ~string | ~[]byte](dst []byte, s S) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

// bit is 1<<n when set.
func bit(set bool, n uint) byte {
	var b byte
	if set {
		b = 1
	}
	return b << n
}

// fault is why a reader gave up.
type fault uint8

const (
	faultNone      fault = iota
	faultTruncated       // a field reaches beyond the end
	faultUTF8            // a shortstr is not UTF-8
	faultTable           // a table does not decode
)

// reader takes fields from the front of b. After the first fault every read returns a zero value; end tells.
type reader struct {
	b     []byte
	fault fault
}

// take returns the next n octets, nil after a fault.
func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail(faultTruncated)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) fail(f fault) {
	if r.fault == faultNone {
		r.fault = f
	}
	r.b = nil
}

func (r *reader) octet() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) short() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) long() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) longlong() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// shortstrView returns a shortstr as a view. It must be UTF-8, as RabbitMQ has it.
func (r *reader) shortstrView() []byte {
	b := r.take(int(r.octet()))
	if !utf8.Valid(b) {
		r.fail(faultUTF8)
		return nil
	}
	return b
}

func (r *reader) shortstr() string { return string(r.shortstrView()) }

func (r *reader) longstr() []byte {
	n := r.long()
	if uint64(n) > uint64(len(r.b)) {
		r.fail(faultTruncated)
		return nil
	}
	return r.take(int(n))
}

func (r *reader) table() Table {
	t := Table(r.longstr())
	if !t.valid() {
		r.fail(faultTable)
		return nil
	}
	return t
}

// end is the verdict on args: all fields were there, were sound and left nothing over.
func (r *reader) end(id MethodID, args []byte) error {
	if r.fault == faultNone && len(r.b) == 0 {
		return nil
	}
	return decodeError(r.fault, id, args)
}

func decodeError(f fault, id MethodID, args []byte) error {
	text := "cannot decode " + octets(args, maxShortstr)
	if f == faultUTF8 {
		text = "Malformed UTF-8 in shortstr"
	}
	return &Error{Code: FrameError, Text: text, Method: id}
}
