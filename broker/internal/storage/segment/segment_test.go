package segment_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

const (
	dir    = "."
	number = 7
)

// put is a record as it was given to a writer: elsewhere means that it was given by its place, which for payloads of this
// file is that of an earlier record.
type put struct {
	seq       uint64
	deadline  int64
	transient bool
	elsewhere bool
	at        segment.Location
	payload   []byte // nil for what lies in another file
}

// run is an extent as it was given to a writer.
type run struct {
	stream uint64
	puts   []put
}

func seal(payload []byte) []byte {
	b, room := block.Reserve(nil, len(payload))
	copy(room, payload)
	block.Seal(b)
	return b
}

// pattern is a payload of n bytes that no other seed has.
func pattern(seed uint64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(uint64(i)*(seed|1) + seed>>3)
	}
	if n >= 8 {
		binary.LittleEndian.PutUint64(b, seed)
	}
	return b
}

// fill writes runs, and sets the places of those payloads that this file got.
func fill(w *segment.Writer, runs []run) error {
	for _, r := range runs {
		if err := w.Stream(r.stream); err != nil {
			return err
		}
		for i := range r.puts {
			p := &r.puts[i]
			rec := segment.Record{Seq: p.seq, Deadline: p.deadline, Transient: p.transient, At: p.at}
			if !p.elsewhere {
				rec.Block = seal(p.payload)
			}
			if err := w.Add(rec); err != nil {
				return err
			}
			p.at = w.Last()
		}
	}
	return nil
}

func write(t testing.TB, fs vfs.FS, runs []run) *segment.Segment {
	t.Helper()
	w, err := segment.Create(fs, dir, number)
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(w, runs); err != nil {
		t.Fatal(err)
	}
	s, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// same says in what a record differs from what was put, or "".
func same(p put, r *segment.Record, head bool) string {
	switch {
	case r.Seq != p.seq, r.Deadline != p.deadline, r.Transient != p.transient, r.At != p.at:
		return fmt.Sprintf("%+v was put as %+v", r, p)
	case head || p.payload == nil:
		if r.Block != nil {
			return fmt.Sprintf("record %d has a payload", p.seq)
		}
		return ""
	}
	payload, err := block.Open(r.Block)
	if err != nil || !bytes.Equal(payload, p.payload) || len(r.Block) != block.Size(len(payload)) {
		return fmt.Sprintf("the payload of record %d is not what was put", p.seq)
	}
	return ""
}

// drawRuns draws what a segment may hold: small and large payloads, streams without records, streams with several extents,
// payloads that lie behind earlier records and in other files.
func drawRuns(t *rapid.T) []run {
	type shareable struct {
		run, put int
	}
	var runs []run
	var shared []shareable
	sizes := rapid.SampledFrom([]int{0, 1, 7, 8, 9, 100, 100, 100, 1000, 5000, 20_000, 64 << 10, 300_000})
	seq, stream := uint64(0), rapid.SampledFrom([]uint64{0, 1, 1 << 40}).Draw(t, "first stream")
	for e := range rapid.IntRange(0, 6).Draw(t, "extents") {
		if e > 0 && rapid.IntRange(0, 3).Draw(t, "again") > 0 {
			stream += rapid.SampledFrom([]uint64{1, 2, 1 << 30}).Draw(t, "step")
			seq = 0
		}
		r := run{stream: stream}
		size := sizes.Draw(t, "size")
		for i := range rapid.IntRange(0, 40).Draw(t, "records") {
			seq += rapid.SampledFrom([]uint64{1, 1, 1, 2, 1000, 1 << 35}).Draw(t, "gap")
			p := put{seq: seq}
			p.transient = rapid.Bool().Draw(t, "transient")
			if rapid.Bool().Draw(t, "due") {
				p.deadline = rapid.Int64().Draw(t, "deadline")
			}
			switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
			case kind == 0:
				p.elsewhere = true
				p.at = segment.Location{File: rapid.Uint64Range(1, 6).Draw(t, "file"), Offset: rapid.Int64Range(0, 1<<40).Draw(t, "at"), Len: rapid.Uint32Range(0, 1<<20).Draw(t, "len")}
			case kind == 1 && len(shared) > 0:
				from := rapid.SampledFrom(shared).Draw(t, "shared")
				p.elsewhere = true
				p.payload = slices.Concat(runs, []run{r})[from.run].puts[from.put].payload
				p.at = segment.Location{File: number, Offset: int64(from.run), Len: uint32(from.put)} // until it is known
			default:
				p.payload = pattern(stream<<20+seq, size)
				shared = append(shared, shareable{e, i})
			}
			r.puts = append(r.puts, p)
		}
		runs = append(runs, r)
	}
	return runs
}

