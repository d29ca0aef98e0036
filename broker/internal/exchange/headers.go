package exchange

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// matchArg is the argument that says how the others are to be taken.
const matchArg = "x-match"

// headers compares the message's headers with the arguments of every binding.
//
// Both are ordered by name, the message's once for all bindings, and then read
// side by side: a binding costs as many steps as it and the message have
// fields. There is no index over the bindings: a headers exchange with
// thousands of them reads them all.
type headers[D comparable] struct {
	// takers are the destinations in the order in which they came, each with
	// all of its bindings: the first of them that matches settles it.
	takers []taker[D]
}

type taker[D comparable] struct {
	d         D
	arguments []conditions[D]
}

// conditions are the arguments of one binding.
type conditions[D comparable] struct {
	args []Arg // ordered by name, without those that are never compared
	any  bool  // one match is enough
	from *entry[D]
}

// field is one header of the message being routed.
type field struct {
	name  []byte
	value Value
}

func (r *headers[D]) index(d D) int {
	return slices.IndexFunc(r.takers, func(t taker[D]) bool { return t.d == d })
}

func (r *headers[D]) bind(e *entry[D]) {
	i := r.index(e.d())
	if i < 0 {
		i = len(r.takers)
		r.takers = append(r.takers, taker[D]{d: e.d()})
	}
	r.takers[i].arguments = append(r.takers[i].arguments, compile(e))
}

func (r *headers[D]) unbind(e *entry[D]) {
	i := r.index(e.d())
	t := &r.takers[i]
	gone := slices.IndexFunc(t.arguments, func(c conditions[D]) bool { return c.from == e })
	t.arguments = slices.Delete(t.arguments, gone, gone+1)
	if len(t.arguments) == 0 {
		r.takers = slices.Delete(r.takers, i, i+1)
	}
}

func (r *headers[D]) route(m *Routing, dst []D) []D {
	if len(r.takers) == 0 {
		return dst
	}
	fields := m.ordered()
	for _, t := range r.takers {
		if slices.ContainsFunc(t.arguments, func(c conditions[D]) bool { return c.match(fields) }) {
			dst = append(dst, t.d)
		}
	}
	m.release()
	return dst
}

// compile reads x-match: all (the default) or any of the arguments must be
// among the headers. Names that begin with x- are not compared, unless it is
// all-with-x or any-with-x; x-match itself never is.
func compile[D comparable](e *entry[D]) conditions[D] {
	mode := "all"
	if v, ok := lookup(e.Args, matchArg); ok && v.Kind == String {
		mode = string(v.Bytes)
	}
	mode, withX := strings.CutSuffix(mode, "-with-x")
	c := conditions[D]{any: mode == "any", from: e}
	for _, a := range ordered(e.Args) {
		if a.Name == matchArg || !withX && strings.HasPrefix(a.Name, "x-") {
			continue
		}
		c.args = append(c.args, a)
	}
	return c
}

// match reports whether headers, ordered by name, satisfy the conditions. No
// arguments are satisfied as all, never as any. A void argument asks for the
// header's presence only. Where a name stands several times, the first argument
// is compared with the first header, the second with the second, and so on.
func (c conditions[D]) match(fields []field) bool {
	for _, a := range c.args {
		for len(fields) > 0 && string(fields[0].name) < a.Name {
			fields = fields[1:]
		}
		ok := false
		if len(fields) > 0 && string(fields[0].name) == a.Name {
			ok = a.Value.Kind == Void || a.Value.Equal(fields[0].value)
			fields = fields[1:]
		}
		if ok == c.any {
			return ok
		}
	}
	return !c.any
}

// ordered collects the message's headers and orders them by name.
func (m *Routing) ordered() []field {
	m.fields = m.fields[:0]
	if m.Headers == nil {
		return nil
	}
	if m.collect == nil {
		m.collect = func(name []byte, v Value) bool {
			m.fields = append(m.fields, field{name: name, value: v})
			return true
		}
	}
	m.Headers(m.collect)
	slices.SortStableFunc(m.fields, func(a, b field) int { return bytes.Compare(a.name, b.name) })
	return m.fields
}

// keepFields is how many fields of scratch space a Routing keeps.
const keepFields = 64

// release lets go of the message's memory.
func (m *Routing) release() {
	if cap(m.fields) > keepFields {
		m.fields = nil
		return
	}
	clear(m.fields)
	m.fields = m.fields[:0]
}

func lookup(args []Arg, name string) (Value, bool) {
	for _, a := range args {
		if a.Name == name {
			return a.Value, true
		}
	}
	return Value{}, false
}

func validateMatch(args []Arg) error {
	v, ok := lookup(args, matchArg)
	if !ok {
		return nil
	}
	kind, text := v.Describe()
	if v.Kind != String {
		return &ArgumentError{Arg: Arg{Name: matchArg, Value: v},
			text: fmt.Sprintf("Invalid x-match field type %s (value %s); expected longstr", kind, text)}
	}
	switch string(v.Bytes) {
	case "all", "any", "all-with-x", "any-with-x":
		return nil
	}
	return &ArgumentError{Arg: Arg{Name: matchArg, Value: v},
		text: fmt.Sprintf("Invalid x-match field value %s; expected all, any, all-with-x, or any-with-x", text)}
}
