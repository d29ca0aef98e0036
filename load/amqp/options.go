package amqp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Route says how a published message finds its queues.
type Route string

// The routes. The first two send a message to one queue, the last two to all
// of the run's queues.
const (
	RouteDefault Route = ""       // the default exchange, by the queue's name
	RouteDirect  Route = "direct" // a direct exchange, by the queue's name
	RouteFanout  Route = "fanout" // a fanout exchange
	RouteTopic   Route = "topic"  // a topic exchange; the queues are bound with a pattern that ends in #
)

// None, as a number of publishers, of consumers or of deliveries to acknowledge
// together, stands for zero, since zero stands for the default.
const None = -1

// Options describes one run. The zero value of every field is a default; only
// URL has none.
type Options struct {
	// URL is amqp://[user[:password]@]host[:port][/vhost]. User and password
	// default to guest, the port to 5672, the vhost to "/". Required.
	URL string

	// Publishers is the number of publishing connections; 0 = 1, None for a
	// run that only consumes what its queues already hold.
	Publishers int
	// Consumers is the number of consuming connections; 0 = 1, None for a run
	// that only publishes.
	Consumers int
	// Queues is the number of queues; 0 = 1. Publisher p sends in turn to the
	// queues whose number is p modulo Publishers, or to queue p modulo Queues
	// when there are fewer queues than publishers; consumers likewise.
	Queues int
	// QueuePrefix begins the names of the queues, which end in a number of
	// five digits, and names the exchange; "" = "warren.load".
	QueuePrefix string
	// Keep leaves queues and exchange in place with whatever they hold, and
	// does not purge the queues at the start. The zero value purges them first
	// and deletes them in the end.
	Keep bool
	// Route says how messages find queues; "" = RouteDefault.
	Route Route

	// Size is the length of a body in bytes; 0 = 16. Latency needs 8.
	Size int
	// Persistent declares durable queues and publishes with delivery mode 2.
	// The zero value declares transient queues and publishes with mode 1.
	Persistent bool
	// Confirms puts publishers into confirm mode and is the window: how far a
	// publisher may be ahead of its oldest unconfirmed message. 0 = no
	// confirms.
	Confirms int
	// Prefetch is the number of unacknowledged deliveries that a consumer may
	// hold. 0 = automatic acknowledgement.
	Prefetch int
	// AckEvery acknowledges every so many deliveries of a connection together
	// (multiple); 0 = 1, each on its own, though in one write where one read
	// brought several. It can't exceed Prefetch, which it needs. None never
	// acknowledges: a consumer gets Prefetch messages, and the queues have them
	// again when the run is over.
	AckEvery int
	// Rate is the number of messages that all publishers together send in a
	// second, evenly spaced; 0 = as many as possible.
	Rate float64
	// Backlog bounds how many deliveries may be outstanding: publishers wait
	// when more are. It keeps a slow broker from filling its memory, and the
	// rates honest. 0 = 32,768, fewer when the bodies would exceed 32 MiB, but
	// at least 64 messages. -1 = no bound. Ignored without publishers or
	// without consumers, when there is nothing to balance.
	Backlog int

	// Duration bounds the time in which messages are published (or, without
	// publishers, consumed), warm-up included; 0 = no bound when Count is
	// given, otherwise 5 s.
	Duration time.Duration
	// WarmUp is the part of Duration that the window leaves out; 0 = a tenth
	// of Duration; negative = none. Runs without Duration have none.
	WarmUp time.Duration
	// Count bounds the number of published messages over all publishers (or,
	// without publishers, of deliveries); 0 = no bound, except that without
	// publishers it is what the queues hold at the start.
	Count int64
	// Drain is how long to wait without any progress for what is still under
	// way when publishing is over; 0 = 10 s. What has not come by then is
	// Result.Lost.
	Drain time.Duration

	// ServerPID is the process whose CPU time and memory the result tells,
	// Linux only; 0 = none.
	ServerPID int
	// Progress is called about once a second from one goroutine while the run
	// lasts; nil = not called. The run does not wait for it, but ends only
	// after it has returned.
	Progress func(Progress)
	// Dial opens the connections; nil = a net.Dialer's DialContext over tcp.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// Progress is a run's state part of the way through. Rates are those since the
// last call.
type Progress struct {
	Elapsed                               time.Duration // since the first publish
	Published, Confirmed, Delivered       uint64        // so far
	PublishRate, ConfirmRate, DeliverRate float64       // per second
}

// plan is Options checked and with every default filled in.
type plan struct {
	Options
	address        string
	user, password string
	vhost          string
	copies         int // deliveries that one publish causes
	exchange       string
	key            func(queue int) string
}

const (
	defaultBacklog      = 32 << 10
	defaultBacklogBytes = 32 << 20
	leastBacklog        = 64
	maxQueues           = 100_000
	maxConnections      = 65_536
	maxSize             = 512 << 20
	maxConfirms         = 1 << 24
)

// newPlan checks o and fills in what it leaves to the defaults.
func newPlan(o Options) (*plan, error) {
	p := &plan{Options: o}
	if err := p.parseURL(); err != nil {
		return nil, err
	}
	for _, n := range []struct {
		name          string
		value         *int
		zero          int
		least, most   int
		noneIsAllowed bool
	}{
		{"Publishers", &p.Publishers, 1, 1, maxConnections, true},
		{"Consumers", &p.Consumers, 1, 1, maxConnections, true},
		{"Queues", &p.Queues, 1, 1, maxQueues, false},
		{"Size", &p.Size, 16, 1, maxSize, false},
		{"Confirms", &p.Confirms, 0, 0, maxConfirms, false},
		{"Prefetch", &p.Prefetch, 0, 0, 65_535, false},
		{"AckEvery", &p.AckEvery, 1, 1, 65_535, true},
	} {
		switch {
		case *n.value == 0:
			*n.value = n.zero
		case *n.value == None && n.noneIsAllowed:
			*n.value = 0
		case *n.value < n.least || *n.value > n.most:
			return nil, fmt.Errorf("amqp: %s is %d, can be %d to %d", n.name, *n.value, n.least, n.most)
		}
	}
	switch {
	case p.Publishers == 0 && p.Consumers == 0:
		return nil, errors.New("amqp: a run needs publishers or consumers")
	case p.Prefetch == 0 && o.AckEvery != 0:
		return nil, errors.New("amqp: AckEvery needs a Prefetch: without one the broker acknowledges by itself")
	case p.Prefetch > 0 && p.AckEvery > p.Prefetch:
		return nil, fmt.Errorf("amqp: AckEvery %d exceeds Prefetch %d: no delivery would ever be acknowledged", p.AckEvery, p.Prefetch)
	case p.Count < 0 || p.Duration < 0 || p.Drain < 0 || p.Rate < 0:
		return nil, errors.New("amqp: Count, Duration, Drain and Rate can't be negative")
	case p.Backlog < -1:
		return nil, errors.New("amqp: Backlog can't be below -1")
	case p.Publishers == 0 && (p.Rate > 0 || p.Confirms > 0):
		return nil, errors.New("amqp: Rate and Confirms need publishers")
	}
	if p.QueuePrefix == "" {
		p.QueuePrefix = "warren.load"
	}
	if len(p.QueuePrefix) > 200 {
		return nil, errors.New("amqp: QueuePrefix is longer than 200 bytes")
	}
	p.copies = 1
	p.exchange = p.QueuePrefix
	p.key = p.queue
	switch p.Route {
	case RouteDefault:
		p.exchange = ""
	case RouteDirect:
	case RouteFanout, RouteTopic:
		p.copies = p.Queues
		p.key = func(int) string { return p.QueuePrefix + ".any.key" }
	default:
		return nil, fmt.Errorf("amqp: no route %q; there are direct, fanout, topic and the empty one", p.Route)
	}
	if p.Duration == 0 && p.Count == 0 && p.Publishers > 0 {
		p.Duration = 5 * time.Second
	}
	switch {
	case p.WarmUp < 0 || p.Duration == 0:
		p.WarmUp = 0
	case p.WarmUp == 0:
		p.WarmUp = p.Duration / 10
	case p.WarmUp >= p.Duration:
		return nil, fmt.Errorf("amqp: WarmUp %v leaves nothing of Duration %v", p.WarmUp, p.Duration)
	}
	if p.Drain == 0 {
		p.Drain = 10 * time.Second
	}
	switch {
	case p.Publishers == 0 || p.Consumers == 0 || p.Backlog == -1:
		p.Backlog = 0
	case p.Backlog == 0:
		p.Backlog = max(leastBacklog*p.copies, min(defaultBacklog, defaultBacklogBytes/p.Size))
	}
	if p.Dial == nil {
		p.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", address)
		}
	}
	return p, nil
}

