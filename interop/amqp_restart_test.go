package interop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/interop/lab"
)

// A restart case has a part before an orderly restart of the broker and one after it. The channels of the part before stay
// open until the broker ends.
type restartCase struct {
	name          string
	before, after func(s *transcript)
}

// declare declares a queue, and says how that went.
func (s *transcript) declare(ch *amqp.Channel, name string, durable, autoDelete bool, args amqp.Table) {
	s.t.Helper()
	_, err := ch.QueueDeclare(name, durable, autoDelete, false, false, args)
	s.need(err)
}

// look says whether there is a queue, and how many messages it has.
func (s *transcript) look(queue string) {
	s.t.Helper()
	s.refused("look at "+strings.TrimPrefix(queue, s.name), func(ch *amqp.Channel) error {
		q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		if err == nil {
			s.log("%s has %d messages", strings.TrimPrefix(queue, s.name), q.Messages)
		}
		return err
	})
}

// send publishes messages and waits for their confirms.
func (s *transcript) send(ch *amqp.Channel, exchange, key string, messages ...amqp.Publishing) {
	s.t.Helper()
	s.need(ch.Confirm(false))
	for _, m := range messages {
		c, err := ch.PublishWithDeferredConfirm(exchange, key, false, false, m)
		s.need(err)
		if !c.Wait() {
			s.log("%q was refused", m.Body)
		}
	}
}

func persistent(bodies ...string) []amqp.Publishing {
	out := make([]amqp.Publishing, len(bodies))
	for i, b := range bodies {
		out[i] = amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(b)}
	}
	return out
}

func transient(bodies ...string) []amqp.Publishing {
	out := make([]amqp.Publishing, len(bodies))
	for i, b := range bodies {
		out[i] = amqp.Publishing{DeliveryMode: amqp.Transient, Body: []byte(b)}
	}
	return out
}

// take gets n messages and settles none.
func (s *transcript) take(ch *amqp.Channel, queue string, n int) (last uint64) {
	s.t.Helper()
	for range n {
		d, ok, err := ch.Get(queue, false)
		s.need(err)
		if !ok {
			s.t.Fatalf("%s is empty", queue)
		}
		last = d.DeliveryTag
	}
	return last
}

