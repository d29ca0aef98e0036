package queue

// at returns the ring's place for seq, which is within [base, base+len(ring)).
func (q *Queue) at(seq uint64) *entry { return &q.ring[seq&uint64(len(q.ring)-1)] }

// find returns what is known of seq; a gone entry for a number that names nothing. It is the entry in the ring itself or,
// since a map's values cannot be pointed at, a straggler's copy, which is made in *straggler and which keep stores back.
func (q *Queue) find(seq uint64, straggler *entry) *entry {
	switch {
	case seq >= q.edge:
	case seq >= q.base:
		return q.at(seq)
	default:
		*straggler = q.stragglers[seq]
	}
	return straggler
}

// keep stores what find has returned, after a change.
func (q *Queue) keep(seq uint64, e *entry) {
	if seq < q.base {
		q.stragglers[seq] = *e
	}
}

// drop ends an entry's life and moves base over what is gone.
func (q *Queue) drop(seq uint64, e *entry) {
	if !e.is(cold) {
		q.memory.Release(e.ref)
	}
	if seq < q.base {
		delete(q.stragglers, seq)
		return
	}
	q.at(seq).state = gone
	for q.base < q.head && q.at(q.base).state == gone {
		q.base++
	}
}

const minRing = 16

// makeRoom is called when the ring is full. Where most of it is gone entries behind a few old ones, the old ones become
// stragglers; otherwise the ring doubles.
func (q *Queue) makeRoom() {
	if q.sparse() {
		q.straggle()
		return
	}
	q.resize(max(minRing, 2*len(q.ring)))
}

// sparse reports whether in a ring that is worth the trouble at least half of the entries are below head, and three of four
// of those are gone. So straggle makes as much room as resize does.
func (q *Queue) sparse() bool {
	below := q.head - q.base
	live := uint64(q.outCount + len(q.returned) - len(q.stragglers))
	return len(q.ring) >= 1024 && below >= (q.edge-q.base)/2 && live < below/4
}

// straggle moves what is left of the entries that were out before into the map, so that the ring begins at head.
func (q *Queue) straggle() {
	for ; q.base < q.head; q.base++ {
		if e := q.at(q.base); e.state != gone {
			if q.stragglers == nil {
				q.stragglers = make(map[uint64]entry)
			}
			q.stragglers[q.base] = *e
		}
	}
}

// resize moves the entries into a ring of n places, a power of two and enough for them.
func (q *Queue) resize(n int) {
	old := q.ring
	q.ring = make([]entry, n)
	for seq := q.base; seq < q.edge; seq++ {
		*q.at(seq) = old[seq&uint64(len(old)-1)]
	}
}

// Below so much waste Trim leaves records where they are.
const worthMoving = 64 << 10

// Trim gives memory back after a burst: the ring shrinks to what is alive, and records that lie among waste move together.
// It costs time in proportion to the queue's length, so the engine calls it on queues at rest, never on the message path.
func (q *Queue) Trim() {
	if q.sparse() {
		q.straggle()
	}
	if n := int(q.edge - q.base); len(q.ring) > minRing && n < len(q.ring)/4 {
		size := minRing
		for size < 2*n {
			size *= 2
		}
		q.resize(size)
	}
	if len(q.stragglers) == 0 {
		q.stragglers = nil
	}
	if cap(q.returned) > minRing && len(q.returned) < cap(q.returned)/4 {
		q.returned = append(seqHeap(nil), q.returned...)
	}
	q.memory.Trim()
	if waste, held := q.memory.Waste(); waste >= worthMoving && waste >= held/2 {
		q.gather()
		q.memory.Trim()
	}
}

// gather moves the records that lie among waste together.
func (q *Queue) gather() {
	var scratch []byte
	move := func(e *entry) Ref {
		ref := e.ref
		if e.is(cold) || !q.memory.Sparse(ref) {
			return ref
		}
		scratch = append(scratch[:0], q.memory.Read(ref)...)
		to, b := q.memory.Reserve(len(scratch))
		copy(b, scratch)
		q.memory.Release(ref)
		return to
	}
	for seq := q.base; seq < q.edge; seq++ {
		if e := q.at(seq); e.state != gone {
			e.ref = move(e)
		}
	}
	for seq, e := range q.stragglers { // order: moving changes where a record lies, nothing that anybody sees
		e.ref = move(&e)
		q.stragglers[seq] = e
	}
}

// seqHeap is a binary heap of sequence numbers, the smallest first.
type seqHeap []uint64

func (h *seqHeap) push(seq uint64) {
	s := append(*h, seq)
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up] <= s[i] {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
	*h = s
}

func (h *seqHeap) pop() {
	s := *h
	n := len(s) - 1
	s[0] = s[n]
	s = s[:n]
	for i := 0; ; {
		least := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < n && s[c] < s[least] {
				least = c
			}
		}
		if least == i {
			break
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
	*h = s
}

// The list of ready consumers is doubly linked through their slots.

func (q *Queue) list(s Slot) {
	c := &q.consumers[s]
	if c.listed || c.refused || !c.used || c.prefetch != 0 && c.out >= c.prefetch && !c.noAck {
		return
	}
	c.listed, c.prev, c.next = true, q.last, NoSlot
	if q.last == NoSlot {
		q.first = s
	} else {
		q.consumers[q.last].next = s
	}
	q.last = s
}

func (q *Queue) unlist(s Slot) {
	c := &q.consumers[s]
	if !c.listed {
		return
	}
	if c.prev == NoSlot {
		q.first = c.next
	} else {
		q.consumers[c.prev].next = c.next
	}
	if c.next == NoSlot {
		q.last = c.prev
	} else {
		q.consumers[c.next].prev = c.prev
	}
	c.listed, c.prev, c.next = false, NoSlot, NoSlot
}

// rotate moves a ready consumer to the end of the list.
func (q *Queue) rotate(s Slot) {
	if q.first == q.last {
		return
	}
	q.unlist(s)
	q.list(s)
}
