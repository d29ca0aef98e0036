package zmtp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// A command's body is the length of its name in one byte, the name, and the
// command's data. (The prose of RFC 37 speaks of a null separator; its grammar
// and every peer use the length.)
const (
	cmdReady     = "\x05READY"
	cmdError     = "\x05ERROR"
	cmdSubscribe = "\x09SUBSCRIBE"
	cmdCancel    = "\x06CANCEL"
	cmdPing      = "\x04PING"
	cmdPong      = "\x04PONG"
	cmdNote      = "\x04NOTE"
)

// ErrCommand is the error for a command that its grammar does not allow.
var ErrCommand = errors.New("malformed command")

func appendCommand(dst []byte, name string, data []byte) []byte {
	dst = appendHeader(dst, len(name)+len(data), flagCommand)
	dst = append(dst, name...)
	return append(dst, data...)
}

// AppendSubscription appends the request to start or to end a subscription,
// in the form that the peer's minor version asks for: a command for ZMTP 3.1,
// a message of 0x01 or 0x00 and the prefix for ZMTP 3.0.
func AppendSubscription(dst []byte, prefix string, on bool, minor byte) []byte {
	switch {
	case minor == 0 && on:
		dst = append(appendHeader(dst, 1+len(prefix), 0), 1)
	case minor == 0:
		dst = append(appendHeader(dst, 1+len(prefix), 0), 0)
	case on:
		dst = append(appendHeader(dst, len(cmdSubscribe)+len(prefix), flagCommand), cmdSubscribe...)
	default:
		dst = append(appendHeader(dst, len(cmdCancel)+len(prefix), flagCommand), cmdCancel...)
	}
	return append(dst, prefix...)
}

// ParseSubscription reads the body of a SUBSCRIBE or CANCEL command. It
// returns ok == false for any other command.
func ParseSubscription(body []byte) (prefix []byte, on, ok bool) {
	if rest, ok := bytes.CutPrefix(body, []byte(cmdSubscribe)); ok {
		return rest, true, true
	}
	if rest, ok := bytes.CutPrefix(body, []byte(cmdCancel)); ok {
		return rest, false, true
	}
	return nil, false, false
}

func isSubscription(body []byte) bool {
	_, _, ok := ParseSubscription(body)
	return ok
}

// AppendNote appends a note on the message behind it: bytes beside the
// message's frames, for peers that have said in READY that they know notes. It
// is this package's own command; RFC 37 has peers ignore those they don't know.
func AppendNote(dst, note []byte) []byte { return appendCommand(dst, cmdNote, note) }

// NoteSize returns how many bytes AppendNote appends for a note of n bytes.
func NoteSize(n int) int { return FrameSize(len(cmdNote) + n) }

// parseNote reads the body of a NOTE command.
func parseNote(body []byte) (note []byte, ok bool) { return bytes.CutPrefix(body, []byte(cmdNote)) }

// AppendPing appends a PING with a time to live in tenths of a second, which
// asks the peer to give the connection up when nothing comes for so long.
// Zero asks for nothing.
func AppendPing(dst []byte, ttl uint16) []byte {
	return appendCommand(dst, cmdPing, binary.BigEndian.AppendUint16(nil, ttl))
}

// AppendPong appends the PONG that answers a PING with this context.
func AppendPong(dst, context []byte) []byte {
	return appendCommand(dst, cmdPong, context)
}

// maxPingContext is the longest context that a PING may carry (RFC 37).
const maxPingContext = 16

// A Heartbeat is what [ParseHeartbeat] read.
type Heartbeat struct {
	Ping    bool   // a PING to be answered, otherwise a PONG
	TTL     uint16 // of a PING, in tenths of a second
	Context []byte // of a PING, to be sent back
}

// ParseHeartbeat reads the body of a PING or PONG command. It returns
// ok == false for any other command, and an error for a PING that is shorter
// or longer than RFC 37 allows.
func ParseHeartbeat(body []byte) (h Heartbeat, ok bool, err error) {
	if bytes.HasPrefix(body, []byte(cmdPong)) {
		return Heartbeat{}, true, nil
	}
	data, ok := bytes.CutPrefix(body, []byte(cmdPing))
	if !ok {
		return Heartbeat{}, false, nil
	}
	if len(data) < 2 || len(data) > 2+maxPingContext {
		return Heartbeat{}, true, fmt.Errorf("%w: PING with %d bytes of data", ErrCommand, len(data))
	}
	return Heartbeat{Ping: true, TTL: binary.BigEndian.Uint16(data), Context: data[2:]}, true, nil
}

// AppendError appends an ERROR command. A reason of more than 255 bytes is cut.
func AppendError(dst []byte, reason string) []byte {
	if len(reason) > maxShort {
		reason = reason[:maxShort]
	}
	return appendCommand(dst, cmdError, append([]byte{byte(len(reason))}, reason...))
}

// parseError reads the data of an ERROR command.
func parseError(data []byte) (reason string, err error) {
	if len(data) == 0 || len(data) != 1+int(data[0]) {
		return "", fmt.Errorf("%w: ERROR with %d bytes of data", ErrCommand, len(data))
	}
	return string(data[1:]), nil
}
