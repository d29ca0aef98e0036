package amqp091

import (
	"slices"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/engine"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// consumer is a basic.consume: the sink of its deliveries. What it has no comment for is constant.
type consumer struct {
	channel *channel
	name    string // the tag
	tag     []byte // the tag, as deliveries carry it
	noAck   bool

	handle  *engine.Consumer // set before the first Wake; lock: session.mu, or the reader's
	gone    bool             // cancelled by the broker before the client was told of it; lock: session.mu
	refused atomic.Bool      // refused a delivery because the output was full: Drained wakes it
	starved bool             // is in channel.starved; lock: channel.mu
}

// Deliver appends a delivery to the connection's output. Called by the engine, with the queue's lock held.
func (c *consumer) Deliver(d *engine.Delivery) engine.Verdict {
	out := c.channel.session.out
	if out.Full() {
		c.refused.Store(true) // before the second look: either it sees room, or Drained comes and sees the mark
		if out.Full() {
			return engine.Refused
		}
		c.refused.Store(false)
	}
	if c.noAck {
		_, dirty := c.write(d)
		return verdict(dirty)
	}
	ch := c.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.limit > 0 && ch.unacked.live >= ch.limit {
		if !c.starved {
			c.starved = true
			ch.starved = append(ch.starved, c)
		}
		return engine.Refused
	}
	tag, dirty := c.write(d)
	ch.unacked.push(unacked{tag: tag, seq: d.Seq, queue: d.Queue})
	return verdict(dirty)
}

func verdict(dirty bool) engine.Verdict {
	if dirty {
		return engine.TakenDirty
	}
	return engine.Taken
}

// write gives the delivery its tag and appends it.
func (c *consumer) write(d *engine.Delivery) (tag uint64, dirty bool) {
	ch := c.channel
	s := ch.session
	m := d.Message
	b := s.out.Begin()
	ch.nextTag++
	tag = ch.nextTag
	deliver := wire.BasicDeliver{ConsumerTag: c.tag, DeliveryTag: tag, Redelivered: d.Redelivered, Exchange: m.Exchange, RoutingKey: m.Key}
	b = wire.AppendDeliver(b, ch.number, &deliver, wire.Content{Properties: m.AMQP091(nil), Body: m.Body}, s.frameMax)
	return tag, s.out.End(b)
}

// Flush sends what Deliver has appended.
func (c *consumer) Flush() { c.channel.session.out.Flush() }

// Cancelled tells the client that its queue is gone. Called by the engine from any goroutine.
func (c *consumer) Cancelled(*engine.Consumer) {
	s := c.channel.session
	s.mu.Lock()
	answered := c.handle != nil // otherwise consume tells it, after its answer
	c.gone = true
	_, there := s.live[c]
	c.remove()
	s.mu.Unlock()
	c.channel.unstarve(c)
	if there && answered {
		c.tellCancelled()
		s.out.Flush()
	}
}

// remove takes the consumer out of the books. lock: session.mu
func (c *consumer) remove() {
	delete(c.channel.session.live, c)
	if c.channel.consumers[c.name] == c {
		delete(c.channel.consumers, c.name)
	}
}

func (c *consumer) tellCancelled() {
	if c.channel.session.cancelable {
		c.channel.send(&wire.BasicCancel{ConsumerTag: c.name, NoWait: true})
	}
}

func (ch *channel) qos(m *wire.BasicQos) error {
	if m.PrefetchSize != 0 {
		return violation(wire.NotImplemented, "prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	if m.Global {
		ch.mu.Lock()
		ch.limit = int(m.PrefetchCount)
		ch.mu.Unlock()
		ch.wakeStarved()
	} else {
		ch.prefetch = m.PrefetchCount
	}
	ch.send(new(wire.BasicQosOk))
	return nil
}

// wakeStarved lets consumers try again that the channel's limit has stopped, when there is room.
func (ch *channel) wakeStarved() {
	ch.mu.Lock()
	var ready []*consumer
	if ch.limit == 0 || ch.unacked.live < ch.limit {
		ready, ch.starved = ch.starved, nil
		for _, c := range ready {
			c.starved = false
		}
	}
	ch.mu.Unlock()
	for _, c := range ready {
		c.handle.Wake(ch.session.batch)
	}
}

// unstarve takes a consumer that is gone from those that wait for the channel's limit.
func (ch *channel) unstarve(gone *consumer) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if gone.starved {
		gone.starved = false
		ch.starved = slices.DeleteFunc(ch.starved, func(c *consumer) bool { return c == gone })
	}
}

func (ch *channel) consume(m *wire.BasicConsume) error {
	s := ch.session
	queue, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	replies := queue == engine.ReplyPrefix
	switch {
	case replies && ch.replies != nil:
		return violation(wire.PreconditionFailed, "reply consumer already set")
	case replies && !m.NoAck:
		return violation(wire.PreconditionFailed, "reply consumer cannot acknowledge")
	}
	if err := checkConsumeArgs(m.Arguments); err != nil {
		return err
	}
	if m.ConsumerTag == "" {
		m.ConsumerTag = s.front.broker.GenerateName("amq.ctag")
	}
	c := &consumer{channel: ch, name: m.ConsumerTag, tag: []byte(m.ConsumerTag), noAck: m.NoAck}
	if err := c.register(); err != nil {
		return err
	}
	var handle *engine.Consumer
	if replies {
		handle, err = s.client.ConsumeReplies(m.ConsumerTag, c)
	} else {
		handle, err = s.client.Consume(engine.ConsumerSpec{
			Queue: queue, Tag: m.ConsumerTag, NoAck: m.NoAck, Exclusive: m.Exclusive, Prefetch: uint32(ch.prefetch),
		}, c)
	}
	if err != nil {
		s.mu.Lock()
		c.remove()
		s.mu.Unlock()
		return err
	}
	if replies {
		ch.replies = c
	}
	ch.answer(m.NoWait, &wire.BasicConsumeOk{ConsumerTag: m.ConsumerTag})
	s.mu.Lock()
	c.handle = handle
	gone := c.gone
	s.mu.Unlock()
	if gone {
		c.tellCancelled()
		return nil
	}
	handle.Wake(s.batch)
	return nil
}

// register enters the consumer in the books, unless its tag is taken or there are too many.
func (c *consumer) register() error {
	ch := c.channel
	ch.session.mu.Lock()
	defer ch.session.mu.Unlock()
	if _, taken := ch.consumers[c.name]; taken {
		return violation(wire.NotAllowed, "attempt to reuse consumer tag '%s'", c.name)
	}
	if len(ch.session.live) >= maxConsumers {
		return violation(wire.NotAllowed, "reached maximum (%d) of consumers per connection", maxConsumers)
	}
	ch.consumers[c.name] = c
	ch.session.live[c] = struct{}{}
	return nil
}

func (ch *channel) cancel(m *wire.BasicCancel) error {
	s := ch.session
	s.mu.Lock()
	c := ch.consumers[m.ConsumerTag]
	if c != nil {
		c.remove()
	}
	s.mu.Unlock()
	if c != nil {
		c.handle.Cancel(s.batch)
		ch.unstarve(c)
		if ch.replies == c {
			ch.replies = nil
		}
	}
	ch.answer(m.NoWait, &wire.BasicCancelOk{ConsumerTag: m.ConsumerTag})
	return nil
}

func (ch *channel) get(m *wire.BasicGet) error {
	s := ch.session
	queue, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	found, err := s.client.Get(s.batch, queue, m.NoAck, func(d *engine.Delivery, remaining int) {
		msg := d.Message
		ch.mu.Lock()
		defer ch.mu.Unlock()
		b := s.out.Begin()
		ch.nextTag++
		tag := ch.nextTag
		ok := wire.BasicGetOk{
			DeliveryTag: tag, Redelivered: d.Redelivered, Exchange: msg.Exchange, RoutingKey: msg.Key, MessageCount: uint32(remaining),
		}
		s.out.End(wire.AppendGetOk(b, ch.number, &ok, wire.Content{Properties: msg.AMQP091(nil), Body: msg.Body}, s.frameMax))
		if !m.NoAck {
			ch.unacked.push(unacked{tag: tag, seq: d.Seq, queue: d.Queue})
		}
	})
	if err != nil {
		return err
	}
	if !found {
		ch.send(new(wire.BasicGetEmpty))
	}
	s.fetched = true
	return nil
}
