package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front"
	"github.com/warrenmq/warren/broker/internal/front/pump"
)

// Broker is a running broker. Its methods may be called from any goroutine.
type Broker struct {
	config Config
	log    *slog.Logger
	engine *engine.Broker
	doors  []front.Door
	vhosts map[string]*VHost

	opened  chan struct{} // closed when Open returns; engine is not nil then, unless it has failed
	ready   chan struct{} // closed once every listener is open
	ending  chan struct{} // closed when Shutdown begins
	done    chan struct{} // closed when the broker has ended
	failure error         // what went wrong at the end; set before done is closed

	opening sync.Mutex // held while listeners are opened; taken before mu

	mu        sync.Mutex // guards what follows
	running   bool
	closed    bool   // ending is closed
	reason    string // why it ends, for clients; "" is the usual
	force     func() // cuts off the clients that have not gone yet; set before ending is closed
	listeners []Listener
	servers   map[string]*pump.Server // for Serve and ServeConn, by protocol
}

// ErrClosed is returned by a broker that was closed.
var ErrClosed = errors.New("broker: closed")

// Listener is an open listener.
type Listener struct {
	URL      string // with the real port in it
	Protocol string // the URL's scheme
	Hint     string // one line on how to try it
}

// wsaAddrInUse is how Windows says that an address is taken; other systems have no such number.
const wsaAddrInUse = syscall.Errno(10048)

// ListenError is returned by Run when a listener cannot be opened.
type ListenError struct {
	URL string
	Err error
}

func (e *ListenError) Error() string {
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE), errors.Is(e.Err, wsaAddrInUse):
		return fmt.Sprintf("cannot listen on %s: another program has this address; stop it or choose another address", e.URL)
	case errors.Is(e.Err, os.ErrPermission):
		return fmt.Sprintf("cannot listen on %s: this user may not; choose a port above 1023 or a folder that is writable", e.URL)
	}
	return fmt.Sprintf("cannot listen on %s: %v", e.URL, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }

// Open makes a broker. It checks the configuration, opens the data folder, if there is one, and reads what it needs of it,
// which takes about as long with many messages as with few. It opens no listener. It fails with a *DirInUseError when another
// process uses the folder.
func Open(c Config) (*Broker, error) {
	b := &Broker{
		config: c, log: c.Logger, vhosts: make(map[string]*VHost), servers: make(map[string]*pump.Server),
		opened: make(chan struct{}), ready: make(chan struct{}), ending: make(chan struct{}), done: make(chan struct{}),
	}
	defer close(b.opened)
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if err := c.checkVHosts(); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	users, err := c.users()
	if err != nil {
		return nil, fmt.Errorf("broker: users: %w", err)
	}
	if err := checkDir(c.Dir); err != nil {
		return nil, err
	}
	b.engine, err = engine.Open(engine.Config{
		Users: users, SeedUsers: c.Users == nil, VHosts: c.vhosts(), MemoryLimit: c.memoryLimit(), Clock: c.Clock, Logger: b.log,
		Trace: c.trace(), Store: c.opener(b.log), Failed: b.failed,
	})
	if err != nil {
		return nil, err
	}
	if err := b.build(); err != nil {
		return nil, errors.Join(fmt.Errorf("broker: %w", err), b.engine.Close())
	}
	return b, nil
}

// build makes what stands on the engine: the Go clients and the doors.
func (b *Broker) build() (err error) {
	for _, v := range b.engine.VHosts() {
		if b.vhosts[v.Name()], err = newVHost(b, v.Name()); err != nil {
			return err
		}
	}
	env := front.Env{Engine: b.engine, Logger: b.log}
	for _, url := range b.config.Listen {
		e, err := front.ParseEndpoint(url)
		if err != nil {
			return err
		}
		door, err := newDoor(env, e)
		if err != nil {
			return err
		}
		b.doors = append(b.doors, door)
	}
	return nil
}

