package queue

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// load brings a deep message into the window whose record is its number, and nothing else.
func load(q *Queue, seq uint64, size int) {
	binary.BigEndian.PutUint64(q.Load(seq, size, 0), seq)
}

// expect takes the next message, which is to be the one with the number.
func expect(t *testing.T, q *Queue, seq uint64) {
	t.Helper()
	e, ok := q.Peek()
	if !ok || e.Seq != seq || binary.BigEndian.Uint64(q.Read(e)) != seq {
		t.Fatalf("the next message is %+v, %v, not %d", e, ok, seq)
	}
	q.Taken(e, true)
}

func TestQueueServesEveryMessageBetweenGapsAndItsRingStaysSmall(t *testing.T) {
	const n = 5000
	for _, gap := range []uint64{1, 2, 5, 20, 50, 64, 65, 1000, 10_000_000} {
		t.Run(fmt.Sprint(gap), func(t *testing.T) {
			q := New(NewMemory())
			q.Restore(1, n*gap+1, n, 8*n)
			for i := range uint64(n) {
				load(q, 1+i*gap, 8)
			}
			if len(q.ring) > 8*n {
				t.Errorf("the ring has %d places for %d messages", len(q.ring), n)
			}
			for i := range uint64(n) {
				expect(t, q, 1+i*gap)
			}
		})
	}
}

// A full ring of which three quarters are a gap: there is little alive in it, and yet nothing behind head to make room of.
func TestQueueGrowsItsRingWhereTheGapIsBeforeIt(t *testing.T) {
	q := New(NewMemory())
	const dense, far = 240, 1024
	q.Restore(1, far+1, dense+1, 8*(dense+1))
	for seq := uint64(1); seq <= dense; seq++ {
		load(q, seq, 8)
	}
	load(q, far, 8)
	if len(q.ring) != far || len(q.returned) > 0 {
		t.Fatalf("the gap is not in the ring, which has %d places", len(q.ring))
	}
	for seq := uint64(1); seq < dense; seq++ {
		expect(t, q, seq)
	}
	for range dense {
		seq, record := q.Put(8, false)
		binary.BigEndian.PutUint64(record, seq)
	}
	expect(t, q, dense)
	for seq := uint64(far); seq <= far+dense; seq++ {
		expect(t, q, seq)
	}
}

func TestQueueMemoryDoesNotGrowWithWhatIsDeep(t *testing.T) {
	const n, window = 1_000_000, 1000
	q := New(NewMemory())
	held := func() int { return q.Held() + 20*len(q.ring) }
	if allocs := testing.AllocsPerRun(1, func() {
		for range n / 2 {
			q.PutDeep(100)
		}
	}); allocs > 0 {
		t.Fatalf("%d deep messages took %v allocations", n/2, allocs)
	}
	if held() != 0 {
		t.Fatalf("%d deep messages take %d bytes", n, held())
	}
	most := 0
	for seq := uint64(1); seq <= n; {
		for range window {
			load(q, seq, 100)
			seq++
		}
		most = max(most, held())
		for i := range uint64(window) {
			expect(t, q, seq-window+i)
		}
	}
	if most > 2*window*120+256<<10 { // the slab under way is not emptied before the next is begun
		t.Fatalf("a window of %d messages takes %d bytes", window, most)
	}
	if ready, _ := q.Bytes(); ready != 0 || q.Deep() != 0 || q.Edge() != q.NextSeq() {
		t.Fatalf("of an empty queue %d are deep, %d bytes, from %d to %d", q.Deep(), ready, q.Edge(), q.NextSeq())
	}
}

func TestQueueEvictGivesMemoryBack(t *testing.T) {
	q := New(NewMemory())
	const n = 50_000
	for range n {
		seq, record := q.Put(100, true)
		binary.BigEndian.PutUint64(record, seq)
	}
	if evicted := q.Evict(10); evicted != n-10 || q.Ready() != n {
		t.Fatalf("%d of %d were evicted, and %d are ready", evicted, n, q.Ready())
	}
	if q.Held() > 512<<10 || len(q.ring) > 64 {
		t.Fatalf("ten messages hold %d bytes, and a ring of %d", q.Held(), len(q.ring))
	}
	for seq := q.Edge(); seq < q.NextSeq(); seq++ {
		load(q, seq, 100)
	}
	for seq := uint64(1); seq <= n; seq++ {
		expect(t, q, seq)
	}
}

func TestQueueKeepsWhatIsOutWhileTheWindowMovesUnderIt(t *testing.T) {
	q := New(NewMemory())
	q.SetOutLimit(200)
	const n = 1000
	q.Restore(1, n*100+1, n, 100*n)
	var seqs []uint64
	for i := range uint64(n) { // one by one through an otherwise empty window, with gaps
		load(q, 1+i*100, 100)
		e, _ := q.Peek()
		q.Taken(e, false)
		seqs = append(seqs, e.Seq)
	}
	if _, out := q.Bytes(); out != 100*n || q.Resident() != 200 || q.Out() != n {
		t.Fatalf("%d messages of %d bytes are out, %d of them in memory", q.Out(), out, q.Resident())
	}
	for i := len(seqs) - 1; i >= 0; i-- {
		if was := q.Settle(seqs[i], Requeue); was != (Settled{Out: true, Stored: true, Deliveries: 1}) {
			t.Fatalf("message %d was %+v", seqs[i], was)
		}
	}
	for i, seq := range seqs {
		e, ok := q.Peek()
		if !ok || e.Seq != seq || e.Cold() != (i >= 2) || q.Cold(seq) != e.Cold() || !e.Redelivered() {
			t.Fatalf("after it was out, message %d is %+v, %v", seq, e, ok)
		}
		if e.Cold() {
			binary.BigEndian.PutUint64(q.Warm(seq, 100), seq)
		}
		expect(t, q, seq)
	}
	if q.Ready() != 0 || q.Resident() != 0 {
		t.Fatalf("%d are left, of %d bytes", q.Ready(), q.Resident())
	}
}

