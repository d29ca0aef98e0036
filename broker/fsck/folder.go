package fsck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/warrenmq/warren/broker/internal/definitions"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/journal"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Folder is a data folder that is open for reading. It is for one goroutine at a time.
type Folder struct {
	survey *survey
	done   func()
}

// DamagedError is returned by Open for a folder in which something is not as it was written: what it showed could not be trusted.
type DamagedError struct {
	Dir   string
	First Problem // of those that were seen; Check finds all
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged at byte %d: %s; see what can be saved with: warren fsck %s", e.First.File, e.First.Offset, e.First.What, e.Dir)
}

// Open opens a data folder for reading, and holds its lock until Close. It reads the journal and what the other files say of
// themselves; whether every message can be read it does not know. A folder that is damaged as far as this tells is a *DamagedError.
func Open(ctx context.Context, dir string, o *Options) (*Folder, error) {
	s, done, err := look(ctx, dir, o, false)
	if err != nil {
		return nil, err
	}
	if len(s.problems) > 0 {
		done()
		return nil, &DamagedError{dir, *s.problems[0]}
	}
	return &Folder{s, done}, nil
}

// Close gives the folder back.
func (f *Folder) Close() { f.done() }

// Report says what is in the folder.
func (f *Folder) Report() *Report {
	f.survey.notes = nil
	return f.survey.report()
}

// Export writes the definitions as RabbitMQ's definitions.json.
func (f *Folder) Export(w io.Writer) error {
	d := f.survey.topology.Definitions
	d.ProductVersion = version()
	return d.Encode(w)
}

// version is that of this module in the program.
func version() string {
	const module = "github.com/warrenmq/warren"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && m.Version != "" {
				return m.Version
			}
		}
	}
	return "(devel)"
}

// UnknownQueueError says that there is no durable queue of that name.
type UnknownQueueError struct{ VHost, Queue string }

func (e *UnknownQueueError) Error() string {
	return fmt.Sprintf("there is no durable queue %q in vhost %q", e.Queue, e.VHost)
}

// Queue returns the durable queue of that name.
func (f *Folder) Queue(vhost, name string) (*Queue, error) {
	for _, q := range f.survey.queues() {
		if q.VHost == vhost && q.Name == name {
			return &q, nil
		}
	}
	return nil, &UnknownQueueError{vhost, name}
}

// Messages shows the messages of a queue in their order, until visit returns an error, which it then returns. Damage in a message is an
// error; those before it were shown.
func (f *Folder) Messages(ctx context.Context, q *Queue, visit func(*Message) error) error {
	st, err := disk.Open(disk.Options{FS: vfs.Shadow(f.survey.fs), Dir: f.survey.dir, Manual: true})
	if err != nil {
		return err
	}
	defer st.Close()
	stream := st.Stream(q.Stream)
	if stream == nil {
		return nil
	}
	var wrong error
	err = stream.Read(0, func(r *storage.Record) bool {
		var m *Message
		if m, wrong = messageOf(q, r); wrong == nil {
			wrong = visit(m)
		}
		if wrong == nil {
			wrong = ctx.Err()
		}
		return wrong == nil
	})
	return errors.Join(wrong, err)
}

// Record is a record of a file: a message in a queue, a change of it, or a definition.
type Record struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"` // of the change in a journal, of the body in a segment; 0 in a file of values
	Op     string `json:"op"`     // message, delivered, returned, settle, truncate, drop, put or delete

	VHost      string `json:"vhost,omitempty"`
	Queue      string `json:"queue,omitempty"` // empty: it is not known
	Stream     uint64 `json:"stream,omitempty"`
	From       uint64 `json:"from,omitempty"` // numbers: From and including From,
	To         uint64 `json:"to,omitempty"`   // up to and including To
	Deliveries int    `json:"deliveries,omitempty"`
	Deadline   int64  `json:"deadline,omitempty"` // in milliseconds since 1970; 0 is none
	Transient  bool   `json:"transient,omitempty"`
	Live       bool   `json:"live,omitempty"` // of a message: it waits in its queue, and lies here
	Bytes      int    `json:"bytes,omitempty"`
	Kind       string `json:"kind,omitempty"` // of a definition: vhost, user, permission, exchange, queue, binding or policy
	// Names are what tells a definition from others of its kind: vhost and name of most; of a binding vhost, source, what it leads to,
	// destination and routing key.
	Names []string `json:"names,omitempty"`

	// Message is the message, if bodies were asked for and it can be told.
	Message *Message `json:"message,omitempty"`
}

// DumpOptions say what Dump shows. The zero value shows everything but bodies.
type DumpOptions struct {
	Queue  *Queue // only what is about it; nil: everything
	Bodies bool   // show messages, not only how long they are
}

