package zmq

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/transport"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A socket is the runtime under every socket type, and the only place where
// anything waits. Its core decides, its pipes hold the messages, its
// connections move bytes.
//
// Locks. The socket's lock guards the core and all that the core may touch.
// Each queue has a lock of its own, which is taken last and held briefly, so
// that connections take from it and put into it without the socket. What must
// be done to others after a call into the core (write to an idle connection,
// wake the socket at the other end of an inproc pipe) is noted down as a
// nudge and done when the lock is free again: two sockets never lock each
// other, and nothing is written under a lock.
//
// The road not taken is a goroutine that owns the socket, with channels to
// it: two goroutine switches for each message cost more than all the rest.
type socket struct {
	typ  zmtp.SocketType
	opts Options
	bad  error // what is wrong with the options
	net  network
	pool pool

	mu        sync.Mutex
	core      pattern.Core       // owned by mu
	closed    bool               // owned by mu
	pipes     map[*pipe]struct{} // attached or not flushed yet; owned by mu
	endpoints []*address         // owned by mu
	halfOpen  []net.Conn         // accepted, in their handshake, oldest first; owned by mu
	receivers waitlist           // calls that wait for a message; owned by mu
	senders   waitlist           // calls that wait for room or a peer; owned by mu
	nudges    []nudge            // owned by mu
	in        pattern.In         // owned by mu
	out       pattern.Out        // owned by mu
	arena     arena              // owned by mu

	running sync.WaitGroup // listeners, connectors, connections
	gone    chan struct{}  // closed when Close is through
}

// A network opens listeners and connections.
type network interface {
	Listen(context.Context, transport.Endpoint) (net.Listener, transport.Endpoint, error)
	Dial(context.Context, transport.Endpoint) (net.Conn, error)
}

// system is the network of package transport.
type system struct{}

func (system) Listen(ctx context.Context, e transport.Endpoint) (net.Listener, transport.Endpoint, error) {
	return transport.Listen(ctx, e)
}

func (system) Dial(ctx context.Context, e transport.Endpoint) (net.Conn, error) {
	return transport.Dial(ctx, e)
}

// newSocket makes a socket whose core build returns.
func newSocket(typ zmtp.SocketType, o *Options, build func(*Options) pattern.Core) *socket {
	s := &socket{
		typ:   typ,
		net:   system{},
		pipes: make(map[*pipe]struct{}),
		gone:  make(chan struct{}),
	}
	s.opts, s.bad = o.resolve()
	s.opts.Logger = s.opts.Logger.With("socket", string(typ))
	s.core = build(&s.opts)
	return s
}

// seed returns a number to start counting ids at, so that two runs of a
// program don't use the same.
func seed() uint32 { return rand.Uint32() }

// A nudge is what is to be done to a pipe's other end once the lock is free.
type nudge struct {
	p    *pipe
	what nudgeKind
	note string // why, for nudgeReset
}

type nudgeKind int

const (
	nudgeWrite    nudgeKind = iota // messages wait for an idle connection
	nudgeReadable                  // an inproc peer has messages
	nudgeWritable                  // an inproc peer has room
	nudgeReset                     // an inproc peer is to be dropped
)

// unlock frees the socket's lock and does what was noted down under it.
func (s *socket) unlock() {
	switch len(s.nudges) {
	case 0:
		s.mu.Unlock()
	case 1:
		n := s.nudges[0]
		s.nudges = s.nudges[:0]
		s.mu.Unlock()
		n.do(true)
	default:
		list := s.nudges
		s.nudges = nil
		s.mu.Unlock()
		for _, n := range list {
			n.do(false)
		}
		clear(list)
		s.mu.Lock()
		if s.nudges == nil {
			s.nudges = list[:0]
		}
		s.unlock()
	}
}

// do carries the nudge out. alone tells that it is the only one, so that its
// caller has the time to write itself.
func (n nudge) do(alone bool) {
	switch n.what {
	case nudgeWrite:
		n.p.kick(alone)
	case nudgeReadable:
		n.p.readable()
	case nudgeWritable:
		n.p.writable()
	case nudgeReset:
		n.p.hangUp(n.note)
	}
}

// send waits until the core takes m.
func (s *socket) send(ctx context.Context, m Message) error {
	return s.sendNote(ctx, nil, m)
}

// sendNote is send with a note on m for peers that take notes.
func (s *socket) sendNote(ctx context.Context, note []byte, m Message) error {
	if len(m) == 0 {
		return ErrNoFrames
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	for {
		if s.closed {
			s.mu.Unlock()
			return ErrClosed
		}
		s.out.Set(m)
		s.out.Note = note
		err := s.core.Send(&s.out)
		s.out.Set(nil)
		if err == nil {
			s.unlock()
			return nil
		}
		if err == pattern.ErrAgain {
			err = s.sleep(ctx, &s.senders)
		}
		if err != nil {
			s.unlock()
			return public(err)
		}
	}
}

// recv waits for a message and returns it in memory of its own.
func (s *socket) recv(ctx context.Context) (Message, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	m := s.arena.take(&s.in)
	s.received()
	return m, nil
}

// recvInto waits for a message and copies it into the memory of m.
func (s *socket) recvInto(ctx context.Context, m *Message) error {
	if err := s.await(ctx); err != nil {
		return err
	}
	copyInto(m, s.in.Frames)
	s.received()
	return nil
}

// recvNote is recvInto with the peer's note on the message, which is copied
// into the memory of note; without one it becomes empty.
func (s *socket) recvNote(ctx context.Context, note *[]byte, m *Message) error {
	if err := s.await(ctx); err != nil {
		return err
	}
	*note = append((*note)[:0], s.note()...)
	copyInto(m, s.in.Frames)
	s.received()
	return nil
}

// note returns the note on s.in, if the socket asked for notes. Called with mu
// held.
func (s *socket) note() []byte {
	if !s.opts.Notes {
		return nil
	}
	return s.in.Note
}

// await waits until the core has filled s.in, and returns with the lock held
// unless it fails. received frees it.
func (s *socket) await(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	for {
		if s.closed {
			s.mu.Unlock()
			return ErrClosed
		}
		err := s.core.Recv(&s.in)
		if err == nil {
			return nil
		}
		if err == pattern.ErrAgain {
			err = s.sleep(ctx, &s.receivers)
		}
		if err != nil {
			s.unlock()
			return public(err)
		}
	}
}

// received ends what await began, once s.in was copied.
func (s *socket) received() {
	if s.in.Lease != nil {
		s.in.Forget() // what is large is not to stay alive for long
	}
	s.receivers.wakeOne() // one event may have brought many messages
	s.unlock()
}

// withCore runs f on the socket's core, under its lock.
func (s *socket) withCore(f func()) error {
	s.mu.Lock()
	defer s.unlock()
	if s.closed {
		return ErrClosed
	}
	f()
	return nil
}
