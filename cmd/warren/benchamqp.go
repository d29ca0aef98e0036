package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"text/tabwriter"
	"time"

	"github.com/warrenmq/warren/load"
	loadamqp "github.com/warrenmq/warren/load/amqp"
)

type benchAMQPCmd struct {
	URL string `name:"url" default:"amqp://guest:guest@127.0.0.1:5672/" placeholder:"URL" help:"The broker: amqp://USER:PASSWORD@HOST:PORT/VHOST. Default: ${default}."`

	Publishers int           `default:"1" placeholder:"N" help:"Publishing connections; 0, with --keep, only consumes what the queues hold. Default: ${default}."`
	Consumers  int           `default:"1" placeholder:"N" help:"Consuming connections; 0 only publishes. Default: ${default}."`
	Queues     int           `default:"1" placeholder:"N" help:"Queues, shared out among the connections. Default: ${default}."`
	Prefix     string        `default:"warren.bench" placeholder:"NAME" help:"What the queues' names begin with, and the exchange's name. Default: ${default}."`
	Keep       bool          `help:"Neither empty the queues at the start nor delete them at the end."`
	Route      string        `enum:"default,direct,fanout,topic" default:"default" placeholder:"ROUTE" help:"default, direct, fanout or topic exchange; through the last two each message reaches every queue. Default: ${default}."`
	Size       int           `default:"16" placeholder:"BYTES" help:"The length of every body, also of those that queues hold already. Latencies need 8. Default: ${default}."`
	Persistent bool          `help:"Durable queues and persistent messages."`
	Confirms   int           `placeholder:"N" help:"Publisher confirms, with at most N messages unconfirmed. Default: no confirms."`
	Prefetch   int           `placeholder:"N" help:"Acknowledge, with at most N messages unacknowledged. Default: the broker acknowledges by itself."`
	AckEvery   int           `placeholder:"N" help:"Acknowledge N messages together. Needs --prefetch. Default: each on its own."`
	Rate       float64       `placeholder:"N" help:"Messages a second of all publishers together, evenly spaced; latency then counts from when a message was due. Default: as many as possible."`
	Duration   time.Duration `placeholder:"DURATION" help:"How long to publish; the first tenth is warm-up. Default: 5s, or until --count."`
	Count      int64         `placeholder:"N" help:"How many messages to publish. Default: no bound."`
	ServerPID  int           `name:"server-pid" placeholder:"PID" help:"Linux: tell the CPU time and memory of this process, the broker's."`
	Format     string        `enum:"text,json" default:"text" placeholder:"FORMAT" help:"text prints a table; json prints one object, with times in nanoseconds. Default: ${default}."`
}

// Help says what is measured.
func (*benchAMQPCmd) Help() string {
	return `Declares queues of its own, publishes and consumes, prints rates and latencies, and deletes the queues. On a terminal it shows its progress every second. It works with any AMQP 0-9-1 broker.

At full speed a latency says how long the queues were; for how quick the broker is, give --rate. Exits 1 when a message did not arrive.`
}

// Examples ends "warren bench amqp --help".
func (*benchAMQPCmd) Examples() string {
	return `
# as many small messages as the broker carries
warren bench amqp

# how quick it is at 5,000 messages a second, with confirms and acknowledgements
warren bench amqp --rate 5000 --confirms 100 --prefetch 100 --size 1024

# one message to ten queues, for a script
warren bench amqp --route fanout --queues 10 --consumers 10 --count 100000 --format json
`
}

// Validate refuses numbers that have no meaning. kong calls it before Run.
func (c *benchAMQPCmd) Validate() error {
	switch {
	case c.Publishers < 0 || c.Consumers < 0:
		return errors.New("--publishers and --consumers must not be below 0")
	case c.Queues < 1 || c.Size < 1:
		return errors.New("--queues and --size must be above 0")
	case c.Publishers == 0 && (!c.Keep || c.Rate != 0 || c.Confirms != 0):
		return errors.New("without publishers there is nothing but what the queues hold: give --keep, and neither --rate nor --confirms")
	case c.Confirms < 0 || c.AckEvery < 0 || c.Rate < 0 || c.Duration < 0 || c.Count < 0 || c.ServerPID < 0:
		return errors.New("--confirms, --ack-every, --rate, --duration, --count and --server-pid must not be below 0")
	case c.Prefetch < 0 || c.Prefetch > 65535:
		return errors.New("--prefetch must be from 0 to 65535")
	case c.AckEvery > c.Prefetch:
		return errors.New("--ack-every must not be above --prefetch: no message would ever be acknowledged")
	}
	return nil
}

