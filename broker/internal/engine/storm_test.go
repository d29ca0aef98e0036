package engine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/definitions"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// watch shows what every goroutine is doing when a test does not come to its end.
func watch(t *testing.T) {
	dog := time.AfterFunc(2*time.Minute, func() {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		panic(t.Name() + " does not come to its end")
	})
	t.Cleanup(func() { dog.Stop() })
}

// reader is a sink with a small buffer that its own goroutine empties: it refuses and is woken all the time.
type reader struct {
	consumer *Consumer
	batch    *Batch
	most     int

	mu      sync.Mutex
	cond    *sync.Cond
	waiting []got
	refused bool
	gone    bool
}

func newReader(h *house, most int) *reader {
	r := &reader{batch: h.NewBatch(), most: most}
	r.cond = sync.NewCond(&r.mu)
	return r
}

func (r *reader) Deliver(d *Delivery) Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) >= r.most {
		r.refused = true
		return Refused
	}
	r.waiting = append(r.waiting, got{string(d.Message.Body), d.Seq, d.Deliveries, d.Redelivered})
	return TakenDirty
}

func (r *reader) Flush() { r.cond.Signal() }

func (r *reader) Cancelled(*Consumer) {
	r.mu.Lock()
	r.gone = true
	r.mu.Unlock()
	r.cond.Signal()
}

// next returns what has come; nil when the queue is gone.
func (r *reader) next() []got {
	r.mu.Lock()
	for len(r.waiting) == 0 && !r.gone {
		r.cond.Wait()
	}
	all, wake := r.waiting, r.refused
	r.waiting, r.refused = nil, false
	r.mu.Unlock()
	if wake {
		r.consumer.Wake(r.batch)
		r.batch.End()
	}
	return all
}

func TestEverythingArrivesInOrderThoughTheConsumerRefusesAllTheTime(t *testing.T) {
	watch(t)
	for _, noAck := range []bool{true, false} {
		for _, most := range []int{1, 7} {
			t.Run(fmt.Sprintf("noAck=%v,buffer=%d", noAck, most), func(t *testing.T) {
				h := newHouse(t, Config{})
				g := h.guest()
				q := g.declare(QueueSpec{Name: "q"})
				const n = 30_000
				r := newReader(h, most)
				c, err := g.Consume(ConsumerSpec{Queue: "q", NoAck: noAck, Prefetch: 5}, r)
				g.must(err)
				r.consumer = c
				c.Wake(g.batch)
				var publisher sync.WaitGroup
				publisher.Go(func() {
					p := h.guest()
					for i := range n {
						if _, err := p.Publish(p.batch, &message.Message{Key: []byte("q"), Body: strconv.AppendInt(nil, int64(i), 10)}); err != nil {
							t.Error(err)
						}
						if i%3 == 0 {
							p.batch.End()
						}
					}
					p.batch.End()
				})
				for i := 0; i < n; {
					for _, m := range r.next() {
						if m.body != strconv.Itoa(i) {
							t.Fatalf("%s came instead of %d", m.body, i)
						}
						i++
						if !noAck {
							q.Settle(r.batch, []uint64{m.seq}, queue.Accept)
							r.batch.End()
						}
					}
				}
				publisher.Wait()
				if h.Stored() != 0 {
					t.Errorf("%d bytes are stored in an empty queue", h.Stored())
				}
			})
		}
	}
}

