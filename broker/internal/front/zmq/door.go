package zmq

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/front"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/zmq"
)

// socket is what all of package zmq's sockets can do.
type socket interface {
	Listen(ctx context.Context, endpoint string) (string, error)
	Dial(ctx context.Context, endpoint string) error
	Shutdown(ctx context.Context) error
	Close() error
}

// worker is what one kind of listener does between its socket and the engine.
type worker interface {
	// open makes sure that the exchange or queue exists and that the user may use it, and makes the socket.
	open() (socket, error)
	// run works until ctx ends, and gives back what it holds.
	run(ctx context.Context)
}

// door is one listener.
type door struct {
	env      front.Env
	settings *settings
	worker   worker
	client   *engine.Client // set by Open
	socket   socket         // set by Open
	log      *complaints

	stop    context.CancelFunc // ends stopped
	stopped context.Context    // ends with Shutdown; it is the door's own life, no caller's
	serving sync.Mutex         // held while Serve runs
	release sync.Once          // closes the client
}

// New returns the door of a listener; see the package documentation for its URL.
func New(env front.Env, e front.Endpoint) (front.Door, error) {
	s, err := parse(e)
	if err != nil {
		return nil, err
	}
	d := &door{env: env, settings: s}
	d.log = &complaints{log: env.Logger.With("protocol", e.Scheme, "endpoint", s.address()), now: env.Engine.Now}
	d.stopped, d.stop = context.WithCancel(context.Background())
	d.worker = s.kind.make(d)
	return d, nil
}

// Open logs the listener's user in, makes its socket and binds it, or begins to connect.
func (d *door) Open(ctx context.Context) (front.Endpoint, error) {
	s := d.settings
	user, err := d.env.Engine.Users().AuthenticateVerified(s.user, s.local())
	if err != nil {
		return front.Endpoint{}, fmt.Errorf("%w; another user is named with &user=", err)
	}
	d.client, err = d.env.Engine.Open(s.vhost, user, engine.ClientInfo{Protocol: s.endpoint.Scheme, Peer: s.address()})
	if err != nil {
		return front.Endpoint{}, err
	}
	if d.socket, err = d.worker.open(); err == nil {
		if s.connect {
			err = d.socket.Dial(ctx, s.address())
		} else {
			var bound string
			if bound, err = d.socket.Listen(ctx, s.address()); err == nil {
				_, s.endpoint.Address, _ = strings.Cut(bound, "://")
			}
		}
	}
	if err != nil {
		d.close()
		return front.Endpoint{}, err
	}
	return s.endpoint, nil
}

// options are the socket's.
func (d *door) options() *zmq.Options {
	s := d.settings
	return &zmq.Options{
		SendHWM: s.hwm, RecvHWM: s.hwm, MaxMessageSize: int64(s.max), Notes: true,
		Logger: d.env.Logger.With("protocol", s.endpoint.Scheme),
	}
}

// Serve works until ctx ends or Shutdown is called.
func (d *door) Serve(ctx context.Context) error {
	d.serving.Lock()
	defer d.serving.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.stopped, cancel)()
	d.worker.run(ctx)
	return nil
}

// linger is how long what stands in the pipes may take to be written when the listener goes.
const linger = time.Second

// Shutdown ends the work, gives back to the queues what was not handed over, and closes the socket once its pipes are
// empty, within a second. ZeroMQ has no words for a goodbye.
func (d *door) Shutdown(ctx context.Context, _ string) error {
	d.stop()
	d.serving.Lock()
	defer d.serving.Unlock()
	if d.socket != nil {
		ctx, cancel := context.WithTimeout(ctx, linger)
		defer cancel()
		if err := d.socket.Shutdown(ctx); err != nil {
			d.log.say("messages that were handed to peers' pipes are lost", err)
		}
	}
	d.close()
	return nil
}

func (d *door) close() {
	d.release.Do(func() {
		if d.socket != nil {
			_ = d.socket.Close() // always nil
		}
		if d.client != nil {
			b := d.env.Engine.NewBatch()
			d.client.Close(b)
			b.End()
		}
	})
}

// Hint is a command that talks to the listener.
func (d *door) Hint() string {
	s := d.settings
	verb := " --connect "
	if s.connect {
		verb = " --bind "
	}
	at := verb + s.address()
	switch s.kind.name {
	case "pub", "xpub":
		return "warren zmq sub" + at
	case "sub", "xsub":
		return "warren zmq pub" + at + "   (a line: the routing key, a tab, the body)"
	case "push":
		return "warren zmq pull" + at
	case "pull":
		return "warren zmq push" + at
	case "rep":
		return "warren zmq req" + at
	}
	return "warren zmq rep" + at
}

// needQueue declares the queue when it is missing.
func (d *door) needQueue() error {
	_, err := d.client.CheckQueue(d.settings.queue)
	if missing(err) {
		_, err = d.client.DeclareQueue(engine.QueueSpec{Name: d.settings.queue, Durable: d.settings.durable})
	}
	return err
}

// needExchange declares the exchange when it is missing, and returns its type.
func (d *door) needExchange() (exchange.Kind, error) {
	name := d.settings.exchange
	if name == "" {
		return exchange.Direct, nil
	}
	err := d.client.CheckExchange(name)
	if missing(err) {
		return exchange.Topic, d.client.DeclareExchange(engine.ExchangeSpec{
			Name: name, Type: exchange.Topic, Durable: d.settings.durable,
		})
	}
	if err != nil {
		return "", err
	}
	for _, x := range d.client.VHost().Exchanges() {
		if x.Name == name {
			return x.Type, nil
		}
	}
	return "", fmt.Errorf("exchange '%s' was deleted just now", name)
}

// held waits while publishers are held; it reports false when ctx ends first.
func (d *door) held(ctx context.Context) bool {
	for {
		resumed, _ := d.env.Engine.Held()
		if resumed == nil {
			return ctx.Err() == nil
		}
		select {
		case <-resumed:
		case <-ctx.Done():
			return false
		}
	}
}

// pause waits for a moment on the broker's clock; it reports false when ctx ends first.
func (d *door) pause(ctx context.Context, t time.Duration) bool {
	over := make(chan struct{})
	stop := d.env.Engine.Clock().AfterFunc(t, func() { close(over) })
	defer stop()
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}

// hopsNote returns the note that tells another broker how many borders a message has crossed before this one; none for a
// message that began here. room is for it to lie in.
func hopsNote(room *[1]byte, hops uint8) []byte {
	if hops == 0 {
		return nil
	}
	room[0] = hops
	return room[:]
}

// arrivedHops is how many borders a message has crossed that comes from a peer: those that the peer's note tells of, and
// the one to here.
func arrivedHops(note []byte) uint8 {
	if len(note) != 1 {
		return 1
	}
	return min(note[0], message.MaxHops) + 1
}
