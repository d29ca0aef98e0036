package queue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// tiny is a store whose slabs fill, empty and are given up all the time.
func tiny() *Memory {
	m := NewMemory()
	m.sizes = sizes{least: 32, most: 128, large: 48}
	return m
}

// model is the queue as its documentation tells it, with nothing clever: every message that ever entered stands in a slice.
type model struct {
	messages []*modelMessage
	order    []*modelConsumer // the ready ones, the next one first
	all      []*modelConsumer
}

type modelMessage struct {
	seq         uint64
	body        []byte
	out         bool
	gone        bool
	deliveries  int
	redelivered bool
	holder      *modelConsumer // nil: nobody's credit
}

type modelConsumer struct {
	slot     Slot
	prefetch int
	noAck    bool
	refused  bool
	removed  bool
	out      int
}

func (m *model) first() *modelMessage {
	for _, msg := range m.messages {
		if !msg.gone && !msg.out {
			return msg
		}
	}
	return nil
}

func (m *model) unsettled() []*modelMessage {
	var all []*modelMessage
	for _, msg := range m.messages {
		if msg.out {
			all = append(all, msg)
		}
	}
	return all
}

// update puts a consumer where it belongs: at the end of the list when it has become ready, out of it when it is no more.
func (m *model) update(c *modelConsumer) {
	ready := !c.removed && !c.refused && (c.noAck || c.prefetch == 0 || c.out < c.prefetch)
	i := slices.Index(m.order, c)
	switch {
	case ready && i < 0:
		m.order = append(m.order, c)
	case !ready && i >= 0:
		m.order = slices.Delete(m.order, i, i+1)
	}
}

func (m *model) toEnd(c *modelConsumer) {
	if i := slices.Index(m.order, c); i >= 0 {
		m.order = append(slices.Delete(m.order, i, i+1), c)
	}
}

func (m *model) fetched(msg *modelMessage, c *modelConsumer, noAck bool) {
	if noAck {
		msg.gone = true
		return
	}
	msg.out, msg.holder, msg.redelivered = true, c, true
	msg.deliveries++
	if c != nil {
		c.out++
	}
}

// forget drops what is gone from the model, so that it stays small.
func (m *model) forget() {
	m.messages = slices.DeleteFunc(m.messages, func(msg *modelMessage) bool { return msg.gone })
}

func TestQueueDoesWhatAListOfMessagesWouldDo(t *testing.T) {
	for _, s := range []struct {
		name  string
		store func() *Memory
	}{{"tiny slabs", tiny}, {"real slabs", NewMemory}} {
		t.Run(s.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { compare(t, s.store()) })
		})
	}
}

