package interop

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/interop/lab"
)

// What the brokers say to arguments that differ or are none, to names with line ends in them, and to unbinding what is not
// bound.
func TestAMQPArgumentsAndNamesWithRabbitMQ(t *testing.T) {
	peer := lab.RabbitMQ(t)
	addr := lab.Addr(t)
	lab.Serve(t, "amqp://"+addr)
	play := func(s *transcript) {
		ch := s.channel()
		x, q := s.name+"x", s.name+"q"
		s.need(ch.ExchangeDeclare(x, "direct", false, false, false, false, amqp.Table{"alternate-exchange": s.name + "ae"}))
		_, err := ch.QueueDeclare(q, false, false, false, false, amqp.Table{"x-message-ttl": int32(100000)})
		s.need(err)
		s.refused("ae other", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(x, "direct", false, false, false, false, amqp.Table{"alternate-exchange": "foo"})
		})
		s.refused("ae none", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(x, "direct", false, false, false, false, nil)
		})
		s.refused("ae int", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(x+"2", "direct", false, false, false, false, amqp.Table{"alternate-exchange": int32(1)})
		})
		s.refused("type quorum", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(q, false, false, false, false, amqp.Table{"x-message-ttl": int32(100000), "x-queue-type": "quorum"})
			return err
		})
		s.refused("type classic", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(q, false, false, false, false, amqp.Table{"x-message-ttl": int64(100000), "x-queue-type": "classic"})
			return err
		})
		s.refused("type nonsense", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(q, false, false, false, false, amqp.Table{"x-message-ttl": int64(100000), "x-queue-type": "foo"})
			return err
		})
		s.refused("ttl other", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(q, false, false, false, false, amqp.Table{"x-message-ttl": int32(10)})
			return err
		})
		s.refused("ttl text", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(q+"2", false, false, false, false, amqp.Table{"x-message-ttl": "10"})
			return err
		})
		s.refused("ttl neg", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(q+"2", false, false, false, false, amqp.Table{"x-message-ttl": int32(-10)})
			return err
		})
		s.refused("bind both missing", func(ch *amqp.Channel) error { return ch.QueueBind("nixq", "", "nixx", false, nil) })
		s.refused("xbind both missing", func(ch *amqp.Channel) error { return ch.ExchangeBind("nixd", "", "nixs", false, nil) })
		s.refused("unbind q missing", func(ch *amqp.Channel) error { return ch.QueueUnbind("nixq", "", "amq.topic", nil) })
		s.refused("unbind x missing", func(ch *amqp.Channel) error { return ch.QueueUnbind(q, "", "nixx", nil) })
		s.refused("xunbind missing", func(ch *amqp.Channel) error { return ch.ExchangeUnbind("nixd", "", "nixs", false, nil) })
		s.refused("x-match int", func(ch *amqp.Channel) error {
			return ch.QueueBind(q, "", "amq.headers", false, amqp.Table{"x-match": int32(1)})
		})
		other := s.channel()
		_, err = other.QueueDeclare(q+"ex", false, false, true, false, nil)
		s.need(err)
		s.refused("bind excl", func(ch *amqp.Channel) error { return ch.QueueBind(q+"ex", "", "amq.topic", false, nil) })
		s.refused("unbind excl not bound", func(ch *amqp.Channel) error { return ch.QueueUnbind(q+"ex", "", "amq.topic", nil) })
		s.refused("redeclare own excl", func(*amqp.Channel) error {
			_, err := other.QueueDeclare(q+"ex", true, false, true, false, nil)
			return err
		})
		s.refused("redeclare own excl as shared", func(*amqp.Channel) error {
			_, err := other.QueueDeclare(q+"ex", false, false, false, false, nil)
			return err
		})
		s.refused("reply declare", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("amq.rabbitmq.reply-to", false, false, false, false, nil)
			return err
		})
		s.refused("reply declare token", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive("amq.rabbitmq.reply-to.abc", false, false, false, false, nil)
			return err
		})
		s.refused("reply delete", func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete("amq.rabbitmq.reply-to", false, false, false)
			return err
		})
		s.refused("reply bind", func(ch *amqp.Channel) error {
			return ch.QueueBind("amq.rabbitmq.reply-to", "", "amq.topic", false, nil)
		})
		s.refused("cr lf", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(q+"\r\n", false, false, false, false, amqp.Table{"x-message-ttl": int32(100000)})
			return err
		})
		s.refused("purge cr lf", func(ch *amqp.Channel) error {
			_, err := ch.QueuePurge(q+"\n", false)
			return err
		})
		s.refused("bind cr lf", func(ch *amqp.Channel) error { return ch.QueueBind(q+"\n", "", "amq.topic", false, nil) })
		s.refused("delete cr lf", func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(q+"\n", false, false, false)
			return err
		})
		s.refused("gone?", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive(q, false, false, false, false, nil)
			return err
		})
		s.refused("bind amq.rabbitmq.trace", func(ch *amqp.Channel) error { return ch.QueueBind(q, "", "amq.rabbitmq.trace", false, nil) })
		s.refused("delete system missing", func(ch *amqp.Channel) error { return ch.ExchangeDelete("amq.nix", false, false) })
		ch.ExchangeDelete(x, false, false)
		ch.QueueDelete(q, false, false, false)
	}
	theirs := &transcript{t: t, url: peer, name: "interop-args-"}
	play(theirs)
	ours := &transcript{t: t, url: "amqp://guest:guest@" + addr + "/", name: "interop-args-"}
	play(ours)
	if d := difference(theirs.lines, ours.lines); d != "" {
		t.Errorf("transcripts differ (- RabbitMQ, + Warren):\n%s", d)
	}
}
