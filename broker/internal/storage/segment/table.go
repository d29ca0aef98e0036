package segment

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/warrenmq/warren/broker/internal/storage/block"
)

// Extent is a run of records of one stream.
type Extent struct {
	Stream      uint64
	First, Last uint64 // the numbers of its first and last record
	Count       uint32
	Transients  uint32 // how many of them are transient
	Offset      int64  // where it lies in the file
	Length      int64
	Payload     int64 // bytes of its payloads, wherever they lie
	MinDeadline int64 // 0 when no record has one
}

// Ref says how many records of an extent have their payloads in another file.
type Ref struct {
	File  uint64
	Count uint32
	Bytes int64 // of the payloads
}

// add counts a record in whose number is in order.
func (e *Extent) add(r *Record, payload uint32) {
	if e.Count == 0 {
		e.First = r.Seq
	}
	e.Last = r.Seq
	e.Count++
	e.Payload += int64(payload)
	if r.Transient {
		e.Transients++
	}
	if r.Deadline != 0 && (e.MinDeadline == 0 || r.Deadline < e.MinDeadline) {
		e.MinDeadline = r.Deadline
	}
}

// addRef counts in a payload that lies in another file.
func addRef(refs []Ref, at Location) []Ref {
	i, found := slices.BinarySearchFunc(refs, at.File, func(r Ref, file uint64) int { return cmp.Compare(r.File, file) })
	if !found {
		refs = slices.Insert(refs, i, Ref{File: at.File})
	}
	refs[i].Count++
	refs[i].Bytes += int64(at.Len)
	return refs
}

// The table has a row for each extent, of varints (as encoding/binary has them, signed where said):
//
//	stream, as the difference from the row before
//	first, the number of the first record
//	last, as the difference from first
//	how many numbers from first to last are missing
//	transients, length, payload
//	minDeadline, signed
//	the length of the extent's index, 0 where it has none
//	how many refs, and of each, in ascending order of files: file, count, bytes
//
// Offsets are not said: extents follow one another from the header on, and indexes follow one another behind them. The
// footer has the table's checksum, which starts from the file's seed.
const minRow = 10

// row is what the table says about an extent.
type row struct {
	Extent
	index int64 // bytes of its index
	refs  []Ref
}

func (r *row) append(dst []byte, before *Extent) []byte {
	dst = binary.AppendUvarint(dst, r.Stream-before.Stream)
	dst = binary.AppendUvarint(dst, r.First)
	dst = binary.AppendUvarint(dst, r.Last-r.First)
	dst = binary.AppendUvarint(dst, r.Last-r.First+1-uint64(r.Count))
	dst = binary.AppendUvarint(dst, uint64(r.Transients))
	dst = binary.AppendUvarint(dst, uint64(r.Length))
	dst = binary.AppendUvarint(dst, uint64(r.Payload))
	dst = binary.AppendVarint(dst, r.MinDeadline)
	dst = binary.AppendUvarint(dst, uint64(r.index))
	dst = binary.AppendUvarint(dst, uint64(len(r.refs)))
	for _, ref := range r.refs {
		dst = binary.AppendUvarint(dst, ref.File)
		dst = binary.AppendUvarint(dst, uint64(ref.Count))
		dst = binary.AppendUvarint(dst, uint64(ref.Bytes))
	}
	return dst
}

// table is the table of a file that is open.
type table struct {
	extents []Extent
	indexed []span // which extents have an index, and where it lies
	reffing []span // which extents have refs, and which of refs these are
	refs    []Ref
	files   []uint64
}

// span is something that few extents have: from and to say where it is.
type span struct {
	extent   int
	from, to int64
}

// find returns the span of an extent.
func find(spans []span, extent int) (from, to int64, ok bool) {
	i, ok := slices.BinarySearchFunc(spans, extent, func(s span, e int) int { return cmp.Compare(s.extent, e) })
	if !ok {
		return 0, 0, false
	}
	return spans[i].from, spans[i].to, true
}

var errTable = errors.New("the table of extents does not match its checksum")

