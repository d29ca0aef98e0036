package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/definitions"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/storage"
)

// What is durable of the topology stands in the store as values by key, one for each thing, in the form of package
// definitions. They are written under the vhost's lock and handed over before it is released, so that a declaration
// comes before the first message of what it declares. A durable queue names its stream: a queue that was deleted and declared
// again has another one, and nothing of the old one's.

// diary returns the vhost's log, in a broker with a store. lock: vhost
func (v *VHost) diary() storage.Batch {
	if v.log == nil {
		v.log = v.broker.store.NewBatch()
	}
	return v.log
}

type definition interface {
	Key() string
	AppendValue(dst []byte) []byte
}

func put(log storage.Batch, d definition) { log.Put(d.Key(), d.AppendValue(nil)) }

func (v *VHost) exchangeDefinition(spec ExchangeSpec) definitions.Exchange {
	return definitions.Exchange{
		VHost: v.name, Name: spec.Name, Type: string(spec.Type), Durable: true, AutoDelete: spec.AutoDelete,
		Internal: spec.Internal, Args: spec.Args,
	}
}

// saveExchange writes a durable exchange. lock: vhost
func (v *VHost) saveExchange(spec ExchangeSpec) {
	if spec.Durable && v.broker.store != nil {
		put(v.diary(), v.exchangeDefinition(spec))
	}
}

// forgetExchange removes it. lock: vhost
func (v *VHost) forgetExchange(spec ExchangeSpec) {
	if spec.Durable && v.broker.store != nil {
		v.diary().Delete(v.exchangeDefinition(spec).Key())
	}
}

func (q *Queue) definition() definitions.Queue {
	d := definitions.Queue{
		VHost: q.vhost.name, Name: q.spec.Name, Durable: true, AutoDelete: q.spec.AutoDelete, Args: q.spec.Args,
		CreatedAt: q.created,
	}
	if q.stream != nil {
		d.Stream = q.stream.ID()
	}
	return d
}

