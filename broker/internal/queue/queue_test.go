package queue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// tiny is a memory whose slabs fill, empty and are given up all the time.
func tiny() *Memory {
	m := NewMemory()
	m.sizes = sizes{least: 32, most: 128, large: 48}
	return m
}

// model is the queue as its documentation tells it, with nothing clever: every message that ever entered stands in a slice.
type model struct {
	messages []*modelMessage
	order    []*modelConsumer // the ready ones, the next one first
	vague    bool             // the bytes of what is deep are an estimate
	most     int              // how many messages were in memory at most, since the queue is there
	all      []*modelConsumer
}

type modelMessage struct {
	seq         uint64
	body        []byte
	stored      bool // the pretended store has it
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

// first returns the first message that waits below edge, where the window ends.
func (m *model) first(edge uint64) *modelMessage {
	for _, msg := range m.messages {
		if !msg.gone && !msg.out {
			if msg.seq >= edge {
				return nil
			}
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
		name   string
		memory func() *Memory
	}{{"tiny slabs", tiny}, {"real slabs", NewMemory}} {
		t.Run(s.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { compare(t, s.memory()) })
		})
	}
}

func compare(t *rapid.T, memory *Memory) {
	q, m := New(memory), new(model)
	var entered uint64

	put := func(t *rapid.T, size int) {
		entered++
		body := make([]byte, size)
		binary.BigEndian.PutUint64(body, entered)
		for i := 8; i < size; i++ {
			body[i] = byte(entered) + byte(i)
		}
		msg := &modelMessage{seq: entered, body: body, stored: true}
		m.messages = append(m.messages, msg)
		var seq uint64
		if q.Deep() > 0 || rapid.IntRange(0, 9).Draw(t, "deep") == 0 {
			seq = q.PutDeep(size)
		} else {
			msg.stored = rapid.Bool().Draw(t, "stored")
			var record []byte
			seq, record = q.Put(size, msg.stored)
			copy(record, body)
		}
		if seq != entered {
			t.Fatalf("message %d got the number %d", entered, seq)
		}
	}
	// load brings the next deep messages into the window, as many as there are up to n.
	load := func(t *rapid.T, n int) {
		for _, msg := range slices.Clone(m.messages) {
			if n == 0 {
				return
			}
			if msg.seq < q.Edge() || msg.gone || msg.out {
				continue
			}
			copy(q.Load(msg.seq, len(msg.body), uint16(msg.deliveries)), msg.body)
			n--
		}
	}
	// warm reads a message back that memory has given up.
	warm := func(e *Entry, msg *modelMessage) {
		if e.Cold() {
			copy(q.Warm(e.Seq, len(msg.body)), msg.body)
			*e, _ = q.Peek()
		}
	}
	same := func(t *rapid.T, e Entry, want *modelMessage) {
		if e.Seq != want.seq || e.Redelivered() != want.redelivered || int(e.Deliveries) != want.deliveries || e.Stored() != want.stored || e.Cold() {
			t.Fatalf("the next message is %+v, not %+v", e, want)
		}
		if got := q.Read(e); !bytes.Equal(got, want.body) {
			t.Fatalf("message %d reads %x, not %x", e.Seq, got, want.body)
		}
	}
	deliver := func(t *rapid.T, refuse bool) bool {
		s, e, ok := q.Next()
		want := m.first(q.Edge())
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
		warm(&e, want)
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
		if was := q.Settle(msg.seq, how); was != (Settled{Out: true, Stored: msg.stored, Deliveries: uint16(msg.deliveries)}) {
			t.Fatalf("message %d was %+v", msg.seq, was)
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
	seldom := func(t *rapid.T) { // of what leaves little to go on with
		if rapid.IntRange(0, 4).Draw(t, "seldom") > 0 {
			t.Skip("not now")
		}
	}
	outcomes := rapid.SampledFrom([]Outcome{Accept, Requeue, Discard})
	size := rapid.IntRange(8, 60)

	actions := map[string]func(*rapid.T){
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
			if q.Settle(seq, outcomes.Draw(t, "how")).Out {
				t.Fatalf("message %d was settled, but it is not out", seq)
			}
		},
		"get": func(t *rapid.T) {
			noAck := rapid.Bool().Draw(t, "noAck")
			e, ok := q.Peek()
			want := m.first(q.Edge())
			if ok != (want != nil) {
				t.Fatalf("Peek says %v", ok)
			}
			if ok {
				warm(&e, want)
				same(t, e, want)
				q.Taken(e, noAck)
				m.fetched(want, nil, noAck)
			}
		},
		"pass": func(t *rapid.T) {
			s, ok := q.Passable()
			wanted := m.first(entered+1) == nil && len(m.order) > 0 && m.order[0].noAck
			if ok != wanted || ok && s != m.order[0].slot {
				t.Fatalf("Passable says %d, %v; it should say %v", s, ok, wanted)
			}
			if ok {
				q.Passed(s)
				m.toEnd(m.order[0])
			}
		},
		"purge": func(t *rapid.T) {
			seldom(t)
			n, edge, deep := 0, q.Edge(), q.Deep()
			var inStore []uint64
			for _, msg := range m.messages {
				if !msg.out && !msg.gone {
					msg.gone = true
					n++
					if msg.stored && msg.seq < edge {
						inStore = append(inStore, msg.seq)
					}
				}
			}
			var told []uint64
			got, from, to := q.Purge(func(seq uint64) { told = append(told, seq) })
			if got != n || !slices.Equal(told, inStore) {
				t.Fatalf("%d messages were purged, not %d, and %v was told, not %v", got, n, told, inStore)
			}
			if deep > 0 && (from != edge || to != entered+1) || deep == 0 && from != to {
				t.Fatalf("the deep part that went is [%d,%d), not [%d,%d)", from, to, edge, entered+1)
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
			if m.order[0] != c || m.first(entered+1) != nil {
				t.Skip("somebody else's turn")
			}
			for range rapid.IntRange(1, 2000).Draw(t, "n") {
				put(t, 8)
				load(t, 1)
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
		"load": func(t *rapid.T) { load(t, rapid.IntRange(1, 30).Draw(t, "n")) },
		"lose": func(t *rapid.T) { // what a crash or damage makes of numbers: gaps
			run, lost := rapid.SampledFrom([]int{1, 5, 100}).Draw(t, "run"), 0
			for _, msg := range m.messages {
				if msg.seq >= q.Edge() && lost < run && q.Deep()-lost > 1 {
					msg.gone = true
					lost++
				}
			}
			if lost > 0 {
				q.Lost(lost)
				m.vague = true
			}
		},
		"thin": func(t *rapid.T) { // of many deep messages one in so many is left
			run := rapid.SampledFrom([]int{2, 10, 50, 70, 1000}).Draw(t, "run")
			for range rapid.IntRange(1, 50).Draw(t, "n") {
				for range run - 1 {
					q.PutDeep(8)
				}
				q.Lost(run - 1)
				entered += uint64(run - 1)
				if q.Deep() == 0 { // none but those were
					continue
				}
				put(t, size.Draw(t, "size"))
			}
			m.vague = true
		},
		"evict": func(t *rapid.T) {
			keep := rapid.SampledFrom([]int{0, 0, 0, 1, 5}).Draw(t, "keep")
			was, edge := q.Deep(), q.Edge()
			var fresh []*modelMessage // ready, and not out since they are in memory
			left := int64(0)          // bytes of what came back and is in no store
			for _, msg := range m.messages {
				switch {
				case msg.gone || msg.out || msg.seq >= edge:
				case msg.seq >= q.head:
					fresh = append(fresh, msg)
				case !msg.stored:
					left += int64(len(msg.body))
				}
			}
			want := 0
			for len(fresh) > keep && fresh[len(fresh)-1].stored {
				edge = fresh[len(fresh)-1].seq
				fresh = fresh[:len(fresh)-1]
				want++
			}
			if n := q.Evict(keep); n != want || q.Deep() != was+n || q.Edge() > edge {
				t.Fatalf("%d became deep, not %d; which makes %d, and the edge is %d, above %d", n, want, q.Deep(), q.Edge(), edge)
			}
			for _, msg := range fresh {
				left += int64(len(msg.body))
			}
			if _, got := q.Window(); keep == 0 && got != left {
				t.Fatalf("a window of %d bytes is left, not %d", got, left)
			}
		},
		"spill": func(t *rapid.T) {
			var want []uint64
			for _, msg := range m.messages {
				if !msg.out && !msg.gone && !msg.stored {
					msg.stored = true
					want = append(want, msg.seq)
				}
			}
			var got []uint64
			q.Spill(func(seq uint64, record []byte) {
				got = append(got, seq)
				if i := slices.IndexFunc(m.messages, func(msg *modelMessage) bool { return msg.seq == seq }); i < 0 || !bytes.Equal(record, m.messages[i].body) {
					t.Fatalf("message %d is shown as %x", seq, record)
				}
			})
			if !slices.Equal(got, want) {
				t.Fatalf("%v were spilled, not %v", got, want)
			}
		},
		"limit": func(t *rapid.T) { q.SetOutLimit(rapid.SampledFrom([]int64{0, 1, 100}).Draw(t, "limit")) },
		"restart": func(t *rapid.T) { // the store keeps what it has, whoever had it out
			seldom(t)
			var first *modelMessage
			n, bytes := 0, int64(0)
			for _, msg := range m.messages {
				if !msg.stored {
					msg.gone = true
				}
				if msg.gone {
					continue
				}
				if first == nil {
					first = msg
				}
				msg.out, msg.holder = false, nil
				n++
				bytes += int64(len(msg.body))
			}
			m.all, m.order = nil, nil
			*memory = Memory{open: none, sizes: memory.sizes}
			q = New(memory)
			entered += rapid.SampledFrom([]uint64{0, 1, 100, 5_000_000}).Draw(t, "jump")
			at := uint64(0)
			if first != nil {
				at = first.seq
			}
			estimate := rapid.SampledFrom([]int64{1, 0, 3}).Draw(t, "estimate")
			q.Restore(at, entered+1, n, estimate*bytes)
			m.vague, m.most = estimate != 1, 0
		},
		"trim":   func(*rapid.T) { q.Trim() },
		"gather": func(*rapid.T) { q.gather() },
		"": func(t *rapid.T) {
			m.forget()
			check(t, q, m, memory)
		},
	}
	for range 6 { // once is about 30 actions, after which little has come together
		t.Repeat(actions)
	}

	// At the end everything goes, and all memory with it.
	for _, msg := range m.unsettled() {
		settle(t, msg, Accept)
	}
	q.Purge(func(uint64) {})
	q.Trim()
	if _, held := memory.Waste(); held != 0 || len(q.ring) > minRing || q.stragglers != nil {
		t.Fatalf("an empty queue holds %d bytes, a ring of %d and %d stragglers", held, len(q.ring), len(q.stragglers))
	}
}

// check compares all that can be seen.
func check(t *rapid.T, q *Queue, m *model, memory *Memory) {
	var ready, out, deep, consumers int
	var readyBytes, outBytes, resident int64
	for _, msg := range m.messages {
		if msg.out {
			out++
			outBytes += int64(len(msg.body))
		} else {
			ready++
			readyBytes += int64(len(msg.body))
		}
		if msg.seq >= q.Edge() {
			deep++
			continue
		}
		var straggler entry
		e := q.find(msg.seq, &straggler)
		if e.is(cold) && msg.stored {
			continue
		}
		resident += int64(len(msg.body))
		if got := memory.Read(e.ref); !bytes.Equal(got, msg.body) {
			t.Fatalf("message %d reads %x, not %x", msg.seq, got, msg.body)
		}
	}
	if q.Deep() != deep || q.Resident() != resident {
		t.Fatalf("%d are deep and %d bytes in memory, not %d and %d", q.Deep(), q.Resident(), deep, resident)
	}
	n, window := q.Window()
	if n != ready-deep || window+q.outBytes-q.coldOut != resident {
		t.Fatalf("the window has %d messages, not %d, and %d of %d bytes", n, ready-deep, window, resident)
	}
	if deep == 0 && q.Edge() != q.NextSeq() {
		t.Fatalf("nothing is deep, and the edge is %d, not %d", q.Edge(), q.NextSeq())
	}
	m.most = max(m.most, n+out)
	if len(q.ring) > max(4096, 32*m.most) { // "flow" passes through 2000 in a row
		t.Fatalf("the ring has %d places for at most %d messages", len(q.ring), m.most)
	}
	for _, c := range m.all {
		if !c.removed {
			consumers++
		}
	}
	r, o := q.Bytes()
	if m.vague = m.vague && deep > 0; m.vague {
		if r < window {
			t.Fatalf("%d bytes are ready, with a window of %d", r, window)
		}
		r = readyBytes
	}
	got := fmt.Sprint(q.Ready(), q.Out(), q.Consumers(), r, o)
	if want := fmt.Sprint(ready, out, consumers, readyBytes, outBytes); got != want {
		t.Fatalf("ready, out, consumers and bytes are %s, not %s", got, want)
	}
	if len(q.stragglers) > ready+out {
		t.Fatalf("%d stragglers of %d messages", len(q.stragglers), ready+out)
	}
	account(t, memory, int(resident))
}

func TestQueueRingStaysSmallWhileMillionsPassAStraggler(t *testing.T) {
	q := New(NewMemory())
	lazy := q.Add(1, false)
	q.Put(16, false)
	if s, e, ok := q.Next(); !ok || s != lazy {
		t.Fatal("the first message has no taker")
	} else {
		q.Delivered(s, e)
	}
	quick := q.Add(0, false)
	for range 1_000_000 {
		q.Put(16, false)
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
	if _, held := q.memory.Waste(); held > 3*256<<10 {
		t.Fatalf("one message holds %d bytes", held)
	}
	q.Settle(1, Requeue)
	if e, ok := q.Peek(); !ok || e.Seq != 1 || !e.Redelivered() || e.Deliveries != 1 {
		t.Fatalf("the straggler came back as %+v, %v", e, ok)
	}
}

func TestQueueTrimGathersWhatABurstLeftBehind(t *testing.T) {
	q := New(NewMemory())
	const n = 50_000
	for i := range n {
		_, record := q.Put(100, false)
		binary.BigEndian.PutUint64(record, uint64(i))
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
	_, before := q.memory.Waste()
	q.Trim()
	_, after := q.memory.Waste()
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
	q.Put(1, false)
	_, e, _ := q.Next()
	q.Delivered(first, e)
	q.Remove(first)
	second := q.Add(1, false)
	if second == first {
		t.Fatal("the slot was given away while a delivery of it was out")
	}
	q.Put(1, false)
	s, e2, _ := q.Next()
	q.Delivered(s, e2)
	q.Settle(e.Seq, Accept)
	q.Put(1, false)
	if _, _, ok := q.Next(); ok {
		t.Fatal("settling another's delivery gave credit")
	}
	if third := q.Add(1, false); third != first {
		t.Fatalf("slot %d is free, but %d was given", first, third)
	}
}
