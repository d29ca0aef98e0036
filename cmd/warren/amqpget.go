package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	amqp "github.com/rabbitmq/amqp091-go"
)

type amqpGetCmd struct {
	AMQPFlags
	ExchangeFlags
	PrintFlags
	Count   int  `default:"1" placeholder:"N" help:"At most so many messages. Default: ${default}."`
	Requeue bool `help:"Put the messages back after printing them."`
}

// Help says what an empty queue means.
func (*amqpGetCmd) Help() string {
	return `Takes what is waiting, prints it, and acknowledges it. It exits 1 when there was no message at all.`
}

// Examples ends "warren amqp get --help".
func (*amqpGetCmd) Examples() string {
	return `
warren amqp get --queue jobs

# look at the first ten and leave them there
warren amqp get --queue jobs --count 10 --requeue --format json
`
}

// Validate checks that the flags name a queue. kong calls it before Run.
func (c *amqpGetCmd) Validate() error {
	switch {
	case c.Queue == "":
		return errors.New("no queue to get from: give --queue")
	case !c.Declare && (c.Exchange != "" || c.Key != "" || c.ExchangeType != ""):
		return errors.New("--exchange, --exchange-type and --key bind the queue, so they have an effect only with --declare")
	case c.Exchange == "" && (c.Key != "" || c.ExchangeType != ""):
		return errors.New("--key and --exchange-type have an effect only with --exchange")
	case c.Count < 1:
		return errors.New("--count must be above 0")
	}
	return nil
}

// Run gets.
func (c *amqpGetCmd) Run(ctx context.Context, std stdio) error {
	conn, channel, err := c.open(ctx, "get")
	if err != nil {
		return err
	}
	defer closeAMQP(conn)
	if err := c.get(ctx, channel, std.out); err != nil {
		return c.explain(err)
	}
	return nil
}

func (c *amqpGetCmd) get(ctx context.Context, channel *amqp.Channel, out io.Writer) error {
	if _, err := c.declare(channel, c.ExchangeFlags, true); err != nil {
		return err
	}
	var last amqp.Delivery
	printed := 0
	for printed < c.Count && ctx.Err() == nil {
		d, ok, err := channel.Get(c.Queue, false)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := printDelivery(out, c.Format, d); err != nil {
			return err
		}
		printed, last = printed+1, d
		if !c.Requeue {
			if err := d.Ack(false); err != nil {
				return err
			}
		}
	}
	if printed == 0 {
		return fmt.Errorf("the queue %q is empty", c.Queue)
	}
	if c.Requeue {
		if err := last.Nack(true, true); err != nil {
			return err
		}
	}
	return channel.Close()
}
