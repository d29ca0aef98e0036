package engine

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
)

// plan is a topology as one would write it down: lists that are searched from end to end for each message.
type plan struct {
	exchanges map[string]ExchangeSpec
	queues    map[string]bool
	bindings  []planned
}

type planned struct {
	from, to   string
	toExchange bool
	key        string
	match      string // of a headers binding: "all", "any", or "" for none
}

func (p *plan) has(b planned) bool { return slices.Contains(p.bindings, b) }

// remove takes bindings out and deletes the auto-delete exchanges that this empties.
func (p *plan) remove(which func(planned) bool) {
	var emptied []string
	p.bindings = slices.DeleteFunc(p.bindings, func(b planned) bool {
		if which(b) {
			emptied = append(emptied, b.from)
			return true
		}
		return false
	})
	for _, name := range emptied {
		used := slices.ContainsFunc(p.bindings, func(b planned) bool { return b.from == name })
		if x, ok := p.exchanges[name]; ok && x.AutoDelete && !used {
			p.drop(name)
		}
	}
}

func (p *plan) drop(x string) {
	delete(p.exchanges, x)
	p.bindings = slices.DeleteFunc(p.bindings, func(b planned) bool { return b.from == x })
	p.remove(func(b planned) bool { return b.toExchange && b.to == x })
}

// matches says whether words match a pattern, one word after the other.
func matches(pattern, words []string) bool {
	switch {
	case len(pattern) == 0:
		return len(words) == 0
	case pattern[0] == "#":
		return matches(pattern[1:], words) || len(words) > 0 && matches(pattern, words[1:])
	case len(words) == 0:
		return false
	}
	return (pattern[0] == "*" || pattern[0] == words[0]) && matches(pattern[1:], words[1:])
}

