package engine

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/definitions"
	"github.com/warrenmq/warren/broker/internal/storage"
)

// Clock is where the engine gets the time from. Tests give it one that they move by hand.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in its own goroutine after d has passed. Stopping the timer prevents that, if it has not
	// happened yet.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// SystemClock is the real one.
type SystemClock struct{}

// Now returns the time.
func (SystemClock) Now() time.Time { return time.Now() }

// AfterFunc waits for d, then calls f.
func (SystemClock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// Config is what a broker is made from.
type Config struct {
	// Users are who may log in. Required. With a store, those that are stored are added.
	Users *access.Users
	// SeedUsers makes Users the first ones of a new store only: where any are stored, those are who may log in.
	SeedUsers bool
	// VHosts to begin with. None is one, named "/". With a store, those that are stored are added.
	VHosts []string
	// MemoryLimit is how many bytes of messages may lie in the memory of queues before publishers are held. 0 is no limit.
	MemoryLimit int64
	// Store opens the store that keeps what is durable, and what of long queues does not fit into their windows; the broker
	// closes it. Nil keeps everything in memory. Only [Open] takes it.
	Store func(storage.Events) (storage.Store, error)
	// Clock is the time. Nil is the system's.
	Clock Clock
	// Logger is told what an operator should know. Nil is silence.
	Logger *slog.Logger
	// Trace is told what passes. Nil is nobody.
	Trace *Trace
	// Failed is called, at most once, when the disk has failed: the broker is to be closed. See Broker.Failure. Nil is not
	// called.
	Failed func()
	// Random is where unguessable names come from. Nil is the system's source.
	Random io.Reader

	window bounds // tests make it small; zero is the usual
}

// Broker holds the vhosts.
type Broker struct {
	users  *access.Users
	clock  Clock
	log    *slog.Logger
	trace  *Trace
	random io.Reader
	limit  int64

	totals totals
	stored atomic.Int64 // bytes of messages in the memory of queues

	store      storage.Store // nil: everything is in memory
	closeStore func() error  // closes it once; whoever comes later waits for that
	window     bounds
	waiters    waiters
	givingUp   sync.Once
	hopeless   chan struct{} // closed when what is not durable by now may never be; by givingUp
	failed     func()        // is told when the store has failed
	failure    atomic.Pointer[error]
	pressure   atomic.Uint32 // a storage.Pressure: how the store is doing

	held   atomic.Pointer[hold] // nil while publishers may publish; changed under mu
	closed atomic.Bool          // changed under mu

	mu        sync.RWMutex // lock: broker; guards what follows
	vhosts    map[string]*VHost
	clients   map[*Client]struct{}
	stopTimer func() bool
}

// ErrClosed is returned by a broker that was closed.
var ErrClosed = errors.New("engine: the broker is closed")

const housekeeping = 5 * time.Second

// New returns a broker in memory with empty vhosts. Config.Store must be nil.
func New(c Config) *Broker {
	if c.Store != nil {
		panic("engine: New makes brokers in memory: a store needs Open")
	}
	b, _ := Open(c) // only a store can fail
	return b
}

// Open returns a broker with what its store holds. It fails when the store cannot be opened.
func Open(c Config) (*Broker, error) {
	b := &Broker{
		users: c.Users, clock: c.Clock, log: c.Logger, trace: c.Trace, random: c.Random, limit: c.MemoryLimit,
		vhosts: make(map[string]*VHost), clients: make(map[*Client]struct{}), failed: c.Failed,
		window: c.window, hopeless: make(chan struct{}),
	}
	if b.window == (bounds{}) {
		b.window = usual(c.MemoryLimit)
	}
	if b.clock == nil {
		b.clock = SystemClock{}
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.random == nil {
		b.random = rand.Reader
	}
	if len(c.VHosts) == 0 {
		c.VHosts = []string{"/"}
	}
	if c.Store == nil {
		for _, name := range c.VHosts {
			b.vhosts[name] = newVHost(b, name)
		}
	} else {
		store, err := c.Store(storage.Events{Committed: b.committed, Pressed: b.pressed, Failed: b.fail})
		if err != nil {
			return nil, err
		}
		b.store, b.closeStore = store, sync.OnceValue(store.Close)
		if err := b.restore(c); err != nil {
			return nil, errors.Join(err, b.closeStore())
		}
	}
	b.schedule()
	return b, nil
}

// schedule arms the housekeeping timer.
func (b *Broker) schedule() {
	stop := b.clock.AfterFunc(housekeeping, b.housekeep)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		stop()
		return
	}
	b.stopTimer = stop
}

func (b *Broker) housekeep() {
	batch := b.NewBatch()
	for _, v := range b.VHosts() {
		for _, q := range v.all() {
			q.rest(batch)
			batch.End()
		}
	}
	b.schedule()
}

// Close ends the broker: nobody can open a client any more, publishers that are held wait no longer, no timer is left, and
// the store is closed, when everything that was handed over is on the disk.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed.Store(true)
	if b.stopTimer != nil {
		b.stopTimer()
	}
	if h := b.held.Swap(nil); h != nil {
		close(h.resumed)
	}
	b.mu.Unlock()
	var err error
	if b.store != nil {
		err = b.closeStore()
	}
	b.giveUp()
	if b.store != nil {
		b.users.Keep(nil) // which waits for a change under way
	}
	for _, v := range b.VHosts() { // whose alarms are not set again, now that the broker is closed
		for _, q := range v.all() {
			q.mu.Lock()
			q.calm()
			q.mu.Unlock()
		}
	}
	return err
}

