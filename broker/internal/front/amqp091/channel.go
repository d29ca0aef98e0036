package amqp091

import (
	"sync"

	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// channel is one channel. Its fields belong to the reader unless they say otherwise.
type channel struct {
	session *session
	number  uint16
	closing bool // channel.close is sent: nothing but its answer is heard

	lastQueue string // the queue declared last, which an empty name stands for
	prefetch  uint16 // of consumers to come
	content   content
	sound     []byte       // the properties that were found sound last
	tx        *transaction // nil: not transactional

	confirms  bool   // publishes are confirmed
	published uint64 // the number of the last one
	owing     bool   // this batch has published something that is to be confirmed
	confirmed uint64 // up to which number they have been; lock: session.confirms
	due       uint64 // up to which number they are being; lock: session.confirms
	deaf      bool   // channel.close or its answer is sent: no acks any more; lock: session.confirms

	consumers map[string]*consumer // lock: session.mu
	replies   *consumer            // the one on amq.rabbitmq.reply-to, nil: none

	mu      sync.Mutex  // the credit lock: between a queue's and the output's
	unacked ledger      // lock: mu
	limit   int         // how many deliveries of the whole channel may be unacked, 0: unlimited; lock: mu
	starved []*consumer // refused a delivery because of limit; lock: mu

	nextTag uint64 // the delivery tag given last; lock: output, so that tags are sent in order
}

// method handles a method on the channel with that number; ch is nil when it is not open.
func (s *session) method(ch *channel, number uint16, id wire.MethodID, args []byte) error {
	switch {
	case ch == nil:
		return s.openChannel(number, id, args)
	case ch.closing:
		return s.closingMethod(ch, id)
	case ch.content.state != contentNone:
		return s.closeConnection(ch.content.expected(), wire.MethodBasicPublish)
	}
	if err := ch.method(id, args); err != nil {
		return s.fail(ch, id, err)
	}
	return nil
}

func (s *session) openChannel(number uint16, id wire.MethodID, args []byte) error {
	if id != wire.MethodChannelOpen {
		return s.closeConnection(violation(wire.ChannelError, "expected 'channel.open'"), id)
	}
	var m wire.ChannelOpen
	if err := m.Decode(args); err != nil {
		return s.fatal(err)
	}
	if n := len(s.channels); n >= s.channelMax {
		return s.closeConnection(violation(wire.NotAllowed,
			"number of channels opened (%d) has reached the negotiated channel_max (%d)", n, s.channelMax), id)
	}
	s.channels[number] = &channel{session: s, number: number, consumers: make(map[string]*consumer)}
	s.lastNumber = noChannelNumber
	s.send(number, new(wire.ChannelOpenOk))
	return nil
}

// closingMethod waits for the answer to channel.close and ignores all else. A channel.close that has crossed with it is
// answered, and the wait goes on.
func (s *session) closingMethod(ch *channel, id wire.MethodID) error {
	switch id {
	case wire.MethodChannelCloseOk:
		s.forget(ch)
	case wire.MethodChannelClose:
		s.send(ch.number, new(wire.ChannelCloseOk))
	}
	return nil
}

func (s *session) forget(ch *channel) {
	delete(s.channels, ch.number)
	s.lastNumber = noChannelNumber
}

// method handles a method on an open channel.
func (ch *channel) method(id wire.MethodID, args []byte) error {
	switch id { // the hot ones, whose effects wait for the end of the batch
	case wire.MethodBasicAck:
		var m wire.BasicAck
		if err := m.Decode(args); err != nil {
			return err
		}
		return ch.ack(&m)
	case wire.MethodBasicNack:
		var m wire.BasicNack
		if err := m.Decode(args); err != nil {
			return err
		}
		return ch.nack(&m)
	case wire.MethodBasicReject:
		var m wire.BasicReject
		if err := m.Decode(args); err != nil {
			return err
		}
		return ch.reject(&m)
	}
	ch.session.flushSettled() // the others see what has been acknowledged before them
	m := wire.NewMethod(id)
	if m == nil || !id.FromClient() {
		return errUnimplemented()
	}
	if err := m.Decode(args); err != nil {
		return err
	}
	switch m := m.(type) {
	case *wire.ChannelOpen:
		return violation(wire.ChannelError, "second 'channel.open' seen")
	case *wire.ChannelClose:
		return ch.close()
	case *wire.ChannelFlow:
		return ch.flow(m)
	case *wire.AccessRequest:
		ch.send(&wire.AccessRequestOk{Ticket: 1}) // realms are long gone; RabbitMQ gives everybody ticket 1
		return nil
	case *wire.ExchangeDeclare:
		return ch.declareExchange(m)
	case *wire.ExchangeDelete:
		return ch.deleteExchange(m)
	case *wire.ExchangeBind:
		return ch.bindExchange(m)
	case *wire.ExchangeUnbind:
		return ch.unbindExchange(m)
	case *wire.QueueDeclare:
		return ch.declareQueue(m)
	case *wire.QueueBind:
		return ch.bindQueue(m)
	case *wire.QueueUnbind:
		return ch.unbindQueue(m)
	case *wire.QueuePurge:
		return ch.purgeQueue(m)
	case *wire.QueueDelete:
		return ch.deleteQueue(m)
	case *wire.BasicQos:
		return ch.qos(m)
	case *wire.BasicConsume:
		return ch.consume(m)
	case *wire.BasicCancel:
		return ch.cancel(m)
	case *wire.BasicGet:
		return ch.get(m)
	case *wire.BasicRecover:
		return ch.recover(m.Requeue, true)
	case *wire.BasicRecoverAsync:
		return ch.recover(m.Requeue, false)
	case *wire.BasicCancelOk:
		return nil // the answer to a basic.cancel of ours that did not ask for one
	case *wire.ConfirmSelect:
		return ch.selectConfirms(m)
	case *wire.TxSelect:
		return ch.selectTx()
	case *wire.TxCommit:
		return ch.commit()
	case *wire.TxRollback:
		return ch.rollback()
	}
	return errUnimplemented()
}

// send appends one method to the output.
func (ch *channel) send(m wire.Method) { ch.session.send(ch.number, m) }

// answer sends m unless the client asked for no answer.
func (ch *channel) answer(noWait bool, m wire.Method) {
	if !noWait {
		ch.send(m)
	}
}

func (ch *channel) close() error {
	ch.session.replay()
	if ch.closing {
		return ch.session.closingMethod(ch, wire.MethodChannelClose) // one of what waited was refused
	}
	ch.session.settleConfirms()
	ch.release()
	ch.session.hush(ch)
	ch.session.forget(ch)
	ch.send(new(wire.ChannelCloseOk))
	return nil
}

func (ch *channel) flow(m *wire.ChannelFlow) error {
	if !m.Active {
		return violation(wire.NotImplemented, "active=false")
	}
	ch.send(&wire.ChannelFlowOk{Active: true})
	return nil
}

// release ends the consumers, and gives what was not acknowledged back to its queues, in order.
func (ch *channel) release() {
	s := ch.session
	s.flushSettled()
	s.mu.Lock()
	ended := make([]*consumer, 0, len(ch.consumers))
	for _, c := range ch.consumers {
		ended = append(ended, c)
		delete(s.live, c)
	}
	clear(ch.consumers)
	s.mu.Unlock()
	for _, c := range ended {
		if c.handle != nil {
			c.handle.Cancel(s.batch)
		}
	}
	ch.replies = nil
	s.kept -= ch.content.forget()
	if ch.tx != nil {
		ch.undo()
	}
	ch.requeue()
}
