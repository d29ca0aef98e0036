package crash

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/interop/lab"
)

// A harness runs a broker under load, ends it, and starts it again on the same folder, over and over. At times it fetches
// all that is left and gives its verdict.
type harness struct {
	t       testing.TB
	binary  string
	sync    string // --sync
	promise promise
	least   time.Duration // of load in a round
	rounds  int

	dir      string
	rng      *rand.Rand
	history  *history
	declared bool
	restarts []time.Duration
	ends     map[string]int
	files    map[string]int // the most that a restart found, by kind
}

// syncInterval is --sync-interval.
const syncInterval = 200 * time.Millisecond

// The topology: what lies in all but two of the queues is consumed during the load.
const (
	fanout = "all"
	deep   = "deep"  // is only published to
	marks  = "marks" // likewise, by consumers who want to know whether their acknowledgements are safe
)

// How a life ends.
const (
	stopped      = "stopped"
	killed       = "killed"
	killedAtOnce = "killed on a confirm" // whatever is told too early is not so then
	killedAsleep = "killed in its sleep"
	killedCalm   = "killed when nothing happened"
	killedEarly  = "killed while it started"
)

func newHarness(t testing.TB, binary, sync string, p promise, rounds int) *harness {
	names := []string{"a", "b", "c", "t", "fat", "f1", "f2", "f3", deep, marks}
	queues := make([]*queue, len(names))
	for i, name := range names {
		queues[i] = &queue{name: name, crowded: name == "c"}
	}
	return &harness{
		t: t, binary: binary, sync: sync, promise: p, rounds: rounds, least: 300 * time.Millisecond,
		dir: t.TempDir(), rng: rand.New(rand.NewPCG(lab.Seed(), 0)), history: newHistory(p, queues...), ends: map[string]int{}, files: map[string]int{},
	}
}

// lossy says that what was confirmed may be lost: then not even the queues survive a crash, until there was an orderly end.
func (h *harness) lossy() bool { return h.promise.window != 0 }

// trouble is a failure of the harness itself, not of what it tests.
type trouble struct{ error }