// shuffled puts eight messages, stored or not, and brings them back in disorder.
func shuffled(inStore bool) *Queue {
	q := New(NewMemory())
	for range 8 {
		seq, record := q.Put(100, inStore)
		binary.BigEndian.PutUint64(record, seq)
	}
	for range 8 {
		e, _ := q.Peek()
		q.Taken(e, false)
	}
	for _, seq := range []uint64{8, 3, 5, 1, 7, 2, 6, 4} {
		q.Settle(seq, Requeue)
	}
	return q
}

func TestQueueGivesBackTheBytesOfWhatCameBackWhenAllIsEvicted(t *testing.T) {
	q := shuffled(true)
	if evicted := q.Evict(1); evicted != 0 || q.Resident() != 800 {
		t.Fatalf("%d became deep, and %d bytes are left", evicted, q.Resident())
	}
	if evicted := q.Evict(0); evicted != 0 || q.Resident() != 0 || q.Held() != 0 {
		t.Fatalf("%d became deep, and %d bytes are left, which hold %d", evicted, q.Resident(), q.Held())
	}
	var told []uint64
	if n, from, to := q.Purge(func(seq uint64) { told = append(told, seq) }); n != 8 || from != to {
		t.Fatalf("%d were purged, and [%d,%d)", n, from, to)
	}
	ready, _ := q.Bytes()
	_, window := q.Window()
	if fmt.Sprint(told) != "[1 2 3 4 5 6 7 8]" || ready != 0 || window != 0 {
		t.Fatalf("%v were told, and of %d bytes %d are in the window", told, ready, window)
	}
}

func TestQueueSpillsInOrderWhatNoStoreHas(t *testing.T) {
	q := shuffled(false)
	q.Put(100, true)
	q.Put(100, false)
	var seen []uint64
	spill := func() { q.Spill(func(seq uint64, _ []byte) { seen = append(seen, seq) }) }
	spill()
	if fmt.Sprint(seen) != "[1 2 3 4 5 6 7 8 10]" {
		t.Fatalf("%v were spilled", seen)
	}
	if seen = nil; q.Evict(0) != 2 || q.Resident() != 0 {
		t.Fatalf("%d bytes are left", q.Resident())
	}
	if spill(); seen != nil {
		t.Fatalf("%v were spilled twice", seen)
	}
}

func TestQueueReadsNothingAgainThatWasPurged(t *testing.T) {
	q := New(NewMemory())
	q.Restore(10, 100, 4, 32)
	if n, from, to := q.Purge(nil); n != 4 || from != 10 || to != 100 {
		t.Fatalf("%d were purged, and [%d,%d)", n, from, to)
	}
	if seq := q.PutDeep(8); seq != 100 || q.Edge() != 100 {
		t.Fatalf("message %d is read from %d on", seq, q.Edge())
	}
	if n, from, to := q.Purge(nil); n != 1 || from != 100 || to != 101 {
		t.Fatalf("%d were purged, and [%d,%d)", n, from, to)
	}
}

func TestQueueTakesOverAnEmptyStore(t *testing.T) {
	q := New(NewMemory())
	q.Restore(0, 50, 0, 99)
	if ready, _ := q.Bytes(); ready != 0 || q.Ready() != 0 || q.Edge() != 50 {
		t.Fatalf("%d messages of %d bytes, from %d", q.Ready(), ready, q.Edge())
	}
	seq, record := q.Put(8, true)
	binary.BigEndian.PutUint64(record, seq)
	if seq != 50 {
		t.Fatalf("the next message is number %d", seq)
	}
	expect(t, q, 50)
}

func TestQueueLosesNoCountToWrongEstimates(t *testing.T) {
	q := New(NewMemory())
	q.Lost(3)
	q.Restore(10, 100, 4, 5)
	load(q, 20, 50) // far more than all were said to be
	if ready, _ := q.Bytes(); ready != 50 || q.Ready() != 4 {
		t.Fatalf("%d messages of %d bytes are ready", q.Ready(), ready)
	}
	q.Lost(100)
	if ready, _ := q.Bytes(); ready != 50 || q.Ready() != 1 || q.Edge() != 100 {
		t.Fatalf("%d messages of %d bytes are ready, and the edge is %d", q.Ready(), ready, q.Edge())
	}
	if seq, record := q.Put(8, false); seq != 100 {
		t.Fatalf("the next message is number %d", seq)
	} else {
		binary.BigEndian.PutUint64(record, seq)
	}
	expect(t, q, 20)
	expect(t, q, 100)
}

func TestQueueRefusesToBreakItsOrder(t *testing.T) {
	for name, do := range map[string]func(q *Queue){
		"put before deep":         func(q *Queue) { q.Put(8, false) },
		"load below the edge":     func(q *Queue) { q.Load(9, 8, 0) },
		"load what never entered": func(q *Queue) { q.Load(100, 8, 0) },
		"warm what is deep":       func(q *Queue) { q.Warm(10, 8) },
		"warm what is warm":       func(q *Queue) { load(q, 10, 8); q.Warm(10, 8) },
	} {
		t.Run(name, func(t *testing.T) {
			q := New(NewMemory())
			q.Restore(10, 100, 4, 32)
			defer func() {
				if recover() == nil {
					t.Fatal("it went through")
				}
			}()
			do(q)
		})
	}
}