// failed ends the broker, because the disk has failed: what is not on it by now never will be, and nobody is told that it is.
// The clients are told why they have to go.
func (b *Broker) failed() {
	b.mu.Lock()
	b.reason = "the disk has failed"
	b.mu.Unlock()
	go func() {
		if <-b.opened; b.engine != nil {
			_ = b.drain(context.Background()) // Run and Shutdown tell
		}
	}()
}

// checkDir makes the data folder and tries to write to it.
func checkDir(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("broker: the data folder %s cannot be made: %w; choose another or change its permissions", dir, cause(err))
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("broker: the data folder %s cannot be written to: %w; choose another or change its permissions",
			dir, cause(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// cause leaves the name of the failed call and of the file out of an error.
func cause(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// Run opens the listeners of Config.Listen and serves them until ctx ends; then it lets the clients go, for at most
// Config.DrainTimeout, and closes the broker. It returns nil after that, and when Shutdown or Close has ended the broker
// meanwhile; ErrClosed when they did before the listeners were open; a *ListenError when a listener cannot be opened; or
// what made a listener or the disk fail. A broker runs once.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.open(ctx); err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil // it was told to end before it had begun
		}
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, len(b.doors))
	var doors sync.WaitGroup
	for _, door := range b.doors {
		doors.Go(func() {
			if err := door.Serve(serving); err != nil {
				failed <- err
				stop()
			}
		})
	}
	select {
	case <-b.ending: // somebody shuts the broker down, and says how long it may take
		<-b.done
	case <-serving.Done():
		if err := b.drain(ctx); errors.Is(err, context.DeadlineExceeded) {
			b.log.Warn("some clients did not go in time and were cut off", "error", err)
		}
	}
	if b.failure != nil {
		return b.failure
	}
	doors.Wait()
	close(failed)
	for err := range failed {
		if !errors.Is(err, pump.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return err
		}
	}
	return nil
}

// open opens all listeners; when one cannot be opened it ends the broker.
func (b *Broker) open(ctx context.Context) error {
	b.mu.Lock()
	closed, running := b.closed, b.running
	b.running = true
	b.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case running:
		return errors.New("broker: it is running already")
	}
	if err := b.openDoors(ctx); err != nil {
		_ = b.Close() // err says what went wrong first
		return err
	}
	close(b.ready)
	return nil
}

func (b *Broker) openDoors(ctx context.Context) error {
	b.opening.Lock()
	defer b.opening.Unlock()
	for i, door := range b.doors {
		select {
		case <-b.ending:
			return ErrClosed
		default:
		}
		bound, err := door.Open(ctx)
		if err != nil {
			return &ListenError{URL: b.config.Listen[i], Err: err}
		}
		b.mu.Lock()
		b.listeners = append(b.listeners, Listener{URL: bound.String(), Protocol: bound.Scheme, Hint: door.Hint()})
		b.mu.Unlock()
		b.log.Debug("listening", "url", bound.String()) // Listeners tells whoever wants to say so
	}
	return nil
}

// drain shuts the broker down within Config.DrainTimeout.
func (b *Broker) drain(ctx context.Context) error {
	limit := b.config.DrainTimeout
	if limit == 0 {
		limit = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	return b.Shutdown(ctx)
}

// Ready returns a channel that is closed once Run has opened every listener. It stays open when Run fails before.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Listeners returns the open listeners, in the order of Config.Listen.
func (b *Broker) Listeners() []Listener {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Listener(nil), b.listeners...)
}

// Serve accepts connections of a protocol, such as "amqp", from l until ctx ends or the broker is shut down. It closes l.
func (b *Broker) Serve(ctx context.Context, protocol string, l net.Listener) error {
	s, err := b.server(protocol)
	if err != nil {
		l.Close()
		return err
	}
	return s.Serve(ctx, l)
}

// ServeConn serves one connection of a protocol, such as "amqp", and returns when it has ended; nil is a clean end. Tests
// hand in one end of a net.Pipe. It closes c.
func (b *Broker) ServeConn(ctx context.Context, protocol string, c net.Conn) error {
	s, err := b.server(protocol)
	if err != nil {
		c.Close()
		return err
	}
	return s.ServeConn(ctx, c)
}

