package amqp091

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Content is what follows a method such as basic.deliver.
type Content struct {
	Properties Properties // as they came in; empty: none
	Body       []byte
}

// ContentHeader is the payload of a header frame.
type ContentHeader struct {
	Class      uint16
	BodySize   uint64
	Properties Properties // a view
}

const contentHead = 12 // class, weight and body size

// DecodeContentHeader decodes the payload of a header frame and checks that its properties decode. A failure is an *Error
// with 501 FRAME_ERROR.
func DecodeContentHeader(payload []byte) (ContentHeader, error) {
	h, err := SplitContentHeader(payload)
	if err == nil {
		err = h.Properties.Validate()
	}
	if err != nil {
		return ContentHeader{}, err
	}
	return h, nil
}

// SplitContentHeader does what DecodeContentHeader does, but leaves it to the caller to validate the properties.
func SplitContentHeader(payload []byte) (ContentHeader, error) {
	if len(payload) < contentHead+2 {
		return ContentHeader{}, badContentHeader(payload)
	}
	h := ContentHeader{
		Class:      binary.BigEndian.Uint16(payload),
		BodySize:   binary.BigEndian.Uint64(payload[4:]),
		Properties: Properties(payload[contentHead:]),
	}
	if payload[2]|payload[3] != 0 { // weight
		return ContentHeader{}, badContentHeader(payload)
	}
	return h, nil
}

func badContentHeader(payload []byte) error {
	return &Error{Code: FrameError, Text: fmt.Sprintf("cannot decode content header %s", octets(payload, snippet))}
}

// AppendContentHeader appends the header frame of a content of class basic.
func AppendContentHeader(dst []byte, channel uint16, p Properties, bodySize uint64) []byte {
	size := contentHead + max(len(p), len(noProperties))
	dst = append(dst, byte(FrameHeader), byte(channel>>8), byte(channel),
		byte(size>>24), byte(size>>16), byte(size>>8), byte(size), 0, byte(ClassBasic), 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, bodySize)
	if len(p) == 0 {
		dst = append(dst, noProperties...)
	} else {
		dst = append(dst, p...)
	}
	return append(dst, frameEnd)
}

// AppendContent appends the header frame of c and its body in frames of at most frameMax octets, frameMax being above
// FrameOverhead; an empty body has no frame. The header is one frame whatever its size: a header that fitted the frame size
// of its publisher may be above that of a consumer, and RabbitMQ sends it too.
func AppendContent(dst []byte, channel uint16, c Content, frameMax int) []byte {
	dst = AppendContentHeader(dst, channel, c.Properties, uint64(len(c.Body)))
	piece := frameMax - FrameOverhead
	for body := c.Body; len(body) > 0; {
		n := min(len(body), piece)
		dst = AppendRawFrame(dst, Frame{Type: FrameBody, Channel: channel, Payload: body[:n]})
		body = body[n:]
	}
	return dst
}

// ContentSize is how many octets AppendContent appends for c.
func ContentSize(c Content, frameMax int) int {
	piece := frameMax - FrameOverhead
	frames := (len(c.Body) + piece - 1) / piece
	return FrameOverhead + contentHead + max(len(c.Properties), len(noProperties)) + len(c.Body) + frames*FrameOverhead
}

// AppendDeliver appends a whole delivery: the method, the content header and the body. It allocates only what dst lacks.
func AppendDeliver(dst []byte, channel uint16, m *BasicDeliver, c Content, frameMax int) []byte {
	return AppendContent(m.AppendFrame(dst, channel), channel, c, frameMax)
}

// AppendReturn appends a whole basic.return.
func AppendReturn(dst []byte, channel uint16, m *BasicReturn, c Content, frameMax int) []byte {
	return AppendContent(m.AppendFrame(dst, channel), channel, c, frameMax)
}

// AppendGetOk appends a whole basic.get-ok.
func AppendGetOk(dst []byte, channel uint16, m *BasicGetOk, c Content, frameMax int) []byte {
	return AppendContent(m.AppendFrame(dst, channel), channel, c, frameMax)
}

// Properties is the properties of class basic as they travel: the flags, then the values that they name. Empty is the same
// as no flags. Accessors read straight from the octets and return views.
type Properties []byte

