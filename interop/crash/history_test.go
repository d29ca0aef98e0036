package crash

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A moment is a place in the order of the acknowledgements that clients have sent. 0 is before everything.
type moment uint64

// id names a message by who has published it, and as which.
type id struct {
	publisher int
	number    uint64
}

// A message is one publish.
type message struct {
	id
	copies     []*copied
	persistent bool
	life       int       // of the broker
	at         time.Time // when it was published
	confirmed  time.Time
	refused    bool
	tx         *transaction
	covers     []ack // what its publisher had acknowledged on the same channel before
	survived   bool  // it was there in a later life: all that was committed with it or before it is durable
	story      []event
}

// copied is a message in one of its queues.
type copied struct {
	m       *message
	queue   *queue
	seen    time.Time // last; zero is never
	seenIn  int       // the life
	holder  *session
	acked   moment // 0 is not, or not any more: it came back
	ackedIn int
	safe    time.Time // when its acknowledgement was known to be durable
	proven  bool      // what was acknowledged after it has survived
}

// ack is an acknowledgement that was sent. When its copy is acknowledged at another moment, it has come back since.
type ack struct {
	c  *copied
	at moment
}

type transaction struct {
	life      int
	messages  []*message
	acks      []ack
	asked     time.Time // when the commit was sent; zero is not at all
	committed time.Time
	survived  bool
}

// A queue as its clients know it.
type queue struct {
	name    string
	crowded bool              // has several consumers at a time: none of them sees its order
	last    map[int]uint64    // by publisher, the last number that was seen for the first time
	marked  int               // were redelivered when they were first seen
	owed    int               // so many may have been: on their way when a session ended
	content map[int][]*copied // by publisher, in its order
}

// A session is one consumer, from basic.consume to its end.
type session struct {
	number int
	life   int
	closed bool
}

type event struct {
	at   time.Duration
	life int
	what string
}

// A life is what is known of an incarnation of the broker that has ended.
type life struct {
	end   time.Time
	clean bool
	fence time.Time // something that was published then was confirmed: whatever the store was told before is durable
}

// A promise is what docs/durability.md says.
type promise struct {
	// window is for how long before a crash nothing is safe: 0 for sync=always, and whenever it is only the process that
	// ends; less than 0 is for ever.
	window time.Duration
}

// A history is what all clients did and saw since the queues were last empty. It speaks up as soon as that contradicts the
// promise.
type history struct {
	promise promise
	began   time.Time

	mu         sync.Mutex // guards what follows, and all that it leads to
	now        moment
	lives      []life // the one that has not ended is not among them
	fence      time.Time
	sessions   int
	ending     bool // the broker says goodbye to one client after the other
	queues     map[string]*queue
	messages   map[id]*message
	numbers    map[int]uint64 // by publisher, the last
	forgotten  map[int]uint64 // numbers up to these were done with when the queues were last empty
	txs        []*transaction
	violations []string
	count      counts
}

// counts are for the report.
type counts struct {
	published, confirmed, delivered, again, unmarked, acked, safe, committed, rolledBack, survived, lost int
}

func (c counts) String() string {
	return fmt.Sprintf("%d published, %d confirmed, %d deliveries (%d again, %d of them not marked as redelivered), %d acknowledged (%d known to be safe), %d transactions committed and %d rolled back, %d messages seen in a later life, %d confirmed ones lost",
		c.published, c.confirmed, c.delivered, c.again, c.unmarked, c.acked, c.safe, c.committed, c.rolledBack, c.survived, c.lost)
}

func newHistory(p promise, queues ...*queue) *history {
	h := &history{
		promise: p, began: time.Now(), queues: map[string]*queue{}, messages: map[id]*message{},
		numbers: map[int]uint64{}, forgotten: map[int]uint64{},
	}
	for _, q := range queues {
		q.last, q.content = map[int]uint64{}, map[int][]*copied{}
		h.queues[q.name] = q
	}
	return h
}

// life is the number of the present incarnation. mu is held.
func (h *history) life() int { return len(h.lives) }

// tick is the next moment. mu is held.
func (h *history) tick() moment {
	h.now++
	return h.now
}

const mostViolations = 10

// violate notes a contradiction, with the story of the message that shows it. mu is held.
func (h *history) violate(m *message, format string, args ...any) {
	if len(h.violations) >= mostViolations {
		return
	}
	text := fmt.Sprintf(format, args...)
	if m != nil {
		text += fmt.Sprintf("\n    message %d of publisher %d, persistent=%t:", m.number, m.publisher, m.persistent)
		for _, e := range m.story {
			text += fmt.Sprintf("\n      %9.3fs life %d: %s", e.at.Seconds(), e.life, e.what)
		}
	}
	h.violations = append(h.violations, text)
}

// complain notes a contradiction that is no message's.
func (h *history) complain(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.violate(nil, "%s", what)
}

// tell adds to a message's story. mu is held.
func (h *history) tell(m *message, what string) {
	m.story = append(m.story, event{time.Since(h.began), h.life(), what})
}

