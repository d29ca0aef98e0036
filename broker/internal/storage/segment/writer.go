package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"

	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Writer writes a segment. It is for one goroutine. It buffers 256 KiB; besides that it remembers, until Finish, some 15
// bytes for each extent and some 6 for each 64 KiB of records.
//
// After an error the writer is good for nothing but Abort.
type Writer struct {
	fs   vfs.FS
	dir  string
	head header
	f    vfs.File // nil once it is finished or aborted
	err  error

	at  int64  // where buf goes
	buf []byte // what was not written yet

	seed    uint32 // the file's
	of      uint32 // the stream's
	begun   bool   // there was a Stream
	row     row    // the extent that is being written; it has no header yet as long as it has no record
	before  Extent // the one before it
	entry   entry  // the last in the extent's index, or the first record
	sum     uint32 // of the extent's index
	last    Location
	scratch []byte

	extents, records uint64
	indexes, table   spool
	tableSum         uint32
}

const writeBuffer = 256 << 10

// Create begins the segment of that number in a folder. The file has the name that Name gives with TempSuffix behind it
// until Finish.
func Create(fs vfs.FS, dir string, number uint64) (*Writer, error) {
	return create(fs, dir, header{version: version, number: number, salt: rand.Uint64()})
}

func create(fs vfs.FS, dir string, head header) (*Writer, error) {
	w := &Writer{fs: fs, dir: dir, head: head, seed: head.seed(), buf: make([]byte, 0, writeBuffer), scratch: make([]byte, 0, 128)}
	w.tableSum = w.seed
	f, err := fs.Create(w.temp())
	if err != nil {
		return nil, err
	}
	w.f = f
	w.buf = append(w.buf, head.encode()...)
	return w, nil
}

func (w *Writer) path() string { return filepath.Join(w.dir, Name(w.head.number)) }
func (w *Writer) temp() string { return w.path() + TempSuffix }

// errDone is what a writer says that was finished or aborted.
var errDone = errors.New("segment: the writer is done")

func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

// Stream begins an extent. Ids ascend; the same id again begins a further extent of the stream, with higher numbers. Where
// no record follows there is no extent.
func (w *Writer) Stream(id uint64) error {
	if err := w.endExtent(); err != nil {
		return err
	}
	if w.extents > 0 && id < w.before.Stream {
		return w.fail(fmt.Errorf("segment: stream %d after stream %d", id, w.before.Stream))
	}
	w.begun = true
	w.row = row{Extent: Extent{Stream: id}, refs: w.row.refs[:0]}
	w.of = streamSeed(w.seed, id, w.scratch)
	return nil
}

// Add writes a record of the stream. Numbers ascend. Nothing of r is kept. That the block is as long as its header says is
// checked; that it matches its checksum is the business of whoever has read it.
func (w *Writer) Add(r Record) error {
	if err := w.check(&r); err != nil {
		return w.fail(err)
	}
	if w.row.Count == 0 {
		w.row.Offset = w.Size()
		w.scratch = appendExtent(w.scratch[:0], placed(w.seed, w.row.Offset), w.row.Stream)
		if err := w.write(w.scratch); err != nil {
			return err
		}
		w.entry = entry{r.Seq, w.Size()}
		w.sum = w.of
	}
	if off := w.Size(); off-w.entry.off >= indexSpacing {
		e := entry{r.Seq, off}
		w.scratch = e.append(w.scratch[:0], w.entry)
		w.entry = e
		w.index(w.scratch)
		w.sum = block.Checksum(w.sum, w.scratch)
	}
	w.scratch = appendRecord(w.scratch[:0], placed(w.of, w.Size()), &r)
	if err := w.write(w.scratch); err != nil {
		return err
	}
	if r.Block != nil {
		w.last = Location{File: w.head.number, Offset: w.Size() - block.Header, Len: uint32(len(r.Block) - block.Header)}
		if err := w.write(r.Block[block.Header:]); err != nil {
			return err
		}
	} else {
		w.last = r.At
		if r.At.File != w.head.number {
			w.row.refs = addRef(w.row.refs, r.At)
		}
	}
	w.row.add(&r, w.last.Len)
	w.records++
	return nil
}

// check says whether a record can follow.
func (w *Writer) check(r *Record) error {
	switch {
	case w.err != nil:
		return w.err
	case w.f == nil:
		return errDone
	case !w.begun:
		return errors.New("segment: a record of no stream")
	case r.Seq == 0, w.row.Count > 0 && r.Seq <= w.row.Last,
		w.row.Count == 0 && w.extents > 0 && w.before.Stream == w.row.Stream && r.Seq <= w.before.Last:
		return fmt.Errorf("segment: record %d of stream %d is out of order", r.Seq, w.row.Stream)
	case w.row.Count == math.MaxUint32:
		return fmt.Errorf("segment: too many records of stream %d", w.row.Stream)
	case r.Block != nil:
		if len(r.Block) < block.Header || len(r.Block) > block.Size(maxPayload) ||
			uint32(len(r.Block)-block.Header) != binary.LittleEndian.Uint32(r.Block[4:]) {
			return fmt.Errorf("segment: record %d of stream %d is not a block", r.Seq, w.row.Stream)
		}
	case !r.At.valid(), r.At.File == w.head.number && (r.At.Offset < headerSize || r.At.end() > w.Size()):
		return fmt.Errorf("segment: record %d of stream %d has no payload at %+v", r.Seq, w.row.Stream, r.At)
	}
	return nil
}

