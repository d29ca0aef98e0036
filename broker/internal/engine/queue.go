package engine

import (
	"sync"

	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/broker/internal/storage"
)

// Queue is a live queue.
type Queue struct {
	vhost *VHost
	spec  QueueSpec
	owner *Client // of an exclusive queue, else nil
	// bound says which exchanges have bindings to this queue, and how many.
	bound   map[*Exchange]int // lock: vhost
	ttl     *int64            // milliseconds that messages may wait; nil is for ever
	durable bool              // persistent messages in it survive a restart
	created int64             // when it was declared, in milliseconds since 1970

	mu        sync.Mutex      // lock: queue; guards everything below
	core      *queue.Queue    // which message goes to whom
	consumers []*Consumer     // by slot
	exclusive *Consumer       // the one that has the queue to itself
	deleted   bool            // nothing enters any more
	quiet     int             // how often housekeeping has come by since anything happened
	delivery  Delivery        // scratch for the delivery under way
	view      message.Message // scratch for the message of the delivery under way
	count     Counters        // of this queue
	mortal    bool            // it may hold messages that expire
	alarm     alarm           // for the first of them
	resident  int64           // bytes of its messages in memory, as Broker.stored has them

	// What follows is used in a broker with a store only.
	stream      storage.Stream // what the store has of it; nil while it has nothing
	uncommitted []uncommitted  // batches that have given something to the store and are not committed
	mark        uint64         // the highest number that was ever delivered of what the store has
	down        *Error         // why it cannot be read on; nil is well
}

func newQueue(v *VHost, spec QueueSpec) *Queue {
	q := &Queue{
		vhost: v, spec: spec, bound: make(map[*Exchange]int), core: queue.New(queue.NewMemory()),
		created: v.broker.clock.Now().UnixMilli(),
	}
	if v.broker.store != nil {
		q.durable = spec.Durable
		q.core.SetOutLimit(v.broker.window.out)
	}
	if ttl, ok := arg(spec.Args, messageTTL); ok {
		q.ttl = &ttl.Int
	}
	return q
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.spec.Name }

// VHost returns the vhost that the queue is in.
func (q *Queue) VHost() *VHost { return q.vhost }

// publish enters a message, or hands it straight to a consumer.
func (q *Queue) publish(b *Batch, m *message.Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.deleted {
		return
	}
	q.quiet = 0
	q.count.Routed++
	b.count.Routed++
	b.work++
	for {
		s, ok := q.core.Passable()
		if !ok {
			break
		}
		c := q.consumers[s]
		q.delivery = Delivery{Message: m, Queue: q, Consumer: c}
		if q.hand(b, c.sink) {
			q.core.Passed(s)
			return
		}
		q.core.Refuse(s)
	}
	at := q.expires(b, m)
	if at != 0 {
		q.mortal = true
	}
	q.enter(b, m, at)
	q.serve(b)
}

// enter puts a message into the window, the store or both. lock: queue
func (q *Queue) enter(b *Batch, m *message.Message, expires int64) {
	durable := q.durable && m.Flags&message.Persistent != 0
	deep := q.full()
	here := m
	if expires != m.Expires {
		q.view = *m // the message is other queues' too
		q.view.Expires = expires
		here = &q.view
	}
	n := here.Size()
	var seq uint64
	if deep {
		seq = q.core.PutDeep(n)
	} else {
		var record []byte
		seq, record = q.core.Put(n, durable)
		here.Put(record)
	}
	if durable || deep {
		q.record(b, m, seq, expires, !durable)
		b.owing = b.owing || durable
	}
}

// hand gives q.delivery to a sink. lock: queue
func (q *Queue) hand(b *Batch, to Sink) bool {
	switch to.Deliver(&q.delivery) {
	case Refused:
		return false
	case TakenDirty:
		b.dirty = append(b.dirty, to)
	}
	q.delivered(b)
	return true
}

// delivered counts q.delivery. lock: queue
func (q *Queue) delivered(b *Batch) {
	b.work++
	b.count.Delivered++
	q.count.Delivered++
	if q.delivery.Redelivered {
		b.count.Redelivered++
		q.count.Redelivered++
	}
	if t := q.vhost.broker.trace; t != nil && t.Delivered != nil {
		t.Delivered(&q.delivery)
	}
}

// serve gives the queue's messages to its consumers for as long as there are both. lock: queue
func (q *Queue) serve(b *Batch) {
	for {
		s, e, ok := q.core.Next()
		if !ok {
			if q.core.Deep() > 0 && q.core.Willing() && q.load(b) {
				continue
			}
			break
		}
		if e.Cold() {
			if q.warm(b, e) {
				continue
			}
			break
		}
		c := q.consumers[s]
		q.prepare(e, c, c.spec.NoAck)
		if q.late(b) {
			q.bury(b, e)
			continue
		}
		if !q.hand(b, c.sink) {
			q.core.Refuse(s)
			continue
		}
		if e.Stored() {
			q.told(b, e, c.spec.NoAck)
		}
		q.core.Delivered(s, e)
	}
	if q.mortal {
		q.reap(b)
	}
	q.account(b)
}

// told tells the store that a message was delivered. lock: queue
func (q *Queue) told(b *Batch, e queue.Entry, done bool) {
	switch {
	case done:
		b.settle(q.stream, e.Seq)
	case e.Seq > q.mark:
		q.mark = e.Seq
		if n := len(b.marks); n > 0 && b.marks[n-1].stream == q.stream {
			b.marks[n-1].seq = e.Seq
		} else {
			b.marks = append(b.marks, mark{q.stream, e.Seq})
		}
	}
}

