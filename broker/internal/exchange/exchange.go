package exchange

import "fmt"

// A Kind is the name of an exchange type, as clients write it in
// exchange.declare.
type Kind string

// The kinds that every AMQP 0-9-1 broker has (specification §3.1.3).
const (
	Direct  Kind = "direct"  // the routing key equals the binding key
	Fanout  Kind = "fanout"  // every message
	Topic   Kind = "topic"   // the routing key matches the binding key's * and #
	Headers Kind = "headers" // the headers match the binding's arguments
)

// A Binding is what leads to a destination. Two bindings are the same when
// their keys are the same and their arguments are, in whatever order.
type Binding struct {
	Key  string
	Args []Arg // kept by the table: the caller must not change them after Bind
}

// An Arg is one field of a binding's argument table.
type Arg struct {
	Name  string
	Value Value
}

// A Routing is what a table looks at in a message. Only a headers table looks
// at Headers.
//
// A Routing belongs to one goroutine. It holds the scratch space of the headers
// match, so one that is used again saves the allocation of it, and must not be
// copied once it was used.
type Routing struct {
	Key []byte
	// Headers yields the message's headers in their order, until yield returns
	// false. Names and values may be borrowed: they are not looked at after
	// Route has returned. Nil is no headers.
	Headers func(yield func(name []byte, v Value) bool)

	fields  []field
	collect func(name []byte, v Value) bool
}

// A Table holds the bindings of one exchange.
type Table[D comparable] interface {
	// Bind adds a binding and reports whether it is new. The arguments of a
	// headers table must have passed [Validate].
	Bind(b Binding, d D) (added bool)
	// Unbind removes a binding and reports whether it was there.
	Unbind(b Binding, d D) (removed bool)
	// UnbindAll removes the bindings of d and returns them, the oldest first.
	UnbindAll(d D) (removed []Binding)
	// Route appends to dst the destinations that get the message, each once,
	// and returns the extended slice; what dst holds already is not looked at
	// ([Distinct] helps who routes through several tables). Direct, fanout and
	// topic tables allocate nothing besides dst, save topic in the cases that
	// package topic names. The order is that in which the destinations came to
	// the matching bindings; a topic table promises only that the same history
	// gives the same order.
	Route(m *Routing, dst []D) []D
	// Len returns the number of bindings.
	Len() int
	// Bindings yields every binding, the oldest first, until yield returns
	// false. The table must not change meanwhile.
	Bindings(yield func(b Binding, d D) bool)
}

// New returns an empty table of the given kind. The error is an
// [UnknownKindError].
func New[D comparable](kind Kind) (Table[D], error) {
	switch kind {
	case Direct:
		return newTable(new(direct[D])), nil
	case Fanout:
		return newTable(new(fanout[D])), nil
	case Topic:
		return newTable(new(topics[D])), nil
	case Headers:
		return newTable(new(headers[D])), nil
	}
	return nil, &UnknownKindError{Kind: kind}
}

// Validate reports why a binding cannot be made in an exchange of this kind:
// [UnknownKindError], or [ArgumentError] for an x-match that a headers exchange
// does not know.
func Validate(kind Kind, b Binding) error {
	switch kind {
	case Direct, Fanout, Topic:
		return nil
	case Headers:
		return validateMatch(b.Args)
	}
	return &UnknownKindError{Kind: kind}
}

// An UnknownKindError says that no exchange of this type can be made. AMQP
// 0-9-1 clients are told with 406 PRECONDITION_FAILED.
type UnknownKindError struct{ Kind Kind }

func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("unknown exchange type '%s'", string(e.Kind))
}

// An ArgumentError says which argument of a binding is wrong, in RabbitMQ's
// words. AMQP 0-9-1 clients are told with 406 PRECONDITION_FAILED.
type ArgumentError struct {
	Arg  Arg
	text string
}

func (e *ArgumentError) Error() string { return e.text }

// distinctScan is how many destinations are compared one by one before a set
// is made of them.
const distinctScan = 32

// Distinct removes from dst every destination that stands earlier in it, in
// place, and returns what is left in the order it had. It allocates only when
// more than 32 are left.
func Distinct[D comparable](dst []D) []D {
	kept := dst[:0]
	var seen map[D]struct{}
next:
	for _, d := range dst {
		if seen == nil && len(kept) > distinctScan {
			seen = make(map[D]struct{}, len(dst))
			for _, have := range kept {
				seen[have] = struct{}{}
			}
		}
		if seen != nil {
			if _, ok := seen[d]; ok {
				continue
			}
			seen[d] = struct{}{}
		} else {
			for _, have := range kept {
				if have == d {
					continue next
				}
			}
		}
		kept = append(kept, d)
	}
	clear(dst[len(kept):])
	return kept
}
