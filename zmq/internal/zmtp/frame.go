package zmtp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The flag bits of a frame (RFC 37, "Framing"). All others must be zero.
const (
	flagMore    = 1 << 0 // another frame of the same message follows
	flagLong    = 1 << 1 // the size takes eight bytes instead of one
	flagCommand = 1 << 2 // a command, which carries no part of a message
)

const (
	shortHeader = 2
	longHeader  = 9
	maxShort    = 255
)

// FrameSize returns the bytes on the wire of a frame with a body of n bytes.
func FrameSize(n int) int {
	if n > maxShort {
		return longHeader + n
	}
	return shortHeader + n
}

// MessageSize returns the bytes on the wire of the message whose frames are
// those of head followed by those of body.
func MessageSize(head, body [][]byte) int {
	size := 0
	for _, f := range head {
		size += FrameSize(len(f))
	}
	for _, f := range body {
		size += FrameSize(len(f))
	}
	return size
}

// AppendFrame appends one frame of a message.
//
//	short:  flags(1) size(1) body      size <= 255
//	long:   flags(1) size(8) body      big-endian
func AppendFrame(dst, body []byte, more bool) []byte {
	var flags byte
	if more {
		flags = flagMore
	}
	return appendFrame(dst, body, flags)
}

func appendFrame(dst, body []byte, flags byte) []byte {
	dst = appendHeader(dst, len(body), flags)
	return append(dst, body...)
}

func appendHeader(dst []byte, size int, flags byte) []byte {
	if size <= maxShort {
		return append(dst, flags, byte(size))
	}
	dst = append(dst, flags|flagLong)
	return binary.BigEndian.AppendUint64(dst, uint64(size))
}

// AppendMessage appends the message whose frames are those of head followed
// by those of body. At least one of them must have a frame.
func AppendMessage(dst []byte, head, body [][]byte) []byte {
	left := len(head) + len(body)
	for _, f := range head {
		left--
		dst = AppendFrame(dst, f, left > 0)
	}
	for _, f := range body {
		left--
		dst = AppendFrame(dst, f, left > 0)
	}
	return dst
}

// header reads the header of the frame at the start of b. It returns n == 0
// while the header is incomplete.
func header(b []byte) (flags byte, size uint64, n int) {
	if len(b) < shortHeader {
		return 0, 0, 0
	}
	flags = b[0]
	if flags&flagLong == 0 {
		return flags, uint64(b[1]), shortHeader
	}
	if len(b) < longHeader {
		return flags, 0, 0
	}
	return flags, binary.BigEndian.Uint64(b[1:]), longHeader
}

// A Taken is what [Take] found at the start of a run of frames.
type Taken struct {
	Frames  [][]byte // of one message; or the body of one command
	Command bool
	Note    []byte // of the message, from a NOTE command in front of it
	Size    int    // bytes that the message or command took
}

// Take cuts the first message off b, which must have been found whole by a
// [Decoder] or built by [AppendMessage], and appends its frames, which alias
// b, to dst. Commands in front of the message or between its frames are
// passed over, unless subscriptions is set and a SUBSCRIBE or CANCEL stands in
// front: then that command is what Take returns. Take returns Size 0 when b holds no message.
func Take(b []byte, dst [][]byte, subscriptions bool) Taken {
	pos := 0
	start := len(dst)
	var note []byte
	for pos < len(b) {
		flags, size, n := header(b[pos:])
		body := b[pos+n : pos+n+int(size) : pos+n+int(size)]
		pos += n + int(size)
		if flags&flagCommand != 0 {
			if subscriptions && len(dst) == start && isSubscription(body) {
				return Taken{Frames: append(dst, body), Command: true, Size: pos}
			}
			if n, ok := parseNote(body); ok {
				note = n
			}
			continue
		}
		dst = append(dst, body)
		if flags&flagMore == 0 {
			return Taken{Frames: dst, Note: note, Size: pos}
		}
	}
	return Taken{Frames: dst[:start]}
}

// Remainder returns the part of b, a run of whole messages, that starts at
// the first message boundary at or after the byte written, and the number of
// messages before it: what is left to send on a new connection when the old
// one broke after written bytes.
func Remainder(b []byte, written int) (rest []byte, passed int) {
	pos := 0
	for pos < written && pos < len(b) {
		t := Take(b[pos:], nil, false)
		if t.Size == 0 {
			return nil, passed
		}
		pos += t.Size
		passed++
	}
	return b[pos:], passed
}

// Errors of a [Decoder]. They end the connection.
var (
	ErrFlags    = errors.New("reserved flag bits are set in a frame")
	ErrTooLarge = errors.New("a message is larger than MaxMessageSize")
)

// frameCost is what each frame counts against the limit on a message beside
// its bytes, so that a message of a million empty frames is bounded too.
const frameCost = 32

// A Decoder finds the ends of messages in a stream of frames, in place, and
// each byte is looked at once however the stream was cut. The zero Decoder
// accepts messages of any size.
//
// The caller keeps the bytes: it calls [Decoder.Scan] with all it has from
// the start of the first message that it has not consumed yet, and
// [Decoder.Consume] when it takes the whole messages away.
type Decoder struct {
	// MaxMessage bounds the bytes of one message: its bodies and 32 bytes
	// for each of its frames. Zero means no bound.
	MaxMessage int64
	// Subscriptions makes SUBSCRIBE and CANCEL commands count as messages,
	// for sockets whose peers subscribe.
	Subscriptions bool

	End      int // where the last whole message ends
	Messages int // how many whole messages end there
	Need     int // bytes, from the start of b, that the next frame ends at, if known

	pos  int   // where the next frame begins
	cost int64 // of the message that pos is inside of
	more bool  // pos is between two frames of a message
}

// Scan looks on through b until it has max whole messages, meets a command,
// or runs out of bytes. A command is returned once, as its body, which
// aliases b; Scan is then to be called again. The command stays in b, where
// [Take] passes it over.
func (d *Decoder) Scan(b []byte, max int) (command []byte, err error) {
	d.Need = 0
	for d.Messages < max {
		flags, size, n := header(b[d.pos:])
		if n == 0 {
			break
		}
		if flags&^(flagMore|flagLong|flagCommand) != 0 || flags&flagCommand != 0 && flags&flagMore != 0 {
			return nil, fmt.Errorf("%w: 0x%02x", ErrFlags, flags)
		}
		cost := d.cost + int64(size) + frameCost
		if size > math.MaxInt/2 || d.MaxMessage > 0 && cost-frameCost > d.MaxMessage {
			return nil, fmt.Errorf("%w: a frame announces %d bytes, the limit is %d", ErrTooLarge, size, d.MaxMessage)
		}
		next := d.pos + n + int(size)
		if next > len(b) {
			d.Need = next
			break
		}
		body := b[d.pos+n : next]
		d.pos = next
		if flags&flagCommand != 0 {
			_, note := parseNote(body)
			if d.more || note {
				d.cost = cost // it is kept until the message ends
				return body, nil
			}
			d.End = next
			if d.Subscriptions && isSubscription(body) {
				d.Messages++
				continue
			}
			return body, nil
		}
		if flags&flagMore != 0 {
			d.more, d.cost = true, cost
			continue
		}
		d.more, d.cost = false, 0
		d.End = next
		d.Messages++
	}
	return nil, nil
}

// Consume tells the decoder that the caller took the first End bytes away.
func (d *Decoder) Consume() {
	d.pos -= d.End
	d.End, d.Messages = 0, 0
}
