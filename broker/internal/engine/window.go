package engine

import (
	"math"
	"slices"

	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/broker/internal/storage"
)

// In a broker with a store, a queue's memory is a window on it. A message that must survive is in the store and, while the
// queue is short, in the window too. Once the window is full, messages go to the store only, also those that need not
// survive; when the consumers have emptied the window, it is filled from there. What is with consumers and takes more than
// its bound is left to the store as well.
//
// What a batch has given to the store cannot be read before the batch is committed. So each queue knows the batches that
// have something of it, and from which number on.

// bounds are how large windows are, in bytes of records.
type bounds struct {
	most  int64 // a window while there is memory
	least int64 // a window when all together are above their share; above twice the share nothing enters one
	out   int64 // what of one queue is with consumers
	fill  int64 // what is read at a time, while there is memory
	share int64 // what all windows may take together
}

// usual are the bounds where memory is limited to so many bytes; 0 is no limit. Publishers are held for memory only when
// windows give way no more.
func usual(memory int64) bounds {
	b := bounds{most: 4 << 20, least: 64 << 10, out: 1 << 20, fill: 512 << 10, share: max(memory/8, 32<<20)}
	if memory > 0 {
		b.share = min(b.share, memory/3)
	}
	return b
}

// uncommitted is a batch that has given records of a queue to the store.
type uncommitted struct {
	batch *Batch
	first uint64 // the lowest number among them
}

// mark is how far a queue's deliveries have got.
type mark struct {
	stream storage.Stream
	seq    uint64
}

// diary returns the batch's log, which exists in a broker with a store only.
func (b *Batch) diary() storage.Batch {
	if b.log == nil {
		b.log = b.broker.store.NewBatch()
	}
	return b.log
}

// full reports whether the next message goes to the store only. lock: queue
func (q *Queue) full() bool {
	br := q.vhost.broker
	if br.store == nil {
		return false
	}
	stored, share := br.stored.Load(), br.window.share
	if q.core.Deep() > 0 || stored > 2*share {
		return true
	}
	if q.resident < br.window.least {
		return false
	}
	_, window := q.core.Window()
	if stored > share {
		return window >= br.window.least
	}
	return window >= br.window.most
}

// record gives a message to the store, under the number that the queue has given it. lock: queue
func (q *Queue) record(b *Batch, m *message.Message, seq uint64, expires int64, transient bool) {
	log := b.diary()
	if !b.recorded {
		b.recorded = true
		bare := *m
		bare.Expires = 0 // it is another time in each queue: the store keeps it beside the record
		bare.Put(log.Message(bare.Size()))
	}
	log.To(q.kept(), seq, expires, transient)
	q.uncommit(b, seq)
}

// kept returns the queue's stream. lock: queue
func (q *Queue) kept() storage.Stream {
	if q.stream == nil {
		q.stream = q.vhost.broker.store.NewStream()
	}
	return q.stream
}

// uncommit notes that a batch has a record of the queue. lock: queue
func (q *Queue) uncommit(b *Batch, seq uint64) {
	for i := range q.uncommitted {
		if q.uncommitted[i].batch == b {
			return // numbers ascend
		}
	}
	q.uncommitted = append(q.uncommitted, uncommitted{b, seq})
	b.pending = append(b.pending, q)
}

// awaits reports whether a batch that is not committed has something of the queue.
func (q *Queue) awaits(b *Batch) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.uncommitted, func(u uncommitted) bool { return u.batch == b })
}

// readable is the number below which the store shows everything. lock: queue
func (q *Queue) readable() uint64 {
	limit := uint64(math.MaxUint64)
	for _, u := range q.uncommitted {
		limit = min(limit, u.first)
	}
	return limit
}

// committed says that the store has what the batch gave it, and serves consumers who have waited for that.
func (q *Queue) committed(b *Batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.uncommitted {
		if q.uncommitted[i].batch == b {
			last := len(q.uncommitted) - 1
			q.uncommitted[i] = q.uncommitted[last]
			q.uncommitted[last] = uncommitted{}
			q.uncommitted = q.uncommitted[:last]
			break
		}
	}
	if !q.deleted && q.core.Ready() > 0 {
		q.serve(b)
	}
}

// room is how many bytes are read from the store at a time.
func (q *Queue) room() int64 {
	br := q.vhost.broker
	if br.stored.Load() > br.window.share {
		return min(br.window.fill, br.window.least)
	}
	return br.window.fill
}

