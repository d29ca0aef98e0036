// Package zmq is ZeroMQ in pure Go: sockets that carry messages in patterns,
// over tcp, ipc and inproc, on the wire the same as libzmq's (ZMTP 3.1 and
// 3.0, with the NULL mechanism).
//
// # Patterns
//
//	Req, Dealer -> Rep, Router   requests and replies (RFC 28)
//	Pub, XPub   -> Sub, XSub     topics to subscribers (RFC 29)
//	Push        -> Pull          work to workers (RFC 30)
//	Pair        -  Pair          two ends of a line (RFC 31)
//
// A type has the methods that its pattern allows: a [Push] has no Recv, a
// [Sub] has Subscribe. All have these:
//
//	Listen      accept peers on an endpoint, several if called again
//	Dial        connect to an endpoint in the background, for good
//	Unlisten    the reverse of Listen
//	Disconnect  the reverse of Dial
//	Close       the end, after Options.Linger at the latest
//	Shutdown    Close with a context in place of Options.Linger
//
// Either end of a pattern may listen and the other dial, in any order: who is
// dialed need not be there yet, and may go and come back.
//
// # Contexts and goroutines
//
// Every method may be called from any goroutine. Each call that can wait takes
// a context, which bounds that call and nothing else. A call that ends with
// its context's error has done nothing: no message was sent in part, and none
// was taken from a queue and lost.
//
// # Queues
//
// Each peer has a queue of messages each way, with a high-water mark
// (Options.SendHWM and RecvHWM). What happens when the queue to a peer is full
// is the pattern's: Push, Dealer, Req and Pair wait, Pub, XPub, XSub, Router
// and Rep drop the message for that peer. A queue from a peer that is full
// makes the socket stop reading from it, so that the peer's own queue fills.
//
// The queue to a peer that was dialed is there from Dial on and survives its
// connections. The queue to a peer that was accepted dies with its connection.
//
// Messages that Send took are queued, not delivered: a connection that breaks
// may cost those that were written to it. Nothing here is an acknowledgement;
// a reply is one.
//
// # Memory
//
// Send copies a message before it returns, so that its memory is the caller's
// again. Recv returns memory of the caller's own: small messages share slabs of
// 4 KiB, those of more than 512 bytes cost an allocation, and those of more
// than 4 KiB two. RecvInto reuses the memory of the message that it is given
// and allocates nothing.
//
// # What it is not
//
// There is no security: mechanisms other than NULL are refused. Peers of ZMTP
// 2.0 and 1.0 (libzmq before 4.0) are refused too. There is no broker in
// between: see the broker of this module for one that speaks ZeroMQ as well.
package zmq