// Everybody does everything to a few queues at once. What must hold: nobody waits for ever, nothing is counted wrong, and
// in the end nothing is left, in memory or in a store.
func TestStormLeavesNothingBehind(t *testing.T) {
	watch(t)
	for _, c := range []struct {
		name  string
		store func(t *testing.T) func(storage.Events) (storage.Store, error)
	}{
		{"memory", func(*testing.T) func(storage.Events) (storage.Store, error) { return nil }},
		{"model", func(*testing.T) func(storage.Events) (storage.Store, error) {
			return func(e storage.Events) (storage.Store, error) { return &storetest.Model{Events: e}, nil }
		}},
		{"disk", func(t *testing.T) func(storage.Events) (storage.Store, error) {
			dir := t.TempDir()
			return func(e storage.Events) (storage.Store, error) {
				return disk.Open(disk.Options{FS: vfs.OS(), Dir: dir, JournalSize: 1 << 20, Events: e})
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := Config{Users: access.New(), MemoryLimit: 20_000, window: tiny, Store: c.store(t)}
			b, err := Open(conf)
			if err != nil {
				t.Fatal(err)
			}
			h := &house{Broker: b, t: t, users: conf.Users}
			t.Cleanup(func() { b.Close() })
			rounds := 4000
			if testing.Short() {
				rounds = 500
			}
			var all sync.WaitGroup
			for i := range 4 {
				all.Go(func() { storm(t, h, rand.New(rand.NewPCG(1, uint64(i))), rounds) })
			}
			all.Wait()
			g := h.guest()
			for _, q := range h.VHost("/").all() {
				if q.owner != nil {
					t.Errorf("the owner of %s is gone", q.Name())
				}
				if n := len(q.uncommitted); n > 0 {
					t.Errorf("%s waits for %d batches", q.Name(), n)
				}
				g.delete(q.Name())
			}
			for late := time.Now().Add(5 * time.Second); h.Stored() != 0 && time.Now().Before(late); {
				runtime.Gosched() // an alarm that went off before its queue was deleted may not have ended its batch
			}
			if h.Stored() != 0 {
				t.Errorf("%d bytes are stored in no queue", h.Stored())
			}
			if resumed, _ := h.Held(); resumed != nil {
				t.Error("publishers are held")
			}
			for _, b := range g.VHost().Bindings() {
				if !b.ToExchange {
					t.Errorf("a binding of a queue that is gone: %+v", b)
				}
			}
			c := h.Counters()
			if c.Published == 0 || c.Delivered == 0 || c.Settled == 0 || c.Requeued == 0 || c.Redelivered == 0 || c.Expired == 0 {
				t.Errorf("not much of a storm: %+v", c)
			}
			if b.store == nil {
				return
			}
			if s := b.store.Stats(); s.Streams != 0 || s.Records != 0 {
				t.Errorf("the store holds %d records in %d streams", s.Records, s.Streams)
			}
			for key := range b.store.Values(definitions.QueuePrefix) {
				t.Errorf("the store has the queue %q", key)
			}
		})
	}
}

func storm(t *testing.T, h *house, random *rand.Rand, rounds int) {
	// A session: a client with consumers whose deliveries it settles some time.
	var g *guest
	var sinks []*reader
	var taps []*Consumer
	names := []string{"a", "b", "c", "mine", "short"}
	kinds := []exchange.Kind{exchange.Fanout, exchange.Topic, exchange.Direct}
	name := func() string { return names[random.IntN(len(names))] }
	x := func() string { return fmt.Sprint("x", random.IntN(3)) }
	collect := func(s *reader, c *Consumer) {
		s.mu.Lock()
		waiting, refused := s.waiting, s.refused
		s.waiting, s.refused = nil, false
		s.mu.Unlock()
		var seqs []uint64
		for _, m := range waiting {
			if m.seq != 0 {
				seqs = append(seqs, m.seq)
			}
		}
		c.Queue().Settle(g.batch, seqs, queue.Outcome(random.IntN(3)))
		if refused {
			c.Wake(g.batch)
		}
	}
	leave := func() {
		for i, c := range taps {
			collect(sinks[i], c)
			c.Cancel(g.batch)
		}
		for i, c := range taps {
			collect(sinks[i], c)
		}
		g.batch.End()
		g.close()
		g, sinks, taps = nil, nil, nil
	}
	for range rounds {
		if g == nil {
			c, err := h.Open("/", nil, ClientInfo{Alarm: func() { h.Held() }})
			if err != nil {
				t.Error(err)
				return
			}
			g = &guest{Client: c, t: t, batch: h.NewBatch()}
		}
		switch n := random.IntN(100); {
		case n < 10:
			target := name()
			spec := QueueSpec{Name: target, Durable: target != "b", Exclusive: target == "mine", AutoDelete: target == "c"}
			if target == "short" {
				spec.Args = []exchange.Arg{integer(messageTTL, 1)}
			}
			_, _ = g.DeclareQueue(spec)
		case n < 12:
			_, _ = g.DeleteQueue(g.batch, name(), random.IntN(2) == 0, random.IntN(2) == 0)
		case n < 16:
			target := x()
			_ = g.DeclareExchange(ExchangeSpec{Name: target, Type: kinds[target[1]-'0'], Durable: target != "x2", AutoDelete: target == "x1"})
		case n < 18:
			_ = g.DeleteExchange(x(), random.IntN(2) == 0)
		case n < 24:
			_ = g.BindQueue(x(), name(), exchange.Binding{Key: "k"})
		case n < 26:
			_ = g.UnbindQueue(x(), name(), exchange.Binding{Key: "k"})
		case n < 28:
			_ = g.BindExchange(x(), x(), exchange.Binding{Key: "k"})
		case n < 29:
			_ = g.UnbindExchange(x(), x(), exchange.Binding{Key: "k"})
		case n < 60:
			to, key := x(), "k"
			if random.IntN(2) == 0 {
				to, key = "", name()
			}
			_, _ = g.Publish(g.batch, &message.Message{
				Exchange: []byte(to), Key: []byte(key), Body: make([]byte, random.IntN(300)),
				Flags: [...]message.Flags{0, message.Persistent}[random.IntN(2)],
			})
		case n < 66:
			s := newReader(h, 1+random.IntN(20))
			c, err := g.Consume(ConsumerSpec{Queue: name(), NoAck: random.IntN(2) == 0, Exclusive: random.IntN(8) == 0, Prefetch: uint32(random.IntN(20))}, s)
			if random.IntN(6) == 0 {
				c, err = g.ConsumeReplies("", s)
			}
			if err == nil {
				sinks, taps = append(sinks, s), append(taps, c)
				c.Wake(g.batch)
			}
		case n < 80 && len(taps) > 0:
			i := random.IntN(len(taps))
			collect(sinks[i], taps[i])
		case n < 83 && len(taps) > 0:
			i := random.IntN(len(taps))
			taps[i].Cancel(g.batch)
			collect(sinks[i], taps[i])
		case n < 86:
			_, _ = g.Get(g.batch, name(), random.IntN(2) == 0, func(*Delivery, int) {})
		case n < 87:
			_, _ = g.PurgeQueue(g.batch, name())
		case n < 88:
			for _, q := range h.VHost("/").all() {
				q.Info()
				q.rest(g.batch)
				g.batch.End()
			}
			g.VHost().Bindings()
		case n < 90:
			leave()
			continue
		default:
			g.batch.End()
		}
	}
	if g != nil {
		leave()
	}
}
