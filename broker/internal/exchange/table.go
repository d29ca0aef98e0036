package exchange

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// A router is what one kind of exchange adds to the list of its bindings: an
// index to find destinations by. It is told of every distinct binding once.
type router[D comparable] interface {
	bind(e *entry[D])
	unbind(e *entry[D])
	route(m *Routing, dst []D) []D
}

// table is a [Table]: the bindings in their order, so that a second one is
// known and all of a destination's are found, around a router.
type table[D comparable] struct {
	router  router[D]
	entries map[identity[D]]*entry[D]
	of      map[D][]*entry[D] // the entries of each destination, oldest first
	first   *entry[D]
	last    *entry[D]
}

// identity is what makes two bindings the same.
type identity[D comparable] struct {
	d    D
	key  string
	args string // the arguments, ordered and encoded
}

// entry is a binding in the list of all of them.
type entry[D comparable] struct {
	Binding
	identity       identity[D]
	previous, next *entry[D]
}

func (e *entry[D]) d() D { return e.identity.d }

func newTable[D comparable](r router[D]) *table[D] {
	return &table[D]{router: r, entries: make(map[identity[D]]*entry[D]), of: make(map[D][]*entry[D])}
}

func identify[D comparable](b Binding, d D) identity[D] {
	id := identity[D]{d: d, key: b.Key}
	if len(b.Args) == 0 {
		return id
	}
	var encoded []byte
	for _, a := range ordered(b.Args) {
		encoded = binary.AppendUvarint(encoded, uint64(len(a.Name)))
		encoded = append(encoded, a.Name...)
		encoded = a.Value.appendIdentity(encoded)
	}
	id.args = string(encoded)
	return id
}

// ordered returns the arguments by name; those of one name keep their order.
func ordered(args []Arg) []Arg {
	args = slices.Clone(args)
	slices.SortStableFunc(args, func(a, b Arg) int { return cmp.Compare(a.Name, b.Name) })
	return args
}

func (t *table[D]) Bind(b Binding, d D) bool {
	id := identify(b, d)
	if _, ok := t.entries[id]; ok {
		return false
	}
	e := &entry[D]{Binding: b, identity: id, previous: t.last}
	if t.last != nil {
		t.last.next = e
	} else {
		t.first = e
	}
	t.last = e
	t.entries[id] = e
	t.of[d] = append(t.of[d], e)
	t.router.bind(e)
	return true
}

func (t *table[D]) Unbind(b Binding, d D) bool {
	e := t.entries[identify(b, d)]
	if e == nil {
		return false
	}
	all := t.of[d]
	if len(all) == 1 {
		delete(t.of, d)
	} else {
		i := slices.Index(all, e)
		t.of[d] = slices.Delete(all, i, i+1)
	}
	t.remove(e)
	return true
}

func (t *table[D]) UnbindAll(d D) []Binding {
	all := t.of[d]
	if len(all) == 0 {
		return nil
	}
	delete(t.of, d)
	removed := make([]Binding, 0, len(all))
	for _, e := range all {
		t.remove(e)
		removed = append(removed, e.Binding)
	}
	return removed
}

// remove takes e out of everything but t.of.
func (t *table[D]) remove(e *entry[D]) {
	if e.previous != nil {
		e.previous.next = e.next
	} else {
		t.first = e.next
	}
	if e.next != nil {
		e.next.previous = e.previous
	} else {
		t.last = e.previous
	}
	delete(t.entries, e.identity)
	t.router.unbind(e)
}

func (t *table[D]) Route(m *Routing, dst []D) []D { return t.router.route(m, dst) }

func (t *table[D]) Len() int { return len(t.entries) }

func (t *table[D]) Bindings(yield func(b Binding, d D) bool) {
	for e := t.first; e != nil; e = e.next {
		if !yield(e.Binding, e.d()) {
			return
		}
	}
}