// try turns a panic with trouble into an error.
func try(f func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case trouble:
			err = r.error
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// must ends what try has begun.
func must(err error) {
	if err != nil {
		panic(trouble{err})
	}
}

// run is all rounds. A *violation says that a promise was broken.
func (h *harness) run() error {
	err := try(func() {
		between := 5 + h.rng.IntN(15) // rounds without a verdict
		for n := range h.rounds {
			h.round()
			if between--; between <= 0 || n == h.rounds-1 {
				h.drain()
				between = 5 + h.rng.IntN(15)
			}
		}
	})
	if broken := h.history.err(); broken != nil {
		err = broken // whatever else went wrong may come from that
	}
	slices.Sort(h.restarts)
	if n := len(h.restarts); n > 0 {
		h.t.Logf("--sync %s, %d rounds, seed %d: %v", h.sync, h.rounds, lab.Seed(), h.history.count)
		h.t.Logf("it ended %v; %d restarts, on up to %d files of journal and %d segments, took %v in the median, at most %v", h.ends, n, h.files["journal"], h.files["segment"], h.restarts[n/2].Round(time.Millisecond), h.restarts[n-1].Round(time.Millisecond))
	}
	return err
}

// server is one life of the broker.
type server struct {
	*lab.Process
	url string
}

// launch starts the broker, and waits for it to be ready for as long as it may take.
func (h *harness) launch(patience time.Duration) (s *server, ready bool) {
	addr := lab.Addr(h.t)
	p := lab.Start(h.t, h.binary, "serve", "--listen", "amqp://"+addr, "--data", h.dir, "--sync", h.sync, "--sync-interval", syncInterval.String(),
		"--min-free", "1MiB", "--log-format", "json", "--log-level", "warn")
	deadline := time.Now().Add(patience)
	for {
		line, ok := p.LineWithin(max(0, time.Until(deadline)))
		if !ok || line == "ready" {
			return &server{p, "amqp://guest:guest@" + addr + "/"}, ok
		}
	}
}

// start starts the broker on what is there. At times it is killed a few times before, while it reads that.
func (h *harness) start() *server {
	if len(h.restarts) > 0 && h.rng.IntN(3) == 0 {
		for range 1 + h.rng.IntN(3) {
			last := h.restarts[len(h.restarts)-1]
			s, _ := h.launch(time.Duration(h.rng.Int64N(int64(last) + int64(last)/4)))
			s.Kill()
			h.ends[killedEarly]++
		}
	}
	for _, name := range []string{"journal", "segment"} {
		names, err := filepath.Glob(filepath.Join(h.dir, "*."+name))
		must(err)
		h.files[name] = max(h.files[name], len(names))
	}
	began := time.Now()
	s, ready := h.launch(lab.Patience)
	if !ready {
		must(&violation{fmt.Sprintf("the broker does not start any more:\n%s", s.Errors())})
	}
	h.restarts = append(h.restarts, time.Since(began))
	return s
}

// visit opens a connection of the harness's own.
func (h *harness) visit(s *server) (*amqp.Connection, *amqp.Channel) {
	conn, err := amqp.Dial(s.url)
	must(err)
	ch, err := conn.Channel()
	must(err)
	return conn, ch
}

// declare makes the topology in the first life; in every other one it looks whether it is there, with as many messages as
// there may be.
func (h *harness) declare(s *server) *server {
	if !h.declared {
		conn, ch := h.visit(s)
		must(ch.ExchangeDeclare(fanout, "fanout", true, false, false, false, nil))
		for name := range h.history.queues { // order: each is declared alike
			_, err := ch.QueueDeclare(name, true, false, false, false, nil)
			must(err)
			if strings.HasPrefix(name, "f") && name != "fat" {
				must(ch.QueueBind(name, "", fanout, false, nil))
			}
		}
		conn.Close()
		h.declared = true
		if h.lossy() {
			h.finish(s, nil, stopped)
			s = h.start()
		}
	}
	conn, ch := h.visit(s)
	defer conn.Close()
	for name := range h.history.queues { // order: each is only looked at
		q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		if err != nil {
			must(&violation{fmt.Sprintf("the durable queue %s: %v", name, err)})
		}
		if least, most := h.history.bounds(name); q.Messages < least || q.Messages > most {
			h.history.complain(fmt.Sprintf("%s has %d messages after a restart, not %d to %d", name, q.Messages, least, most))
		}
	}
	return s
}

// round is one life under load.
func (h *harness) round() {
	s := h.declare(h.start())
	h.judge()
	how := killed
	switch n := h.rng.IntN(100); {
	case n < 10:
		how = killedAsleep
	case n < 18:
		how = killedCalm
	case n < 25:
		how = stopped
	case n < 65:
		how = killedAtOnce
	}
	crew := newCrew(s.url, h.history, h.rng.Uint64())
	h.load(crew)

	for end := time.Now().Add(h.least + time.Duration(h.rng.Int64N(int64(time.Second)))); time.Now().Before(end); {
		time.Sleep(time.Duration(h.rng.Int64N(int64(400 * time.Millisecond))))
		if h.rng.IntN(4) == 0 {
			s.Signal(syscall.SIGSTOP)
			time.Sleep(time.Duration(h.rng.Int64N(int64(200 * time.Millisecond))))
			s.Signal(syscall.SIGCONT)
		}
	}
	if how == killedCalm {
		close(crew.calm)
		time.Sleep(patience)
		h.history.quiet()
	}
	h.finish(s, crew, how)
	h.judge()
}

// finish ends a life in one of several ways. Its clients, if there are any, have all heard of it before the history does.
func (h *harness) finish(s *server, c *crew, how string) {
	at := time.Now()
	switch how {
	case killedAtOnce:
		fatal := make(chan struct{})
		kill := func() {
			s.Signal(syscall.SIGKILL)
			close(fatal)
		}
		c.deadly.Store(&kill)
		select {
		case <-fatal:
		case <-time.After(time.Second): // nobody waits for one
			c.deadly.Store(nil)
		}
		at = time.Now()
		s.Kill()
	case stopped:
		h.history.goodbye()
		s.Signal(syscall.SIGTERM)
		switch code, ok := s.ExitWithin(lab.Patience); {
		case !ok:
			s.Signal(syscall.SIGQUIT) // it says where it is
			_, _ = s.ExitWithin(time.Second)
			must(&violation{fmt.Sprintf("told to stop, the broker did not end in %v:\n%s", lab.Patience, s.Errors())})
		case code != 0:
			must(&violation{fmt.Sprintf("told to stop, the broker ended with code %d:\n%s", code, s.Errors())})
		}
	case killedAsleep:
		s.Signal(syscall.SIGSTOP)
		time.Sleep(50 * time.Millisecond)
		s.Kill()
	default:
		s.Kill()
	}
	if c != nil {
		must(c.gone())
	}
	h.ends[how]++
	h.history.end(at, how == stopped)
}

// judge ends the run when something was wrong.
func (h *harness) judge() { must(h.history.err()) }

// load sets clients to work, not always all of them.
func (h *harness) load(c *crew) {
	all := route{exchange: fanout, queues: []string{"f1", "f2", "f3"}}
	fat := func(w *worker) int { return 60<<10 + w.rng.IntN(250<<10) }
	for i, p := range []struct {
		publisher
		percent int // how often it is there
	}{
		{publisher{route: to("a"), window: 1}, 80},
		{publisher{route: to("b"), window: 10, burst: 10, pause: 2 * time.Millisecond}, 90},
		{publisher{route: to("a"), window: 100, burst: 50, pause: 20 * time.Millisecond}, 80},
		{publisher{route: to("c"), window: 1000, burst: 200, pause: 50 * time.Millisecond}, 90},
		{publisher{route: all, window: 10, burst: 10, pause: 5 * time.Millisecond}, 90},
		{publisher{route: all, window: 500, burst: 200, pause: 100 * time.Millisecond}, 80},
		{publisher{route: to("fat"), window: 4, size: fat, burst: 2, pause: 20 * time.Millisecond}, 60},
		{publisher{route: to("b"), window: 50, transient: 50, burst: 20, pause: 20 * time.Millisecond}, 80},
		{publisher{route: to("c"), window: 0, burst: 100, pause: 50 * time.Millisecond}, 70},
		{publisher{route: to(deep), window: 200, burst: 100, pause: 50 * time.Millisecond}, 90},
		{publisher{route: to("t"), window: 100, burst: 50, pause: 50 * time.Millisecond}, 90},
	} {
		if h.rng.IntN(100) < p.percent {
			c.run(i, p.publisher.run)
		}
	}
	for i, k := range []struct {
		consumer
		percent int
	}{
		{consumer{queue: "a", prefetch: 10, batch: 1}, 80},
		{consumer{queue: "b", prefetch: 100, batch: 30, requeue: 3}, 80},
		{consumer{queue: "c", prefetch: 300, batch: 100, requeue: 2}, 80},
		{consumer{queue: "c", prefetch: 50, batch: 10}, 60},
		{consumer{queue: "f1", prefetch: 1, batch: 1}, 80},
		{consumer{queue: "f2", prefetch: 200, batch: 50, requeue: 10}, 80},
		{consumer{queue: "f3", prefetch: 1000, batch: 400}, 40},
		{consumer{queue: "fat", prefetch: 5, batch: 3, requeue: 5}, 60},
	} {
		k.marks = to(marks)
		if h.rng.IntN(100) < k.percent {
			c.run(100+i, k.consumer.run)
		}
	}
	if h.rng.IntN(100) < 90 {
		c.run(200, clerk{"t", []route{to("a"), to(deep), all, to("t")}}.run)
	}
}

// drain fetches all that is left, and gives its verdict.
func (h *harness) drain() {
	s := h.declare(h.start())
	h.judge()
	conn, ch := h.visit(s)
	var acks []ack
	for name := range h.history.queues { // order: each is worked off alike
		acks = append(acks, h.fetch(conn, name)...)
	}
	// A durable declaration is answered when it is on the disk, and all that came before it.
	_, err := ch.QueueDeclare("fence", true, false, false, false, nil)
	must(err)
	_, err = ch.QueueDelete("fence", false, false, false)
	must(err)
	h.history.durable(acks)
	h.history.empty()
	h.judge()
	if h.lossy() {
		conn.Close()
		h.finish(s, nil, stopped)
		return
	}
	h.finish(s, nil, killed)
	conn.Close()
}

// fetch works off a queue.
func (h *harness) fetch(conn *amqp.Connection, name string) (acks []ack) {
	const prefetch, batch = 2000, 500
	ch, err := conn.Channel()
	must(err)
	must(ch.Qos(prefetch, 0, false))
	session := h.history.consume(name, prefetch)
	deliveries, err := ch.Consume(name, "", false, false, false, false, nil)
	must(err)
	var open []*copied
	var last uint64
	settle := func() {
		if last != 0 {
			acks = append(acks, h.history.acks(open...)...)
			must(ch.Ack(last, true))
		}
		open, last = open[:0], 0
	}
	for quiet := 0; quiet < 2; {
		select {
		case d, ok := <-deliveries:
			if !ok {
				must(fmt.Errorf("the consumer of %s was ended", name))
			}
			quiet = 0
			last = d.DeliveryTag
			if c := h.history.deliver(session, name, d.Body, d.MessageId, d.Redelivered); c != nil {
				open = append(open, c)
			}
			if len(open) >= batch {
				settle()
			}
		case <-time.After(20 * time.Millisecond):
			settle()
			q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
			must(err)
			if q.Messages == 0 {
				quiet++
			} else {
				quiet = 0
			}
		}
	}
	must(ch.Close())
	return acks
}