// words are what the dots are between; the empty key has none.
func words(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

func (p *plan) matches(b planned, kind exchange.Kind, key string, red bool) bool {
	switch kind {
	case exchange.Direct:
		return b.key == key
	case exchange.Fanout:
		return true
	case exchange.Topic:
		return matches(words(b.key), words(key))
	}
	return b.match == "all" || red // nothing to match is true of all and of none; else the header colour is asked for
}

// route collects the queues that a message goes to.
func (p *plan) route(x, key string, red bool, seen, found map[string]bool) {
	if seen[x] {
		return
	}
	seen[x] = true
	spec, ok := p.exchanges[x]
	if !ok {
		return
	}
	any := false
	for _, b := range p.bindings {
		if b.from != x || !p.matches(b, spec.Type, key, red) {
			continue
		}
		any = true
		if b.toExchange {
			p.route(b.to, key, red, seen, found)
		} else {
			found[b.to] = true
		}
	}
	if a, ok := arg(spec.Args, "alternate-exchange"); ok && !any {
		p.route(string(a.Bytes), key, red, seen, found)
	}
}

func TestRoutesFollowEveryChangeOfTheTopologyAndOfPermissions(t *testing.T) {
	kinds := map[string]exchange.Kind{
		"direct": exchange.Direct, "fanout": exchange.Fanout, "topic": exchange.Topic, "headers": exchange.Headers,
		"auto1": exchange.Topic, "auto2": exchange.Fanout, "spare": exchange.Fanout,
	}
	x := rapid.SampledFrom(slices.Sorted(maps.Keys(kinds)))
	queueName := rapid.SampledFrom([]string{"q1", "q2", "q3", "q4"})
	bindingKey := rapid.SampledFrom([]string{"", "a", "a.b", "*", "#", "a.*", "#.b"})
	key := rapid.SampledFrom([]string{"", "a", "b", "a.b", "b.b", "a.b.c", "q1", "q2"})

	rapid.Check(t, func(rt *rapid.T) {
		h := newHouse(t, Config{})
		defer h.Close()
		g := h.guest()
		writer := h.user("w", access.Permissions{Write: ".*"})
		writable := true
		p := &plan{exchanges: make(map[string]ExchangeSpec), queues: make(map[string]bool)}
		must := func(t *rapid.T, err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		draw := func(t *rapid.T) (planned, exchange.Binding) {
			b := planned{from: x.Draw(t, "from"), key: bindingKey.Draw(t, "key")}
			if b.toExchange = rapid.Bool().Draw(t, "to exchange"); b.toExchange {
				b.to = x.Draw(t, "to")
			} else {
				b.to = queueName.Draw(t, "to")
			}
			binding := exchange.Binding{Key: b.key}
			if kinds[b.from] == exchange.Headers {
				b.match = rapid.SampledFrom([]string{"all", "red"}).Draw(t, "match")
				if b.match == "red" {
					binding.Args = []exchange.Arg{text("colour", "red")}
				}
			}
			return b, binding
		}
		there := func(b planned) bool {
			_, from := p.exchanges[b.from]
			_, to := p.exchanges[b.to]
			return from && (b.toExchange && to || !b.toExchange && p.queues[b.to])
		}
		rt.Repeat(map[string]func(*rapid.T){
			"declare exchange": func(t *rapid.T) {
				name := x.Draw(t, "name")
				if _, ok := p.exchanges[name]; ok {
					t.Skip("it is there")
				}
				spec := ExchangeSpec{Name: name, Type: kinds[name], AutoDelete: strings.HasPrefix(name, "auto")}
				if rapid.Bool().Draw(t, "alternate") {
					spec.Args = []exchange.Arg{text("alternate-exchange", x.Draw(t, "to"))}
				}
				must(t, g.DeclareExchange(spec))
				p.exchanges[name] = spec
			},
			"delete exchange": func(t *rapid.T) {
				name := x.Draw(t, "name")
				must(t, g.DeleteExchange(name, false))
				p.drop(name)
			},
			"declare queue": func(t *rapid.T) {
				name := queueName.Draw(t, "name")
				_, err := g.DeclareQueue(QueueSpec{Name: name})
				must(t, err)
				p.queues[name] = true
			},
			"delete queue": func(t *rapid.T) {
				name := queueName.Draw(t, "name")
				_, err := g.DeleteQueue(g.batch, name, false, false)
				must(t, err)
				delete(p.queues, name)
				p.remove(func(b planned) bool { return !b.toExchange && b.to == name })
			},
			"bind": func(t *rapid.T) {
				b, binding := draw(t)
				do := g.BindQueue
				if b.toExchange {
					do = g.BindExchange
				}
				if err := do(b.from, b.to, binding); (err == nil) != there(b) {
					t.Fatalf("binding %+v: %v", b, err)
				}
				if there(b) && !p.has(b) {
					p.bindings = append(p.bindings, b)
				}
			},
			"unbind": func(t *rapid.T) {
				var b planned
				var binding exchange.Binding
				if len(p.bindings) > 0 && rapid.Bool().Draw(t, "one of them") {
					b = rapid.SampledFrom(p.bindings).Draw(t, "binding")
					if binding.Key = b.key; b.match == "red" {
						binding.Args = []exchange.Arg{text("colour", "red")}
					}
				} else {
					b, binding = draw(t)
				}
				if b.toExchange {
					must(t, g.UnbindExchange(b.from, b.to, binding))
				} else {
					must(t, g.UnbindQueue(b.from, b.to, binding))
				}
				p.remove(func(o planned) bool { return o == b })
			},
			"permit": func(t *rapid.T) {
				writable = rapid.Bool().Draw(t, "writable")
				must(t, h.users.SetPermissions("/", "w", access.Permissions{Write: map[bool]string{true: ".*", false: ""}[writable]}))
			},
			"publish": func(t *rapid.T) {
				for range rapid.IntRange(1, 5).Draw(t, "n") {
					name, k, red := rapid.OneOf(x, rapid.Just("")).Draw(t, "to"), key.Draw(t, "key"), rapid.Bool().Draw(t, "red")
					by, allowed := g, true
					if rapid.Bool().Draw(t, "by the writer") {
						by, allowed = writer, writable
					}
					publish(t, p, by, allowed, name, k, red)
				}
			},
		})
	})
}

func publish(t *rapid.T, p *plan, by *guest, allowed bool, x, key string, red bool) {
	found := make(map[string]bool)
	_, exists := p.exchanges[x]
	if x == "" {
		exists = true
		if p.queues[key] {
			found[key] = true
		}
	} else {
		p.route(x, key, red, make(map[string]bool), found)
	}
	before := make(map[string]int)
	for _, q := range by.VHost().Queues() {
		before[q.Name()] = q.Info().Ready
	}
	colour := map[bool]string{true: "red", false: "blue"}[red]
	props := message.Properties{Headers: []exchange.Arg{text("colour", colour)}}
	n, err := by.Publish(by.batch, &message.Message{Origin: message.AMQP091, Exchange: []byte(x), Key: []byte(key), Props: props.Append(nil)})
	by.batch.End()
	if wanted := allowed && exists; (err == nil) != wanted {
		t.Fatalf("publishing to %q: %v", x, err)
	}
	if err != nil {
		return
	}
	got := make(map[string]bool)
	for _, q := range by.VHost().Queues() {
		switch more := q.Info().Ready - before[q.Name()]; more {
		case 0:
		case 1:
			got[q.Name()] = true
		default:
			t.Fatalf("%q got %d copies", q.Name(), more)
		}
	}
	if !maps.Equal(got, found) || n != len(found) {
		t.Fatalf("%q with %q went to %v, and %d, not to %v; bindings: %+v", x, key, got, n, found, p.bindings)
	}
}

func TestRouteCacheIsBoundedHoweverManyKeysThereAre(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	q := g.declare(QueueSpec{Name: "q"})
	g.must(g.BindQueue("amq.topic", "q", exchange.Binding{Key: "k.#"}))
	g.consume(ConsumerSpec{Queue: "q", NoAck: true}, discard{})
	for i := range 50_000 {
		if n := g.publish("amq.topic", fmt.Sprint("k.", i), ""); n != 1 {
			t.Fatalf("key %d went to %d queues", i, n)
		}
		if n := g.publish("amq.topic", fmt.Sprint("l.", i), ""); n != 0 {
			t.Fatalf("key %d went to %d queues", i, n)
		}
	}
	if n := len(g.routes.routes); n != manyRoutes || q.Info().Counters.Delivered != 50_000 {
		t.Errorf("%d routes, %+v", n, q.Info().Counters)
	}
}

func TestRouteCacheHasABoundOnTheQueuesThatItHolds(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	const queues = 500
	for i := range queues {
		name := fmt.Sprint("q", i)
		g.declare(QueueSpec{Name: name})
		g.must(g.BindQueue("amq.topic", name, exchange.Binding{Key: "#"}))
		g.consume(ConsumerSpec{Queue: name, NoAck: true}, discard{})
	}
	for i := range 1000 {
		if n := g.publish("amq.topic", fmt.Sprint(i), ""); n != queues {
			t.Fatalf("%d queues", n)
		}
		room := 0
		for _, r := range g.routes.routes {
			room += cap(r.exchange) + cap(r.key) + 8*cap(r.queues)
		}
		if room != g.routes.room || room > maxRoom+16*queues {
			t.Fatalf("%d bytes of routes, counted %d", room, g.routes.room)
		}
	}
}

func TestOneAddressKeepsTheRouteCacheSmall(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	for i := range 1000 {
		g.declare(QueueSpec{Name: fmt.Sprint("q", i)}) // the topology changes all the time
		g.publish("amq.topic", "k", "")
	}
	if n := len(g.routes.routes); n != fewRoutes {
		t.Errorf("%d routes for one key", n)
	}
}

// discard takes everything.
type discard struct{}

func (discard) Deliver(*Delivery) Verdict { return Taken }
func (discard) Flush()                    {}
func (discard) Cancelled(*Consumer)       {}

// Protocols whose keys are long have few of them remembered.
func TestRouteCacheHasABoundOnTheKeysThatItHolds(t *testing.T) {
	g := newHouse(t, Config{}).guest()
	for i := range 4 * manyRoutes {
		key := append(bytes.Repeat([]byte("k"), message.MaxKey-4), fmt.Sprintf("%04d", i)...)
		if _, err := g.Publish(g.batch, &message.Message{Exchange: []byte("amq.topic"), Key: key}); err != nil {
			t.Fatal(err)
		}
		held := 0
		for _, r := range g.routes.routes {
			held += cap(r.key)
		}
		if held > maxRoom+2*message.MaxKey {
			t.Fatalf("%d bytes of keys are remembered", held)
		}
	}
}
