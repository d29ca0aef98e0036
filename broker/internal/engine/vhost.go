package engine

import (
	"context"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/storage"
)

// VHost is a name space of exchanges and queues.
type VHost struct {
	broker *Broker
	name   string
	// generation counts changes of the topology. What a client cached before is void.
	generation atomic.Uint64

	mu        sync.RWMutex // lock: vhost; guards the maps, and all bindings
	exchanges map[string]*Exchange
	queues    map[string]*Queue
	log       storage.Batch // what the store is to know of changes to durable things; nil until there are any
	ticket    Ticket        // of the last change that was handed over
}

// change runs f, which changes the topology, and returns once what is durable of the topology is on the disk: also what f
// has found there, which may be another's change of a moment ago.
func (v *VHost) change(f func() error) error {
	t, err := v.amend(f)
	if err != nil {
		return err
	}
	return v.broker.Wait(context.Background(), t)
}

// amend runs f, which changes the topology, and hands over what is durable of it: whoever sees the change afterwards, and
// publishes because of it, comes behind it in the store. It returns the ticket of all changes so far.
func (v *VHost) amend(f func() error) (Ticket, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	err := f()
	v.handOver()
	return v.ticket, err
}

// handOver gives the store what it is to know. lock: vhost
func (v *VHost) handOver() {
	if v.log != nil && !v.log.Empty() {
		v.ticket = v.log.Commit(true)
	}
}

// ExchangeSpec is what an exchange is declared with.
type ExchangeSpec struct {
	Name       string
	Type       exchange.Kind
	Durable    bool
	AutoDelete bool // deleted when its last binding goes
	Internal   bool // takes messages from other exchanges only
	Args       []exchange.Arg
}

// Exchange is a live exchange.
type Exchange struct {
	vhost     *VHost
	spec      ExchangeSpec
	alternate string               // where unroutable messages go; "" is nowhere
	table     exchange.Table[dest] // lock: vhost
	inbound   map[*Exchange]int    // lock: vhost; exchanges that have bindings to this one
}

// dest is what a binding leads to: one of the two.
type dest struct {
	queue    *Queue
	exchange *Exchange
}

func newVHost(b *Broker, name string) *VHost {
	v := &VHost{broker: b, name: name, exchanges: make(map[string]*Exchange), queues: make(map[string]*Queue)}
	for _, x := range [...]ExchangeSpec{
		{Name: "", Type: exchange.Direct},
		{Name: "amq.direct", Type: exchange.Direct},
		{Name: "amq.fanout", Type: exchange.Fanout},
		{Name: "amq.topic", Type: exchange.Topic},
		{Name: "amq.headers", Type: exchange.Headers},
		{Name: "amq.match", Type: exchange.Headers},
		{Name: "amq.rabbitmq.trace", Type: exchange.Topic, Internal: true},
	} {
		x.Durable = true
		table, err := exchange.New[dest](x.Type)
		if err != nil {
			panic("engine: " + err.Error()) // the kinds above exist
		}
		v.exchanges[x.Name] = &Exchange{vhost: v, spec: x, table: table}
	}
	return v
}

// Name returns the vhost's name.
func (v *VHost) Name() string { return v.name }

// Queue returns the queue with that name, which may be a direct reply-to address, or nil.
func (v *VHost) Queue(name string) *Queue {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.queues[name]
}

// Queues returns all queues, sorted by name. Direct reply-to addresses are not shown.
func (v *VHost) Queues() []*Queue {
	return slices.DeleteFunc(v.all(), func(q *Queue) bool { return isReply(q.spec.Name) })
}

// all returns all queues, sorted by name.
func (v *VHost) all() []*Queue {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := make([]*Queue, 0, len(v.queues))
	for _, q := range v.queues {
		all = append(all, q)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].spec.Name < all[j].spec.Name })
	return all
}

