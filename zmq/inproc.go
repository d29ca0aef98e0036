package zmq

import (
	"log/slog"
	"slices"
	"sync"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// An Inproc is a set of names for inproc:// endpoints. Sockets that share one
// can reach each other; a socket may be dialed to a name before another
// listens on it. The zero Inproc is ready to use.
type Inproc struct {
	mu      sync.Mutex
	names   map[string]*socket // who listens; owned by mu
	waiting map[string][]*pipe // who was dialed and has no peer; owned by mu
}

// processInproc is the Inproc of sockets whose Options name none: inproc names
// are the process's by their definition.
var processInproc = new(Inproc)

// newInprocPipe returns the pipe of an inproc peer that was dialed. Its
// queues are the peer's too, once it is there.
func newInprocPipe(s *socket) *pipe {
	p := &pipe{s: s, dialed: true}
	p.in = &queue{pool: &s.pool, asleep: true, local: true}
	p.out = &queue{pool: &s.pool, asleep: true, hwm: s.opts.SendHWM}
	p.Queues = p
	return p
}

// listen gives a name to a socket and connects those who wait for it.
func (i *Inproc) listen(s *socket, ep *address) error {
	name := ep.addr.Addr
	i.mu.Lock()
	if i.names[name] != nil {
		i.mu.Unlock()
		return ErrEndpointInUse
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		i.mu.Unlock()
		return ErrClosed
	}
	s.endpoints = append(s.endpoints, ep)
	s.mu.Unlock()
	if i.names == nil {
		i.names = make(map[string]*socket)
	}
	i.names[name] = s
	waiting := i.waiting[name]
	delete(i.waiting, name)
	i.mu.Unlock()
	for _, p := range waiting {
		i.dial(p, name)
	}
	return nil
}

// unlisten takes the name away from a socket.
func (i *Inproc) unlisten(s *socket, name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.names[name] == s {
		delete(i.names, name)
	}
}

// dial connects p to the socket of this name, now or when there is one.
func (i *Inproc) dial(p *pipe, name string) {
	i.mu.Lock()
	s := i.names[name]
	if s == nil {
		if i.waiting == nil {
			i.waiting = make(map[string][]*pipe)
		}
		i.waiting[name] = append(i.waiting[name], p)
		i.mu.Unlock()
		return
	}
	i.mu.Unlock()
	if !p.join(s) {
		i.unlisten(s, name) // it is being closed
		i.dial(p, name)
	}
}

// forget ends the wait of p for a name.
func (i *Inproc) forget(name string, p *pipe) {
	i.mu.Lock()
	defer i.mu.Unlock()
	list := slices.DeleteFunc(i.waiting[name], func(other *pipe) bool { return other == p })
	if len(list) > 0 {
		i.waiting[name] = list
	} else {
		delete(i.waiting, name)
	}
}

// sum adds two high-water marks, either of which may be without bound.
func sum(a, b int) int {
	if a == 0 || b == 0 {
		return 0
	}
	return a + b
}

// join connects p, which was dialed, to a socket that listens; false means
// that the socket is closed.
func (p *pipe) join(s *socket) bool {
	client := p.s
	log := s.opts.Logger
	if !s.typ.Accepts(client.typ) {
		for _, l := range []*slog.Logger{log, client.opts.Logger} {
			l.Warn("inproc connection refused", "reason", zmtp.ErrIncompatible, "listener", string(s.typ), "dialer", string(client.typ))
		}
		return true
	}
	p.in.mu.Lock()
	p.in.hwm = sum(s.opts.SendHWM, client.opts.RecvHWM)
	p.in.mu.Unlock()
	p.out.mu.Lock()
	p.out.hwm = sum(client.opts.SendHWM, s.opts.RecvHWM)
	room := p.out.blocked && (p.out.hwm == 0 || p.out.count < p.out.hwm)
	if room {
		p.out.blocked = false
	}
	p.out.local = true
	p.out.signalDrained()
	p.out.mu.Unlock()

	other := &pipe{s: s, in: p.out, out: p.in, peer: p}
	other.Queues = other
	other.Peer = client.announced()
	other.out.notes = other.Peer.Notes
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return false
	}
	if !s.core.Attach(&other.Pipe) {
		s.mu.Unlock()
		log.Warn("inproc connection refused", "reason", errRefusedPeer)
		return true
	}
	s.pipes[other] = struct{}{}
	s.core.Connected(&other.Pipe)
	s.core.Readable(&other.Pipe) // what was sent before there was a peer
	s.senders.wakeAll()
	s.receivers.wakeAll()
	s.unlock()

	client.mu.Lock()
	if p.Gone {
		client.mu.Unlock()
		other.end()
		return true
	}
	p.Peer = s.announced()
	p.out.notes = p.Peer.Notes
	p.peer = other
	client.core.Connected(&p.Pipe)
	client.core.Readable(&p.Pipe)
	if room {
		client.core.Writable(&p.Pipe)
	}
	client.senders.wakeAll()
	client.receivers.wakeAll()
	client.unlock()
	// Messages that were pushed in between found no peer to wake.
	other.readable()
	return true
}

// announced is what a handshake would tell about the socket.
func (s *socket) announced() zmtp.Peer {
	peer := zmtp.Peer{Type: s.typ, Minor: zmtp.Minor, Notes: s.opts.Notes}
	if s.typ.HasIdentity() {
		peer.Identity = s.opts.RoutingID
	}
	return peer
}

// hangUpInproc ends a connection between two sockets of the process. The side
// that was dialed gets a new pipe and waits for a listener again.
func (p *pipe) hangUpInproc(reason string) {
	p.s.mu.Lock()
	peer := p.peer
	p.s.mu.Unlock()
	p.s.opts.Logger.Debug("inproc connection ended", "reason", reason)
	p.end()
	if peer != nil {
		peer.end()
	}
}

// end detaches one side of an inproc connection, and dials again if its
// endpoint is still there.
func (p *pipe) end() {
	s := p.s
	s.mu.Lock()
	if _, attached := s.pipes[p]; !attached {
		s.mu.Unlock()
		return
	}
	delete(s.pipes, p)
	s.core.Detach(&p.Pipe)
	p.out.close()
	var next *pipe
	name := ""
	if at := slices.IndexFunc(s.endpoints, func(e *address) bool { return e.pipe == p }); at >= 0 {
		ep := s.endpoints[at]
		next, name = newInprocPipe(s), ep.addr.Addr
		if s.core.Attach(&next.Pipe) {
			ep.pipe = next
			s.pipes[next] = struct{}{}
		} else {
			next = nil
		}
	}
	s.senders.wakeAll()
	s.receivers.wakeAll()
	s.unlock()
	if next != nil {
		s.opts.Inproc.dial(next, name)
	}
}
