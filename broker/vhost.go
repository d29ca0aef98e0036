package broker

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"time"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
)

// VHost is a client of the broker with no socket in between: the same exchanges and queues, the same rules. It belongs to
// the program that embeds the broker, so it may do everything. Its methods may be called from any goroutine.
type VHost struct {
	broker  *Broker
	client  *engine.Client
	batches sync.Pool // of *engine.Batch

	publishing sync.Mutex // the client's publishing is one goroutine's at a time
}

func newVHost(b *Broker, name string) (*VHost, error) {
	client, err := b.engine.Open(name, nil, engine.ClientInfo{Protocol: "go", Name: "embedding program"})
	if err != nil {
		return nil, err
	}
	v := &VHost{broker: b, client: client}
	v.batches.New = func() any { return b.engine.NewBatch() }
	return v, nil
}

// VHost returns the client of a vhost. It panics when there is no such vhost: their names come from Config, and from Dir.
func (b *Broker) VHost(name string) *VHost {
	v := b.vhosts[name]
	if v == nil {
		panic("broker: there is no vhost " + strconv.Quote(name))
	}
	return v
}

// Name returns the vhost's name.
func (v *VHost) Name() string { return v.client.VHost().Name() }

// Error is a refused operation, in RabbitMQ's words.
type Error struct {
	// Code is AMQP's reply code: 404 not found, 403 refused, 405 locked, 406 precondition failed, 530 not allowed, 541 the disk
	// has failed.
	Code int
	Text string // such as: no queue 'jobs' in vhost '/'
}

func (e *Error) Error() string { return e.Text }

// replyCodes are AMQP 0-9-1's codes for the engine's refusals.
var replyCodes = [...]int{
	engine.NotFound: 404, engine.AccessRefused: 403, engine.ResourceLocked: 405, engine.PreconditionFailed: 406,
	engine.NotAllowed: 530, engine.NotImplemented: 540, engine.Internal: 541,
}

// public turns an engine's error into one that a caller can read.
func public(err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case *engine.Error:
		return &Error{Code: replyCodes[e.Kind], Text: e.Text}
	}
	if err == engine.ErrClosed {
		return ErrClosed
	}
	return err
}