var restartCases = []restartCase{
	{"persistent and transient messages", func(s *transcript) {
		ch := s.channel()
		s.declare(ch, s.name+"q", true, false, nil)
		s.send(ch, "", s.name+"q", persistent("1", "2")...)
		s.send(ch, "", s.name+"q", transient("3")...)
		s.send(ch, "", s.name+"q", persistent("4")...)
		s.send(ch, "", s.name+"q", transient("5")...)
	}, func(s *transcript) {
		s.look(s.name + "q")
		s.gets(s.channel(), s.name+"q")
	}},
	{"queues", func(s *transcript) {
		ch := s.channel()
		s.declare(ch, s.name+"durable", true, false, nil)
		s.declare(ch, s.name+"transient", false, false, nil)
		s.declare(ch, s.name+"durable-auto-delete", true, true, nil)
		s.declare(ch, s.name+"deleted", true, false, nil)
		for _, q := range []string{"durable", "transient", "durable-auto-delete", "deleted"} {
			s.send(ch, "", s.name+q, persistent("in "+q)...)
		}
		_, err := ch.QueueDelete(s.name+"deleted", false, false, false)
		s.need(err)
		_, err = ch.QueueDeclare(s.name+"exclusive", true, false, true, false, nil)
		s.need(err)
	}, func(s *transcript) {
		for _, q := range []string{"durable", "transient", "durable-auto-delete", "deleted", "exclusive"} {
			s.look(s.name + q)
		}
		ch := s.channel()
		s.gets(ch, s.name+"durable")
		s.gets(ch, s.name+"durable-auto-delete")
		s.declare(ch, s.name+"deleted", true, false, nil)
		s.gets(ch, s.name+"deleted")
	}},
	{"a queue deleted and declared again", func(s *transcript) {
		ch := s.channel()
		s.declare(ch, s.name+"q", true, false, nil)
		s.send(ch, "", s.name+"q", persistent("old")...)
		_, err := ch.QueueDelete(s.name+"q", false, false, false)
		s.need(err)
		s.declare(ch, s.name+"q", true, false, amqp.Table{"x-message-ttl": int32(3600000)})
		s.send(ch, "", s.name+"q", persistent("new")...)
	}, func(s *transcript) {
		s.gets(s.channel(), s.name+"q")
	}},
	{"acknowledged, delivered, given back", func(s *transcript) {
		ch := s.channel()
		s.declare(ch, s.name+"q", true, false, nil)
		s.send(ch, "", s.name+"q", persistent("1", "2", "3", "4", "5", "6", "7", "8")...)
		got := s.channel()
		last := s.take(got, s.name+"q", 6)
		s.need(got.Ack(last-5, false))        // 1
		s.need(got.Ack(last-3, false))        // 3
		s.need(got.Nack(last-2, false, true)) // 4 goes back to its place; 2, 5 and 6 are out
		s.settled(got)
	}, func(s *transcript) {
		s.look(s.name + "q")
		s.gets(s.channel(), s.name+"q")
	}},
	{"purged", func(s *transcript) {
		ch := s.channel()
		s.declare(ch, s.name+"q", true, false, nil)
		s.send(ch, "", s.name+"q", persistent("1", "2", "3")...)
		s.take(s.channel(), s.name+"q", 1)
		n, err := ch.QueuePurge(s.name+"q", false)
		s.need(err)
		s.log("purged %d", n)
		s.send(ch, "", s.name+"q", persistent("4")...)
	}, func(s *transcript) {
		s.gets(s.channel(), s.name+"q")
	}},
	{"a transaction, and one that was not committed", func(s *transcript) {
		ch := s.channel()
		s.declare(ch, s.name+"q", true, false, nil)
		s.need(ch.Tx())
		for _, m := range persistent("1", "2") {
			s.need(ch.Publish("", s.name+"q", false, false, m))
		}
		s.need(ch.TxCommit())
		s.take(ch, s.name+"q", 1)
		s.need(ch.Ack(1, false))
		s.need(ch.Publish("", s.name+"q", false, false, persistent("3")[0]))
		s.settled(ch)
	}, func(s *transcript) {
		s.gets(s.channel(), s.name+"q")
	}},
	{"arguments", func(s *transcript) {
		ch := s.channel()
		for _, q := range slices.Sorted(maps.Keys(restartArguments)) {
			s.declare(ch, s.name+q, true, false, restartArguments[q])
		}
	}, func(s *transcript) {
		for _, q := range slices.Sorted(maps.Keys(restartArguments)) {
			args := restartArguments[q]
			s.refused("declare "+q+" alike", func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclare(s.name+q, true, false, false, false, args)
				return err
			})
			s.refused("declare "+q+" without arguments", func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclare(s.name+q, true, false, false, false, nil)
				return err
			})
		}
	}},
	{"properties and headers", func(s *transcript) {
		ch := s.channel()
		s.declare(ch, s.name+"q", true, false, nil)
		s.send(ch, "", s.name+"q", amqp.Publishing{
			Headers:     amqp.Table{"k": "v", "n": int64(1) << 40, "t": amqp.Table{"list": []any{int32(1), "two", true}}},
			ContentType: "text/plain", ContentEncoding: "none", DeliveryMode: amqp.Persistent, Priority: 3, CorrelationId: "c", ReplyTo: "r",
			MessageId: "m", Timestamp: time.Unix(1700000000, 0), Type: "t", AppId: "a", Body: []byte("all"),
		})
		s.send(ch, "", s.name+"q", amqp.Publishing{DeliveryMode: amqp.Persistent})
	}, func(s *transcript) {
		ch := s.channel()
		for range 2 {
			d, ok, err := ch.Get(s.name+"q", true)
			s.need(err)
			s.log("%t %v %q %q mode=%d priority=%d %q %q %q at %v %q %q user %q expires %q: %q by %q", ok, d.Headers, d.ContentType, d.ContentEncoding, d.DeliveryMode,
				d.Priority, d.CorrelationId, d.ReplyTo, d.MessageId, d.Timestamp.UTC(), d.Type, d.AppId, d.UserId, d.Expiration, d.Body, strings.TrimPrefix(d.RoutingKey, s.name))
		}
	}},
	{"expiry that passes while nobody runs, and after", func(s *transcript) {
		ch := s.channel()
		s.declare(ch, s.name+"q", true, false, nil)
		s.declare(ch, s.name+"ttl", true, false, amqp.Table{"x-message-ttl": int32(300)})
		s.send(ch, "", s.name+"q", amqp.Publishing{DeliveryMode: amqp.Persistent, Expiration: "200", Body: []byte("soon")})
		s.send(ch, "", s.name+"q", amqp.Publishing{DeliveryMode: amqp.Persistent, Expiration: "3600000", Body: []byte("late")})
		s.send(ch, "", s.name+"ttl", persistent("soon")...)
	}, func(s *transcript) {
		time.Sleep(500 * time.Millisecond)
		ch := s.channel()
		s.gets(ch, s.name+"q")
		s.gets(ch, s.name+"ttl")
	}},
	{"exchanges and bindings", func(s *transcript) {
		ch := s.channel()
		for _, x := range []struct {
			name, kind          string
			durable, autoDelete bool
			args                amqp.Table
		}{
			{"topic", "topic", true, false, nil}, {"transient", "direct", false, false, nil}, {"auto-delete", "fanout", true, true, nil},
			{"headers", "headers", true, false, nil}, {"down", "fanout", true, false, nil},
			{"alternate", "direct", true, false, amqp.Table{"alternate-exchange": s.name + "down"}},
		} {
			s.need(ch.ExchangeDeclare(s.name+x.name, x.kind, x.durable, x.autoDelete, false, false, x.args))
		}
		s.declare(ch, s.name+"q", true, false, nil)
		s.declare(ch, s.name+"r", true, false, nil)
		s.declare(ch, s.name+"transient-queue", false, false, nil)
		s.need(ch.QueueBind(s.name+"q", "a.*", s.name+"topic", false, nil))
		s.need(ch.QueueBind(s.name+"q", "#.z", s.name+"topic", false, nil))
		s.need(ch.QueueBind(s.name+"r", "a.b", s.name+"topic", false, nil))
		s.need(ch.QueueUnbind(s.name+"r", "a.b", s.name+"topic", nil))
		s.need(ch.QueueBind(s.name+"transient-queue", "#", s.name+"topic", false, nil))
		s.need(ch.QueueBind(s.name+"q", "k", s.name+"transient", false, nil))
		s.need(ch.QueueBind(s.name+"q", "", s.name+"auto-delete", false, nil))
		s.need(ch.QueueBind(s.name+"q", "", s.name+"headers", false, amqp.Table{"x-match": "all", "n": int32(1), "s": "x"}))
		s.need(ch.ExchangeBind(s.name+"down", "a.#", s.name+"topic", false, nil))
		s.need(ch.QueueBind(s.name+"r", "", s.name+"down", false, nil))
	}, func(s *transcript) {
		for _, x := range []string{"topic", "transient", "auto-delete", "headers", "down", "alternate"} {
			s.refused("look at "+x, func(ch *amqp.Channel) error {
				return ch.ExchangeDeclarePassive(s.name+x, "direct", false, false, false, false, nil)
			})
		}
		ch := s.channel()
		for _, key := range []string{"a.b", "y.z", "a.b.c", "nowhere"} {
			s.send(ch, s.name+"topic", key, persistent("topic by "+key)...)
		}
		s.send(ch, s.name+"auto-delete", "", persistent("auto-delete")...)
		s.send(ch, s.name+"headers", "", amqp.Publishing{Headers: amqp.Table{"n": int32(1), "s": "x"}, Body: []byte("headers")})
		s.send(ch, s.name+"headers", "", amqp.Publishing{Headers: amqp.Table{"n": int32(2), "s": "x"}, Body: []byte("other headers")})
		s.send(ch, s.name+"alternate", "unknown", persistent("by the alternate exchange")...)
		s.gets(ch, s.name+"q")
		s.gets(ch, s.name+"r")
	}},
	{"a fan-out of both kinds of messages to both kinds of queues", func(s *transcript) {
		ch := s.channel()
		s.need(ch.ExchangeDeclare(s.name+"x", "fanout", true, false, false, false, nil))
		for _, q := range []string{"p", "q"} {
			s.declare(ch, s.name+q, true, false, nil)
		}
		s.declare(ch, s.name+"transient", false, false, nil)
		for _, q := range []string{"p", "q", "transient"} {
			s.need(ch.QueueBind(s.name+q, "", s.name+"x", false, nil))
		}
		s.send(ch, s.name+"x", "", persistent("1", "2", "3")...)
		s.send(ch, s.name+"x", "", transient("4")...)
		s.take(ch, s.name+"p", 2)
		s.need(ch.Ack(1, false))
		s.settled(ch)
	}, func(s *transcript) {
		ch := s.channel()
		s.gets(ch, s.name+"p")
		s.gets(ch, s.name+"q")
	}},
	{"large and empty bodies", func(s *transcript) {
		ch := s.channel()
		s.declare(ch, s.name+"q", true, false, nil)
		for _, n := range []int{0, 1, 4095, 4096, 4097, 65535, 65536, 131072, 1 << 20} {
			s.send(ch, "", s.name+"q", persistent(strings.Repeat("x", n))...)
		}
	}, func(s *transcript) {
		ch := s.channel()
		for range 10 {
			d, ok, err := ch.Get(s.name+"q", true)
			s.need(err)
			s.log("%t: %d bytes, all x: %t", ok, len(d.Body), strings.Trim(string(d.Body), "x") == "")
		}
	}},
}

