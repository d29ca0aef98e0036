package interop

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/interop/lab"
)

// The operations of the differential test. What a case logs must not depend on
// the time or on the broker's own names.
var differentialCases = []struct {
	name string
	play func(s *transcript)
}{
	{"missing", func(s *transcript) {
		q, x := s.name+"q", s.name+"x"
		s.refused("passive declare of a queue", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive(q, false, false, false, false, nil)
			return err
		})
		s.refused("passive declare of an exchange", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive(x, "direct", false, false, false, false, nil)
		})
		s.refused("bind of a missing queue", func(ch *amqp.Channel) error { return ch.QueueBind(q, "k", "amq.direct", false, nil) })
		s.refused("bind to a missing exchange", func(ch *amqp.Channel) error {
			s.queue(ch, s.name+"exists")
			return ch.QueueBind(s.name+"exists", "k", x, false, nil)
		})
		s.refused("bind of a missing exchange to an exchange", func(ch *amqp.Channel) error {
			return ch.ExchangeBind(x, "k", "amq.direct", false, nil)
		})
		s.refused("unbind of a missing queue", func(ch *amqp.Channel) error { return ch.QueueUnbind(q, "k", "amq.direct", nil) })
		s.refused("unbind of a missing binding", func(ch *amqp.Channel) error {
			s.queue(ch, s.name+"exists")
			return ch.QueueUnbind(s.name+"exists", "k", "amq.direct", nil)
		})
		s.refused("get", func(ch *amqp.Channel) error {
			_, _, err := ch.Get(q, true)
			return err
		})
		s.refused("consume", func(ch *amqp.Channel) error {
			_, err := ch.Consume(q, "", true, false, false, false, nil)
			return err
		})
		s.refused("purge", func(ch *amqp.Channel) error {
			_, err := ch.QueuePurge(q, false)
			return err
		})
		s.refused("delete of a queue", func(ch *amqp.Channel) error {
			n, err := ch.QueueDelete(q, false, false, false)
			s.log("%d messages", n)
			return err
		})
		s.refused("delete of an exchange", func(ch *amqp.Channel) error { return ch.ExchangeDelete(x, false, false) })
		s.refused("cancel of an unknown consumer", func(ch *amqp.Channel) error { return ch.Cancel("nobody", false) })
		s.refusedLater("publish", func(ch *amqp.Channel) error {
			return ch.Publish(x, "k", false, false, amqp.Publishing{})
		})
		s.refused("no queue declared on this channel", func(ch *amqp.Channel) error {
			_, _, err := ch.Get("", true)
			return err
		})
	}},
	{"another declaration", func(s *transcript) {
		ch := s.channel()
		q, x := s.name+"q", s.name+"x"
		_, err := ch.QueueDeclare(q, true, false, false, false, nil)
		s.need(err)
		defer ch.QueueDelete(q, false, false, false)
		s.need(ch.ExchangeDeclare(x, "topic", true, false, false, false, nil))
		defer ch.ExchangeDelete(x, false, false)
		declare := func(what string, durable, autoDelete, exclusive bool) {
			s.refused(what, func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclare(q, durable, autoDelete, exclusive, false, nil)
				return err
			})
		}
		declare("the same", true, false, false)
		declare("not durable", false, false, false)
		declare("auto-delete", true, true, false)
		declare("exclusive", true, false, true)
		declareX := func(what, kind string, durable, autoDelete, internal bool) {
			s.refused(what, func(ch *amqp.Channel) error {
				return ch.ExchangeDeclare(x, kind, durable, autoDelete, internal, false, nil)
			})
		}
		declareX("the same", "topic", true, false, false)
		declareX("another type", "direct", true, false, false)
		declareX("not durable", "topic", false, false, false)
		declareX("auto-delete", "topic", true, true, false)
		declareX("internal", "topic", true, false, true)
	}},
	{"reserved names", func(s *transcript) {
		s.refused("a queue named amq.", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("amq.mine", false, false, true, false, nil)
			return err
		})
		s.refused("an exchange named amq.", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("amq.mine", "direct", false, false, false, false, nil)
		})
		s.refused("amq.topic as it is", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("amq.topic", "topic", true, false, false, false, nil)
		})
		s.refused("amq.topic not durable", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("amq.topic", "topic", false, false, false, false, nil)
		})
		s.refused("delete of amq.direct", func(ch *amqp.Channel) error { return ch.ExchangeDelete("amq.direct", false, false) })
		s.refused("declare of the default exchange", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("", "direct", true, false, false, false, nil)
		})
		s.refused("delete of the default exchange", func(ch *amqp.Channel) error { return ch.ExchangeDelete("", false, false) })
		s.refused("bind to the default exchange", func(ch *amqp.Channel) error {
			s.queue(ch, s.name)
			return ch.QueueBind(s.name, "k", "", false, nil)
		})
		s.refused("unbind from the default exchange", func(ch *amqp.Channel) error {
			s.queue(ch, s.name)
			return ch.QueueUnbind(s.name, s.name, "", nil)
		})
		for _, x := range []string{"amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"} {
			s.refused(x, func(ch *amqp.Channel) error {
				return ch.ExchangeDeclarePassive(x, "direct", false, false, false, false, nil)
			})
		}
	}},
	{"delivery tags", func(s *transcript) {
		s.refusedLater("ack of a tag that never was", func(ch *amqp.Channel) error { return ch.Ack(7, false) })
		s.refusedLater("nack of a tag that never was", func(ch *amqp.Channel) error { return ch.Nack(7, false, true) })
		s.refusedLater("ack up to a tag that never was", func(ch *amqp.Channel) error { return ch.Ack(7, true) })
		s.refusedLater("reject of a tag that never was", func(ch *amqp.Channel) error { return ch.Reject(7, true) })
		s.refusedLater("the second ack", func(ch *amqp.Channel) error {
			s.queue(ch, s.name)
			s.publish(ch, "", s.name, "one")
			d, _, err := ch.Get(s.name, false)
			s.need(err)
			s.need(d.Ack(false))
			return d.Ack(false)
		})
		s.refusedLater("ack of an automatic one", func(ch *amqp.Channel) error {
			s.queue(ch, s.name)
			s.publish(ch, "", s.name, "one")
			d, _, err := ch.Get(s.name, true)
			s.need(err)
			return d.Ack(false)
		})
		s.refused("ack of all when there is none", func(ch *amqp.Channel) error {
			s.need(ch.Ack(0, true))
			s.settled(ch)
			return nil
		})
	}},
	{"exclusive queues", func(s *transcript) {
		s.queue(s.channel(), s.name)
		s.refused("declare elsewhere", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare(s.name, false, false, true, false, nil)
			return err
		})
		s.refused("passive declare elsewhere", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive(s.name, false, false, true, false, nil)
			return err
		})
		s.refused("consume elsewhere", func(ch *amqp.Channel) error {
			_, err := ch.Consume(s.name, "", true, false, false, false, nil)
			return err
		})
		s.refused("get elsewhere", func(ch *amqp.Channel) error {
			_, _, err := ch.Get(s.name, true)
			return err
		})
		s.refused("bind elsewhere", func(ch *amqp.Channel) error { return ch.QueueBind(s.name, "k", "amq.direct", false, nil) })
		s.refused("purge elsewhere", func(ch *amqp.Channel) error {
			_, err := ch.QueuePurge(s.name, false)
			return err
		})
		s.refused("delete elsewhere", func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(s.name, false, false, false)
			return err
		})
		// Publishing is open to everybody.
		s.refused("publish elsewhere", func(ch *amqp.Channel) error {
			s.publish(ch, "", s.name, "hello")
			s.settled(ch)
			return nil
		})
	}},
	{"exclusive consumers", func(s *transcript) {
		ch := s.channel()
		_, err := ch.QueueDeclare(s.name, false, false, false, false, nil)
		s.need(err)
		defer ch.QueueDelete(s.name, false, false, false)
		consume := func(what string, exclusive bool) {
			s.refused(what, func(ch *amqp.Channel) error {
				_, err := ch.Consume(s.name, "", true, exclusive, false, false, nil)
				return err
			})
		}
		_, err = ch.Consume(s.name, "first", true, true, false, false, nil)
		s.need(err)
		consume("a second one beside an exclusive one", false)
		s.need(ch.Cancel("first", false))
		_, err = ch.Consume(s.name, "second", true, false, false, false, nil)
		s.need(err)
		consume("an exclusive one beside another", true)
		consume("a plain one beside another", false)
		s.refused("a consumer tag used twice", func(ch *amqp.Channel) error {
			_, err := ch.Consume(s.name, "tag", true, false, false, false, nil)
			s.need(err)
			_, err = ch.Consume(s.name, "tag", true, false, false, false, nil)
			return err
		})
	}},
	{"conditional deletes", func(s *transcript) {
		q, x := s.name+"q", s.name+"x"
		s.refused("of a queue in use", func(ch *amqp.Channel) error {
			s.queue(ch, q)
			_, err := ch.Consume(q, "", true, false, false, false, nil)
			s.need(err)
			_, err = ch.QueueDelete(q, true, false, false)
			return err
		})
		s.refused("of a queue with messages", func(ch *amqp.Channel) error {
			s.queue(ch, q)
			s.publish(ch, "", q, "one")
			s.settled(ch)
			_, err := ch.QueueDelete(q, false, true, false)
			return err
		})
		s.refused("of an exchange in use", func(ch *amqp.Channel) error {
			s.queue(ch, q)
			s.need(ch.ExchangeDeclare(x, "fanout", false, true, false, false, nil))
			s.need(ch.QueueBind(q, "", x, false, nil))
			return ch.ExchangeDelete(x, true, false)
		})
		s.refused("of what is idle", func(ch *amqp.Channel) error {
			s.queue(ch, q)
			s.publish(ch, "", q, "one", "two")
			s.settled(ch)
			n, err := ch.QueueDelete(q, true, false, false)
			s.log("%d messages", n)
			return err
		})
	}},
	{"auto-delete", func(s *transcript) {
		ch := s.channel()
		q, x := s.name+"q", s.name+"x"
		exists := func() {
			s.refused("queue", func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclarePassive(q, false, false, false, false, nil)
				return err
			})
			s.refused("exchange", func(ch *amqp.Channel) error {
				return ch.ExchangeDeclarePassive(x, "fanout", false, false, false, false, nil)
			})
		}
		s.need(ch.ExchangeDeclare(x, "fanout", false, true, false, false, nil))
		_, err := ch.QueueDeclare(q, false, true, false, false, nil)
		s.need(err)
		s.log("before the first use")
		exists()
		s.need(ch.QueueBind(q, "", x, false, nil))
		_, err = ch.Consume(q, "c", true, false, false, false, nil)
		s.need(err)
		s.log("in use")
		exists()
		s.need(ch.Cancel("c", false))
		s.log("after the last consumer, who took the last binding along")
		exists()
	}},
	{"redelivery", func(s *transcript) {
		conn := s.dial()
		ch, err := conn.Channel()
		s.need(err)
		_, err = ch.QueueDeclare(s.name, false, false, false, false, nil)
		s.need(err)
		s.publish(ch, "", s.name, "1", "2", "3", "4", "5", "6")
		s.settled(ch)
		deliveries, err := ch.Consume(s.name, "c", false, false, false, false, nil)
		s.need(err)
		var ds []amqp.Delivery
		for range 6 {
			ds = append(ds, s.next(deliveries))
		}
		s.need(ch.Cancel("c", false))
		s.need(ds[3].Nack(false, true))
		s.need(ds[1].Reject(true))
		s.need(ds[2].Reject(false))
		s.need(ds[4].Ack(false))
		s.settled(ch)
		other, err := conn.Channel()
		s.need(err)
		s.gets(other, s.name)
		s.log("the channel goes, with 1 and 6 on it")
		s.need(ch.Close())
		s.gets(other, s.name)
		n, err := other.QueueDelete(s.name, false, false, false)
		s.need(err)
		s.log("%d left", n)
	}},
	{"nack multiple", func(s *transcript) {
		ch := s.channel()
		s.queue(ch, s.name)
		s.publish(ch, "", s.name, "1", "2", "3", "4", "5")
		s.settled(ch)
		var ds []amqp.Delivery
		for range 5 {
			d, _, err := ch.Get(s.name, false)
			s.need(err)
			ds = append(ds, d)
		}
		s.need(ds[1].Ack(false))
		s.need(ds[2].Nack(true, true)) // 1 and 3
		s.need(ds[4].Ack(true))        // 4 and 5
		s.settled(ch)
		s.gets(ch, s.name)
	}},
	{"recover", func(s *transcript) {
		ch := s.channel()
		s.queue(ch, s.name)
		s.publish(ch, "", s.name, "1", "2")
		deliveries, err := ch.Consume(s.name, "c", false, false, false, false, nil)
		s.need(err)
		s.next(deliveries)
		s.next(deliveries)
		s.outcome("recover", ch.Recover(true))
		s.next(deliveries)
		d := s.next(deliveries)
		s.need(d.Ack(true))
		s.settled(ch)
		s.need(ch.Cancel("c", false))
		s.gets(ch, s.name)
		s.refused("recover without requeue", func(ch *amqp.Channel) error { return ch.Recover(false) })
	}},
	{"prefetch", func(s *transcript) {
		ch := s.channel()
		s.queue(ch, s.name)
		s.publish(ch, "", s.name, "1", "2", "3", "4", "5", "6", "7", "8")
		s.settled(ch)
		s.need(ch.Qos(2, 0, false))
		deliveries, err := ch.Consume(s.name, "c", false, false, false, false, nil)
		s.need(err)
		first := s.next(deliveries)
		second := s.next(deliveries)
		s.none(deliveries)
		s.need(second.Ack(false))
		s.next(deliveries)
		s.none(deliveries)
		s.need(first.Nack(false, true))
		again := s.next(deliveries)
		s.none(deliveries)
		s.need(again.Ack(true))
		s.next(deliveries)
		s.next(deliveries)
		s.none(deliveries)
		s.refused("a prefetch size", func(ch *amqp.Channel) error { return ch.Qos(0, 100, false) })
	}},
	{"prefetch of the channel", func(s *transcript) {
		ch := s.channel()
		s.queue(ch, s.name)
		s.publish(ch, "", s.name, "1", "2", "3", "4", "5", "6")
		s.settled(ch)
		s.need(ch.Qos(3, 0, true))
		a, err := ch.Consume(s.name, "a", false, false, false, false, nil)
		s.need(err)
		for range 3 {
			s.next(a)
		}
		b, err := ch.Consume(s.name, "b", false, false, false, false, nil)
		s.need(err)
		s.none(a)
		s.none(b)
	}},
	{"confirms", func(s *transcript) {
		ch := s.channel()
		s.queue(ch, s.name)
		s.need(ch.Confirm(false))
		s.need(ch.Confirm(false)) // again, which must not count anew
		confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 10))
		returns := ch.NotifyReturn(make(chan amqp.Return, 10))
		send := func(what, exchange, key string, mandatory bool) {
			s.need(ch.Publish(exchange, key, mandatory, false, amqp.Publishing{Body: []byte(what), MessageId: what}))
			select {
			case c := <-confirms:
				s.log("%s: confirm %d ack=%t", what, c.DeliveryTag, c.Ack)
			case <-time.After(lab.Patience):
				s.log("%s: no confirm", what)
			}
			select {
			case r := <-returns:
				s.log("%s: returned %d %s from %q by %q, %q, id %q", what, r.ReplyCode, r.ReplyText, r.Exchange, r.RoutingKey, r.Body, r.MessageId)
			default:
			}
		}
		send("routed", "", s.name, false)
		send("routed, mandatory", "", s.name, true)
		send("unroutable", "", s.name+"-nowhere", false)
		send("unroutable, mandatory", "", s.name+"-nowhere", true)
		send("unroutable, mandatory, by topic", "amq.topic", s.name+".nothing", true)
		s.gets(ch, s.name)
		s.refusedLater("immediate", func(ch *amqp.Channel) error {
			return ch.Publish("", s.name, false, true, amqp.Publishing{})
		})
	}},
	{"transactions", func(s *transcript) {
		ch := s.channel()
		s.queue(ch, s.name)
		s.need(ch.Tx())
		s.publish(ch, "", s.name, "dropped")
		s.need(ch.TxRollback())
		s.gets(ch, s.name)
		s.publish(ch, "", s.name, "1", "2")
		s.gets(ch, s.name)
		s.need(ch.TxCommit())
		d, _, err := ch.Get(s.name, false)
		s.need(err)
		s.need(d.Ack(false))
		s.need(ch.TxRollback()) // the ack is taken back, the message stays out
		s.gets(ch, s.name)
		s.need(d.Nack(false, true))
		s.need(ch.TxCommit())
		s.gets(ch, s.name)
		s.refused("commit without a transaction", func(ch *amqp.Channel) error { return ch.TxCommit() })
		s.refused("rollback without a transaction", func(ch *amqp.Channel) error { return ch.TxRollback() })
		s.refused("confirms in a transaction", func(ch *amqp.Channel) error {
			s.need(ch.Tx())
			return ch.Confirm(false)
		})
		s.refused("a transaction with confirms", func(ch *amqp.Channel) error {
			s.need(ch.Confirm(false))
			return ch.Tx()
		})
	}},
	{"headers exchange", func(s *transcript) {
		ch := s.channel()
		bind := map[string]amqp.Table{
			"all":      {"x-match": "all", "type": "report", "pages": int32(3)},
			"any":      {"x-match": "any", "type": "report", "pages": int32(3)},
			"default":  {"type": "report"},
			"present":  {"type": nil},
			"none":     {"x-match": "any"},
			"all none": {"x-match": "all"},
			"x- head":  {"x-match": "all", "x-special": "1", "type": "report"},
		}
		names := slices.Sorted(maps.Keys(bind))
		for _, name := range names {
			s.queue(ch, s.name+name)
			s.need(ch.QueueBind(s.name+name, "", "amq.headers", false, bind[name]))
		}
		for i, headers := range []amqp.Table{
			nil,
			{"type": "report"},
			{"type": "report", "pages": int32(3)},
			{"type": "report", "pages": int64(3)},
			{"type": "report", "pages": "3"},
			{"type": "memo", "pages": int32(3)},
			{"type": "report", "x-special": "2"},
		} {
			s.need(ch.Publish("amq.headers", "ignored", false, false, amqp.Publishing{Headers: headers, Body: fmt.Append(nil, i)}))
		}
		s.settled(ch)
		for _, name := range names {
			s.gets(ch, s.name+name)
		}
		s.refused("a wrong x-match", func(ch *amqp.Channel) error {
			s.queue(ch, s.name+"wrong")
			return ch.QueueBind(s.name+"wrong", "", "amq.headers", false, amqp.Table{"x-match": "some"})
		})
	}},
	{"exchange to exchange", func(s *transcript) {
		ch := s.channel()
		q, x, y := s.name+"q", s.name+"x", s.name+"y"
		s.queue(ch, q)
		s.need(ch.ExchangeDeclare(x, "topic", false, true, false, false, nil))
		s.need(ch.ExchangeDeclare(y, "fanout", false, true, true, false, nil))
		s.need(ch.ExchangeBind(y, "news.#", x, false, nil))
		s.need(ch.ExchangeBind(x, "loop", y, false, nil)) // a cycle
		s.need(ch.QueueBind(q, "", y, false, nil))
		s.need(ch.QueueBind(q, "news.local", x, false, nil))
		s.publish(ch, x, "news.world", "1")
		s.publish(ch, x, "news.local", "2 once")
		s.publish(ch, x, "sport", "3")
		s.settled(ch)
		s.gets(ch, q)
		s.need(ch.ExchangeUnbind(y, "news.#", x, false, nil))
		s.publish(ch, x, "news.world", "4")
		s.publish(ch, x, "news.local", "5")
		s.settled(ch)
		s.gets(ch, q)
		s.refusedLater("publish to an internal exchange", func(ch *amqp.Channel) error {
			return ch.Publish(y, "", false, false, amqp.Publishing{})
		})
	}},
	{"topic keys", func(s *transcript) {
		ch := s.channel()
		patterns := []string{"#", "", "*", "a.*", "*.b", "#.b", "a.#", "a.#.b", "*.*", "#.#", "*.#", "#.*", "a.*.#.c", "a..b"}
		for _, p := range patterns {
			s.queue(ch, s.name+p)
			s.need(ch.QueueBind(s.name+p, p, "amq.topic", false, nil))
		}
		for _, key := range []string{"", "a", "b", ".", "a.", ".b", "a.b", "a.x.b", "a..b", "a.b.c", "a.b.c.c", "a.b.b", "A.b", "*", "#", "a.*"} {
			s.publish(ch, "amq.topic", key, key)
		}
		s.settled(ch)
		for _, p := range patterns {
			s.gets(ch, s.name+p)
		}
	}},
	{"properties and headers", func(s *transcript) {
		ch := s.channel()
		s.queue(ch, s.name)
		when := time.Unix(1_700_000_000, 0).UTC()
		full := amqp.Publishing{
			ContentType: "text/plain", ContentEncoding: "gzip", DeliveryMode: amqp.Persistent, Priority: 7,
			CorrelationId: "c", ReplyTo: "r", Expiration: "60000", MessageId: "m", Timestamp: when, Type: "t",
			UserId: "guest", AppId: "a", Body: []byte("full"),
			Headers: amqp.Table{
				"bool": true, "int8": int8(-8), "uint8": uint8(200), "int16": int16(-16), "int32": int32(-32), "int64": int64(-64),
				"float32": float32(1.5), "float64": 2.5, "decimal": amqp.Decimal{Scale: 2, Value: 314}, "string": "naïve ☃",
				"bytes": []byte{0, 255}, "time": when, "nil": nil,
				"table": amqp.Table{"inner": amqp.Table{"deep": int32(1)}}, "array": []any{int32(1), "two", amqp.Table{"three": nil}},
			},
		}
		for _, p := range []amqp.Publishing{{}, full, {Headers: amqp.Table{}, Body: []byte("empty headers")}} {
			s.need(ch.Publish("", s.name, false, false, p))
			d, _, err := ch.Get(s.name, true)
			s.need(err)
			s.log("%q %q %d %d %q %q %q %q %v %q %q %q %q", d.ContentType, d.ContentEncoding, d.DeliveryMode, d.Priority,
				d.CorrelationId, d.ReplyTo, d.Expiration, d.MessageId, d.Timestamp.UTC(), d.Type, d.UserId, d.AppId, d.Body)
			keys := make([]string, 0, len(d.Headers))
			for k := range d.Headers {
				keys = append(keys, k)
			}
			sort.Strings(keys)
			for _, k := range keys {
				v := d.Headers[k]
				if at, ok := v.(time.Time); ok {
					v = at.UTC()
				}
				s.log("  %s: %T %v", k, v, v)
			}
		}
		s.refusedLater("another user's id", func(ch *amqp.Channel) error {
			return ch.Publish("", s.name, false, false, amqp.Publishing{UserId: "somebody"})
		})
	}},
	{"body sizes", func(s *transcript) {
		conn := s.dial()
		ch, err := conn.Channel()
		s.need(err)
		s.queue(ch, s.name)
		deliveries, err := ch.Consume(s.name, "", true, false, false, false, nil)
		s.need(err)
		s.log("frame max %d", conn.Config.FrameSize)
		frame := 131072
		for _, size := range []int{0, 1, 1000, frame - 9, frame - 8, frame - 7, frame, 2*(frame-8) + 1, 3 << 20} {
			body := make([]byte, size)
			for i := range body {
				body[i] = byte(i * 31)
			}
			s.need(ch.Publish("", s.name, false, false, amqp.Publishing{Body: body}))
			select {
			case d := <-deliveries:
				s.log("%d bytes, equal: %t", len(d.Body), bytes.Equal(d.Body, body))
			case <-time.After(lab.Patience):
				s.log("%d bytes did not come", size)
			}
		}
	}},
	{"get", func(s *transcript) {
		ch := s.channel()
		s.queue(ch, s.name)
		s.gets(ch, s.name)
		s.publish(ch, "", s.name, "1", "2", "3")
		s.settled(ch)
		d, ok, err := ch.Get(s.name, false)
		s.need(err)
		s.log("%t tag %d %q of %q by %q, %d after it", ok, d.DeliveryTag, d.Body, d.Exchange, strings.TrimPrefix(d.RoutingKey, s.name), d.MessageCount)
		n, err := ch.QueuePurge(s.name, false)
		s.log("purged %d", n)
		s.outcome("purge", err)
		s.need(d.Nack(false, true))
		s.settled(ch)
		s.gets(ch, s.name)
	}},
	{"the queue named last", func(s *transcript) {
		ch := s.channel()
		s.queue(ch, s.name)
		s.outcome("bind with no name and no key", ch.QueueBind("", "", "amq.direct", false, nil))
		s.publish(ch, "amq.direct", s.name, "by its name")
		s.publish(ch, "amq.direct", "", "by the empty key")
		s.settled(ch)
		s.gets(ch, "")
		q, err := ch.QueueDeclarePassive("", false, false, false, false, nil)
		s.log("passive declare names it: %t", q.Name == s.name)
		s.outcome("passive declare with no name", err)
	}},
	{"a queue is deleted under its consumer", func(s *transcript) {
		conn := s.dial()
		ch, err := conn.Channel()
		s.need(err)
		s.queue(ch, s.name)
		cancelled := ch.NotifyCancel(make(chan string, 1))
		deliveries, err := ch.Consume(s.name, "me", false, false, false, false, nil)
		s.need(err)
		s.publish(ch, "", s.name, "unacknowledged")
		d := s.next(deliveries)
		other, err := conn.Channel()
		s.need(err)
		n, err := other.QueueDelete(s.name, false, false, false)
		s.log("deleted with %d messages", n)
		s.outcome("delete", err)
		select {
		case tag := <-cancelled:
			s.log("cancelled %s", tag)
		case <-time.After(lab.Patience):
			s.log("not told")
		}
		s.need(d.Ack(false))
		s.settled(ch)
		s.log("its message may still be acknowledged")
	}},
	{"exclusive queues go with their connection", func(s *transcript) {
		conn := s.dial()
		ch, err := conn.Channel()
		s.need(err)
		s.queue(ch, s.name)
		s.need(ch.Close())
		other, err := conn.Channel()
		s.need(err)
		_, err = other.QueueDeclarePassive(s.name, false, false, true, false, nil)
		s.outcome("after its channel has closed", err)
		s.need(conn.Close())
		s.refused("after its connection has closed", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive(s.name, false, false, true, false, nil)
			return err
		})
	}},
	{"cancel", func(s *transcript) {
		ch := s.channel()
		s.queue(ch, s.name)
		s.publish(ch, "", s.name, "1")
		deliveries, err := ch.Consume(s.name, "c", false, false, false, false, nil)
		s.need(err)
		d := s.next(deliveries)
		s.outcome("cancel", ch.Cancel("c", false))
		s.publish(ch, "", s.name, "2")
		s.settled(ch)
		q, err := ch.QueueDeclarePassive(s.name, false, false, true, false, nil)
		s.need(err)
		s.log("%d messages, %d consumers", q.Messages, q.Consumers)
		s.outcome("ack after cancel", d.Ack(false))
		s.settled(ch)
		s.gets(ch, s.name)
	}},
	{"login", func(s *transcript) {
		try := func(what, user, vhost string) {
			url := strings.Replace(strings.TrimSuffix(s.url, "/"), "guest:guest", user, 1) + vhost
			_, err := amqp.DialConfig(url, amqp.Config{Heartbeat: 10 * time.Second})
			s.outcome(what, err)
		}
		try("a wrong password", "guest:wrong", "/")
		try("an unknown user", "nobody:guest", "/")
		try("an unknown vhost", "guest:guest", "/nowhere")
	}},
	{"server properties", func(s *transcript) {
		conn := s.dial()
		capabilities, _ := conn.Properties["capabilities"].(amqp.Table)
		for _, k := range slices.Sorted(maps.Keys(capabilities)) {
			if k == "consumer_priorities" {
				continue // which Warren does not have yet, and does not claim
			}
			s.log("%s: %v", k, capabilities[k])
		}
		s.log("%v, %d channels, frames of %d", conn.Locales, conn.Config.ChannelMax, conn.Config.FrameSize)
		s.log("product %v", conn.Properties["product"])
		s.log("AMQP %d-%d", conn.Major, conn.Minor)
	}},
}
