package engine

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/broker/internal/storage"
)

// sight is what somebody sees who looks at a broker that was opened just now.
type sight struct {
	queues map[string][]seen
	bound  map[string]bool   // to amq.fanout
	tags   map[string]string // of users
}

// seen is a message in a queue.
type seen struct {
	body       string
	seq        uint64 // by which it is out; 0: it is not
	deliveries int
}

// restart ends the process, opens another broker on what it leaves, and compares.
func (w *world) restart(how ending) {
	*[]*int{&w.tally.restarts, &w.tally.kills, &w.tally.powerCuts}[how]++
	floor, units := w.store.durable(), len(w.store.units)
	if how == closed {
		if rapid.Bool().Draw(w.T, "all end") {
			w.endAll()
			floor, units = w.store.durable(), len(w.store.units)
		}
		switch err := w.broker.Close(); {
		case err == nil:
			floor = units
		case !w.machine.hurt() && !w.machine.full():
			w.Fatal(err)
		default:
			floor = w.store.durable()
		}
		w.machine.leave(w.T, closed)
	} else {
		w.machine.leave(w.T, how)
		_ = w.broker.Close() // it changes nothing any more
	}
	s := w.reopen()
	var differences []error
	for k := floor; k <= units; k++ {
		err := w.differs(s, k)
		if err == nil {
			w.tally.units += units - floor
			w.tally.lost += units - k
			w.adopt(s, w.after(k))
			return
		}
		differences = append(differences, fmt.Errorf("with %d of %d units, %d of which are durable: %w", k, units, floor, err))
	}
	w.Fatal(errors.Join(differences...))
}

// reopen opens a broker, whatever happens meanwhile, and looks.
func (w *world) reopen() sight {
	for accidents := 0; ; accidents++ {
		if accidents < 3 && rapid.IntRange(0, 7).Draw(w.T, "accident") == 0 {
			w.machine.plan(w.T)
		}
		old := w.store
		err := w.open()
		if err == nil {
			if s := w.look(); !w.machine.hurt() {
				return s
			}
		} else if !w.machine.hurt() && !w.machine.full() {
			w.Fatal(err)
		}
		w.tally.recovery++
		w.machine.fill(false)
		w.machine.leave(w.T, rapid.SampledFrom([]ending{killed, powerCut}).Draw(w.T, "then"))
		if w.store != old {
			_ = w.broker.Close()
		}
	}
}

// look looks at everything, in one of two ways: by taking all messages, or without touching any.
func (w *world) look() sight {
	v := w.broker.VHost("/")
	s := sight{queues: make(map[string][]seen), bound: make(map[string]bool), tags: make(map[string]string)}
	streams := make(map[uint64]bool)
	for _, q := range v.Queues() {
		all := []seen{}
		if i := q.Info(); i.Unacked != 0 || !i.Durable {
			w.Fatalf("after the start there is %+v", i)
		}
		if q.stream == nil {
			w.Fatalf("%s has no stream", q.Name())
		}
		streams[q.stream.ID()] = true
		if rapid.Bool().Draw(w.T, "take") {
			g := w.workers[0]
			for {
				ok, err := g.client.Get(g.batch, q.Name(), false, func(d *Delivery, _ int) {
					if d.Redelivered != (d.Deliveries > 0) {
						w.Fatalf("%.20q was delivered %d times, and redelivered=%v", d.Message.Body, d.Deliveries, d.Redelivered)
					}
					all = append(all, seen{string(d.Message.Body), d.Seq, int(d.Deliveries)})
				})
				if err != nil && !w.machine.hurt() {
					w.Fatalf("%s: %v", q.Name(), err)
				}
				if !ok {
					break
				}
			}
		} else {
			err := q.stream.Read(0, func(r *storage.Record) bool {
				var m message.Message
				if err := m.View(r.Payload); err != nil {
					w.Fatal(err)
				}
				all = append(all, seen{string(m.Body), 0, int(r.Deliveries)})
				return true
			})
			if err != nil && !w.machine.hurt() {
				w.Fatalf("%s: %v", q.Name(), err)
			}
			if n := q.Info().Ready; n != len(all) && !w.machine.hurt() {
				w.Fatalf("%s says that %d messages are ready; %d are there", q.Name(), n, len(all))
			}
		}
		s.queues[q.Name()] = all
	}
	for _, id := range w.store.Streams() {
		if !streams[id] {
			w.Fatalf("the stream %d belongs to no queue", id)
		}
	}
	for _, b := range v.Bindings() {
		if b.Exchange != "amq.fanout" || b.ToExchange || s.queues[b.Destination] == nil {
			w.Fatalf("there is a binding %+v", b)
		}
		s.bound[b.Destination] = true
	}
	for _, u := range w.users.List() {
		s.tags[u.Name] = strings.Join(u.Tags, " ")
	}
	return s
}

// after returns the queues that there were after so many units.
func (w *world) after(units int) map[string]*line {
	there := make(map[string]*line)
	for _, l := range slices.Concat(w.past, slices.Collect(maps.Values(w.lines))) {
		if l.spec.Durable && l.declared <= units && units < l.deleted {
			there[l.name()] = l
		}
	}
	return there
}

