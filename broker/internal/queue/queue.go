package queue

// Ref says where a record lies in memory.
type Ref struct {
	Segment, Offset, Len uint32
}

// Slot names a consumer of a queue. A slot is used again after Remove, once nothing is out with the consumer that had it.
type Slot uint32

// NoSlot is no consumer: a message taken with Take belongs to nobody's credit.
const NoSlot = ^Slot(0)

// Outcome is what becomes of a message that was out.
type Outcome uint8

const (
	// Accept: the consumer is done with it.
	Accept Outcome = iota
	// Requeue: it goes back to its place and is marked as redelivered.
	Requeue
	// Discard: the consumer does not want it. It is dropped.
	Discard
)

// Entry is what the queue knows of a message that is to be delivered.
type Entry struct { // no more words than travel in registers
	Seq        uint64
	Ref        Ref
	Deliveries uint16 // how often it was out before, at most 65535
	marks      marks
}

// Redelivered reports whether the message was out before.
func (e Entry) Redelivered() bool { return e.marks&wasOut != 0 }

// Stored reports whether a store has it: what becomes of it is to be told there.
func (e Entry) Stored() bool { return e.marks&stored != 0 }

// Cold reports whether only a store has it: Warm makes room for it, before it is read or delivered.
func (e Entry) Cold() bool { return e.marks&cold != 0 }

// Settled is what Settle has found.
type Settled struct {
	Out        bool   // the message was out; otherwise nothing has happened
	Stored     bool   // a store has it
	Deliveries uint16 // how often it has been out
}

type state uint8

const (
	gone state = iota
	ready
	out
)

type entry struct {
	ref        Ref  // of a cold one only the length
	slot       Slot // who has it, while it is out
	deliveries uint16
	state      state
	marks      marks
}

type marks uint8

const (
	wasOut marks = 1 << iota // the next delivery is a redelivery
	stored                   // a store has it too
	cold                     // a store has it, and memory has not
)

func (e *entry) is(m marks) bool { return e.marks&m != 0 }

type consumer struct {
	prefetch uint32 // 0 is unlimited
	out      uint32
	prev     Slot // neighbours in the list of ready consumers
	next     Slot
	used     bool // it was added and not removed
	noAck    bool
	refused  bool // it said no and has not been woken since
	listed   bool // it stands in the list
}

// Queue is one queue. The zero value is not ready: use New. It is not safe for concurrent use.
type Queue struct {
	memory *Memory

	// The ring holds the entries [base, edge). Of those, [head, edge) has not been out since it is in memory; below head are
	// those that are out, gone, or back and waiting in returned. From edge on messages are deep.
	ring       []entry // a power of two long
	base       uint64
	head       uint64
	edge       uint64
	next       uint64           // the number of the next message
	holes      int              // gone ones in [head, edge); the others are ready, and the first is, if there is one
	returned   seqHeap          // ready, below head
	stragglers map[uint64]entry // ready or out, below base
	outCount   int
	readyBytes int64 // of what is ready in the window
	outBytes   int64
	coldReady  int64 // of readyBytes, what memory has not
	coldOut    int64 // of outBytes, what memory has not
	outLimit   int64 // of what is out and in memory; 0 is none
	deep       int
	deepBytes  int64

	consumers []consumer
	free      []Slot
	first     Slot // of the ready consumers
	last      Slot
	active    int // consumers that were added and not removed
}

// New returns an empty queue whose records lie in a memory that holds nothing else.
func New(memory *Memory) *Queue {
	return &Queue{memory: memory, base: 1, head: 1, edge: 1, next: 1, first: NoSlot, last: NoSlot}
}

// Ready returns how many messages wait for a consumer.
func (q *Queue) Ready() int { return q.ahead() + len(q.returned) + q.deep }

// ahead returns how many are ready in [head, edge).
func (q *Queue) ahead() int { return int(q.edge-q.head) - q.holes }

// Out returns how many messages are out for acknowledgement.
func (q *Queue) Out() int { return q.outCount }

// Bytes returns the sizes of the records that wait and that are out. After Restore that of deep ones is an estimate.
func (q *Queue) Bytes() (ready, out int64) { return q.readyBytes + q.deepBytes, q.outBytes }

