package broker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/broker"
)

// clerk is a client of RabbitMQ's on a broker with a data folder that is restarted all the time. It does one thing after another and
// knows what must be there.
type clerk struct {
	*testing.T
	random *rand.Rand
	conf   broker.Config
	broker *broker.Broker
	conn   *amqp.Connection
	plain  *amqp.Channel // confirms, and fetches
	tx     *amqp.Channel
	queues map[string][]*item
	last   int
	did    map[string]int
}

// item is a message in a queue.
type item struct {
	id        int
	transient bool
	delivered verdict
	out       *amqp.Channel // who has it
	tag       uint64
	gone      verdict
}

// verdict is whether something is so.
type verdict uint8

const (
	no verdict = iota
	maybe
	yes
)

var desks = []string{"red", "green", "blue"}

// text is the body of a message; each hundredth is long.
func text(id int) string {
	s := fmt.Sprintf("message %d ", id)
	if id%100 == 7 {
		return s + strings.Repeat(strconv.Itoa(id), 40_000)
	}
	return s + strings.Repeat("x", id%300)
}

func (c *clerk) check(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *clerk) open() {
	b, err := broker.Open(c.conf)
	c.check(err)
	c.broker = b
	c.conn, err = dial(c.T, b, "guest:guest")
	c.check(err)
	c.plain = channel(c.T, c.conn, nil)
	c.check(c.plain.Confirm(false))
	c.tx = channel(c.T, c.conn, nil)
	c.check(c.tx.Tx())
	for _, name := range desks {
		c.declare(name)
	}
}

func (c *clerk) declare(name string) {
	_, err := c.plain.QueueDeclare(name, true, false, false, false, nil)
	c.check(err)
	c.check(c.plain.QueueBind(name, "", "amq.fanout", false, nil))
}

func (c *clerk) some() string { return desks[c.random.IntN(len(desks))] }

// message returns a new message and where it goes.
func (c *clerk) message() (exchange, key string, m amqp.Publishing, enter func(gone verdict)) {
	c.last++
	id := c.last
	m = amqp.Publishing{
		DeliveryMode: amqp.Persistent, Body: []byte(text(id)), MessageId: strconv.Itoa(id), ContentType: "text/plain",
		Headers: amqp.Table{"id": int64(id), "even": id%2 == 0}, Priority: uint8(id % 10), Timestamp: time.Unix(int64(id), 0),
	}
	transient := c.random.IntN(6) == 0
	if transient {
		m.DeliveryMode = amqp.Transient
	}
	to := desks
	if exchange = "amq.fanout"; c.random.IntN(3) > 0 {
		to = []string{c.some()}
		exchange, key = "", to[0]
	}
	return exchange, key, m, func(gone verdict) {
		c.did["published"]++
		for _, name := range to {
			c.queues[name] = append(c.queues[name], &item{id: id, transient: transient, gone: gone})
		}
	}
}

// confirmed publishes and waits for the confirms.
func (c *clerk) confirmed() {
	var all []*amqp.DeferredConfirmation
	for range 1 + c.random.IntN(40) {
		x, key, m, enter := c.message()
		d, err := c.plain.PublishWithDeferredConfirm(x, key, false, false, m)
		c.check(err)
		enter(no)
		all = append(all, d)
	}
	for _, d := range all {
		if !d.Wait() {
			c.Fatal("a message was refused")
		}
	}
}

// transaction publishes, and acknowledges what the channel has, and goes back on it or not.
func (c *clerk) transaction() {
	var enters []func(verdict)
	for range c.random.IntN(10) {
		x, key, m, enter := c.message()
		c.check(c.tx.PublishWithContext(c.Context(), x, key, false, false, m))
		enters = append(enters, enter)
	}
	var settled []*item
	for _, name := range desks {
		for _, it := range c.queues[name] {
			if it.out == c.tx && it.gone == no && c.random.IntN(2) == 0 {
				c.check(c.tx.Ack(it.tag, false))
				settled = append(settled, it)
			}
		}
	}
	if c.random.IntN(3) == 0 {
		c.check(c.tx.TxRollback())
		c.did["rolled back"]++
		return
	}
	c.check(c.tx.TxCommit())
	c.did["transactions"]++
	for _, enter := range enters {
		enter(no)
	}
	for _, it := range settled {
		it.gone = yes
	}
}