// Exchanges returns what all exchanges were declared with, sorted by name.
func (v *VHost) Exchanges() []ExchangeSpec {
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := make([]ExchangeSpec, 0, len(v.exchanges))
	for _, x := range v.exchanges {
		all = append(all, x.spec)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// changed voids what clients have cached. lock: vhost
func (v *VHost) changed() { v.generation.Add(1) }

// declareExchange makes an exchange unless an equivalent one exists.
func (v *VHost) declareExchange(spec ExchangeSpec) error {
	return v.change(func() error { return v.ensureExchange(spec) })
}

// ensureExchange is declareExchange. lock: vhost
func (v *VHost) ensureExchange(spec ExchangeSpec) error {
	if x := v.exchanges[spec.Name]; x != nil {
		return x.equivalent(spec)
	}
	if strings.HasPrefix(spec.Name, "amq.") {
		return refuse(AccessRefused, "exchange name '%s' contains reserved prefix 'amq.*'", spec.Name)
	}
	if err := v.addExchange(spec); err != nil {
		return err
	}
	v.saveExchange(spec)
	return nil
}

// addExchange puts a new exchange into the topology. lock: vhost
func (v *VHost) addExchange(spec ExchangeSpec) error {
	table, err := exchange.New[dest](spec.Type)
	if err != nil {
		return refuse(PreconditionFailed, "%s", err)
	}
	x := &Exchange{vhost: v, spec: spec, table: table}
	if a, ok := arg(spec.Args, "alternate-exchange"); ok {
		x.alternate = string(a.Bytes)
	}
	v.exchanges[spec.Name] = x
	v.changed()
	return nil
}

func (x *Exchange) equivalent(spec ExchangeSpec) error {
	what := x.vhost.exchangeText(spec.Name)
	if x.spec.Type != spec.Type {
		return inequivalent("type", what, string(spec.Type), string(x.spec.Type))
	}
	for _, p := range [...]struct {
		name          string
		received, has bool
	}{
		{"durable", spec.Durable, x.spec.Durable},
		{"auto_delete", spec.AutoDelete, x.spec.AutoDelete},
		{"internal", spec.Internal, x.spec.Internal},
	} {
		if p.received != p.has {
			return inequivalent(p.name, what, boolText(p.received), boolText(p.has))
		}
	}
	return equivalentArg("alternate-exchange", what, spec.Args, x.spec.Args)
}

// deleteExchange deletes the exchange and every binding from and to it. A missing one is no error.
func (v *VHost) deleteExchange(name string, ifUnused bool) error {
	return v.change(func() error {
		x := v.exchanges[name]
		if x == nil {
			return nil
		}
		if ifUnused && x.table.Len() > 0 {
			return refuse(PreconditionFailed, "%s in use", v.exchangeText(name))
		}
		v.dropExchange(x)
		return nil
	})
}

// dropExchange takes an exchange out of the topology. lock: vhost
func (v *VHost) dropExchange(x *Exchange) {
	delete(v.exchanges, x.spec.Name)
	v.changed()
	v.forgetExchange(x.spec)
	x.table.Bindings(func(b exchange.Binding, d dest) bool {
		v.forgetBinding(x, d, b)
		switch {
		case d.queue != nil:
			delete(d.queue.bound, x)
		default:
			delete(d.exchange.inbound, x)
		}
		return true
	})
	for from := range x.inbound {
		v.unbindAll(from, dest{exchange: x})
		v.emptied(from)
	}
	x.inbound = nil
}

// unbindAll removes the bindings of an exchange to a destination. lock: vhost
func (v *VHost) unbindAll(from *Exchange, to dest) {
	for _, b := range from.table.UnbindAll(to) {
		v.forgetBinding(from, to, b)
	}
}

// emptied deletes an auto-delete exchange that has lost its last binding. lock: vhost
func (v *VHost) emptied(x *Exchange) {
	if x.spec.AutoDelete && x.table.Len() == 0 && v.exchanges[x.spec.Name] == x {
		v.dropExchange(x)
	}
}

// bind adds a binding; one that exists is left as it is.
func (v *VHost) bind(from string, to dest, b exchange.Binding) error {
	return v.change(func() error {
		added, err := v.addBinding(from, to, b)
		if added {
			v.saveBinding(v.exchanges[from], to, b)
		}
		return err
	})
}

// addBinding puts a binding into the topology, and reports whether it is new. lock: vhost
func (v *VHost) addBinding(from string, to dest, b exchange.Binding) (added bool, err error) {
	x := v.exchanges[from]
	if x == nil {
		return false, v.noExchange(from)
	}
	if err := exchange.Validate(x.spec.Type, b); err != nil {
		return false, refuse(PreconditionFailed, "%s", err)
	}
	if q := to.queue; q != nil {
		if v.queues[q.spec.Name] != q {
			return false, v.noQueue(q.spec.Name)
		}
		if added = x.table.Bind(b, to); added {
			q.bound[x]++
			v.changed()
		}
		return added, nil
	}
	if v.exchanges[to.exchange.spec.Name] != to.exchange {
		return false, v.noExchange(to.exchange.spec.Name)
	}
	if added = x.table.Bind(b, to); added {
		if to.exchange.inbound == nil {
			to.exchange.inbound = make(map[*Exchange]int)
		}
		to.exchange.inbound[x]++
		v.changed()
	}
	return added, nil
}

// bound reports whether a queue has any binding to the exchange.
func (v *VHost) bound(from string, q *Queue) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	x := v.exchanges[from]
	return x != nil && q.bound[x] > 0
}

// unbind removes a binding; a missing one is no error.
func (v *VHost) unbind(from string, to dest, b exchange.Binding) error {
	return v.change(func() error {
		x := v.exchanges[from]
		if x == nil || !x.table.Unbind(b, to) {
			return nil
		}
		v.changed()
		v.forgetBinding(x, to, b)
		sources := to.sources()
		if sources[x]--; sources[x] == 0 {
			delete(sources, x)
		}
		v.emptied(x)
		return nil
	})
}

// sources returns which exchanges have bindings to this destination, and how many. lock: vhost
func (d dest) sources() map[*Exchange]int {
	if d.queue != nil {
		return d.queue.bound
	}
	return d.exchange.inbound
}

// Binding is one binding, for showing.
type Binding struct {
	Exchange    string
	Destination string
	ToExchange  bool // the destination is an exchange, not a queue
	exchange.Binding
}

// Bindings returns all bindings, those of the default exchange left out.
func (v *VHost) Bindings() []Binding {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var all []Binding
	for name, x := range v.exchanges {
		x.table.Bindings(func(b exchange.Binding, d dest) bool {
			one := Binding{Exchange: name, Binding: b}
			if d.queue != nil {
				one.Destination = d.queue.spec.Name
			} else {
				one.Destination, one.ToExchange = d.exchange.spec.Name, true
			}
			all = append(all, one)
			return true
		})
	}
	sort.SliceStable(all, func(i, j int) bool {
		a, b := &all[i], &all[j]
		if a.Exchange != b.Exchange {
			return a.Exchange < b.Exchange
		}
		if a.Destination != b.Destination {
			return a.Destination < b.Destination
		}
		return a.Key < b.Key
	})
	return all
}

// dropQueue ends a queue, unless a condition forbids it, takes it out of the topology, and returns how many messages waited
// in it. lock: vhost
func (v *VHost) dropQueue(b *Batch, q *Queue, ifUnused, ifEmpty bool) (int, error) {
	ready, err := q.close(b, ifUnused, ifEmpty)
	if err != nil {
		return 0, err
	}
	delete(v.queues, q.spec.Name)
	v.changed()
	v.forgetQueue(q)
	for x := range q.bound {
		v.unbindAll(x, dest{queue: q})
		v.emptied(x)
	}
	q.bound = nil
	if q.owner != nil {
		q.owner.disown(q)
	}
	return ready, nil
}

// deleteAbandoned deletes an auto-delete queue, unless somebody consumes from it again by now.
func (v *VHost) deleteAbandoned(b *Batch, q *Queue) {
	_, _ = v.amend(func() error {
		if v.queues[q.spec.Name] == q {
			_, _ = v.dropQueue(b, q, true, false) // in use: then it stays
		}
		return nil
	})
}