// err is what contradicts itself, if anything does.
func (h *history) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.violations) == 0 {
		return nil
	}
	return &violation{strings.Join(h.violations, "\n")}
}

// violation is a broken promise. Other errors of the harness are troubles of its own.
type violation struct{ text string }

func (v *violation) Error() string { return v.text }

// safely reports whether what a client was told at a time, in a life, must be so for ever. mu is held.
func (h *history) safely(told time.Time, in int) bool {
	switch {
	case told.IsZero():
		return false
	case in == h.life() || h.lives[in].clean:
		return true
	case h.promise.window < 0:
		return false
	}
	return h.promise.window == 0 || told.Before(h.lives[in].end.Add(-h.promise.window))
}

// publish notes that a message is about to be published. tx may be nil.
func (h *history) publish(publisher int, persistent bool, tx *transaction, queues ...string) *message {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.numbers[publisher]++
	m := &message{id: id{publisher, h.numbers[publisher]}, persistent: persistent, life: h.life(), at: time.Now(), tx: tx}
	for _, name := range queues {
		q := h.queues[name]
		c := &copied{m: m, queue: q}
		m.copies = append(m.copies, c)
		q.content[publisher] = append(q.content[publisher], c)
	}
	h.messages[m.id] = m
	if tx != nil {
		tx.messages = append(tx.messages, m)
	}
	h.tell(m, "published to "+strings.Join(queues, ", "))
	h.count.published++
	return m
}

// answered notes a confirm, positive or negative.
func (h *history) answered(m *message, positive bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !positive {
		m.refused = true
		h.tell(m, "refused")
		return
	}
	m.confirmed = time.Now()
	h.tell(m, "confirmed")
	h.count.confirmed++
	if m.persistent {
		h.advance(m.at)
		h.cover(m.covers, m.confirmed)
	}
}

// advance moves the fence. mu is held.
func (h *history) advance(to time.Time) {
	if to.After(h.fence) {
		h.fence = to
	}
}

// markedWithin is how long after a delivery the store has been told of it, whatever else the machine does.
const markedWithin = 250 * time.Millisecond

// cover notes that acknowledgements are durable. mu is held.
func (h *history) cover(acks []ack, at time.Time) {
	for _, a := range acks {
		if a.c.acked == a.at && a.c.safe.IsZero() {
			a.c.safe = at
			h.count.safe++
		}
	}
}

// survive notes that a message was there in a later life than its own. mu is held.
func (h *history) survive(m *message) {
	if m.survived {
		return
	}
	m.survived = true
	h.count.survived++
	h.prove(m, m.covers)
	if tx := m.tx; tx != nil && !tx.survived {
		tx.survived = true
		h.prove(m, tx.acks)
	}
}

// prove notes that acknowledgements are durable because the message m is, which came with them or later. mu is held.
func (h *history) prove(m *message, acks []ack) {
	for _, a := range acks {
		if a.c.acked != a.at {
			h.violate(a.c.m, "from %s came back what was acknowledged with, or before, message %d of publisher %d, which has survived", a.c.queue.name, m.number, m.publisher)
			continue
		}
		a.c.proven = true
	}
}

// consume notes that a session begins.
func (h *history) consume(queue string, prefetch int) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queues[queue].owed += prefetch
	h.sessions++
	return &session{number: h.sessions, life: h.life()}
}

// leave notes that a session is about to end: what it holds will come again.
func (h *history) leave(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.closed = true
}

