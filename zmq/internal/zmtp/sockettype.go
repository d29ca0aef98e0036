package zmtp

// A SocketType is the name of a pattern's end as READY carries it
// (RFC 37, property Socket-Type).
type SocketType string

// The socket types of RFC 28, 29, 30 and 31.
const (
	REQ    SocketType = "REQ"
	REP    SocketType = "REP"
	DEALER SocketType = "DEALER"
	ROUTER SocketType = "ROUTER"
	PUB    SocketType = "PUB"
	SUB    SocketType = "SUB"
	XPUB   SocketType = "XPUB"
	XSUB   SocketType = "XSUB"
	PUSH   SocketType = "PUSH"
	PULL   SocketType = "PULL"
	PAIR   SocketType = "PAIR"
)

// Accepts tells whether a socket of type t may talk to one of type peer
// (the table under RFC 37, "The Socket-Type property").
func (t SocketType) Accepts(peer SocketType) bool {
	switch t {
	case REQ:
		return peer == REP || peer == ROUTER
	case REP:
		return peer == REQ || peer == DEALER
	case DEALER:
		return peer == REP || peer == DEALER || peer == ROUTER
	case ROUTER:
		return peer == REQ || peer == DEALER || peer == ROUTER
	case PUB, XPUB:
		return peer == SUB || peer == XSUB
	case SUB, XSUB:
		return peer == PUB || peer == XPUB
	case PUSH:
		return peer == PULL
	case PULL:
		return peer == PUSH
	case PAIR:
		return peer == PAIR
	}
	return false
}

// HasIdentity tells whether sockets of this type announce a routing id: the
// types that a ROUTER may be the peer of.
func (t SocketType) HasIdentity() bool {
	return t == REQ || t == DEALER || t == ROUTER
}
