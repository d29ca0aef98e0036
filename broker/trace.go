package broker

import (
	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/message"
)

func tracePublished(f func(vhost, exchange, key string, body []byte, queues int)) func(*engine.Client, *message.Message, int) {
	return func(c *engine.Client, m *message.Message, queues int) {
		f(c.VHost().Name(), string(m.Exchange), string(m.Key), m.Body, queues)
	}
}

func traceDelivered(f func(vhost, queue string, body []byte, redelivered bool)) func(*engine.Delivery) {
	return func(d *engine.Delivery) {
		f(d.Queue.VHost().Name(), d.Queue.Name(), d.Message.Body, d.Redelivered)
	}
}