// fillDrawn is fill for drawn runs, in which payloads of this file are pointed to by run and index.
func fillDrawn(w *segment.Writer, runs []run) error {
	for e, r := range runs {
		if err := w.Stream(r.stream); err != nil {
			return err
		}
		for i := range r.puts {
			p := &runs[e].puts[i]
			rec := segment.Record{Seq: p.seq, Deadline: p.deadline, Transient: p.transient}
			switch {
			case p.elsewhere && p.at.File == number:
				rec.At = runs[p.at.Offset].puts[p.at.Len].at
			case p.elsewhere:
				rec.At = p.at
			default:
				rec.Block = seal(p.payload)
			}
			if err := w.Add(rec); err != nil {
				return err
			}
			p.at = w.Last()
		}
	}
	return nil
}

// summary is what the table should say about a run.
func summary(r run) (e segment.Extent, refs []segment.Ref) {
	e = segment.Extent{Stream: r.stream, First: r.puts[0].seq, Last: r.puts[len(r.puts)-1].seq, Count: uint32(len(r.puts))}
	for _, p := range r.puts {
		e.Payload += int64(p.at.Len)
		if p.transient {
			e.Transients++
		}
		if p.deadline != 0 && (e.MinDeadline == 0 || p.deadline < e.MinDeadline) {
			e.MinDeadline = p.deadline
		}
		if p.at.File != number {
			i := slices.IndexFunc(refs, func(r segment.Ref) bool { return r.File == p.at.File })
			if i < 0 {
				i, refs = len(refs), append(refs, segment.Ref{File: p.at.File})
			}
			refs[i].Count++
			refs[i].Bytes += int64(p.at.Len)
		}
	}
	slices.SortFunc(refs, func(a, b segment.Ref) int { return cmp.Compare(a.File, b.File) })
	return e, refs
}

