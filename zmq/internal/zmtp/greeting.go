package zmtp

import (
	"bytes"
	"errors"
	"fmt"
)

// GreetingSize is the length of a ZMTP 3 greeting.
//
//	 0      1        9      10      11      12          32        33       63
//	+------+--------+------+-------+-------+-----------+---------+--------+
//	| 0xFF | pad(8) | 0x7F | major | minor | mechanism | as-srv  | filler |
//	+------+--------+------+-------+-------+-----------+---------+--------+
const GreetingSize = 64

// The offsets of the drawing above.
const (
	signatureSize   = 10
	offMajor        = 10
	offMinor        = 11
	offMechanism    = 12
	offAsServer     = 32
	mechanismLength = 20
)

// The version that this package speaks, and the oldest minor that it accepts.
const (
	Major = 3
	Minor = 1
)

// A Greeting is the first thing that either peer says (RFC 37, "Greeting").
type Greeting struct {
	Major, Minor byte
	Mechanism    string // at most 20 bytes
	AsServer     bool
}

// AppendGreeting appends the 64 bytes of g.
func AppendGreeting(dst []byte, g Greeting) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, GreetingSize)...)
	b := dst[start:]
	b[0], b[9] = 0xFF, 0x7F
	b[8] = 1 // what libzmq sends for an empty routing id; nobody may check it
	b[offMajor], b[offMinor] = g.Major, g.Minor
	copy(b[offMechanism:offMechanism+mechanismLength], g.Mechanism)
	if g.AsServer {
		b[offAsServer] = 1
	}
	return dst
}

// ErrNotZMTP is the error for a peer whose first bytes are no ZMTP signature.
var ErrNotZMTP = errors.New("the peer does not speak ZMTP 3")

// ParseGreeting reads a greeting from the start of b, which may still be
// incomplete. It returns n == 0 while more bytes are needed, and an error as
// soon as the bytes at hand can't become a greeting of ZMTP 3.
//
// The padding and the as-server flag are not validated: libzmq fills the
// first with a length and never sets the second.
func ParseGreeting(b []byte) (g Greeting, n int, err error) {
	if len(b) > 0 && b[0] != 0xFF {
		return g, 0, fmt.Errorf("%w: it began with byte 0x%02x", ErrNotZMTP, b[0])
	}
	if len(b) >= signatureSize && b[9]&1 == 0 {
		return g, 0, fmt.Errorf("%w: it speaks ZMTP 1.0", ErrNotZMTP)
	}
	if len(b) > offMajor && b[offMajor] < Major {
		return g, 0, fmt.Errorf("%w: its revision is %d", ErrNotZMTP, b[offMajor])
	}
	if len(b) < GreetingSize {
		return g, 0, nil
	}
	name := b[offMechanism : offMechanism+mechanismLength]
	if end := bytes.IndexByte(name, 0); end >= 0 {
		name = name[:end]
	}
	return Greeting{
		Major:     b[offMajor],
		Minor:     b[offMinor],
		Mechanism: string(name),
		AsServer:  b[offAsServer]&1 != 0,
	}, GreetingSize, nil
}
