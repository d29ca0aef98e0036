package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// crowd is many clients at once on a broker whose store runs by itself, on a disk in memory that is taken away from it, and
// what they know.
type crowd struct {
	t      *testing.T
	seed   uint64
	memory *vfs.Memory
	broker *Broker
	store  *disk.Store

	mu     sync.Mutex // guards what follows; innermost
	frozen bool       // what is said from now on is no promise any more
	queues map[string]map[int]*letter
	first  map[string]map[int]int // by queue and publisher: the last one that was delivered for the first time
	tally  map[string]int
}

// letter is a message in one of the queues that nobody purges or deletes.
type letter struct {
	size       int
	persistent bool
	confirmed  bool // it is on the disk
	delivered  bool
	settled    bool // nobody wants it any more, and the store may know
	forgotten  bool // the store does know
}

// kept are the queues of which everything is known, wild those that come and go.
var (
	kept = []string{"a", "b", "c"}
	wild = []string{"w1", "w2"}
)

// publisherOf returns who has published a message.
func publisherOf(id int) int { return id / 1_000_000 }

func (c *crowd) count(what string) {
	c.mu.Lock()
	c.tally[what]++
	c.mu.Unlock()
}

// open opens a broker on what the disk has.
func (c *crowd) open() {
	window := tiny
	window.share = [...]int64{1, 2000, 100_000}[c.seed%3]
	b, err := Open(Config{
		Users: access.New(), window: window,
		Store: func(e storage.Events) (storage.Store, error) {
			fs := vfs.Inject(c.memory, func(op vfs.Op) error {
				if op.Kind == vfs.OpSync {
					for range 50 { // it takes a while, in which others go on
						runtime.Gosched()
					}
				}
				return nil
			})
			s, err := disk.Open(disk.Options{FS: fs, Dir: "data", JournalSize: 4 << 10, Events: e})
			if err != nil {
				return nil, err
			}
			c.store = s
			return s, nil
		},
	})
	if err != nil {
		c.t.Fatalf("seed %d: %v", c.seed, err)
	}
	c.broker = b
	c.frozen = false
	c.first = make(map[string]map[int]int)
	g := c.join(0)
	for _, name := range kept {
		if _, err := g.client.DeclareQueue(QueueSpec{Name: name, Durable: true}); err != nil {
			c.t.Fatal(err)
		}
		if err := g.client.BindQueue("amq.fanout", name, exchange.Binding{}); err != nil {
			c.t.Fatal(err)
		}
	}
}

// visitor is one of the crowd.
type visitor struct {
	crowd  *crowd
	random *rand.Rand
	client *Client
	batch  *Batch
	number int
	last   int
	thirst int // how many consumers he has, at most
	taps   []*vessel

	published []*letter // in the batch
	settled   []*letter

	waiting []promise // lock: crowd.mu
}

// promise is what is true once a ticket is durable.
type promise struct {
	ticket    Ticket
	published []*letter
	settled   []*letter
}

func (p *promise) keep() {
	for _, l := range p.published {
		l.confirmed = true
	}
	for _, l := range p.settled {
		l.forgotten = true
	}
}

func (v *visitor) Committed(durable Ticket) bool {
	v.crowd.mu.Lock()
	defer v.crowd.mu.Unlock()
	for len(v.waiting) > 0 && v.waiting[0].ticket <= durable {
		if !v.crowd.frozen {
			v.waiting[0].keep()
		}
		v.waiting = v.waiting[1:]
	}
	return len(v.waiting) > 0
}

// vessel is a sink that takes so many messages.
type vessel struct {
	visitor  *visitor
	consumer *Consumer
	queue    string
	noAck    bool

	mu      sync.Mutex
	most    int
	seqs    []uint64
	letters []*letter
	refused bool
	gone    bool
}

func (s *vessel) Deliver(d *Delivery) Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seqs) >= s.most {
		s.refused = true
		return Refused
	}
	l := s.visitor.crowd.delivered(s.queue, d)
	if s.noAck {
		s.visitor.crowd.settling(l)
	} else {
		s.seqs, s.letters = append(s.seqs, d.Seq), append(s.letters, l)
	}
	return TakenDirty
}

func (s *vessel) Flush()              {}
func (s *vessel) Cancelled(*Consumer) { s.mu.Lock(); s.gone = true; s.mu.Unlock() }

func (s *vessel) take() (seqs []uint64, letters []*letter, refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seqs, letters, refused = s.seqs, s.letters, s.refused
	s.seqs, s.letters, s.refused = nil, nil, false
	return seqs, letters, refused
}

