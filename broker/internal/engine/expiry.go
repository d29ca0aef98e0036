package engine

import (
	"time"

	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
)

// Messages expire at the head of their queue, as in RabbitMQ's classic queues: one that is over its time behind one that is
// not waits for its turn. A message that never had to wait is never too late, so a time to live of 0 means "now or never".

// expires returns when a message that is published now ceases to be wanted: the earlier of what its publisher and what the
// queue says; 0 is never.
func (q *Queue) expires(b *Batch, m *message.Message) int64 {
	at := m.Expires
	if q.ttl != nil {
		if end := b.now() + *q.ttl; at == 0 || end < at {
			at = end
		}
	}
	return at
}

// late reports whether the message of q.delivery has been over its time since before this batch. lock: queue
func (q *Queue) late(b *Batch) bool {
	at := q.delivery.Message.Expires
	return at != 0 && at < b.now()
}

// bury drops an expired message. lock: queue
func (q *Queue) bury(b *Batch, e queue.Entry) {
	if e.Stored() {
		b.settle(q.stream, e.Seq)
	}
	b.count.Expired++
	q.count.Expired++
	q.core.Drop(e)
}

// reap drops what has expired from the head of the queue and sets the alarm for what will. lock: queue
func (q *Queue) reap(b *Batch) {
	for {
		e, ok := q.first(b)
		if !ok {
			q.mortal = q.core.Out() > 0 || q.core.Deep() > 0
			return
		}
		q.prepare(e, nil, true)
		switch at := q.view.Expires; {
		case at == 0:
			return
		case at > b.now():
			q.wakeAt(at, b.now())
			return
		}
		q.bury(b, e)
	}
}

// alarm is the timer that reaps a queue in which nothing else happens.
type alarm struct {
	at   int64 // milliseconds since 1970; 0 is not set
	stop func() bool
}

// wakeAt sets the alarm, unless it is set for then or earlier, or the broker is closed. lock: queue
func (q *Queue) wakeAt(at, now int64) {
	br := q.vhost.broker
	if br.closed.Load() || q.alarm.at != 0 && q.alarm.at <= at {
		return
	}
	q.calm()
	q.alarm = alarm{at: at, stop: br.clock.AfterFunc(time.Duration(at-now)*time.Millisecond, func() {
		b := br.NewBatch()
		q.mu.Lock()
		q.alarm = alarm{}
		if !q.deleted {
			q.reap(b)
			q.account(b)
		}
		q.mu.Unlock()
		b.End()
	})}
}

// calm stops the alarm. lock: queue
func (q *Queue) calm() {
	if q.alarm.stop != nil {
		q.alarm.stop()
	}
	q.alarm = alarm{}
}