// load fills the empty window from the store. It reports whether there is anything in it now. lock: queue
func (q *Queue) load(b *Batch) bool {
	if ready, _ := q.core.Window(); ready > 0 || q.core.Deep() == 0 || q.down != nil {
		return false
	}
	limit, most := q.readable(), q.room()
	read, blind := int64(0), false
	err := q.stream.Read(q.core.Edge(), func(r *storage.Record) bool {
		if r.Seq >= limit {
			blind = true
			return false
		}
		if err := q.view.View(r.Payload); err != nil {
			q.fall(b, &storage.DamageError{File: "the store", What: err.Error()})
			blind = true
			return false
		}
		q.view.Expires = r.Deadline
		n := q.view.Size()
		q.view.Put(q.core.Load(r.Seq, n, r.Deliveries))
		read += int64(n)
		return read < most
	})
	switch {
	case err != nil && read == 0:
		q.fall(b, err)
	case err == nil && read < most && !blind && limit == math.MaxUint64 && q.core.Deep() > 0 && !q.vhost.broker.ending():
		q.vhost.broker.log.Error("messages are not in the store any more", "queue", q.spec.Name, "vhost", q.vhost.name,
			"messages", q.core.Deep())
		q.core.Lost(q.core.Deep())
	}
	return read > 0
}

// fewStrange is how many records are read in vain when messages are warmed, beside two for each that was not.
const fewStrange = 8

// warm reads a message that was left to the store while it was with a consumer, and has come back, and those behind it of
// which the same is so: usually a consumer that went has left many. It reports whether the message is there. lock: queue
func (q *Queue) warm(b *Batch, e queue.Entry) bool {
	limit := q.readable()
	if q.down != nil || e.Seq >= limit {
		return false
	}
	most := q.room()
	found, strange, read := 0, 0, int64(0)
	err := q.stream.Read(e.Seq, func(r *storage.Record) bool {
		if r.Seq >= limit || found == 0 && r.Seq != e.Seq {
			return false
		}
		if !q.core.Cold(r.Seq) {
			strange++
			return strange <= 2*found+fewStrange
		}
		if err := q.view.View(r.Payload); err != nil {
			return false
		}
		q.view.Expires = r.Deadline
		n := q.view.Size()
		q.view.Put(q.core.Warm(r.Seq, n))
		found++
		read += int64(n)
		return read < most
	})
	if found == 0 {
		if err == nil {
			err = &storage.DamageError{File: "the store", What: "a message that was with a consumer is not there any more"}
		}
		q.fall(b, err)
	}
	return found > 0
}

// fall takes a queue out of service: it cannot be read on. Its consumers are told, and nothing in it is touched, so that
// it can be repaired. It says nothing about the queue that it cannot be read when the broker ends. lock: queue
func (q *Queue) fall(b *Batch, err error) {
	if q.vhost.broker.ending() {
		return
	}
	q.down = refuse(NotFound, "%s is down: %s; stop the broker and run: warren fsck", q.vhost.queueText(q.spec.Name), err)
	q.vhost.broker.log.Error("a queue cannot be read and is out of service: stop the broker and run warren fsck",
		"queue", q.spec.Name, "vhost", q.vhost.name, "err", err)
	q.orphan(b)
}

// shrink makes room in memory: what waits is left to the store. What the store does not have yet it gets first; then the next
// call makes the room. lock: queue
func (q *Queue) shrink(b *Batch) {
	if ready, _ := q.core.Window(); q.vhost.broker.store == nil || ready == 0 || len(q.uncommitted) > 0 {
		return
	}
	q.core.Spill(func(seq uint64, record []byte) {
		if err := q.view.View(record); err != nil {
			panic("engine: " + q.vhost.queueText(q.spec.Name) + ": " + err.Error()) // memory is damaged
		}
		expires := q.view.Expires
		q.record(b, &q.view, seq, expires, true)
		b.published()
	})
	if len(q.uncommitted) == 0 { // otherwise the next call finds it committed
		q.core.Evict(0)
	}
}

// account brings Broker.stored up to date, at the end of the batch. lock: queue
func (q *Queue) account(b *Batch) {
	now := q.core.Resident()
	b.stored += now - q.resident
	q.resident = now
}
