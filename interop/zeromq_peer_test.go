package interop

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/warrenmq/warren/interop/lab"
)

// A peer is one ZeroMQ socket, whoever implements it: libzmq behind pyzmq, or
// Warren through its Go API or its command. Scenarios are written against
// peers, so that every implementation can stand at every end.
type peer interface {
	// Send sends one message, and may wait for a peer as the socket type says.
	Send(parts ...string)
	// RecvWithin returns the next message, if one comes in time.
	RecvWithin(d time.Duration) (parts []string, ok bool)
	// Close lets what was sent leave and ends the socket.
	Close()
}

// A plan says how a peer's socket is to be set up.
type plan struct {
	kind      string // "req", "rep", …
	bind      []string
	connect   []string
	subscribe []string
	sign      string // for a rep: a part that it puts before each echo
}

// An implementation opens peers. A rep that it opens is an echo server and is
// never sent to or received from.
type implementation struct {
	name string
	open func(t testing.TB, p plan) peer
	// lines: its messages are text without line ends and tabs.
	lines bool
}

// recv receives a message or fails the test.
func recv(t testing.TB, p peer) []string {
	t.Helper()
	parts, ok := p.RecvWithin(lab.Patience)
	if !ok {
		t.Fatal("no message came")
	}
	return parts
}

// pyzmq is a libzmq socket in a Python process.
type pyzmq struct {
	t       testing.TB
	process *lab.Process
}

var libzmq = implementation{name: "libzmq", open: func(t testing.TB, p plan) peer {
	t.Helper()
	lab.NeedPython(t, "zmq")
	args := []string{p.kind}
	for flag, values := range map[string][]string{"--bind": p.bind, "--connect": p.connect, "--subscribe": p.subscribe} {
		for _, v := range values {
			args = append(args, flag, v)
		}
	}
	if p.kind == "rep" {
		args = append(args, "--echo")
	}
	if p.sign != "" {
		args = append(args, "--sign", p.sign)
	}
	s := &pyzmq{t, lab.StartPython(t, "interop/peers/pyzmq/socket.py", args...)}
	s.process.Expect("{}")
	return s
}}

type pyzmqReply struct {
	Parts *[]string
	Error string
}

func (s *pyzmq) do(command map[string]any) pyzmqReply {
	s.t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		s.t.Fatal(err)
	}
	s.process.Say(string(line))
	var reply pyzmqReply
	if err := json.Unmarshal([]byte(s.process.Line()), &reply); err != nil {
		s.t.Fatal(err)
	}
	if reply.Error != "" {
		s.t.Fatalf("libzmq: %s", reply.Error)
	}
	return reply
}

func (s *pyzmq) Send(parts ...string) {
	s.t.Helper()
	coded := make([]string, len(parts))
	for i, p := range parts {
		coded[i] = hex.EncodeToString([]byte(p))
	}
	s.do(map[string]any{"do": "send", "parts": coded})
}

func (s *pyzmq) RecvWithin(d time.Duration) ([]string, bool) {
	s.t.Helper()
	reply := s.do(map[string]any{"do": "recv", "ms": min(d, lab.Patience-5*time.Second).Milliseconds()})
	if reply.Parts == nil {
		return nil, false
	}
	parts := *reply.Parts
	for i, p := range parts {
		b, err := hex.DecodeString(p)
		if err != nil {
			s.t.Fatal(err)
		}
		parts[i] = string(b)
	}
	return parts, true
}

func (s *pyzmq) Close() {
	s.t.Helper()
	s.process.EndInput()
	s.process.Wait()
}

// commandPeer is a `warren zmq` process: a line in is a message, a message
// out is a line, a tab between parts.
type commandPeer struct {
	process *lab.Process
	sends   bool // it ends by itself once it has sent all of its input
}

var command = implementation{name: "command", lines: true, open: func(t testing.TB, p plan) peer {
	t.Helper()
	args := []string{"zmq", p.kind}
	for flag, values := range map[string][]string{"--bind": p.bind, "--connect": p.connect, "--subscribe": p.subscribe} {
		for _, v := range values {
			args = append(args, flag, v)
		}
	}
	sends := slices.Contains([]string{"push", "pub", "req", "pair", "dealer"}, p.kind)
	return &commandPeer{lab.Start(t, lab.Warren(t), args...), sends}
}}

func (c *commandPeer) Send(parts ...string) { c.process.Say(strings.Join(parts, "\t")) }

func (c *commandPeer) RecvWithin(d time.Duration) ([]string, bool) {
	line, ok := c.process.LineWithin(d)
	if !ok {
		return nil, false
	}
	return strings.Split(line, "\t"), true
}

// Close ends the input, on which a sender lingers and ends; who only listens
// is asked to end. Either must end with code 0.
func (c *commandPeer) Close() {
	c.process.EndInput()
	if !c.sends {
		c.process.Signal(syscall.SIGTERM)
	}
	c.process.Wait()
}
