package broker

import (
	"context"
	"sync"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/queue"
)

// Delivery is a message that a consumer was given. It is settled once: with Ack, Nack or Requeue; later calls do nothing.
type Delivery struct {
	Message
	Redelivered bool // it was with a consumer before

	vhost *VHost
	queue *engine.Queue
	seq   uint64 // 0: nothing to settle
	inbox *inbox // nil for a message that was fetched

	mu      sync.Mutex // guards settled
	settled bool
}

// Ack says that the message is worked off.
func (d *Delivery) Ack() { d.settle(queue.Accept) }

// Nack says that the message cannot be worked off, now or ever: it is dropped.
func (d *Delivery) Nack() { d.settle(queue.Discard) }

// Requeue gives the message back to its place in the queue.
func (d *Delivery) Requeue() { d.settle(queue.Requeue) }

func (d *Delivery) settle(how queue.Outcome) {
	d.mu.Lock()
	done := d.settled || d.seq == 0
	d.settled = true
	d.mu.Unlock()
	if done {
		return
	}
	if d.inbox != nil {
		d.inbox.settled(d)
	}
	v := d.vhost
	v.mu.Lock()
	defer v.mu.Unlock()
	d.queue.Settle(v.batch, []uint64{d.seq}, how)
	v.batch.End()
}

const defaultPrefetch = 256

// inbox holds what a queue has delivered and the program has not taken yet. It is bounded by the prefetch.
type inbox struct {
	vhost    *VHost
	consumer *engine.Consumer
	autoAck  bool
	limit    int
	arrived  chan struct{} // holds a token when there may be something to take

	mu        sync.Mutex // lock: credit; guards what follows
	waiting   []*Delivery
	unsettled map[*Delivery]struct{}
	refused   bool // a delivery was refused since the consumer was last woken
	cancelled bool // the queue is gone
}

func (v *VHost) subscribe(ctx context.Context, name string, o ConsumeOptions) (*inbox, error) {
	if o.Prefetch <= 0 {
		o.Prefetch = defaultPrefetch
	}
	if o.Tag == "" {
		o.Tag = v.broker.engine.GenerateName("amq.ctag")
	}
	in := &inbox{
		vhost: v, autoAck: o.AutoAck, limit: o.Prefetch, arrived: make(chan struct{}, 1),
		unsettled: make(map[*Delivery]struct{}),
	}
	err := v.do(ctx, func(b *engine.Batch) error {
		var err error
		in.consumer, err = v.client.Consume(engine.ConsumerSpec{
			Queue: name, Tag: o.Tag, NoAck: o.AutoAck, Exclusive: o.Exclusive, Prefetch: uint32(o.Prefetch),
		}, in)
		if err == nil {
			in.consumer.Wake(b)
		}
		return err
	})
	return in, err
}

// Deliver takes a message from the queue. lock: queue is held
func (in *inbox) Deliver(d *engine.Delivery) engine.Verdict {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.cancelled || len(in.waiting) >= in.limit {
		in.refused = true
		return engine.Refused
	}
	one := &Delivery{
		Message: received(d.Message), Redelivered: d.Redelivered, vhost: in.vhost, queue: d.Queue, seq: d.Seq, inbox: in,
	}
	in.waiting = append(in.waiting, one)
	if d.Seq != 0 {
		in.unsettled[one] = struct{}{}
	}
	return engine.TakenDirty
}

// Flush wakes the program.
func (in *inbox) Flush() {
	select {
	case in.arrived <- struct{}{}:
	default:
	}
}

// Cancelled says that the queue is gone.
func (in *inbox) Cancelled(*engine.Consumer) {
	in.mu.Lock()
	in.cancelled = true
	in.mu.Unlock()
	in.Flush()
}

func (in *inbox) settled(d *Delivery) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.unsettled, d)
}

// next waits for a delivery.
func (in *inbox) next(ctx context.Context) (*Delivery, error) {
	for {
		in.mu.Lock()
		var d *Delivery
		if len(in.waiting) > 0 {
			d = in.waiting[0]
			in.waiting[0] = nil
			in.waiting = in.waiting[1:]
		}
		wake := in.refused && len(in.waiting) <= in.limit/2 && !in.cancelled
		if wake {
			in.refused = false
		}
		gone := in.cancelled
		in.mu.Unlock()
		if wake {
			v := in.vhost
			v.mu.Lock()
			in.consumer.Wake(v.batch)
			v.batch.End()
			v.mu.Unlock()
		}
		if d != nil {
			return d, nil
		}
		if gone {
			return nil, &Error{Code: 404, Text: "no queue '" + in.consumer.Spec().Queue + "' in vhost '" + in.vhost.Name() + "'"}
		}
		select {
		case <-in.arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// end cancels the consumer and gives back what is unsettled.
func (in *inbox) end() {
	v := in.vhost
	v.mu.Lock()
	in.consumer.Cancel(v.batch)
	v.batch.End()
	v.mu.Unlock()

	in.mu.Lock()
	in.cancelled = true
	left := make([]*Delivery, 0, len(in.unsettled))
	for d := range in.unsettled {
		left = append(left, d)
	}
	in.waiting = nil
	in.mu.Unlock()
	for _, d := range left {
		d.Requeue()
	}
}