// readTable reads the table that a footer tells of. The error is errTable, or one of reading.
func readTable(f *file, foot *footer) (*table, error) {
	in := &varints{f: f, at: foot.table, end: f.size - footerSize, sum: foot.seed()}
	most := uint64(in.end-in.at) / minRow
	if foot.extents > most {
		return nil, errTable
	}
	t := &table{extents: make([]Extent, 0, foot.extents)}
	last := &Extent{Offset: headerSize}
	index := foot.indexes
	var records uint64
	for e := range int(foot.extents) {
		r, err := in.row(last, e == 0, foot.number)
		if err != nil {
			return nil, err
		}
		if r.Length > foot.indexes-r.Offset || r.index > foot.table-index {
			return nil, errTable
		}
		t.extents = append(t.extents, r.Extent)
		last = &t.extents[e]
		records += uint64(r.Count)
		if r.index > 0 {
			t.indexed = append(t.indexed, span{e, index, index + r.index})
			index += r.index
		}
		if len(r.refs) > 0 {
			from := int64(len(t.refs))
			t.refs = append(t.refs, r.refs...)
			t.reffing = append(t.reffing, span{e, from, int64(len(t.refs))})
		}
	}
	if !in.done() || in.sum != foot.tableSum ||
		last.Offset+last.Length != foot.indexes || index != foot.table || records != foot.records {
		return nil, errTable
	}
	for _, ref := range t.refs {
		if i, found := slices.BinarySearch(t.files, ref.File); !found {
			t.files = slices.Insert(t.files, i, ref.File)
		}
	}
	return t, nil
}

// varints reads varints from a part of a file.
type varints struct {
	f       *file
	at, end int64 // what was not read yet
	sum     uint32
	buf     []byte // all of it
	b       []byte // what of buf was not taken yet
	refs    []Ref  // of the last row
}

func (v *varints) done() bool { return v.at == v.end && len(v.b) == 0 }

// fill sees to it that a varint is whole in b if there is one.
func (v *varints) fill() error {
	if len(v.b) >= binary.MaxVarintLen64 || v.at == v.end {
		return nil
	}
	if v.buf == nil {
		v.buf = make([]byte, min(v.end-v.at, indexSpacing))
	}
	kept := copy(v.buf, v.b)
	n := min(len(v.buf)-kept, int(min(v.end-v.at, indexSpacing)))
	v.b = v.buf[:kept+n]
	if err := v.f.readAt(v.b[kept:], v.at); err != nil {
		return err
	}
	v.sum = block.Checksum(v.sum, v.b[kept:])
	v.at += int64(n)
	return nil
}

func (v *varints) uvarint() (uint64, error) {
	if err := v.fill(); err != nil {
		return 0, err
	}
	x, n := binary.Uvarint(v.b)
	if n <= 0 {
		return 0, errTable
	}
	v.b = v.b[n:]
	return x, nil
}

// row reads a row. Everything that it says of itself is possible then.
func (v *varints) row(before *Extent, first bool, own uint64) (r row, err error) {
	var f [10]uint64
	for i := range f {
		if f[i], err = v.uvarint(); err != nil {
			return r, err
		}
	}
	stream, missing := before.Stream+f[0], f[3]
	r.Extent = Extent{
		Stream: stream, First: f[1], Last: f[1] + f[2],
		Count: uint32(f[2] + 1 - missing), Transients: uint32(f[4]),
		Offset: before.Offset + before.Length, Length: int64(f[5]), Payload: int64(f[6]),
		MinDeadline: unzigzag(f[7]),
	}
	r.index = int64(f[8])
	again := !first && f[0] == 0
	if stream < before.Stream || r.First == 0 || r.Last < r.First || again && r.First <= before.Last ||
		missing > f[2] || f[2]-missing >= math.MaxUint32 || f[4] > uint64(r.Count) ||
		r.Length < prefixSize+minRecord*int64(r.Count) || f[6] > maxPayload*uint64(r.Count) || r.index < 0 || f[9] > uint64(r.Count) {
		return r, errTable
	}
	v.refs = v.refs[:0]
	var file uint64
	for range f[9] {
		var g [3]uint64
		for i := range g {
			if g[i], err = v.uvarint(); err != nil {
				return r, err
			}
		}
		if g[0] <= file || g[0] == own || g[1] == 0 || g[1] > uint64(r.Count) || int64(g[2]) < 0 {
			return r, errTable
		}
		file = g[0]
		v.refs = append(v.refs, Ref{File: file, Count: uint32(g[1]), Bytes: int64(g[2])})
	}
	r.refs = v.refs
	return r, nil
}

// unzigzag is what binary.Varint does with what binary.Uvarint has read.
func unzigzag(x uint64) int64 { return int64(x>>1) ^ -int64(x&1) }
