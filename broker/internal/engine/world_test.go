package engine

import (
	"fmt"
	"math"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/broker/internal/storage"
)

// world is several clients at work on a broker, one step after another, their batches open at the same time, and what they know.
// Restarts, kills and power cuts come in between, and then what is there is compared with it: see sight.
//
// The store is handed one unit after another. Whatever happens to the process or the power, a broker that is opened
// afterwards must be as if exactly the first so many units had been, at least all of those that were promised.
type world struct {
	*rapid.T
	machine machine
	broker  *Broker
	users   *access.Users
	clock   *handClock
	aged    bool // time has passed since the start
	store   *watched
	failed  int // how often the broker was told that the disk has failed
	workers []*worker
	lines   map[string]*line // those that are there, by name
	past    []*line          // those that were deleted since the start
	people  map[string][]*tagged
	window  bounds

	tally *tally

	acting *pen // of whom what happens now happens in the batch
	topo   pen  // the vhost's
	other  pen  // everybody else's
	last   int
}

// tally is what has happened in worlds.
type tally struct {
	worlds, published, deliveries, settled         int
	restarts, kills, powerCuts, failures, recovery int
	units, lost                                    int // that were not durable at a start, and of those the ones that were gone
}

func (t *tally) String() string {
	return fmt.Sprintf("%d worlds: %d messages published, %d delivered, %d settled; %d restarts, %d kills, %d power cuts, %d faults after which the broker "+
		"gave up, %d accidents while starting; of %d units that were not durable %d were lost",
		t.worlds, t.published, t.deliveries, t.settled, t.restarts, t.kills, t.powerCuts, t.failures, t.recovery, t.units, t.lost)
}

// never is the number of a unit that was not handed over.
const never = math.MaxInt

// pen gathers where it is to be noted which unit a batch has become.
type pen struct {
	notes []*int
	owes  bool   // a publisher waits for it
	units int    // that the batch has become so far
	due   Ticket // of the last for which a publisher waits
}

// note says that what happened is known to the disk with the unit that the acting batch becomes.
func (w *world) note(unit *int) {
	*unit = never
	w.acting.notes = append(w.acting.notes, unit)
}

// line is a queue from its declaration to its deletion.
type line struct {
	spec     QueueSpec
	declared int // a unit
	deleted  int
	bound    int  // to amq.fanout: a unit
	fanout   bool // it is bound
	copies   []*copyOf
}

func (l *line) name() string { return l.spec.Name }

// mortal reports whether anything in the queue may be gone when somebody looks.
func (l *line) mortal() bool {
	return slices.ContainsFunc(l.copies, func(c *copyOf) bool { return c.expires != 0 })
}

// copyOf is one message in one queue, as the test knows it.
type copyOf struct {
	id        int
	size      int
	durable   bool // it was published as persistent
	published int  // the unit
	delivered int  // the unit of the first delivery
	returns   []*returned
	expires   int64 // in milliseconds; 0 is never
	done      bool  // it was settled
	settled   int   // the unit
	out       uint64
	outs      int // how often it was delivered
}

// returned is that a message came back, and how often it had been out then.
type returned struct {
	unit int
	outs int
}

func (c *copyOf) body() []byte { return bodyOf(c.id, c.size) }

// bodyOf is what the message with a number says.
func bodyOf(id, size int) []byte {
	b := fmt.Appendf(nil, "message %d ", id)
	for len(b) < size {
		b = append(b, byte(id), byte(len(b)), byte(len(b)>>8))
	}
	return b
}

// ready reports whether the copy waits.
func (c *copyOf) ready() bool { return !c.done && c.out == 0 }

// expired reports whether the copy may be gone whenever somebody looks.
func (c *copyOf) expired(now int64) bool { return c.expires != 0 && c.expires <= now }

// tagged is a user with a tag, or without one at all.
type tagged struct {
	unit int
	tag  string // "": deleted
}

// worker is a client with a batch of its own.
type worker struct {
	client   *Client
	batch    *Batch
	pen      pen
	drinkers []*drinker
}

