package socket

import (
	"errors"
	"fmt"

	"github.com/warrenmq/warren/broker/internal/engine"
)

// What a client can do wrong. Each closes its connection, with the error in the log.
var (
	errMute    = errors.New("the client sent something, and this listener has publish=0")
	errBehind  = errors.New("the client is too far behind: the room's backlog for it is full")
	errDeleted = errors.New("the queue was deleted")
	errCrowded = fmt.Errorf("more than %d addresses have sent something of late", maxMembers)
)

func errLong(framing framing, limit int) error {
	what := "line"
	if framing != lines {
		what = "message"
	}
	return fmt.Errorf("a %s is longer than %d bytes: the listener's max", what, limit)
}

// action is what becomes of a connection on which the engine refused something.
type action uint8

const (
	closeConn  action = iota // the client cannot go on
	closeQuiet               // the broker is closing; there is nothing to say about it
)

// actionOf is the table from the engine's refusals to what this front does. Sockets have no words for an error, so every
// kind ends the connection; what differs is what the log is told.
func actionOf(err error) action {
	if errors.Is(err, engine.ErrClosed) {
		return closeQuiet
	}
	return closeConn
}