func compare(t *rapid.T, store *Memory) {
	q, m := New(store), new(model)
	var entered uint64

	put := func(t *rapid.T, size int) {
		entered++
		body := make([]byte, size)
		binary.BigEndian.PutUint64(body, entered)
		for i := 8; i < size; i++ {
			body[i] = byte(entered) + byte(i)
		}
		copy(q.Put(size), body)
		m.messages = append(m.messages, &modelMessage{seq: entered, body: body})
	}
	same := func(t *rapid.T, e Entry, want *modelMessage) {
		if e.Seq != want.seq || e.Redelivered != want.redelivered || int(e.Deliveries) != want.deliveries {
			t.Fatalf("the next message is %+v, not %+v", e, want)
		}
		if got := q.Read(e); !bytes.Equal(got, want.body) {
			t.Fatalf("message %d reads %x, not %x", e.Seq, got, want.body)
		}
	}
	deliver := func(t *rapid.T, refuse bool) bool {
		s, e, ok := q.Next()
		want := m.first()
		if wanted := want != nil && len(m.order) > 0; ok != wanted {
			t.Fatalf("Next says %v, and should say %v", ok, wanted)
		}
		if !ok {
			return false
		}
		c := m.order[0]
		if s != c.slot {
			t.Fatalf("slot %d gets message %d, but it is slot %d's turn", s, e.Seq, c.slot)
		}
		same(t, e, want)
		if refuse {
			q.Refuse(s)
			c.refused = true
			m.update(c)
			return true
		}
		q.Delivered(s, e)
		m.fetched(want, c, c.noAck)
		m.toEnd(c)
		m.update(c)
		return true
	}
	settle := func(t *rapid.T, msg *modelMessage, how Outcome) {
		if !q.Settle(msg.seq, how) {
			t.Fatalf("message %d is not out", msg.seq)
		}
		msg.out = false
		msg.gone = how != Requeue
		if c := msg.holder; c != nil {
			c.out--
			m.update(c)
		}
		msg.holder = nil
	}
	consumer := func(t *rapid.T, which func(*modelConsumer) bool) *modelConsumer {
		var some []*modelConsumer
		for _, c := range m.all {
			if !c.removed && (which == nil || which(c)) {
				some = append(some, c)
			}
		}
		if len(some) == 0 {
			t.Skip("no such consumer")
		}
		return rapid.SampledFrom(some).Draw(t, "consumer")
	}
	outcomes := rapid.SampledFrom([]Outcome{Accept, Requeue, Discard})
	size := rapid.IntRange(8, 60)

	t.Repeat(map[string]func(*rapid.T){
		"put": func(t *rapid.T) {
			for range rapid.IntRange(1, 20).Draw(t, "n") {
				put(t, size.Draw(t, "size"))
			}
		},
		"deliver": func(t *rapid.T) {
			for range rapid.IntRange(1, 20).Draw(t, "n") {
				if !deliver(t, false) {
					break
				}
			}
		},
		"refuse": func(t *rapid.T) { deliver(t, true) },
		"wake": func(t *rapid.T) {
			c := consumer(t, nil)
			q.Wake(c.slot)
			c.refused = false
			m.update(c)
		},
		"settle": func(t *rapid.T) {
			for range rapid.IntRange(1, 20).Draw(t, "n") {
				out := m.unsettled()
				if len(out) == 0 {
					return
				}
				settle(t, rapid.SampledFrom(out).Draw(t, "message"), outcomes.Draw(t, "how"))
			}
		},
		"settle what is not out": func(t *rapid.T) {
			seq := rapid.Uint64Range(0, entered+3).Draw(t, "seq")
			for _, msg := range m.messages {
				if msg.seq == seq && msg.out {
					t.Skip("it is out")
				}
			}
			if q.Settle(seq, outcomes.Draw(t, "how")) {
				t.Fatalf("message %d was settled, but it is not out", seq)
			}
		},
		"get": func(t *rapid.T) {
			noAck := rapid.Bool().Draw(t, "noAck")
			e, ok := q.Peek()
			want := m.first()
			if ok != (want != nil) {
				t.Fatalf("Peek says %v", ok)
			}
			if ok {
				same(t, e, want)
				q.Taken(e, noAck)
				m.fetched(want, nil, noAck)
			}
		},
		"pass": func(t *rapid.T) {
			s, ok := q.Passable()
			wanted := m.first() == nil && len(m.order) > 0 && m.order[0].noAck
			if ok != wanted || ok && s != m.order[0].slot {
				t.Fatalf("Passable says %d, %v; it should say %v", s, ok, wanted)
			}
			if ok {
				q.Passed(s)
				m.toEnd(m.order[0])
			}
		},
		"purge": func(t *rapid.T) {
			n := 0
			for _, msg := range m.messages {
				if !msg.out && !msg.gone {
					msg.gone = true
					n++
				}
			}
			if got := q.Purge(); got != n {
				t.Fatalf("%d messages were purged, not %d", got, n)
			}
		},
		"add": func(t *rapid.T) {
			c := &modelConsumer{prefetch: rapid.IntRange(0, 5).Draw(t, "prefetch"), noAck: rapid.Bool().Draw(t, "noAck")}
			c.slot = q.Add(uint32(c.prefetch), c.noAck)
			for _, other := range m.all {
				if other.slot == c.slot && (!other.removed || other.out > 0) {
					t.Fatalf("slot %d is given away twice", c.slot)
				}
			}
			m.all = append(m.all, c)
			m.update(c)
		},
		"remove": func(t *rapid.T) {
			c := consumer(t, nil)
			q.Remove(c.slot)
			c.removed = true
			m.update(c)
		},
		"flow": func(t *rapid.T) { // many pass while what is out stays out
			c := consumer(t, func(c *modelConsumer) bool { return !c.refused && !c.noAck && slices.Contains(m.order, c) })
			if m.order[0] != c || m.first() != nil {
				t.Skip("somebody else's turn")
			}
			for range rapid.IntRange(1, 2000).Draw(t, "n") {
				put(t, 8)
				msg := m.messages[len(m.messages)-1]
				s, e, ok := q.Next()
				if !ok || s != m.order[0].slot || e.Seq != msg.seq {
					t.Fatalf("Next says %d, %+v, %v", s, e, ok)
				}
				next := m.order[0]
				q.Delivered(s, e)
				m.fetched(msg, next, next.noAck)
				m.toEnd(next)
				m.update(next)
				if msg.out {
					settle(t, msg, Accept)
				}
				m.messages = m.messages[:len(m.messages)-1]
			}
		},
		"trim":   func(*rapid.T) { q.Trim() },
		"gather": func(*rapid.T) { q.gather() },
		"": func(t *rapid.T) {
			m.forget()
			check(t, q, m, store)
		},
	})

	// At the end everything goes, and all memory with it.
	for _, msg := range m.unsettled() {
		settle(t, msg, Accept)
	}
	q.Purge()
	q.Trim()
	if _, held := store.Waste(); held != 0 || len(q.ring) > minRing || q.stragglers != nil {
		t.Fatalf("an empty queue holds %d bytes, a ring of %d and %d stragglers", held, len(q.ring), len(q.stragglers))
	}
}

