package message

import (
	"encoding/binary"
	"errors"
)

// Origin names the protocol whose form a message's property bytes have.
type Origin uint8

const (
	// Plain messages have a body and nothing else: they came from a raw socket or a ZeroMQ peer.
	Plain Origin = iota
	// AMQP091 messages carry the property flags and property list of an AMQP 0-9-1 content header (§4.2.6.1), without
	// its class, weight and body size. Messages of the Go API are of this origin too.
	AMQP091
	origins // how many there are
)

// Flags are the broker's own marks on a message.
type Flags uint8

const (
	// Persistent messages survive a restart when they lie in a durable queue.
	Persistent Flags = 1 << iota
	// expiring marks a record that says when the message expires. It is set by Put from Expires.
	expiring
)

// MaxHops is how often a message may cross from one broker into another over bridges that cannot see a loop themselves.
// A message that has made so many crossings is dropped by the next bridge.
const MaxHops = 16

// The lengths that a record has room for.
const (
	MaxExchange = 255   // bytes of an exchange's name
	MaxKey      = 65535 // bytes of a routing key or topic
)

// Message is one message. Its byte slices are views: on a read buffer while it is being published, on a queue's store
// while it is being delivered. Whoever keeps one longer copies it.
type Message struct {
	Origin   Origin
	Flags    Flags
	Hops     uint8  // bridges crossed so far
	Expires  int64  // when nobody wants it any more, in milliseconds since 1970; 0 is never
	Exchange []byte // the exchange it was published to, at most MaxExchange bytes
	Key      []byte // the routing key or the topic, at most MaxKey bytes
	Props    []byte // properties in the origin's own form; empty is "none"
	Body     []byte
}

// A record is a message as queues store it:
//
//	 0        1       2      3            4            6             10           14
//	+--------+-------+------+------------+------------+-------------+------------+----------+-----+-------+------+
//	| origin | flags | hops | len(exch.) | len(key)   | len(props)  | len(body)  | exchange | key | props | body |
//	| u8     | u8    | u8   | u8         | u16        | u32         | u32        |          |     |       |      |
//	+--------+-------+------+------------+------------+-------------+------------+----------+-----+-------+------+
//
// Where the flags say that the message expires, eight bytes with the time follow the lengths.
const (
	recordHeader  = 14
	recordExpires = 8
)

// Size returns how many bytes Put writes.
func (m *Message) Size() int {
	n := recordHeader + len(m.Exchange) + len(m.Key) + len(m.Props) + len(m.Body)
	if m.Expires != 0 {
		n += recordExpires
	}
	return n
}

// Put writes the message as a record into dst, which is exactly Size bytes long. Exchange and key must be within their limits.
func (m *Message) Put(dst []byte) {
	_ = dst[recordHeader-1]
	dst[0] = byte(m.Origin)
	dst[1] = byte(m.Flags &^ expiring)
	dst[2] = m.Hops
	dst[3] = byte(len(m.Exchange))
	binary.BigEndian.PutUint16(dst[4:], uint16(len(m.Key)))
	binary.BigEndian.PutUint32(dst[6:], uint32(len(m.Props)))
	binary.BigEndian.PutUint32(dst[10:], uint32(len(m.Body)))
	n := recordHeader
	if m.Expires != 0 {
		dst[1] |= byte(expiring)
		binary.BigEndian.PutUint64(dst[n:], uint64(m.Expires))
		n += recordExpires
	}
	n += copy(dst[n:], m.Exchange)
	n += copy(dst[n:], m.Key)
	n += copy(dst[n:], m.Props)
	copy(dst[n:], m.Body)
}

// ErrRecord is returned for bytes that are no record.
var ErrRecord = errors.New("message: not a record")

// View reads a record into m. The message's slices are views on rec.
func (m *Message) View(rec []byte) error {
	if len(rec) < recordHeader || Origin(rec[0]) >= origins {
		return ErrRecord
	}
	exchange := int(rec[3])
	key := int(binary.BigEndian.Uint16(rec[4:]))
	props := uint64(binary.BigEndian.Uint32(rec[6:]))
	body := uint64(binary.BigEndian.Uint32(rec[10:]))
	head := recordHeader
	if Flags(rec[1])&expiring != 0 {
		head += recordExpires
	}
	if uint64(len(rec)) != uint64(head)+uint64(exchange)+uint64(key)+props+body {
		return ErrRecord
	}
	m.Origin, m.Flags, m.Hops, m.Expires = Origin(rec[0]), Flags(rec[1])&^expiring, rec[2], 0
	if head > recordHeader {
		if m.Expires = int64(binary.BigEndian.Uint64(rec[recordHeader:])); m.Expires == 0 {
			return ErrRecord
		}
	}
	rest := rec[head:]
	m.Exchange, rest = rest[:exchange:exchange], rest[exchange:]
	m.Key, rest = rest[:key:key], rest[key:]
	m.Props, m.Body = rest[:props:props], rest[props:]
	return nil
}

// Clone returns a copy that owns its memory.
func (m *Message) Clone() Message {
	rec := make([]byte, m.Size())
	m.Put(rec)
	var c Message
	if err := c.View(rec); err != nil {
		panic("message: Put and View disagree: " + err.Error()) // a bug in this file, nothing else
	}
	return c
}
