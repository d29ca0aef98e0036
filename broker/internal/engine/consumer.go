package engine

import "github.com/warrenmq/warren/broker/internal/queue"

// ConsumerSpec is what a client asks for when it consumes.
type ConsumerSpec struct {
	Queue     string
	Tag       string // the client's name for it; the engine only shows it
	NoAck     bool   // deliveries need no settling
	Exclusive bool   // nobody else may consume from the queue
	Prefetch  uint32 // how many deliveries may be unsettled; 0 is unlimited
}

// Consumer is a subscription of a client to a queue. It is made asleep: the first Wake starts the deliveries, so that a
// front can answer the request before they begin.
type Consumer struct {
	queue  *Queue
	client *Client
	sink   Sink
	spec   ConsumerSpec
	slot   queue.Slot // set once
	gone   bool       // lock: queue; cancelled, or its queue is deleted
	told   bool       // lock: queue; the sink knows that the consumer is gone
}

// Queue returns the queue that the consumer is on.
func (c *Consumer) Queue() *Queue { return c.queue }

// Spec returns what the consumer was made with.
func (c *Consumer) Spec() ConsumerSpec { return c.spec }

// Wake makes a consumer that has refused a delivery, or is new, take deliveries (again).
func (c *Consumer) Wake(b *Batch) {
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.gone {
		return
	}
	q.quiet = 0
	q.core.Wake(c.slot)
	q.serve(b)
}

// Cancel ends the consumer. What it has not settled stays unsettled and can still be settled. An auto-delete queue whose
// last consumer this was is deleted when the batch ends.
func (c *Consumer) Cancel(b *Batch) {
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	c.told = true
	if c.gone {
		return
	}
	c.gone = true
	q.quiet = 0
	q.core.Remove(c.slot)
	q.consumers[c.slot] = nil
	if q.exclusive == c {
		q.exclusive = nil
	}
	if q.spec.AutoDelete && q.core.Consumers() == 0 {
		b.after = append(b.after, aftermath{abandoned: q})
	}
}

// bereave reports whether the sink has yet to be told that the queue is gone, and takes it for told from now on.
func (c *Consumer) bereave() bool {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	told := c.told
	c.told = true
	return !told
}

// consume adds a consumer.
func (q *Queue) consume(client *Client, spec ConsumerSpec, sink Sink) (*Consumer, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.deleted {
		return nil, q.vhost.noQueue(q.spec.Name)
	}
	if q.down != nil {
		return nil, q.down
	}
	if q.exclusive != nil || spec.Exclusive && q.core.Consumers() > 0 {
		return nil, refuse(AccessRefused, "%s in exclusive use", q.vhost.queueText(q.spec.Name))
	}
	c := &Consumer{queue: q, client: client, sink: sink, spec: spec}
	c.slot = q.core.Add(spec.Prefetch, spec.NoAck)
	q.core.Refuse(c.slot) // asleep until the first Wake
	for int(c.slot) >= len(q.consumers) {
		q.consumers = append(q.consumers, nil)
	}
	q.consumers[c.slot] = c
	if spec.Exclusive {
		q.exclusive = c
	}
	q.quiet = 0
	return c, nil
}
