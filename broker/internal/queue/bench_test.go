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

// A queue that is mostly deep: one enters at the end, one comes through the window and goes.
func BenchmarkDeepOverAStore(b *testing.B) {
	const window = 5000
	q := New(NewMemory())
	for range window {
		q.PutDeep(64)
	}
	q.Add(200, false)
	b.ReportAllocs()
	for b.Loop() {
		q.PutDeep(64)
		if n, _ := q.Window(); n == 0 {
			for range window {
				q.Load(q.Edge(), 64, 0)
			}
		}
		s, e, _ := q.Next()
		q.Delivered(s, e)
		q.Settle(e.Seq, Accept)
	}
}

// After a restart: a window of what has survived, which is one message in fifty.
func BenchmarkFiveThousandAcrossGaps(b *testing.B) {
	const n, gap = 5000, 50
	b.ReportAllocs()
	for b.Loop() {
		q := New(NewMemory())
		q.Restore(1, n*gap+1, n, 64*n)
		for i := range uint64(n) {
			q.Load(1+i*gap, 64, 0)
		}
		for range n {
			e, _ := q.Peek()
			q.Taken(e, true)
		}
	}
}
