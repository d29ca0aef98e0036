// Package socket is the front for programs that speak no messaging protocol at all: raw TCP, UDP and Unix-domain sockets.
// A listener has one of three modes, named in its URL:
//
//	echo+tcp://127.0.0.1:7777                   bytes come back as they came
//	room+tcp://127.0.0.1:7000?exchange=lobby    a line that one client sends reaches all others
//	queue+tcp://127.0.0.1:7001?queue=jobs       lines go into a queue and come out of it
//
// and each mode stands on tcp, udp and unix (echo+unix:///run/echo.sock).
//
// # What maps to what
//
//	a client's line        ->  a message whose body is the line, without its end
//	  in a room                to the room's exchange; the routing key is the name of the sender's queue
//	  on a queue               to the default exchange; the routing key is the queue's name
//	a message's body       ->  a line; a body that does not end in a newline is given one, and each newline within a body
//	                           ends a line, since a reader of lines cannot tell
//	exchange, key, headers ->  nothing: a line has no place for them
//
// With framing=length32 a message is preceded by its length, an unsigned 32-bit big-endian number, and bodies pass as they
// are, in both directions.
//
// # Rooms
//
// A room is a fanout exchange, which is declared when it is missing. While a client is connected it has an exclusive queue
// bound to that exchange, so that everybody else who is bound to it (AMQP consumers, ZeroMQ subscribers) sits in the same
// room. A client is not told its own lines: it knows them by their routing key, which is also an address at which it alone
// can be answered, through the default exchange. Who publishes to the exchange from elsewhere is heard by all.
//
// A client that is behind by more than `backlog` bytes is closed, since a room waits for nobody.
//
// # Queues
//
// The queue is declared when it is missing. Every line goes into it. Who takes lines out of it is a question, because a
// program that comes to hand in work must not be handed the work that waits: so a client becomes a consumer when it has
// said nothing for a second after it connected, and ceases to be one when it sends. consume=1 makes every client a consumer
// at once and for good (its own lines may come back to it), consume=0 none.
//
// Delivery is at most once: a line counts as delivered when it stands in the client's output, because a socket has no
// acknowledgement. What must not be lost is consumed by AMQP.
//
// # Echo
//
// Echo needs no broker. When a client closes its sending half it gets what is left and is closed.
//
// # UDP
//
// A datagram is a message, with framing=line as many as it has lines. Who has sent one is in the room until it has sent
// none for `idle` (a minute by default), and hears it meanwhile; on a queue it publishes, and consumes with consume=1. The
// sender's address can be forged, and a room can be much louder than the datagram that joined it: bind rooms to networks
// you trust. What finds no room in the socket's buffer is lost, as datagrams are.
//
// # Parameters
//
//	echo    idle (not udp)
//	room    exchange, durable, vhost, user, framing, max, idle, backlog (not udp), publish, consume
//	queue   queue, durable, vhost, user, framing, max, idle, publish, consume
//
//	exchange, queue   the name; must be given
//	durable           1 (the default) or 0: how a missing exchange or queue is declared
//	vhost             "/" by default
//	user              whose permissions apply, "guest" by default; a user who is bound to loopback is so here, too
//	framing           line (the default), length32, or for udp none: a datagram is a body, byte for byte
//	max               the longest line or body that a client may send, in bytes; 65536 by default
//	idle              a client that neither sends nor is sent anything for so long is closed: 90s, 5m; 0, the default, is never
//	backlog           how many bytes a room keeps for a client that does not read; 16777216 by default
//	publish, consume  0: clients may not; 1: they may
//
// # What ends a connection
//
// There is no way to tell a client what it did wrong, so its connection is closed and the log says why (errors.go): a line
// that is too long, a length that is, something sent with publish=0, a permission that is missing, a queue or exchange
// that was deleted. Other clients are not concerned.
package socket