// prepare fills q.delivery with a stored message. lock: queue
func (q *Queue) prepare(e queue.Entry, c *Consumer, noAck bool) {
	if err := q.view.View(q.core.Read(e)); err != nil {
		panic("engine: " + q.vhost.queueText(q.spec.Name) + ": " + err.Error()) // memory is damaged
	}
	q.delivery = Delivery{
		Message: &q.view, Queue: q, Consumer: c, Seq: e.Seq, Deliveries: e.Deliveries, Redelivered: e.Redelivered(),
	}
	if noAck {
		q.delivery.Seq = 0
	}
}

// Settle ends the deliveries with the given numbers: they are accepted, go back to their places, or are discarded. It
// returns how many of them were out; others (of a queue that was deleted meanwhile) are left alone.
func (q *Queue) Settle(b *Batch, seqs []uint64, how queue.Outcome) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.deleted {
		return 0
	}
	q.quiet = 0
	n := 0
	for _, seq := range seqs {
		was := q.core.Settle(seq, how)
		if !was.Out {
			continue
		}
		n++
		switch {
		case !was.Stored:
		case how == queue.Requeue:
			b.diary().Returned(q.stream, seq, was.Deliveries)
		default:
			b.diary().Settle(q.stream, seq)
		}
	}
	if how == queue.Requeue {
		b.count.Requeued += uint64(n)
		q.count.Requeued += uint64(n)
	} else {
		b.count.Settled += uint64(n)
		q.count.Settled += uint64(n)
	}
	q.serve(b) // there may be credit again, or messages
	return n
}

// get fetches the first message and shows it to take, with how many remain, under the queue's lock. It reports whether
// there was one.
func (q *Queue) get(b *Batch, noAck bool, take func(d *Delivery, remaining int)) (bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.quiet = 0
	if q.mortal {
		q.reap(b)
	}
	e, ok := q.first(b)
	if !ok {
		q.account(b) // of what has expired
		return false, q.down.orNil()
	}
	q.prepare(e, nil, noAck)
	take(&q.delivery, q.core.Ready()-1)
	q.delivered(b)
	if e.Stored() {
		q.told(b, e, noAck)
	}
	q.core.Taken(e, noAck)
	if q.mortal { // what is behind it may have expired
		q.reap(b)
	}
	q.account(b)
	return true, nil
}

// first returns the first message that waits, in memory. lock: queue
func (q *Queue) first(b *Batch) (queue.Entry, bool) {
	for {
		e, ok := q.core.Peek()
		switch {
		case ok && !e.Cold():
			return e, true
		case ok && q.warm(b, e):
		case !ok && q.load(b):
		default:
			return queue.Entry{}, false
		}
	}
}

func (q *Queue) purge(b *Batch) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.quiet = 0
	n, from, to := q.core.Purge(func(seq uint64) { b.diary().Settle(q.stream, seq) })
	if from < to {
		b.diary().Truncate(q.stream, from, to)
	}
	q.account(b)
	return n
}

// rest gives memory back: once, when nothing has happened since the last call, and while there is too little of it.
func (q *Queue) rest(b *Batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if br := q.vhost.broker; br.store != nil && br.stored.Load() > br.window.share && !q.core.Willing() {
		q.shrink(b)
		q.account(b)
	}
	if q.quiet++; q.quiet == 2 {
		q.delivery, q.view = Delivery{}, message.Message{} // they keep a publisher's buffer or an old slab alive
		q.core.Trim()
	}
}

// Info is what a queue looks like at a moment.
type Info struct {
	QueueSpec
	Ready, Unacked           int
	ReadyBytes, UnackedBytes int64
	Held                     int // bytes of memory that the messages take, with what is kept for the next ones
	Consumers                int
	Counters                 Counters
}

// Info returns what the queue looks like now.
func (q *Queue) Info() Info {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := Info{
		QueueSpec: q.spec, Ready: q.core.Ready(), Unacked: q.core.Out(), Consumers: q.core.Consumers(), Counters: q.count,
		Held: q.core.Held(),
	}
	i.ReadyBytes, i.UnackedBytes = q.core.Bytes()
	return i
}

// close marks the queue deleted, unless a condition forbids it, and returns how many messages waited. lock: vhost; takes
// queue
func (q *Queue) close(b *Batch, ifUnused, ifEmpty bool) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.core.Ready()
	switch {
	case ifUnused && q.core.Consumers() > 0:
		return 0, refuse(PreconditionFailed, "%s in use", q.vhost.queueText(q.spec.Name))
	case ifEmpty && waiting > 0:
		return 0, refuse(PreconditionFailed, "%s not empty", q.vhost.queueText(q.spec.Name))
	}
	q.deleted = true
	q.calm()
	q.orphan(b)
	q.core = queue.New(queue.NewMemory()) // the old one's memory goes
	q.account(b)
	return waiting, nil
}

// orphan ends all consumers. lock: queue
func (q *Queue) orphan(b *Batch) {
	for s, c := range q.consumers {
		if c != nil {
			c.gone = true
			q.core.Remove(queue.Slot(s))
			b.after = append(b.after, aftermath{orphan: c})
		}
	}
	q.consumers, q.exclusive = nil, nil
}