// Resident returns how many bytes of records are in memory.
func (q *Queue) Resident() int64 { return q.readyBytes - q.coldReady + q.outBytes - q.coldOut }

// Held returns how many bytes the records take in memory, with what is kept for the next ones.
func (q *Queue) Held() int {
	_, held := q.memory.Waste()
	return held
}

// Consumers returns how many consumers there are.
func (q *Queue) Consumers() int { return q.active }

// Willing reports whether there is a consumer who takes what comes.
func (q *Queue) Willing() bool { return q.first != NoSlot }

// Put enters a message of n bytes, n being above 0, at the end and returns its number, and the bytes that the caller fills
// at once. inStore says that a store has the message too, so that what becomes of it is to be told there. Nothing may be
// deep: the message would overtake it, and Put panics.
func (q *Queue) Put(n int, inStore bool) (seq uint64, record []byte) {
	if q.edge != q.next {
		if q.deep > 0 {
			panic("queue: a message is put before what is deep")
		}
		q.skip(q.next)
	}
	ref, b := q.memory.Reserve(n)
	if int(q.edge-q.base) == len(q.ring) {
		q.makeRoom()
	}
	e := q.at(q.edge) // written field by field: what was put together elsewhere would be waited for
	e.ref.Segment, e.ref.Offset, e.ref.Len = ref.Segment, ref.Offset, ref.Len
	e.slot, e.deliveries, e.state, e.marks = NoSlot, 0, ready, 0
	if inStore {
		e.marks = stored
	}
	q.edge++
	q.next = q.edge
	q.readyBytes += int64(n)
	return q.edge - 1, b
}

// Read returns the record of an entry: a view, valid until the queue is called again. A cold entry has none.
func (q *Queue) Read(e Entry) []byte { return q.memory.Read(e.Ref) }

// Passable returns the consumer to which a message may be handed that need not be stored at all: nothing waits, and the
// next consumer acknowledges nothing. After the hand-over call Passed; when the consumer refuses, Refuse.
func (q *Queue) Passable() (Slot, bool) {
	if q.first == NoSlot || q.Ready() != 0 || !q.consumers[q.first].noAck {
		return NoSlot, false
	}
	return q.first, true
}

// Passed says that a message went straight to the consumer.
func (q *Queue) Passed(s Slot) { q.rotate(s) }

// Next returns the next delivery: the first ready consumer and the first ready message in the window. The caller performs
// it and calls Delivered or Refuse.
func (q *Queue) Next() (Slot, Entry, bool) {
	if q.first == NoSlot {
		return NoSlot, Entry{}, false
	}
	e, ok := q.peek()
	return q.first, e, ok
}

func (q *Queue) peek() (Entry, bool) {
	seq := q.head
	if len(q.returned) > 0 {
		seq = q.returned[0] // always below head
	} else if q.head == q.edge {
		return Entry{}, false
	}
	var straggler entry
	e := q.find(seq, &straggler)
	return Entry{Seq: seq, Ref: e.ref, Deliveries: e.deliveries, marks: e.marks}, true
}

// Delivered says that the consumer has the entry that Next returned. A consumer that acknowledges nothing is done with it.
func (q *Queue) Delivered(s Slot, e Entry) {
	c := &q.consumers[s]
	if c.noAck {
		q.take(e.Seq, NoSlot, true)
		q.rotate(s)
		return
	}
	q.take(e.Seq, s, false)
	c.out++
	if c.prefetch != 0 && c.out >= c.prefetch {
		q.unlist(s)
		return
	}
	q.rotate(s)
}

// Refuse says that the consumer takes nothing until it is woken.
func (q *Queue) Refuse(s Slot) {
	q.consumers[s].refused = true
	q.unlist(s)
}

// Wake makes a consumer that refused ready again.
func (q *Queue) Wake(s Slot) {
	q.consumers[s].refused = false
	q.list(s)
}

// Peek returns the next ready message in the window without a consumer, for a client that fetches it itself. After handing
// it over, call Taken.
func (q *Queue) Peek() (Entry, bool) { return q.peek() }

