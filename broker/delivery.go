package broker

import (
	"context"
	"fmt"
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

// claim reports whether the delivery is still to be settled, and makes that the caller's business.
func (d *Delivery) claim() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	open := !d.settled && d.seq != 0
	d.settled = true
	return open
}

func (d *Delivery) settle(how queue.Outcome) {
	if !d.claim() {
		return
	}
	if d.inbox != nil {
		d.inbox.settled(d)
	}
	_ = d.vhost.batch(func(b *engine.Batch) error {
		d.queue.Settle(b, []uint64{d.seq}, how)
		return nil
	})
}

const (
	defaultPrefetch = 256
	maxPrefetch     = 65535
)

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
	deaf      bool // the queue is gone, or the loop has ended
}

func (v *VHost) subscribe(ctx context.Context, name string, o ConsumeOptions) (*inbox, error) {
	if o.Prefetch < 0 || o.Prefetch > maxPrefetch {
		return nil, fmt.Errorf("broker: a prefetch of %d: it goes from 0, which is %d, to %d", o.Prefetch, defaultPrefetch, maxPrefetch)
	}
	if o.Prefetch == 0 {
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
	if in.deaf || len(in.waiting) >= in.limit {
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
	if len(in.waiting) > 1 {
		return engine.Taken // the loop does not wait while there is something
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
	in.deaf = true
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
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		in.mu.Lock()
		var d *Delivery
		if len(in.waiting) > 0 {
			d = in.waiting[0]
			in.waiting[0] = nil
			in.waiting = in.waiting[1:]
		}
		wake := in.refused && len(in.waiting) <= in.limit/2 && !in.deaf
		if wake {
			in.refused = false
		}
		gone := in.deaf
		in.mu.Unlock()
		if wake {
			_ = in.vhost.batch(func(b *engine.Batch) error {
				in.consumer.Wake(b)
				return nil
			})
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
		case <-in.vhost.broker.done:
			return nil, ErrClosed
		}
	}
}

// end cancels the consumer and gives back what is unsettled.
func (in *inbox) end() {
	_ = in.vhost.batch(func(b *engine.Batch) error {
		in.consumer.Cancel(b)
		in.mu.Lock()
		in.deaf = true
		var left []uint64
		for d := range in.unsettled {
			if d.claim() {
				left = append(left, d.seq)
			}
		}
		in.waiting, in.unsettled = nil, nil
		in.mu.Unlock()
		in.consumer.Queue().Settle(b, left, queue.Requeue)
		return nil
	})
}
