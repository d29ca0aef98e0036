// Package definitions is a broker's topology as data: who may do what, which exchanges, queues and bindings there are. It has
// two forms.
//
// The first is RabbitMQ's definitions.json ([Definitions]), as its management interface writes it at GET /api/definitions and
// rabbitmqctl import_definitions reads it.
//
// The second is what the store has: for each thing a key and a value. A key is the kind and the names, with zero bytes
// between them, so that the store lists the things of a kind, and those of a vhost, together and in the order of their
// names:
//
//	queue \0 vhost \0 name
//	binding \0 vhost \0 source \0 queue|exchange \0 destination \0 routing key \0 arguments
//
// In a name the byte 0 is written as 1 1 and the byte 1 as 1 2, which keeps the order. A value is the version of its form and
// the fields that are not zero, each with a tag and a length:
//
//	0         1
//	+---------+----------+----------+--------+----------+----------+--------+---
//	| version | tag      | length   | octets | tag      | length   | octets | …
//	| u8 = 1  | uvarint  | uvarint  |        |          |          |        |
//	+---------+----------+----------+--------+----------+----------+--------+---
//
// Tags ascend. New fields get new tags, so what an older version has written can always be read. A tag that is not known was
// written by a newer version, and is refused: to drop what it says would be to change the topology.
//
// Arguments are stored as an AMQP 0-9-1 field table (§4.2.5.5), which keeps what JSON cannot say: that a number is a time,
// that a string is not text.
package definitions