// deliver notes a delivery. It returns nil when that is nobody's message.
func (h *history) deliver(s *session, queue string, body []byte, messageID string, redelivered bool) *copied {
	which, err := read(body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count.delivered++
	if err != nil {
		h.violate(nil, "from %s came other bytes than anybody has published: %v", queue, err)
		return nil
	}
	m := h.messages[which]
	if m == nil {
		what := "was never published"
		if which.number <= h.forgotten[which.publisher] {
			what = "was settled, safely, before the queues were last empty"
		}
		h.violate(nil, "from %s came message %d of publisher %d, which %s", queue, which.number, which.publisher, what)
		return nil
	}
	q := h.queues[queue]
	at := slices.IndexFunc(m.copies, func(c *copied) bool { return c.queue == q })
	h.tell(m, fmt.Sprintf("from %s to consumer %d, redelivered=%t", queue, s.number, redelivered))
	if at < 0 {
		h.violate(m, "from %s came what was not published to it", queue)
		return nil
	}
	c := m.copies[at]
	if messageID != m.name() {
		h.violate(m, "from %s it came with the message id %q", queue, messageID)
	}
	h.lawful(s, c, redelivered)
	if !c.seen.IsZero() {
		h.count.again++
	}
	c.seen, c.seenIn, c.holder = time.Now(), h.life(), s
	c.acked, c.safe, c.proven = 0, time.Time{}, false
	if h.life() > m.life {
		h.survive(m)
	}
	return c
}

// lawful says what is wrong with a delivery. mu is held.
func (h *history) lawful(s *session, c *copied, redelivered bool) {
	m, q := c.m, c.queue
	switch {
	case h.ending && (c.holder != nil || c.ackedIn == h.life()) && c.safe.IsZero():
		// The connection that had it is closed already, and does not know yet.
	case c.holder != nil && !c.holder.closed && c.holder.life == h.life():
		h.violate(m, "from %s it came while another delivery of it was not settled", q.name)
	case c.acked != 0 && c.ackedIn == h.life():
		h.violate(m, "from %s it came after it was acknowledged, with no restart in between", q.name)
	case c.acked != 0 && (c.proven || h.safely(c.safe, c.ackedIn)):
		h.violate(m, "from %s came back what was acknowledged, and the acknowledgement was safe", q.name)
	}
	if !m.persistent && m.life < h.life() {
		h.violate(m, "from %s came a transient message of an earlier life", q.name)
	}
	if m.tx != nil && m.tx.asked.IsZero() {
		h.violate(m, "from %s came a message of a transaction that was not committed", q.name)
	}
	if c.seen.IsZero() {
		if last := q.last[m.publisher]; m.number <= last && !q.crowded {
			h.violate(m, "from %s it came for the first time, after message %d of the same publisher", q.name, last)
		}
		q.last[m.publisher] = max(q.last[m.publisher], m.number)
		if redelivered {
			if q.marked++; q.marked > q.owed {
				h.violate(m, "from %s came the %dth message that was redelivered without ever having been seen, more than all prefetch windows together (%d)", q.name, q.marked, q.owed)
			}
		}
		return
	}
	if redelivered {
		return
	}
	marked := c.seenIn == h.life()
	if !marked {
		before := h.lives[c.seenIn]
		marked = before.clean || h.promise.window == 0 && c.seen.Add(markedWithin).Before(before.fence)
	}
	h.count.unmarked++
	if marked {
		h.violate(m, "from %s it came again, not marked as redelivered", q.name)
	}
}

// name is a message's message-id.
func (i id) name() string { return fmt.Sprintf("%d-%d", i.publisher, i.number) }

// acks notes that copies are about to be acknowledged, or rejected for good.
func (h *history) acks(copies ...*copied) []ack {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.settle(copies)
}

// settle is acks with mu held.
func (h *history) settle(copies []*copied) []ack {
	var done []ack
	for _, c := range copies {
		c.acked, c.ackedIn, c.holder = h.tick(), h.life(), nil
		h.tell(c.m, "acknowledged to "+c.queue.name)
		h.count.acked++
		done = append(done, ack{c, c.acked})
	}
	return done
}

// unsent notes that acknowledgements were not sent after all.
func (h *history) unsent(acks []ack) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range acks {
		if a.c.acked == a.at {
			a.c.acked = 0
			h.tell(a.c.m, "the acknowledgement was not sent")
		}
	}
}

// requeue notes that a copy is about to be given back.
func (h *history) requeue(c *copied) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.holder = nil
	h.tell(c.m, "given back to "+c.queue.name)
}

// durable notes that acknowledgements are durable, because something was answered that is so only if they are.
func (h *history) durable(acks []ack) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cover(acks, time.Now())
}

func (h *history) begin() *transaction {
	h.mu.Lock()
	defer h.mu.Unlock()
	tx := &transaction{life: h.life()}
	h.txs = append(h.txs, tx)
	return tx
}

// commit notes that a commit is about to be sent, with acknowledgements of copies.
func (h *history) commit(tx *transaction, copies []*copied) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tx.asked = time.Now()
	tx.acks = h.settle(copies)
	for _, m := range tx.messages {
		h.tell(m, "its commit is sent")
	}
}

// commitOk notes that it was answered.
func (h *history) commitOk(tx *transaction) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tx.committed = time.Now()
	for _, m := range tx.messages {
		h.tell(m, "its commit was answered")
	}
	h.advance(tx.asked)
	h.cover(tx.acks, tx.committed)
	h.count.committed++
}

// rollback notes that a transaction is about to be rolled back.
func (h *history) rollback(tx *transaction) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range tx.messages {
		h.tell(m, "rolled back")
	}
	h.count.rolledBack++
}

// goodbye notes that the broker is about to end in order.
func (h *history) goodbye() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ending = true
}

// end notes that the broker is gone, and since when: all its clients know.
func (h *history) end(at time.Time, clean bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lives = append(h.lives, life{at, clean, h.fence})
	h.ending = false
}

// quiet notes that the broker has had all the time it may take without anybody asking for anything: what was acknowledged
// is on the disk, and that messages were delivered.
func (h *history) quiet() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.promise.window != 0 {
		return
	}
	now := time.Now()
	for _, m := range h.messages {
		for _, c := range m.copies {
			if c.acked != 0 && c.ackedIn == h.life() && c.safe.IsZero() {
				c.safe = now
				h.count.safe++
			}
		}
	}
	h.advance(now)
}