// differs returns in what a sight is not what there was after so many units.
func (w *world) differs(s sight, units int) error {
	there := w.after(units)
	for _, k := range kinds {
		l, all := there[k.Name], s.queues[k.Name]
		switch {
		case (l != nil) != (all != nil):
			return fmt.Errorf("%s is there: %v, should be: %v", k.Name, all != nil, l != nil)
		case l == nil:
			continue
		case s.bound[k.Name] != (l.bound <= units):
			return fmt.Errorf("%s is bound: %v", k.Name, s.bound[k.Name])
		}
		if err := w.holds(l, all, units); err != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	for name, all := range w.people {
		tag := ""
		for _, t := range all {
			if t.unit <= units {
				tag = t.tag
			}
		}
		if s.tags[name] != tag {
			return fmt.Errorf("%s has the tag %q, not %q", name, s.tags[name], tag)
		}
	}
	return nil
}

// holds returns in what the messages in a queue are not what there was after so many units.
func (w *world) holds(l *line, all []seen, units int) error {
	for _, c := range l.copies {
		kept := c.durable && c.published <= units
		body := string(c.body())
		if len(all) == 0 || all[0].body != body {
			if kept && units < c.settled && !c.expired(w.now()) {
				return fmt.Errorf("%.20q is lost: it came with %d and went with %d", body, c.published, c.settled)
			}
			continue
		}
		m := all[0]
		all = all[1:]
		switch {
		case !kept:
			return fmt.Errorf("%.20q is there, with persistent=%v, though it came with %d", body, c.durable, c.published)
		case units >= c.settled && c.expires == 0:
			return fmt.Errorf("%.20q is there, though it went with %d", body, c.settled)
		case c.expires == 0 && !c.admits(m.deliveries, units):
			return fmt.Errorf("%.20q is said to have been delivered %d times; it was %d times, first with %d, and came back with %v",
				body, m.deliveries, c.outs, c.delivered, c.returnsText())
		}
	}
	if len(all) > 0 {
		return fmt.Errorf("%.20q is there, out of its place, or twice, or never published", all[0].body)
	}
	return nil
}

// admits reports whether a copy may say, after so many units, that it was delivered n times: as often as when it came back last, or once
// when it was delivered.
func (c *copyOf) admits(n, units int) bool {
	var last *returned
	for _, r := range c.returns {
		if r.unit <= units && (last == nil || r.unit >= last.unit) {
			last = r
		}
	}
	switch {
	case c.outs == 0:
		return n == 0 || n == 1 && c.done // it was purged, and those behind it were delivered
	case last != nil && n == last.outs:
		return true
	case last != nil && last.unit >= c.published: // otherwise it was told before the message itself, and may be forgotten
		return false
	case n == 0:
		return c.delivered > units
	}
	return n == 1 // a mark of those behind it may be one of its own
}

func (c *copyOf) returnsText() string {
	var b strings.Builder
	for _, r := range c.returns {
		fmt.Fprintf(&b, "%d: %d times; ", r.unit, r.outs)
	}
	return b.String()
}

// adopt goes on with what is there, and was in these queues.
func (w *world) adopt(s sight, from map[string]*line) {
	w.lines, w.past, w.people = make(map[string]*line), nil, make(map[string][]*tagged)
	g := w.workers[0]
	w.acting = &g.pen
	for _, k := range kinds {
		all := s.queues[k.Name]
		if all == nil {
			continue
		}
		l := &line{spec: k, deleted: never, bound: never}
		if s.bound[k.Name] {
			l.bound, l.fanout = 0, true
		}
		w.lines[k.Name] = l
		var out []uint64
		for _, was := range from[k.Name].copies {
			c := &copyOf{id: was.id, size: was.size, durable: true, delivered: never, settled: never, expires: was.expires}
			if len(all) == 0 || string(c.body()) != all[0].body {
				if c.expired(w.now()) { // that it is gone may not be on the disk yet
					c.done = true
					l.copies = append(l.copies, c)
				}
				continue
			}
			m := all[0]
			all = all[1:]
			if c.outs = m.deliveries; c.outs > 0 {
				c.delivered = 0
				c.returns = []*returned{{0, c.outs}}
			}
			if m.seq != 0 {
				if c.outs++; c.outs == 1 {
					w.note(&c.delivered)
				}
				r := &returned{outs: c.outs}
				w.note(&r.unit)
				c.returns = append(c.returns, r)
				out = append(out, m.seq)
			}
			l.copies = append(l.copies, c)
		}
		if len(out) == 0 {
			continue // nobody touches the queue
		}
		if n := w.broker.VHost("/").Queue(k.Name).Settle(g.batch, out, queue.Requeue); n != len(out) {
			w.Fatalf("%d of %d came back", n, len(out))
		}
	}
	w.end(g)
	for name, tag := range s.tags {
		w.people[name] = []*tagged{{tag: tag}}
	}
}

// aftermath is what follows when a call of the disk has failed: either the broker has failed, and promises nothing any more, or
// goes on. The next one keeps all promises.
func (w *world) aftermath() {
	if w.broker.Failure() != nil {
		w.tally.failures++
		durable := w.broker.Durable()
		_ = w.store.Commit()
		if last := w.store.last(); last > durable && w.store.Subject.Wait(last) == nil {
			w.Fatal("a broker that has failed has made something durable")
		}
		if w.broker.Durable() != durable || w.failed != 1 {
			w.Fatalf("durable was %d and is %d, and the broker has failed %d times", durable, w.broker.Durable(), w.failed)
		}
	}
	w.restart(rapid.SampledFrom([]ending{closed, killed, powerCut}).Draw(w.T, "after the fault"))
}
