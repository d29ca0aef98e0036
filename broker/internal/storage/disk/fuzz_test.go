package disk

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// someUnit is a unit with every kind of change.
func someUnit(t testing.TB) []byte {
	st, err := Open(Options{FS: vfs.NewMemory(), Dir: "data", Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	a, b, batch := st.NewStream(), st.NewStream(), st.NewBatch().(*batch)
	copy(batch.Message(7), "payload")
	batch.To(a, 1, 0, false)
	batch.To(b, 1<<40, -5, true)
	batch.Message(0)
	batch.To(a, 2, 99, false)
	batch.Returned(a, 1, 3)
	batch.Settle(a, 2)
	batch.Delivered(b, 7)
	batch.Truncate(b, 3, 1000)
	batch.Drop(b)
	batch.Put("key", []byte("value"))
	batch.Delete("key")
	batch.flushHeld()
	return slices.Clone(batch.unit)
}

func FuzzDecodeUnit(f *testing.F) {
	f.Add(someUnit(f))
	f.Fuzz(func(t *testing.T, unit []byte) {
		var c change
		for at := 0; at < len(unit); {
			next, err := decode(unit, at, &c)
			if err != nil {
				return
			}
			if next <= at || next > len(unit) {
				t.Fatalf("the change at %d of %d ends at %d", at, len(unit), next)
			}
			switch c.kind {
			case opMessage:
				if c.block+8+c.size > next {
					t.Fatalf("%+v", c)
				}
			case opTo:
				if c.at-c.back < 0 || c.from == 0 || next-at > maxTo {
					t.Fatalf("%+v", c)
				}
			}
			if c.from > c.to && c.kind != opDelivered {
				t.Fatalf("%+v", c)
			}
			at = next
		}
	})
}

func FuzzDecodeCheckpoint(f *testing.F) {
	fs := vfs.NewMemory()
	st, err := Open(Options{FS: fs, Dir: "data", JournalSize: 4 << 10, Manual: true})
	if err != nil {
		f.Fatal(err)
	}
	s := st.NewStream()
	b := st.NewBatch()
	for round := range uint64(3) {
		for seq := round*1000 + 1; seq < round*1000+600; seq++ {
			b.Message(3)
			b.To(s, seq, 0, false)
			if seq%2 == round%2 {
				b.Settle(s, seq)
			}
		}
		b.Returned(s, 5, 3)
		b.Delivered(s, 7)
		b.Settle(st.NewStream(), 9)
		b.Put("k", []byte("v"))
		b.Commit(true)
		if round < 2 {
			if err := st.Seal(); err != nil {
				f.Fatal(err)
			}
			if err := st.CopyOut(); err != nil {
				f.Fatal(err)
			}
			for seq := round*1000 + 1; seq < round*1000+600; seq += 3 {
				b.Settle(s, seq)
			}
			b.Commit(true)
		}
	}
	if err := st.Checkpoint(); err != nil {
		f.Fatal(err)
	}
	content, err := readFile(fs, "data", checkpointName)
	if err != nil {
		f.Fatal(err)
	}
	st.Close()
	f.Add(content[fileHead : len(content)-4])
	f.Add((&picture{}).encode([]byte{0})[fileHead:])
	f.Fuzz(func(t *testing.T, body []byte) {
		cp, err := decodePicture(body)
		if err != nil {
			return
		}
		for _, s := range cp.streams {
			for _, set := range []spans{s.early, s.journaled} {
				for i := 1; i < len(set); i++ {
					if set[i].from <= set[i-1].to {
						t.Fatalf("%v", set)
					}
				}
			}
			for _, p := range s.parts {
				// What a chunk does with them must be safe.
				n := p.dead.count(p.first, p.last+1)
				if g := p.dead.gap(p.first, p.last+1); (g.from == g.to) != (n == p.last+1-p.first) || g.from < p.first || g.to > p.last+1 {
					t.Fatalf("%d dead from %d to %d, the first run is %v", n, p.first, p.last, g)
				}
				if p.dead != nil {
					p.dead.add(p.first, p.first+min(p.last-p.first, 100)+1)
					p.dead.has(p.last)
				}
			}
		}
	})
}

func FuzzDecodeValues(f *testing.F) {
	f.Add(encodeValues(map[string][]byte{"a": []byte("1"), "": nil, "b/c": bytes.Repeat([]byte("x"), 300)}))
	f.Add(encodeValues(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		values := map[string][]byte{}
		if len(b) >= fileHead+4 {
			b = appendSum(b[: len(b)-4 : len(b)-4]) // past the checksum
		}
		if err := decodeValues(b, func(c *change) { values[string(c.key)] = c.value }); err != nil {
			return
		}
		again := map[string][]byte{}
		err := decodeValues(encodeValues(values), func(c *change) { again[string(c.key)] = c.value })
		if err != nil || !maps.EqualFunc(values, again, bytes.Equal) {
			t.Fatalf("%v, %q, %q", err, values, again)
		}
	})
}
