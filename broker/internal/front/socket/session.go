package socket

import (
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front"
	"github.com/warrenmq/warren/broker/internal/front/pump"
)

const (
	// batchWork is how much a batch moves before others get their turn.
	batchWork = 4096
	// lagCheck is how often the backlog of a client that does not read is looked at. What the room is told meanwhile is
	// kept on top of the backlog, which in a second can be several times as much.
	lagCheck = 100 * time.Millisecond
)

// streams makes the sessions of one stream listener.
type streams struct {
	env      front.Env
	settings *settings
}

// Protocol returns the listener's scheme.
func (f *streams) Protocol() string { return f.settings.endpoint.Scheme }

// NewSession returns the session of one connection.
func (f *streams) NewSession(c *pump.Conn) pump.Session {
	q := quiet{idle: f.settings.idle, conn: c}
	if f.settings.mode == echo {
		return &echoSession{quiet: q}
	}
	return &session{
		quiet: q, env: f.env, settings: f.settings, target: []byte(f.settings.target),
		splitter: splitter{framing: f.settings.framing, limit: f.settings.max},
	}
}

// quiet watches whether a client is. It belongs to the connection's reader.
type quiet struct {
	conn  *pump.Conn
	idle  time.Duration // 0 is never
	moved uint64        // bytes read and written when last looked
	since time.Time     // when they last changed, as far as was seen
}

// check returns when to look next, zero for never, and an error when the client has been quiet for too long.
func (q *quiet) check(now time.Time) (time.Time, error) {
	if q.idle == 0 {
		return time.Time{}, nil
	}
	if moved := q.conn.BytesRead() + q.conn.BytesWritten(); moved != q.moved || q.since.IsZero() {
		q.moved, q.since = moved, now
	}
	if now.Sub(q.since) >= q.idle {
		q.conn.Logger().Info("connection closed: quiet for too long", "idle", q.idle)
		return time.Time{}, io.EOF
	}
	// Bytes are only counted, not timed: looking eight times in the limit's time keeps the error below an eighth.
	return now.Add(min(q.idle-now.Sub(q.since), q.idle/8)), nil
}

// echoSession returns every byte.
type echoSession struct{ quiet }

func (s *echoSession) Feed(in []byte) (n, need int, err error) {
	o := s.conn.Out()
	o.End(append(o.Begin(), in...))
	return len(in), 0, nil
}

func (s *echoSession) EOF() bool                             { return false }
func (s *echoSession) EndBatch()                             {}
func (s *echoSession) Tick(now time.Time) (time.Time, error) { return s.check(now) }
func (s *echoSession) Hold() <-chan struct{}                 { return nil }
func (s *echoSession) Shutdown(string) time.Duration         { return 0 }
func (s *echoSession) Drained()                              {}
func (s *echoSession) Closed(error)                          {}

// session is a client in a room or at a queue. It belongs to the connection's reader, but for what is said otherwise.
type session struct {
	quiet
	membership
	env      front.Env
	settings *settings
	target   []byte
	splitter splitter
	listenAt time.Time   // when a client that has sent nothing becomes a consumer; zero when that is settled
	producer bool        // it has sent something
	lagging  atomic.Bool // the output was full when a delivery came, and has not drained since; any goroutine
}

// Tick enters the client, makes a silent one a consumer, and closes the quiet and those that fall behind.
func (s *session) Tick(now time.Time) (time.Time, error) {
	if s.client == nil {
		if err := s.enter(now); err != nil {
			return time.Time{}, s.closing(err)
		}
	}
	next, err := s.check(now)
	if err != nil {
		return time.Time{}, err
	}
	if !s.listenAt.IsZero() {
		if now.Before(s.listenAt) {
			next = earlier(next, s.listenAt)
		} else {
			s.listenAt = time.Time{}
			if err := s.listen(); err != nil {
				return time.Time{}, s.closing(err)
			}
		}
	}
	if s.lagging.Load() && s.settings.mode == room {
		if s.consumer.Queue().Info().ReadyBytes > s.settings.backlog {
			return time.Time{}, errBehind
		}
		next = earlier(next, now.Add(lagCheck))
	}
	return next, nil
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func (s *session) enter(now time.Time) error {
	info := engine.ClientInfo{Protocol: string(s.settings.mode), Peer: s.conn.RemoteAddr().String(), Alarm: s.conn.Wake}
	if err := s.join(s.env, s.settings, info, loopback(s.conn.RemoteAddr())); err != nil {
		return err
	}
	switch s.settings.consume {
	case always:
		return s.listen()
	case silent:
		s.listenAt = now.Add(listenAfter)
	}
	return nil
}

// loopback reports whether a client is on this machine.
func loopback(a net.Addr) bool {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.IsLoopback()
	}
	return true // a Unix socket, or a pipe within the process
}

