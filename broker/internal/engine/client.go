package engine

import (
	"strings"
	"sync"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
)

// ClientInfo says who a client is, for showing and for being told.
type ClientInfo struct {
	Protocol string // the front it came through, such as "amqp"
	Peer     string // its address
	Name     string // what it calls itself
	// Alarm is called, from any goroutine and with no lock held, when publishers begin or cease to be held: look at
	// Broker.Held. It may come once more while, or shortly after, the client is closed. Nil is not called.
	Alarm func()
}

// Client is one connection's view of a vhost: every verb checks what its user may do. Its methods may be called from any
// goroutine, but Publish from one at a time.
type Client struct {
	vhost  *VHost
	user   *access.Principal
	info   ClientInfo
	routes routeCache // owner: the goroutine that publishes

	mu     sync.Mutex          // guards owned; innermost
	owned  map[*Queue]struct{} // exclusive queues
	closed bool
}

// Open lets a user onto a vhost. A nil user is the program that the broker is embedded in, which may do everything.
func (b *Broker) Open(vhost string, user *access.Principal, info ClientInfo) (*Client, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.vhosts[vhost]
	if v == nil {
		return nil, refuse(NotAllowed, "vhost %s not found", vhost)
	}
	if user != nil && !b.users.Allowed(user, vhost) {
		return nil, refuse(NotAllowed, "access to vhost '%s' refused for user '%s'", vhost, user.Name)
	}
	if b.closed.Load() {
		return nil, ErrClosed
	}
	c := &Client{vhost: v, user: user, info: info}
	b.clients[c] = struct{}{}
	return c, nil
}

// Close ends the client: its exclusive queues are deleted. Its consumers must have been cancelled.
func (c *Client) Close(b *Batch) {
	br := c.vhost.broker
	br.mu.Lock()
	delete(br.clients, c)
	br.mu.Unlock()

	c.mu.Lock()
	c.closed = true
	owned := make([]*Queue, 0, len(c.owned))
	for q := range c.owned {
		owned = append(owned, q)
	}
	c.mu.Unlock()
	if len(owned) == 0 {
		return
	}
	v := c.vhost
	_, _ = v.amend(func() error {
		for _, q := range owned {
			if v.queues[q.spec.Name] == q {
				_, _ = v.dropQueue(b, q, false, false) // without a condition nothing forbids it
			}
		}
		return nil
	})
}

// own remembers an exclusive queue; it reports false when the client is closed already.
func (c *Client) own(q *Queue) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if c.owned == nil {
		c.owned = make(map[*Queue]struct{})
	}
	c.owned[q] = struct{}{}
	return true
}

func (c *Client) disown(q *Queue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.owned, q)
}

// VHost returns the vhost that the client is on.
func (c *Client) VHost() *VHost { return c.vhost }

// User returns who the client is; nil is the embedding program.
func (c *Client) User() *access.Principal { return c.user }

// Info returns what the client was opened with.
func (c *Client) Info() ClientInfo { return c.info }

// may says whether the user has a permission on a queue or exchange.
func (c *Client) may(p access.Permission, resource string) bool {
	return c.user == nil || c.vhost.broker.users.Check(c.user, c.vhost.name, p, resource)
}

func (c *Client) refused(p access.Permission, what string) *Error {
	return refuse(AccessRefused, "%s access to %s refused for user '%s'", p, what, c.user.Name)
}

func (c *Client) mayQueue(p access.Permission, name string) error {
	if c.may(p, name) {
		return nil
	}
	return c.refused(p, c.vhost.queueText(name))
}

// mayExchange checks a permission on an exchange. The default exchange goes by the name amq.default, as in RabbitMQ.
func (c *Client) mayExchange(p access.Permission, name string) error {
	if name == "" {
		name = "amq.default"
	}
	if c.may(p, name) {
		return nil
	}
	return c.refused(p, c.vhost.exchangeText(name))
}

func notDefault(names ...string) error {
	for _, name := range names {
		if name == "" {
			return refuse(AccessRefused, "operation not permitted on the default exchange")
		}
	}
	return nil
}

// tooLong refuses names that no message could carry.
func tooLong(name string) error {
	if len(name) > message.MaxExchange {
		return refuse(PreconditionFailed, "a name of %d bytes is too long: at most %d", len(name), message.MaxExchange)
	}
	return nil
}

// clean strips what RabbitMQ strips from declared names.
var clean = strings.NewReplacer("\r", "", "\n", "")