// check compares all that can be seen.
func check(t *rapid.T, q *Queue, m *model, store *Memory) {
	var ready, out, consumers int
	var readyBytes, outBytes int64
	for _, msg := range m.messages {
		if msg.out {
			out++
			outBytes += int64(len(msg.body))
		} else {
			ready++
			readyBytes += int64(len(msg.body))
		}
		var straggler entry
		if got := store.Read(q.find(msg.seq, &straggler).ref); !bytes.Equal(got, msg.body) {
			t.Fatalf("message %d reads %x, not %x", msg.seq, got, msg.body)
		}
	}
	for _, c := range m.all {
		if !c.removed {
			consumers++
		}
	}
	r, o := q.Bytes()
	got := fmt.Sprint(q.Ready(), q.Out(), q.Consumers(), r, o)
	if want := fmt.Sprint(ready, out, consumers, readyBytes, outBytes); got != want {
		t.Fatalf("ready, out, consumers and bytes are %s, not %s", got, want)
	}
	if len(q.stragglers) > ready+out {
		t.Fatalf("%d stragglers of %d messages", len(q.stragglers), ready+out)
	}
	account(t, store, int(r+o))
}

func TestQueueRingStaysSmallWhileMillionsPassAStraggler(t *testing.T) {
	q := New(NewMemory())
	lazy := q.Add(1, false)
	q.Put(16)
	if s, e, ok := q.Next(); !ok || s != lazy {
		t.Fatal("the first message has no taker")
	} else {
		q.Delivered(s, e)
	}
	quick := q.Add(0, false)
	for range 1_000_000 {
		q.Put(16)
		s, e, ok := q.Next()
		if !ok || s != quick {
			t.Fatalf("slot %d, not %d", s, quick)
		}
		q.Delivered(s, e)
		q.Settle(e.Seq, Accept)
	}
	if len(q.ring) > 1024 || len(q.stragglers) != 1 {
		t.Fatalf("the ring has %d places, and there are %d stragglers", len(q.ring), len(q.stragglers))
	}
	if _, held := q.store.Waste(); held > 3*256<<10 {
		t.Fatalf("one message holds %d bytes", held)
	}
	q.Settle(1, Requeue)
	if e, ok := q.Peek(); !ok || e.Seq != 1 || !e.Redelivered || e.Deliveries != 1 {
		t.Fatalf("the straggler came back as %+v, %v", e, ok)
	}
}

func TestQueueTrimGathersWhatABurstLeftBehind(t *testing.T) {
	q := New(NewMemory())
	const n = 50_000
	for i := range n {
		binary.BigEndian.PutUint64(q.Put(100), uint64(i))
	}
	for range n {
		e, _ := q.Peek()
		q.Taken(e, false)
	}
	for seq := uint64(1); seq <= n; seq++ {
		if seq%100 != 0 {
			q.Settle(seq, Accept)
		}
	}
	_, before := q.store.Waste()
	q.Trim()
	_, after := q.store.Waste()
	if after > before/10 || len(q.ring) > 2048 {
		t.Fatalf("%d of %d bytes are still held, and a ring of %d", after, before, len(q.ring))
	}
	for seq := uint64(100); seq <= n; seq += 100 {
		q.Settle(seq, Requeue)
	}
	for seq := uint64(100); seq <= n; seq += 100 {
		e, ok := q.Peek()
		if !ok || e.Seq != seq || binary.BigEndian.Uint64(q.Read(e)) != seq-1 {
			t.Fatalf("after %d comes %+v, %v", seq-100, e, ok)
		}
		q.Taken(e, true)
	}
}

func TestQueueSettlesWhatARemovedConsumerHasOutBeforeItsSlotIsUsedAgain(t *testing.T) {
	q := New(NewMemory())
	first := q.Add(1, false)
	q.Put(1)
	_, e, _ := q.Next()
	q.Delivered(first, e)
	q.Remove(first)
	second := q.Add(1, false)
	if second == first {
		t.Fatal("the slot was given away while a delivery of it was out")
	}
	q.Put(1)
	s, e2, _ := q.Next()
	q.Delivered(s, e2)
	q.Settle(e.Seq, Accept)
	q.Put(1)
	if _, _, ok := q.Next(); ok {
		t.Fatal("settling another's delivery gave credit")
	}
	if third := q.Add(1, false); third != first {
		t.Fatalf("slot %d is free, but %d was given", first, third)
	}
}
