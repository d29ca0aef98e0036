package disk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// machine is a store of which rapid takes each step, and the batches that it was given. Unlike the simulator it has
// few streams whose numbers come in any order and with gaps, so that chunks are split, and runs become bitmaps.
type machine struct {
	disk    *vfs.Memory
	store   *Store
	history storetest.History
	streams map[uint64]storage.Stream
	used    map[uint64]map[uint64]bool // numbers, by stream
	serial  int
}

const (
	machineStreams = 3
	machineNumbers = 4000
)

func (m *machine) open(t *rapid.T) {
	var err error
	m.store, err = Open(Options{
		FS: m.disk, Dir: "data", JournalSize: 8 << 10, Manual: true,
		Events: storage.Events{Committed: m.history.Durable},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.streams = map[uint64]storage.Stream{}
	for _, id := range m.store.Streams() {
		m.streams[id] = m.store.Stream(id)
	}
	for len(m.streams) < machineStreams {
		s := m.store.NewStream()
		m.streams[s.ID()], m.used[s.ID()] = s, map[uint64]bool{}
	}
}

func (m *machine) id(t *rapid.T) uint64 {
	var ids []uint64
	for id := range m.streams {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return rapid.SampledFrom(ids).Draw(t, "stream")
}

// commit hands changes over as one batch, with a number that says after a crash whether it is there.
func (m *machine) commit(changes ...storetest.Change) {
	if len(changes) == 0 {
		return
	}
	m.serial++
	changes = append(changes, storetest.Change{Op: storetest.Put, Key: "serial", Payload: fmt.Append(nil, m.serial)})
	b := m.store.NewBatch()
	storetest.Fill(b, changes, func(id uint64) storage.Stream { return m.streams[id] })
	m.history.Add(b.Commit(true), changes)
}

// to makes a change of a number that was not used, if it was not.
func (m *machine) to(changes []storetest.Change, id, seq uint64, n int) []storetest.Change {
	if m.used[id][seq] {
		return changes
	}
	m.used[id][seq] = true
	m.serial++
	c := storetest.Change{Op: storetest.To, Stream: id, Seq: seq, Transient: m.serial%7 == 0}
	c.Payload = append(fmt.Appendf(nil, "%d/%d ", id, m.serial), make([]byte, n)...)
	if m.serial%3 == 0 {
		c.Deadline = int64(1 + m.serial*7919%1000)
	}
	return append(changes, c)
}

func (m *machine) publishRun(t *rapid.T) {
	id, first := m.id(t), rapid.Uint64Range(1, machineNumbers).Draw(t, "first")
	n, size := rapid.IntRange(1, 300).Draw(t, "n"), rapid.IntRange(0, 60).Draw(t, "size")
	step := rapid.Uint64Range(1, 3).Draw(t, "step")
	var changes []storetest.Change
	for i := range uint64(n) {
		changes = m.to(changes, id, first+i*step, size)
	}
	m.commit(changes...)
}

func (m *machine) publishAnywhere(t *rapid.T) {
	id := m.id(t)
	var changes []storetest.Change
	for _, seq := range rapid.SliceOfN(rapid.Uint64Range(1, machineNumbers), 1, 20).Draw(t, "numbers") {
		changes = m.to(changes, id, seq, 5)
	}
	if rapid.IntRange(0, 20).Draw(t, "large") == 0 {
		changes = m.to(changes, id, rapid.Uint64Range(1, machineNumbers).Draw(t, "number"), large+m.serial%3-1)
	}
	m.commit(changes...)
}

func (m *machine) fanOut(t *rapid.T) {
	seq, payload := rapid.Uint64Range(1, machineNumbers).Draw(t, "number"), make([]byte, rapid.IntRange(0, 1500).Draw(t, "size"))
	var changes []storetest.Change
	for id := range m.streams {
		changes = m.to(changes, id, seq, 0)
	}
	slices.SortFunc(changes, func(a, b storetest.Change) int { return int(a.Stream) - int(b.Stream) })
	for i := range changes {
		changes[i].Payload = payload
	}
	m.commit(changes...)
}

func (m *machine) settleAnywhere(t *rapid.T) {
	id := m.id(t)
	var changes []storetest.Change
	for _, seq := range rapid.SliceOfN(rapid.Uint64Range(1, machineNumbers), 1, 40).Draw(t, "numbers") {
		// Numbers that were not used are settled early now and then: they never live.
		if m.used[id][seq] || seq%16 == 0 {
			changes = append(changes, storetest.Change{Op: storetest.Settle, Stream: id, Seq: seq})
		}
	}
	m.commit(changes...)
}

func (m *machine) settleEvery(t *rapid.T) {
	id, first, step := m.id(t), rapid.Uint64Range(1, machineNumbers).Draw(t, "first"), rapid.Uint64Range(1, 3).Draw(t, "step")
	var changes []storetest.Change
	for seq := first; seq < first+600; seq += step {
		if m.used[id][seq] {
			changes = append(changes, storetest.Change{Op: storetest.Settle, Stream: id, Seq: seq})
		}
	}
	m.commit(changes...)
}

func (m *machine) truncate(t *rapid.T) {
	id, from := m.id(t), rapid.Uint64Range(0, machineNumbers).Draw(t, "from")
	m.commit(storetest.Change{Op: storetest.Truncate, Stream: id, Seq: from, Until: from + rapid.Uint64Range(0, 300).Draw(t, "n")})
}

func (m *machine) return_(t *rapid.T) {
	id, first, n := m.id(t), rapid.Uint64Range(1, machineNumbers).Draw(t, "first"), uint16(rapid.IntRange(0, 4).Draw(t, "deliveries"))
	var changes []storetest.Change
	for seq := first; seq < first+rapid.Uint64Range(1, 50).Draw(t, "n"); seq++ {
		changes = append(changes, storetest.Change{Op: storetest.Returned, Stream: id, Seq: seq, Deliveries: n})
	}
	m.commit(changes...)
}

func (m *machine) deliver(t *rapid.T) {
	m.commit(storetest.Change{Op: storetest.Delivered, Stream: m.id(t), Seq: rapid.Uint64Range(1, machineNumbers).Draw(t, "number")})
}

func (m *machine) drop(t *rapid.T) {
	id := m.id(t)
	m.commit(storetest.Change{Op: storetest.Drop, Stream: id})
	delete(m.streams, id)
	s := m.store.NewStream()
	m.streams[s.ID()], m.used[s.ID()] = s, map[uint64]bool{}
}

func (m *machine) put(t *rapid.T) {
	key := rapid.SampledFrom([]string{"a", "b", "b/c", ""}).Draw(t, "key")
	if rapid.Bool().Draw(t, "delete") {
		m.commit(storetest.Change{Op: storetest.Delete, Key: key})
		return
	}
	m.serial++
	m.commit(storetest.Change{Op: storetest.Put, Key: key, Payload: fmt.Append(nil, m.serial)})
}

func (m *machine) crash(t *rapid.T) {
	m.history.Durable(m.store.Durable())
	luck := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "luck"), 0))
	m.disk = m.disk.Crash(luck, rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "kept"))
	m.reopened(t)
}

