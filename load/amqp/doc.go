// Package amqp is a load generator for AMQP 0-9-1 brokers.
//
// An ordinary client library spends more on a message than a fast broker does,
// and then measures itself. This one is written for the purpose: publishes are
// encoded once and sent in large writes, deliveries are scanned in place where
// the kernel put them, and nothing is allocated for a message. It knows just
// the methods it needs and is no client for any other use.
//
// [Run] declares its queues, drives publishers and consumers, one connection
// each, and returns rates, latencies and, given the broker's process id, what
// it cost there:
//
//	result, err := amqp.Run(ctx, amqp.Options{URL: "amqp://127.0.0.1:5672", Duration: 10 * time.Second})
//	fmt.Printf("%.0f msg/s\n", result.DeliverRate)
//
// # What is measured
//
// Rates and CPU are taken over one window: from the end of the warm-up to the
// moment when the publishers stop. A run that is bounded by a count alone has
// no such moment; its window is from the first publish to the last delivery.
//
// The latency of a message is from the time it was due to the time that the
// read which brought it returned. With a Rate, "due" is the time in the
// schedule, so that a stalled broker is charged for all the messages that the
// stall held up and not just for the one that noticed it. Without a Rate, the
// publishers go as fast as they are let, and the latency (of one message a write)
// says how much was under way, not how quick the broker is.
//
// The clock is this process's own, so publishers and consumers of one run
// share a process.
package amqp
