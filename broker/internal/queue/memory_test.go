package queue

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// account adds up what the store says that it holds.
func account(t fataler, m *Memory, live int) {
	t.Helper()
	spare, alive, vacant := 0, 0, 0
	for _, b := range m.spares {
		spare += len(b)
	}
	if spare != m.spare || spare > m.live+m.sizes.most || len(m.spares) > maxSpares {
		t.Fatalf("%d spares of %d bytes, said to be %d, beside %d alive", len(m.spares), spare, m.spare, m.live)
	}
	held := spare
	for _, s := range m.slabs {
		held += len(s.bytes)
		alive += int(s.live)
		if int(s.used) > len(s.bytes) || s.live > s.used {
			t.Fatalf("a slab of %d bytes has %d used and %d alive", len(s.bytes), s.used, s.live)
		}
		if s.bytes == nil {
			vacant++
		}
	}
	waste, all := m.Waste()
	if all != held || all-waste != live || alive != live || vacant != len(m.vacant) {
		t.Fatalf("the store says %d held, %d waste, %d vacant; there are %d held, %d alive (%d expected), %d vacant",
			all, waste, len(m.vacant), held, alive, live, vacant)
	}
}

func TestMemoryKeepsEveryRecordAndCountsEveryByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := tiny()
		type record struct {
			ref  Ref
			text []byte
		}
		var records []record
		live, most := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"reserve": func(t *rapid.T) {
				text := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "text")
				ref, b := m.Reserve(len(text))
				if len(b) != len(text) || cap(b) != len(text) {
					t.Fatalf("room for %d with a capacity of %d, not %d", len(b), cap(b), len(text))
				}
				copy(b, text)
				records = append(records, record{ref, text})
				live += len(text)
				most = max(most, len(records))
			},
			"release": func(t *rapid.T) {
				if len(records) == 0 {
					t.Skip("nothing")
				}
				i := rapid.IntRange(0, len(records)-1).Draw(t, "which")
				m.Release(records[i].ref)
				live -= len(records[i].text)
				records = slices.Delete(records, i, i+1)
			},
			"trim": func(*rapid.T) { m.Trim() },
			"": func(t *rapid.T) {
				account(t, m, live)
				for _, r := range records {
					if !bytes.Equal(m.Read(r.ref), r.text) {
						t.Fatalf("%+v reads %x, not %x", r.ref, m.Read(r.ref), r.text)
					}
				}
				if len(m.slabs) > most+1 {
					t.Fatalf("%d slabs for at most %d records", len(m.slabs), most)
				}
			},
		})
		for _, r := range records {
			m.Release(r.ref)
		}
		m.Trim()
		if _, held := m.Waste(); held != 0 {
			t.Fatalf("an empty store holds %d bytes", held)
		}
	})
}

func TestMemoryGivesALargeRecordASlabOfItsOwn(t *testing.T) {
	m := NewMemory()
	small, _ := m.Reserve(100)
	big, b := m.Reserve(1 << 20)
	after, _ := m.Reserve(100)
	if big.Segment == small.Segment || after.Segment != small.Segment || len(b) != 1<<20 {
		t.Fatalf("small in %d, large in %d, small in %d", small.Segment, big.Segment, after.Segment)
	}
	_, with := m.Waste()
	m.Release(big)
	if _, without := m.Waste(); with-without != 1<<20 {
		t.Fatalf("the large record gave back %d bytes", with-without)
	}
}

func TestMemoryTakesWhatALargeRecordLeftForTheNext(t *testing.T) {
	m := NewMemory()
	var lag []Ref
	pass := func() {
		next, _ := m.Reserve(64<<10 - len(lag)%100)
		if lag = append(lag, next); len(lag) > 8 {
			m.Release(lag[0])
			lag = lag[1:]
		}
	}
	for range 100 {
		pass()
	}
	if n := testing.AllocsPerRun(1000, pass); n > 0.5 { // what lag itself takes is less
		t.Fatalf("%v allocations for each record", n)
	}
}

func TestMemoryDoesNotGrowWhileLargeRecordsPassASmallOne(t *testing.T) {
	m := NewMemory()
	m.Reserve(10)
	last, _ := m.Reserve(32 << 10)
	for range 10_000 {
		next, _ := m.Reserve(32 << 10)
		m.Release(last)
		last = next
	}
	if _, held := m.Waste(); len(m.slabs) > 4 || held > 128<<10 {
		t.Fatalf("%d slabs hold %d bytes", len(m.slabs), held)
	}
}

func TestMemoryTakesFewerAndLargerSlabsAsItFills(t *testing.T) {
	m := NewMemory()
	for range 1 << 20 {
		m.Reserve(64)
	}
	if n := len(m.slabs); n > 300 {
		t.Fatalf("64 MiB lie in %d slabs", n)
	}
	if waste, held := m.Waste(); waste > held/100 {
		t.Fatalf("%d of %d bytes are waste", waste, held)
	}
}