// Dump shows every record of every file that counts: definitions, then segments, then the journal, until visit returns an error,
// which it then returns. What it shows is visit's during the call.
func (f *Folder) Dump(ctx context.Context, o DumpOptions, visit func(*Record) error) error {
	d := &dump{survey: f.survey, o: o, visit: func(r *Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return visit(r)
	}}
	for _, step := range []func() error{d.values, d.segments, d.journal} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// dump is a Dump under way.
type dump struct {
	*survey
	o     DumpOptions
	visit func(*Record) error
}

// of makes a record one of a stream, and says whether it is to be shown.
func (d *dump) of(r *Record, stream uint64) bool {
	r.Stream = stream
	if q := d.topology.queues[stream]; q != nil {
		r.VHost, r.Queue = q.VHost, q.Name
	}
	return d.o.Queue == nil || d.o.Queue.Stream == stream
}

// body adds a message to a record.
func (d *dump) body(r *Record, blk []byte) error {
	if !d.o.Bodies {
		return nil
	}
	payload, err := block.Open(blk)
	if err != nil {
		return &storage.DamageError{File: r.File, Offset: r.Offset, What: "a payload does not match its checksum"}
	}
	// What is not a message is shown without one.
	r.Message, _ = messageOf(&Queue{VHost: r.VHost, Name: r.Queue}, &storage.Record{
		Seq: r.From, Deadline: r.Deadline, Deliveries: uint16(r.Deliveries), Payload: payload,
	})
	return nil
}

// definition returns a record of a key, and says whether it is to be shown.
func (d *dump) definition(r *Record, key string) bool {
	kind, names, _ := strings.Cut(key, "\x00")
	parts := strings.Split(names, "\x00")
	if kind == strings.TrimSuffix(definitions.BindingPrefix, "\x00") && len(parts) > 1 {
		parts = parts[:len(parts)-1] // its arguments, which are no text
	}
	r.Kind, r.Names = kind, parts
	if d.o.Queue == nil {
		return true
	}
	return key == definitions.Queue{VHost: d.o.Queue.VHost, Name: d.o.Queue.Name}.Key()
}

func (d *dump) values() error {
	if d.cp.Meta == 0 {
		return nil
	}
	values, err := disk.ReadValues(d.fs, d.dir, d.cp.Meta)
	if err != nil {
		return err
	}
	for key, value := range (&survey{values: values}).pairs("") {
		r := &Record{File: disk.MetaName(d.cp.Meta), Op: string(disk.OpPut), Bytes: len(value)}
		if d.definition(r, key) {
			if err := d.visit(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *dump) segments() error {
	var c segment.Cursor
	for _, f := range d.survey.segments {
		for e, x := range f.seg.Extents() {
			if d.o.Queue != nil && d.o.Queue.Stream != x.Stream {
				continue
			}
			live := d.liveIn(f, e, x.Stream)
			c.Reset(f.seg, e, 0)
			if err := d.extent(f, &c, x.Stream, live); err != nil {
				return err
			}
		}
	}
	return nil
}

// liveIn returns what is alive of a stream in an extent.
func (d *dump) liveIn(f *segmentFile, e int, stream uint64) (live numbers) {
	if st := d.streams[stream]; st != nil {
		for _, p := range st.parts {
			if p.file == f && p.extent == e {
				for _, span := range p.live {
					live.add(span.From, span.To)
				}
			}
		}
	}
	return live
}

func (d *dump) extent(f *segmentFile, c *segment.Cursor, stream uint64, live numbers) error {
	next := c.NextHead
	if d.o.Bodies {
		next = c.Next
	}
	for {
		var rec segment.Record
		ok, err := next(&rec)
		if !ok || err != nil {
			return err
		}
		r := &Record{
			File: f.name, Offset: rec.At.Offset, Op: "message", From: rec.Seq, To: rec.Seq, Deadline: rec.Deadline,
			Transient: rec.Transient, Live: live.has(rec.Seq), Bytes: int(rec.At.Len),
		}
		d.of(r, stream)
		blk := rec.Block
		if d.o.Bodies && blk == nil {
			b, err := d.survey.body(rec.At.File)
			if err != nil {
				return err
			}
			var why string
			if blk, why, err = b.read(rec.At); err != nil {
				return err
			} else if why != "" {
				return &storage.DamageError{File: journal.Name(rec.At.File), Offset: rec.At.Offset, What: why}
			}
		}
		if err := d.body(r, blk); err != nil {
			return err
		}
		if err := d.visit(r); err != nil {
			return err
		}
	}
}

func (d *dump) journal() error {
	places := map[uint64]map[uint64]segment.Location{} // by stream and number: where in the journal what is alive lies
	for id, st := range d.streams {
		at := map[uint64]segment.Location{}
		for _, l := range st.loose {
			if st.looseLive.has(l.seq) {
				at[l.seq] = l.at
			}
		}
		places[id] = at
	}
	_, err := journal.Scan(d.fs, d.dir, slices.Clone(d.journals), d.cp.Ticket+1, func(number uint64, off int64, unit []byte) error {
		return disk.Changes(unit, func(c *disk.Change) error {
			r := &Record{
				File: journal.Name(number), Offset: off + int64(c.Offset), Op: string(c.Op), From: c.From, To: c.To, Deliveries: int(c.Deliveries),
				Deadline: c.Deadline, Transient: c.Transient, Bytes: len(c.Value),
			}
			if c.To > 0 {
				r.To = c.To - 1
			}
			switch c.Op {
			case disk.OpPut, disk.OpDelete:
				if !d.definition(r, string(c.Key)) {
					return nil
				}
				return d.visit(r)
			case disk.OpDelivered:
				r.From, r.To = 1, c.From
			case disk.OpTo:
				at, ok := places[c.Stream][c.From]
				r.Op, r.Bytes = "message", len(c.Block)-block.Header
				r.Live = ok && at.File == number && at.Offset == off+int64(c.BlockAt)
			}
			if !d.of(r, c.Stream) {
				return nil
			}
			if c.Op == disk.OpTo {
				if err := d.body(r, c.Block); err != nil {
					return err
				}
			}
			return d.visit(r)
		})
	})
	return err
}