func (m *machine) reopen(t *rapid.T) {
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	if m.history.Pending() > 0 {
		t.Fatal("something is not durable after Close")
	}
	m.reopened(t)
}

func (m *machine) reopened(t *rapid.T) {
	m.open(t)
	var differences []error
	var found *storetest.State
	for _, outcome := range m.history.Outcomes() {
		if err := storetest.Compare(m.store, outcome); err != nil {
			differences = append(differences, err)
		} else {
			found = outcome
		}
	}
	if found == nil {
		t.Fatal(errors.Join(differences...))
	}
	m.history.Begin(found)
	// Numbers of batches that were lost may come again: the store does not know them.
}

func (m *machine) do(t *rapid.T, what func() error) {
	if err := what(); err != nil {
		t.Fatal(err)
	}
}

func TestTheStoreIsLikeANaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{disk: vfs.NewMemory(), used: map[uint64]map[uint64]bool{}}
		m.open(t)
		defer func() { m.store.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"publish a run":    m.publishRun,
			"publish anywhere": m.publishAnywhere,
			"fan out":          m.fanOut,
			"settle anywhere":  m.settleAnywhere,
			"settle every":     m.settleEvery,
			"truncate":         m.truncate,
			"return":           m.return_,
			"deliver":          m.deliver,
			"drop":             m.drop,
			"put":              m.put,
			"commit":           func(t *rapid.T) { m.do(t, m.store.Commit) },
			"seal":             func(t *rapid.T) { m.do(t, m.store.Seal) },
			"copy out":         func(t *rapid.T) { m.do(t, m.store.CopyOut) },
			"compact":          func(t *rapid.T) { m.do(t, m.store.Compact) },
			"checkpoint":       func(t *rapid.T) { m.do(t, m.store.Checkpoint) },
			"reopen":           m.reopen,
			"crash":            m.crash,
			"": func(t *rapid.T) {
				if err := storetest.Compare(m.store, m.history.Now()); err != nil {
					t.Fatal(err)
				}
				m.counts(t)
			},
		})
	})
}

// counts holds what is counted against what is there.
func (m *machine) counts(t *rapid.T) {
	live := map[*file]int64{}
	views := map[*file][]int32{}
	for _, s := range m.store.streams {
		n := 0
		for i := range s.chunks {
			c := &s.chunks[i]
			if i > 0 && s.chunks[i-1].last >= c.first {
				t.Fatalf("stream %d: chunks overlap: %d to %d, %d to %d", s.id, s.chunks[i-1].first, s.chunks[i-1].last, c.first, c.last)
			}
			if !c.alive(c.first) {
				t.Fatalf("stream %d: a chunk begins with %d, which is not alive", s.id, c.first)
			}
			alive := 0
			for seq := c.first; seq <= c.last; seq++ {
				if c.alive(seq) {
					alive++
				}
			}
			if alive != c.live {
				t.Fatalf("stream %d: %d are alive from %d to %d, and %d are counted", s.id, alive, c.first, c.last, c.live)
			}
			n += alive
			live[c.file] += int64(alive)
			if c.file.segment != nil {
				if views[c.file] == nil {
					views[c.file] = make([]int32, len(c.file.views))
				}
				views[c.file][c.extent]++
			}
		}
		if n != s.live {
			t.Fatalf("stream %d: %d are alive, and %d are counted", s.id, n, s.live)
		}
	}
	for _, f := range slices.Concat(m.store.files, m.store.segments) {
		if f.live.Load() != live[f] {
			t.Fatalf("file %d: %d are alive, and %d are counted", f.number, live[f], f.live.Load())
		}
		for e := range f.views {
			n := int32(0)
			if views[f] != nil {
				n = views[f][e]
			}
			if got := f.views[e].Load(); got != n {
				t.Fatalf("file %d: extent %d has %d views, and %d are counted", f.number, e, n, got)
			}
		}
	}
}
