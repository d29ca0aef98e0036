package engine

// Batch is what one goroutine does between two waits. It is not safe for concurrent use; its owner is the goroutine that
// made it. After End it is empty and used again.
type Batch struct {
	broker *Broker
	dirty  []Sink      // outputs to flush
	after  []aftermath // effects to run with no lock held
	count  Counters
	stored int64 // bytes that entered queues, less those that left
	work   int
	clock  int64 // milliseconds since 1970, once somebody has asked; 0 is not asked yet
}

// now is the batch's time, in milliseconds since 1970: to a message that comes and goes within a batch no time passes.
func (b *Batch) now() int64 {
	if b.clock == 0 {
		b.clock = b.broker.clock.Now().UnixMilli()
	}
	return b.clock
}

// keptDirty is for how many outputs a batch keeps memory from one End to the next.
const keptDirty = 4096

// aftermath is one effect: one of the two.
type aftermath struct {
	orphan    *Consumer // tell it that its queue is gone
	abandoned *Queue    // delete this auto-delete queue: its last consumer is gone
}

// NewBatch returns a batch for a goroutine of its own.
func (b *Broker) NewBatch() *Batch { return &Batch{broker: b} }

// Work is how many publishes, copies that entered queues and deliveries the batch has seen so far. A front ends a batch that
// has done much, so that a buffer of small publishes to a thousand queues does not keep everybody waiting.
func (b *Batch) Work() int { return b.work }

// End runs what is left to do with no lock held, flushes every output that was written to, and brings the counters up
// to date. The caller holds no lock that a Sink's Flush or Cancelled, or a ClientInfo's Alarm, takes.
func (b *Batch) End() {
	for i := 0; i < len(b.after); i++ { // effects may have effects
		a := b.after[i]
		b.after[i] = aftermath{}
		switch {
		case a.orphan != nil:
			if a.orphan.bereave() {
				a.orphan.sink.Cancelled(a.orphan)
			}
		case a.abandoned != nil:
			a.abandoned.vhost.deleteAbandoned(b, a.abandoned)
		}
	}
	b.after = b.after[:0]
	for i, s := range b.dirty {
		b.dirty[i] = nil
		s.Flush()
	}
	if b.dirty = b.dirty[:0]; cap(b.dirty) > keptDirty {
		b.dirty = nil
	}
	if b.count != (Counters{}) {
		b.broker.totals.add(&b.count)
		b.count = Counters{}
	}
	if b.stored != 0 {
		b.broker.store(b.stored)
		b.stored = 0
	}
	b.work, b.clock = 0, 0
}
