// Package amqp091 is the front of AMQP 0-9-1: it translates between the bytes of RabbitMQ's clients and the engine.
//
// The protocol is AMQP 0-9-1 with RabbitMQ's extensions, in RabbitMQ's interpretation: its codes, levels and texts, its
// order of events. What stands in testdata was held against RabbitMQ 3.10.8.
//
//	on the wire                      in the engine
//	connection.open                  Broker.Open: a Client on a vhost
//	exchange.*, queue.*              the client's verbs of the same names
//	basic.publish, header, body      Client.Publish; the message keeps its property bytes
//	mandatory and no queue           basic.return at once, so before the confirm
//	confirm.select                   one basic.ack for each channel and read, multiple when it is for several
//	basic.consume                    Client.Consume; every consumer is a Sink
//	amq.rabbitmq.reply-to            Client.ConsumeReplies, and its name put into reply-to
//	basic.ack, nack, reject          Queue.Settle at the end of the read, many at a time
//	basic.qos global=false           the prefetch of consumers made later
//	basic.qos global=true            a limit that all consumers of the channel share
//	tx.*                             kept in the session until the commit
//	a queue that goes away           basic.cancel, to clients with consumer_cancel_notify
//	publishers are held              connection.blocked; the connection is not read, or, when it also consumes, its
//	                                 publishes wait in the session (hold.go)
//
// # The fast path
//
// A small publish is three frames. When the read buffer holds all of them, they are decoded where they lie, the engine
// routes views on the buffer, and each consumer's delivery is appended straight to the output of its connection. When the
// buffer ends in between, the session takes none of them and is offered all of them again with more bytes behind. Only a
// body of several frames, or one with other channels' frames in between, is put together in memory of its own.
//
// # Locks
//
// What belongs to the reader needs none. Deliveries come from other goroutines under a queue's lock; they take a channel's
// credit lock (unacked deliveries, the shared limit) and then the output's, under which delivery tags are given, so that
// they are sent in order. Nothing of the engine is called with either held. The session's own lock guards the books of
// consumers and is held across no call at all.
//
// # Bounds
//
// A frame is at most what was negotiated (128 KiB), a body 16 MiB (406 above), the unfinished messages and open transactions
// of one connection 128 MiB together (506 above), what waits of a held publisher 1 MiB; there are at most 2047 channels, and
// 65,536 consumers (530 above).
// Before connection.tune-ok a frame is at most 8 KiB, and all of the handshake takes at most 10 seconds.
//
// # What is refused, and what is not done
//
// immediate, prefetch-size, recover without requeue and channel.flow off are refused with 540 NOT_IMPLEMENTED, as RabbitMQ
// does; the consumer arguments x-priority, x-consumer-timeout and x-stream-offset with 406. CC and BCC are headers like any
// other: they lead nowhere yet.
//
// Three answers differ from RabbitMQ's on purpose: properties that do not decode are 501 FRAME_ERROR with the octets (there
// 541 INTERNAL_ERROR without a word), an unknown method is 503 COMMAND_INVALID (there the connection breaks), and a
// handshake that fails after connection.start-ok says why (there it falls silent for three seconds).
package amqp091