// drinker is a consumer that takes so many deliveries and then refuses.
type drinker struct {
	world    *world
	line     *line
	consumer *Consumer
	noAck    bool
	prefetch uint32
	room     int
	refused  bool
	gone     bool
}

func (d *drinker) Deliver(of *Delivery) Verdict {
	if d.room == 0 {
		d.refused = true
		return Refused
	}
	d.room--
	d.world.delivered(d.line, of, d.noAck)
	return TakenDirty
}

func (d *drinker) Flush()              {}
func (d *drinker) Cancelled(*Consumer) { d.gone = true }

func (w *world) now() int64 { return w.clock.Now().UnixMilli() }

// kinds are the queues that the clients know of.
var kinds = []QueueSpec{
	{Name: "a", Durable: true},
	{Name: "b", Durable: true},
	{Name: "c", Durable: true},
	{Name: "short", Durable: true, Args: []exchange.Arg{integer(messageTTL, 1000)}},
	{Name: "plain"},
	{Name: "own", Exclusive: true},
}

// begin makes what every world begins with.
func (w *world) begin() {
	w.lines, w.people = make(map[string]*line), make(map[string][]*tagged)
	w.clock = &handClock{now: time.UnixMilli(1_000_000)}
	w.window = tiny
	w.window.share = rapid.SampledFrom([]int64{1, 1000, 100_000}).Draw(w.T, "share")
	if err := w.open(); err != nil {
		w.Fatal(err)
	}
	for _, k := range kinds[:3] {
		w.declare(k)
	}
}

// open opens a broker on what the machine has, with nobody in it.
func (w *world) open() error {
	users := access.New()
	clock := &handClock{now: w.clock.Now()}                                    // nobody hears the alarms of a broker that is gone
	store := &watched{machine: w.machine, handed: func(storage.Batch, int) {}} // what the start hands over is nobody's
	b, err := Open(Config{
		Users: users, Clock: clock, window: w.window, Failed: func() { w.failed++ },
		Store: func(e storage.Events) (storage.Store, error) {
			s, err := w.machine.open(e)
			if err != nil {
				return nil, err
			}
			store.Subject = s
			return store, nil
		},
	})
	if err != nil {
		return err
	}
	store.handed, store.lazy = w.handed, rapid.IntRange(0, 3).Draw(w.T, "lazy") == 0
	w.broker, w.users, w.clock, w.store, w.failed = b, users, clock, store, 0
	w.aged = false
	w.workers, w.topo, w.other = nil, pen{}, pen{}
	w.acting = &w.other
	for range 3 {
		w.workers = append(w.workers, w.join())
	}
	return nil
}

func (w *world) join() *worker {
	c, err := w.broker.Open("/", nil, ClientInfo{})
	if err != nil {
		w.Fatal(err)
	}
	return &worker{client: c, batch: w.broker.NewBatch()}
}

// handed is told of each unit that is handed over, by which log.
func (w *world) handed(log storage.Batch, unit int) {
	p := &w.other
	if w.broker != nil && w.broker.VHost("/").log == log {
		p = &w.topo
	}
	for _, g := range w.workers {
		if g.batch.log == log {
			p = &g.pen
		}
	}
	if p.units++; p.owes {
		p.owes, p.due = false, w.store.last()
	}
	for _, n := range p.notes {
		*n = unit
	}
	p.notes = p.notes[:0]
}

// act draws who does something.
func (w *world) act() *worker {
	g := w.workers[rapid.IntRange(0, len(w.workers)-1).Draw(w.T, "who")]
	w.acting = &g.pen
	return g
}

// as makes what happens next happen in another batch.
func (w *world) as(p *pen, f func()) {
	was := w.acting
	w.acting = p
	f()
	w.acting = was
}

// asking does something that waits for the disk, in the vhost's name or in nobody's.
func (w *world) asking(p *pen, f func()) {
	w.store.asked = true
	w.as(p, f)
	w.store.asked = false
}

