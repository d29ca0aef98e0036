package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
)

// copyOf is one message in one queue, as the test knows it.
type copyOf struct {
	id        int
	durable   bool   // it was published as persistent
	published Ticket // of the batch that published it
	delivered Ticket // of the batch that delivered it first; 0 is never
	done      bool   // it was settled
	settled   Ticket // of the batch that settled it
	out       uint64 // what it is settled by, while it is out
	outs      int    // how often it was delivered since it was published, or since the last start
}

func (c *copyOf) body() string { return fmt.Sprintf("message %d", c.id) }

// world is several clients at work on a broker whose disk is committed by hand, and what they know.
type world struct {
	*rapid.T
	broker *Broker
	model  *storetest.Model
	guests []*worker
	queues map[string][]*copyOf // what is not settled, and what was settled and may come back, in order
	names  []string
	last   int
}

// worker is a client with a batch of its own.
type worker struct {
	client *Client
	batch  *Batch
}

func (w *world) open(m *storetest.Model) {
	users := access.New()
	config := Config{Users: users, window: tiny, Store: func(e storage.Events) (storage.Store, error) {
		m.Events, m.Manual = e, false
		return m, nil
	}}
	b, err := Open(config)
	if err != nil {
		w.Fatal(err)
	}
	w.broker, w.model, w.guests = b, m, nil
	for range 3 {
		c, err := b.Open("/", nil, ClientInfo{})
		if err != nil {
			w.Fatal(err)
		}
		w.guests = append(w.guests, &worker{c, b.NewBatch()})
	}
	for _, name := range w.names {
		if _, err := w.guests[0].client.DeclareQueue(QueueSpec{Name: name, Durable: true}); err != nil {
			w.Fatal(err)
		}
		if err := w.guests[0].client.BindQueue("amq.fanout", name, exchange.Binding{}); err != nil {
			w.Fatal(err)
		}
	}
	m.Manual = true
}

// end ends a worker's batch and returns a ticket for all that it did.
func (g *worker) end() Ticket {
	g.batch.Owe()
	return g.batch.End()
}

func (w *world) publish() {
	g := rapid.SampledFrom(w.guests).Draw(w.T, "publisher")
	type entered struct {
		queue string
		copy  *copyOf
	}
	var all []entered
	for range rapid.IntRange(1, 12).Draw(w.T, "n") {
		w.last++
		c := copyOf{id: w.last, durable: rapid.IntRange(0, 3).Draw(w.T, "persistent") > 0}
		m := message.Message{Body: []byte(c.body())}
		if c.durable {
			m.Flags = message.Persistent
		}
		to := w.names
		if rapid.Bool().Draw(w.T, "fanout") {
			m.Exchange = []byte("amq.fanout")
		} else {
			to = []string{rapid.SampledFrom(w.names).Draw(w.T, "queue")}
			m.Key = []byte(to[0])
		}
		if n, err := g.client.Publish(g.batch, &m); err != nil || n != len(to) {
			w.Fatal(n, err)
		}
		for _, name := range to {
			one := c
			all = append(all, entered{name, &one})
		}
	}
	ticket := g.end()
	for _, e := range all {
		e.copy.published = ticket
		w.queues[e.queue] = append(w.queues[e.queue], e.copy)
	}
}

// next is the first that waits in a queue.
func (w *world) next(name string) *copyOf {
	for _, c := range w.queues[name] {
		if !c.done && c.out == 0 {
			return c
		}
	}
	return nil
}

func (w *world) get() {
	g := rapid.SampledFrom(w.guests).Draw(w.T, "consumer")
	name := rapid.SampledFrom(w.names).Draw(w.T, "queue")
	noAck := rapid.IntRange(0, 3).Draw(w.T, "noAck") == 0
	for range rapid.IntRange(1, 15).Draw(w.T, "n") {
		want := w.next(name)
		ok, err := g.client.Get(g.batch, name, noAck, func(d *Delivery, _ int) {
			if want == nil || string(d.Message.Body) != want.body() {
				w.Fatalf("%s gives %q instead of %+v", name, d.Message.Body, want)
			}
			if d.Redelivered != (want.outs > 0) {
				w.Fatalf("%s in %s was delivered %d times and says redelivered=%v", want.body(), name, want.outs, d.Redelivered)
			}
			want.out = d.Seq
		})
		if err != nil || ok != (want != nil) {
			w.Fatalf("%s has a message: %v, %v; it should have %+v", name, ok, err, want)
		}
		ticket := g.end()
		if !ok {
			return
		}
		want.outs++
		if want.delivered == 0 {
			want.delivered = ticket
		}
		if noAck {
			want.done, want.settled = true, ticket
		}
	}
}

