package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

type amqpPublishCmd struct {
	AMQPFlags
	ExchangeFlags
	Count         int           `placeholder:"N" help:"TEXT: publish it so many times. Standard input: end after so many lines. Default: TEXT once, every line."`
	Confirm       bool          `default:"true" negatable:"" help:"Wait until the broker has confirmed every message. The default."`
	Mandatory     bool          `help:"Fail when a message reaches no queue. The default without --exchange, where a queue is named."`
	Persistent    bool          `help:"The messages survive a restart of the broker, in durable queues."`
	Header        []string      `sep:"none" placeholder:"KEY=VALUE" help:"A header. KEY:=VALUE gives a JSON value, such as retries:=3."`
	ContentType   string        `placeholder:"TYPE" help:"Such as application/json."`
	CorrelationID string        `name:"correlation-id" placeholder:"ID" help:"Ties a reply to its request."`
	ReplyTo       string        `placeholder:"QUEUE" help:"Where the reply goes."`
	MessageID     string        `name:"message-id" placeholder:"ID" help:"The message's own name."`
	Type          string        `placeholder:"NAME" help:"The kind of message, as the programs agree."`
	AppID         string        `name:"app-id" placeholder:"NAME" help:"The program that sent it."`
	Priority      uint8         `placeholder:"0..255" help:"For queues with x-max-priority."`
	Expiration    time.Duration `placeholder:"DURATION" help:"The message is dropped when it has waited so long in a queue."`
	Text          *string       `arg:"" optional:"" help:"The body. Without it, each line of standard input is a message."`
}

// Help says what a message is and when it is safe.
func (*amqpPublishCmd) Help() string {
	return `Without --exchange, the message goes to the queue that --queue or --key names, and it is an error when there is none. It exits 0 when the broker has confirmed every message, and with one line when it refused or (with --mandatory) could not route one.`
}

// Examples ends "warren amqp publish --help".
func (*amqpPublishCmd) Examples() string {
	return `
# to a queue, made when it is missing
warren amqp publish --queue jobs --declare --persistent 'resize 17.png'

# to an exchange, a message a line
tail -f app.log | warren amqp publish --exchange amq.topic --key logs.app

# a request with headers
warren amqp publish --key rpc --reply-to answers --correlation-id 7 --header retries:=3 --content-type application/json '{"n": 30}'
`
}

// Validate checks that the flags name one destination. kong calls it before Run.
func (c *amqpPublishCmd) Validate() error {
	switch {
	case c.Exchange == "" && c.Key == "" && c.Queue == "":
		return errors.New("nowhere to publish: give --queue, or --exchange and --key")
	case c.Exchange == "" && c.Queue != "" && c.Key != "" && c.Key != c.Queue:
		return errors.New("--queue and --key name two queues; give one of them, or an --exchange")
	case c.Exchange != "" && c.Queue != "" && !c.Declare:
		return errors.New("--exchange decides which queues get the message; --queue beside it has an effect only with --declare")
	case c.Declare && c.Queue == "" && c.ExchangeType == "":
		return errors.New("--declare needs to know what to create: give --queue, or --exchange with --exchange-type")
	case c.ExchangeType != "" && (!c.Declare || c.Exchange == ""):
		return errors.New("--exchange-type has an effect only with --declare and --exchange")
	case c.Count < 0:
		return errors.New("--count must be above 0")
	case c.Expiration < 0:
		return errors.New("--expiration must be above 0")
	}
	_, err := parseTable("--header", c.Header)
	return err
}

// publishWindow is how many messages may wait for their confirms. It is large enough that the broker, not the way to
// it, sets the pace.
const publishWindow = 1000

// Run publishes.
func (c *amqpPublishCmd) Run(ctx context.Context, std stdio) error {
	conn, channel, err := c.open(ctx, "publish")
	if err != nil {
		return err
	}
	defer closeAMQP(conn)
	p := publisher{channel: channel, closed: channel.NotifyClose(make(chan *amqp.Error, 1)), returned: make(chan amqp.Return, 1)}
	channel.NotifyReturn(p.returned)
	if err := c.publish(ctx, std, &p); err != nil {
		return c.explain(err)
	}
	return nil
}

