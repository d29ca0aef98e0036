package amqp091

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/engine"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// confirms are what a connection's publishers wait for. What a batch has published is owed to each of its channels as one
// number and one ticket, however many messages that is. When the disk has reached the ticket, each channel gets one
// cumulative basic.ack.
type confirms struct {
	flushing atomic.Bool // Committed flushes the output, on a goroutine that the store's commits may wait for

	mu       sync.Mutex // taken before the output's lock; guards what follows
	owed     []owedConfirm
	last     engine.Ticket // of the last one owed
	awaiting bool          // the broker tells of commits
	acked    []*channel    // scratch: channels that get an ack
}

type owedConfirm struct {
	ticket  engine.Ticket
	channel *channel
	number  uint64 // of the last message
}

// confirm owes the confirms of what the batch has published since the last call, until the ticket is durable; with nothing
// to wait for, it sends them. What was unroutable has been returned before.
func (s *session) confirm(t engine.Ticket) {
	if len(s.confirming) == 0 {
		return
	}
	c := &s.confirms
	c.mu.Lock()
	if len(c.owed) > 0 && t < c.last {
		t = c.last // confirms keep their order
	}
	c.last = t
	for i, ch := range s.confirming {
		if !ch.closing {
			c.owe(t, ch)
		}
		ch.owing = false
		s.confirming[i] = nil
	}
	s.confirming = s.confirming[:0]
	if t == 0 {
		s.sendConfirms(0)
		c.mu.Unlock()
		return
	}
	await := !c.awaiting
	c.awaiting = true
	c.mu.Unlock()
	if await {
		s.front.broker.Await(s)
	}
	if durable := s.front.broker.Durable(); durable >= t { // the commit was quicker
		s.confirmUpTo(durable)
	}
}

// owe adds what a channel has published to what is owed. While a ticket keeps everybody waiting, a channel stands there for
// it once. lock: confirms
func (c *confirms) owe(t engine.Ticket, ch *channel) {
	for i := len(c.owed) - 1; i >= 0 && c.owed[i].ticket == t; i-- {
		if c.owed[i].channel == ch {
			c.owed[i].number = ch.published
			return
		}
	}
	c.owed = append(c.owed, owedConfirm{ticket: t, channel: ch, number: ch.published})
}

// confirmUpTo sends what is owed up to a ticket, from the reader.
func (s *session) confirmUpTo(durable engine.Ticket) {
	s.confirms.mu.Lock()
	sent := s.sendConfirms(durable)
	s.confirms.mu.Unlock()
	if sent {
		s.out.Flush()
	}
}

// Committed sends what is owed up to a ticket. It is called by the broker.
func (s *session) Committed(durable engine.Ticket) (more bool) {
	c := &s.confirms
	c.mu.Lock()
	sent := s.sendConfirms(durable)
	more = len(c.owed) > 0
	c.awaiting = more
	c.mu.Unlock()
	if sent {
		c.flushing.Store(true)
		s.out.Flush()
		c.flushing.Store(false)
	}
	return more
}

// sendConfirms appends the acks that are due to the output, one for each channel. lock: confirms
func (s *session) sendConfirms(durable engine.Ticket) (sent bool) {
	c := &s.confirms
	due := 0
	for ; due < len(c.owed) && c.owed[due].ticket <= durable; due++ {
		o := &c.owed[due]
		if o.channel.due == 0 {
			c.acked = append(c.acked, o.channel)
		}
		o.channel.due = o.number
	}
	if due == 0 {
		return false
	}
	rest := copy(c.owed, c.owed[due:])
	clear(c.owed[rest:])
	c.owed = c.owed[:rest]
	for i, ch := range c.acked {
		if !ch.deaf {
			ack := wire.BasicAck{DeliveryTag: ch.due, Multiple: ch.due > ch.confirmed+1}
			s.out.End(ack.AppendFrame(s.out.Begin(), ch.number)) // send would put it on the heap
			sent = true
		}
		ch.confirmed, ch.due = ch.due, 0
		c.acked[i] = nil
	}
	c.acked = c.acked[:0]
	return sent
}

// settleConfirms waits until the disk has everything that was published, and sends its confirms: whoever closes a channel
// or a connection in order gets them before the answer.
func (s *session) settleConfirms() {
	s.EndBatch()
	c := &s.confirms
	c.mu.Lock()
	last, waiting := c.last, len(c.owed) > 0
	c.mu.Unlock()
	if waiting && s.front.broker.Wait(context.Background(), last) == nil {
		s.confirmUpTo(s.front.broker.Durable())
	}
}

// secure ends the batch and waits until the disk has all of it.
func (s *session) secure() error {
	s.batch.Owe()
	s.flushSettled()
	t := s.batch.End()
	s.confirm(t)
	return s.front.broker.Wait(context.Background(), t)
}

// hush says that nothing may be sent on a channel any more.
func (s *session) hush(ch *channel) {
	s.confirms.mu.Lock()
	defer s.confirms.mu.Unlock()
	ch.deaf = true
}

func (ch *channel) selectConfirms(m *wire.ConfirmSelect) error {
	if ch.tx != nil {
		return violation(wire.PreconditionFailed, "cannot switch from tx to confirm mode")
	}
	ch.confirms = true
	ch.answer(m.NoWait, new(wire.ConfirmSelectOk))
	return nil
}
