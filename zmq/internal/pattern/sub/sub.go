// Package sub is the SUB end of RFC 29: an XSUB with calls to subscribe, which
// drops what it did not subscribe to.
package sub

import (
	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/xsub"
)

// A Core is the pattern of one SUB socket. The zero Core is ready to use.
type Core struct {
	xsub.Core
}

// Subscribe adds a subscription. Publishers are told of the first to each
// prefix.
func (c *Core) Subscribe(prefix string) {
	if c.Topics().Add(prefix) {
		c.Announce(prefix, true)
	}
}

// Unsubscribe takes one subscription back; ok tells that there was one.
// Publishers are told of the last to each prefix.
func (c *Core) Unsubscribe(prefix string) (ok bool) {
	last, ok := c.Topics().Remove(prefix)
	if last {
		c.Announce(prefix, false)
	}
	return ok
}

// Send never sends (RFC 29, The SUB Socket Type).
func (c *Core) Send(*pattern.Out) error { return pattern.ErrAgain }

// Recv reads the next message that a subscription matches. Publishers filter
// already; what is dropped here was under way when a subscription ended.
func (c *Core) Recv(in *pattern.In) error {
	for {
		if err := c.Core.Recv(in); err != nil {
			return err
		}
		if c.Topics().Matches(in.Frames[0]) {
			return nil
		}
	}
}