// noProperties is how the wire writes that there are none.
const noProperties = "\x00\x00"

// Property is a set of properties: bits of the flags word.
type Property uint16

// Has reports whether p holds the property.
func (p Properties) Has(which Property) bool { return p.flags()&which != 0 }

func (p Properties) flags() Property {
	if len(p) < 2 {
		return 0
	}
	return Property(binary.BigEndian.Uint16(p))
}

// Validate reports whether p decodes to its last octet: no unknown flags, every shortstr UTF-8 and the headers sound. A
// failure is an *Error with 501 FRAME_ERROR.
func (p Properties) Validate() error {
	flags := p.flags()
	if flags == 0 && len(p) == 2 || len(p) == 0 {
		return nil
	}
	if len(p) < 2 || flags&^allProperties != 0 {
		return badProperties(p, faultTruncated)
	}
	r := reader{b: p[2:]}
	for i := range len(propertyKinds) {
		if flags&(1<<15>>i) == 0 {
			continue
		}
		switch propertyKinds[i] {
		case 's':
			r.shortstrView()
		case 'o':
			r.octet()
		case 'T':
			r.longlong()
		case 'F':
			r.table()
		}
	}
	if r.fault != faultNone || len(r.b) > 0 {
		return badProperties(p, r.fault)
	}
	return nil
}

func badProperties(p Properties, f fault) error {
	if f == faultUTF8 {
		return decodeError(f, 0, nil)
	}
	return &Error{Code: FrameError, Text: "cannot decode properties " + octets(p, maxShortstr)}
}

// find returns the octets from the value of one property on, nil when it is absent or p does not decode so far.
func (p Properties) find(which Property) []byte {
	flags := p.flags()
	if flags&which == 0 {
		return nil
	}
	b := []byte(p[2:])
	for i := 0; 1<<15>>i != which; i++ {
		if flags&(1<<15>>i) == 0 {
			continue
		}
		n := propertySize(propertyKinds[i], b)
		if n > len(b) {
			return nil
		}
		b = b[n:]
	}
	return b
}

// propertySize is the size of the value of the given kind at the head of b, more than b has when it is not all there.
func propertySize(kind byte, b []byte) int {
	switch {
	case kind == 'o':
		return 1
	case kind == 'T':
		return 8
	case kind == 's' && len(b) >= 1:
		return 1 + int(b[0])
	case kind == 'F' && len(b) >= 4:
		return int(min(uint64(binary.BigEndian.Uint32(b))+4, uint64(len(b)+1)))
	}
	return len(b) + 1
}

func shortstrAt(b []byte) ([]byte, bool) {
	if n := propertySize('s', b); n <= len(b) {
		return b[1:n:n], true
	}
	return nil, false
}

func octetAt(b []byte) (uint8, bool) {
	if len(b) < 1 {
		return 0, false
	}
	return b[0], true
}

func timestampAt(b []byte) (uint64, bool) {
	if len(b) < 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

func tableAt(b []byte) (Table, bool) {
	if n := propertySize('F', b); n <= len(b) {
		return Table(b[4:n:n]), true
	}
	return nil, false
}

// Header is the header with the given name, the first when there are several.
func (p Properties) Header(name string) (Value, bool) {
	headers, _ := p.Headers()
	return headers.Get(name)
}

// AppendWith appends p to dst with one property set to value, the encoded form of it (AppendShortstr, AppendTable, an octet
// or 8 octets of seconds); an empty value removes the property. p must be sound.
func (p Properties) AppendWith(dst []byte, which Property, value []byte) []byte {
	flags := p.flags() &^ which
	if len(value) > 0 {
		flags |= which
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(flags))
	old := p.flags()
	var b []byte
	if len(p) >= 2 {
		b = p[2:]
	}
	for i := range len(propertyKinds) {
		bit := Property(1 << 15 >> i)
		n := 0
		if old&bit != 0 {
			n = min(propertySize(propertyKinds[i], b), len(b))
		}
		if bit == which {
			dst = append(dst, value...)
		} else {
			dst = append(dst, b[:n]...)
		}
		b = b[n:]
	}
	return dst
}

// ValidName reports whether s can travel as a shortstr: UTF-8 of at most 255 octets.
func ValidName(s string) bool { return len(s) <= maxShortstr && utf8.ValidString(s) }
