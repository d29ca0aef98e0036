package amqp091

import (
	"encoding/binary"
	"fmt"
)

// ProtocolHeader is what a client sends first (AMQP 0-9-1 §4.2.2).
const ProtocolHeader = "AMQP\x00\x00\x09\x01"

// HeaderVerdict is what ScanProtocolHeader makes of the first bytes of a connection.
type HeaderVerdict uint8

// The verdicts.
const (
	HeaderIncomplete HeaderVerdict = iota // more bytes are needed
	HeaderAccepted                        // AMQP 0-9-1, or 0-9, which is spoken as 0-9-1
	HeaderAMQP10                          // some form of AMQP 1.0
	HeaderOtherAMQP                       // AMQP in a version that nobody here speaks
	HeaderGarbage                         // not AMQP
)

// ScanProtocolHeader judges the first bytes of a connection. When they are accepted, the header's 8 octets are to be
// skipped. Bytes that cannot become a header are told as soon as they differ.
func ScanProtocolHeader(buf []byte) HeaderVerdict {
	n := min(len(buf), 4)
	if string(buf[:n]) != ProtocolHeader[:n] {
		return HeaderGarbage
	}
	if len(buf) < len(ProtocolHeader) {
		return HeaderIncomplete
	}
	switch version := [4]byte(buf[4:8]); {
	case version == [4]byte{0, 0, 9, 1}, version == [4]byte{1, 1, 0, 9}:
		return HeaderAccepted
	case version[1] == 1 && version[2] == 0 && version[3] == 0:
		return HeaderAMQP10 // 0: plain, 2: TLS, 3: SASL (AMQP 1.0 §2.2)
	}
	return HeaderOtherAMQP
}

// FrameType is the first octet of a frame.
type FrameType uint8

// The frame types.
const (
	FrameMethod    FrameType = 1
	FrameHeader    FrameType = 2
	FrameBody      FrameType = 3
	FrameHeartbeat FrameType = 8
)

const (
	// FrameOverhead is what a frame needs besides its payload: a body frame holds frame-max less this.
	FrameOverhead = frameHead + 1

	// Fudge is by how much a frame may pass the limit: some clients do not count the overhead, and RabbitMQ bears it.
	Fudge = FrameOverhead

	frameHead = 7
	frameEnd  = 0xCE
)

// Frame is one frame; Payload is a view on the scanned bytes.
type Frame struct {
	Type    FrameType
	Channel uint16
	Payload []byte
}

// ScanFrame takes the first frame from buf and returns it with its length. A length of 0 and no error: more bytes are
// needed. A payload above maxPayload octets (and Fudge) is refused as soon as its size is there. It allocates nothing but
// its *Error, which carries 501 FRAME_ERROR.
func ScanFrame(buf []byte, maxPayload int) (Frame, int, error) {
	if len(buf) < frameHead {
		return Frame{}, 0, nil
	}
	size := binary.BigEndian.Uint32(buf[3:])
	if uint64(size) > uint64(maxPayload)+Fudge {
		return Frame{}, 0, frameTooLarge(buf, size, maxPayload)
	}
	n := int(size) + FrameOverhead
	if len(buf) < n {
		return Frame{}, 0, nil
	}
	if buf[n-1] != frameEnd {
		return Frame{}, 0, badFrameEnd(buf[:n])
	}
	return Frame{Type: FrameType(buf[0]), Channel: binary.BigEndian.Uint16(buf[1:]), Payload: buf[frameHead : n-1 : n-1]}, n, nil
}

// FrameSize is how long the frame at the head of buf will be once it is whole; before its size is known, the least that it
// can be.
func FrameSize(buf []byte) int {
	if len(buf) < frameHead {
		return FrameOverhead
	}
	return int(binary.BigEndian.Uint32(buf[3:])) + FrameOverhead
}

func frameTooLarge(buf []byte, size uint32, maxPayload int) error {
	return frameFault(buf[0], nil, fmt.Sprintf("{frame_too_large,%d,%d}", size, maxPayload))
}

func badFrameEnd(frame []byte) error {
	return frameFault(frame[0], frame[frameHead:len(frame)-1], fmt.Sprintf("{invalid_frame_end_marker,%d}", frame[len(frame)-1]))
}

// Unknown is the error of a frame whose type the protocol does not have.
func Unknown(f Frame) *Error { return frameFault(byte(f.Type), f.Payload, "unknown_frame") }

// Unexpected is the error of a frame that has no business where it came.
func Unexpected(f Frame) *Error {
	return &Error{Code: UnexpectedFrame, Text: describeFrame(byte(f.Type), f.Payload)}
}

func frameFault(typ byte, payload []byte, what string) *Error {
	return &Error{Code: FrameError, Text: describeFrame(typ, payload) + ": " + what}
}

// describeFrame shows a frame as RabbitMQ's error texts do.
func describeFrame(typ byte, payload []byte) string {
	which := "all"
	if len(payload) > snippet {
		which, payload = "first 16", payload[:snippet]
	}
	return fmt.Sprintf("type %d, %s octets = %s", typ, which, printable(payload))
}

// snippet is how much of a bad payload an error text shows.
const snippet = 16

// AppendHeartbeat appends a heartbeat frame.
func AppendHeartbeat(dst []byte) []byte {
	return append(dst, byte(FrameHeartbeat), 0, 0, 0, 0, 0, 0, frameEnd)
}

// AppendRawFrame appends a frame with the given payload.
func AppendRawFrame(dst []byte, f Frame) []byte {
	dst = append(dst, byte(f.Type), byte(f.Channel>>8), byte(f.Channel))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(f.Payload)))
	dst = append(dst, f.Payload...)
	return append(dst, frameEnd)
}

// beginMethod appends the head of a method frame, its size still zero, and returns where the frame starts.
func beginMethod(dst []byte, channel uint16, id MethodID) ([]byte, int) {
	at := len(dst)
	return append(dst, byte(FrameMethod), byte(channel>>8), byte(channel), 0, 0, 0, 0,
		byte(id>>24), byte(id>>16), byte(id>>8), byte(id)), at
}

// endFrame ends the frame that starts at at and sets its size.
func endFrame(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at+3:], uint32(len(dst)-at-frameHead))
	return append(dst, frameEnd)
}
