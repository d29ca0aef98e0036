// Package queue is the queue as a state machine: which message comes next, who gets it, what is out for acknowledgement
// and what comes back. It has no lock, no clock, no goroutine and no idea of connections or protocols; the engine wraps
// it in a lock, asks it for the next pair of consumer and message, and performs the delivery.
//
// # Order
//
// Every message gets a sequence number when it enters and keeps it. Messages are delivered in that order; one that comes
// back (requeued, or its consumer is gone) takes its old place again, in front of everything that entered after it.
//
// # Memory
//
// The queue holds a window of what comes next. Over a store, messages behind the window's edge are deep: only the store
// has them, and the queue knows how many they are. Without one the window has no edge.
//
// An entry is 20 bytes without pointers: the message itself lies in a [Store]. Entries stand in a ring that begins with
// the oldest message still alive. A consumer that sits on one old message while millions pass would stretch that ring,
// so such stragglers move into a small map and the ring goes on without them.
//
// # Consumers
//
// A consumer is ready while it has credit and has not refused a delivery. Ready consumers stand in a list: the first one
// gets the next message and goes to the end (round robin). Consumers that are not ready are not in the list, so a
// thousand of them cost nothing.
package queue
