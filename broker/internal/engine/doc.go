// Package engine is the hub: vhosts with their exchanges, queues and bindings, the clients that use them and the rules
// between them. Fronts call it in one vocabulary, whatever their protocol; it knows no codec, no socket and no file.
//
// # Who uses it how
//
// A front authenticates its client ([Broker.Authenticate]), opens a [Client] on a vhost and calls the client's verbs:
// declare, bind, publish, consume, get, purge, delete. Deliveries come to the [Sink] that a consumer was made with;
// settling goes to the [Queue] that a delivery names. All errors are *[Error]: a kind, which a front's table turns into
// its protocol's code, and a text in RabbitMQ's words, because clients match on them.
//
// # Batches
//
// Every call that can move messages takes a [Batch]: the bundle of what one goroutine does between two waits, usually one
// read of a socket. The batch remembers which sinks were written to, and [Batch.End] flushes them. It also carries
// the counters of its work, and the effects that must run with no lock held.
//
// # Locks
//
// In this order, and no two of a kind at once:
//
//	broker  Broker.mu        the maps of vhosts and clients
//	vhost   VHost.mu         topology: the maps of exchanges and queues, and the bindings
//	queue   Queue.mu         one queue's messages and consumers
//	credit  a front's own    what one channel has outstanding (taken inside Sink.Deliver)
//	output  pump.Output's    bytes that wait for one client
//
// Acks leave a front's credit lock before they enter a queue. Sinks are told of cancellations with no lock held.
//
// # Routing
//
// A publish looks its exchange and key up in a small cache that its client owns, which is good for as long as neither the
// topology nor the permissions have changed (both count generations). Only what misses the cache takes the vhost's lock.
package engine
