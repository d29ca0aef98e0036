package engine

// Batch is what one goroutine does between two waits. It is not safe for concurrent use; its owner is the goroutine that
// made it. After End it is empty and used again.
type Batch struct {
	broker *Broker
	dirty  []Sink      // outputs to flush, each once
	after  []aftermath // effects to run with no lock held
	count  Counters
	stored int64 // bytes that entered queues, less those that left
	work   int
}

type aftermath struct {
	consumer  *Consumer // tell it that it is cancelled, or
	abandoned *Queue    // delete this auto-delete queue: its last consumer is gone
}

// NewBatch returns a batch for a goroutine of its own.
func (b *Broker) NewBatch() *Batch { return &Batch{broker: b} }

// Work is how many deliveries and messages the batch has moved so far. A front ends a batch that has done much, so that
// a buffer of small publishes to a thousand queues does not keep everybody waiting.
func (b *Batch) Work() int { return b.work }

// End runs what is left to do with no lock held, flushes every output that was written to, and brings the counters up
// to date.
func (b *Batch) End() {
	for i := 0; i < len(b.after); i++ { // effects may have effects
		a := b.after[i]
		b.after[i] = aftermath{}
		switch {
		case a.consumer != nil:
			a.consumer.sink.Cancelled(a.consumer)
		case a.abandoned != nil:
			a.abandoned.vhost.deleteAbandoned(b, a.abandoned)
		}
	}
	b.after = b.after[:0]
	for i, s := range b.dirty {
		s.Flush()
		b.dirty[i] = nil
	}
	b.dirty = b.dirty[:0]
	if b.count != (Counters{}) {
		b.broker.totals.add(&b.count)
		b.count = Counters{}
	}
	if b.stored != 0 {
		b.broker.store(b.stored)
		b.stored = 0
	}
	b.work = 0
}