// DeclareExchange makes an exchange unless an equivalent one exists.
func (c *Client) DeclareExchange(spec ExchangeSpec) error {
	if _, err := exchange.New[dest](spec.Type); err != nil {
		return refuse(PreconditionFailed, "%s", err)
	}
	spec.Name = clean.Replace(spec.Name)
	if err := notDefault(spec.Name); err != nil {
		return err
	}
	if err := tooLong(spec.Name); err != nil {
		return err
	}
	if err := c.mayExchange(access.Configure, spec.Name); err != nil {
		return err
	}
	if a, ok := arg(spec.Args, "alternate-exchange"); ok {
		if a.Kind != exchange.String {
			return refuse(PreconditionFailed, "invalid type '%s' for arg 'alternate-exchange' in %s",
				kindText(a), c.vhost.exchangeText(spec.Name))
		}
		if err := c.mayExchange(access.Read, spec.Name); err != nil {
			return err
		}
		if err := c.mayExchange(access.Write, string(a.Bytes)); err != nil {
			return err
		}
	}
	return c.vhost.declareExchange(spec)
}

// CheckExchange succeeds when the exchange exists: a passive declaration.
func (c *Client) CheckExchange(name string) error {
	name = clean.Replace(name)
	if err := notDefault(name); err != nil {
		return err
	}
	c.vhost.mu.RLock()
	defer c.vhost.mu.RUnlock()
	if c.vhost.exchanges[name] == nil {
		return c.vhost.noExchange(name)
	}
	return nil
}

// DeleteExchange deletes an exchange; a missing one is no error.
func (c *Client) DeleteExchange(name string, ifUnused bool) error {
	name = clean.Replace(name)
	if err := notDefault(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, "amq.") {
		return refuse(AccessRefused, "deletion of system %s not allowed", c.vhost.exchangeText(name))
	}
	if err := c.mayExchange(access.Configure, name); err != nil {
		return err
	}
	return c.vhost.deleteExchange(name, ifUnused)
}

// BindExchange binds exchange to to exchange from.
func (c *Client) BindExchange(from, to string, b exchange.Binding) error {
	return c.exchangeBinding(from, to, func(from string, d dest) error { return c.vhost.bind(from, d, b) })
}

// UnbindExchange removes such a binding. A missing one is no error, nor is a missing exchange.
func (c *Client) UnbindExchange(from, to string, b exchange.Binding) error {
	return present(c.exchangeBinding(from, to, func(from string, d dest) error { return c.vhost.unbind(from, d, b) }))
}

// present takes what is missing for unbound.
func present(err error) error {
	if e, ok := err.(*Error); ok && e.Kind == NotFound {
		return nil
	}
	return err
}

func (c *Client) exchangeBinding(from, to string, do func(from string, to dest) error) error {
	from, to = clean.Replace(from), clean.Replace(to)
	if err := notDefault(to, from); err != nil {
		return err
	}
	if err := c.mayExchange(access.Write, to); err != nil {
		return err
	}
	if err := c.mayExchange(access.Read, from); err != nil {
		return err
	}
	v := c.vhost
	v.mu.RLock()
	x, source := v.exchanges[to], v.exchanges[from]
	v.mu.RUnlock()
	if source == nil {
		return v.noExchange(from)
	}
	if x == nil {
		return v.noExchange(to)
	}
	return do(from, dest{exchange: x})
}

// BindQueue binds a queue to an exchange.
func (c *Client) BindQueue(from, to string, b exchange.Binding) error {
	return c.queueBinding(from, to, func(from string, q *Queue) error {
		if err := c.unlocked(q); err != nil {
			return err
		}
		return c.vhost.bind(from, dest{queue: q}, b)
	})
}

// UnbindQueue removes such a binding. A missing one is no error, nor is a missing queue or exchange.
func (c *Client) UnbindQueue(from, to string, b exchange.Binding) error {
	return present(c.queueBinding(from, to, func(from string, q *Queue) error {
		if c.vhost.bound(from, q) { // what is not there may be unbound by anybody
			if err := c.unlocked(q); err != nil {
				return err
			}
		}
		return c.vhost.unbind(from, dest{queue: q}, b)
	}))
}

func (c *Client) queueBinding(from, to string, do func(from string, q *Queue) error) error {
	from, to = clean.Replace(from), clean.Replace(to)
	if err := notDefault(from); err != nil {
		return err
	}
	if err := c.mayQueue(access.Write, to); err != nil {
		return err
	}
	if err := c.mayExchange(access.Read, from); err != nil {
		return err
	}
	v := c.vhost
	v.mu.RLock()
	source, q := v.exchanges[from], v.queues[to]
	v.mu.RUnlock()
	if source == nil {
		return v.noExchange(from)
	}
	if q == nil || isReply(to) {
		return v.noQueue(to)
	}
	return do(from, q)
}

