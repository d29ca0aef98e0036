package zmq

import (
	"context"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/zmq"
)

// pushWindow is how many messages a push holds unacknowledged: those that wait for a pipe with room.
const pushWindow = 256

// push hands a queue's messages to its socket's peers.
type push struct {
	door   *door
	intake *intake
	socket *zmq.Push
}

func newPush(d *door) worker {
	return &push{door: d, intake: newIntake(d, func(l *letter, m *message.Message) { l.body = m.Body })}
}

func (p *push) open() (socket, error) {
	if err := p.door.needQueue(); err != nil {
		return nil, err
	}
	p.socket = zmq.NewPush(p.door.options())
	return p.socket, nil
}

func (p *push) run(ctx context.Context) {
	var frames [1][]byte
	var room [1]byte
	p.intake.each(ctx, p.attach, func(l *letter) bool {
		if l.hops >= message.MaxHops {
			p.door.log.say("a message was dropped", errHops)
			p.intake.settle(l, queue.Discard)
			return true
		}
		frames[0] = l.body
		if p.socket.SendNote(ctx, hopsNote(&room, l.hops), frames[:]) != nil {
			return false // ctx has ended: the queue has it back
		}
		p.intake.settle(l, queue.Accept)
		return true
	})
}

func (p *push) attach() error {
	if err := p.door.needQueue(); err != nil {
		return err
	}
	return p.intake.consume(engine.ConsumerSpec{Queue: p.door.settings.queue, Tag: "zmq", Prefetch: pushWindow})
}
