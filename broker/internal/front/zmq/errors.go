package zmq

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/warrenmq/warren/broker/internal/engine"
)

// Why a message is dropped. ZeroMQ has no way to tell a peer, so the log is told.
var (
	errLongKey    = fmt.Errorf("its routing key is longer than %d bytes", longestKey)
	errHops       = errors.New("it has crossed too many bridges: there is a loop")
	errUnroutable = errors.New("it could not be routed: no queue is bound for it")
	errTimeout    = errors.New("no answer came in time")
)

// missing reports whether the engine refused something because a queue or exchange does not exist.
func missing(err error) bool {
	e, ok := errors.AsType[*engine.Error](err)
	return ok && e.Kind == engine.NotFound
}

// complaints tells the log of what peers can cause any number of times: once a second, with how many there were.
type complaints struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex // lock: complaints; a leaf
	said time.Time  // owner mu
	more int        // how many were kept back since; owner mu
}

const sayEvery = time.Second

func (c *complaints) say(what string, err error) {
	now := c.now()
	c.mu.Lock()
	if now.Sub(c.said) < sayEvery {
		c.more++
		c.mu.Unlock()
		return
	}
	more := c.more
	c.said, c.more = now, 0
	c.mu.Unlock()
	c.log.Warn(what, "err", err, "more", more)
}