func TestWhatIsWrittenIsReadBackFromAnyNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMemory()
		w, err := segment.Create(fs, dir, number)
		if err != nil {
			t.Fatal(err)
		}
		runs := drawRuns(t)
		if err := fillDrawn(w, runs); err != nil {
			t.Fatal(err)
		}
		s, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		runs = slices.DeleteFunc(runs, func(r run) bool { return len(r.puts) == 0 })
		if len(s.Extents()) != len(runs) {
			t.Fatalf("%d extents of %d", len(s.Extents()), len(runs))
		}
		var files []uint64
		for e, r := range runs {
			want, refs := summary(r)
			got := s.Extents()[e]
			want.Offset, want.Length = got.Offset, got.Length
			if got != want || !slices.Equal(s.Refs(e), refs) {
				t.Fatalf("extent %d is %+v with %+v, not %+v with %+v", e, got, s.Refs(e), want, refs)
			}
			for _, ref := range refs {
				files = append(files, ref.File)
			}
		}
		slices.Sort(files)
		if !slices.Equal(s.Files(), slices.Compact(files)) {
			t.Fatalf("files %v, not %v", s.Files(), files)
		}

		var c segment.Cursor
		var rec segment.Record
		check := func(e int, from uint64, head bool) {
			next := c.Next
			if head {
				next = c.NextHead
			}
			c.Reset(s, e, from)
			for _, p := range runs[e].puts {
				if p.seq < from {
					continue
				}
				ok, err := next(&rec)
				if !ok || err != nil {
					t.Fatalf("record %d of extent %d from %d: %v, %v", p.seq, e, from, ok, err)
				}
				if differs := same(p, &rec, head); differs != "" {
					t.Fatal(differs)
				}
			}
			if ok, err := next(&rec); ok || err != nil {
				t.Fatalf("behind the last of extent %d from %d: %v, %v", e, from, ok, err)
			}
		}
		for e, r := range runs {
			check(e, 0, false)
			check(e, 0, true)
			from := rapid.SampledFrom(r.puts).Draw(t, "from").seq + rapid.Uint64Range(0, 1).Draw(t, "or behind")
			check(e, from, rapid.Bool().Draw(t, "head"))
			if rapid.Bool().Draw(t, "drop") {
				s.DropIndexes()
			}
			p := rapid.SampledFrom(r.puts).Draw(t, "block")
			b, err := s.Block(p.at, nil)
			if p.at.File != number {
				if err == nil {
					t.Fatal("a block of another file was found")
				}
			} else if payload, _ := block.Open(b); err != nil || !bytes.Equal(payload, p.payload) {
				t.Fatalf("block %+v: %v", p.at, err)
			}
		}
		if err := s.Verify(nil); err != nil {
			t.Fatal(err)
		}
		if err := compareSalvage(fs, runs); err != nil {
			t.Fatal(err)
		}
	})
}

// compareSalvage says in what the salvage of a whole segment differs from what was put.
func compareSalvage(fs vfs.FS, runs []run) error {
	type told struct {
		stream uint64
		put
	}
	var want []told
	for _, r := range runs {
		for _, p := range r.puts {
			want = append(want, told{r.stream, p})
		}
	}
	skipped := ""
	err := segment.Salvage(fs, dir, number, segment.Salvaging{
		Record: func(stream uint64, r *segment.Record) error {
			if len(want) == 0 || want[0].stream != stream {
				return fmt.Errorf("record %d of stream %d was not put here", r.Seq, stream)
			}
			if differs := same(want[0].put, r, false); differs != "" {
				return errors.New(differs)
			}
			want = want[1:]
			return nil
		},
		Skipped: func(from, to int64, why string) { skipped = fmt.Sprintf("[%d,%d) was skipped: %s", from, to, why) },
	})
	switch {
	case err != nil:
		return err
	case skipped != "":
		return errors.New(skipped)
	case len(want) > 0:
		return fmt.Errorf("%d records were not salvaged", len(want))
	}
	return nil
}