func (w *world) settle() {
	g := rapid.SampledFrom(w.guests).Draw(w.T, "consumer")
	name := rapid.SampledFrom(w.names).Draw(w.T, "queue")
	how := rapid.SampledFrom([]queue.Outcome{queue.Accept, queue.Requeue, queue.Discard}).Draw(w.T, "how")
	var some []*copyOf
	for _, c := range w.queues[name] {
		if c.out != 0 && !c.done && rapid.Bool().Draw(w.T, "this one") {
			some = append(some, c)
		}
	}
	var seqs []uint64
	for _, c := range some {
		seqs = append(seqs, c.out)
	}
	if n := g.client.VHost().Queue(name).Settle(g.batch, seqs, how); n != len(some) {
		w.Fatalf("%d of %d were settled", n, len(some))
	}
	ticket := g.end()
	for _, c := range some {
		if how == queue.Requeue {
			c.out = 0
		} else {
			c.done, c.settled = true, ticket
		}
	}
}

func (w *world) purge() {
	g := rapid.SampledFrom(w.guests).Draw(w.T, "who")
	name := rapid.SampledFrom(w.names).Draw(w.T, "queue")
	n, err := g.client.PurgeQueue(g.batch, name)
	if err != nil {
		w.Fatal(err)
	}
	ticket := g.end()
	for _, c := range w.queues[name] {
		if !c.done && c.out == 0 {
			c.done, c.settled = true, ticket
			n--
		}
	}
	if n != 0 {
		w.Fatalf("%d too many were purged", n)
	}
}

// restart opens the store again, as it was left when it was closed or when its machine stopped, and compares.
func (w *world) restart(crash bool) {
	durable := w.broker.Durable()
	after := w.model
	if crash {
		after = w.model.Crash(rand.New(rand.NewPCG(rapid.Uint64().Draw(w.T, "seed"), 0)))
	}
	w.model.Manual = false
	if err := w.broker.Close(); err != nil {
		w.Fatal(err)
	}
	if !crash {
		after = w.model.Reopen()
		durable = w.broker.Durable()
	}
	w.open(after)
	there := make(map[int]int) // copies of a message
	for _, name := range w.names {
		var kept []*copyOf
		known := w.queues[name]
		g := w.guests[0]
		if i := g.client.VHost().Queue(name).Info(); i.Unacked != 0 {
			w.Fatalf("after the start %s has %d messages out", name, i.Unacked)
		}
		var seqs []uint64
		for {
			ok, err := g.client.Get(g.batch, name, false, func(d *Delivery, _ int) {
				seqs = append(seqs, d.Seq)
				body := string(d.Message.Body)
				i := slices.IndexFunc(known, func(c *copyOf) bool { return c.body() == body })
				if i < 0 {
					w.Fatalf("%s has %q, which was settled, comes twice, or comes too late", name, body)
				}
				w.missed(name, known[:i], durable)
				c := known[i]
				known = known[i+1:]
				switch {
				case !c.durable:
					w.Fatalf("%s has %q, which is transient", name, body)
				case c.done && c.settled <= durable:
					w.Fatalf("%s has %q, which was settled for good", name, body)
				case c.delivered != 0 && c.delivered <= durable && !d.Redelivered:
					w.Fatalf("%s has %q without a mark, and it was delivered", name, body)
				case c.delivered == 0 && d.Redelivered:
					w.Fatalf("%s has %q with a mark, and it was not delivered", name, body)
				}
				there[c.id]++
				kept = append(kept, &copyOf{id: c.id, durable: true, outs: 1, delivered: 1})
			})
			if err != nil {
				w.Fatal(err)
			}
			if !ok {
				break
			}
		}
		w.missed(name, known, durable)
		g.client.VHost().Queue(name).Settle(g.batch, seqs, queue.Requeue)
		g.end()
		w.queues[name] = kept
	}
	if err := w.model.Commit(); err != nil {
		w.Fatal(err)
	}
}

// missed fails when one of these, which did not come back, should have.
func (w *world) missed(name string, gone []*copyOf, durable Ticket) {
	for _, c := range gone {
		if c.durable && !c.done && c.published <= durable {
			w.Fatalf("%s has lost %q, which was confirmed", name, c.body())
		}
	}
}

func TestWhatClientsWereToldIsTrueAfterRestartsAndCrashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{T: t, queues: make(map[string][]*copyOf), names: []string{"a", "b", "c"}}
		w.open(storetest.NewModel())
		t.Repeat(map[string]func(*rapid.T){
			"publish":   func(*rapid.T) { w.publish() },
			"publish 2": func(*rapid.T) { w.publish() },
			"get":       func(*rapid.T) { w.get() },
			"settle":    func(*rapid.T) { w.settle() },
			"purge": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "purge") == 0 {
					w.purge()
				}
			},
			"commit": func(t *rapid.T) {
				if err := w.model.Commit(); err != nil {
					t.Fatal(err)
				}
			},
			"rest":    func(*rapid.T) { w.broker.housekeep() },
			"restart": func(*rapid.T) { w.restart(false) },
			"crash":   func(*rapid.T) { w.restart(true) },
		})
		w.model.Manual = false
		if err := w.broker.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
