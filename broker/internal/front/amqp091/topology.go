package amqp091

import (
	"strings"

	"github.com/warrenmq/warren/broker/internal/engine"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

func (ch *channel) declareExchange(m *wire.ExchangeDeclare) error {
	var err error
	if m.Passive {
		err = ch.session.client.CheckExchange(m.Exchange)
	} else {
		err = ch.session.client.DeclareExchange(exchangeSpec(m))
	}
	if err == nil {
		ch.answer(m.NoWait, new(wire.ExchangeDeclareOk))
	}
	return err
}

func (ch *channel) deleteExchange(m *wire.ExchangeDelete) error {
	if err := ch.session.client.DeleteExchange(m.Exchange, m.IfUnused); err != nil {
		return err
	}
	ch.answer(m.NoWait, new(wire.ExchangeDeleteOk))
	return nil
}

func (ch *channel) bindExchange(m *wire.ExchangeBind) error {
	if err := ch.session.client.BindExchange(m.Source, m.Destination, binding(m.RoutingKey, m.Arguments)); err != nil {
		return err
	}
	ch.answer(m.NoWait, new(wire.ExchangeBindOk))
	return nil
}

func (ch *channel) unbindExchange(m *wire.ExchangeUnbind) error {
	if err := ch.session.client.UnbindExchange(m.Source, m.Destination, binding(m.RoutingKey, m.Arguments)); err != nil {
		return err
	}
	ch.answer(m.NoWait, new(wire.ExchangeUnbindOk))
	return nil
}

func (ch *channel) declareQueue(m *wire.QueueDeclare) error {
	var d engine.Declared
	var err error
	switch {
	case strings.HasPrefix(m.Queue, engine.ReplyPrefix):
		d, err = ch.replyAddress(m.Queue)
	case m.Passive:
		d, err = ch.session.client.CheckQueue(m.Queue)
	default:
		d, err = ch.session.client.DeclareQueue(queueSpec(m))
	}
	if err != nil {
		return err
	}
	ch.lastQueue = d.Name
	ch.answer(m.NoWait, &wire.QueueDeclareOk{Queue: d.Name, MessageCount: uint32(d.Ready), ConsumerCount: uint32(d.Consumers)})
	return nil
}

// replyAddress answers the declaration of an address of direct reply-to, with which a server asks whether the client that
// waits for its answer is still there. Nothing is declared.
func (ch *channel) replyAddress(name string) (engine.Declared, error) {
	vhost := ch.session.client.VHost()
	if name != engine.ReplyPrefix && vhost.Queue(name) == nil {
		return engine.Declared{}, violation(wire.NotFound, "no queue '%s' in vhost '%s'", name, vhost.Name())
	}
	return engine.Declared{Name: name, Consumers: 1}, nil
}

// queueName is the queue that a method means: the one declared last when it names none.
func (ch *channel) queueName(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if ch.lastQueue == "" {
		return "", errNoLastQueue()
	}
	return ch.lastQueue, nil
}

// bindingNames is the queue and the key that a binding means: with neither given both are the queue declared last.
func (ch *channel) bindingNames(queue, key string) (string, string, error) {
	name, err := ch.queueName(queue)
	if queue == "" && key == "" {
		key = name
	}
	return name, key, err
}

func (ch *channel) bindQueue(m *wire.QueueBind) error {
	queue, key, err := ch.bindingNames(m.Queue, m.RoutingKey)
	if err != nil {
		return err
	}
	if err := ch.session.client.BindQueue(m.Exchange, queue, binding(key, m.Arguments)); err != nil {
		return err
	}
	ch.answer(m.NoWait, new(wire.QueueBindOk))
	return nil
}

func (ch *channel) unbindQueue(m *wire.QueueUnbind) error {
	queue, key, err := ch.bindingNames(m.Queue, m.RoutingKey)
	if err != nil {
		return err
	}
	if err := ch.session.client.UnbindQueue(m.Exchange, queue, binding(key, m.Arguments)); err != nil {
		return err
	}
	ch.send(new(wire.QueueUnbindOk))
	return nil
}

func (ch *channel) purgeQueue(m *wire.QueuePurge) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	n, err := ch.session.client.PurgeQueue(ch.session.batch, name)
	if err != nil {
		return err
	}
	ch.answer(m.NoWait, &wire.QueuePurgeOk{MessageCount: uint32(n)})
	return nil
}

func (ch *channel) deleteQueue(m *wire.QueueDelete) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	n, err := ch.session.client.DeleteQueue(ch.session.batch, name, m.IfUnused, m.IfEmpty)
	if err != nil {
		return err
	}
	ch.answer(m.NoWait, &wire.QueueDeleteOk{MessageCount: uint32(n)})
	return nil
}