// options are the flags as the load generator has them.
func (c *benchAMQPCmd) options() loadamqp.Options {
	o := loadamqp.Options{
		URL: c.URL, Publishers: c.Publishers, Consumers: c.Consumers, Queues: c.Queues, QueuePrefix: c.Prefix, Keep: c.Keep,
		Size: c.Size, Persistent: c.Persistent, Confirms: c.Confirms, Prefetch: c.Prefetch, AckEvery: c.AckEvery,
		Rate: c.Rate, Duration: c.Duration, Count: c.Count, ServerPID: c.ServerPID,
	}
	if c.Publishers == 0 {
		o.Publishers = loadamqp.None
	}
	if c.Consumers == 0 {
		o.Consumers = loadamqp.None
	}
	if c.Route != "default" {
		o.Route = loadamqp.Route(c.Route)
	}
	return o
}

// Run puts the load on the broker and prints what came of it.
func (c *benchAMQPCmd) Run(ctx context.Context, std stdio) error {
	options := c.options()
	if isTerminal(std.err) {
		options.Progress = func(p loadamqp.Progress) {
			fmt.Fprintf(std.err, "\r%4.0f s   published %12s   delivered %12s ", p.Elapsed.Seconds(), perSecond(p.PublishRate), perSecond(p.DeliverRate))
		}
	}
	result, err := loadamqp.Run(ctx, options)
	if options.Progress != nil {
		fmt.Fprintf(std.err, "\r%60s\r", "")
	}
	if ctx.Err() != nil {
		return errInterrupted
	}
	if err != nil {
		where := c.URL
		if u, parseErr := url.Parse(c.URL); parseErr == nil {
			where = u.Redacted()
		}
		return fmt.Errorf("%s: %w", where, reason(err))
	}
	if c.Format == "json" {
		err = json.NewEncoder(std.out).Encode(result)
	} else {
		err = c.print(std.out, result)
	}
	if err == nil && result.Lost > 0 {
		err = fmt.Errorf("%d messages did not arrive", result.Lost)
	}
	return err
}

// print writes the result as two tables. What the run did not have (consumers, confirms) has no line.
func (c *benchAMQPCmd) print(w io.Writer, r *loadamqp.Result) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\tmessages\trate\t\n")
	if c.Publishers > 0 {
		fmt.Fprintf(table, "published\t%s\t%s\t\n", grouped(r.Published), perSecond(r.PublishRate))
	}
	if c.Confirms > 0 {
		fmt.Fprintf(table, "confirmed\t%s\t%s\t\n", grouped(r.Confirmed), perSecond(r.ConfirmRate))
		fmt.Fprintf(table, "refused\t%s\t\t\n", grouped(r.Nacked))
	}
	if c.Consumers > 0 {
		fmt.Fprintf(table, "delivered\t%s\t%s\t\n", grouped(r.Delivered), perSecond(r.DeliverRate))
	}
	table.Flush()
	if r.Latency.Count+r.Confirm.Count > 0 {
		fmt.Fprint(&text, "\n")
		fmt.Fprint(table, "latency of\tp50\tp90\tp99\tp99.9\tmax\t\n")
		latencyRow(table, "delivery", r.Latency)
		latencyRow(table, "confirm", r.Confirm)
		table.Flush()
	}
	fmt.Fprintf(&text, "\nmeasured for %s", short(r.Elapsed))
	if r.ClientCPU > 0 {
		fmt.Fprintf(&text, "; CPU time of this program: %s", short(r.ClientCPU))
	}
	if c.ServerPID != 0 {
		fmt.Fprintf(&text, "; of the broker: %s, %s a message; its memory: %.0f MiB", short(r.ServerCPU), short(r.CPUPerMessage), float64(r.ServerResident)/(1<<20))
	}
	text.WriteByte('\n')
	_, err := w.Write(text.Bytes())
	return err
}

func latencyRow(w io.Writer, name string, s load.Summary) {
	if s.Count > 0 {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t\n", name, short(s.P50), short(s.P90), short(s.P99), short(s.P999), short(s.Max))
	}
}

// short is d with three digits, which is as much as a measurement is worth.
func short(d time.Duration) string {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// perSecond is a rate for a reader: whole messages.
func perSecond(rate float64) string { return grouped(uint64(rate+0.5)) + "/s" }

// grouped is n with a comma after every three digits.
func grouped(n uint64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}

// isTerminal tells whether a person looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
