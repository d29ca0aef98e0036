package zmq

import (
	"context"
	"errors"
	"sync"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/zmq"
)

// batchWork is how much a batch moves before others get their turn.
const batchWork = 4096

// receiver is a socket that receives into memory that is used again.
type receiver interface {
	RecvNote(ctx context.Context, note *[]byte, m *zmq.Message) error
}

// inflow publishes what a socket receives: one goroutine receives, the caller's publishes what has come meanwhile.
type inflow struct {
	door *door
	box  *mailbox
	room chan struct{} // holds a token when the box may have room again
	// prepare makes the target exist; it is asked again when a message for a queue cannot be routed.
	prepare func() error
	batch   *engine.Batch   // owner: the goroutine that publishes
	message message.Message // scratch; owner: the goroutine that publishes
}

func newInflow(d *door, prepare func() error) *inflow {
	f := &inflow{door: d, room: make(chan struct{}, 1), prepare: prepare, batch: d.env.Engine.NewBatch()}
	f.box = newMailbox(func() {
		select {
		case f.room <- struct{}{}:
		default:
		}
	})
	return f
}

// run works until ctx ends. read takes a received message apart.
func (f *inflow) run(ctx context.Context, from receiver, read func(zmq.Message, *letter) error) {
	var receiving sync.WaitGroup
	receiving.Go(func() { f.receive(ctx, from, read) })
	for {
		b := f.box.take(ctx, nil)
		if b == nil {
			break
		}
		i := 0
		for l := b.next(i); l != nil; l = b.next(i) {
			i++
			if resumed, _ := f.door.env.Engine.Held(); resumed != nil || f.batch.Work() >= batchWork {
				f.batch.End() // nobody waits with us
			}
			if f.door.held(ctx) {
				f.publish(l)
			}
		}
		f.batch.End()
	}
	receiving.Wait()
}

func (f *inflow) receive(ctx context.Context, from receiver, read func(zmq.Message, *letter) error) {
	var m zmq.Message
	var note []byte
	var l letter
	for {
		if err := from.RecvNote(ctx, &note, &m); err != nil {
			if ctx.Err() == nil && !errors.Is(err, zmq.ErrClosed) {
				f.door.log.say("cannot receive", err)
			}
			return
		}
		l = letter{hops: arrivedHops(note)}
		if err := read(m, &l); err != nil {
			f.door.log.say("a message was dropped", err)
			continue
		}
		for {
			ok, first := f.box.put(&l)
			if first {
				f.box.ring()
			}
			if ok {
				break
			}
			select {
			case <-f.room:
			case <-ctx.Done():
				return
			}
		}
	}
}

// publish sends a letter on its way: to the queue, or to the exchange with the letter's key.
func (f *inflow) publish(l *letter) {
	s := f.door.settings
	m := &f.message
	*m = message.Message{Hops: l.hops, Key: l.key, Body: l.body, Exchange: m.Exchange[:0]}
	m.Exchange = append(m.Exchange, s.exchange...)
	n, err := f.door.client.Publish(f.batch, m)
	if err == nil && n == 0 && s.queue != "" { // somebody has deleted the queue
		if err = f.prepare(); err == nil {
			_, err = f.door.client.Publish(f.batch, m)
		}
	}
	if err != nil {
		f.door.log.say("a message was dropped", err)
	}
}