// unlocked refuses a queue that is another connection's own.
func (c *Client) unlocked(q *Queue) error {
	if q.owner == nil || q.owner == c {
		return nil
	}
	return c.locked(q)
}

func (c *Client) locked(q *Queue) *Error {
	return refuse(ResourceLocked, "cannot obtain exclusive access to locked %s. It could be originally declared on another "+
		"connection or the exclusive property value does not match that of the original declaration.",
		c.vhost.queueText(q.spec.Name))
}

// QueueSpec is what a queue is declared with.
type QueueSpec struct {
	Name       string // "" asks for a generated one
	Durable    bool
	Exclusive  bool // this connection's own, deleted with it
	AutoDelete bool // deleted when its last consumer goes
	Args       []exchange.Arg
}

// Declared is the answer to a declaration.
type Declared struct {
	Name      string
	Ready     int
	Consumers int
}

func declared(q *Queue) Declared {
	i := q.Info()
	return Declared{Name: i.Name, Ready: i.Ready, Consumers: i.Consumers}
}

// DeclareQueue makes a queue unless an equivalent one exists.
func (c *Client) DeclareQueue(spec QueueSpec) (Declared, error) {
	v := c.vhost
	generated := spec.Name == ""
	if spec.Name = clean.Replace(spec.Name); spec.Name == "" {
		spec.Name = v.broker.GenerateName("amq.gen")
		generated = true
	}
	if isReply(spec.Name) {
		return c.checkReply(spec.Name)
	}
	if err := tooLong(spec.Name); err != nil {
		return Declared{}, err
	}
	spec.Durable = spec.Durable && !spec.Exclusive // it ends with its connection whatever it asks for
	if err := c.mayQueue(access.Configure, spec.Name); err != nil {
		return Declared{}, err
	}
	var d Declared
	err := v.change(func() error {
		q := v.queues[spec.Name]
		if q != nil {
			if err := c.equivalentQueue(q, spec); err != nil {
				return err
			}
			d = declared(q)
			return nil
		}
		what := v.queueText(spec.Name)
		if !generated && strings.HasPrefix(spec.Name, "amq.") {
			return refuse(AccessRefused, "queue name '%s' contains reserved prefix 'amq.*'", spec.Name)
		}
		if err := checkQueueArgs(what, spec.Args); err != nil {
			return err
		}
		q, err := c.addQueue(spec)
		if err != nil {
			return err
		}
		v.saveQueue(q)
		d = declared(q)
		return nil
	})
	return d, err
}

// addQueue puts a new queue into the topology. lock: vhost
func (c *Client) addQueue(spec QueueSpec) (*Queue, error) {
	v := c.vhost
	q := newQueue(v, spec)
	if spec.Exclusive {
		q.owner = c
		if !c.own(q) {
			return nil, ErrClosed
		}
	}
	v.queues[spec.Name] = q
	v.changed() // the default exchange has a binding more
	return q, nil
}

func (c *Client) equivalentQueue(q *Queue, spec QueueSpec) error {
	if spec.Exclusive != q.spec.Exclusive || spec.Exclusive && q.owner != c {
		return c.locked(q)
	}
	what := c.vhost.queueText(spec.Name)
	for _, p := range [...]struct {
		name          string
		received, has bool
	}{
		{"durable", spec.Durable, q.spec.Durable},
		{"auto_delete", spec.AutoDelete, q.spec.AutoDelete},
	} {
		if p.received != p.has {
			return inequivalent(p.name, what, boolText(p.received), boolText(p.has))
		}
	}
	// Classic is the type that every queue has, said or unsaid.
	if received, said := arg(spec.Args, queueType); said && !received.Equal(classic) {
		return equivalentArg(queueType, what, spec.Args, q.spec.Args)
	}
	return equivalentArg(messageTTL, what, spec.Args, q.spec.Args)
}

// CheckQueue succeeds when the queue exists: a passive declaration.
func (c *Client) CheckQueue(name string) (Declared, error) {
	name = clean.Replace(name)
	if isReply(name) {
		return c.checkReply(name)
	}
	q, err := c.queue(name)
	if err != nil {
		return Declared{}, err
	}
	return declared(q), nil
}

// queue returns a queue that this client may touch as far as ownership goes.
func (c *Client) queue(name string) (*Queue, error) {
	q := c.vhost.Queue(name)
	if q == nil || isReply(name) {
		return nil, c.vhost.noQueue(name)
	}
	return q, c.unlocked(q)
}

