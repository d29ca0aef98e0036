package zmq

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/zmq"
)

// req asks a queue's messages of its socket's peers and publishes the answers.
//
// Its socket is a DEALER, so that several requests can be under way: each has its number in the envelope, which a REP sends
// back as it is (RFC 28, "The REP Socket Type"). A peer that goes with a request takes no place for ever: the request is
// overdue after the timeout and goes back to its queue.
type req struct {
	door    *door
	socket  *zmq.Dealer
	intake  *intake
	waiting *table[*question]
}

// question is a message that was asked.
type question struct {
	queue       *engine.Queue
	seq         [1]uint64
	replyTo     []byte // empty: nobody wants the answer
	correlation []byte
}

func newReq(d *door) worker {
	r := &req{door: d, waiting: newTable[*question](d.settings.prefetch)}
	r.intake = newIntake(d, func(l *letter, m *message.Message) { l.key, l.tag, l.body = m.ReplyTo(), m.CorrelationID(), m.Body })
	return r
}

func (r *req) open() (socket, error) {
	if err := r.door.needQueue(); err != nil {
		return nil, err
	}
	r.socket = zmq.NewDealer(r.door.options())
	return r.socket, nil
}

func (r *req) run(ctx context.Context) {
	var answering sync.WaitGroup
	answering.Go(func() { r.answers(ctx) })
	answering.Go(func() { r.expire(ctx) })
	r.intake.each(ctx, r.attach, func(l *letter) bool { return r.ask(ctx, l) })
	answering.Wait()
	b := r.door.env.Engine.NewBatch()
	r.waiting.drain(func(q *question) { q.queue.Settle(b, q.seq[:], queue.Requeue) })
	b.End()
}

func (r *req) attach() error {
	if err := r.door.needQueue(); err != nil {
		return err
	}
	return r.intake.consume(engine.ConsumerSpec{
		Queue: r.door.settings.queue, Tag: "zmq", Prefetch: uint32(r.door.settings.prefetch),
	})
}

// ask sends a request: its number, the empty frame that ends the envelope, and the body.
func (r *req) ask(ctx context.Context, l *letter) bool {
	if l.hops >= message.MaxHops {
		r.door.log.say("a request was dropped", errHops)
		r.intake.settle(l, queue.Discard)
		return true
	}
	q := &question{queue: l.queue, seq: [1]uint64{l.seq}}
	own := append(append([]byte(nil), l.key...), l.tag...)
	q.replyTo, q.correlation = own[:len(l.key)], own[len(l.key):]
	id := r.waiting.add(q)
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], id)
	var room [1]byte
	if r.socket.SendNote(ctx, hopsNote(&room, l.hops), zmq.Message{number[:], nil, l.body}) != nil { // ctx has ended: the queue has it back
		r.waiting.remove(id)
		return false
	}
	r.waiting.start(id, r.door.env.Engine.Now().Add(r.door.settings.timeout))
	return true
}

// answers publishes what comes back.
func (r *req) answers(ctx context.Context) {
	b := r.door.env.Engine.NewBatch()
	var m zmq.Message
	var note, body []byte
	for {
		if err := r.socket.RecvNote(ctx, &note, &m); err != nil {
			if ctx.Err() == nil && !errors.Is(err, zmq.ErrClosed) {
				r.door.log.say("cannot receive", err)
			}
			return
		}
		if len(m) < 3 || len(m[0]) != 8 || len(m[1]) != 0 {
			continue // no answer to anything that was asked
		}
		q, ok := r.waiting.remove(binary.BigEndian.Uint64(m[0]))
		if !ok {
			continue // too late: it is asked again
		}
		if len(q.replyTo) > 0 {
			p := message.Properties{CorrelationID: string(q.correlation)}
			_, err := r.door.client.Publish(b, &message.Message{
				Origin: message.AMQP091, Hops: arrivedHops(note), Key: q.replyTo, Props: p.Append(nil), Body: join(m[2:], &body),
			})
			if err != nil {
				r.door.log.say("an answer was dropped", err)
			}
		}
		q.queue.Settle(b, q.seq[:], queue.Accept)
		b.End()
	}
}

// expire gives requests back that were not answered in time.
func (r *req) expire(ctx context.Context) {
	b := r.door.env.Engine.NewBatch()
	r.waiting.watch(ctx, r.door, func(q *question) {
		r.door.log.say("a request goes back to its queue", errTimeout)
		q.queue.Settle(b, q.seq[:], queue.Requeue)
		b.End()
	})
}
