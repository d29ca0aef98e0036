package zmq

import (
	"errors"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/transport"
)

// ErrClosed is the error of every call on a socket after Close, and of calls
// that Close interrupts.
var ErrClosed = errors.New("zmq: the socket is closed")

// ErrNoFrames is the error for sending a message without a frame. A message
// of one empty frame is Message{nil}.
var ErrNoFrames = errors.New("zmq: a message needs a frame at least")

// ErrUnroutable is the error of Send on a Router with Options.RouterMandatory
// when no peer has the routing id in the first frame.
var ErrUnroutable = errors.New("zmq: no peer has this routing id")

// ErrReplyLost is the error of Req.Do when the connection to the peer that
// got the request ended before the reply came. The request may or may not
// have been acted on.
var ErrReplyLost = errors.New("zmq: the connection ended before the reply came")

// ErrReplied is the error of a second Reply to one request.
var ErrReplied = errors.New("zmq: the request was replied to already")

// ErrNotSubscribed is the error of Unsubscribe for a prefix without a
// subscription.
var ErrNotSubscribed = errors.New("zmq: there is no such subscription")

// ErrEndpointUnknown is the error of Unlisten and Disconnect for an endpoint
// that the socket does not listen on or was not dialed.
var ErrEndpointUnknown = errors.New("the socket does not use this endpoint")

// ErrEndpointInUse is the error of Listen for an inproc name that another
// socket has.
var ErrEndpointInUse = errors.New("another socket listens on this name")

// ErrSyntax is the error for an endpoint that is malformed, ErrScheme for one
// of a transport that is not supported here.
var (
	ErrSyntax = transport.ErrSyntax
	ErrScheme = transport.ErrScheme
)

// An EndpointError says what was asked about which endpoint, and why it could
// not be done. Use [errors.Is] and [errors.As] to look at the reason.
type EndpointError struct {
	Op       string // "listen", "dial", "unlisten" or "disconnect"
	Endpoint string // as it was given
	Err      error
}

// Error returns one line.
func (e *EndpointError) Error() string {
	return "zmq: " + e.Op + " " + e.Endpoint + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *EndpointError) Unwrap() error { return e.Err }

// public turns an error of a pattern into one of this package.
func public(err error) error {
	switch err {
	case pattern.ErrUnroutable:
		return ErrUnroutable
	case pattern.ErrReplyLost:
		return ErrReplyLost
	}
	return err
}
