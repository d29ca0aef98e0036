// Command amqp091go plays every part of the RabbitMQ tutorials with
// rabbitmq/amqp091-go. The parts, their flags and their output lines are those
// of the Python scripts beside it, so that a test can put either language at
// either end.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// options are the flags of all parts; each part reads those that it needs.
type options struct {
	url, queue, exchange     string
	prefetch                 int
	durable, passive, direct bool
	rest                     []string
}

var parts = map[string]func(*amqp.Connection, *amqp.Channel, options) error{
	"send":                send,
	"receive":             receive,
	"new_task":            newTask,
	"worker":              worker,
	"declare":             declare,
	"emit_log":            emitLog,
	"receive_logs":        receiveLogs,
	"emit_log_direct":     emitKeyed(amqp.ExchangeDirect),
	"receive_logs_direct": receiveKeyed(amqp.ExchangeDirect),
	"emit_log_topic":      emitKeyed(amqp.ExchangeTopic),
	"receive_logs_topic":  receiveKeyed(amqp.ExchangeTopic),
	"rpc_server":          rpcServer,
	"rpc_client":          rpcClient,
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("amqp091go: ")
	if len(os.Args) < 2 || parts[os.Args[1]] == nil {
		log.Fatal("usage: amqp091go PART [flags]")
	}
	var o options
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&o.url, "url", "", "")
	flags.StringVar(&o.queue, "queue", "", "")
	flags.StringVar(&o.exchange, "exchange", "", "")
	flags.IntVar(&o.prefetch, "prefetch", 0, "")
	flags.BoolVar(&o.durable, "durable", false, "")
	flags.BoolVar(&o.passive, "passive", false, "")
	flags.BoolVar(&o.direct, "direct", false, "")
	flags.Parse(os.Args[2:])
	o.rest = flags.Args()

	conn, err := amqp.Dial(o.url)
	if err != nil {
		log.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		log.Fatal(err)
	}
	if err := parts[os.Args[1]](conn, ch, o); err != nil {
		log.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		log.Fatal(err)
	}
}

// lines delivers standard input line by line and is closed at its end.
func lines() <-chan string {
	c := make(chan string)
	go func() {
		defer close(c)
		for s := bufio.NewScanner(os.Stdin); s.Scan(); {
			c <- s.Text()
		}
	}()
	return c
}

func say(words ...any) { fmt.Println(words...) }

// each hands deliveries to f until standard input ends, whose lines go to
// onLine.
func each(deliveries <-chan amqp.Delivery, f func(amqp.Delivery) error, onLine func() error) error {
	input := lines()
	for {
		select {
		case d, open := <-deliveries:
			if !open {
				return errors.New("the broker ended the consumer")
			}
			if err := f(d); err != nil {
				return err
			}
		case _, open := <-input:
			if !open {
				return nil
			}
			if err := onLine(); err != nil {
				return err
			}
		}
	}
}

func ignore() error { return nil }

func send(_ *amqp.Connection, ch *amqp.Channel, o options) error {
	if _, err := ch.QueueDeclare(o.queue, false, false, false, false, nil); err != nil {
		return err
	}
	for _, body := range o.rest {
		if err := ch.Publish("", o.queue, false, false, amqp.Publishing{Body: []byte(body)}); err != nil {
			return err
		}
		say("sent", body)
	}
	return nil
}

func receive(_ *amqp.Connection, ch *amqp.Channel, o options) error {
	if _, err := ch.QueueDeclare(o.queue, false, false, false, false, nil); err != nil {
		return err
	}
	deliveries, err := ch.Consume(o.queue, "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	say("ready")
	return each(deliveries, sayBody, ignore)
}

func sayBody(d amqp.Delivery) error {
	say("received", string(d.Body))
	return nil
}

func newTask(_ *amqp.Connection, ch *amqp.Channel, o options) error {
	if _, err := ch.QueueDeclare(o.queue, true, false, false, false, nil); err != nil {
		return err
	}
	for _, body := range o.rest {
		task := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)}
		if err := ch.Publish("", o.queue, false, false, task); err != nil {
			return err
		}
		say("sent", body)
	}
	return nil
}

