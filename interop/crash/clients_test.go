package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/interop/lab"
)

// A crew is the clients of one life of the broker. They work until their connections break, or until they are stopped.
type crew struct {
	url     string
	history *history
	seed    uint64
	stop    chan struct{} // closed: nobody begins anything new, and everybody says goodbye
	calm    chan struct{} // closed: the same, but the connections stay open until stop
	all     sync.WaitGroup
	deadly  atomic.Pointer[func()] // what the next confirm sets off, if anything
}

func newCrew(url string, h *history, seed uint64) *crew {
	return &crew{url: url, history: h, seed: seed, stop: make(chan struct{}), calm: make(chan struct{})}
}

// run starts a client. Its number makes its choices its own.
func (c *crew) run(number int, client func(*worker)) {
	c.all.Go(func() {
		conn, err := amqp.DialConfig(c.url, amqp.Config{Heartbeat: time.Minute})
		if err != nil {
			return // the broker is gone already
		}
		defer conn.Close()
		client(&worker{crew: c, number: number, conn: conn, rng: rand.New(rand.NewPCG(c.seed, uint64(number)))})
	})
}

// gone waits for all clients to notice that their broker is.
func (c *crew) gone() error {
	close(c.stop)
	done := make(chan struct{})
	go func() {
		c.all.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(lab.Patience):
		return errors.New("a client does not notice that its broker is gone")
	}
}

type worker struct {
	*crew
	number int // also the publisher's
	conn   *amqp.Connection
	rng    *rand.Rand
}

// over reports whether the worker is to begin nothing new.
func (w *worker) over() bool {
	select {
	case <-w.calm:
		return true
	case <-w.stop:
		return true
	default:
		return false
	}
}

