// Package patterntest holds the peers that the patterns are tested with.
package patterntest

import (
	"fmt"
	"strings"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A Peer is a pattern.Pipe whose other end is a test: what the core does to it
// is recorded.
type Peer struct {
	pattern.Pipe
	Name      string
	Room      int      // messages that Push still takes
	Sent      []string // by the core, as Text shows messages
	Announced []string // subscriptions: "+prefix" or "-prefix"
	Resets    []string // reasons
	Discards  int

	waiting []message
}

type message struct {
	frames  [][]byte
	command bool
}

// New returns a peer with room for many messages.
func New(name string) *Peer {
	p := &Peer{Name: name, Room: 1000}
	p.Queues = p
	return p
}

// Join attaches the peer to a core and tells that it is connected, with its
// name as its routing id.
func Join(c pattern.Core, p *Peer) *Peer {
	c.Attach(&p.Pipe)
	p.Peer = zmtp.Peer{Identity: []byte(p.Name), Minor: 1}
	c.Connected(&p.Pipe)
	return p
}

// Says makes the peer send messages, written as Text shows them.
func (p *Peer) Says(c pattern.Core, texts ...string) {
	for _, text := range texts {
		p.waiting = append(p.waiting, message{frames: Frames(text)})
	}
	c.Readable(&p.Pipe)
}

// Unread returns how many messages of the peer the core has not taken.
func (p *Peer) Unread() int { return len(p.waiting) }

// Commands makes the peer send a command with this body.
func (p *Peer) Commands(c pattern.Core, body string) {
	p.waiting = append(p.waiting, message{[][]byte{[]byte(body)}, true})
	c.Readable(&p.Pipe)
}

// Push implements pattern.Queues.
func (p *Peer) Push(out *pattern.Out) bool {
	if p.Room == 0 {
		return false
	}
	p.Room--
	p.Sent = append(p.Sent, Text(append(append([][]byte(nil), out.Head...), out.Body...)))
	return true
}

// Pop implements pattern.Queues.
func (p *Peer) Pop(in *pattern.In) bool {
	if len(p.waiting) == 0 {
		return false
	}
	m := p.waiting[0]
	p.waiting = p.waiting[1:]
	in.Fill(append(in.Scratch(), m.frames...))
	in.Command = m.command
	return true
}

// Announce implements pattern.Queues.
func (p *Peer) Announce(prefix string, on bool) {
	sign := "-"
	if on {
		sign = "+"
	}
	p.Announced = append(p.Announced, sign+prefix)
}

// Discard implements pattern.Queues.
func (p *Peer) Discard() { p.Discards++ }

// Reset implements pattern.Queues.
func (p *Peer) Reset(reason string) { p.Resets = append(p.Resets, reason) }

// Text shows a message: its frames with bars between them.
func Text(frames [][]byte) string {
	parts := make([]string, len(frames))
	for i, f := range frames {
		parts[i] = string(f)
	}
	return strings.Join(parts, "|")
}

// Frames is the reverse of Text.
func Frames(text string) [][]byte {
	var frames [][]byte
	for part := range strings.SplitSeq(text, "|") {
		frames = append(frames, []byte(part))
	}
	return frames
}

// Send has the core send a message and returns its error.
func Send(c pattern.Core, text string) error {
	var out pattern.Out
	out.Set(Frames(text))
	return c.Send(&out)
}

// Recv has the core receive, and returns what came as Text shows it, or the
// error in angle brackets.
func Recv(c pattern.Core) string {
	var in pattern.In
	if err := c.Recv(&in); err != nil {
		return fmt.Sprintf("<%v>", err)
	}
	return Text(in.Frames)
}

// Again is what Recv returns when there is nothing.
const Again = "<not now>"
