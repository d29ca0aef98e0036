package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// fuzzed is the header of all files that are fuzzed: with a salt that is known, so that inputs mean the same every time.
var fuzzed = header{version: version, number: 7, salt: 0x5eed}

// spread makes a file system with that one file.
func spread(t testing.TB, image []byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMemory()
	f, err := fs.Create(Name(fuzzed.number))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(image, 0); err != nil {
		t.Fatal(err)
	}
	return fs
}

// image writes a file and returns it.
func image(t testing.TB, fill func(w *Writer)) []byte {
	t.Helper()
	fs := vfs.NewMemory()
	w, err := create(fs, ".", fuzzed)
	if err != nil {
		t.Fatal(err)
	}
	fill(w)
	s, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := make([]byte, s.Size())
	if err := s.file.readAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func sealed(payload string) []byte {
	b, room := block.Reserve(nil, len(payload))
	copy(room, payload)
	block.Seal(b)
	return b
}

// few is a file of a bit of everything.
func few(w *Writer) {
	w.Stream(1)
	w.Add(Record{Seq: 1, Block: sealed("shared")})
	shared := w.Last()
	w.Add(Record{Seq: 5, Deadline: 77, Transient: true, Block: sealed("")})
	w.Add(Record{Seq: 6, At: Location{File: 3, Offset: 100, Len: 1 << 20}})
	w.Stream(1)
	w.Add(Record{Seq: 7, Deadline: -1, At: shared})
	w.Stream(900)
	w.Add(Record{Seq: 1 << 40, At: shared})
	w.Add(Record{Seq: 1<<40 + 1, Block: sealed("the last one")})
}

// indexed is a file with an extent that has an index: its first record is long.
func indexed(w *Writer) {
	w.Stream(1)
	w.Add(Record{Seq: 1, Block: sealed(string(make([]byte, filler)))})
	for i := range uint64(5) {
		w.Add(Record{Seq: 3*i + 4, Block: sealed("short")})
	}
}

const filler = 70_000

// expected fails for errors that readers must not have.
func expected(t *testing.T, err error) {
	t.Helper()
	var damage *storage.DamageError
	var newer *VersionError
	if err != nil && !errors.As(err, &damage) && !errors.As(err, &newer) {
		t.Fatalf("neither damage nor a newer version: %v", err)
	}
}

// walk reads the records of a cursor, which must ascend from number from on.
func walk(t *testing.T, c *Cursor, from uint64, next func(*Record) (bool, error)) (seqs []uint64, whole bool) {
	t.Helper()
	var r Record
	last, whole := uint64(0), true
	for {
		ok, err := next(&r)
		expected(t, err)
		if r.Seq != 0 {
			if r.Seq <= last || r.Seq < from {
				t.Fatalf("record %d after %d, from %d", r.Seq, last, from)
			}
			last = r.Seq
		}
		switch {
		case ok && err == nil:
			seqs = append(seqs, r.Seq)
		case err != nil:
			if whole = false; r.Seq == 0 {
				return seqs, whole
			}
		default:
			return seqs, whole
		}
	}
}

// readAll reads a file in every way.
func readAll(t *testing.T, image []byte, from uint64) {
	fs := spread(t, image)
	told := map[string]bool{}
	skipped := false
	expected(t, Salvage(fs, ".", fuzzed.number, Salvaging{
		Record: func(stream uint64, r *Record) error {
			if r.Block != nil && !isBlock(r.Block) {
				t.Fatalf("record %d of stream %d has a payload that is none", r.Seq, stream)
			}
			if key := fmt.Sprint(stream, "/", r.Seq); told[key] {
				t.Fatalf("record %s came twice", key)
			} else {
				told[key] = true
			}
			return nil
		},
		Skipped: func(int64, int64, string) { skipped = true },
	}))
	s, err := Open(fs, ".", fuzzed.number)
	expected(t, err)
	if err != nil {
		return
	}
	defer s.Close()
	verified := s.Verify(nil)
	expected(t, verified)
	if verified == nil && skipped {
		t.Fatal("something was skipped of a file in which nothing is wrong")
	}
	for e := range s.Extents() {
		c := s.Cursor(e, 0)
		seqs, whole := walk(t, c, 0, c.Next)
		if verified == nil && !whole {
			t.Fatal("there is damage that Verify does not find")
		}
		c.Reset(s, e, 0)
		walk(t, c, 0, c.NextHead)
		c.Reset(s, e, from)
		later, _ := walk(t, c, from, c.Next)
		at, _ := slices.BinarySearch(seqs, from)
		if verified == nil && !slices.Equal(later, seqs[at:]) {
			t.Fatalf("from %d there are %v, of %v", from, later, seqs)
		}
		s.DropIndexes()
	}
}

// reseal makes the checksums of header, footer and table match, so that what is behind them is reached.
func reseal(image []byte) {
	if len(image) < headerSize+footerSize {
		return
	}
	copy(image, fuzzed.encode())
	var foot footer
	b := image[len(image)-footerSize:]
	copy(b, footerMagic)
	foot.decode(b, int64(len(image)))
	foot.header = fuzzed
	if end := int64(len(image) - footerSize); foot.table >= 0 && foot.table <= end {
		foot.tableSum = block.Checksum(fuzzed.seed(), image[foot.table:end])
	}
	copy(b, foot.encode())
}

func FuzzOpen(f *testing.F) {
	for _, fill := range []func(*Writer){func(*Writer) {}, few} {
		f.Add(image(f, fill), uint64(4), true)
		f.Add(image(f, fill), uint64(6), false)
	}
	f.Fuzz(func(t *testing.T, image []byte, from uint64, sealed bool) {
		if image = slices.Clone(image); sealed {
			reseal(image)
		}
		readAll(t, image, from)
	})
}

// resealRecords makes the checksums of what can be taken for records match, and returns the row that they would have.
func resealRecords(b []byte, at int64, stream uint64) row {
	r := row{Extent: Extent{Stream: stream, Offset: at - prefixSize, Length: prefixSize + int64(len(b))}}
	seed := streamSeed(fuzzed.seed(), stream, nil)
	for len(b) >= minRecord {
		copy(b[5:], recordMagic)
		b[4] &= flagTransient | flagDeadline | flagElsewhere
		n := prefixSize
		if b[4]&flagDeadline != 0 {
			n += 8
		}
		if b[4]&flagElsewhere != 0 {
			n += placeSize
		} else {
			n += block.Header
		}
		if len(b) < n {
			break
		}
		if left := uint32(len(b) - n); b[4]&flagElsewhere == 0 && binary.LittleEndian.Uint32(b[n-4:]) <= left {
			block.Seal(b[n-block.Header:])
		}
		binary.LittleEndian.PutUint32(b, block.Checksum(placed(seed, at), b[4:n]))
		var h recordHead
		if !h.decode(b, placed(seed, at)) || h.size > int64(len(b)) {
			break
		}
		r.add(&Record{Seq: h.seq, Deadline: h.deadline, Transient: h.transient}, h.at.Len)
		if h.elsewhere && h.at.File != fuzzed.number {
			r.refs = addRef(r.refs, h.at)
		}
		b, at = b[h.size:], at+h.size
	}
	return r
}

// compose makes a file of one extent, with whatever records and index. If it is to be long its first record is that of
// indexed, so that inputs need not be.
func compose(records, index []byte, stream uint64, long bool) []byte {
	b := fuzzed.encode()
	b = appendExtent(b, placed(fuzzed.seed(), headerSize), stream)
	at := int64(len(b))
	if long {
		payload := sealed(string(make([]byte, filler)))
		b = appendRecord(b, 0, &Record{Seq: 1, Block: payload})
		b = append(b, payload[block.Header:]...)
	}
	b = append(b, records...)
	r := resealRecords(b[at:], at, stream)
	foot := footer{header: fuzzed, indexes: int64(len(b)), extents: 1, records: uint64(r.Count)}
	if len(index) > 0 {
		b = append(b, index...)
		b = binary.LittleEndian.AppendUint32(b, block.Checksum(streamSeed(fuzzed.seed(), stream, nil), index))
		r.index = int64(len(index) + 4)
	}
	foot.table = int64(len(b))
	b = r.append(b, new(Extent))
	foot.tableSum = block.Checksum(fuzzed.seed(), b[foot.table:])
	return append(b, foot.encode()...)
}

func FuzzCursor(f *testing.F) {
	for _, fill := range []func(*Writer){few, indexed} {
		b := image(f, fill)
		var foot footer
		foot.decode(b[len(b)-footerSize:], int64(len(b)))
		table, err := readTable(&file{File: open(f, b), size: int64(len(b))}, &foot)
		if err != nil {
			f.Fatal(err)
		}
		for e, extent := range table.extents {
			var index []byte
			if from, to, ok := find(table.indexed, e); ok {
				index = b[from : to-4]
			}
			records := b[extent.Offset+prefixSize : extent.Offset+extent.Length]
			if index != nil {
				records = records[minRecord+filler:]
			}
			f.Add(records, index, extent.Stream, extent.Last, index != nil)
		}
	}
	f.Fuzz(func(t *testing.T, records, index []byte, stream, from uint64, long bool) {
		readAll(t, compose(records, index, stream, long), from)
	})
}

func open(t testing.TB, image []byte) vfs.File {
	f, err := spread(t, image).Open(Name(fuzzed.number))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestComposedFilesAreLikeWrittenOnes(t *testing.T) {
	for name, fill := range map[string]func(*Writer){
		"few": func(w *Writer) {
			w.Stream(4)
			w.Add(Record{Seq: 3, Deadline: 1, Block: sealed("x")})
			w.Add(Record{Seq: 9, Transient: true, At: Location{File: 2, Offset: 5, Len: 6}})
		},
		"indexed": indexed,
	} {
		t.Run(name, func(t *testing.T) {
			written := image(t, fill)
			var foot footer
			foot.decode(written[len(written)-footerSize:], int64(len(written)))
			var index []byte
			if foot.table > foot.indexes {
				index = written[foot.indexes : foot.table-4]
			}
			records := written[headerSize+prefixSize : foot.indexes]
			if index != nil {
				records = records[minRecord+filler:]
			}
			stream, _ := decodeExtent(written[headerSize:], placed(fuzzed.seed(), headerSize))
			if composed := compose(records, index, stream, index != nil); !slices.Equal(composed, written) {
				t.Fatal("they differ")
			}
		})
	}
}