// channel opens a channel, which the broker has no reason to close while it lives.
func (w *worker) channel() (*amqp.Channel, error) {
	ch, err := w.conn.Channel()
	if err != nil {
		return nil, err
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	w.all.Go(func() {
		if reason := <-closed; reason != nil && reason.Server && reason.Code != amqp.ConnectionForced {
			w.history.complain(fmt.Sprintf("client %d was refused: %v", w.number, reason))
		}
	})
	return ch, nil
}

func (w *worker) chance(percent int) bool { return w.rng.IntN(100) < percent }

// rest waits up to d.
func (w *worker) rest(d time.Duration) {
	select {
	case <-time.After(time.Duration(w.rng.Int64N(int64(d) + 1))):
	case <-w.calm:
	case <-w.stop:
	}
}

// size of a body: small ones mostly.
func (w *worker) size() int {
	switch n := w.rng.IntN(100); {
	case n < 60:
		return bodyLeast + w.rng.IntN(100)
	case n < 97:
		return bodyLeast + w.rng.IntN(4<<10)
	default:
		return bodyLeast + w.rng.IntN(40<<10)
	}
}

func (w *worker) publishing(m *message, size int) amqp.Publishing {
	mode := amqp.Transient
	if m.persistent {
		mode = amqp.Persistent
	}
	return amqp.Publishing{DeliveryMode: mode, MessageId: m.name(), Body: body(m.id, size)}
}

// A route is where a publisher sends to, and which queues get it there.
type route struct {
	exchange, key string
	queues        []string
}

func to(queue string) route { return route{key: queue, queues: []string{queue}} }

type publisher struct {
	route     route
	window    int // of confirms; 0 asks for none
	transient int // percent
	size      func(*worker) int
	burst     int           // messages, and then
	pause     time.Duration // at most so long a rest
}

// confirmed matches confirms with the messages that wait for them, in order.
type confirmed struct {
	history *history
	deadly  *atomic.Pointer[func()] // see crew; nil is none
	from    chan amqp.Confirmation
	waiting []*message
}

func (w *worker) confirms(ch *amqp.Channel, window int) (*confirmed, error) {
	if err := ch.Confirm(false); err != nil {
		return nil, err
	}
	return &confirmed{history: w.history, deadly: &w.deadly, from: ch.NotifyPublish(make(chan amqp.Confirmation, window+1))}, nil
}

// one takes a confirm.
func (c *confirmed) one(a amqp.Confirmation) {
	if c.deadly != nil {
		if f := c.deadly.Swap(nil); f != nil {
			(*f)()
		}
	}
	c.history.answered(c.waiting[0], a.Ack)
	c.waiting = c.waiting[1:]
}

// take takes what there is, and waits until no more than most messages wait; false says that the channel is gone.
func (c *confirmed) take(most int) bool {
	for {
		if len(c.waiting) > most {
			a, open := <-c.from
			if !open {
				return false
			}
			c.one(a)
			continue
		}
		select {
		case a, open := <-c.from:
			if !open {
				return false
			}
			c.one(a)
		default:
			return true
		}
	}
}

// publish publishes until the end.
func (p publisher) run(w *worker) {
	ch, err := w.channel()
	if err != nil {
		return
	}
	var confirms *confirmed
	if p.window > 0 {
		if confirms, err = w.confirms(ch, p.window); err != nil {
			return
		}
	}
	size := p.size
	if size == nil {
		size = (*worker).size
	}
	for n := 1; !w.over(); n++ {
		m := w.history.publish(w.number, !w.chance(p.transient), nil, p.route.queues...)
		if confirms != nil {
			confirms.waiting = append(confirms.waiting, m)
		}
		if ch.PublishWithContext(context.Background(), p.route.exchange, p.route.key, false, false, w.publishing(m, size(w))) != nil {
			break
		}
		if confirms != nil && !confirms.take(p.window-1) {
			return
		}
		if p.burst > 0 && n%p.burst == 0 {
			w.rest(p.pause)
		}
	}
	if confirms != nil {
		confirms.take(0)
	}
	if w.over() {
		<-w.stop
	}
}

type consumer struct {
	queue    string
	prefetch int
	batch    int // acknowledges up to so many at a time
	requeue  int // percent that are given back, once each
	marks    route
}

// held is a delivery that is not settled yet.
type held struct {
	tag uint64
	c   *copied
}

// run consumes, in one session after the other, until the end.
func (k consumer) run(w *worker) {
	for k.session(w) {
		w.rest(50 * time.Millisecond)
	}
}

// session consumes for a while, and reports whether there may be another.
func (k consumer) session(w *worker) bool {
	const window = 20
	ch, err := w.channel()
	if err != nil {
		return false
	}
	confirms, err := w.confirms(ch, window)
	if err != nil || ch.Qos(k.prefetch, 0, false) != nil {
		return false
	}
	session := w.history.consume(k.queue, k.prefetch)
	deliveries, err := ch.Consume(k.queue, "", false, false, false, false, nil)
	if err != nil {
		return false
	}
	var (
		open    []held // in the order of their tags
		acks    []ack  // since the last mark
		marked  = 20 + w.rng.IntN(100)
		given   = map[*copied]bool{}
		ends    = time.After(time.Duration(200+w.rng.IntN(5000)) * time.Millisecond)
		calm    = w.calm
		confirm = confirms.from
	)
	for {
		select {
		case a, ok := <-confirm:
			if !ok {
				confirm = nil
				continue
			}
			confirms.one(a)
			continue
		case <-w.stop:
			w.history.leave(session)
			_ = ch.Close()
			return false
		case <-calm:
			calm = nil // goes on to read, and settles nothing
			continue
		case <-ends:
			if w.over() {
				continue
			}
			w.history.leave(session)
			return ch.Close() == nil
		case d, ok := <-deliveries:
			if !ok {
				confirms.take(0)
				return false
			}
			c := w.history.deliver(session, k.queue, d.Body, d.MessageId, d.Redelivered)
			if c == nil {
				_ = ch.Ack(d.DeliveryTag, false)
				continue
			}
			open = append(open, held{d.DeliveryTag, c})
			if calm == nil {
				continue
			}
			i := w.rng.IntN(len(open))
			one := open[i]
			switch {
			case w.chance(k.requeue) && !given[one.c]:
				given[one.c] = true
				w.history.requeue(one.c)
				if ch.Nack(one.tag, false, true) != nil {
					continue
				}
				open = append(open[:i], open[i+1:]...)
			case w.chance(20) || len(given) > 0 && w.chance(5):
				done := w.history.acks(one.c)
				if w.chance(90) {
					err = ch.Ack(one.tag, false)
				} else {
					err = ch.Reject(one.tag, false)
				}
				if err != nil {
					w.history.unsent(done)
					continue
				}
				acks = append(acks, done...)
				open = append(open[:i], open[i+1:]...)
			}
			if len(open) >= min(k.batch, k.prefetch) && len(open) > 0 {
				copies := make([]*copied, len(open))
				for i, o := range open {
					copies[i] = o.c
				}
				done := w.history.acks(copies...)
				if ch.Ack(open[len(open)-1].tag, true) != nil {
					w.history.unsent(done)
					continue
				}
				acks = append(acks, done...)
				open = open[:0]
			}
			if len(acks) >= marked && len(confirms.waiting) < window {
				m := w.history.publish(w.number, true, nil, k.marks.queues...)
				m.covers, acks = acks, nil
				confirms.waiting = append(confirms.waiting, m)
				_ = ch.PublishWithContext(context.Background(), k.marks.exchange, k.marks.key, false, false, w.publishing(m, 0))
			}
		}
	}
}

// A clerk works in transactions: each takes some messages, acknowledges them, and publishes others.
type clerk struct {
	queue string
	to    []route
}

func (k clerk) run(w *worker) {
	const prefetch = 40
	ch, err := w.channel()
	if err != nil || ch.Tx() != nil || ch.Qos(prefetch, 0, false) != nil {
		return
	}
	session := w.history.consume(k.queue, prefetch)
	deliveries, err := ch.Consume(k.queue, "", false, false, false, false, nil)
	if err != nil {
		return
	}
	defer w.history.leave(session)
	var open []held // not acknowledged in a transaction that was committed
	for !w.over() {
		open = k.gather(w, session, deliveries, open, prefetch)
		tx := w.history.begin()
		taken := w.rng.IntN(len(open) + 1)
		copies := make([]*copied, taken)
		for i, o := range open[:taken] {
			copies[i] = o.c
			if ch.Ack(o.tag, false) != nil {
				return
			}
		}
		for range w.rng.IntN(12) {
			r := k.to[w.rng.IntN(len(k.to))]
			m := w.history.publish(w.number, true, tx, r.queues...)
			if ch.PublishWithContext(context.Background(), r.exchange, r.key, false, false, w.publishing(m, w.size())) != nil {
				return
			}
		}
		if w.chance(10) {
			w.history.rollback(tx)
			if ch.TxRollback() != nil {
				return
			}
			continue
		}
		w.history.commit(tx, copies)
		if ch.TxCommit() != nil {
			return
		}
		w.history.commitOk(tx)
		open = open[taken:]
	}
	<-w.stop
}

// gather takes what was delivered, and waits a moment when there is nothing.
func (k clerk) gather(w *worker, s *session, deliveries <-chan amqp.Delivery, open []held, most int) []held {
	wait := time.After(20 * time.Millisecond)
	for len(open) < most {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return open
			}
			if c := w.history.deliver(s, k.queue, d.Body, d.MessageId, d.Redelivered); c != nil {
				open = append(open, held{d.DeliveryTag, c})
			}
			continue
		default:
		}
		if len(open) > 0 {
			return open
		}
		select {
		case d, ok := <-deliveries:
			if !ok {
				return open
			}
			if c := w.history.deliver(s, k.queue, d.Body, d.MessageId, d.Redelivered); c != nil {
				open = append(open, held{d.DeliveryTag, c})
			}
		case <-wait:
			return open
		}
	}
	return open
}
