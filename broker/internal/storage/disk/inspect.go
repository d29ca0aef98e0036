package disk

import (
	"encoding/binary"
	"errors"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// What follows is for programs that look into the files of a store, and repair them, while no Store has them: the contents of files as
// plain data.

// CheckpointName is the name of the checkpoint within the folder.
const CheckpointName = checkpointName

// MetaName returns the name of the file with the values of that number within the folder.
func MetaName(number uint64) string { return metaName(number) }

// MetaNumber returns the number of the file with the values of that name; ok is false for names of anything else.
func MetaNumber(name string) (number uint64, ok bool) { return metaNumber(name) }

// Span is the numbers from and including From, up to and excluding To.
type Span struct{ From, To uint64 }

// Mark says how often records of some numbers have been out.
type Mark struct {
	Span
	Deliveries uint16
}

// Part is a run of a stream's records in an extent of a segment.
type Part struct {
	Segment     int // which of Checkpoint.Segments
	Extent      int // which of its extents
	First, Last uint64
	Dead        []Span // those of the numbers from First to Last that are not alive
}

// StreamState is what a checkpoint says of a stream.
type StreamState struct {
	ID, Next, Delivered uint64
	Returned            []Mark
	Early               []Span // settled before they came
	Journaled           []Span // alive in files of the journal, before Checkpoint.At
	Parts               []Part // in segments, but for those extents that are alive as a whole
}

// SegmentState is what a checkpoint says of a segment.
type SegmentState struct {
	Number uint64
	Size   int64
	Unseen []Span // the extents in which nothing is alive
}

// Checkpoint is what a checkpoint says: how things were at one place of the journal.
type Checkpoint struct {
	LastFile   uint64         // the highest number of a file
	LastStream uint64         // the highest id of a stream
	Ticket     storage.Ticket // of the last unit before At
	At         journal.Pos
	Opened     uint64   // segments of lower numbers have no transient records alive
	Known      uint64   // files of the journal with higher numbers were begun later
	Meta       uint64   // the file with the values; 0: there are none
	Journals   []uint64 // the files of the journal that are needed, of those up to Known
	Segments   []SegmentState
	Dropped    []Span // ids of streams that were dropped of late
	Streams    []StreamState
}

// ReadCheckpoint reads the checkpoint of a folder. One that is not as it was written is a *storage.DamageError, one of a younger
// version a *VersionError.
func ReadCheckpoint(fs vfs.FS, dir string) (*Checkpoint, error) {
	b, err := readFile(fs, dir, checkpointName)
	if err != nil {
		return nil, err
	}
	c, err := decodeCheckpoint(b)
	if err != nil {
		return nil, damaged(checkpointName, err)
	}
	return c, nil
}

// Write makes c the checkpoint of a folder: durably, and as a whole or not at all.
func (c *Checkpoint) Write(fs vfs.FS, dir string) error {
	_, err := writeFile(fs, dir, checkpointName, c.encode())
	return err
}

// ReadValues reads the values of a file. Those of a file that is damaged are given with the error as far as they can be read.
func ReadValues(fs vfs.FS, dir string, number uint64) (map[string][]byte, error) {
	b, err := readFile(fs, dir, metaName(number))
	if err != nil {
		return nil, err
	}
	values := map[string][]byte{}
	set := func(c *change) { values[string(c.key)] = c.value }
	if err = decodeValues(b, set); err != nil {
		if errors.Is(err, errSum) && len(b) >= fileHead+4 {
			salvageValues(b[fileHead:len(b)-4], set)
		}
		return values, damaged(metaName(number), err)
	}
	return values, nil
}

// salvageValues calls set with the values of a body for as long as there is one, whatever the sum says.
func salvageValues(body []byte, set func(*change)) {
	d := decoder{b: body}
	for range d.count() {
		c := change{key: d.bytes(), value: d.bytes()}
		if d.bad {
			return
		}
		set(&c)
	}
}

// WriteValues writes values to the file of that number, durably, and returns how long it is.
func WriteValues(fs vfs.FS, dir string, number uint64, values map[string][]byte) (int64, error) {
	b := encodeValues(values)
	_, err := writeFile(fs, dir, metaName(number), b)
	return int64(len(b)), err
}

// Op is what a change of a unit does. The words are those of storage.Batch.
type Op string

// The kinds of changes.
const (
	OpTo        Op = "to"
	OpDelivered Op = "delivered"
	OpReturned  Op = "returned"
	OpSettle    Op = "settle"
	OpTruncate  Op = "truncate"
	OpDrop      Op = "drop"
	OpPut       Op = "put"
	OpDelete    Op = "delete"
)

var opNames = [...]Op{
	opTo: OpTo, opDelivered: OpDelivered, opReturned: OpReturned, opSettle: OpSettle, opTruncate: OpTruncate, opDrop: OpDrop,
	opPut: OpPut, opDelete: OpDelete,
}

// Change is one change of a unit. Which fields count is up to its kind.
type Change struct {
	Op         Op
	Offset     int // within the unit
	Stream     uint64
	From, To   uint64 // numbers: From and including From, up to and excluding To; of OpDelivered, up to and including From
	Deliveries uint16
	Deadline   int64
	Transient  bool
	BlockAt    int    // of OpTo: where in the unit the block with its payload begins
	Block      []byte // of OpTo: the block, a view of the unit
	Key, Value []byte // views of the unit
}

// Changes shows the changes of a unit of the journal, in order, until visit returns an error, which it then returns. ErrUnit says
// that the unit is none.
func Changes(unit []byte, visit func(*Change) error) error {
	type place struct{ at, end int }
	var last place // the block of the last message
	for at := 0; at < len(unit); {
		var c change
		next, err := decode(unit, at, &c)
		if err != nil {
			return ErrUnit
		}
		if c.kind == opMessage {
			last = place{c.block, next}
		} else {
			out := Change{
				Op: opNames[c.kind], Offset: at, Stream: c.stream, From: c.from, To: c.to, Deliveries: c.deliveries,
				Deadline: c.deadline, Transient: c.transient, Key: c.key, Value: c.value,
			}
			if c.kind == opTo {
				if out.BlockAt = at - c.back; out.BlockAt != last.at || last.end == 0 {
					return ErrUnit
				}
				out.Block = unit[last.at:last.end]
			}
			if err := visit(&out); err != nil {
				return err
			}
		}
		at = next
	}
	return nil
}

// ErrUnit is returned for bytes that are no unit of the journal of a store.
var ErrUnit = errUnit

func decodeCheckpoint(b []byte) (*Checkpoint, error) {
	body, err := checkFile(b, checkpointMagic, checkpointVersion)
	if err != nil {
		return nil, err
	}
	cp, err := decodePicture(body)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{
		LastFile: cp.lastFile, LastStream: cp.lastStream, Ticket: cp.ticket, At: cp.at, Opened: cp.opened, Known: cp.known, Meta: cp.meta,
		Journals: cp.journals, Dropped: shown(cp.dropped),
	}
	for _, s := range cp.segments {
		c.Segments = append(c.Segments, SegmentState{s.number, s.size, shown(s.unseen)})
	}
	for _, s := range cp.streams {
		state := StreamState{ID: s.id, Next: s.next, Delivered: s.delivered, Early: shown(s.early), Journaled: shown(s.journaled)}
		for _, m := range s.returned {
			state.Returned = append(state.Returned, Mark{Span{m.from, m.to}, m.deliveries})
		}
		for _, p := range s.parts {
			if p.segment >= len(c.Segments) {
				return nil, errBody
			}
			state.Parts = append(state.Parts, Part{p.segment, p.extent, p.first, p.last, shown(p.dead.listed(p.first, p.last+1))})
		}
		c.Streams = append(c.Streams, state)
	}
	return c, nil
}

// shown returns spans for others.
func shown(s spans) []Span {
	if len(s) == 0 {
		return nil
	}
	out := make([]Span, len(s))
	for i, r := range s {
		out[i] = Span{r.from, r.to}
	}
	return out
}

// listed returns the part of the set in [from, to).
func (h *holes) listed(from, to uint64) (s spans) {
	for n := from; n < to; {
		g := h.gap(n, to)
		s.add(n, g.from)
		n = g.to
	}
	return s
}

func (c *Checkpoint) encode() []byte {
	b := appendHead(nil, checkpointMagic, checkpointVersion)
	for _, n := range [...]uint64{
		c.LastFile, c.LastStream, uint64(c.Ticket), c.At.File, uint64(c.At.Offset), c.Opened, c.Known, c.Meta, uint64(len(c.Journals)),
	} {
		b = binary.AppendUvarint(b, n)
	}
	before := uint64(0)
	for _, n := range c.Journals {
		b = binary.AppendUvarint(b, n-before)
		before = n
	}
	b = binary.AppendUvarint(b, uint64(len(c.Segments)))
	for _, s := range c.Segments {
		b = binary.AppendUvarint(b, s.Number)
		b = binary.AppendUvarint(b, uint64(s.Size))
		b = appendSpans(b, plain(s.Unseen, 0))
	}
	b = appendSpans(b, plain(c.Dropped, 0))
	b = binary.AppendUvarint(b, uint64(len(c.Streams)))
	for i := range c.Streams {
		b = c.Streams[i].append(b)
	}
	return appendSum(b)
}

func (s *StreamState) append(b []byte) []byte {
	for _, n := range [...]uint64{s.ID, s.Next, s.Delivered} {
		b = binary.AppendUvarint(b, n)
	}
	marks := make([]mark, len(s.Returned))
	for i, m := range s.Returned {
		marks[i] = mark{span{m.From, m.To}, m.Deliveries}
	}
	b = appendMarks(b, marks)
	b = appendSpans(b, plain(s.Early, 0))
	b = appendSpans(b, plain(s.Journaled, 0))
	b = binary.AppendUvarint(b, uint64(len(s.Parts)))
	for _, p := range s.Parts {
		for _, n := range [...]uint64{uint64(p.Segment), uint64(p.Extent), p.First, p.Last - p.First, 0} {
			b = binary.AppendUvarint(b, n)
		}
		b = appendSpans(b, plain(p.Dead, p.First))
	}
	return b
}

// plain returns spans, less a number.
func plain(s []Span, less uint64) spans {
	out := make(spans, len(s))
	for i, r := range s {
		out[i] = span{r.From - less, r.To - less}
	}
	return out
}