func worker(_ *amqp.Connection, ch *amqp.Channel, o options) error {
	if _, err := ch.QueueDeclare(o.queue, true, false, false, false, nil); err != nil {
		return err
	}
	if o.prefetch > 0 {
		if err := ch.Qos(o.prefetch, 0, false); err != nil {
			return err
		}
	}
	deliveries, err := ch.Consume(o.queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	say("ready")
	var held []amqp.Delivery
	done := func(d amqp.Delivery) error {
		// Said before it is done, so that the line is out when the broker knows.
		say("done", string(d.Body))
		return d.Ack(false)
	}
	return each(deliveries, func(d amqp.Delivery) error {
		fmt.Printf("received %s mode=%d redelivered=%t\n", d.Body, d.DeliveryMode, d.Redelivered)
		if strings.HasSuffix(string(d.Body), "hold") {
			held = append(held, d)
			return nil
		}
		return done(d)
	}, func() error {
		first := held[0]
		held = held[1:]
		return done(first)
	})
}

func declare(_ *amqp.Connection, ch *amqp.Channel, o options) error {
	declare := ch.QueueDeclare
	if o.passive {
		declare = ch.QueueDeclarePassive
	}
	q, err := declare(o.queue, o.durable, false, false, false, nil)
	var refusal *amqp.Error
	switch {
	case errors.As(err, &refusal):
		say("refused", refusal.Code, refusal.Reason)
	case err != nil:
		return err
	default:
		fmt.Printf("queue %s messages=%d consumers=%d\n", q.Name, q.Messages, q.Consumers)
	}
	return nil
}

func declareExchange(ch *amqp.Channel, name, kind string) error {
	return ch.ExchangeDeclare(name, kind, false, false, false, false, nil)
}

func emitLog(_ *amqp.Connection, ch *amqp.Channel, o options) error {
	if err := declareExchange(ch, o.exchange, amqp.ExchangeFanout); err != nil {
		return err
	}
	for _, body := range o.rest {
		if err := ch.Publish(o.exchange, "", false, false, amqp.Publishing{Body: []byte(body)}); err != nil {
			return err
		}
		say("sent", body)
	}
	return nil
}

// receiver consumes from a queue of its own, bound by the given keys.
func receiver(ch *amqp.Channel, o options, kind string, keys []string, f func(amqp.Delivery) error) error {
	if err := declareExchange(ch, o.exchange, kind); err != nil {
		return err
	}
	q, err := ch.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := ch.QueueBind(q.Name, key, o.exchange, false, nil); err != nil {
			return err
		}
	}
	deliveries, err := ch.Consume(q.Name, "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	say("ready", q.Name)
	return each(deliveries, f, ignore)
}

func receiveLogs(_ *amqp.Connection, ch *amqp.Channel, o options) error {
	return receiver(ch, o, amqp.ExchangeFanout, []string{""}, sayBody)
}

func emitKeyed(kind string) func(*amqp.Connection, *amqp.Channel, options) error {
	return func(_ *amqp.Connection, ch *amqp.Channel, o options) error {
		if err := declareExchange(ch, o.exchange, kind); err != nil {
			return err
		}
		for i := 0; i+1 < len(o.rest); i += 2 {
			key, body := o.rest[i], o.rest[i+1]
			if err := ch.Publish(o.exchange, key, false, false, amqp.Publishing{Body: []byte(body)}); err != nil {
				return err
			}
			say("sent", key, body)
		}
		return nil
	}
}

func receiveKeyed(kind string) func(*amqp.Connection, *amqp.Channel, options) error {
	return func(_ *amqp.Connection, ch *amqp.Channel, o options) error {
		return receiver(ch, o, kind, o.rest, func(d amqp.Delivery) error {
			say("received", d.RoutingKey, string(d.Body))
			return nil
		})
	}
}

func fib(n int) int {
	a, b := 0, 1
	for range n {
		a, b = b, a+b
	}
	return a
}

func rpcServer(_ *amqp.Connection, ch *amqp.Channel, o options) error {
	if _, err := ch.QueueDeclare(o.queue, false, false, false, false, nil); err != nil {
		return err
	}
	if err := ch.Qos(1, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.Consume(o.queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	say("ready")
	return each(deliveries, func(d amqp.Delivery) error {
		say("asked", string(d.Body))
		n, err := strconv.Atoi(string(d.Body))
		if err != nil {
			return err
		}
		answer := amqp.Publishing{CorrelationId: d.CorrelationId, Body: strconv.AppendInt(nil, int64(fib(n)), 10)}
		if err := ch.Publish("", d.ReplyTo, false, false, answer); err != nil {
			return err
		}
		return d.Ack(false)
	}, ignore)
}

func rpcClient(_ *amqp.Connection, ch *amqp.Channel, o options) error {
	replies := "amq.rabbitmq.reply-to"
	if !o.direct {
		q, err := ch.QueueDeclare("", false, false, true, false, nil)
		if err != nil {
			return err
		}
		replies = q.Name
	}
	deliveries, err := ch.Consume(replies, "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	for i, number := range o.rest {
		ticket := strconv.Itoa(i)
		question := amqp.Publishing{ReplyTo: replies, CorrelationId: ticket, Body: []byte(number)}
		if err := ch.Publish("", o.queue, false, false, question); err != nil {
			return err
		}
		for d := range deliveries {
			if d.CorrelationId == ticket {
				fmt.Printf("fib(%s) = %s\n", number, d.Body)
				break
			}
		}
	}
	return nil
}
