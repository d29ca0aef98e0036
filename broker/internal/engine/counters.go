package engine

import "sync/atomic"

// Counters of a broker since it was opened. They are brought up to date at the end of each batch.
type Counters struct {
	Published   uint64 // messages that clients published
	Routed      uint64 // copies that entered queues
	Unroutable  uint64 // messages that no queue got
	Delivered   uint64 // deliveries to consumers and answers to Get
	Redelivered uint64 // of which redeliveries
	Settled     uint64 // acknowledged or discarded by a client
	Requeued    uint64 // given back by a client
	Expired     uint64 // dropped because their time to live was over
}

// totals are Counters that many goroutines add to.
type totals struct {
	published, routed, unroutable, delivered, redelivered, settled, requeued, expired atomic.Uint64
}

func (t *totals) add(d *Counters) {
	for _, p := range [...]struct {
		to *atomic.Uint64
		n  uint64
	}{
		{&t.published, d.Published}, {&t.routed, d.Routed}, {&t.unroutable, d.Unroutable}, {&t.delivered, d.Delivered},
		{&t.redelivered, d.Redelivered}, {&t.settled, d.Settled}, {&t.requeued, d.Requeued}, {&t.expired, d.Expired},
	} {
		if p.n != 0 {
			p.to.Add(p.n)
		}
	}
}

func (t *totals) load() Counters {
	return Counters{
		Published: t.published.Load(), Routed: t.routed.Load(), Unroutable: t.unroutable.Load(), Delivered: t.delivered.Load(),
		Redelivered: t.redelivered.Load(), Settled: t.settled.Load(), Requeued: t.requeued.Load(),
		Expired: t.expired.Load(),
	}
}