// Closed reports whether the broker was closed.
func (b *Broker) Closed() bool { return b.closed.Load() }

// Now returns the time on the broker's clock.
func (b *Broker) Now() time.Time { return b.clock.Now() }

// Clock returns the broker's clock.
func (b *Broker) Clock() Clock { return b.clock }

// Logger returns the broker's logger.
func (b *Broker) Logger() *slog.Logger { return b.log }

// Users returns who may log in.
func (b *Broker) Users() *access.Users { return b.users }

// Counters returns what has passed since the broker was made.
func (b *Broker) Counters() Counters { return b.totals.load() }

// Stored returns how many bytes of messages lie in queues.
func (b *Broker) Stored() int64 { return b.stored.Load() }

// VHost returns the vhost with that name, or nil.
func (b *Broker) VHost(name string) *VHost {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.vhosts[name]
}

// VHosts returns all vhosts, sorted by name.
func (b *Broker) VHosts() []*VHost {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := make([]*VHost, 0, len(b.vhosts))
	for _, v := range b.vhosts {
		all = append(all, v)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	return all
}

// AddVHost makes a vhost unless it exists, and returns once it is on the disk.
func (b *Broker) AddVHost(name string) (*VHost, error) {
	b.mu.Lock()
	v, found := b.vhosts[name]
	if !found {
		v = newVHost(b, name)
		b.vhosts[name] = v
		v.mu.Lock() // whoever finds the vhost changes nothing in it before it is handed over
	}
	b.mu.Unlock()
	if !found {
		if b.store != nil {
			put(v.diary(), definitions.VHost{Name: name})
		}
		v.handOver()
		v.mu.Unlock()
	}
	return v, v.change(func() error { return nil })
}

// Authenticate checks a name and password. loopback says that the client is on this machine.
func (b *Broker) Authenticate(name string, password []byte, loopback bool) (*access.Principal, error) {
	return b.users.Authenticate(name, password, loopback)
}

// unguessable returns prefix and 22 characters that nobody can know.
func (b *Broker) unguessable(prefix string) string {
	var id [16]byte
	if _, err := io.ReadFull(b.random, id[:]); err != nil {
		panic("engine: the random source failed: " + err.Error()) // crypto/rand never does
	}
	return prefix + base64.RawURLEncoding.EncodeToString(id[:])
}

// GenerateName returns prefix, a hyphen and 22 unguessable characters: the form of RabbitMQ's generated queue names and
// consumer tags.
func (b *Broker) GenerateName(prefix string) string { return b.unguessable(prefix + "-") }