func TestAStreamWithoutRecordsLeavesNoExtent(t *testing.T) {
	fs := vfs.NewMemory()
	s := write(t, fs, []run{{stream: 1}, {stream: 2}})
	if len(s.Extents()) != 0 || s.Verify(nil) != nil {
		t.Fatalf("%v", s.Extents())
	}
	again, err := segment.Open(fs, dir, number)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestTheZeroCursorHasNoRecords(t *testing.T) {
	var c segment.Cursor
	if ok, err := c.Next(new(segment.Record)); ok || err != nil {
		t.Fatal(ok, err)
	}
}

func TestWhatIsOutOfOrderIsRefusedAndEndsTheWriter(t *testing.T) {
	one := seal([]byte("one"))
	for name, misuse := range map[string]func(w *segment.Writer) error{
		"a record of no stream": func(w *segment.Writer) error { return w.Add(segment.Record{Seq: 1, Block: one}) },
		"number 0": func(w *segment.Writer) error {
			return errors.Join(w.Stream(1), w.Add(segment.Record{Seq: 0, Block: one}))
		},
		"the same number again": func(w *segment.Writer) error {
			return errors.Join(w.Stream(1), w.Add(segment.Record{Seq: 2, Block: one}), w.Add(segment.Record{Seq: 2, Block: one}))
		},
		"a lower number in a further extent": func(w *segment.Writer) error {
			return errors.Join(w.Stream(1), w.Add(segment.Record{Seq: 2, Block: one}), w.Stream(1), w.Add(segment.Record{Seq: 1, Block: one}))
		},
		"a lower stream": func(w *segment.Writer) error {
			return errors.Join(w.Stream(2), w.Add(segment.Record{Seq: 2, Block: one}), w.Stream(1))
		},
		"a block that is longer than it says": func(w *segment.Writer) error {
			return errors.Join(w.Stream(1), w.Add(segment.Record{Seq: 1, Block: append(slices.Clone(one), 0)}))
		},
		"no payload": func(w *segment.Writer) error { return errors.Join(w.Stream(1), w.Add(segment.Record{Seq: 1})) },
		"a payload of this file that is not there yet": func(w *segment.Writer) error {
			at := segment.Location{File: number, Offset: 40, Len: 1}
			return errors.Join(w.Stream(1), w.Add(segment.Record{Seq: 1, At: at}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMemory()
			w, err := segment.Create(fs, dir, number)
			if err != nil {
				t.Fatal(err)
			}
			if err := misuse(w); err == nil {
				t.Fatal("it was taken")
			}
			if _, err := w.Finish(); err == nil {
				t.Fatal("it was finished")
			}
			if names, _ := fs.List(dir); len(names) > 0 || len(fs.OpenFiles()) > 0 {
				t.Fatalf("left: %v, open: %v", names, fs.OpenFiles())
			}
		})
	}
}

func TestAWriterThatIsDoneTakesNothing(t *testing.T) {
	fs := vfs.NewMemory()
	w, err := segment.Create(fs, dir, number)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w.Abort()
	if err := w.Stream(1); err == nil {
		t.Fatal("a stream was begun")
	}
	if _, err := w.Finish(); err == nil {
		t.Fatal("it was finished twice")
	}
	if _, err := segment.Open(fs, dir, number); err != nil {
		t.Fatalf("the segment is gone: %v", err)
	}
}

// deep is one stream of n records, of 100 bytes each.
func deep(n int) []run {
	r := run{stream: 3}
	for i := range n {
		r.puts = append(r.puts, put{seq: uint64(2*i + 1), payload: pattern(uint64(i), 100)})
	}
	return []run{r}
}

func TestACursorAllocatesNothingPerRecord(t *testing.T) {
	fs := vfs.NewMemory()
	s := write(t, fs, append([]run{{stream: 1, puts: []put{{seq: 1, payload: []byte("x")}}}}, deep(20_000)...))
	var c segment.Cursor
	var rec segment.Record
	readAll := func() {
		for e := range s.Extents() {
			c.Reset(s, e, 0)
			for {
				ok, err := c.Next(&rec)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
			}
		}
	}
	readAll()
	if n := testing.AllocsPerRun(3, readAll); n > 0 {
		t.Fatalf("%v allocations for 20,000 records", n)
	}
}

func TestSeekingReadsNoMoreThanANeighbourhood(t *testing.T) {
	memory := vfs.NewMemory()
	runs := deep(50_000)
	write(t, memory, runs)
	read := 0
	fs := vfs.Inject(memory, func(op vfs.Op) error {
		if op.Kind == vfs.OpReadAt {
			read += op.Len
		}
		return nil
	})
	s, err := segment.Open(fs, dir, number)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, p := range []put{runs[0].puts[0], runs[0].puts[777], runs[0].puts[25_000], runs[0].puts[49_999]} {
		read = 0
		var rec segment.Record
		if ok, err := s.Cursor(0, p.seq).Next(&rec); !ok || err != nil || rec.Seq != p.seq {
			t.Fatal(ok, err, rec.Seq)
		}
		if read > 256<<10 {
			t.Fatalf("%d bytes were read for record %d", read, p.seq)
		}
	}
}

func TestASmallExtentIsOneRead(t *testing.T) {
	memory := vfs.NewMemory()
	write(t, memory, deep(300))
	reads := 0
	fs := vfs.Inject(memory, func(op vfs.Op) error {
		if op.Kind == vfs.OpReadAt {
			reads++
		}
		return nil
	})
	s, err := segment.Open(fs, dir, number)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	reads = 0
	c := s.Cursor(0, 0)
	for rec := new(segment.Record); ; {
		if ok, err := c.Next(rec); err != nil {
			t.Fatal(err)
		} else if !ok {
			break
		}
	}
	if reads != 1 {
		t.Fatalf("%d reads", reads)
	}
}

func TestHeadsOfLargeRecordsAreReadWithoutTheirPayloads(t *testing.T) {
	memory := vfs.NewMemory()
	r := run{stream: 1}
	for i := range 20 {
		r.puts = append(r.puts, put{seq: uint64(i + 1), payload: pattern(uint64(i), 1<<20)})
	}
	write(t, memory, []run{r})
	read := 0
	fs := vfs.Inject(memory, func(op vfs.Op) error {
		if op.Kind == vfs.OpReadAt {
			read += op.Len
		}
		return nil
	})
	s, err := segment.Open(fs, dir, number)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := s.Cursor(0, 0)
	for _, p := range r.puts {
		var rec segment.Record
		if ok, err := c.NextHead(&rec); !ok || err != nil || rec.Seq != p.seq {
			t.Fatal(ok, err, rec.Seq)
		}
	}
	if read > 1<<20 {
		t.Fatalf("%d bytes were read of 20 heads", read)
	}
}

func TestManyGoroutinesReadOneSegment(t *testing.T) {
	runs := deep(5_000)
	s := write(t, vfs.NewMemory(), runs)
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 0))
			var c segment.Cursor
			var rec segment.Record
			for range 200 {
				p := runs[0].puts[rnd.IntN(len(runs[0].puts))]
				c.Reset(s, 0, p.seq)
				if ok, err := c.Next(&rec); !ok || err != nil || same(p, &rec, false) != "" {
					t.Errorf("record %d: %v, %v", p.seq, ok, err)
					return
				}
				s.DropIndexes()
			}
		})
	}
	wg.Wait()
}

