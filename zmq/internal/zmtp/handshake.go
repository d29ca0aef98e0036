package zmtp

import (
	"bytes"
	"errors"
	"fmt"
)

// MechanismNull is the mechanism without security (RFC 37, "The NULL
// Mechanism").
const MechanismNull = "NULL"

// maxHandshakeFrame bounds each command of the handshake, so that a peer that
// nobody has accepted yet can't fill memory.
const maxHandshakeFrame = 16 << 10

// MaxIdentity is the longest routing id in bytes (RFC 37, property Identity).
const MaxIdentity = 255

// Errors of a [Handshake]. They end the connection.
var (
	ErrMechanism    = errors.New("the peer wants another security mechanism")
	ErrHandshake    = errors.New("the handshake was not kept to")
	ErrIncompatible = errors.New("the socket types don't fit")
	ErrRefused      = errors.New("the peer refused the connection")
)

// A Peer is what a handshake told about the other side.
type Peer struct {
	Type     SocketType
	Identity []byte // its routing id, empty when it gave none
	Minor    byte   // 0 for a peer of ZMTP 3.0
	Notes    bool   // it takes notes on messages
	Metadata Metadata
}

// A Handshake is the opening of one connection as a state machine, for the
// NULL mechanism. Either side runs the same machine:
//
//	greeting out  ->  greeting in, READY out  ->  READY in  ->  done
//
// A libzmq peer sends its greeting in pieces, each after a piece of ours; so
// ours goes out whole before anything came in.
type Handshake struct {
	// Notes says to the peer that notes on messages are welcome. It is set
	// before Feed.
	Notes bool

	local    SocketType
	identity []byte
	state    handshakeState
	minor    byte
	peer     Peer
}

type handshakeState int

const (
	awaitGreeting handshakeState = iota
	awaitReady
	handshakeDone
)

// NewHandshake returns the machine for a socket of this type and routing id.
func NewHandshake(local SocketType, identity []byte) *Handshake {
	return &Handshake{local: local, identity: identity}
}

// Start appends what is to be sent before anything is read.
func (h *Handshake) Start(dst []byte) []byte {
	return AppendGreeting(dst, Greeting{Major: Major, Minor: Minor, Mechanism: MechanismNull})
}

// Feed reads from in, which starts with the first byte not consumed yet, and
// appends what is to be sent to dst. It consumes whole steps only, and stops
// once it is done: what is left of in is traffic. After an error dst may still
// hold an ERROR command for the peer.
func (h *Handshake) Feed(in, dst []byte) (consumed int, out []byte, err error) {
	for {
		var n int
		switch h.state {
		case awaitGreeting:
			n, dst, err = h.greeting(in[consumed:], dst)
		case awaitReady:
			n, dst, err = h.ready(in[consumed:], dst)
		case handshakeDone:
			return consumed, dst, nil
		}
		consumed += n
		if n == 0 || err != nil {
			return consumed, dst, err
		}
	}
}

// Done tells whether the connection is open; then [Handshake.Peer] is known.
func (h *Handshake) Done() bool { return h.state == handshakeDone }

// Peer returns what was learnt about the other side.
func (h *Handshake) Peer() Peer { return h.peer }

func (h *Handshake) greeting(in, dst []byte) (int, []byte, error) {
	g, n, err := ParseGreeting(in)
	if n == 0 || err != nil {
		return 0, dst, err
	}
	if g.Mechanism != MechanismNull {
		return n, dst, fmt.Errorf("%w: %q, this socket has %q", ErrMechanism, g.Mechanism, MechanismNull)
	}
	h.minor = g.Minor
	if g.Major > Major {
		h.minor = Minor
	}
	h.state = awaitReady
	m := Metadata{{propSocketType, []byte(h.local)}}
	if h.local.HasIdentity() {
		m = append(m, Property{propIdentity, h.identity})
	}
	if h.Notes {
		m = append(m, Property{propNotes, []byte("1")})
	}
	return n, appendCommand(dst, cmdReady, AppendMetadata(nil, m)), nil
}

func (h *Handshake) ready(in, dst []byte) (int, []byte, error) {
	flags, size, n := header(in)
	if len(in) > 0 && (in[0]&flagCommand == 0 || in[0]&^(flagLong|flagCommand) != 0) {
		return 0, dst, fmt.Errorf("%w: a frame with flags 0x%02x came before READY", ErrHandshake, in[0])
	}
	if n == 0 {
		return 0, dst, nil
	}
	if size > maxHandshakeFrame {
		return 0, dst, fmt.Errorf("%w: a command of %d bytes came before READY, at most %d are accepted (flags 0x%02x)",
			ErrHandshake, size, maxHandshakeFrame, flags)
	}
	end := n + int(size)
	if len(in) < end {
		return 0, dst, nil
	}
	body := in[n:end]
	if data, ok := bytes.CutPrefix(body, []byte(cmdError)); ok {
		reason, err := parseError(data)
		if err != nil {
			return end, dst, err
		}
		return end, dst, fmt.Errorf("%w: %q", ErrRefused, reason)
	}
	data, ok := bytes.CutPrefix(body, []byte(cmdReady))
	if !ok {
		return end, dst, fmt.Errorf("%w: a command other than READY or ERROR came", ErrHandshake)
	}
	meta, err := ParseMetadata(bytes.Clone(data))
	if err != nil {
		return end, dst, err
	}
	typ, ok := meta.Get(propSocketType)
	if !ok {
		return end, dst, fmt.Errorf("%w: READY has no Socket-Type", ErrHandshake)
	}
	identity, _ := meta.Get(propIdentity)
	if len(identity) > MaxIdentity {
		return end, dst, fmt.Errorf("%w: a routing id of %d bytes", ErrHandshake, len(identity))
	}
	_, notes := meta.Get(propNotes)
	h.peer = Peer{Type: SocketType(typ), Identity: identity, Minor: h.minor, Notes: notes, Metadata: meta}
	if !h.local.Accepts(h.peer.Type) {
		// RFC 37 asks for an ERROR here; libzmq hangs up without one.
		err := fmt.Errorf("%w: %s can't talk to %.32q", ErrIncompatible, h.local, typ)
		return end, AppendError(dst, "incompatible socket types"), err
	}
	h.state = handshakeDone
	return end, dst, nil
}
