package message

import (
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// A reader knows how one origin writes properties: it shows them in AMQP 0-9-1's terms, which are the broker's neutral ones
// until a protocol needs more.
type reader struct {
	// amqp returns the properties as AMQP 0-9-1 writes them, appended to dst when they have to be made.
	amqp func(props, dst []byte) amqp091.Properties
}

// readers has a row for each origin.
var readers = [origins]reader{
	Plain:   {amqp: func(_, _ []byte) amqp091.Properties { return nil }},
	AMQP091: {amqp: func(props, _ []byte) amqp091.Properties { return props }},
}

// AMQP091 returns the message's properties as an AMQP 0-9-1 content header has them: a view on the message where that is its
// own form, otherwise made behind dst.
func (m *Message) AMQP091(dst []byte) amqp091.Properties { return readers[m.Origin].amqp(m.Props, dst) }

// Headers yields the message's headers in their order. Names and values are views.
func (m *Message) Headers(yield func(name []byte, v exchange.Value) bool) {
	headers, _ := m.AMQP091(nil).Headers()
	for name, v := range headers.All() {
		if !yield(name, Value(v)) {
			return
		}
	}
}

// ReplyTo returns where the publisher wants its answer, and CorrelationID how it will know it; empty when it didn't say.
func (m *Message) ReplyTo() []byte {
	b, _ := m.AMQP091(nil).ReplyTo()
	return b
}

// CorrelationID returns what an answer to this message must carry.
func (m *Message) CorrelationID() []byte {
	b, _ := m.AMQP091(nil).CorrelationID()
	return b
}

// Value returns an AMQP 0-9-1 field value as a neutral one: a view on the same bytes.
func Value(v amqp091.Value) exchange.Value {
	switch v.Kind() {
	case amqp091.KindVoid:
		return exchange.Value{Kind: exchange.Void}
	case amqp091.KindBool:
		return exchange.Value{Kind: exchange.Bool, Bool: v.Bool()}
	case amqp091.KindFloat, amqp091.KindDouble:
		f, _ := v.Float()
		return exchange.Value{Kind: exchange.Float, Float: f}
	case amqp091.KindLongstr, amqp091.KindBytes:
		return exchange.Value{Kind: exchange.String, Bytes: v.Bytes()}
	case amqp091.KindTimestamp:
		t, _ := v.Timestamp()
		return exchange.Value{Kind: exchange.Timestamp, Int: int64(t)}
	}
	if i, ok := v.Int(); ok {
		return exchange.Value{Kind: exchange.Int, Int: i}
	}
	return exchange.Value{Kind: exchange.Other, Bytes: amqp091.AppendValue(nil, v)}
}

// FieldValue returns a neutral value as AMQP 0-9-1 writes it. Integers become 64 bits wide.
func FieldValue(v exchange.Value) amqp091.Value {
	switch v.Kind {
	case exchange.Bool:
		return amqp091.Bool(v.Bool)
	case exchange.Int:
		return amqp091.Int(amqp091.KindInt64, v.Int)
	case exchange.Float:
		return amqp091.Double(v.Float)
	case exchange.String:
		return amqp091.Longstr(v.Bytes)
	case exchange.Timestamp:
		return amqp091.Timestamp(uint64(v.Int))
	case exchange.Other:
		for value := range amqp091.Array(v.Bytes).All() {
			return value
		}
	}
	return amqp091.Void()
}

// Args returns the fields of a table as arguments that own their memory.
func Args(t amqp091.Table) []exchange.Arg {
	var args []exchange.Arg
	for name, v := range t.All() {
		value := Value(v)
		value.Bytes = append([]byte(nil), value.Bytes...)
		args = append(args, exchange.Arg{Name: string(name), Value: value})
	}
	return args
}