// some draws one of the queues that are there; nil when none is.
func (w *world) some() *line {
	names := make([]string, 0, len(w.lines))
	for name := range w.lines {
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return w.lines[rapid.SampledFrom(names).Draw(w.T, "queue")]
}

// mine reports whether a worker may touch a queue.
func (g *worker) mine(l *line) bool {
	return !l.spec.Exclusive || g.client.VHost().Queue(l.name()).owner == g.client
}

// end ends a worker's batch.
func (w *world) end(g *worker) {
	w.acting = &g.pen
	owed := rapid.Bool().Draw(w.T, "tx")
	if owed {
		g.batch.Owe()
	}
	ticket := g.batch.End()
	switch p := &g.pen; {
	case w.machine.hurt():
	case p.owes:
		w.Fatal("what a publisher waits for was not handed over")
	case ticket < p.due:
		w.Fatalf("a publisher waits for %d, and his messages are part of %d", ticket, p.due)
	case ticket == 0 && owed && p.units > 0:
		w.Fatal("a transaction waits for nothing though there is something to keep")
	}
	g.pen = pen{notes: g.pen.notes}
}

func (w *world) endAll() {
	for _, g := range w.workers {
		w.end(g)
	}
}

func (w *world) declare(spec QueueSpec) {
	g := w.act()
	if w.lines[spec.Name] != nil {
		return
	}
	l := &line{spec: spec, deleted: never, bound: never, declared: never}
	w.asking(&w.topo, func() {
		if spec.Durable {
			w.note(&l.declared)
		}
		if _, err := g.client.DeclareQueue(spec); err != nil {
			if !w.machine.hurt() {
				w.Fatal(err)
			}
			return
		}
		w.lines[spec.Name] = l
	})
	if w.lines[spec.Name] == nil {
		// The store failed: whether it is there is known only after the next start. It is in memory all the same.
		w.lines[spec.Name] = l
		return
	}
	if !spec.Exclusive {
		w.bind(g, l)
	}
}

func (w *world) bind(g *worker, l *line) {
	w.asking(&w.topo, func() {
		w.note(&l.bound)
		l.fanout = true
		if err := g.client.BindQueue("amq.fanout", l.name(), exchange.Binding{}); err != nil && !w.machine.hurt() {
			w.Fatal(err)
		}
	})
}

func (w *world) delete() {
	g, l := w.act(), w.some()
	if l == nil || !g.mine(l) {
		return
	}
	ready := len(w.waiting(l))
	w.asking(&w.topo, func() {
		w.note(&l.deleted)
		n, err := g.client.DeleteQueue(g.batch, l.name(), false, false)
		if err != nil && !w.machine.hurt() {
			w.Fatal(err)
		}
		if n != ready && !l.mortal() && err == nil {
			w.Fatalf("%d messages waited in %s, not %d", n, l.name(), ready)
		}
	})
	w.past = append(w.past, l)
	delete(w.lines, l.name())
}

// user gives somebody a tag, or removes him.
func (w *world) user() {
	name := rapid.SampledFrom([]string{"ann", "bob"}).Draw(w.T, "user")
	w.acting = &w.other
	var t *tagged
	var err error
	if rapid.IntRange(0, 2).Draw(w.T, "remove") == 0 {
		if _, ok := w.users.Get(name); !ok {
			return
		}
		t = &tagged{}
		w.note(&t.unit)
		w.asking(&w.other, func() { _, err = w.users.Delete(name) })
	} else {
		w.last++
		t = &tagged{tag: fmt.Sprint("tag", w.last)}
		w.note(&t.unit)
		w.asking(&w.other, func() { err = w.users.Put(access.User{Name: name, Tags: []string{t.tag}}) })
	}
	if err != nil && !w.machine.hurt() {
		w.Fatal(err)
	}
	w.people[name] = append(w.people[name], t)
}

func (w *world) publish() {
	g := w.act()
	for range rapid.SampledFrom([]int{1, 3, 8, 20}).Draw(w.T, "n") {
		l := w.some()
		if l == nil {
			return
		}
		to := []*line{l}
		m := message.Message{Key: []byte(l.name())}
		if rapid.IntRange(0, 2).Draw(w.T, "fanout") == 0 {
			m.Exchange, to = []byte("amq.fanout"), nil
			for _, k := range kinds {
				if l := w.lines[k.Name]; l != nil && l.fanout {
					to = append(to, l)
				}
			}
		}
		w.last++
		w.tally.published++
		c := copyOf{id: w.last, size: w.size(), durable: rapid.IntRange(0, 3).Draw(w.T, "persistent") > 0, delivered: never, settled: never}
		m.Body = c.body()
		if rapid.IntRange(0, 9).Draw(w.T, "expires") == 0 {
			p := message.Properties{Expiration: "500"}
			m.Origin, m.Props = message.AMQP091, p.Append(nil)
			c.expires = w.now() + 500
		}
		if c.durable {
			m.Flags = message.Persistent
		}
		entered := make([]*copyOf, len(to))
		for i, l := range to {
			one := c
			w.note(&one.published)
			if one.expires == 0 && l.spec.Args != nil {
				one.expires = w.now() + 1000
			}
			entered[i] = &one
			l.copies = append(l.copies, &one)
		}
		n, err := g.client.Publish(g.batch, &m)
		if err != nil || n != len(to) {
			w.Fatalf("a message went to %d queues, not %d: %v", n, len(to), err)
		}
		for i, l := range to {
			if c.durable && l.spec.Durable && !entered[i].done {
				g.pen.owes = true
			}
		}
	}
}

func (w *world) size() int {
	switch n := rapid.IntRange(0, 99).Draw(w.T, "size"); {
	case n == 99:
		return 64<<10 + w.last%3000
	case n > 85:
		return 100 * (n - 80)
	}
	return 0
}

// waiting are those that wait in a queue, in order.
func (w *world) waiting(l *line) (all []*copyOf) {
	for _, c := range l.copies {
		if c.ready() {
			all = append(all, c)
		}
	}
	return all
}

// delivered compares a delivery with what must come, and takes it in.
func (w *world) delivered(l *line, d *Delivery, noAck bool) {
	for _, c := range l.copies {
		if !c.ready() {
			continue
		}
		body := c.body()
		if string(d.Message.Body) != string(body) {
			if c.expired(w.now()) {
				c.done = true
				w.note(&c.settled)
				continue
			}
			if w.machine.hurt() {
				continue // a store that has failed takes nothing: what is read from it has gaps
			}
			w.Fatalf("%s gives %.30q of %d bytes instead of %.30q of %d bytes", l.name(), d.Message.Body, len(d.Message.Body), body, len(body))
		}
		switch {
		case d.Redelivered != (c.outs > 0) || int(d.Deliveries) != c.outs:
			w.Fatalf("%.20q in %s was delivered %d times; it says %d times and redelivered=%v", body, l.name(), c.outs, d.Deliveries, d.Redelivered)
		case c.expires != 0 && c.expires < w.now():
			w.Fatalf("%.20q in %s came too late", body, l.name())
		}
		w.tally.deliveries++
		if c.outs++; c.outs == 1 {
			w.note(&c.delivered)
		}
		if noAck {
			c.done = true
			w.note(&c.settled)
		} else {
			c.out = d.Seq
		}
		return
	}
	w.Fatalf("%s gives %.30q, and has nothing that waits", l.name(), d.Message.Body)
}

func (w *world) get() {
	g, l := w.act(), w.some()
	if l == nil || !g.mine(l) {
		return
	}
	noAck := rapid.IntRange(0, 3).Draw(w.T, "noAck") == 0
	for range rapid.SampledFrom([]int{1, 3, 8, 20}).Draw(w.T, "n") {
		ok, err := g.client.Get(g.batch, l.name(), noAck, func(d *Delivery, _ int) { w.delivered(l, d, noAck) })
		if err != nil && !w.machine.hurt() {
			w.Fatalf("%s: %v", l.name(), err)
		}
		if !ok {
			w.nothing(g, l)
			return
		}
	}
}

// nothing says that a queue had nothing to give: then there is nothing, or it lies in the open batch of somebody else.
func (w *world) nothing(g *worker, l *line) {
	if w.machine.hurt() {
		return
	}
	for _, c := range w.waiting(l) {
		if c.expired(w.now()) {
			continue
		}
		for _, other := range w.workers {
			if other != g && !other.batch.empty() {
				return
			}
		}
		w.Fatalf("%s gives nothing, and %.20q waits", l.name(), c.body())
	}
}

// empty reports whether nothing waits for the end of the batch.
func (b *Batch) empty() bool { return (b.log == nil || b.log.Empty()) && len(b.marks) == 0 }

func (w *world) settle() {
	g, l := w.act(), w.some()
	if l == nil {
		return
	}
	how := rapid.SampledFrom([]queue.Outcome{queue.Accept, queue.Requeue, queue.Discard}).Draw(w.T, "how")
	each := rapid.IntRange(1, 3).Draw(w.T, "one in")
	var seqs []uint64
	for i, c := range l.copies {
		if c.out == 0 || c.done || i%each != 0 {
			continue
		}
		seqs = append(seqs, c.out)
		w.tally.settled++
		if c.out = 0; how == queue.Requeue {
			r := &returned{outs: c.outs}
			w.note(&r.unit)
			c.returns = append(c.returns, r)
		} else {
			c.done = true
			w.note(&c.settled)
		}
	}
	if n := g.client.VHost().Queue(l.name()).Settle(g.batch, seqs, how); n != len(seqs) {
		w.Fatalf("%d of %d were settled", n, len(seqs))
	}
}

func (w *world) purge() {
	g, l := w.act(), w.some()
	if l == nil || !g.mine(l) {
		return
	}
	n, err := g.client.PurgeQueue(g.batch, l.name())
	if err != nil {
		w.Fatal(err)
	}
	all := w.waiting(l)
	for _, c := range all {
		c.done = true
		w.note(&c.settled)
	}
	if n != len(all) && !l.mortal() {
		w.Fatalf("%d were purged of %d", n, len(all))
	}
}

func (w *world) consume() {
	g, l := w.act(), w.some()
	if l == nil || !g.mine(l) || len(g.drinkers) > 2 {
		return
	}
	d := &drinker{
		world: w, line: l, noAck: rapid.IntRange(0, 2).Draw(w.T, "noAck") == 0, room: rapid.SampledFrom([]int{0, 3, 10, 100}).Draw(w.T, "room"),
		prefetch: uint32(rapid.IntRange(0, 5).Draw(w.T, "prefetch")),
	}
	var err error
	if d.consumer, err = g.client.Consume(ConsumerSpec{Queue: l.name(), NoAck: d.noAck, Prefetch: d.prefetch}, d); err != nil {
		if !w.machine.hurt() {
			w.Fatal(err)
		}
		return
	}
	g.drinkers = append(g.drinkers, d)
	d.consumer.Wake(g.batch)
}

// drink wakes a consumer, or cancels it.
func (w *world) drink() {
	g := w.act()
	if len(g.drinkers) == 0 {
		return
	}
	i := rapid.IntRange(0, len(g.drinkers)-1).Draw(w.T, "consumer")
	d := g.drinkers[i]
	if d.gone || rapid.IntRange(0, 3).Draw(w.T, "cancel") == 0 {
		d.consumer.Cancel(g.batch)
		g.drinkers = slices.Delete(g.drinkers, i, i+1)
		return
	}
	d.room, d.refused = rapid.IntRange(1, 40).Draw(w.T, "room"), false
	d.consumer.Wake(g.batch)
}

// leave ends a client, and another one comes.
func (w *world) leave() {
	g := w.act()
	for _, d := range g.drinkers {
		d.consumer.Cancel(g.batch)
	}
	g.drinkers = nil
	w.end(g)
	if l := w.lines["own"]; l != nil && g.mine(l) {
		delete(w.lines, "own") // and nobody asks for it after a start
	}
	g.client.Close(g.batch)
	w.end(g)
	*g = *w.join()
}

// advance lets time pass.
func (w *world) advance() {
	w.endAll() // a batch's time is that of its beginning, and they are short
	w.acting = &w.other
	w.aged = true
	w.clock.advance(time.Duration(rapid.IntRange(1, 700).Draw(w.T, "ms")) * time.Millisecond)
}

// rest lets the broker give memory back.
func (w *world) rest() {
	if rapid.Bool().Draw(w.T, "quiet") {
		w.endAll()
	}
	w.acting = &w.other
	w.broker.housekeep()
	w.broker.housekeep()
}

// quiet ends all batches, after which everybody has what he asked for, and the counts are right.
func (w *world) quiet() {
	w.endAll()
	resident := int64(0)
	streams := make(map[uint64]bool)
	for _, k := range kinds {
		l := w.lines[k.Name]
		if l == nil {
			continue
		}
		q := w.broker.VHost("/").Queue(l.name())
		resident += q.core.Resident()
		if q.stream != nil {
			streams[q.stream.ID()] = true
			if i := q.stream.Info(); q.core.Ready()+q.core.Out() == 0 && i.Records != 0 && !w.machine.hurt() {
				w.Fatalf("%s is empty, and the store has %d records of it", l.name(), i.Records)
			}
		}
		ready, out, expired, late := 0, 0, 0, 0
		for _, c := range l.copies {
			switch {
			case c.done:
			case c.out != 0:
				out++
			case c.expired(w.now()):
				if expired++; ready == 0 && w.aged {
					late++
				}
			default:
				ready++
			}
		}
		if w.machine.hurt() {
			continue
		}
		i := q.Info()
		if i.Unacked != out || i.Ready < ready || i.Ready > ready+expired-late {
			w.Fatalf("%s says %d ready and %d out; there are %d, %d that have expired, %d of them at the head, and %d",
				l.name(), i.Ready, i.Unacked, ready, expired, late, out)
		}
		for _, g := range w.workers {
			for _, d := range g.drinkers {
				if d.line == l && !d.gone && !d.refused && d.prefetch == 0 && ready > 0 {
					w.Fatalf("%d messages wait in %s, and so does a consumer", ready, l.name())
				}
			}
		}
	}
	for _, id := range w.store.Streams() {
		if !streams[id] && !w.machine.hurt() {
			w.Fatalf("the stream %d belongs to no queue", id)
		}
	}
	if got := w.broker.Stored(); got != resident {
		w.Fatalf("%d bytes are said to be in memory, and %d are", got, resident)
	}
}

// commit makes everything durable that was handed over, if the disk has room.
func (w *world) commit() {
	w.acting = &w.other
	err := w.store.Commit()
	switch last := w.store.last(); {
	case w.machine.hurt() || w.machine.full():
	case err != nil:
		w.Fatal(err)
	case w.broker.Durable() < last:
		w.Fatalf("after a commit %d is durable, and not %d", w.broker.Durable(), last)
	}
}

// step lets the store do some of its own work.
func (w *world) step() {
	w.acting = &w.other
	do := rapid.SampledFrom([]string{"copy out", "compact", "checkpoint"}).Draw(w.T, "step")
	err := map[string]func() error{
		"copy out": w.store.CopyOut, "compact": w.store.Compact, "checkpoint": w.store.Checkpoint,
	}[do]()
	if err != nil && !w.machine.hurt() && !w.machine.full() {
		w.Fatalf("%s: %v", do, err)
	}
}

// fill makes the disk full, or gives it room again.
func (w *world) fill() {
	w.machine.fill(!w.machine.full())
	if w.machine.full() {
		return
	}
	w.commit()
	w.step()
	if w.broker.Failure() != nil && !w.machine.hurt() {
		w.Fatal("the broker has failed for want of room: ", w.broker.Failure())
	}
}
