package zmq

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/zmq"
)

// rep publishes the requests of its socket's peers and brings them the answers.
//
// A request waits in a table under a number, which is its correlation id, and the answer comes to a direct reply-to address
// with that number. Requests leave the table in the order they came in, when they are answered or too old.
type rep struct {
	door    *door
	socket  *zmq.Rep
	intake  *intake // of the answers
	waiting *table[*zmq.Request]
}

func newRep(d *door) worker {
	r := &rep{door: d}
	r.intake = newIntake(d, func(l *letter, m *message.Message) { l.tag, l.body = m.CorrelationID(), m.Body })
	r.waiting = newTable[*zmq.Request](d.settings.pending)
	return r
}

func (r *rep) open() (socket, error) {
	if r.door.settings.exchange != "" {
		if _, err := r.door.needExchange(); err != nil {
			return nil, err
		}
	}
	r.socket = zmq.NewRep(r.door.options())
	return r.socket, nil
}

func (r *rep) run(ctx context.Context) {
	replyTo, err := r.consume()
	if err != nil {
		r.door.log.say("cannot receive answers", err)
		<-ctx.Done()
		return
	}
	var asking sync.WaitGroup
	asking.Go(func() { r.ask(ctx, replyTo) })
	asking.Go(func() { r.expire(ctx) })
	r.intake.each(ctx, func() error { return nil }, func(l *letter) bool {
		r.answer(ctx, l)
		return true
	})
	asking.Wait()
}

// consume opens the address that answers come to.
func (r *rep) consume() (string, error) {
	c, err := r.door.client.ConsumeReplies("zmq", r.intake)
	if err != nil {
		return "", err
	}
	r.intake.consumer = c
	r.intake.wake()
	return c.Spec().Queue, nil
}

// ask publishes requests, one by one: there are seldom many at a time, and each is waited for.
func (r *rep) ask(ctx context.Context, replyTo string) {
	s := r.door.settings
	b := r.door.env.Engine.NewBatch()
	var body, props []byte
	for r.waiting.room(ctx) && r.door.held(ctx) {
		q, err := r.socket.Recv(ctx)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, zmq.ErrClosed) {
				r.door.log.say("cannot receive", err)
			}
			return
		}
		id := r.waiting.add(q)
		r.waiting.start(id, r.door.env.Engine.Now().Add(s.timeout))
		p := message.Properties{ReplyTo: replyTo, CorrelationID: strconv.FormatUint(id, 10)}
		props = p.Append(props[:0])
		n, err := r.door.client.Publish(b, &message.Message{
			Origin: message.AMQP091, Hops: arrivedHops(q.Note), Exchange: []byte(s.exchange), Key: []byte(s.key), Props: props,
			Body: join(q.Message, &body),
		})
		if err == nil && n == 0 {
			err = errUnroutable
		}
		if err != nil {
			r.door.log.say("a request was dropped", err)
			r.waiting.remove(id)
		}
		b.End()
	}
}

// answer brings an answer to who asked. One that is late, or that nobody asked for, is dropped.
func (r *rep) answer(ctx context.Context, l *letter) {
	id, err := strconv.ParseUint(string(l.tag), 10, 64)
	if err != nil {
		return
	}
	if q, ok := r.waiting.remove(id); ok {
		_ = q.Reply(ctx, zmq.Message{l.body}) // fails when the listener is closing: there is nobody left to tell
	}
}

// expire forgets requests that were not answered in time.
func (r *rep) expire(ctx context.Context) {
	r.waiting.watch(ctx, r.door, func(*zmq.Request) { r.door.log.say("a request was forgotten", errTimeout) })
}