// restartArguments are queues with arguments, by name. Those that Warren has no meaning for yet, it refuses.
var restartArguments = map[string]amqp.Table{
	"classic":     {"x-queue-type": "classic"},
	"message-ttl": {"x-message-ttl": int32(60000)},
	"mine":        {"x-mine": amqp.Table{"n": int32(1)}, "x-yours": []any{"a", int64(2)}},
	"both":        {"x-message-ttl": int32(60000), "x-mine": true},
}

// What is there after an orderly restart, and how, is the same on both brokers.
func TestAMQPRestartDifferentialWithRabbitMQ(t *testing.T) {
	peer := lab.OwnRabbitMQ(t)
	dir := t.TempDir()
	serve := func() (*lab.Process, string) {
		addr := lab.Addr(t)
		p := lab.Start(t, lab.Warren(t), "serve", "--listen", "amqp://"+addr, "--data", dir, "--min-free", "1MiB")
		p.LinesUntil("ready")
		return p, "amqp://guest:guest@" + addr + "/"
	}
	warren, url := serve()
	type pair struct{ theirs, ours *transcript }
	pairs := make([]pair, len(restartCases))
	for i, c := range restartCases {
		name := fmt.Sprintf("restart-%d-", i)
		pairs[i] = pair{&transcript{t: t, url: peer.URL, name: name}, &transcript{t: t, url: url, name: name}}
		c.before(pairs[i].theirs)
		c.before(pairs[i].ours)
	}
	peer.Restart(t)
	warren.Signal(syscall.SIGTERM)
	warren.Wait()
	_, url = serve()
	for i, c := range restartCases {
		t.Run(c.name, func(t *testing.T) {
			theirs, ours := pairs[i].theirs, pairs[i].ours
			theirs.t, ours.t, ours.url = t, t, url
			theirs.log("restarted")
			ours.log("restarted")
			c.after(theirs)
			c.after(ours)
			if diff := difference(theirs.lines, ours.lines); diff != "" {
				t.Errorf("transcripts differ (- RabbitMQ, + Warren):\n%s", diff)
			}
			if testing.Verbose() {
				t.Logf("\n%s", strings.Join(theirs.lines, "\n"))
			}
		})
	}
}
