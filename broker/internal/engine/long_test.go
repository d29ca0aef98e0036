package engine

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// heap returns how many bytes and objects are alive.
func heap() (bytes, objects int64) {
	runtime.GC()
	runtime.GC() // what pools kept goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.HeapObjects)
}

// counter is a sink that compares numbered messages with the ones that must come, and keeps nothing but the numbers to settle them
// by.
type counter struct {
	t           *testing.T
	next        uint64
	redelivered bool
	keep        bool
	seqs        []uint64
}

func (s *counter) Deliver(d *Delivery) Verdict {
	if n := binary.BigEndian.Uint64(d.Message.Body); n != s.next || d.Redelivered != s.redelivered {
		s.t.Fatalf("message %d came, redelivered=%v, instead of %d", n, d.Redelivered, s.next)
	}
	s.next++
	if s.keep {
		s.seqs = append(s.seqs, d.Seq)
	}
	return Taken
}

func (*counter) Flush()              {}
func (*counter) Cancelled(*Consumer) {}

func TestALongQueueCostsNoMemoryWhoeverTakesItAndGivesItBack(t *testing.T) {
	n := uint64(200_000)
	if testing.Short() {
		n = 50_000
	}
	const few = 16 << 10
	var store *disk.Store
	b, err := Open(Config{
		Users: access.New(), window: bounds{most: few, least: few / 4, out: few, fill: few / 2, share: 1 << 20},
		Store: func(e storage.Events) (storage.Store, error) {
			var err error
			store, err = disk.Open(disk.Options{FS: vfs.OS(), Dir: t.TempDir(), Sync: storage.Never, JournalSize: 1 << 20, Events: e})
			return store, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Broker: b, t: t}
	defer b.Close()
	g := h.guest()
	q := g.declare(QueueSpec{Name: "q", Durable: true})

	// It grows.
	body := make([]byte, 100)
	before, objects := int64(0), int64(0)
	for i := range n {
		binary.BigEndian.PutUint64(body, i)
		_, err := g.Publish(g.batch, &message.Message{Key: []byte("q"), Body: body, Flags: message.Persistent})
		g.must(err)
		if i%500 == 499 {
			g.must(b.Wait(t.Context(), g.batch.End()))
		}
		if i == n/10 {
			before, objects = heap()
		}
	}
	g.must(b.Wait(t.Context(), g.batch.End()))
	after, objectsAfter := heap()
	t.Logf("between %d and %d messages of %d bytes the heap grows by %d bytes and %d objects", n/10, n, len(body), after-before, objectsAfter-objects)
	// What a journal needs for finding its records, and its buffers, are bounded, but not by these windows.
	if after-before > 2<<20+int64(n)*9/10*int64(len(body))/20 {
		t.Errorf("the heap has grown by %d bytes", after-before)
	}
	if objectsAfter-objects > int64(n)/50 {
		t.Errorf("the heap has grown by %d objects", objectsAfter-objects)
	}
	resident := func(when string) {
		t.Helper()
		if r := q.core.Resident(); r > 4*few {
			t.Errorf("%s, %d bytes are in memory", when, r)
		}
	}
	resident("when it is long")

	// Somebody takes everything, and is gone.
	start := time.Now()
	all := &counter{t: t, keep: true}
	c := g.consume(ConsumerSpec{Queue: "q"}, all)
	if all.next != n || q.Info().Unacked != int(n) {
		t.Fatalf("%d were delivered, %d are out", all.next, q.Info().Unacked)
	}
	t.Logf("taken after %v", time.Since(start))
	resident("when all is out")
	c.Cancel(g.batch)
	start = time.Now()
	for seqs := all.seqs; len(seqs) > 0; {
		some := seqs[:min(len(seqs), 1000)]
		seqs = seqs[len(some):]
		if n := g.settle(q, queue.Requeue, some...); n != len(some) {
			t.Fatalf("%d of %d came back", n, len(some))
		}
	}
	all.seqs = nil
	t.Logf("given back after %v", time.Since(start))
	resident("when all is back")
	if i := q.Info(); i.Ready != int(n) || i.Unacked != 0 {
		t.Fatalf("%d are ready and %d out", i.Ready, i.Unacked)
	}

	// Somebody else drains it.
	start = time.Now()
	last := &counter{t: t, redelivered: true}
	g.consume(ConsumerSpec{Queue: "q", NoAck: true}, last)
	if last.next != n {
		t.Fatalf("%d were delivered", last.next)
	}
	t.Logf("drained after %v", time.Since(start))
	if i := q.stream.Info(); i.Records != 0 || q.Info().Ready != 0 || b.Stored() != 0 {
		t.Errorf("of an empty queue the store has %d records, and %d bytes are in memory", i.Records, b.Stored())
	}
	for range 2 { // nothing has happened since: what is kept for the next messages goes
		b.housekeep()
	}
	end, _ := heap()
	t.Logf("in the end the heap has %d bytes more than in the beginning", end-before)
	if end-before > 2<<20 {
		t.Errorf("an empty queue costs %d bytes", end-before)
	}
}
