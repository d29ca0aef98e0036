package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"
)

// PrintFlags choose how a message is printed.
type PrintFlags struct {
	Format string `default:"text" enum:"text,json" placeholder:"FORMAT" help:"text prints the body and a newline; json prints an object a line, with the properties. Default: ${default}."`
}

type amqpConsumeCmd struct {
	AMQPFlags
	ExchangeFlags
	PrintFlags
	Count    int           `placeholder:"N" help:"End after so many messages; no further message is taken from the queue. Default: go on until interrupted."`
	Prefetch int           `default:"100" placeholder:"N" help:"How many messages the broker may send ahead of their acknowledgement, up to 65535. Default: ${default}."`
	Timeout  time.Duration `placeholder:"DURATION" help:"End when no message has come for so long; with fewer than --count messages, exit 1."`
}

// Help says when a message is acknowledged.
func (*amqpConsumeCmd) Help() string {
	return `A message is acknowledged after it has been printed. With --declare and an --exchange but no --queue, it listens through a queue of its own, bound by --key, that goes when it ends.`
}

// Examples ends "warren amqp consume --help".
func (*amqpConsumeCmd) Examples() string {
	return `
# a worker's view of a queue
warren amqp consume --queue jobs

# everything that is published below logs, from now on
warren amqp consume --exchange amq.topic --key 'logs.#' --declare

# three messages with their properties, for jq
warren amqp consume --queue jobs --count 3 --format json | jq .headers
`
}

// Validate checks that the flags name a queue. kong calls it before Run.
func (c *amqpConsumeCmd) Validate() error {
	switch {
	case c.Queue == "" && (c.Exchange == "" || !c.Declare):
		return errors.New("no queue to consume from: give --queue, or --exchange, --key and --declare for a queue of one's own")
	case !c.Declare && (c.Exchange != "" || c.Key != "" || c.ExchangeType != ""):
		return errors.New("--exchange, --exchange-type and --key bind the queue, so they have an effect only with --declare")
	case c.Exchange == "" && (c.Key != "" || c.ExchangeType != ""):
		return errors.New("--key and --exchange-type have an effect only with --exchange")
	case c.Count < 0:
		return errors.New("--count must be above 0")
	case c.Prefetch < 1 || c.Prefetch > 65535:
		return errors.New("--prefetch must be from 1 to 65535")
	case c.Timeout < 0:
		return errors.New("--timeout must be above 0")
	}
	return nil
}

// Run consumes.
func (c *amqpConsumeCmd) Run(ctx context.Context, std stdio) error {
	conn, channel, err := c.open(ctx, "consume")
	if err != nil {
		return err
	}
	defer closeAMQP(conn)
	if err := c.consume(ctx, channel, std.out); err != nil {
		return c.explain(err)
	}
	return nil
}

func (c *amqpConsumeCmd) consume(ctx context.Context, channel *amqp.Channel, out io.Writer) error {
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	cancelled := channel.NotifyCancel(make(chan string, 1))
	queue, err := c.declare(channel, c.ExchangeFlags, true)
	if err != nil {
		return err
	}
	prefetch := min(c.Prefetch, limitOr(c.Count))
	if err := channel.Qos(prefetch, 0, false); err != nil {
		return err
	}
	deliveries, err := channel.Consume(queue, consumerTag, false, false, false, false, nil)
	if err != nil {
		return err
	}
	var silence <-chan time.Time
	var last uint64 // the tag of the last message printed
	printed, acked := 0, 0
	for printed < limitOr(c.Count) {
		if c.Timeout > 0 {
			silence = time.After(c.Timeout)
		}
		select {
		case <-ctx.Done():
			return finish(channel, last, printed > acked)
		case <-silence:
			if err := finish(channel, last, printed > acked); err != nil || c.Count == 0 {
				return err
			}
			return fmt.Errorf("no message for %v; %d of %d came", c.Timeout, printed, c.Count)
		case <-cancelled:
			return fmt.Errorf("the broker cancelled the consumer: the queue %q has gone", queue)
		case d, ok := <-deliveries:
			if !ok {
				select {
				case <-cancelled:
					return fmt.Errorf("the broker cancelled the consumer: the queue %q has gone", queue)
				default:
					return closeReason(closed)
				}
			}
			if err := printDelivery(out, c.Format, d); err != nil {
				return err
			}
			printed, last = printed+1, d.DeliveryTag
			// An ack lets the broker send one more. Near the end there is none wanted, so the last acks wait for it.
			if acked+prefetch < limitOr(c.Count) {
				if err := d.Ack(false); err != nil {
					return closeReason(closed)
				}
				acked++
			}
		}
	}
	return finish(channel, last, printed > acked)
}

// consumerTag names the one consumer of a channel.
const consumerTag = "warren"

// finish ends the consumer, so that the last acknowledgements bring no new messages, acknowledges everything up to last,
// if something is left to acknowledge, and closes the channel, whose answer says that the broker has read all that.
func finish(channel *amqp.Channel, last uint64, left bool) error {
	if err := channel.Cancel(consumerTag, false); err != nil {
		return err
	}
	if left {
		if err := channel.Ack(last, true); err != nil {
			return err
		}
	}
	return channel.Close()
}

// printDelivery prints one message as text or as JSON, with one Write.
func printDelivery(out io.Writer, format string, d amqp.Delivery) error {
	if format == "text" {
		if _, err := out.Write(append(bytes.Clone(d.Body), '\n')); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		return nil
	}
	m := printedMessage{
		Exchange: d.Exchange, RoutingKey: d.RoutingKey, Redelivered: d.Redelivered,
		ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority,
		CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageID: d.MessageId,
		Timestamp: d.Timestamp, Type: d.Type, UserID: d.UserId, AppID: d.AppId, Headers: d.Headers,
	}
	if utf8.Valid(d.Body) {
		text := string(d.Body)
		m.Body = &text
	} else {
		m.BodyBase64 = d.Body
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// printedMessage is a message in JSON; properties that it does not carry are left out. The body is a string when it is
// valid UTF-8.
type printedMessage struct {
	Exchange        string     `json:"exchange"`
	RoutingKey      string     `json:"routing_key"`
	Redelivered     bool       `json:"redelivered"`
	ContentType     string     `json:"content_type,omitempty"`
	ContentEncoding string     `json:"content_encoding,omitempty"`
	DeliveryMode    uint8      `json:"delivery_mode,omitempty"`
	Priority        uint8      `json:"priority,omitempty"`
	CorrelationID   string     `json:"correlation_id,omitempty"`
	ReplyTo         string     `json:"reply_to,omitempty"`
	Expiration      string     `json:"expiration,omitempty"`
	MessageID       string     `json:"message_id,omitempty"`
	Timestamp       time.Time  `json:"timestamp,omitzero"`
	Type            string     `json:"type,omitempty"`
	UserID          string     `json:"user_id,omitempty"`
	AppID           string     `json:"app_id,omitempty"`
	Headers         amqp.Table `json:"headers,omitempty"`
	Body            *string    `json:"body,omitempty"`
	BodyBase64      []byte     `json:"body_base64,omitempty"`
}
