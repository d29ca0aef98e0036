package queue

import "testing"

// turn is one message through the queue with its acknowledgement.
func turn(b *testing.B, q *Queue, size int) {
	q.Put(size, false)
	s, e, ok := q.Next()
	if !ok {
		b.Fatal("nobody takes the message")
	}
	q.Delivered(s, e)
	q.Settle(e.Seq, Accept)
}

func BenchmarkPutDeliverSettle(b *testing.B) {
	q := New(NewMemory())
	q.Add(200, false)
	b.ReportAllocs()
	for b.Loop() {
		turn(b, q, 64)
	}
}

func BenchmarkThousandConsumers(b *testing.B) {
	q := New(NewMemory())
	for range 1000 {
		q.Add(10, false)
	}
	b.ReportAllocs()
	for b.Loop() {
		turn(b, q, 64)
	}
}

// A million messages wait: one enters at the end, the first goes.
func BenchmarkDeepBacklog(b *testing.B) {
	q := New(NewMemory())
	for range 1_000_000 {
		q.Put(64, false)
	}
	q.Add(200, false)
	b.ReportAllocs()
	for b.Loop() {
		turn(b, q, 64)
	}
}

// The queue fills and empties: what a burst costs.
func BenchmarkBurstOfTenThousand(b *testing.B) {
	q := New(NewMemory())
	b.ReportAllocs()
	for b.Loop() {
		for range 10_000 {
			q.Put(64, false)
		}
		for range 10_000 {
			e, _ := q.Peek()
			q.Taken(e, true)
		}
	}
}

// A consumer goes, and what it had comes back.
func BenchmarkRequeueTenThousand(b *testing.B) {
	q := New(NewMemory())
	for range 10_000 {
		q.Put(64, false)
	}
	seqs := make([]uint64, 0, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		seqs = seqs[:0]
		for {
			e, ok := q.Peek()
			if !ok {
				break
			}
			q.Taken(e, false)
			seqs = append(seqs, e.Seq)
		}
		for _, seq := range seqs {
			q.Settle(seq, Requeue)
		}
	}
}
