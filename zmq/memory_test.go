package zmq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/warrenmq/warren/zmq/internal/transport"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A memory is a network in memory, for tests in synctest's bubbles, where
// time stands still while anything runs.
type memory struct {
	mu        sync.Mutex
	listeners map[string]*memoryListener
	conns     []*memoryConn // the dialing ends, in the order they were made
	dials     int
	buffer    int // bytes that a connection holds each way; 0: any number
}

func (n *memory) Listen(_ context.Context, e transport.Endpoint) (net.Listener, transport.Endpoint, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners == nil {
		n.listeners = make(map[string]*memoryListener)
	}
	if n.listeners[e.Addr] != nil {
		return nil, e, errors.New("address in use")
	}
	l := &memoryListener{n: n, addr: e.Addr, backlog: make(chan net.Conn, 1000), closed: make(chan struct{})}
	n.listeners[e.Addr] = l
	return l, e, nil
}

func (n *memory) Dial(_ context.Context, e transport.Endpoint) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	l := n.listeners[e.Addr]
	if l == nil {
		return nil, errors.New("connection refused")
	}
	a, b := newMemoryConn(n.buffer)
	n.conns = append(n.conns, a)
	l.backlog <- b
	return a, nil
}

// dial connects by hand.
func (n *memory) dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	e, err := transport.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := n.Dial(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// count returns how many attempts to connect were made.
func (n *memory) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// breakAll breaks all connections that were made until now.
func (n *memory) breakAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		_ = c.Close()
	}
	n.conns = nil
}

type memoryListener struct {
	n       *memory
	addr    string
	backlog chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.n.mu.Lock()
		delete(l.n.listeners, l.addr)
		l.n.mu.Unlock()
	})
	return nil
}

func (l *memoryListener) Addr() net.Addr { return memoryAddr(l.addr) }

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

// A memoryConn is one end of a connection with a buffer each way.
type memoryConn struct {
	in, out *stream
}

func newMemoryConn(buffer int) (a, b *memoryConn) {
	x, y := newStream(buffer), newStream(buffer)
	return &memoryConn{x, y}, &memoryConn{y, x}
}

func (c *memoryConn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *memoryConn) Write(b []byte) (int, error) { return c.out.write(b) }

// unread makes a connection hold next to nothing that its dialing end does not read.
func (c *memoryConn) unread() {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.limit = 1
}

func (c *memoryConn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

// pending returns how many bytes the other end has not read.
func (c *memoryConn) pending() int {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return len(c.out.buf)
}

// CloseWrite ends the stream to the other end.
func (c *memoryConn) CloseWrite() error {
	c.out.close()
	return nil
}

func (c *memoryConn) LocalAddr() net.Addr                { return memoryAddr("local") }
func (c *memoryConn) RemoteAddr() net.Addr               { return memoryAddr("remote") }
func (c *memoryConn) SetReadDeadline(t time.Time) error  { c.in.setDeadline(t); return nil }
func (c *memoryConn) SetWriteDeadline(t time.Time) error { return nil }
func (c *memoryConn) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }

// A stream is one direction.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond
	buf     []byte
	limit   int // of buf, 0: none
	closed  bool
	late    bool // the read deadline has passed
	timer   *time.Timer
	failAt  int // bytes after which writing fails, 0: never
	written int
}

func newStream(limit int) *stream {
	s := &stream{limit: limit}
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buf) == 0 {
		if s.closed {
			return 0, io.EOF
		}
		if s.late {
			return 0, os.ErrDeadlineExceeded
		}
		s.changed.Wait()
	}
	n := copy(b, s.buf)
	s.buf = s.buf[n:]
	s.changed.Broadcast()
	return n, nil
}

func (s *stream) write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0
	for len(b) > 0 {
		if s.closed || s.failAt > 0 && s.written >= s.failAt {
			return total, io.ErrClosedPipe
		}
		n := len(b)
		if s.limit > 0 {
			n = min(n, s.limit-len(s.buf))
		}
		if s.failAt > 0 {
			n = min(n, s.failAt-s.written)
		}
		if n == 0 {
			s.changed.Wait()
			continue
		}
		s.buf = append(s.buf, b[:n]...)
		s.written += n
		b = b[n:]
		total += n
		s.changed.Broadcast()
	}
	return total, nil
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.changed.Broadcast()
}

func (s *stream) setDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = false
	if s.timer != nil {
		s.timer.Stop()
	}
	if !t.IsZero() && !s.closed {
		s.timer = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.late = true
			s.changed.Broadcast()
		})
	}
}

// A logbook is the lines that a socket logs.
type logbook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logbook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	return len(b), nil
}

// has tells whether a line holds all of the words.
func (l *logbook) has(words ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.lines, func(line string) bool {
		for _, w := range words {
			if !strings.Contains(line, w) {
				return false
			}
		}
		return true
	})
}

// on puts a socket on the network in memory, and closes it when the test
// ends.
func on[S interface {
	runtime() *socket
	Close() error
}](t *testing.T, n *memory, s S) S {
	s.runtime().net = n
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (s *socket) runtime() *socket { return s }

// must stops the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, s interface {
	Listen(context.Context, string) (string, error)
}, endpoint string) string {
	t.Helper()
	bound, err := s.Listen(t.Context(), endpoint)
	must(t, err)
	return bound
}

func dial(t *testing.T, s interface {
	Dial(context.Context, string) error
}, endpoint string) {
	t.Helper()
	must(t, s.Dial(t.Context(), endpoint))
}

// text shows a message: its frames with bars between them.
func text(m Message) string {
	parts := make([]string, len(m))
	for i, f := range m {
		parts[i] = string(f)
	}
	return strings.Join(parts, "|")
}

// message is the reverse of text.
func message(s string) Message {
	var m Message
	for part := range strings.SplitSeq(s, "|") {
		m = append(m, []byte(part))
	}
	return m
}

func send(t *testing.T, s Sender, texts ...string) {
	t.Helper()
	for _, m := range texts {
		must(t, s.Send(t.Context(), message(m)))
	}
}

// recv receives messages and compares them.
func recv(t *testing.T, s Receiver, want ...string) {
	t.Helper()
	for _, w := range want {
		m, err := s.Recv(t.Context())
		must(t, err)
		if text(m) != w {
			t.Fatalf("received %q, want %q", text(m), w)
		}
	}
}

// within is a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// greet speaks a handshake by hand: as a socket of this type and minor
// version.
func greet(t *testing.T, c net.Conn, typ zmtp.SocketType, minor byte) {
	t.Helper()
	hello := zmtp.AppendGreeting(nil, zmtp.Greeting{Major: 3, Minor: minor, Mechanism: zmtp.MechanismNull})
	meta := zmtp.AppendMetadata(nil, zmtp.Metadata{{Name: "Socket-Type", Value: []byte(typ)}})
	hello = append(hello, 0x04, byte(6+len(meta)))
	hello = append(hello, "\x05READY"...)
	hello = append(hello, meta...)
	_, err := c.Write(hello)
	must(t, err)
	greeting := make([]byte, zmtp.GreetingSize)
	_, err = io.ReadFull(c, greeting)
	must(t, err)
	head := make([]byte, 2)
	_, err = io.ReadFull(c, head)
	must(t, err)
	_, err = io.ReadFull(c, make([]byte, head[1]))
	must(t, err)
}

// expect reads exactly these bytes.
func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("read %q, want %q; error %v", got[:n], want, err)
	}
}

// numbers are the texts of the numbers from a up to b.
func numbers(a, b int) []string {
	var list []string
	for i := a; i < b; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}
