package socket

import (
	"bytes"
	"encoding/binary"
)

// framing is how messages are told apart in a stream of bytes.
type framing uint8

const (
	// lines: a message ends at a newline, which is not part of it, nor is a carriage return before it.
	lines framing = iota
	// length32: a message is preceded by its length.
	//
	//	 0          4             4+length
	//	+----------+-------------+
	//	|  length  |    body     |
	//	+----------+-------------+
	//	 u32, big-endian
	length32
	// whole: a datagram is a message.
	whole
)

// splitter cuts a stream into messages. The zero value and a limit are ready for a stream's beginning.
type splitter struct {
	framing framing
	limit   int // of one message's bytes
	scanned int // how much of the rest is known to hold no newline, so that no byte is looked at twice
}

// next cuts the first message off in: it returns its body, a view, and how many bytes of in it takes up. size is 0 when it
// is not complete; need is the length at which to try again.
func (s *splitter) next(in []byte) (body []byte, size, need int, err error) {
	if s.framing == length32 {
		if len(in) < 4 {
			return nil, 0, 4, nil
		}
		n := binary.BigEndian.Uint32(in)
		if uint64(n) > uint64(s.limit) {
			return nil, 0, 0, errLong(s.framing, s.limit)
		}
		if size = 4 + int(n); len(in) < size {
			return nil, 0, size, nil
		}
		return in[4:size], size, 0, nil
	}
	i := bytes.IndexByte(in[s.scanned:], '\n')
	if i < 0 {
		if len(trimCR(in)) > s.limit {
			return nil, 0, 0, errLong(s.framing, s.limit)
		}
		s.scanned = len(in)
		return nil, 0, len(in) + 1, nil
	}
	i += s.scanned
	s.scanned = 0
	body = trimCR(in[:i])
	if len(body) > s.limit {
		return nil, 0, 0, errLong(s.framing, s.limit)
	}
	return body, i + 1, 0, nil
}

// last returns what a stream that ends has left as a message: a line may lack its end, a length must not. whole says
// whether that is so.
func (s *splitter) last(rest []byte) (body []byte, whole bool) {
	return trimCR(rest), s.framing == lines
}

func trimCR(line []byte) []byte { return bytes.TrimSuffix(line, []byte{'\r'}) }

// appendMessage writes a body as a client reads it.
func appendMessage(dst []byte, f framing, body []byte) []byte {
	switch f {
	case length32:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
		return append(dst, body...)
	case whole:
		return append(dst, body...)
	}
	dst = append(dst, body...)
	if len(body) == 0 || body[len(body)-1] != '\n' {
		dst = append(dst, '\n')
	}
	return dst
}