// saveQueue writes a durable queue, and gives it its stream. lock: vhost
func (v *VHost) saveQueue(q *Queue) {
	if !q.durable {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.kept()
	put(v.diary(), q.definition())
}

// forgetQueue removes it, and what the store has of any queue. lock: vhost; takes queue
func (v *VHost) forgetQueue(q *Queue) {
	if v.broker.store == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.durable {
		v.diary().Delete(q.definition().Key())
	}
	if q.stream != nil {
		v.diary().Drop(q.stream)
	}
}

// bindingDefinition returns a binding as the store has it, if it is durable: both of its ends are.
func (v *VHost) bindingDefinition(from *Exchange, to dest, b exchange.Binding) (d definitions.Binding, durable bool) {
	if v.broker.store == nil || !from.spec.Durable {
		return d, false
	}
	d = definitions.Binding{VHost: v.name, Source: from.spec.Name, RoutingKey: b.Key, Args: b.Args}
	if to.queue != nil {
		d.Destination, d.DestinationType = to.queue.spec.Name, definitions.ToQueue
		return d, to.queue.durable
	}
	d.Destination, d.DestinationType = to.exchange.spec.Name, definitions.ToExchange
	return d, to.exchange.spec.Durable
}

// saveBinding writes a durable binding. lock: vhost
func (v *VHost) saveBinding(from *Exchange, to dest, b exchange.Binding) {
	if d, durable := v.bindingDefinition(from, to, b); durable {
		put(v.diary(), d)
	}
}

// forgetBinding removes it. lock: vhost
func (v *VHost) forgetBinding(from *Exchange, to dest, b exchange.Binding) {
	if d, durable := v.bindingDefinition(from, to, b); durable {
		v.diary().Delete(d.Key())
	}
}

// restore makes what the store has: vhosts, users, exchanges, queues with their messages, bindings. What the configuration
// says of vhosts and users is added, or takes the place of what is stored. It runs before anybody can open a client.
func (b *Broker) restore(c Config) error {
	log := b.store.NewBatch()
	for key, value := range b.store.Values(definitions.VHostPrefix) {
		d, err := definitions.ParseVHost(key, value)
		if err != nil {
			return err
		}
		b.vhosts[d.Name] = newVHost(b, d.Name)
	}
	for _, name := range c.VHosts {
		if b.vhosts[name] == nil {
			b.vhosts[name] = newVHost(b, name)
			put(log, definitions.VHost{Name: name})
		}
	}
	if err := b.restoreUsers(c.SeedUsers, log); err != nil {
		return err
	}
	streams := make(map[uint64]bool) // that belong to a queue
	var unborn []*Queue              // queues in which there never was anything
	for _, step := range [...]struct {
		prefix string
		do     func(key string, value []byte) error
	}{
		{definitions.ExchangePrefix, b.restoreExchange},
		{definitions.QueuePrefix, func(key string, value []byte) error {
			q, id, err := b.restoreQueue(key, value)
			switch {
			case err != nil:
			case q.stream == nil:
				unborn = append(unborn, q)
			default:
				streams[id] = true
			}
			return err
		}},
		{definitions.BindingPrefix, b.restoreBinding},
	} {
		for key, value := range b.store.Values(step.prefix) {
			if err := step.do(key, value); err != nil {
				return err
			}
		}
	}
	for _, id := range b.store.Streams() {
		if streams[id] {
			continue
		}
		s := b.store.Stream(id) // of a queue that was not durable: what it had was transient and is gone
		if n := s.Info().Records; n > 0 {
			b.log.Error("messages of a queue that is not defined are dropped", "stream", id, "messages", n)
		}
		log.Drop(s)
	}
	for _, q := range unborn { // the store does not know the numbers of their streams, and may give them to others
		q.kept()
		put(log, q.definition())
	}
	if !log.Empty() {
		if err := b.store.Wait(log.Commit(true)); err != nil {
			return err
		}
	}
	b.users.Keep(b.keepUsers)
	return nil
}

// keepUsers stores changes of users and permissions before they are made.
func (b *Broker) keepUsers(changes []access.Change) error {
	log := b.store.NewBatch()
	for _, c := range changes {
		var d definition
		if c.User != nil {
			d = definitions.UserOf(*c.User)
		} else {
			d = definitions.PermissionOf(*c.Grant)
		}
		if c.Removed {
			log.Delete(d.Key())
		} else {
			put(log, d)
		}
	}
	return b.Wait(context.Background(), log.Commit(true))
}

// restoreUsers adds the stored users to those of the configuration, which win, and stores the latter. Seeded ones count
// only while none is stored.
func (b *Broker) restoreUsers(seed bool, log storage.Batch) error {
	configured := make(map[string]bool)
	for _, u := range b.users.List() {
		configured[u.Name] = true
	}
	stored := false
	for key, value := range b.store.Values(definitions.UserPrefix) {
		d, err := definitions.ParseUser(key, value)
		if err != nil {
			return err
		}
		if !stored && seed {
			for name := range configured {
				if _, err := b.users.Delete(name); err != nil {
					return err
				}
			}
			clear(configured)
		}
		stored = true
		if configured[d.Name] {
			continue
		}
		if err := b.users.Put(d.User()); err != nil {
			return fmt.Errorf("the stored user %q: %w", d.Name, err)
		}
	}
	for key, value := range b.store.Values(definitions.PermissionPrefix) {
		d, err := definitions.ParsePermission(key, value)
		if err != nil {
			return err
		}
		if configured[d.User] {
			log.Delete(key) // what the configuration says is written below
			continue
		}
		p := access.Permissions{Configure: d.Configure, Write: d.Write, Read: d.Read}
		if err := b.users.SetPermissions(d.VHost, d.User, p); err != nil {
			return fmt.Errorf("the stored permissions of %q: %w", d.User, err)
		}
	}
	for _, u := range b.users.List() {
		if configured[u.Name] {
			put(log, definitions.UserOf(u))
		}
	}
	for _, g := range b.users.Grants() {
		if configured[g.User] {
			put(log, definitions.PermissionOf(g))
		}
	}
	return nil
}

// orphanError says that something is stored whose vhost, exchange or queue is not.
func orphanError(what string) error {
	return fmt.Errorf("the store has %s, and not what it belongs to", what)
}

func (b *Broker) restoreExchange(key string, value []byte) error {
	d, err := definitions.ParseExchange(key, value)
	if err != nil {
		return err
	}
	v := b.vhosts[d.VHost]
	if v == nil {
		return orphanError("the exchange " + d.Name + " of vhost " + d.VHost)
	}
	return v.addExchange(ExchangeSpec{
		Name: d.Name, Type: exchange.Kind(d.Type), Durable: true, AutoDelete: d.AutoDelete, Internal: d.Internal, Args: d.Args,
	})
}

// restoreQueue makes a queue with what its stream holds, and returns the stream's id.
func (b *Broker) restoreQueue(key string, value []byte) (*Queue, uint64, error) {
	d, err := definitions.ParseQueue(key, value)
	if err != nil {
		return nil, 0, err
	}
	v := b.vhosts[d.VHost]
	if v == nil {
		return nil, 0, orphanError("the queue " + d.Name + " of vhost " + d.VHost)
	}
	q := newQueue(v, QueueSpec{Name: d.Name, Durable: true, AutoDelete: d.AutoDelete, Args: d.Args})
	q.created = d.CreatedAt
	v.queues[d.Name] = q
	if q.stream = b.store.Stream(d.Stream); q.stream == nil {
		return q, 0, nil
	}
	i := q.stream.Info()
	q.core.Restore(i.First, i.Next, i.Records, i.Bytes)
	// Messages that expire: the first of them sets the alarm.
	next, err := q.stream.Due(math.MinInt64, func(*storage.Record) bool { return false })
	if err != nil {
		return nil, 0, err
	}
	if next != 0 {
		q.mortal = true
		q.wakeAt(next, b.clock.Now().UnixMilli())
	}
	return q, d.Stream, nil
}

func (b *Broker) restoreBinding(key string, value []byte) error {
	d, err := definitions.ParseBinding(key, value)
	if err != nil {
		return err
	}
	v := b.vhosts[d.VHost]
	if v == nil {
		return orphanError("a binding of vhost " + d.VHost)
	}
	to := dest{queue: v.queues[d.Destination]}
	if d.DestinationType == definitions.ToExchange {
		to = dest{exchange: v.exchanges[d.Destination]}
	}
	if to.queue == nil && to.exchange == nil || v.exchanges[d.Source] == nil {
		return orphanError("a binding from " + d.Source + " to " + d.Destination + " in vhost " + d.VHost)
	}
	_, err = v.addBinding(d.Source, to, exchange.Binding{Key: d.RoutingKey, Args: d.Args})
	return err
}
