package queue

import "slices"

// A queue over a store need not hold in memory what waits: its window ends at an edge, and messages from there on are
// deep. When the window has been emptied, the caller reads the next ones and loads them.

// PutDeep enters a message of n bytes that only a store has, and returns its number.
func (q *Queue) PutDeep(n int) (seq uint64) {
	if q.deep == 0 && q.edge != q.next {
		q.skip(q.next)
	}
	q.deep++
	q.deepBytes += int64(n)
	q.next++
	return q.next - 1
}

// Deep returns how many messages only a store has.
func (q *Queue) Deep() int { return q.deep }

// Edge returns from which number on deep messages are to be read; NextSeq when there are none.
func (q *Queue) Edge() uint64 {
	if q.deep == 0 {
		return q.next
	}
	return q.edge
}

// NextSeq returns the number that the next message will have.
func (q *Queue) NextSeq() uint64 { return q.next }

// Window returns how many messages are ready without being deep, and the sizes of those of their records that are in memory.
func (q *Queue) Window() (n int, bytes int64) {
	return q.ahead() + len(q.returned), q.readyBytes - q.coldReady
}

// Load brings the next deep message, of n bytes, into the window and returns the bytes that the caller fills at once.
// seq is at least Edge and below NextSeq, or Load panics; numbers before it are gone: they were lost, or settled before a
// restart. deliveries is how often the message was out: if ever, it is marked as redelivered.
func (q *Queue) Load(seq uint64, n int, deliveries uint16) []byte {
	if seq < q.edge || seq >= q.next {
		panic("queue: a message is loaded that is not deep")
	}
	if seq > q.edge {
		q.skip(seq)
	}
	next := q.next
	q.next = seq // for Put, it is the end
	_, record := q.Put(n, true)
	q.next = next
	if deliveries > 0 {
		e := q.at(seq)
		e.deliveries, e.marks = deliveries, e.marks|wasOut
	}
	q.undeep(1, int64(n))
	return record
}

// Lost says that n deep messages turned out not to be there. Which they were shows when what is behind them is loaded.
func (q *Queue) Lost(n int) {
	if q.deep > 0 {
		q.undeep(n, q.deepBytes/int64(q.deep)*int64(n))
	}
}

// undeep counts n messages as deep no more. What is known of both may be an estimate, and never falls below 0.
func (q *Queue) undeep(n int, bytes int64) {
	q.deep = max(0, q.deep-n)
	q.deepBytes = max(0, q.deepBytes-bytes)
	if q.deep == 0 {
		q.deepBytes = 0
	}
}

// fewGone is how many numbers without a message the ring may hold from head on, beside three for each message.
const fewGone = 64

// skip makes seq the edge: there is nothing with the numbers between.
func (q *Queue) skip(seq uint64) {
	if n := q.ahead(); n > 0 && seq-q.head <= uint64(4*n)+fewGone {
		for q.edge < seq {
			if int(q.edge-q.base) == len(q.ring) {
				q.makeRoom()
			}
			*q.at(q.edge) = entry{}
			q.edge++
			q.holes++
		}
		return
	}
	// What is ready goes where it is found without the ring: among what came back, which is delivered first.
	for ; q.head < q.edge; q.head++ {
		if q.at(q.head).state == ready {
			q.returned.push(q.head)
		}
	}
	q.holes = 0
	q.straggle()
	q.base, q.head, q.edge = seq, seq, seq
}

// Evict makes the end of the window deep again: all but keep messages of those that have not been out, backwards until one
// that no store has. If keep is 0, what came back and is in a store goes cold. The memory is given back, which costs time in
// proportion to the window. It returns how many messages have become deep. The store must be able to show them by now.
func (q *Queue) Evict(keep int) (evicted int) {
	for ; q.ahead() > keep; q.edge-- {
		e := q.at(q.edge - 1)
		if e.state == gone {
			q.holes--
			continue
		}
		if !e.is(stored) {
			break
		}
		n := int64(e.ref.Len)
		q.memory.Release(e.ref) // what has not been out is never cold
		*e = entry{}
		q.deep++
		q.readyBytes -= n
		q.deepBytes += n
		evicted++
	}
	if keep == 0 {
		for _, seq := range q.returned {
			var straggler entry
			if e := q.find(seq, &straggler); e.is(stored) && !e.is(cold) {
				q.cool(e)
				q.coldReady += int64(e.ref.Len)
				q.keep(seq, e)
			}
		}
	}
	q.Trim()
	return evicted
}

// cool gives the memory of a stored message back.
func (q *Queue) cool(e *entry) {
	q.memory.Release(e.ref)
	e.ref = Ref{Len: e.ref.Len}
	e.marks |= cold
}

// Cold reports whether a message is ready and cold: Warm may be called for it.
func (q *Queue) Cold(seq uint64) bool {
	var straggler entry
	e := q.find(seq, &straggler)
	return e.state == ready && e.is(cold)
}

// Warm makes room for the record of a message that is ready and cold, of n bytes, which the caller fills at once. From then
// on Next and Peek return it warm. Warm panics for any other message.
func (q *Queue) Warm(seq uint64, n int) []byte {
	var straggler entry
	e := q.find(seq, &straggler)
	if e.state != ready || !e.is(cold) {
		panic("queue: a message is warmed that is not cold")
	}
	was := int64(e.ref.Len)
	ref, b := q.memory.Reserve(n)
	q.coldReady -= was
	q.readyBytes += int64(n) - was
	e.ref = ref
	e.marks &^= cold
	q.keep(seq, e)
	return b
}

// Spill shows, in order, every message that is ready in the window and that no store has, and marks it as stored: the caller
// sees to that.
func (q *Queue) Spill(visit func(seq uint64, record []byte)) {
	show := func(seq uint64) {
		var straggler entry
		if e := q.find(seq, &straggler); e.state == ready && !e.is(stored) {
			visit(seq, q.memory.Read(e.ref))
			e.marks |= stored
			q.keep(seq, e)
		}
	}
	for _, seq := range slices.Sorted(slices.Values(q.returned)) {
		show(seq)
	}
	for seq := q.head; seq < q.edge; seq++ {
		show(seq)
	}
}

// Restore makes a queue in which there never was anything the owner of what a store has: n messages of so many bytes in all
// (which may be an estimate), the first with the number first, all of them deep. There may be gaps between their numbers.
// The next message gets the number next.
func (q *Queue) Restore(first, next uint64, n int, bytes int64) {
	if n == 0 {
		bytes = 0
	}
	q.base, q.head, q.edge, q.next = first, first, first, next
	q.deep, q.deepBytes = n, bytes
}

// SetOutLimit bounds how many bytes of what is out are kept in memory: above it a stored message goes cold when it is
// delivered. 0 is no bound.
func (q *Queue) SetOutLimit(bytes int64) { q.outLimit = bytes }
