package engine

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
)

// house is a broker with the users that tests need.
type house struct {
	*Broker
	t     testing.TB
	users *access.Users
}

func newHouse(t testing.TB, c Config) *house {
	t.Helper()
	users := access.New()
	c.Users = users
	h := &house{Broker: New(c), t: t, users: users}
	t.Cleanup(func() { h.Broker.Close() })
	return h
}

// guest is a client of the embedding program: it may do everything.
func (h *house) guest() *guest { return h.client(nil) }

// user is a client of a user with these permissions on "/".
func (h *house) user(name string, p access.Permissions) *guest {
	h.t.Helper()
	if err := h.users.Put(access.User{Name: name, PasswordHash: access.NewHash([]byte("secret"))}); err != nil {
		h.t.Fatal(err)
	}
	if err := h.users.SetPermissions("/", name, p); err != nil {
		h.t.Fatal(err)
	}
	principal, err := h.Authenticate(name, []byte("secret"), true)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.client(principal)
}

func (h *house) client(p *access.Principal) *guest {
	h.t.Helper()
	c, err := h.Open("/", p, ClientInfo{Protocol: "test"})
	if err != nil {
		h.t.Fatal(err)
	}
	return &guest{Client: c, t: h.t, batch: h.NewBatch()}
}

// guest is a client and its batch.
type guest struct {
	*Client
	t     testing.TB
	batch *Batch
}

func (g *guest) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) declare(spec QueueSpec) *Queue {
	g.t.Helper()
	d, err := g.DeclareQueue(spec)
	g.must(err)
	return g.VHost().Queue(d.Name)
}

func (g *guest) exchange(spec ExchangeSpec) {
	g.t.Helper()
	g.must(g.DeclareExchange(spec))
}

func (g *guest) publish(x, key, body string) int {
	g.t.Helper()
	n, err := g.Publish(g.batch, &message.Message{Exchange: []byte(x), Key: []byte(key), Body: []byte(body)})
	g.must(err)
	g.batch.End()
	return n
}

func (g *guest) consume(spec ConsumerSpec, to Sink) *Consumer {
	g.t.Helper()
	c, err := g.Consume(spec, to)
	g.must(err)
	c.Wake(g.batch)
	g.batch.End()
	return c
}

func (g *guest) delete(name string) int {
	g.t.Helper()
	n, err := g.DeleteQueue(g.batch, name, false, false)
	g.must(err)
	g.batch.End()
	return n
}

func (g *guest) settle(q *Queue, how queue.Outcome, seqs ...uint64) int {
	n := q.Settle(g.batch, seqs, how)
	g.batch.End()
	return n
}

func (g *guest) close() {
	g.Close(g.batch)
	g.batch.End()
}

// refusal fails unless err is an *Error of this kind and text.
func refusal(t testing.TB, err error, kind Kind, text string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind || e.Text != text {
		t.Errorf("the refusal is %#v\nand should be kind %d: %s", err, kind, text)
	}
}

// got is a delivery as a sink remembers it.
type got struct {
	body        string
	seq         uint64
	deliveries  uint16
	redelivered bool
}

// tap is a sink that remembers.
type tap struct {
	mu        sync.Mutex
	room      int // how many more it takes; negative is no bound
	got       []got
	flushed   int
	cancelled int
}

func newTap() *tap { return &tap{room: -1} }

func (s *tap) Deliver(d *Delivery) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room == 0 {
		return Refused
	}
	s.room--
	s.got = append(s.got, got{string(d.Message.Body), d.Seq, d.Deliveries, d.Redelivered})
	return TakenDirty
}

func (s *tap) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushed++
}

func (s *tap) Cancelled(*Consumer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancelled++
}

// take returns what came and forgets it.
func (s *tap) take() []got {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.got
	s.got = nil
	return all
}

// bodies returns what came as one text, and forgets it.
func (s *tap) bodies() string {
	var all []string
	for _, g := range s.take() {
		all = append(all, g.body)
	}
	return strings.Join(all, " ")
}

func (s *tap) expect(t testing.TB, want string) {
	t.Helper()
	if got := s.bodies(); got != want {
		t.Errorf("delivered %q, not %q", got, want)
	}
}

func text(name, value string) exchange.Arg {
	return exchange.Arg{Name: name, Value: exchange.Value{Kind: exchange.String, Bytes: []byte(value)}}
}

func integer(name string, value int64) exchange.Arg {
	return exchange.Arg{Name: name, Value: exchange.Value{Kind: exchange.Int, Int: value}}
}

// handClock is moved by hand.
type handClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*handTimer
}

type handTimer struct {
	at time.Time
	f  func()
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &handTimer{at: c.now.Add(d), f: f}
	c.timers = append(c.timers, t)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		i := slices.Index(c.timers, t)
		if i < 0 {
			return false
		}
		c.timers = slices.Delete(c.timers, i, i+1)
		return true
	}
}

// advance moves the time and runs, in this goroutine, what is due.
func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	for {
		i := slices.IndexFunc(c.timers, func(t *handTimer) bool { return !t.at.After(c.now) })
		if i < 0 {
			break
		}
		f := c.timers[i].f
		c.timers = slices.Delete(c.timers, i, i+1)
		c.mu.Unlock()
		f()
		c.mu.Lock()
	}
	c.mu.Unlock()
}

func (c *handClock) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}
