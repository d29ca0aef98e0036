package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

type amqpCmd struct {
	Publish amqpPublishCmd `cmd:"" help:"Publish a text, or each line of standard input."`
	Consume amqpConsumeCmd `cmd:"" help:"Print and acknowledge messages as they come."`
	Get     amqpGetCmd     `cmd:"" help:"Take waiting messages out of a queue, one at a time, and end when it is empty."`
}

// Help says with whom they talk.
func (*amqpCmd) Help() string {
	return `These work with any AMQP 0-9-1 broker, RabbitMQ too, and create nothing in it unless --declare says so.`
}

// Examples ends "warren amqp --help".
func (*amqpCmd) Examples() string {
	return `
warren amqp publish --queue jobs --declare 'first job'
warren amqp consume --queue jobs --count 1

# what a broker elsewhere has in its dead-letter queue, left there
warren amqp get --url amqps://ops:secret@rabbit.example.org/orders --queue dead --count 100 --requeue --format json
`
}

// AMQPFlags are common to the AMQP commands.
type AMQPFlags struct {
	URL   string `name:"url" default:"amqp://guest:guest@127.0.0.1:5672/" placeholder:"URL" help:"The broker: amqp or amqps://USER:PASSWORD@HOST:PORT/VHOST. Default: ${default}."`
	Queue string `placeholder:"NAME" help:"The queue."`

	Declare    bool     `help:"Create the queue when it is missing, and bind it where an exchange and a key are named. Without it nothing is created."`
	Durable    bool     `default:"true" negatable:"" help:"With --declare: what is created survives a restart of the broker. The default."`
	AutoDelete bool     `help:"With --declare: what is created goes with its last user."`
	Arg        []string `sep:"none" placeholder:"KEY=VALUE" help:"With --declare: an argument of the queue, such as x-queue-type=classic. KEY:=VALUE gives a JSON value."`
}

// ExchangeFlags are for the commands that name an exchange.
type ExchangeFlags struct {
	Exchange     string `placeholder:"NAME" help:"The exchange. Default: the default exchange, which routes by queue name."`
	ExchangeType string `enum:",direct,fanout,topic,headers" default:"" placeholder:"TYPE" help:"With --declare: create the exchange too, as direct, fanout, topic or headers."`
	Key          string `placeholder:"KEY" help:"The routing key; for a consumer, the binding key."`
}

// Validate refuses flags that would have no effect. kong calls it before Run.
func (f *AMQPFlags) Validate() error {
	if !f.Declare && (!f.Durable || f.AutoDelete || len(f.Arg) > 0) {
		return errors.New("--no-durable, --auto-delete and --arg have an effect only with --declare")
	}
	_, err := parseTable("--arg", f.Arg)
	return err
}

// open connects to the broker and opens a channel. The connection ends with ctx; the caller closes it in any case.
func (f *AMQPFlags) open(ctx context.Context, command string) (*amqp.Connection, *amqp.Channel, error) {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("warren amqp " + command)
	conn, err := amqp.DialConfig(f.URL, amqp.Config{
		Properties: properties,
		Dial: func(network, addr string) (net.Conn, error) {
			dialer := net.Dialer{Timeout: 30 * time.Second}
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			// The library takes the deadline off when the handshake is over.
			return c, c.SetDeadline(time.Now().Add(30 * time.Second))
		},
	})
	if err != nil {
		return nil, nil, f.explain(err)
	}
	channel, err := conn.Channel()
	if err != nil {
		conn.Close()
		return nil, nil, f.explain(err)
	}
	return conn, channel, nil
}

// declare creates what --declare asks for: the exchange when it has a type, the queue when it has a name (or, with an
// exchange and no name, an exclusive queue that the broker names), and the binding between the two. It returns the
// queue's name.
func (f *AMQPFlags) declare(channel *amqp.Channel, e ExchangeFlags, wantQueue bool) (string, error) {
	if !f.Declare {
		return f.Queue, nil
	}
	if e.ExchangeType != "" {
		if err := channel.ExchangeDeclare(e.Exchange, e.ExchangeType, f.Durable, f.AutoDelete, false, false, nil); err != nil {
			return "", err
		}
	}
	if f.Queue == "" && !wantQueue {
		return "", nil
	}
	args, err := parseTable("--arg", f.Arg)
	if err != nil {
		return "", err
	}
	own := f.Queue == ""
	queue, err := channel.QueueDeclare(f.Queue, f.Durable && !own, f.AutoDelete || own, own, false, args)
	if err != nil {
		return "", err
	}
	if e.Exchange != "" {
		err = channel.QueueBind(queue.Name, e.Key, e.Exchange, false, nil)
	}
	return queue.Name, err
}

// explain puts the broker's address, without its password, before an error, and an AMQP error in the protocol's terms.
func (f *AMQPFlags) explain(err error) error {
	where := f.URL
	if u, parseErr := url.Parse(f.URL); parseErr == nil {
		where = u.Redacted()
	}
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		if e.Code == 0 {
			return fmt.Errorf("%s: %s", where, e.Reason)
		}
		return fmt.Errorf("%s: %d %s", where, e.Code, e.Reason)
	}
	return fmt.Errorf("%s: %w", where, reason(err))
}

// parseTable reads KEY=VALUE (a string) and KEY:=VALUE (a JSON value: a number, true, false, a string or an object).
func parseTable(flag string, pairs []string) (amqp.Table, error) {
	table := make(amqp.Table, len(pairs))
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		key, typed := strings.CutSuffix(key, ":")
		if !ok || key == "" {
			return nil, fmt.Errorf("%s %q: want KEY=VALUE or KEY:=VALUE", flag, pair)
		}
		if !typed {
			table[key] = text
			continue
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil || decoder.More() {
			return nil, fmt.Errorf("%s %q: %q is no JSON value", flag, pair, text)
		}
		table[key] = fieldValue(value)
	}
	return table, nil
}

// fieldValue turns a decoded JSON value into one that an AMQP table can hold: whole numbers are 64-bit integers.
func fieldValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		n, _ := v.Float64() // a JSON number too large for a float64 becomes infinite, as in JavaScript
		return n
	case map[string]any:
		table := make(amqp.Table, len(v))
		for key, value := range v {
			table[key] = fieldValue(value)
		}
		return table
	case []any:
		for i := range v {
			v[i] = fieldValue(v[i])
		}
	}
	return v
}

// closeAMQP closes conn in order. An error here adds nothing: what was promised has been confirmed by now.
func closeAMQP(conn *amqp.Connection) { _ = conn.CloseDeadline(time.Now().Add(5 * time.Second)) }

// closeReason is why a channel ended, from its NotifyClose channel.
func closeReason(closed <-chan *amqp.Error) error {
	select {
	case e := <-closed:
		if e != nil {
			return e
		}
	default:
	}
	return amqp.ErrClosed
}

// limitOr is n, or the greatest int when n is 0, which stands for no limit.
func limitOr(n int) int { return cmp.Or(n, math.MaxInt) }
