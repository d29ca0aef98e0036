// Package xsub is the XSUB end of RFC 29: a subscriber whose subscriptions
// are messages that it sends.
package xsub

import (
	"slices"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/brick"
)

// A Core is the pattern of one XSUB socket. The zero Core is ready to use.
type Core struct {
	topics brick.Subscriptions
	pipes  []*pattern.Pipe
	in     brick.FairQueue
}

// Attach adds a publisher.
func (c *Core) Attach(p *pattern.Pipe) bool {
	c.pipes = append(c.pipes, p)
	return true
}

// Connected tells p all subscriptions, again after each reconnect.
func (c *Core) Connected(p *pattern.Pipe) { c.topics.AnnounceTo(p) }

// Disconnected does nothing.
func (c *Core) Disconnected(*pattern.Pipe) {}

// Detach removes a publisher. What it sent is still read.
func (c *Core) Detach(p *pattern.Pipe) {
	p.Gone = true
	c.pipes = slices.DeleteFunc(c.pipes, func(other *pattern.Pipe) bool { return other == p })
}

// Readable reads p in its turn.
func (c *Core) Readable(p *pattern.Pipe) { c.in.Readable(p) }

// Writable does nothing: a message that finds a queue full is dropped.
func (c *Core) Writable(*pattern.Pipe) {}

// Send takes a single frame that begins with 0x01 or 0x00 as a subscription
// or cancellation. Every subscription is passed on, so that a verbose
// publisher sees it, and the last cancellation. Any other message goes to all
// publishers, except to those whose queues are full.
func (c *Core) Send(out *pattern.Out) error {
	if len(out.Body) == 1 && len(out.Body[0]) > 0 && out.Body[0][0] <= 1 {
		prefix := string(out.Body[0][1:])
		if out.Body[0][0] == 1 {
			c.topics.Add(prefix)
			c.Announce(prefix, true)
		} else if last, _ := c.topics.Remove(prefix); last {
			c.Announce(prefix, false)
		}
		return nil
	}
	out.Share = true
	for _, p := range c.pipes {
		p.Push(out)
	}
	return nil
}

// Announce tells all publishers that a subscription starts or ends.
func (c *Core) Announce(prefix string, on bool) {
	for _, p := range c.pipes {
		p.Announce(prefix, on)
	}
}

// Topics returns the subscriptions.
func (c *Core) Topics() *brick.Subscriptions { return &c.topics }

// Recv reads the next publisher that has a message (RFC 29: fair queuing).
func (c *Core) Recv(in *pattern.In) error {
	if c.in.Recv(in) == nil {
		return pattern.ErrAgain
	}
	return nil
}
