package fsck

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/definitions"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// random does random things to a store, and returns the disk that it is left on: of a store that was closed, or of one that was killed.
func random(rt *rapid.T) *vfs.Memory {
	m := vfs.NewMemory()
	options := disk.Options{FS: m, Dir: testDir, Manual: true, JournalSize: 4 << 10}
	st, err := disk.Open(options)
	must(rt, err)
	ids := []uint64{}
	next := map[uint64]uint64{}
	b := st.NewBatch()
	vhost := definitions.VHost{Name: "/"}
	b.Put(vhost.Key(), vhost.AppendValue(nil))
	stream := func() storage.Stream {
		return st.Stream(rapid.SampledFrom(ids).Draw(rt, "stream"))
	}
	declare := func() {
		s := st.NewStream()
		q := definitions.Queue{VHost: "/", Name: fmt.Sprint("q", s.ID()), Durable: true, Stream: s.ID()}
		b.Put(q.Key(), q.AppendValue(nil))
		b.Delivered(s, 0) // so that the store knows it
		b.Commit(true)
		ids = append(ids, s.ID())
		next[s.ID()] = 1
	}
	declare()
	seq := func(s storage.Stream) uint64 {
		return uint64(rapid.IntRange(1, int(next[s.ID()])).Draw(rt, "seq"))
	}
	for range rapid.IntRange(1, 120).Draw(rt, "steps") {
		switch rapid.IntRange(0, 13).Draw(rt, "step") {
		case 0:
			if len(ids) < 4 {
				declare()
			}
		case 1, 2, 3, 4:
			size := rapid.SampledFrom([]int{0, 5, 300, 2000, 70 << 10}).Draw(rt, "size")
			rec := record(make([]byte, size))
			copy(b.Message(len(rec)), rec)
			for _, id := range ids {
				if id == ids[0] || rapid.Bool().Draw(rt, "fan-out") {
					b.To(st.Stream(id), next[id], int64(rapid.IntRange(0, 3).Draw(rt, "deadline")), rapid.IntRange(0, 9).Draw(rt, "transient") == 0)
					next[id]++
				}
			}
		case 5, 6:
			s := stream()
			b.Settle(s, seq(s))
		case 7:
			s := stream()
			from := seq(s)
			b.Truncate(s, from, from+uint64(rapid.IntRange(0, 9).Draw(rt, "n")))
			next[s.ID()] = max(next[s.ID()], from+10)
		case 8:
			s := stream()
			b.Returned(s, seq(s), uint16(rapid.IntRange(1, 5).Draw(rt, "deliveries")))
			b.Delivered(s, seq(s))
		case 9:
			must(rt, st.Seal())
		case 10:
			must(rt, st.CopyOut())
		case 11:
			must(rt, st.Compact())
		case 12:
			must(rt, st.Checkpoint())
		case 13:
			b.Commit(true)
			must(rt, st.Commit())
			if rapid.IntRange(0, 3).Draw(rt, "again") == 0 {
				must(rt, st.Close())
				st, err = disk.Open(options)
				must(rt, err)
				b = st.NewBatch()
			}
		}
		b.Commit(true)
	}
	must(rt, st.Commit())
	if rapid.Bool().Draw(rt, "closed") {
		must(rt, st.Close())
	}
	return m.Clone()
}

func TestWhatCheckSaysOfAStoreIsWhatTheStoreHas(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := random(rt)
		r, err := Check(t.Context(), testDir, &Options{fs: m})
		must(rt, err)
		if len(r.Problems) > 0 {
			rt.Fatalf("%+v", r.Problems)
		}
		st, err := disk.Open(disk.Options{FS: vfs.Shadow(m), Dir: testDir, Manual: true})
		must(rt, err)
		defer st.Close()
		said := map[uint64]int{}
		for _, q := range r.Queues {
			said[q.Stream] = q.Messages
		}
		for _, id := range st.Streams() {
			if n := st.Stream(id).Info().Records; n != said[id] {
				rt.Fatalf("stream %d has %d records, and Check says %d: %+v", id, n, said[id], r.Files)
			}
		}
	})
}

func TestAnythingThatIsDamagedIsRepairedAndWhatIsGoneIsSaid(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := random(rt)
		records, values := readAll(rt, m, testDir)
		// Of the end of the journal nobody can tell whether a crash has torn it.
		names, last := []string{}, ""
		for name := range sizes(rt, m, testDir) {
			if kindOf(name) == KindJournal {
				last = max(last, name)
			}
		}
		for name := range sizes(rt, m, testDir) {
			if name != lockName && name != last {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for range rapid.IntRange(1, 3).Draw(rt, "damages") {
			name := rapid.SampledFrom(names).Draw(rt, "file")
			path := filepath.Join(testDir, name)
			size, err := sizeOf(m, path)
			if err != nil || size == 0 {
				continue
			}
			at := int64(rapid.IntRange(0, int(size)-1).Draw(rt, "at"))
			switch rapid.IntRange(0, 5).Draw(rt, "damage") {
			case 0:
				must(rt, m.Remove(path))
			case 1:
				f, err := m.OpenReadWrite(path)
				must(rt, err)
				must(rt, f.Truncate(at))
				must(rt, f.Close())
			case 2:
				f, err := m.OpenReadWrite(path)
				must(rt, err)
				_, err = f.WriteAt(make([]byte, min(200, size-at)), at)
				must(rt, err)
				must(rt, f.Close())
			default:
				must(rt, m.Flip(path, 8*at+int64(rapid.IntRange(0, 7).Draw(rt, "bit"))))
			}
		}
		r, err := Check(t.Context(), testDir, &Options{fs: m})
		if err != nil && (strings.Contains(err.Error(), "version") || errors.As(err, new(*NotAFolderError))) {
			return
		}
		must(rt, err)
		if len(r.Problems) > 0 {
			checkRepaired(rt, m, records, values, false)
		}
		readAll(rt, m, testDir)
	})
}

func TestSetsOfNumbersAreWhatTheyAreMadeOf(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func() (numbers, map[uint64]bool) {
			var s numbers
			m := map[uint64]bool{}
			for range rapid.IntRange(0, 20).Draw(rt, "steps") {
				from := rapid.Uint64Range(0, 60).Draw(rt, "from")
				to := from + rapid.Uint64Range(0, 9).Draw(rt, "n")
				add := rapid.Bool().Draw(rt, "add")
				if add {
					s.add(from, to)
				} else {
					s.remove(from, to)
				}
				for n := from; n < to; n++ {
					m[n] = add
				}
			}
			return s, m
		}
		same := func(what string, s numbers, has func(uint64) bool) {
			count := 0
			for n := range uint64(80) {
				if s.has(n) != has(n) {
					rt.Fatalf("%s: %v has %d: %v", what, s, n, s.has(n))
				}
				if has(n) {
					count++
				}
			}
			if s.count() != count || len(s.first(1000)) != count {
				rt.Fatalf("%s: %v has %d, not %d", what, s, s.count(), count)
			}
			for i := 1; i < len(s); i++ {
				if s[i].From <= s[i-1].To || s[i].From >= s[i].To {
					rt.Fatalf("%s: %v", what, s)
				}
			}
		}
		a, inA := draw()
		b, inB := draw()
		same("a set", a, func(n uint64) bool { return inA[n] })
		same("without", a.without(b), func(n uint64) bool { return inA[n] && !inB[n] })
		from, to := rapid.Uint64Range(0, 70).Draw(rt, "from"), rapid.Uint64Range(0, 70).Draw(rt, "to")
		same("within", a.within(from, to), func(n uint64) bool { return inA[n] && n >= from && n < to })
	})
}
