package socket

import (
	"errors"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/front"
	"github.com/warrenmq/warren/broker/internal/message"
)

// membership is one client's place in a room or at a queue: what a connection and a UDP address have in common. It belongs
// to the goroutine that reads the client; only consumer is also used by others, after it has been set.
type membership struct {
	settings *settings
	client   *engine.Client
	batch    *engine.Batch
	own      []byte // the name of the client's queue in a room: the key of its lines; constant after join
	consumer *engine.Consumer
	message  message.Message // scratch
}

// prepare makes sure that the room's exchange or the queue exists, and that the user may enter: what can be known before
// the first client comes.
func (s *settings) prepare(env front.Env) error {
	client, err := s.login(env, engine.ClientInfo{Protocol: string(s.mode)}, true)
	if err != nil {
		return err
	}
	b := env.Engine.NewBatch()
	defer b.End()
	defer client.Close(b)
	if s.mode == queue {
		_, err := client.CheckQueue(s.target)
		if missing(err) {
			_, err = client.DeclareQueue(engine.QueueSpec{Name: s.target, Durable: s.durable})
		}
		return err
	}
	err = client.CheckExchange(s.target)
	if missing(err) {
		return client.DeclareExchange(engine.ExchangeSpec{Name: s.target, Type: exchange.Fanout, Durable: s.durable})
	}
	if err != nil {
		return err
	}
	for _, x := range client.VHost().Exchanges() {
		if x.Name == s.target && x.Type != exchange.Fanout {
			return errors.New("exchange '" + s.target + "' is of type " + string(x.Type) + ": a room needs one of type fanout")
		}
	}
	return nil
}

func missing(err error) bool {
	e, ok := errors.AsType[*engine.Error](err)
	return ok && e.Kind == engine.NotFound
}

// login opens a client in the name of the listener's user.
func (s *settings) login(env front.Env, info engine.ClientInfo, loopback bool) (*engine.Client, error) {
	user, err := env.Engine.Users().AuthenticateVerified(s.user, loopback)
	if err != nil {
		return nil, err
	}
	return env.Engine.Open(s.vhost, user, info)
}

// join takes the client's place, and its seat in a room; consume starts the deliveries.
func (m *membership) join(env front.Env, s *settings, info engine.ClientInfo, loopback bool) (err error) {
	m.settings = s
	m.batch = env.Engine.NewBatch()
	m.client, err = s.login(env, info, loopback)
	return err
}

// consume makes the client a consumer: of the queue, or of a queue of its own that is bound to the room's exchange.
func (m *membership) consume(sink engine.Sink) error {
	name := m.settings.target
	if m.settings.mode == room {
		d, err := m.client.DeclareQueue(engine.QueueSpec{Exclusive: true, AutoDelete: true})
		if err != nil {
			return err
		}
		name = d.Name
		m.own = []byte(name)
		if err := m.client.BindQueue(m.settings.target, name, exchange.Binding{}); err != nil {
			return err
		}
	}
	consumer, err := m.client.Consume(engine.ConsumerSpec{Queue: name, Tag: string(m.settings.mode), NoAck: true}, sink)
	if err != nil {
		return err
	}
	m.consumer = consumer
	consumer.Wake(m.batch)
	return nil
}

// publish sends one line on its way.
func (m *membership) publish(target, body []byte) error {
	if m.settings.mode == room {
		m.message = message.Message{Exchange: target, Key: m.own, Body: body}
	} else {
		m.message = message.Message{Key: target, Body: body}
	}
	queues, err := m.client.Publish(m.batch, &m.message)
	m.message.Body = nil
	if err == nil && queues == 0 && m.settings.mode == queue {
		err = errDeleted
	}
	return err
}

// isOwn reports whether a delivery is the client's own line. What others send to its queue by name has the same key and
// another exchange.
func (m *membership) isOwn(d *engine.Delivery) bool {
	return m.settings.mode == room && string(d.Message.Key) == string(m.own) && string(d.Message.Exchange) == m.settings.target
}

// unlisten ceases to consume.
func (m *membership) unlisten() {
	if m.consumer != nil {
		m.consumer.Cancel(m.batch)
	}
}

// leave gives the place back.
func (m *membership) leave() {
	if m.client == nil {
		return
	}
	m.unlisten()
	m.client.Close(m.batch)
	m.batch.End()
}