// publish declares what is asked for, publishes every message, and waits for the confirms.
func (c *amqpPublishCmd) publish(ctx context.Context, std stdio, p *publisher) error {
	if _, err := c.declare(p.channel, c.ExchangeFlags, false); err != nil {
		return err
	}
	if c.Confirm {
		if err := p.channel.Confirm(false); err != nil {
			return err
		}
	}
	message, err := c.message()
	if err != nil {
		return err
	}
	key := c.Key
	if c.Exchange == "" && key == "" {
		key = c.Queue
	}
	mandatory := c.Mandatory || c.Exchange == ""
	counted := p.countReturns()
	if c.Text != nil {
		message.Body = []byte(*c.Text)
		for range max(c.Count, 1) {
			if err := p.send(ctx, c.Exchange, key, mandatory, message); err != nil {
				return err
			}
		}
	} else {
		lines := readLines(ctx, std.in)
		for range limitOr(c.Count) {
			var l line
			select {
			case l = <-lines:
			case e := <-p.closed:
				if e == nil {
					return amqp.ErrClosed
				}
				return e
			case <-ctx.Done():
				l.err = io.EOF // what has been sent still wants its confirm
			}
			if l.err == io.EOF {
				break
			} else if l.err != nil {
				return fmt.Errorf("standard input: %w", l.err)
			}
			message.Body = l.text
			if err := p.send(ctx, c.Exchange, key, mandatory, message); err != nil {
				return err
			}
		}
	}
	if err := p.settle(ctx, 0); err != nil {
		return err
	}
	// The answer to a close comes behind every return, and for a publisher without confirms behind every error.
	if err := p.channel.Close(); err != nil {
		return err
	}
	if back := <-counted; back.n > 0 {
		return fmt.Errorf("%d of %d messages reached no queue: %d %s", back.n, p.sent, back.first.ReplyCode, back.first.ReplyText)
	}
	select {
	case e := <-p.closed:
		if e != nil {
			return e
		}
	default:
	}
	return nil
}

// message is what the flags say of every message; the body is still to come.
func (c *amqpPublishCmd) message() (amqp.Publishing, error) {
	headers, err := parseTable("--header", c.Header)
	if err != nil {
		return amqp.Publishing{}, err
	}
	m := amqp.Publishing{
		Headers: headers, ContentType: c.ContentType, CorrelationId: c.CorrelationID, ReplyTo: c.ReplyTo,
		MessageId: c.MessageID, Type: c.Type, AppId: c.AppID, Priority: c.Priority, DeliveryMode: amqp.Transient,
	}
	if c.Persistent {
		m.DeliveryMode = amqp.Persistent
	}
	if c.Expiration > 0 {
		m.Expiration = strconv.FormatInt(max(c.Expiration.Milliseconds(), 1), 10) // AMQP counts milliseconds
	}
	return m, nil
}

// publisher sends on one channel and remembers which confirms it still waits for, the oldest first.
type publisher struct {
	channel  *amqp.Channel
	closed   chan *amqp.Error
	returned chan amqp.Return
	waiting  []*amqp.DeferredConfirmation
	sent     int
}

func (p *publisher) send(ctx context.Context, exchange, key string, mandatory bool, m amqp.Publishing) error {
	confirm, err := p.channel.PublishWithDeferredConfirm(exchange, key, mandatory, false, m)
	if errors.Is(err, amqp.ErrClosed) {
		return closeReason(p.closed)
	} else if err != nil {
		return err
	}
	p.sent++
	if confirm == nil {
		return nil // the channel is not in confirm mode
	}
	p.waiting = append(p.waiting, confirm)
	return p.settle(ctx, publishWindow)
}

// settle waits until at most most confirms are outstanding. When ctx is interrupted it waits 5 s more for the broker,
// since what has been sent is in the broker's hands.
func (p *publisher) settle(ctx context.Context, most int) error {
	for len(p.waiting) > most {
		oldest := p.waiting[0]
		select {
		case <-oldest.Done():
		case <-ctx.Done():
			select {
			case <-oldest.Done():
			case <-time.After(5 * time.Second):
				return fmt.Errorf("interrupted; %d of %d messages were not confirmed", len(p.waiting), p.sent)
			}
		}
		switch {
		case oldest.Acked():
			p.waiting = p.waiting[1:]
		case p.channel.IsClosed():
			return closeReason(p.closed)
		default:
			return errors.New("the broker refused a message (basic.nack)")
		}
	}
	return nil
}

// returns is how many messages came back, and the first of them.
type returns struct {
	n     int
	first amqp.Return
}

// countReturns counts what comes back until the channel ends.
func (p *publisher) countReturns() <-chan returns {
	counted := make(chan returns, 1)
	go func() {
		var all returns
		for r := range p.returned {
			if all.n == 0 {
				all.first = r
			}
			all.n++
		}
		counted <- all
	}()
	return counted
}