// Last returns where the payload of the record lies that was added last: other records with the same payload need not
// have it again.
func (w *Writer) Last() Location { return w.last }

// Size returns how many bytes of records there are so far.
func (w *Writer) Size() int64 { return w.at + int64(len(w.buf)) }

// write writes b behind what there is.
func (w *Writer) write(b []byte) error {
	if len(w.buf)+len(b) > cap(w.buf) {
		if err := w.flush(); err != nil {
			return err
		}
		if len(b) >= cap(w.buf) {
			return w.writeOut(b)
		}
	}
	w.buf = append(w.buf, b...)
	return nil
}

func (w *Writer) flush() error {
	err := w.writeOut(w.buf)
	w.buf = w.buf[:0]
	return err
}

func (w *Writer) writeOut(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if _, err := w.f.WriteAt(b, w.at); err != nil {
		return w.fail(err)
	}
	w.at += int64(len(b))
	return nil
}

// index adds to the index of the extent that is being written.
func (w *Writer) index(b []byte) {
	w.indexes.add(b)
	w.row.index += int64(len(b))
}

// endExtent ends the extent that is being written, if there is one.
func (w *Writer) endExtent() error {
	switch {
	case w.err != nil:
		return w.err
	case w.f == nil:
		return errDone
	case w.row.Count == 0:
		return nil
	}
	if w.row.index > 0 {
		w.index(binary.LittleEndian.AppendUint32(w.scratch[:0], w.sum))
	}
	w.row.Length = w.Size() - w.row.Offset
	w.scratch = w.row.append(w.scratch[:0], &w.before)
	w.table.add(w.scratch)
	w.tableSum = block.Checksum(w.tableSum, w.scratch)
	w.extents++
	w.before = w.row.Extent
	w.row = row{refs: w.row.refs[:0]}
	return nil
}

// Finish writes the table, syncs the file, gives it its name, makes that durable and opens the segment. After an error, of
// which one may be vfs.ErrNoSpace, there is no file of the segment any more, as far as files can still be removed; a
// file under the final name is always a whole one.
func (w *Writer) Finish() (*Segment, error) {
	if err := w.finish(); err != nil {
		w.Abort()
		return nil, err
	}
	w.indexes, w.table, w.buf = spool{}, spool{}, nil
	s, err := w.publish()
	if err != nil {
		_ = w.fs.Remove(w.temp())
		_ = w.fs.Remove(w.path())
	}
	return s, err
}

// finish completes the file and makes it durable.
func (w *Writer) finish() error {
	if err := w.endExtent(); err != nil {
		return err
	}
	foot := footer{header: w.head, extents: w.extents, records: w.records, tableSum: w.tableSum}
	foot.indexes = w.Size()
	foot.table = foot.indexes + w.indexes.size
	for _, s := range []*spool{&w.indexes, &w.table} {
		for _, b := range s.chunks {
			if err := w.write(b); err != nil {
				return err
			}
		}
	}
	if err := w.write(foot.encode()); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.f.Sync(); err != nil {
		return w.fail(err)
	}
	return nil
}

// publish gives the file its name and opens it.
func (w *Writer) publish() (*Segment, error) {
	f := w.f
	w.f = nil
	if err := f.Close(); err != nil {
		return nil, err
	}
	if err := w.fs.Rename(w.temp(), w.path()); err != nil {
		return nil, err
	}
	if err := w.fs.SyncDir(w.dir); err != nil {
		return nil, err
	}
	return Open(w.fs, w.dir, w.head.number)
}

// Abort gives the segment up and removes its file. After Finish it does nothing.
func (w *Writer) Abort() {
	if w.f == nil {
		return
	}
	_ = w.f.Close() // nobody will read it
	w.f = nil
	w.indexes, w.table, w.buf = spool{}, spool{}, nil
	_ = w.fs.Remove(w.temp()) // what stays is found by its name on the next start
}

// spool keeps bytes until they are written; it grows without copying them.
type spool struct {
	chunks [][]byte
	size   int64
}

const (
	firstChunk = 1 << 10
	laterChunk = 64 << 10
)

func (s *spool) add(b []byte) {
	if n := len(s.chunks); n == 0 || cap(s.chunks[n-1])-len(s.chunks[n-1]) < len(b) {
		size := laterChunk
		if n == 0 {
			size = firstChunk
		}
		s.chunks = append(s.chunks, make([]byte, 0, max(size, len(b))))
	}
	last := &s.chunks[len(s.chunks)-1]
	*last = append(*last, b...)
	s.size += int64(len(b))
}
