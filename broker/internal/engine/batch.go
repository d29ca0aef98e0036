package engine

import "github.com/warrenmq/warren/broker/internal/storage"

// Batch is what one goroutine does between two waits. It is not safe for concurrent use; its owner is the goroutine that
// made it. After End it is empty and used again.
type Batch struct {
	broker *Broker
	dirty  []Sink      // outputs to flush
	after  []aftermath // effects to run with no lock held
	count  Counters
	stored int64 // bytes that entered the memory of queues, less those that left
	work   int

	log      storage.Batch // what the store is to know; nil until there is something, and without a store
	recorded bool          // log has the message that is being published
	settled  []mark        // what was settled meanwhile: log gets it when the message is published
	owing    bool          // log has something that a publisher waits for
	given    Ticket        // of what log has handed over before the end
	ticket   Ticket        // the same, if publishers wait for it
	pending  []*Queue      // queues with records in log that are not committed
	marks    []mark        // how far deliveries have got, for log
	clock    int64         // milliseconds since 1970, once somebody has asked; 0 is not asked yet
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

// Owing reports whether the batch has something so far that publishers wait for: End will return a ticket.
func (b *Batch) Owing() bool { return b.owing || b.ticket != 0 }

// Owe says that somebody waits for what the batch has given to the store so far, whatever it is: End will return a ticket
// for it.
func (b *Batch) Owe() { b.owing, b.ticket = true, b.given }

// End runs what is left to do with no lock held, hands over what the store is to know, flushes every output that was
// written to, and brings the counters up to date. The caller holds no lock that a Sink's Flush or Cancelled, or a
// ClientInfo's Alarm, takes.
//
// It returns the ticket that the publishers of this batch wait for; 0 when they need not wait. It blocks while much more
// waits for the disk than that can take.
func (b *Batch) End() Ticket {
	b.effects()
	b.commit()             // before the flush: what a client may acknowledge, the store has been told of
	for len(b.after) > 0 { // a queue that was served then is down
		b.effects()
		b.commit()
	}
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
		b.broker.keep(b.stored)
		b.stored = 0
	}
	ticket := b.ticket
	b.work, b.clock, b.given, b.ticket = 0, 0, 0, 0
	return ticket
}

// effects runs what is left to do with no lock held.
func (b *Batch) effects() {
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
}

// settle tells the store that nobody wants a record any more.
func (b *Batch) settle(s storage.Stream, seq uint64) {
	if b.recorded { // more queues may want the message: they are told to the store in one go
		b.settled = append(b.settled, mark{s, seq})
		return
	}
	b.diary().Settle(s, seq)
}

// published ends the recording of a message.
func (b *Batch) published() {
	if !b.recorded {
		return
	}
	b.recorded = false
	for i, m := range b.settled {
		b.log.Settle(m.stream, m.seq)
		b.settled[i] = mark{}
	}
	b.settled = b.settled[:0]
}

// commit hands over what the store is to know. Queues that have waited for that are served, which may give it more to know.
func (b *Batch) commit() {
	for (b.log != nil && !b.log.Empty()) || len(b.marks) > 0 {
		for i, m := range b.marks {
			b.diary().Delivered(m.stream, m.seq)
			b.marks[i] = mark{}
		}
		b.marks = b.marks[:0]
		if b.given = b.log.Commit(b.owing); b.owing {
			b.ticket = b.given
		}
		b.owing = false // what consumers get now can wait
		for i, q := range b.pending {
			b.pending[i] = nil
			q.committed(b)
		}
		b.pending = b.pending[:0]
	}
	b.owing = false
}
