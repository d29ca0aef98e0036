package interop

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/interop/lab"
)

// A walker makes random operations on one connection, chosen by a seed and by
// what the broker has answered so far, and writes down every answer. Two brokers
// that behave alike are walked alike.
type walker struct {
	*transcript
	rng      *rand.Rand
	conn     *amqp.Connection
	ch       *amqp.Channel
	confirms chan amqp.Confirmation
	returns  chan amqp.Return
	closed   chan *amqp.Error
	out      []uint64 // delivery tags on the channel that are not settled
	sent     int      // messages published, for their bodies
}

const (
	walks        = 40
	walkerSteps  = 250
	walkerQueues = 3
)

var walkerKeys = []string{"", "a", "b", "a.b", "a.b.c", "a.*", "#", "*.b", "a.#"}

func (w *walker) open() {
	ch, err := w.conn.Channel()
	w.need(err)
	w.ch, w.out = ch, nil
	w.confirms = ch.NotifyPublish(make(chan amqp.Confirmation, 1))
	w.returns = ch.NotifyReturn(make(chan amqp.Return, 1))
	w.closed = ch.NotifyClose(make(chan *amqp.Error, 1))
	w.need(ch.Confirm(false))
}

func pick[T any](w *walker, from ...T) T { return from[w.rng.IntN(len(from))] }

func (w *walker) coin() bool { return w.rng.IntN(2) == 0 }

func (w *walker) queue() string { return fmt.Sprintf("%s-q%d", w.name, w.rng.IntN(walkerQueues)) }

func (w *walker) exchange() string {
	return w.name + "-" + pick(w, "direct", "fanout", "topic", "headers")
}

func (w *walker) table() amqp.Table {
	t := amqp.Table{}
	for _, k := range []string{"k", "l"} {
		if w.coin() {
			t[k] = pick[any](w, "v", "w", int32(1))
		}
	}
	return t
}

// A step is one operation. It logs what was asked and what came of it.
func (w *walker) step() {
	q := w.queue()
	switch w.rng.IntN(20) {
	case 0, 1:
		_, err := w.ch.QueueDeclare(q, false, false, false, false, nil)
		w.outcome("declare "+q, err)
	case 2:
		unused, empty := w.coin(), w.coin()
		n, err := w.ch.QueueDelete(q, unused, empty, false)
		w.outcome(fmt.Sprintf("delete %s if-unused=%t if-empty=%t: %d", q, unused, empty, n), err)
	case 3:
		n, err := w.ch.QueuePurge(q, false)
		w.outcome(fmt.Sprintf("purge %s: %d", q, n), err)
	case 4:
		info, err := w.ch.QueueDeclarePassive(q, false, false, false, false, nil)
		w.outcome(fmt.Sprintf("look at %s: %d messages", q, info.Messages), err)
	case 5, 6, 7:
		x, key := w.exchange(), pick(w, walkerKeys...)
		args := w.table()
		if match := pick(w, "", "all", "any"); match != "" {
			args["x-match"] = match
		}
		w.outcome(fmt.Sprintf("bind %s to %s by %q %v", q, x, key, args), w.ch.QueueBind(q, key, x, false, args))
	case 8:
		x, key := w.exchange(), pick(w, walkerKeys...)
		w.outcome(fmt.Sprintf("unbind %s from %s by %q", q, x, key), w.ch.QueueUnbind(q, key, x, nil))
	case 9:
		from, to, key := w.exchange(), w.exchange(), pick(w, walkerKeys...)
		if w.coin() {
			w.outcome(fmt.Sprintf("bind %s to %s by %q", to, from, key), w.ch.ExchangeBind(to, key, from, false, nil))
		} else {
			w.outcome(fmt.Sprintf("unbind %s from %s by %q", to, from, key), w.ch.ExchangeUnbind(to, key, from, false, nil))
		}
	case 10, 11, 12, 13:
		x, key := w.exchange(), pick(w, walkerKeys...)
		if w.coin() {
			x, key = "", q
		}
		w.publishOne(x, key, w.table())
	case 14, 15, 16:
		auto := w.coin()
		d, ok, err := w.ch.Get(q, auto)
		w.outcome(fmt.Sprintf("get from %s auto-ack=%t: %t %q tag %d from %q by %q redelivered=%t, %d after it",
			q, auto, ok, d.Body, d.DeliveryTag, d.Exchange, d.RoutingKey, d.Redelivered, d.MessageCount), err)
		if ok && !auto {
			w.out = append(w.out, d.DeliveryTag)
		}
	case 17, 18:
		w.settle()
	case 19:
		switch w.rng.IntN(3) {
		case 0:
			w.outcome("recover", w.ch.Recover(true))
			w.out = nil
		case 1:
			w.outcome("close the channel", w.ch.Close())
			<-w.closed
			w.open()
		case 2:
			w.log("settle what never was")
			w.need(w.ch.Ack(1000, w.coin()))
		}
	}
	w.sync()
}