// Drop ends the life of the entry that Peek returned: it has expired, or there are too many.
func (q *Queue) Drop(e Entry) { q.take(e.Seq, NoSlot, true) }

// Taken says that the entry that Peek returned was fetched. Unless it needs no acknowledgement it is out, on nobody's
// credit.
func (q *Queue) Taken(e Entry, noAck bool) { q.take(e.Seq, NoSlot, noAck) }

// take moves the first ready entry out of the ready set.
func (q *Queue) take(seq uint64, s Slot, done bool) {
	if len(q.returned) > 0 && q.returned[0] == seq {
		q.returned.pop()
	} else if q.head++; q.holes > 0 {
		q.pass()
	}
	var straggler entry
	e := q.find(seq, &straggler)
	n, m := int64(e.ref.Len), e.marks
	q.readyBytes -= n
	if m&cold != 0 {
		q.coldReady -= n
	}
	if done {
		q.drop(seq, e)
		return
	}
	if e.deliveries < ^uint16(0) {
		e.deliveries++
	}
	e.state, e.slot, e.marks = out, s, m|wasOut
	q.outBytes += n
	q.outCount++
	switch {
	case m&(stored|cold) == 0:
	case m&cold != 0:
		q.coldOut += n
	case q.outLimit > 0 && q.outBytes-q.coldOut > q.outLimit:
		q.cool(e)
		q.coldOut += n
	}
	q.keep(seq, e)
}

// pass moves head over numbers that are gone.
func (q *Queue) pass() {
	for q.head < q.edge && q.at(q.head).state == gone {
		q.head++
		q.holes--
	}
}

// Settle ends a delivery. A message that was not out, because it was settled before or never existed, is left alone.
func (q *Queue) Settle(seq uint64, how Outcome) Settled {
	var straggler entry
	e := q.find(seq, &straggler)
	if e.state != out {
		return Settled{}
	}
	was := Settled{Out: true, Stored: e.is(stored), Deliveries: e.deliveries}
	n := int64(e.ref.Len)
	q.outCount--
	q.outBytes -= n
	if e.is(cold) {
		q.coldOut -= n
	}
	if s := e.slot; s != NoSlot {
		c := &q.consumers[s]
		c.out--
		if !c.used && c.out == 0 {
			q.free = append(q.free, s)
		}
		q.list(s)
	}
	if how == Requeue {
		e.state, e.slot = ready, NoSlot
		q.readyBytes += n
		if e.is(cold) {
			q.coldReady += n
		}
		q.keep(seq, e)
		q.returned.push(seq)
		return was
	}
	q.drop(seq, e)
	return was
}

// Purge drops every message that waits and returns how many there were; messages that are out stay out. inStore is told of
// each in the window that a store has; [from, to) is what was deep, if anything.
func (q *Queue) Purge(inStore func(seq uint64)) (n int, from, to uint64) {
	n = q.Ready()
	for q.head < q.edge || len(q.returned) > 0 {
		e, _ := q.peek()
		if e.Stored() {
			inStore(e.Seq)
		}
		q.take(e.Seq, NoSlot, true)
	}
	if q.deep > 0 {
		from, to = q.edge, q.next
		q.deep, q.deepBytes = 0, 0
	}
	return n, from, to
}

// Add adds a consumer. prefetch is how many unacknowledged messages it may have; 0 is unlimited. It means nothing to a
// consumer that acknowledges nothing.
func (q *Queue) Add(prefetch uint32, noAck bool) Slot {
	var s Slot
	if n := len(q.free); n > 0 {
		s, q.free = q.free[n-1], q.free[:n-1]
	} else {
		s = Slot(len(q.consumers))
		q.consumers = append(q.consumers, consumer{})
	}
	q.consumers[s] = consumer{prefetch: prefetch, noAck: noAck, used: true, prev: NoSlot, next: NoSlot}
	q.active++
	q.list(s)
	return s
}

// Remove removes a consumer. What it has out stays out until it is settled.
func (q *Queue) Remove(s Slot) {
	q.unlist(s)
	c := &q.consumers[s]
	c.used = false
	q.active--
	if c.out == 0 {
		q.free = append(q.free, s)
	}
}