// same compares a delivery with what must come.
func (c *clerk) same(name string, d *amqp.Delivery, it *item) {
	c.Helper()
	m := strconv.Itoa(it.id)
	mode := amqp.Persistent
	if it.transient {
		mode = amqp.Transient
	}
	switch {
	case d.MessageId != m:
		c.Fatalf("%s gives message %s (redelivered: %v) instead of %s", name, d.MessageId, d.Redelivered, m)
	case string(d.Body) != text(it.id) || d.Headers["id"] != int64(it.id) || d.Headers["even"] != (it.id%2 == 0) || d.Priority != uint8(it.id%10) ||
		d.Timestamp.Unix() != int64(it.id) || d.ContentType != "text/plain" || d.DeliveryMode != uint8(mode):
		c.Fatalf("%s gives message %s, but not as it was published: %d bytes, %+v", name, m, len(d.Body), d.Headers)
	case it.delivered != maybe && d.Redelivered != (it.delivered == yes):
		c.Fatalf("%s gives message %s with redelivered=%v", name, m, d.Redelivered)
	}
	it.delivered = yes
	c.did["delivered"]++
}

// next returns the first that waits.
func (c *clerk) next(name string) *item {
	for _, it := range c.queues[name] {
		if it.gone == no && it.out == nil {
			return it
		}
	}
	return nil
}

// fetch gets some messages.
func (c *clerk) fetch() {
	name, ch := c.some(), c.plain
	if c.random.IntN(3) == 0 {
		ch = c.tx
	}
	autoAck := c.random.IntN(3) == 0
	for range 1 + c.random.IntN(20) {
		d, ok, err := ch.Get(name, autoAck)
		c.check(err)
		it := c.next(name)
		if ok != (it != nil) {
			c.Fatalf("%s has a message: %v; it should have %+v", name, ok, it)
		}
		if !ok {
			return
		}
		c.same(name, &d, it)
		if autoAck {
			it.gone = yes
		} else {
			it.out, it.tag = ch, d.DeliveryTag
		}
	}
}

// settle acknowledges or gives back. Unless it is in the end, it makes sure that the broker has seen it.
func (c *clerk) settle(end bool) {
	for _, name := range desks {
		for _, it := range c.queues[name] {
			if it.out != c.plain || it.gone != no || c.random.IntN(2) == 0 {
				continue
			}
			switch n := c.random.IntN(4); {
			case n == 0:
				c.check(c.plain.Nack(it.tag, false, true))
				it.out = nil
				continue
			case n == 1:
				c.check(c.plain.Reject(it.tag, false))
			default:
				c.check(c.plain.Ack(it.tag, false))
			}
			if it.gone = yes; end {
				it.gone = maybe
			}
		}
	}
	if !end {
		c.check(c.plain.Qos(0, 0, false)) // which the broker answers, behind all that
	}
}

// consume takes what it has credit for, acknowledges some, and goes.
func (c *clerk) consume() {
	name := c.some()
	ch := channel(c.T, c.conn, nil)
	credit := 1 + c.random.IntN(30)
	c.check(ch.Qos(credit, 0, false))
	deliveries, err := ch.Consume(name, "", false, false, false, false, nil)
	c.check(err)
	acked := 0
	for range credit {
		it := c.next(name)
		if it == nil {
			break
		}
		d := <-deliveries
		c.same(name, &d, it)
		if it.out = ch; c.random.IntN(2) == 0 {
			c.check(d.Ack(false))
			it.gone = yes
			acked++
		}
	}
	for _, it := range c.queues[name] {
		if it.gone == no && it.out == nil && acked > 0 && it.delivered == no { // there was credit for it
			it.delivered = maybe
			acked--
		}
	}
	c.check(ch.Close())
	for _, it := range c.queues[name] {
		if it.out == ch {
			it.out = nil
		}
	}
}

