package engine

import (
	"fmt"
	"testing"

	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
)

// batchSize is how many publishes a benchmark makes between the ends of two batches.
const batchSize = 64

func publishing(b *testing.B, g *guest, m *message.Message, between func()) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := g.Publish(g.batch, m); err != nil {
			b.Fatal(err)
		}
		if i%batchSize == batchSize-1 {
			if between != nil {
				between()
			}
			g.batch.End()
		}
	}
}

func BenchmarkPublishToNoAckConsumer(b *testing.B) {
	g := newHouse(b, Config{}).guest()
	g.declare(QueueSpec{Name: "q"})
	g.consume(ConsumerSpec{Queue: "q", NoAck: true}, discard{})
	publishing(b, g, &message.Message{Key: []byte("q"), Body: make([]byte, 16)}, nil)
}

// unsettled remembers what is to be settled.
type unsettled struct {
	discard
	seqs []uint64
}

func (u *unsettled) Deliver(d *Delivery) Verdict {
	u.seqs = append(u.seqs, d.Seq)
	return Taken
}

func BenchmarkPublishConsumeAndSettle(b *testing.B) {
	g := newHouse(b, Config{}).guest()
	q := g.declare(QueueSpec{Name: "q"})
	u := new(unsettled)
	g.consume(ConsumerSpec{Queue: "q", Prefetch: 200}, u)
	publishing(b, g, &message.Message{Key: []byte("q"), Body: make([]byte, 16)}, func() {
		q.Settle(g.batch, u.seqs, queue.Accept)
		u.seqs = u.seqs[:0]
	})
}

func BenchmarkPublishToNobody(b *testing.B) {
	g := newHouse(b, Config{}).guest()
	publishing(b, g, &message.Message{Exchange: []byte("amq.topic"), Key: []byte("a.b"), Body: make([]byte, 16)}, nil)
}

func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g := newHouse(b, Config{}).guest()
			for i := range n {
				name := fmt.Sprint("q", i)
				g.declare(QueueSpec{Name: name})
				g.must(g.BindQueue("amq.fanout", name, exchange.Binding{}))
				g.consume(ConsumerSpec{Queue: name, NoAck: true}, discard{})
			}
			publishing(b, g, &message.Message{Exchange: []byte("amq.fanout"), Body: make([]byte, 16)}, nil)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
		})
	}
}

// 10,000 patterns, and more keys than any cache holds.
func BenchmarkTopicWithManyBindingsAndKeys(b *testing.B) {
	g := newHouse(b, Config{}).guest()
	for i := range 100 {
		name := fmt.Sprint("q", i)
		g.declare(QueueSpec{Name: name})
		g.consume(ConsumerSpec{Queue: name, NoAck: true}, discard{})
		for j := range 100 {
			g.must(g.BindQueue("amq.topic", name, exchange.Binding{Key: fmt.Sprintf("s%d.*.t%d.#", i, j)}))
		}
	}
	keys := make([][]byte, 100_000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "s%d.room%d.t%d.value", i%100, i/10_000, i/100%100)
	}
	m := &message.Message{Exchange: []byte("amq.topic"), Body: make([]byte, 16)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Key = keys[i*7919%len(keys)]
		if n, err := g.Publish(g.batch, m); n != 1 || err != nil {
			b.Fatal(n, err)
		}
		if i%batchSize == 0 {
			g.batch.End()
		}
	}
}

// A few keys, as most publishers have: the cache answers.
func BenchmarkTopicWithFewKeys(b *testing.B) {
	g := newHouse(b, Config{}).guest()
	g.declare(QueueSpec{Name: "q"})
	g.consume(ConsumerSpec{Queue: "q", NoAck: true}, discard{})
	g.must(g.BindQueue("amq.topic", "q", exchange.Binding{Key: "s.#"}))
	keys := make([][]byte, 50)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "s.room%d.value", i)
	}
	m := &message.Message{Exchange: []byte("amq.topic"), Body: make([]byte, 16)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Key = keys[i%len(keys)]
		if _, err := g.Publish(g.batch, m); err != nil {
			b.Fatal(err)
		}
		if i%batchSize == 0 {
			g.batch.End()
		}
	}
}
