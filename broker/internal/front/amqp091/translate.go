package amqp091

import (
	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// judged are the properties that a broker looks at before it takes a message.
const judged = wire.PropertyReplyTo | wire.PropertyExpiration | wire.PropertyUserID

// admit checks the properties of a published message and returns them as they travel on: as they came, but for the address
// that stands in for amq.rabbitmq.reply-to. None become nil.
func (s *session) admit(ch *channel, props wire.Properties) (wire.Properties, error) {
	if !props.Has(judged) {
		if len(props) <= 2 {
			return nil, nil
		}
		return props, nil
	}
	if id, ok := props.UserID(); ok && string(id) != s.user.Name && !s.user.HasTag("impersonator") {
		return nil, violation(wire.PreconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", id, s.user.Name)
	}
	if text, ok := props.Expiration(); ok {
		if _, err := message.ParseTTL(string(text)); err != nil {
			return nil, violation(wire.PreconditionFailed, "%s", err)
		}
	}
	if to, ok := props.ReplyTo(); ok && string(to) == engine.ReplyPrefix {
		if ch.replies == nil {
			return nil, violation(wire.PreconditionFailed, "fast reply consumer does not exist")
		}
		s.props = props.AppendWith(s.props[:0], wire.PropertyReplyTo, wire.AppendShortstr(nil, ch.replies.handle.Queue().Name()))
		return s.props, nil
	}
	return props, nil
}

// exchangeSpec is what an exchange.declare asks for.
func exchangeSpec(m *wire.ExchangeDeclare) engine.ExchangeSpec {
	return engine.ExchangeSpec{
		Name: m.Exchange, Type: exchange.Kind(m.Type), Durable: m.Durable, AutoDelete: m.AutoDelete, Internal: m.Internal,
		Args: message.Args(m.Arguments),
	}
}

// queueSpec is what a queue.declare asks for.
func queueSpec(m *wire.QueueDeclare) engine.QueueSpec {
	return engine.QueueSpec{
		Name: m.Queue, Durable: m.Durable, Exclusive: m.Exclusive, AutoDelete: m.AutoDelete, Args: message.Args(m.Arguments),
	}
}

func binding(key string, args wire.Table) exchange.Binding {
	return exchange.Binding{Key: key, Args: message.Args(args)}
}

// checkConsumeArgs refuses the arguments of basic.consume that RabbitMQ has and this broker has not.
func checkConsumeArgs(args wire.Table) error {
	for _, name := range [...]string{"x-priority", "x-stream-offset", "x-consumer-timeout"} {
		if _, ok := args.Get(name); ok {
			return violation(wire.PreconditionFailed, "invalid arg '%s' for basic.consume: Warren does not support it yet", name)
		}
	}
	return nil
}
