package zmq

import (
	"context"
	"time"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
)

// intake is a consumer whose deliveries lie in a mailbox until the door's goroutine has handed them to the socket.
type intake struct {
	door     *door
	box      *mailbox
	write    func(l *letter, m *message.Message) // fills a letter from a message; both are views
	lost     chan struct{}                       // holds a token when the queue was deleted
	consumer *engine.Consumer                    // owner: the goroutine that consumes; set before the first Wake
	batch    *engine.Batch                       // owner: the goroutine that takes
	one      [1]uint64                           // scratch; owner: the goroutine that takes
	letter   letter                              // scratch of Deliver; lock: queue
}

func newIntake(d *door, write func(*letter, *message.Message)) *intake {
	in := &intake{door: d, write: write, lost: make(chan struct{}, 1), batch: d.env.Engine.NewBatch()}
	in.box = newMailbox(in.wake)
	return in
}

// consume subscribes to a queue.
func (in *intake) consume(spec engine.ConsumerSpec) (err error) {
	in.consumer, err = in.door.client.Consume(spec, in)
	if err != nil {
		return err
	}
	in.wake()
	return nil
}

// wake asks the queue to go on.
func (in *intake) wake() {
	b := in.door.env.Engine.NewBatch()
	in.consumer.Wake(b)
	b.End()
}

// Deliver puts a message into the box. Any goroutine; lock: queue.
func (in *intake) Deliver(d *engine.Delivery) engine.Verdict {
	l := &in.letter
	*l = letter{queue: d.Queue, seq: d.Seq, hops: d.Message.Hops}
	in.write(l, d.Message)
	ok, first := in.box.put(l)
	switch {
	case !ok:
		return engine.Refused
	case first:
		return engine.TakenDirty
	}
	return engine.Taken
}

// Flush wakes the door's goroutine. Any goroutine.
func (in *intake) Flush() { in.box.ring() }

// Cancelled notes that the queue is gone. Any goroutine.
func (in *intake) Cancelled(*engine.Consumer) {
	select {
	case in.lost <- struct{}{}:
	default:
	}
}

// settle ends one delivery. It ends the batch too: what follows may wait for a peer, and whoever the queue went on with must
// not wait with it.
func (in *intake) settle(l *letter, how queue.Outcome) {
	if l.seq != 0 {
		in.one[0] = l.seq
		l.queue.Settle(in.batch, in.one[:], how)
		in.batch.End()
	}
}

// each takes letters and hands them to f until ctx ends; f reports false when it could not hand one on, which then goes
// back to its queue with all that come after it. attach begins to consume, and is called again when the queue was deleted.
func (in *intake) each(ctx context.Context, attach func() error, f func(l *letter) bool) {
	in.attach(ctx, attach)
	for ctx.Err() == nil {
		b := in.box.take(ctx, in.lost)
		if b == nil {
			if ctx.Err() == nil {
				in.door.log.log.Warn("the queue was deleted and is declared again")
				in.attach(ctx, attach)
			}
			continue
		}
		i := 0
		for l := b.next(i); l != nil; l = b.next(i) {
			i++
			if ctx.Err() != nil || !f(l) {
				in.settle(l, queue.Requeue)
			}
		}
	}
	in.end()
}

// attachEvery is the time between attempts to consume from a queue that was deleted and cannot be declared again.
const attachEvery = time.Second

func (in *intake) attach(ctx context.Context, attach func() error) {
	for {
		err := attach()
		if err == nil {
			return
		}
		in.door.log.say("cannot consume", err)
		if !in.door.pause(ctx, attachEvery) {
			return
		}
	}
}

// end ceases to consume and gives back what nobody has taken.
func (in *intake) end() {
	if in.consumer != nil {
		in.consumer.Cancel(in.batch)
	}
	if b := in.box.takeNow(); b != nil {
		i := 0
		for l := b.next(i); l != nil; l = b.next(i) {
			i++
			in.settle(l, queue.Requeue)
		}
	}
	in.batch.End()
}