// publishOne publishes, and waits for the confirm and what comes before it.
func (w *walker) publishOne(x, key string, headers amqp.Table) {
	w.sent++
	mandatory := w.coin()
	what := fmt.Sprintf("publish %d to %q by %q %v mandatory=%t", w.sent, x, key, headers, mandatory)
	w.need(w.ch.Publish(x, key, mandatory, false, amqp.Publishing{Headers: headers, Body: fmt.Append(nil, w.sent)}))
	select {
	case c := <-w.confirms:
		select {
		case r := <-w.returns:
			what += fmt.Sprintf(": returned %d %s", r.ReplyCode, r.ReplyText)
		default:
		}
		w.log("%s: confirm %d %t", what, c.DeliveryTag, c.Ack)
	case err := <-w.closed:
		w.log("%s: %v", what, err)
		w.open()
	case <-time.After(lab.Patience):
		w.t.Fatalf("%s: neither confirmed nor refused", what)
	}
}

// settle settles a delivery that is out, or all up to it.
func (w *walker) settle() {
	if len(w.out) == 0 {
		w.log("nothing to settle")
		return
	}
	i := w.rng.IntN(len(w.out))
	tag, multiple, requeue := w.out[i], w.coin(), w.coin()
	switch w.rng.IntN(3) {
	case 0:
		w.log("ack %d multiple=%t", tag, multiple)
		w.need(w.ch.Ack(tag, multiple))
	case 1:
		w.log("nack %d multiple=%t requeue=%t", tag, multiple, requeue)
		w.need(w.ch.Nack(tag, multiple, requeue))
	case 2:
		multiple = false
		w.log("reject %d requeue=%t", tag, requeue)
		w.need(w.ch.Reject(tag, requeue))
	}
	if multiple {
		w.out = slices.Delete(w.out, 0, i+1)
	} else {
		w.out = slices.Delete(w.out, i, i+1)
	}
}

// sync waits until the broker has answered all that came before, and opens a
// new channel when it has closed this one.
func (w *walker) sync() {
	err := w.ch.ExchangeDeclarePassive("amq.direct", "direct", true, false, false, false, nil)
	if err == nil {
		return
	}
	select {
	case reason := <-w.closed:
		w.log("the channel is gone: %v", reason)
	case <-time.After(lab.Patience):
		w.t.Fatalf("the channel fails, and is not closed: %v", err)
	}
	w.open()
}

// walk is the whole walk of a seed.
func (w *walker) walk() {
	w.conn = w.dial()
	w.open()
	for _, kind := range []string{"direct", "fanout", "topic", "headers"} {
		w.need(w.ch.ExchangeDeclare(w.name+"-"+kind, kind, false, false, false, false, nil))
	}
	for range walkerSteps {
		w.step()
	}
	// What is left, in order.
	w.need(w.ch.Close())
	w.open()
	for i := range walkerQueues {
		q := fmt.Sprintf("%s-q%d", w.name, i)
		_, err := w.ch.QueueDeclare(q, false, false, false, false, nil)
		w.need(err)
		w.gets(w.ch, q)
		w.ch.QueueDelete(q, false, false, false)
	}
	for _, kind := range []string{"direct", "fanout", "topic", "headers"} {
		w.ch.ExchangeDelete(w.name+"-"+kind, false, false)
	}
	w.conn.Close()
}

// Whatever a client does, in whatever order, Warren answers as RabbitMQ does.
func TestAMQPRandomWalksWithRabbitMQ(t *testing.T) {
	peer := lab.RabbitMQ(t)
	addr := lab.Addr(t)
	lab.Serve(t, "amqp://"+addr)
	warren := "amqp://guest:guest@" + addr + "/"
	var cells []lab.Cell
	for n := range walks {
		seed := lab.Seed() + uint64(n)
		cells = append(cells, lab.Cell{Name: fmt.Sprint("walk-", n), Run: func(t *testing.T) {
			name := fmt.Sprintf("walk-%d", seed)
			walk := func(url string) []string {
				w := &walker{
					transcript: &transcript{t: t, url: url, name: name},
					rng:        rand.New(rand.NewPCG(seed, 0)),
				}
				w.walk()
				return w.lines
			}
			if where := firstDifference(walk(peer), walk(warren)); where != "" {
				t.Fatalf("after these steps the brokers differ (- RabbitMQ, + Warren):\n%s", where)
			}
		}})
	}
	lab.Matrix(t, cells)
}

// firstDifference shows two transcripts up to where they part.
func firstDifference(theirs, ours []string) string {
	for i := range min(len(theirs), len(ours)) {
		if theirs[i] != ours[i] {
			return strings.Join(theirs[max(0, i-60):i], "\n") + "\n- " + theirs[i] + "\n+ " + ours[i]
		}
	}
	if len(theirs) != len(ours) {
		return fmt.Sprintf("%d lines and %d", len(theirs), len(ours))
	}
	return ""
}