// parseURL takes URL apart, as the RabbitMQ URI specification has it.
func (p *plan) parseURL() error {
	u, err := url.Parse(p.URL)
	if err != nil {
		return fmt.Errorf("amqp: %w", err)
	}
	if u.Scheme != "amqp" || u.Hostname() == "" {
		return fmt.Errorf("amqp: URL %q is not of the form amqp://host:port/vhost", u.Redacted())
	}
	port := u.Port()
	if port == "" {
		port = "5672"
	}
	p.address = net.JoinHostPort(u.Hostname(), port)
	p.user, p.password, p.vhost = "guest", "guest", "/"
	if u.User != nil {
		p.user = u.User.Username()
		p.password, _ = u.User.Password()
	}
	if len(u.Path) > 1 {
		if p.vhost, err = url.PathUnescape(strings.TrimPrefix(u.EscapedPath(), "/")); err != nil {
			return fmt.Errorf("amqp: vhost in URL: %w", err)
		}
	}
	return nil
}

// queue names queue i. All names of a run are of one length, so that all its
// publishes are.
func (p *plan) queue(i int) string { return fmt.Sprintf("%s.%05d", p.QueuePrefix, i) }

// share returns the queues that worker i of n takes care of.
func (p *plan) share(i, n int) []int {
	if p.Queues < n {
		return []int{i % p.Queues}
	}
	var queues []int
	for q := i; q < p.Queues; q += n {
		queues = append(queues, q)
	}
	return queues
}