// do runs f in a batch of its own, unless ctx or the broker has ended.
func (v *VHost) do(ctx context.Context, f func(b *engine.Batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if v.broker.engine.Closed() {
		return ErrClosed
	}
	return public(v.batch(f))
}

// batch runs f and ends its batch.
func (v *VHost) batch(f func(b *engine.Batch) error) error {
	b := v.batches.Get().(*engine.Batch)
	err := f(b)
	b.End()
	v.batches.Put(b)
	return err
}

// Queue is what a queue is declared with.
type Queue struct {
	Name       string // "" asks for a generated one
	Durable    bool   // survives a restart (see the package documentation)
	Exclusive  bool   // this VHost client's own
	AutoDelete bool   // deleted when its last consumer goes
	Args       Table
}

// QueueInfo is what a queue looks like.
type QueueInfo struct {
	Name      string
	Ready     int // messages that wait for a consumer
	Unacked   int // messages that are with a consumer
	Consumers int
}

// DeclareQueue makes a queue unless an equivalent one exists. It returns once a durable one is on the disk, as does whatever
// changes something durable; ctx does not end that wait, the broker's end does.
func (v *VHost) DeclareQueue(ctx context.Context, q Queue) (QueueInfo, error) {
	var info QueueInfo
	err := v.do(ctx, func(*engine.Batch) error {
		args, err := q.Args.args()
		if err != nil {
			return err
		}
		d, err := v.client.DeclareQueue(engine.QueueSpec{
			Name: q.Name, Durable: q.Durable, Exclusive: q.Exclusive, AutoDelete: q.AutoDelete, Args: args,
		})
		info = QueueInfo{Name: d.Name, Ready: d.Ready, Consumers: d.Consumers}
		return err
	})
	return info, err
}

// QueueInfo returns what a queue looks like now.
func (v *VHost) QueueInfo(ctx context.Context, name string) (QueueInfo, error) {
	var info QueueInfo
	err := v.do(ctx, func(*engine.Batch) error {
		if _, err := v.client.CheckQueue(name); err != nil {
			return err
		}
		if q := v.client.VHost().Queue(name); q != nil {
			i := q.Info()
			info = QueueInfo{Name: i.Name, Ready: i.Ready, Unacked: i.Unacked, Consumers: i.Consumers}
		}
		return nil
	})
	return info, err
}

// DeleteQueue deletes a queue with what is in it and returns how many messages waited. A missing queue is no error.
func (v *VHost) DeleteQueue(ctx context.Context, name string) (messages int, err error) {
	err = v.do(ctx, func(b *engine.Batch) error {
		messages, err = v.client.DeleteQueue(b, name, false, false)
		return err
	})
	return messages, err
}

// PurgeQueue drops what waits in a queue and returns how many messages that were.
func (v *VHost) PurgeQueue(ctx context.Context, name string) (messages int, err error) {
	err = v.do(ctx, func(b *engine.Batch) error {
		messages, err = v.client.PurgeQueue(b, name)
		return err
	})
	return messages, err
}

// Exchange is what an exchange is declared with.
type Exchange struct {
	Name       string
	Type       string // "direct", "fanout", "topic" or "headers"; "" is direct
	Durable    bool
	AutoDelete bool // deleted when its last binding goes
	Internal   bool // takes messages from other exchanges only
	Args       Table
}

// DeclareExchange makes an exchange unless an equivalent one exists.
func (v *VHost) DeclareExchange(ctx context.Context, x Exchange) error {
	return v.do(ctx, func(*engine.Batch) error {
		args, err := x.Args.args()
		if err != nil {
			return err
		}
		kind := exchange.Kind(x.Type)
		if kind == "" {
			kind = exchange.Direct
		}
		return v.client.DeclareExchange(engine.ExchangeSpec{
			Name: x.Name, Type: kind, Durable: x.Durable, AutoDelete: x.AutoDelete, Internal: x.Internal, Args: args,
		})
	})
}

// DeleteExchange deletes an exchange and its bindings. A missing one is no error.
func (v *VHost) DeleteExchange(ctx context.Context, name string) error {
	return v.do(ctx, func(*engine.Batch) error { return v.client.DeleteExchange(name, false) })
}

// Binding leads from an exchange to a queue, or to another exchange.
type Binding struct {
	Exchange   string
	Queue      string // the destination; or
	ToExchange string // the destination, when it is an exchange
	Key        string
	Args       Table // for headers exchanges
}

// Bind adds a binding. One that exists is left as it is.
func (v *VHost) Bind(ctx context.Context, b Binding) error {
	return v.binding(ctx, b, v.client.BindQueue, v.client.BindExchange)
}

// Unbind removes a binding. A missing one is no error.
func (v *VHost) Unbind(ctx context.Context, b Binding) error {
	return v.binding(ctx, b, v.client.UnbindQueue, v.client.UnbindExchange)
}

func (v *VHost) binding(ctx context.Context, b Binding, queue, toExchange func(from, to string, b exchange.Binding) error) error {
	return v.do(ctx, func(*engine.Batch) error {
		args, err := b.Args.args()
		if err != nil {
			return err
		}
		binding := exchange.Binding{Key: b.Key, Args: args}
		if b.ToExchange != "" {
			return toExchange(b.Exchange, b.ToExchange, binding)
		}
		return queue(b.Exchange, b.Queue, binding)
	})
}

// Message is a message to publish, or one that was delivered.
type Message struct {
	Exchange string // "" is the default exchange, which leads to the queue that Key names
	Key      string // the routing key
	Body     []byte

	ContentType     string
	ContentEncoding string
	Headers         Table
	Persistent      bool
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string // milliseconds, in decimal
	MessageID       string
	Timestamp       time.Time // to the second
	Type            string
	UserID          string
	AppID           string

	// Mandatory asks Publish for an error when no queue gets the message.
	Mandatory bool
}

// UnroutableError is returned by Publish for a mandatory message that no queue got.
type UnroutableError struct {
	Exchange, Key string
}

func (e *UnroutableError) Error() string {
	return fmt.Sprintf("no queue is bound to exchange %q for the routing key %q: the message was dropped", e.Exchange, e.Key)
}

// Publish routes a message and returns once the queues have it: a persistent one in a durable queue is on the disk then
// (see StoreOptions), which many goroutines that publish at a time wait for together. The body is copied. It also blocks while
// publishers are held because memory or disk is low. When ctx ends meanwhile, its error is returned: a message that waits for
// the disk is in its queues nevertheless, and may come twice if it is published again.
func (v *VHost) Publish(ctx context.Context, m Message) error {
	if len(m.Exchange) > 255 || len(m.Key) > 255 {
		return fmt.Errorf("broker: exchange and routing key have at most 255 bytes, not %d and %d", len(m.Exchange), len(m.Key))
	}
	if resumed, _ := v.broker.engine.Held(); resumed != nil {
		select {
		case <-resumed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if m.Expiration != "" {
		if _, err := message.ParseTTL(m.Expiration); err != nil {
			return &Error{Code: 406, Text: err.Error()}
		}
	}
	headers, err := m.Headers.args()
	if err != nil {
		return err
	}
	p := message.Properties{
		ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, Headers: headers, Persistent: m.Persistent,
		Priority: m.Priority, CorrelationID: m.CorrelationID, ReplyTo: m.ReplyTo, Expiration: m.Expiration,
		MessageID: m.MessageID, Timestamp: m.Timestamp, Type: m.Type, UserID: m.UserID, AppID: m.AppID,
	}
	if err := p.Validate(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	out := message.Message{
		Origin: message.AMQP091, Exchange: []byte(m.Exchange), Key: []byte(m.Key), Props: p.Append(nil), Body: m.Body,
	}
	if m.Persistent {
		out.Flags |= message.Persistent
	}
	var ticket engine.Ticket
	err = v.do(ctx, func(b *engine.Batch) error {
		v.publishing.Lock()
		n, err := v.client.Publish(b, &out)
		v.publishing.Unlock()
		if err == nil && n == 0 && m.Mandatory {
			err = &UnroutableError{Exchange: m.Exchange, Key: m.Key}
		}
		ticket = b.End()
		return err
	})
	if err != nil {
		return err
	}
	return public(v.broker.engine.Wait(ctx, ticket))
}

// received returns a message in memory of its own.
func received(m *message.Message) Message {
	c := m.Clone()
	p := c.Properties()
	return Message{
		Exchange: string(c.Exchange), Key: string(c.Key), Body: c.Body,
		ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, Headers: tableOf(p.Headers), Persistent: p.Persistent,
		Priority: p.Priority, CorrelationID: p.CorrelationID, ReplyTo: p.ReplyTo, Expiration: p.Expiration,
		MessageID: p.MessageID, Timestamp: p.Timestamp, Type: p.Type, UserID: p.UserID, AppID: p.AppID,
	}
}

// Get fetches the first message of a queue. ok is false when none waits. The message is to be settled with the delivery's
// methods.
func (v *VHost) Get(ctx context.Context, queue string) (d *Delivery, ok bool, err error) {
	err = v.do(ctx, func(b *engine.Batch) error {
		ok, err = v.client.Get(b, queue, false, func(got *engine.Delivery, _ int) {
			d = &Delivery{Message: received(got.Message), Redelivered: got.Redelivered, vhost: v, queue: got.Queue, seq: got.Seq}
		})
		return err
	})
	return d, ok, err
}

// ConsumeOptions say how to consume.
type ConsumeOptions struct {
	// Prefetch is how many deliveries may be unsettled at a time, at most 65535; with AutoAck, how many may wait for the
	// loop. 0 is 256.
	Prefetch int
	// AutoAck takes messages as settled once the queue has handed them over: when the loop ends, those that it has not come
	// to, at most Prefetch, are lost.
	AutoAck bool
	// Exclusive keeps others from consuming from the queue.
	Exclusive bool
	// Tag is the consumer's name, for showing. "" is a generated one.
	Tag string
}

// Consume subscribes to a queue and yields its messages as they come, until the loop ends or an error is yielded: ctx's when
// ctx has ended, a 404 *Error when the queue was deleted, ErrClosed when the broker was closed. Options may be nil. When the
// loop ends, what it has not settled goes back to the queue.
func (v *VHost) Consume(ctx context.Context, queue string, o *ConsumeOptions) iter.Seq2[*Delivery, error] {
	return func(yield func(*Delivery, error) bool) {
		if o == nil {
			o = new(ConsumeOptions)
		}
		in, err := v.subscribe(ctx, queue, *o)
		if err != nil {
			yield(nil, err)
			return
		}
		defer in.end()
		for {
			d, err := in.next(ctx)
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}