func (s *session) listen() error {
	err := s.consume(s)
	s.batch.End()
	return err
}

// closing is the error that a refusal of the engine ends the connection with.
func (s *session) closing(err error) error {
	if actionOf(err) == closeQuiet {
		return io.EOF
	}
	return err
}

// Feed publishes every whole message in in.
func (s *session) Feed(in []byte) (n, need int, err error) {
	if err := s.spoken(); err != nil {
		return 0, 0, err
	}
	for n < len(in) {
		if s.batch.Work() >= batchWork || s.Hold() != nil {
			return n, 0, nil
		}
		body, size, need, err := s.splitter.next(in[n:])
		if err != nil {
			return n, 0, err
		}
		if size == 0 {
			return n, need, nil
		}
		if err := s.publish(s.target, body); err != nil {
			return n, 0, s.closing(err)
		}
		n += size
	}
	return n, 0, nil
}

// spoken notes that the client has sent something: it is no silent consumer.
func (s *session) spoken() error {
	if !s.settings.publish {
		return errMute
	}
	if !s.producer {
		s.producer = true
		if s.settings.consume == silent {
			s.listenAt = time.Time{}
			s.unlisten()
		}
	}
	return nil
}

// EOF publishes a last line without an end.
func (s *session) EOF() bool {
	rest := s.conn.Unread()
	if len(rest) == 0 {
		return false
	}
	body, whole := s.splitter.last(rest)
	if !whole {
		s.conn.Logger().Warn("the client left in the middle of a message", "bytes", len(rest))
		return false
	}
	if err := s.publish(s.target, body); err != nil {
		s.conn.Logger().Warn("the client's last line is lost", "err", err)
	}
	s.batch.End()
	return false
}

// EndBatch flushes whom the batch has written to.
func (s *session) EndBatch() { s.batch.End() }

// Hold holds publishers while the broker is low on memory.
func (s *session) Hold() <-chan struct{} {
	if !s.settings.publish {
		return nil
	}
	resumed, _ := s.env.Engine.Held()
	return resumed
}

// Shutdown says nothing: a line would be taken for somebody's.
func (s *session) Shutdown(string) time.Duration { return 0 }

// Closed gives the client's place back.
func (s *session) Closed(error) { s.leave() }

// Drained makes the queue go on after the client has read.
func (s *session) Drained() {
	s.lagging.Store(false)
	b := s.env.Engine.NewBatch()
	s.consumer.Wake(b)
	b.End()
}

// Deliver writes a message to the client. Any goroutine; lock: queue.
func (s *session) Deliver(d *engine.Delivery) engine.Verdict {
	if s.isOwn(d) {
		return engine.Taken
	}
	o := s.conn.Out()
	if o.Full() {
		if !s.lagging.Swap(true) {
			s.conn.Wake()
		}
		return engine.Refused
	}
	if o.End(appendMessage(o.Begin(), s.settings.framing, d.Message.Body)) {
		return engine.TakenDirty
	}
	return engine.Taken
}

// Flush pushes out what Deliver has written. Any goroutine.
func (s *session) Flush() { s.conn.Out().Flush() }

// Cancelled ends the connection, since there is nothing left to hear. Any goroutine.
func (s *session) Cancelled(*engine.Consumer) { s.conn.Close(errDeleted) }
