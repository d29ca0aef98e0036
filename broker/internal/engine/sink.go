package engine

import "github.com/warrenmq/warren/broker/internal/message"

// Delivery is one message on its way to a consumer. It and everything it points to are views, valid during the call.
type Delivery struct {
	Message     *message.Message
	Queue       *Queue
	Consumer    *Consumer // nil for a message that was fetched with Get
	Seq         uint64    // what Queue.Settle takes; 0 when there is nothing to settle
	Deliveries  uint16    // how often it was out before
	Redelivered bool
}

// Verdict is a sink's answer to a delivery.
type Verdict uint8

const (
	// Refused: no credit, or the output is full. The queue keeps the message and leaves the consumer alone until
	// Consumer.Wake. A Wake that is called at any time after the sink has decided to refuse is never lost: it waits for the
	// queue's lock, under which the refusal is noted. So a sink must make sure, before it looks whether it has room, that
	// whoever makes room afterwards will call Wake.
	Refused Verdict = iota
	// Taken: the sink has it, and somebody else sees to the flushing of its output.
	Taken
	// TakenDirty: the sink has it, and its output needs a Flush at the end of the batch.
	TakenDirty
)

// Sink is where a consumer's messages go.
type Sink interface {
	// Deliver is called with the queue's lock held: it must not block nor call the engine.
	Deliver(d *Delivery) Verdict
	// Flush pushes out what Deliver has appended. Called with no lock held; it must not block.
	Flush()
	// Cancelled says that the queue is gone and the consumer with it. Called with no lock held, at most once, from the
	// goroutine that deleted the queue. It is not called once Consumer.Cancel has returned, save when both were under way
	// at the same time.
	Cancelled(c *Consumer)
}

// Trace is told what passes. Nil functions are not called. They are called on the message path, with locks held: they must
// be quick, must not block, must not call the engine, and must copy what they keep.
type Trace struct {
	// Published: a message was routed to so many queues.
	Published func(c *Client, m *message.Message, queues int)
	// Delivered: a message was handed to a consumer, or to a client that fetched it.
	Delivered func(d *Delivery)
}
