package engine

import (
	"bytes"
	"hash/maphash"
	"slices"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
)

// route is what a publish to an exchange with a key leads to.
type route struct {
	generation uint64 // of topology and permissions, when it was found; 0 is never
	exchange   []byte
	key        []byte
	queues     []*Queue
	headers    bool // a headers exchange is on the way: it is different for each message
}

// routeCache remembers routes. It is a table of a fixed size in which a newer route takes an older one's place, so that
// it is bounded and one-off keys cost no more than finding their route does; its memory is used again. It begins small,
// since most clients publish to one or two addresses, and grows when routes take one another's places.
type routeCache struct {
	last      *route // the one used before this: most publishers repeat themselves
	routes    []route
	displaced int // good routes that others took the place of
	room      int // how many bytes all routes together hold
	seed      maphash.Seed
	walk      walk // scratch
}

const (
	fewRoutes  = 16
	manyRoutes = 1024
	maxRoom    = 512 << 10
	keptDests  = 4096
)

// generation is the state of the world that a route depends on: it changes with the topology and with permissions.
func (c *Client) generation() uint64 {
	return 1 + c.vhost.generation.Load() + c.vhost.broker.users.Generation()
}

// find returns the route of a message. The route is valid until the next call.
func (rc *routeCache) find(c *Client, m *message.Message) (*route, error) {
	now := c.generation()
	if r := rc.last; r != nil && r.leads(m, now) {
		return r, nil
	}
	if rc.routes == nil {
		rc.routes = make([]route, fewRoutes)
		rc.seed = maphash.MakeSeed()
	}
	r := rc.place(m)
	if r.leads(m, now) {
		rc.last = r
		return r, nil
	}
	if r.generation == now && !r.headers {
		rc.displaced++
	}
	if grow := rc.displaced > len(rc.routes) && len(rc.routes) < manyRoutes; grow || rc.room > maxRoom {
		n := len(rc.routes)
		if grow {
			n *= 4
		}
		rc.routes, rc.displaced, rc.room = make([]route, n), 0, 0
		r = rc.place(m)
	}
	rc.last = nil
	r.generation = 0 // until it is whole
	rc.room -= r.room()
	r.exchange = append(r.exchange[:0], m.Exchange...)
	r.key = append(r.key[:0], m.Key...)
	clear(r.queues[:cap(r.queues)])
	r.queues, r.headers = r.queues[:0], false
	err := rc.resolve(c, m, r)
	rc.room += r.room()
	if err != nil {
		return nil, err
	}
	r.generation = now
	rc.last = r
	return r, nil
}

// leads reports whether r is, in the generation now, the route of m.
func (r *route) leads(m *message.Message, now uint64) bool {
	return r.generation == now && bytes.Equal(r.key, m.Key) && bytes.Equal(r.exchange, m.Exchange) && !r.headers
}

// room is how many bytes the route holds.
func (r *route) room() int { return cap(r.exchange) + cap(r.key) + 8*cap(r.queues) }

func (rc *routeCache) place(m *message.Message) *route {
	h := maphash.Bytes(rc.seed, m.Key)*31 + maphash.Bytes(rc.seed, m.Exchange)
	return &rc.routes[h%uint64(len(rc.routes))]
}

// resolve finds the queues that a message goes to: each once, in the order of the bindings.
func (rc *routeCache) resolve(c *Client, m *message.Message, r *route) error {
	if len(m.Key) > message.MaxKey {
		return refuse(PreconditionFailed, "a routing key of %d bytes is too long: at most %d", len(m.Key), message.MaxKey)
	}
	v := c.vhost
	v.mu.RLock()
	defer v.mu.RUnlock()
	x := v.exchanges[string(m.Exchange)]
	if x == nil {
		if err := c.mayExchange(access.Write, string(m.Exchange)); err != nil {
			return err
		}
		return v.noExchange(string(m.Exchange))
	}
	if err := c.mayExchange(access.Write, x.spec.Name); err != nil {
		return err
	}
	if x.spec.Internal {
		return refuse(AccessRefused, "cannot publish to internal %s", v.exchangeText(x.spec.Name))
	}
	if x.spec.Name == "" {
		if q := v.queues[string(m.Key)]; q != nil {
			r.queues = append(r.queues, q)
		}
		return nil
	}
	w := &rc.walk
	w.vhost, w.message, w.routing.Key, w.queues.members = v, m, m.Key, r.queues
	w.enter(x)
	r.queues, r.headers = w.queues.members, w.headers
	w.reset()
	return nil
}

// walk follows bindings from exchange to exchange.
type walk struct {
	vhost   *VHost
	message *message.Message
	routing exchange.Routing
	dests   []dest // a stack: what the exchanges under way lead to
	seen    set[*Exchange]
	queues  set[*Queue] // what was found
	headers bool        // a headers exchange was on the way
}

// reset forgets everything but the memory that the next walk can use.
func (w *walk) reset() {
	w.vhost, w.message, w.routing.Key, w.routing.Headers, w.headers = nil, nil, nil, nil, false
	clear(w.dests[:cap(w.dests)])
	clear(w.seen.members)
	w.dests, w.seen.members = w.dests[:0], w.seen.members[:0]
	if cap(w.dests) > keptDests {
		w.dests = nil
	}
	w.queues.members, w.seen.index, w.queues.index = nil, nil, nil
}

func (w *walk) enter(x *Exchange) {
	if !w.seen.add(x) {
		return // a circle
	}
	if x.spec.Type == exchange.Headers {
		w.headers = true
		w.routing.Headers = w.message.Headers
	}
	from := len(w.dests)
	w.dests = x.table.Route(&w.routing, w.dests)
	to := len(w.dests)
	alone := len(w.seen.members) == 1 // one exchange names a queue once: only what came through another can repeat
	for i := from; i < to; i++ {
		switch d := w.dests[i]; {
		case d.exchange != nil:
			w.enter(d.exchange)
			alone = false
		case alone:
			w.queues.members = append(w.queues.members, d.queue)
		default:
			w.queues.add(d.queue)
		}
	}
	w.dests = w.dests[:from]
	if from == to && x.alternate != "" {
		if a := w.vhost.exchanges[x.alternate]; a != nil {
			w.enter(a)
		}
	}
}

// set is an ordered set: a list, with an index once it is long.
type set[T comparable] struct {
	members []T
	index   map[T]struct{} // of all members; nil while they are few
}

const fewMembers = 32

// add reports whether v is new.
func (s *set[T]) add(v T) bool {
	if s.index == nil && len(s.members) > fewMembers {
		s.index = make(map[T]struct{}, 2*len(s.members))
		for _, m := range s.members {
			s.index[m] = struct{}{}
		}
	}
	if s.index == nil {
		if slices.Contains(s.members, v) {
			return false
		}
	} else {
		if _, ok := s.index[v]; ok {
			return false
		}
		s.index[v] = struct{}{}
	}
	s.members = append(s.members, v)
	return true
}