func (c *clerk) purge() {
	name := c.some()
	waiting := 0
	for _, it := range c.queues[name] {
		if it.gone == no && it.out == nil {
			it.gone = yes
			waiting++
		}
	}
	n, err := c.plain.QueuePurge(name, false)
	c.check(err)
	if n != waiting {
		c.Fatalf("%d messages were purged from %s, not %d", n, name, waiting)
	}
}

func (c *clerk) remove() {
	name := c.some()
	_, err := c.plain.QueueDelete(name, false, false, false)
	c.check(err)
	c.queues[name] = nil // what the channels have of it is nobody's
	c.declare(name)
}

// restart ends the broker, in one of several ways, and compares what the next one has.
func (c *clerk) restart() {
	switch how := c.random.IntN(3); how {
	case 0: // in the middle of what clients do
		for range c.random.IntN(50) {
			x, key, m, enter := c.message()
			_, err := c.plain.PublishWithDeferredConfirm(x, key, false, false, m)
			c.check(err)
			enter(maybe)
		}
		c.settle(true)
		c.check(c.broker.Close())
	case 1:
		ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
		c.check(c.broker.Shutdown(ctx))
		cancel()
	default:
		c.check(c.conn.Close())
		c.check(c.broker.Close())
	}
	c.open()
	look := channel(c.T, c.conn, nil)
	for _, name := range desks {
		q, err := look.QueueDeclarePassive(name, true, false, false, false, nil)
		c.check(err)
		fixed := true
		for _, it := range c.queues[name] {
			if it.out = nil; it.transient && it.gone == no {
				it.gone = yes
			}
			fixed = fixed && it.gone != maybe
		}
		c.queues[name] = slices.DeleteFunc(c.queues[name], func(it *item) bool { return it.gone == yes || it.transient })
		if fixed && q.Messages != len(c.queues[name]) {
			c.Fatalf("%s has %d messages, not %d", name, q.Messages, len(c.queues[name]))
		}
		if fixed && c.random.IntN(2) == 0 {
			continue // they are looked at one by one, later
		}
		for n := 0; ; n++ {
			d, ok, err := look.Get(name, false)
			c.check(err)
			if !ok {
				if n != q.Messages {
					c.Fatalf("%s said that it had %d messages, and has %d", name, q.Messages, n)
				}
				break
			}
			for {
				it := c.nth(name, n)
				if it == nil {
					c.Fatalf("%s gives message %s, which should not be there", name, d.MessageId)
				}
				if it.gone == maybe && d.MessageId != strconv.Itoa(it.id) {
					c.queues[name] = slices.Delete(c.queues[name], n, n+1)
					continue
				}
				if it.gone == maybe { // what was published, or settled, last was not
					it.gone = no
				}
				c.same(name, &d, it)
				break
			}
		}
		for _, it := range c.queues[name][min(q.Messages, len(c.queues[name])):] {
			if it.gone == no {
				c.Fatalf("%s has lost message %d", name, it.id)
			}
		}
		c.queues[name] = c.queues[name][:q.Messages]
	}
	c.check(look.Close())
	c.did["restarts"]++
}

// nth is the n-th message in a queue.
func (c *clerk) nth(name string, n int) *item {
	if n >= len(c.queues[name]) {
		return nil
	}
	return c.queues[name][n]
}

func TestWhatRabbitMQsClientWasToldIsTrueAfterRestarts(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("WARREN_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("repeat with WARREN_SEED=%d", seed)
	c := &clerk{
		T: t, random: rand.New(rand.NewPCG(seed, 0)), queues: make(map[string][]*item), did: make(map[string]int),
		conf: broker.Config{Dir: t.TempDir(), Store: broker.StoreOptions{JournalFile: 64 << 10, MinFree: -1}},
	}
	c.open()
	restarts := 20
	if testing.Short() {
		restarts = 5
	}
	for range restarts {
		for range 10 + c.random.IntN(20) {
			switch n := c.random.IntN(20); {
			case n < 5:
				c.confirmed()
			case n < 8:
				c.transaction()
			case n < 12:
				c.fetch()
			case n < 15:
				c.settle(false)
			case n < 18:
				c.consume()
			case n < 19:
				c.purge()
			default:
				c.remove()
			}
		}
		c.restart()
	}
	t.Log(c.did)
	c.check(c.broker.Close())
}
