package amqp091

import (
	"github.com/warrenmq/warren/broker/internal/queue"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

func (ch *channel) ack(m *wire.BasicAck) error {
	return ch.settle(m.DeliveryTag, m.Multiple, queue.Accept)
}

func (ch *channel) nack(m *wire.BasicNack) error {
	return ch.settle(m.DeliveryTag, m.Multiple, refusal(m.Requeue))
}

func (ch *channel) reject(m *wire.BasicReject) error {
	return ch.settle(m.DeliveryTag, false, refusal(m.Requeue))
}

func refusal(requeue bool) queue.Outcome {
	if requeue {
		return queue.Requeue
	}
	return queue.Discard
}

// settle ends deliveries, at the end of the batch or, in a transaction, at its commit.
func (ch *channel) settle(tag uint64, multiple bool, how queue.Outcome) error {
	s := ch.session
	ch.mu.Lock()
	taken, ok := ch.unacked.take(s.taken[:0], tag, multiple)
	starving := len(ch.starved) > 0
	ch.mu.Unlock()
	s.taken = taken
	if !ok {
		return errUnknownTag(tag)
	}
	if ch.tx != nil {
		err := ch.tx.settle(taken, how)
		if err != nil { // then they are still the channel's, which gives them back
			ch.mu.Lock()
			ch.unacked.restore(taken)
			ch.mu.Unlock()
		}
		clear(taken)
		return err
	}
	s.settleAll(taken, how)
	if starving {
		s.flushSettled()
		ch.wakeStarved()
	}
	return nil
}

// settleAll adds deliveries to what the batch settles.
func (s *session) settleAll(taken []unacked, how queue.Outcome) {
	p := &s.settled
	for i := range taken {
		u := &taken[i]
		if u.queue != p.queue || how != p.outcome || len(p.seqs) == maxSettled {
			s.flushSettled()
			p.queue, p.outcome = u.queue, how
		}
		p.seqs = append(p.seqs, u.seq)
	}
	clear(taken)
	if cap(s.taken) > maxIdleLedger {
		s.taken = nil
	}
}

// flushSettled hands what was settled to its queue.
func (s *session) flushSettled() {
	p := &s.settled
	if p.queue == nil {
		return
	}
	p.queue.Settle(s.batch, p.seqs, p.outcome)
	p.queue, p.seqs = nil, p.seqs[:0]
}

// requeue gives all unacked deliveries of the channel back to their queues, in order.
func (ch *channel) requeue() {
	s := ch.session
	ch.mu.Lock()
	taken, _ := ch.unacked.take(s.taken[:0], 0, true)
	ch.mu.Unlock()
	s.taken = taken
	s.settleAll(taken, queue.Requeue)
	s.flushSettled()
}

func (ch *channel) recover(requeue, answer bool) error {
	if !requeue {
		return violation(wire.NotImplemented, "requeue=false")
	}
	ch.requeue()
	ch.wakeStarved()
	ch.answer(!answer, new(wire.BasicRecoverOk))
	return nil
}