func TestVerifyTellsHowFarItIs(t *testing.T) {
	s := write(t, vfs.NewMemory(), deep(40_000))
	var last int64
	calls := 0
	if err := s.Verify(func(done, total int64) {
		if done <= last || total != s.Size() {
			t.Fatalf("%d of %d after %d", done, total, last)
		}
		last = done
		calls++
	}); err != nil {
		t.Fatal(err)
	}
	if last != s.Size() || calls < 4 {
		t.Fatalf("%d calls up to %d of %d", calls, last, s.Size())
	}
}

func TestASegmentOfAnotherNumberIsDamage(t *testing.T) {
	fs := vfs.NewMemory()
	write(t, fs, deep(1))
	if err := fs.Rename(segment.Name(number), segment.Name(8)); err != nil {
		t.Fatal(err)
	}
	_, err := segment.Open(fs, dir, 8)
	var damage *storage.DamageError
	if !errors.As(err, &damage) || damage.File != segment.Name(8) {
		t.Fatal(err)
	}
}

func TestNamesAreReadBackAsNumbers(t *testing.T) {
	for _, n := range []uint64{0, 1, 123456, 1234567, 1<<64 - 1} {
		if got, ok := segment.Number(segment.Name(n)); !ok || got != n {
			t.Errorf("%s is %d, %v", segment.Name(n), got, ok)
		}
	}
	for _, name := range []string{"", ".segment", "1.segment", "+00001.segment", "000001.journal", "000001.segment.tmp", filepath.Join("x", segment.Name(1))} {
		if n, ok := segment.Number(name); ok {
			t.Errorf("%q is %d", name, n)
		}
	}
}