// server returns the pump of a protocol for connections that were accepted elsewhere.
func (b *Broker) server(protocol string) (*pump.Server, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	if s := b.servers[protocol]; s != nil {
		return s, nil
	}
	f, err := newFront(front.Env{Engine: b.engine, Logger: b.log}, protocol)
	if err != nil {
		return nil, err
	}
	s := pump.New(pump.Config{Front: f, Logger: b.log, Now: b.engine.Now})
	b.servers[protocol] = s
	return s, nil
}

// Shutdown closes the listeners, says goodbye to the clients in their protocols' words, waits until they are gone or ctx
// ends, and closes the broker. When ctx ends first the rest is cut off and ctx's error returned. A disk that does not answer
// keeps it for some seconds more, and then is the error; Dir is in use until the process ends, or the disk answers. While one
// Shutdown is under way a second one waits with it.
func (b *Broker) Shutdown(ctx context.Context) error {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.ending)
		draining, force := context.WithCancel(context.WithoutCancel(ctx))
		b.force = force
		go b.end(draining)
	}
	b.mu.Unlock()
	select {
	case <-b.done:
		return b.failure
	case <-ctx.Done():
	}
	b.force()
	<-b.done
	if b.failure != nil {
		return b.failure
	}
	return ctx.Err()
}

// end lets the clients go and closes the engine. When ctx ends, it cuts off who is left, and waits for nobody whom the disk
// does not answer.
func (b *Broker) end(ctx context.Context) {
	defer b.force()
	defer close(b.done)
	gone := make(chan error, 1)
	go func() { gone <- b.letGo(ctx) }()
	select {
	case b.failure = <-gone:
		return
	case <-ctx.Done():
	}
	patience := cmp.Or(b.config.patience, diskPatience)
	for range 2 { // a client that is cut off may wait for the disk, and then the engine may
		select {
		case b.failure = <-gone:
			return
		case <-time.After(patience):
			b.engine.Abandon()
		}
	}
	b.failure = errors.New("broker: the disk does not answer: what was not confirmed may be lost")
}

// diskPatience is how long the end of a broker waits for its disk once its clients are cut off, and once more after that.
const diskPatience = 5 * time.Second

// letGo takes leave of the clients, cuts off who is left when ctx ends, and closes the engine.
func (b *Broker) letGo(ctx context.Context) error {
	b.opening.Lock() // the listeners are open, or never will be
	doors := b.doors
	b.opening.Unlock()
	b.mu.Lock()
	servers := slices.Collect(maps.Values(b.servers))
	reason := b.reason
	b.mu.Unlock()
	if reason == "" {
		reason = "broker is shutting down"
	}

	errs := make([]error, len(doors)+len(servers))
	var all sync.WaitGroup
	for i, door := range doors {
		all.Go(func() { errs[i] = door.Shutdown(ctx, reason) })
	}
	for i, s := range servers {
		all.Go(func() { errs[len(doors)+i] = s.Shutdown(ctx, reason) })
	}
	all.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, context.Canceled) })
	err := b.engine.Close()
	if failure := b.engine.Failure(); failure != nil {
		err = failure
	}
	if err != nil {
		err = fmt.Errorf("broker: %w", err)
	}
	return errors.Join(append(errs, err)...)
}

// Close closes the listeners, cuts all clients off and ends the broker. It may be called more than once.
func (b *Broker) Close() error {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Shutdown(ended); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Counters are what has passed through a broker since it was opened.
type Counters struct {
	Published   uint64 // messages that clients published
	Routed      uint64 // copies that entered queues
	Unroutable  uint64 // messages that no queue got
	Delivered   uint64 // deliveries, and answers to a client that fetched
	Redelivered uint64 // of which redeliveries
	Settled     uint64 // acknowledged or discarded
	Requeued    uint64 // given back
	Expired     uint64 // dropped because their time to live was over
}

// Counters returns what has passed since the broker was opened.
func (b *Broker) Counters() Counters { return Counters(b.engine.Counters()) }