// PurgeQueue drops what waits in a queue and returns how many messages that were.
func (c *Client) PurgeQueue(b *Batch, name string) (int, error) {
	if err := c.mayQueue(access.Read, name); err != nil {
		return 0, err
	}
	q, err := c.queue(name)
	if err != nil {
		return 0, err
	}
	return q.purge(b), nil
}

// DeleteQueue deletes a queue and returns how many messages waited in it; a missing one is no error.
func (c *Client) DeleteQueue(b *Batch, name string, ifUnused, ifEmpty bool) (int, error) {
	name = clean.Replace(name)
	if err := c.mayQueue(access.Configure, name); err != nil {
		return 0, err
	}
	v := c.vhost
	n := 0
	err := v.change(func() error {
		q := v.queues[name]
		if q == nil || isReply(name) {
			return nil
		}
		if err := c.unlocked(q); err != nil {
			return err
		}
		var err error
		n, err = v.dropQueue(b, q, ifUnused, ifEmpty)
		return err
	})
	return n, err
}

// Consume subscribes a sink to a queue. No delivery is made before the consumer's first Wake.
func (c *Client) Consume(spec ConsumerSpec, sink Sink) (*Consumer, error) {
	if err := c.mayQueue(access.Read, spec.Queue); err != nil {
		return nil, err
	}
	q, err := c.queue(spec.Queue)
	if err != nil {
		return nil, err
	}
	return q.consume(c, spec, sink)
}

// Get fetches the first message of a queue and shows it to take, with how many remain. It reports whether there was one.
// Unless noAck is set the message is to be settled. take runs with the queue's lock held, as Sink.Deliver does.
func (c *Client) Get(b *Batch, name string, noAck bool, take func(d *Delivery, remaining int)) (bool, error) {
	if err := c.mayQueue(access.Read, name); err != nil {
		return false, err
	}
	q, err := c.queue(name)
	if err != nil {
		return false, err
	}
	ok, err := q.get(b, noAck, take)
	if !ok && err == nil && q.awaits(b) { // what the batch has published itself may be all there is
		b.commit()
		return q.get(b, noAck, take)
	}
	return ok, err
}

// ReplyPrefix begins the names of direct reply-to addresses; a dot and a token follow. By itself it is what clients ask for
// when they want such an address.
const ReplyPrefix = "amq.rabbitmq.reply-to"

func isReply(name string) bool { return strings.HasPrefix(name, ReplyPrefix) }

// checkReply answers a declaration of a direct reply-to address, by which its users find out whether anybody still waits.
func (c *Client) checkReply(name string) (Declared, error) {
	c.vhost.mu.RLock()
	defer c.vhost.mu.RUnlock()
	if name != ReplyPrefix && c.vhost.queues[name] == nil {
		return Declared{}, c.vhost.noQueue(name)
	}
	return Declared{Name: name, Consumers: 1}, nil
}

// ConsumeReplies opens a direct reply-to address: a queue of the client's own that nobody sees, with an unguessable name
// under which anybody may publish to it through the default exchange. It goes with the consumer.
func (c *Client) ConsumeReplies(tag string, sink Sink) (*Consumer, error) {
	v := c.vhost
	v.mu.Lock()
	q, err := c.addQueue(QueueSpec{Name: v.broker.unguessable(ReplyPrefix + "."), Exclusive: true, AutoDelete: true})
	v.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return q.consume(c, ConsumerSpec{Queue: q.spec.Name, Tag: tag, NoAck: true}, sink)
}

// Publish routes a message and enters it into the queues. It returns how many queues got it; when that is 0 the message
// is gone, and the front decides whether its publisher wants to know.
//
// The message's slices are not kept; its Expires is set. Errors are NotFound, AccessRefused and, for names that are too long,
// PreconditionFailed.
func (c *Client) Publish(b *Batch, m *message.Message) (int, error) {
	r, err := c.routes.find(c, m)
	if err != nil {
		return 0, err
	}
	m.Expires = 0
	if ttl, ok := m.TTL(); ok {
		m.Expires = b.now() + ttl
	}
	b.count.Published++
	b.work++
	if len(r.queues) == 0 {
		b.count.Unroutable++
	}
	for _, q := range r.queues {
		q.publish(b, m)
	}
	b.published()
	if t := c.vhost.broker.trace; t != nil && t.Published != nil {
		t.Published(c, m, len(r.queues))
	}
	return len(r.queues), nil
}