// delivered checks a delivery, under the queue's lock. It returns nil where nothing is known of the queue.
func (c *crowd) delivered(name string, d *Delivery) *letter {
	id := 0
	body := d.Message.Body
	if _, err := fmt.Sscanf(string(body[:min(len(body), 40)]), "message %d ", &id); err != nil || string(bodyOf(id, len(body))) != string(body) {
		c.t.Errorf("seed %d: %s gives %.40q of %d bytes", c.seed, name, body, len(body))
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally["delivered"]++
	known := c.queues[name]
	if known == nil {
		return nil
	}
	l := known[id]
	if l == nil {
		c.t.Errorf("seed %d: %s gives message %d, which is not in it", c.seed, name, id)
		return nil
	}
	if !d.Redelivered {
		if l.delivered {
			c.t.Errorf("seed %d: %s gives message %d again, without a mark", c.seed, name, id)
		}
		by := c.first[name]
		if by == nil {
			by = make(map[int]int)
			c.first[name] = by
		}
		if p := publisherOf(id); by[p] >= id {
			c.t.Errorf("seed %d: %s gives message %d behind %d", c.seed, name, id, by[p])
		} else {
			by[p] = id
		}
	} else if !l.delivered {
		c.t.Errorf("seed %d: %s gives message %d with a mark, for the first time", c.seed, name, id)
	}
	l.delivered = true
	return l
}

// settling says that a message is about to be settled.
func (c *crowd) settling(l *letter) {
	if l == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l.settled = true
	c.tally["settled"]++
}

func (c *crowd) join(number int) *visitor {
	client, err := c.broker.Open("/", nil, ClientInfo{})
	if err != nil {
		c.t.Fatal(err)
	}
	return &visitor{crowd: c, client: client, batch: c.broker.NewBatch(), number: number}
}

// end ends the visitor's batch, and waits in one of two ways for what it was told, or not at all.
func (v *visitor) end() {
	p := promise{published: v.published}
	if len(v.settled) > 0 && v.random.IntN(2) == 0 {
		v.batch.Owe() // otherwise the ticket says nothing about what was settled
		p.settled = v.settled
	}
	p.ticket = v.batch.End()
	v.published, v.settled = nil, nil
	if p.ticket == 0 {
		return
	}
	c := v.crowd
	if v.random.IntN(4) == 0 {
		if c.broker.Wait(c.t.Context(), p.ticket) == nil {
			c.mu.Lock()
			if !c.frozen {
				p.keep()
			}
			c.mu.Unlock()
		}
		return
	}
	c.mu.Lock()
	v.waiting = append(v.waiting, p)
	first := len(v.waiting) == 1
	c.mu.Unlock()
	if first {
		c.broker.Await(v)
	}
	if d := c.broker.Durable(); d >= p.ticket {
		v.Committed(d)
	}
}

func (v *visitor) publish() {
	c := v.crowd
	v.last++
	id := v.number*1_000_000 + v.last
	size := 0
	switch n := v.random.IntN(200); {
	case n == 0:
		size = 65<<10 + v.random.IntN(5000)
	case n < 20:
		size = v.random.IntN(2000)
	}
	m := message.Message{Body: bodyOf(id, size)}
	persistent := v.random.IntN(8) > 0
	if persistent {
		m.Flags = message.Persistent
	}
	to := kept
	switch n := v.random.IntN(10); {
	case n < 3:
		m.Exchange = []byte("amq.fanout")
	case n < 8:
		to = kept[n%3:][:1]
		m.Key = []byte(to[0])
	default:
		to = nil
		m.Key = []byte(wild[n%2])
	}
	c.mu.Lock()
	c.tally["published"]++
	for _, name := range to {
		l := &letter{size: size, persistent: persistent}
		c.queues[name][id] = l
		if persistent {
			v.published = append(v.published, l)
		}
	}
	c.mu.Unlock()
	if n, err := v.client.Publish(v.batch, &m); err != nil || to != nil && n < len(to) {
		c.t.Errorf("seed %d: published to %d of %d queues: %v", c.seed, n, len(to), err)
	}
}

// settle settles what a consumer has.
func (v *visitor) settle(s *vessel, all bool) {
	seqs, letters, refused := s.take()
	how := queue.Requeue
	if !all {
		how = [...]queue.Outcome{queue.Accept, queue.Accept, queue.Discard, queue.Requeue}[v.random.IntN(4)]
	}
	if how != queue.Requeue {
		for _, l := range letters {
			if l != nil {
				v.crowd.settling(l)
				v.settled = append(v.settled, l)
			}
		}
	}
	s.consumer.Queue().Settle(v.batch, seqs, how)
	if refused && !all {
		s.consumer.Wake(v.batch)
	}
}

func (v *visitor) leave() {
	for _, s := range v.taps {
		v.settle(s, true)
		s.consumer.Cancel(v.batch)
		v.settle(s, true)
	}
	v.taps = nil
	v.end()
	v.client.Close(v.batch)
	v.batch.End()
}

// stay does so many things, or fewer if the broker fails.
func (v *visitor) stay(rounds int) {
	c := v.crowd
	for range rounds {
		if c.broker.Failure() != nil {
			return
		}
		all := append(slices.Clone(kept), wild...)
		name := all[v.random.IntN(len(all))]
		switch n := v.random.IntN(100); {
		case n < 45:
			v.publish()
		case n < 52 && len(v.taps) < v.thirst:
			s := &vessel{visitor: v, queue: name, noAck: v.random.IntN(4) == 0, most: 1 + v.random.IntN(30)}
			consumer, err := v.client.Consume(ConsumerSpec{Queue: name, NoAck: s.noAck, Prefetch: uint32(v.random.IntN(20))}, s)
			if err == nil {
				s.consumer = consumer
				v.taps = append(v.taps, s)
				consumer.Wake(v.batch)
			}
		case n < 70 && len(v.taps) > 0:
			v.settle(v.taps[v.random.IntN(len(v.taps))], false)
		case n < 74 && len(v.taps) > 0:
			i := v.random.IntN(len(v.taps))
			v.taps[i].consumer.Cancel(v.batch)
			v.settle(v.taps[i], true)
			v.taps = slices.Delete(v.taps, i, i+1)
		case n < 80:
			noAck := v.random.IntN(2) == 0
			var seq uint64
			var l *letter
			ok, err := v.client.Get(v.batch, name, noAck, func(d *Delivery, _ int) {
				seq, l = d.Seq, c.delivered(name, d)
				if noAck {
					c.settling(l)
				}
			})
			if ok && noAck && l != nil {
				v.settled = append(v.settled, l)
			}
			if ok && !noAck && err == nil {
				if q := v.client.VHost().Queue(name); q != nil {
					if l != nil || slices.Contains(kept, name) {
						q.Settle(v.batch, []uint64{seq}, queue.Requeue)
					}
				}
			}
		case n < 82:
			w := wild[v.random.IntN(2)]
			_, _ = v.client.DeclareQueue(QueueSpec{Name: w, Durable: true, AutoDelete: w == "w2"})
			_ = v.client.BindQueue("amq.fanout", w, exchange.Binding{})
		case n < 83:
			_, _ = v.client.DeleteQueue(v.batch, wild[v.random.IntN(2)], false, v.random.IntN(2) == 0)
		case n < 84:
			_, _ = v.client.PurgeQueue(v.batch, wild[v.random.IntN(2)])
		case n < 85:
			c.broker.housekeep()
		default:
			v.end()
		}
	}
}

// check compares what is there with what is known, and goes on with what is there.
func (c *crowd) check() {
	g := c.join(0)
	streams := make(map[uint64]bool)
	for _, q := range c.broker.VHost("/").Queues() {
		streams[q.stream.ID()] = true
		ready := q.Info().Ready
		var seqs []uint64
		last := make(map[int]int) // by publisher
		there := make(map[int]*letter)
		for {
			ok, err := g.client.Get(g.batch, q.Name(), false, func(d *Delivery, _ int) {
				seqs = append(seqs, d.Seq)
				id := 0
				body := d.Message.Body
				if _, err := fmt.Sscanf(string(body[:min(len(body), 40)]), "message %d ", &id); err != nil || string(bodyOf(id, len(body))) != string(body) {
					c.t.Fatalf("seed %d: %s holds %.40q of %d bytes", c.seed, q.Name(), body, len(body))
				}
				if p := publisherOf(id); last[p] >= id {
					c.t.Errorf("seed %d: %s holds message %d behind %d", c.seed, q.Name(), id, last[p])
				} else {
					last[p] = id
				}
				known := c.queues[q.Name()]
				if known == nil {
					return
				}
				switch l := known[id]; {
				case l == nil:
					c.t.Errorf("seed %d: %s holds message %d, which was not there before", c.seed, q.Name(), id)
				case !l.persistent:
					c.t.Errorf("seed %d: %s holds message %d, which is transient", c.seed, q.Name(), id)
				case l.forgotten:
					c.t.Errorf("seed %d: %s holds message %d, which was settled for good", c.seed, q.Name(), id)
				case d.Redelivered && !l.delivered:
					c.t.Errorf("seed %d: %s holds message %d with a mark, and it was never delivered", c.seed, q.Name(), id)
				}
				there[id] = &letter{size: len(body), persistent: true, confirmed: true, delivered: true}
			})
			if err != nil {
				c.t.Fatalf("seed %d: %s: %v", c.seed, q.Name(), err)
			}
			if !ok {
				break
			}
		}
		if len(seqs) != ready {
			c.t.Errorf("seed %d: %s says that it has %d messages, and gives %d", c.seed, q.Name(), ready, len(seqs))
		}
		if known := c.queues[q.Name()]; known != nil {
			for id, l := range known {
				if l.persistent && l.confirmed && !l.settled && there[id] == nil {
					c.t.Errorf("seed %d: %s has lost message %d, which was confirmed", c.seed, q.Name(), id)
				}
			}
			c.queues[q.Name()] = there
		}
		if n := q.Settle(g.batch, seqs, queue.Requeue); n != len(seqs) {
			c.t.Errorf("seed %d: %d of %d came back", c.seed, n, len(seqs))
		}
		g.batch.End()
	}
	for _, id := range c.store.Streams() {
		if !streams[id] {
			c.t.Errorf("seed %d: the stream %d belongs to no queue", c.seed, id)
		}
	}
	g.client.Close(g.batch)
}

// run lets a crowd in, again and again, and ends the broker in between.
func (c *crowd) run(rounds int) {
	random := rand.New(rand.NewPCG(c.seed, 0))
	number := 0
	for range rounds {
		c.open()
		c.check()
		var all sync.WaitGroup
		var visitors []*visitor
		thirst := [...]int{0, 1, 4}[random.IntN(3)]
		for range 4 {
			number++
			v := c.join(number)
			v.random = rand.New(rand.NewPCG(c.seed, uint64(number)))
			v.thirst = thirst
			visitors = append(visitors, v)
			all.Go(func() { v.stay(400) })
		}
		how := ending(random.IntN(3))
		if how == closed || random.IntN(2) == 0 {
			all.Wait()
		} else {
			ctx, cancel := context.WithCancel(c.t.Context())
			go func() { all.Wait(); cancel() }()
			for range random.IntN(200) {
				_ = c.broker.Wait(ctx, c.broker.Durable()+1) // after so many commits
			}
		}
		if how == closed {
			for _, v := range visitors {
				v.leave()
			}
			if err := c.broker.Close(); err != nil {
				c.t.Fatalf("seed %d: %v", c.seed, err)
			}
			for _, v := range visitors {
				if len(v.waiting) > 0 {
					c.t.Errorf("seed %d: the broker is closed, and nothing was said of %d commits up to %d; %d are durable", c.seed,
						len(v.waiting), v.waiting[len(v.waiting)-1].ticket, c.broker.Durable())
				}
			}
		} else {
			c.mu.Lock()
			c.frozen = true
			c.mu.Unlock()
			if how == killed {
				c.memory = c.memory.Clone()
			} else {
				c.memory = c.memory.Crash(random, [...]float64{0, 0.5, 1}[random.IntN(3)])
			}
			all.Wait()
			_ = c.broker.Close()
		}
		c.count([...]string{"restarts", "kills", "power cuts"}[how])
		if c.t.Failed() {
			return
		}
	}
	c.open()
	c.check()
	if err := c.broker.Close(); err != nil {
		c.t.Error(err)
	}
	if open := c.memory.OpenFiles(); len(open) > 0 {
		c.t.Errorf("seed %d: after Close are still open: %v", c.seed, open)
	}
}

// seeded returns the seeds to run: STORE_SEED alone, or STORE_SEEDS of them.
func seeded(t *testing.T, byDefault uint64) (first, n uint64) {
	number := func(name string, byDefault uint64) uint64 {
		text := os.Getenv(name)
		if text == "" {
			return byDefault
		}
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return v
	}
	if os.Getenv("STORE_SEED") != "" {
		return number("STORE_SEED", 0), 1
	}
	return number("WARREN_SEED", rand.Uint64()>>32) << 20, number("STORE_SEEDS", byDefault)
}

func TestWhatACrowdWasToldIsTrueAfterRestartsAndCrashes(t *testing.T) {
	first, n := seeded(t, 3)
	sum := make(map[string]int)
	for seed := first; seed < first+n && !t.Failed(); seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			watch(t)
			c := &crowd{t: t, seed: seed, memory: vfs.NewMemory(), queues: make(map[string]map[int]*letter), tally: sum}
			for _, name := range kept {
				c.queues[name] = make(map[int]*letter)
			}
			c.run(4)
		})
	}
	t.Logf("%d seeds from %d on: %v", n, first, sum)
}
