package segment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// medley has something of everything, in less than 1 KiB. No two payloads are of the same length: if a disk wrote one in the
// exact place of another, a record that has it by its Location could not tell, as Location says.
func medley() []run {
	return []run{
		{stream: 1, puts: []put{
			{seq: 1, payload: []byte("shared by two of the others")},
			{seq: 2, transient: true, payload: []byte{}},
			{seq: 300, deadline: 1 << 50, payload: []byte("in time")},
			{seq: 301, elsewhere: true, at: segment.Location{File: 3, Offset: 4096, Len: 70_000}},
		}},
		{stream: 1, puts: []put{
			{seq: 302, deadline: -5, payload: pattern(302, 30)},
			{seq: 303, payload: pattern(303, 20)},
			{seq: 304, transient: true, deadline: 9, payload: pattern(304, 21)},
		}},
		{stream: 2, puts: []put{{seq: 1, elsewhere: true, payload: []byte("shared by two of the others")}}},
		{stream: 1 << 33, puts: []put{
			{seq: 17, deadline: 2, elsewhere: true, payload: []byte("shared by two of the others")},
			{seq: 18, payload: pattern(18, 25)},
		}},
	}
}

// writeMedley writes medley and returns the file.
func writeMedley(t testing.TB) (runs []run, image []byte) {
	fs := vfs.NewMemory()
	w, err := segment.Create(fs, dir, number)
	if err != nil {
		t.Fatal(err)
	}
	runs = medley()
	for _, r := range runs {
		for i := range r.puts {
			if p := &r.puts[i]; p.elsewhere && p.payload != nil {
				p.at = runs[0].puts[0].at
			}
		}
		if err := fill(w, []run{r}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return runs, slurp(t, fs)
}

func slurp(t testing.TB, fs vfs.FS) []byte {
	t.Helper()
	f, err := fs.Open(segment.Name(number))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// spread makes a file system with that one file.
func spread(t testing.TB, image []byte) *vfs.Memory {
	t.Helper()
	fs := vfs.NewMemory()
	f, err := fs.Create(segment.Name(number))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(image, 0); err != nil {
		t.Fatal(err)
	}
	return fs
}

func isDamage(err error) bool {
	var damage *storage.DamageError
	return errors.As(err, &damage) && damage.File == segment.Name(number) && damage.What != ""
}

// found finds what was put under a number.
func found(runs []run, stream, seq uint64) (put, bool) {
	for _, r := range runs {
		for _, p := range r.puts {
			if r.stream == stream && p.seq == seq {
				return p, true
			}
		}
	}
	return put{}, false
}

// readDamaged reads everything that can be read in every way. What is shown must be what was put, and what goes wrong
// must be told as damage. It returns whether Verify finds any.
func readDamaged(t testing.TB, fs vfs.FS, runs []run) (told bool) {
	t.Helper()
	s, err := segment.Open(fs, dir, number)
	if err != nil {
		if !isDamage(err) {
			t.Fatalf("opening: %v", err)
		}
		return true
	}
	defer s.Close()
	var c segment.Cursor
	var rec segment.Record
	for e, extent := range s.Extents() {
		for _, from := range []uint64{0, extent.First + (extent.Last-extent.First)/2} {
			for _, head := range []bool{false, true} {
				c.Reset(s, e, from)
				next := c.Next
				if head {
					next = c.NextHead
				}
				for {
					ok, err := next(&rec)
					if err != nil && !isDamage(err) {
						t.Fatalf("reading: %v", err)
					}
					told = told || err != nil
					if err != nil && rec.Seq != 0 {
						continue
					}
					if !ok {
						break
					}
					p, known := found(runs, extent.Stream, rec.Seq)
					if !known {
						t.Fatalf("record %d of stream %d was never put", rec.Seq, extent.Stream)
					}
					if differs := same(p, &rec, head); differs != "" {
						t.Fatal(differs)
					}
				}
			}
		}
	}
	for _, r := range runs {
		for _, p := range r.puts {
			if p.at.File != number {
				continue
			}
			b, err := s.Block(p.at, nil)
			if err == nil {
				err = errors.New("another payload")
				if payload, wrong := block.Open(b); wrong == nil && bytes.Equal(payload, p.payload) {
					err = nil
				}
			} else if isDamage(err) {
				told, err = true, nil
			}
			if err != nil {
				t.Fatalf("payload of record %d: %v", p.seq, err)
			}
		}
	}
	err = s.Verify(nil)
	if err != nil && !isDamage(err) {
		t.Fatalf("verifying: %v", err)
	}
	if told && err == nil {
		t.Fatal("there is damage that Verify does not find")
	}
	return err != nil
}

// bytesOf is a part of the file that belongs to a record.
type bytesOf struct{ from, to int64 }

// layout returns where each record lies, and its payload if it lies in the file too.
func layout(runs []run) map[*put][]bytesOf {
	ranges := map[*put][]bytesOf{}
	at := int64(40)
	for _, r := range runs {
		at += 16
		for i := range r.puts {
			p := &r.puts[i]
			from := at
			at += 16
			if p.deadline != 0 {
				at += 8
			}
			if p.elsewhere {
				at += 20
			} else {
				at += int64(block.Size(len(p.payload)))
			}
			ranges[p] = []bytesOf{{from, at}}
			if p.elsewhere && p.at.File == number {
				ranges[p] = append(ranges[p], bytesOf{p.at.Offset, p.at.Offset + int64(block.Size(len(p.payload)))})
			}
		}
	}
	return ranges
}

// salvageDamaged salvages a file in which only [from, to) was damaged. Everything else must come out.
func salvageDamaged(t testing.TB, fs vfs.FS, runs []run, from, to int64) {
	t.Helper()
	got := map[[2]uint64]bool{}
	lost := false
	err := segment.Salvage(fs, dir, number, segment.Salvaging{
		Record: func(stream uint64, r *segment.Record) error {
			p, known := found(runs, stream, r.Seq)
			if !known {
				t.Fatalf("record %d of stream %d was never put", r.Seq, stream)
			}
			if differs := same(p, r, false); differs != "" {
				t.Fatal(differs)
			}
			if got[[2]uint64{stream, r.Seq}] {
				t.Fatalf("record %d of stream %d came twice", r.Seq, stream)
			}
			got[[2]uint64{stream, r.Seq}] = true
			return nil
		},
		Skipped: func(int64, int64, string) { lost = true },
	})
	if err != nil {
		t.Fatalf("[%d,%d): salvaging: %v", from, to, err)
	}
	ranges := layout(runs)
	for _, r := range runs {
		for i := range r.puts {
			p := &r.puts[i]
			hit := slices.ContainsFunc(ranges[p], func(b bytesOf) bool { return b.from < to && from < b.to })
			switch kept := got[[2]uint64{r.stream, p.seq}]; {
			case !kept && !hit:
				t.Fatalf("[%d,%d): record %d of stream %d is whole and was not salvaged", from, to, p.seq, r.stream)
			case !kept && !lost:
				t.Fatalf("[%d,%d): record %d of stream %d is lost and nobody says so", from, to, p.seq, r.stream)
			}
		}
	}
}

func TestTheLayoutIsWhatIsDrawn(t *testing.T) {
	runs, image := writeMedley(t)
	end := int64(0)
	for _, ranges := range layout(runs) {
		end = max(end, ranges[0].to)
	}
	if indexes := int64(binary.LittleEndian.Uint64(image[len(image)-64+24:])); indexes != end {
		t.Fatalf("records end at %d, not at %d", indexes, end)
	}
	if readDamaged(t, spread(t, image), runs) {
		t.Fatal("a file that is not damaged is said to be")
	}
}

func TestEveryBitThatFlipsIsFoundAndHidesNothingElse(t *testing.T) {
	runs, image := writeMedley(t)
	fs := spread(t, image)
	for bit := range int64(len(image)) * 8 {
		if err := fs.Flip(segment.Name(number), bit); err != nil {
			t.Fatal(err)
		}
		if !readDamaged(t, fs, runs) {
			t.Fatalf("bit %d of byte %d was not missed", bit%8, bit/8)
		}
		salvageDamaged(t, fs, runs, bit/8, bit/8+1)
		if err := fs.Flip(segment.Name(number), bit); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryBitOfAnIndexThatFlipsIsFoundAndLosesNothing(t *testing.T) {
	memory := vfs.NewMemory()
	runs := deep(2_000)
	write(t, memory, runs)
	image := slurp(t, memory)
	indexes := binary.LittleEndian.Uint64(image[len(image)-64+24:])
	table := binary.LittleEndian.Uint64(image[len(image)-64+32:])
	if table-indexes < 10 {
		t.Fatal("there is no index")
	}
	for bit := int64(indexes) * 8; bit < int64(table)*8; bit++ {
		if err := memory.Flip(segment.Name(number), bit); err != nil {
			t.Fatal(err)
		}
		s, err := segment.Open(memory, dir, number)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := s.Cursor(0, 0).Next(new(segment.Record)); !ok || err != nil {
			t.Fatalf("from the beginning: %v, %v", ok, err)
		}
		if ok, err := s.Cursor(0, 3_000).Next(new(segment.Record)); ok || !isDamage(err) {
			t.Fatalf("from the middle: %v, %v", ok, err)
		}
		if err := s.Verify(nil); !isDamage(err) {
			t.Fatal(err)
		}
		s.Close()
		if err := memory.Flip(segment.Name(number), bit); err != nil {
			t.Fatal(err)
		}
	}
	memory.Flip(segment.Name(number), int64(indexes)*8)
	salvageDamaged(t, memory, runs, int64(indexes), int64(table))
}

func TestEveryTruncationIsFoundAndHidesNothingBeforeIt(t *testing.T) {
	runs, image := writeMedley(t)
	for n := range int64(len(image)) {
		fs := spread(t, image[:n])
		if !readDamaged(t, fs, runs) {
			t.Fatalf("%d bytes of %d are taken for a whole file", n, len(image))
		}
		if n >= 40 {
			salvageDamaged(t, fs, runs, n, int64(len(image)))
		} else if err := segment.Salvage(fs, dir, number, segment.Salvaging{}); !isDamage(err) {
			t.Fatalf("salvaging %d bytes: %v", n, err)
		}
	}
}

func TestWhateverIsWrittenOverAFileIsFoundAndHidesNothingElse(t *testing.T) {
	runs, image := writeMedley(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3_000 {
		damaged := slices.Clone(image)
		from := rnd.IntN(len(image))
		to := from + 1 + rnd.IntN(min(len(image)-from, 1+rnd.IntN(200)))
		switch rnd.IntN(4) {
		case 0:
			clear(damaged[from:to])
		case 1: // a part of the same file
			copy(damaged[from:to], image[rnd.IntN(len(image)):])
		case 2: // text that looks like the beginnings of things
			copy(damaged[from:to], strings.Repeat("\x00REC\x00EXTREC", 20))
		default:
			for i := range damaged[from:to] {
				damaged[from+i] = byte(rnd.Uint32())
			}
		}
		fs := spread(t, damaged)
		if found, changed := readDamaged(t, fs, runs), !bytes.Equal(damaged, image); found != changed {
			t.Fatalf("[%d,%d): changed %v, found %v", from, to, changed, found)
		}
		if header, footer := 40, len(image)-64; from >= header || to <= footer {
			salvageDamaged(t, fs, runs, int64(from), int64(to))
		}
	}
}

func TestBytesBehindTheFooterAreDamage(t *testing.T) {
	runs, image := writeMedley(t)
	if !readDamaged(t, spread(t, append(image, 0)), runs) {
		t.Fatal("they were not missed")
	}
}

func TestARecordBehindADamagedPayloadIsRead(t *testing.T) {
	runs, image := writeMedley(t)
	damaged := runs[1].puts[1]
	image[damaged.at.Offset+block.Header] ^= 1
	s, err := segment.Open(spread(t, image), dir, number)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := s.Cursor(1, 303)
	var rec segment.Record
	if ok, err := c.Next(&rec); ok || !isDamage(err) || rec.Seq != 303 || rec.Block != nil {
		t.Fatalf("%v, %v, %+v", ok, err, rec)
	}
	for _, c := range []*segment.Cursor{c, s.Cursor(1, 304)} {
		if ok, err := c.Next(&rec); !ok || err != nil || rec.Seq != 304 {
			t.Fatalf("%v, %v, %+v", ok, err, rec)
		}
	}
}

func TestARecordThatIsDamagedEndsTheCursor(t *testing.T) {
	runs, image := writeMedley(t)
	image[layout(runs)[&runs[1].puts[1]][0].from+9] ^= 1
	s, err := segment.Open(spread(t, image), dir, number)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := s.Cursor(1, 0)
	var rec segment.Record
	if ok, err := c.Next(&rec); !ok || err != nil || rec.Seq != 302 {
		t.Fatalf("%v, %v, %+v", ok, err, rec)
	}
	for range 3 {
		if ok, err := c.Next(&rec); ok || !isDamage(err) || rec.Seq != 0 {
			t.Fatalf("%v, %v, %+v", ok, err, rec)
		}
	}
}

func TestAFileThatShrinksWhileItIsOpenIsDamage(t *testing.T) {
	memory := vfs.NewMemory()
	runs := deep(20_000)
	s := write(t, memory, runs)
	f, err := memory.OpenReadWrite(segment.Name(number))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(s.Size() / 2); err != nil {
		t.Fatal(err)
	}
	c := s.Cursor(0, 0)
	for i := 0; ; i++ {
		ok, err := c.Next(new(segment.Record))
		if isDamage(err) {
			break
		}
		if !ok || err != nil || i > len(runs[0].puts) {
			t.Fatalf("after %d records: %v, %v", i, ok, err)
		}
	}
}

func TestAPlaceThatIsNoneIsRefusedWithoutRoomForIt(t *testing.T) {
	s := write(t, vfs.NewMemory(), deep(10))
	for _, at := range []segment.Location{
		{File: number, Offset: 0, Len: 10},
		{File: number, Offset: -1, Len: 10},
		{File: number, Offset: 1<<63 - 1, Len: 1<<32 - 1},
		{File: number, Offset: 64, Len: 1 << 30},
		{File: number, Offset: s.Size() - 20, Len: 10},
		{File: number, Offset: 57, Len: 10},
	} {
		if _, err := s.Block(at, nil); !isDamage(err) {
			t.Errorf("%+v: %v", at, err)
		}
	}
}

func TestANewerVersionIsRefusedByItsNumber(t *testing.T) {
	_, image := writeMedley(t)
	binary.LittleEndian.PutUint32(image[8:], 2)
	binary.LittleEndian.PutUint32(image[36:], block.Checksum(0, image[:36]))
	fs := spread(t, image)
	_, err := segment.Open(fs, dir, number)
	var newer *segment.VersionError
	if !errors.As(err, &newer) || newer.Version != 2 || newer.File != segment.Name(number) {
		t.Fatal(err)
	}
	if err := segment.Salvage(fs, dir, number, segment.Salvaging{}); !errors.As(err, &newer) {
		t.Fatalf("salvaging: %v", err)
	}
}

func TestSalvagePassesMuchThatIsNoRecord(t *testing.T) {
	memory := vfs.NewMemory()
	big := pattern(5, 3<<20)
	runs := []run{{stream: 1, puts: []put{
		{seq: 1, payload: []byte("before")}, {seq: 2, payload: big}, {seq: 3, payload: []byte("behind")},
	}}}
	write(t, memory, runs)
	for _, footer := range []bool{true, false} {
		image := slurp(t, memory)
		hit := layout(runs)[&runs[0].puts[1]][0].from
		image[hit+8] ^= 1
		if !footer {
			image[len(image)-1] ^= 1
		}
		salvageDamaged(t, spread(t, image), runs, hit, hit+1)
	}
}

func TestAnErrorOfTheCallerEndsSalvage(t *testing.T) {
	_, image := writeMedley(t)
	enough := errors.New("enough")
	calls := 0
	err := segment.Salvage(spread(t, image), dir, number, segment.Salvaging{Record: func(uint64, *segment.Record) error {
		calls++
		return enough
	}})
	if !errors.Is(err, enough) || calls != 1 {
		t.Fatal(err, calls)
	}
}
