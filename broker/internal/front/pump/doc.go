// Package pump moves bytes between client sockets and protocol sessions. It is the only code in Warren that touches a
// client's socket: it reads, writes, keeps deadlines and closes; what the bytes mean is a session's business.
//
// # The contract
//
// A front gives the pump a [Session] for each connection. One goroutine, the reader, owns it: Feed, EOF, EndBatch, Tick,
// Shutdown, Hold and Closed are called from there only, never two at a time, so a session needs no lock for what only
// they touch. The reader
//
//  1. waits until the socket has bytes (without holding a buffer while it waits),
//  2. reads whatever the kernel has into one buffer,
//  3. calls Feed, which takes every whole frame in it,
//  4. calls EndBatch once, where the session hands its touched outputs back for flushing and sends its coalesced confirms,
//  5. flushes the connection's own [Output] once.
//
// When Feed ended its batch by work, steps 3 to 5 are repeated on the rest before anything more is read.
//
// Deliveries come from other goroutines: the engine calls the session's sinks with a queue's lock held, and they append
// to the connection's [Output]. Nobody ever blocks on somebody else's socket: [Output.Flush] makes one non-blocking
// attempt, and what remains goes to the connection's own writer goroutine, which exists only while there is something
// left to write.
//
// # Bounds
//
// An Output has a soft limit. A sink asks [Output.Full] before it takes a delivery and refuses when the output is full;
// when the client has read enough, the pump calls Session.Drained, and the session tells its queues to go on. Answers to
// the client's own requests may pass the soft limit, because a client may send much before it reads; beyond four times the
// limit the pump stops feeding and reading until the client has read. A session whose requests can have large answers (a
// get) ends its batch when its output is full, so that the pump can see it.
//
// A client that reads nothing for Config.WriteTimeout is closed. Input is bounded by the session's own frame limit: the
// read buffer grows towards what Feed needs, and only as fast as the bytes for it arrive, so that a length which is
// announced and not sent costs nothing.
//
// # The end of a connection
//
// However it ends, the same things happen in this order: the output is sealed (later appends are dropped, Full reports
// true), Session.Closed releases what the session holds, what stands in the output is written, bounded by
// Config.WriteTimeout, the sending half is closed, what the client still sends is read and thrown away for at most a
// second (closing a TCP socket with unread input would destroy the last answer on its way), and the socket is closed.
package pump
