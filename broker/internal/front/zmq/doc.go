// Package zmq is the front for ZeroMQ programs. It differs from its siblings in that it speaks sockets, not bytes: package
// zmq of this module does the protocol, and a listener here is one of its sockets, bound or connected, with the broker
// behind it.
//
// # What maps to what
//
//	listener            its ZeroMQ peers   what passes
//	zmq+pub, zmq+xpub   SUB, XSUB          what is published to an exchange, to the subscribers of a prefix of its routing key:
//	                                       frame 1 the routing key, frame 2 the body
//	zmq+sub, zmq+xsub   PUB, XPUB          what peers publish, into an exchange: frame 1 the routing key, the rest the body;
//	                                       a message of one frame is a body, and has the routing key `key`
//	zmq+push            PULL               a queue's messages, each to one peer: one frame, the body
//	zmq+pull            PUSH               what peers push, into a queue, or into an exchange under a fixed key
//	zmq+rep             REQ, DEALER        a request is published with a reply-to and a correlation id; the answer goes back
//	zmq+req             REP, ROUTER        a queue's messages are requests; each answer is published to its reply-to
//
// A body of several frames is their bytes one behind the other. Properties and headers have no place in a frame and do not
// cross. A routing key is 255 bytes long at most; what comes with a longer one is dropped and said in the log.
//
// # Subscriptions
//
// A ZeroMQ subscription is a prefix in bytes: "stock.n" matches "stock.nyse" and "stock.nasdaq". A topic binding matches
// whole words. So the front binds its private queue by the words that the prefix holds whole (stock.#), and lets the socket
// choose among what comes. What nobody has subscribed to is not routed to it at all. A fanout or headers exchange is bound
// without a key while there is any subscription; a direct exchange knows no prefixes and is refused.
//
// # How sure delivery is
//
// A message that was handed to a peer's pipe counts as delivered, because ZMTP acknowledges nothing: PUB and PUSH are at
// most once. A PUB drops what a slow subscriber's pipe has no room for. A PUSH waits: while no peer is connected, or all
// pipes are full, the queue keeps the messages (up to 256 of them are held unacknowledged on this side, and given back when
// the listener goes). With connect=1 the pipe to a peer that is not there yet takes `hwm` messages.
//
// For req the reply is the acknowledgement. A request that is not answered within `timeout` (its worker may be gone) goes
// back into the queue and is asked again, perhaps of somebody else: at least once. For rep the peer's request is forgotten
// after `timeout`, and an answer that comes later is dropped.
//
// # Loops
//
// Bridges can form a ring, in which a message would travel for ever. Each message counts the brokers' borders that it has
// crossed (message.Hops), and what has crossed message.MaxHops is dropped by the next bridge, with a line in the log. Over
// ZeroMQ the count is a note on the message (zmq.Options.Notes), which only another Warren sees; a foreign peer gets its
// frames and nothing else, and what comes from one has crossed one border. So a ring is ended when its links are between
// Warrens; one that leads through a foreign forwarder is the operator's to avoid.
//
// # Who may
//
// The listener acts as the user its URL names. Peers are not asked who they are (the mechanism is NULL), so a user who is
// bound to loopback (guest is) serves endpoints on loopback, ipc and inproc only.
//
// # URLs
//
//	zmq+pub://127.0.0.1:5556?exchange=amq.topic      over tcp
//	zmq+pub+ipc:///run/news.sock?exchange=news       over a Unix socket; zmq+pub+ipc://@news is an abstract name
//	zmq+pub+inproc://news?exchange=news              within the process
//	zmq+sub://10.0.0.7:5556?exchange=news&connect=1  connects instead of binding
//
//	parameter   of              is
//	exchange    pub sub         the exchange, declared as a durable topic exchange when it is missing; must be given
//	            pull            where to, instead of a queue; needs key
//	            rep             where requests go; the default exchange by default
//	queue       push pull req   the queue, declared when it is missing; must be given
//	key         sub pull rep    the routing key: of messages of one frame; of everything; of requests (must be given)
//	subscribe   sub             a prefix; may be given several times; everything by default
//	durable     all             1 (the default) or 0: how a missing exchange or queue is declared
//	timeout     rep req         how long to wait for an answer; 30s by default
//	prefetch    req             how many requests are asked at a time; 10 by default
//	pending     rep             how many requests may wait for their answer; 1024 by default
//	hwm         all             the high-water mark of each peer's pipe, in messages; 1000 by default, 100 for push
//	max         all             the largest message that a peer may send, in bytes; 67108864 by default
//	connect     all             1: connect instead of binding
//	vhost user  all             "/" and "guest" by default
package zmq
