package pebblestore

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
	diskfs "github.com/warrenmq/warren/broker/internal/storage/vfs"
)

func TestThePlainModelShowsWhatPebbleShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := storetest.NewModel()
		opened := false
		compareStores(t, func(storage.Events) (storage.Store, error) {
			if opened {
				last = last.Reopen()
			}
			opened = true
			return last, nil
		})
	})
}

func TestTheStoreOnDiskShowsWhatPebbleShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := diskfs.NewMemory()
		compareStores(t, func(e storage.Events) (storage.Store, error) {
			return disk.Open(disk.Options{FS: fs, Dir: "data", JournalSize: 4 << 10, Manual: true, Events: e})
		})
	})
}

// pair is two stores to which the same is done, Pebble's first.
type pair struct {
	places [2]storetest.Place
	stores [2]storage.Store
	twins  []*twin
	serial byte
}

// twin is a stream in both.
type twin struct {
	streams [2]storage.Stream
	next    uint64   // number to use
	live    []uint64 // numbers that were used and not settled
	known   bool     // something was committed for it
}

// compareStores does the same random things to Pebble and to another store, and compares all that they show.
func compareStores(t *rapid.T, other storetest.Place) {
	fs := vfs.NewMem()
	p := &pair{places: [2]storetest.Place{
		func(e storage.Events) (storage.Store, error) {
			return Open(Options{Dir: "data", FS: fs, MemTable: 1 << 20, Events: e})
		},
		other,
	}}
	p.open(t)
	defer func() {
		for _, s := range p.stores {
			s.Close()
		}
	}()
	actions := map[string]func(*rapid.T){
		"stream": p.stream,
		"commit": func(t *rapid.T) { p.commit(t, p.changes(t)) },
		"overtake": func(t *rapid.T) {
			first, second := p.changes(t), p.changes(t)
			p.commit(t, second)
			p.commit(t, first)
		},
		"drop": func(t *rapid.T) {
			if i := p.pick(t); i >= 0 {
				p.commit(t, []change{func(b storage.Batch, of int) { b.Drop(p.twins[i].streams[of]) }})
				p.twins = slices.Delete(p.twins, i, i+1)
			}
		},
		"reopen": p.reopen,
		"":       p.compare,
	}
	// What a store can be told to do on its own must not be seen.
	if _, ok := p.stores[1].(storetest.Subject); ok {
		for name, step := range map[string]func(storetest.Subject) error{
			"sync": storetest.Subject.Commit, "copy out": storetest.Subject.CopyOut,
			"compact": storetest.Subject.Compact, "checkpoint": storetest.Subject.Checkpoint,
		} {
			actions[name] = func(t *rapid.T) { must(t, step(p.stores[1].(storetest.Subject))) }
		}
	}
	t.Repeat(actions)
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func (p *pair) open(t *rapid.T) {
	for i, place := range p.places {
		s, err := place(storage.Events{})
		must(t, err)
		p.stores[i] = s
	}
}

func (p *pair) reopen(t *rapid.T) {
	for _, s := range p.stores {
		must(t, s.Close())
	}
	p.open(t)
	p.twins = slices.DeleteFunc(p.twins, func(tw *twin) bool { return !tw.known })
	for _, tw := range p.twins {
		for i, s := range p.stores {
			if tw.streams[i] = s.Stream(tw.streams[i].ID()); tw.streams[i] == nil {
				t.Fatalf("store %d has forgotten a stream", i)
			}
		}
		// What was transient is gone; what is left is what is shown.
		tw.live = numbersOf(records(t, tw.streams[0], 0))
	}
}

func (p *pair) stream(t *rapid.T) {
	if len(p.twins) == 4 {
		return
	}
	p.twins = append(p.twins, &twin{streams: [2]storage.Stream{p.stores[0].NewStream(), p.stores[1].NewStream()}, next: 1})
}

// pick draws a stream, or -1 when there is none.
func (p *pair) pick(t *rapid.T) int {
	if len(p.twins) == 0 {
		return -1
	}
	return rapid.IntRange(0, len(p.twins)-1).Draw(t, "stream")
}

// change makes a change in a batch of store number of.
type change func(b storage.Batch, of int)

func (p *pair) commit(t *rapid.T, changes []change) {
	if len(changes) == 0 {
		return
	}
	for i, s := range p.stores {
		b := s.NewBatch()
		for _, c := range changes {
			c(b, i)
		}
		if b.Empty() || b.Commit(true) == 0 || !b.Empty() {
			t.Fatalf("store %d takes a batch for empty, or keeps it", i)
		}
	}
}

// changes draws what a batch holds.
func (p *pair) changes(t *rapid.T) (changes []change) {
	for range rapid.IntRange(1, 12).Draw(t, "changes") {
		changes = append(changes, p.change(t)...)
	}
	return changes
}

func (p *pair) change(t *rapid.T) []change {
	kind := rapid.SampledFrom([]string{"to", "to", "to", "fan out", "settle", "settle", "settle early", "truncate", "returned", "delivered", "put", "delete"}).Draw(t, "kind")
	switch kind {
	case "put":
		key, value := p.key(t), p.payload(t, 40)
		return []change{func(b storage.Batch, _ int) { b.Put(key, value) }}
	case "delete":
		key := p.key(t)
		return []change{func(b storage.Batch, _ int) { b.Delete(key) }}
	}
	i := p.pick(t)
	if i < 0 {
		return nil
	}
	tw := p.twins[i]
	switch kind {
	case "to":
		return p.message(t, tw)
	case "fan out":
		return p.message(t, p.twins...)
	case "settle early": // and the record in a batch that comes later
		tw.known = true
		seq := tw.next
		tw.next++
		late := p.record(t, tw, seq)
		defer p.commit(t, []change{func(b storage.Batch, of int) { b.Settle(tw.streams[of], seq) }})
		return late
	case "delivered":
		if tw.next == 1 {
			return nil
		}
		tw.known = true
		seq := rapid.Uint64Range(1, tw.next-1).Draw(t, "delivered")
		return []change{func(b storage.Batch, of int) { b.Delivered(tw.streams[of], seq) }}
	case "truncate":
		from := rapid.Uint64Range(1, tw.next).Draw(t, "from")
		to := rapid.Uint64Range(from, tw.next).Draw(t, "to")
		tw.known = tw.known || from < to
		tw.live = slices.DeleteFunc(tw.live, func(seq uint64) bool { return seq >= from && seq < to })
		return []change{func(b storage.Batch, of int) {
			b.Truncate(tw.streams[of], from, to)
			b.Put("truncated", nil) // for nothing, it may be
		}}
	}
	if len(tw.live) == 0 {
		return nil
	}
	at := rapid.IntRange(0, len(tw.live)-1).Draw(t, "record")
	seq := tw.live[at]
	if kind == "returned" {
		deliveries := rapid.Uint16Range(1, 9).Draw(t, "deliveries")
		// In a batch of its own: what is returned has been there before.
		p.commit(t, []change{func(b storage.Batch, of int) { b.Returned(tw.streams[of], seq, deliveries) }})
		return nil
	}
	tw.live = slices.Delete(tw.live, at, at+1)
	return []change{func(b storage.Batch, of int) { b.Settle(tw.streams[of], seq) }}
}

func (p *pair) key(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "aa", "ab", "b", "b/1", "b/2", ""}).Draw(t, "key")
}

func (p *pair) payload(t *rapid.T, most int) []byte {
	p.serial++
	return bytes.Repeat([]byte{p.serial}, rapid.IntRange(0, most).Draw(t, "bytes"))
}

// message makes a message a record of streams, under their next numbers.
func (p *pair) message(t *rapid.T, tws ...*twin) []change {
	most := rapid.SampledFrom([]int{8, 300, 3000}).Draw(t, "most")
	payload := p.payload(t, most)
	changes := []change{func(b storage.Batch, _ int) { copy(b.Message(len(payload)), payload) }}
	for _, tw := range tws {
		changes = append(changes, p.to(t, tw, tw.next))
		tw.live = append(tw.live, tw.next)
		tw.next++
		tw.known = true
	}
	return changes
}

// record makes a message a record of one stream.
func (p *pair) record(t *rapid.T, tw *twin, seq uint64) []change {
	payload := p.payload(t, 300)
	return []change{func(b storage.Batch, _ int) { copy(b.Message(len(payload)), payload) }, p.to(t, tw, seq)}
}

func (p *pair) to(t *rapid.T, tw *twin, seq uint64) change {
	deadline := int64(0)
	if rapid.Bool().Draw(t, "timed") {
		deadline = rapid.Int64Range(1, 50).Draw(t, "deadline")
	}
	transient := rapid.IntRange(0, 3).Draw(t, "transient") == 0
	return func(b storage.Batch, of int) { b.To(tw.streams[of], seq, deadline, transient) }
}

// compare compares all that the stores show.
func (p *pair) compare(t *rapid.T) {
	for _, tw := range p.twins {
		a, b := tw.streams[0].Info(), tw.streams[1].Info()
		if a.Records != b.Records || a.Records > 0 && a.First != b.First || (a.Bytes == 0) != (b.Bytes == 0) && a.Records == 0 {
			t.Fatalf("stream %d is %+v and %+v", tw.streams[0].ID(), a, b)
		}
		if a.Next < tw.next && tw.known || b.Next < tw.next && tw.known {
			t.Fatalf("stream %d was told of %d, and Next is %d and %d", tw.streams[0].ID(), tw.next-1, a.Next, b.Next)
		}
		all := p.compareRecords(t, tw, 0)
		p.compareRecords(t, tw, tw.next/2)
		for _, before := range []int64{0, 20, 50} {
			p.compareDue(t, tw, before, all)
		}
	}
	for _, prefix := range []string{"", "a", "b/"} {
		if a, b := values(p.stores[0], prefix), values(p.stores[1], prefix); a != b {
			t.Fatalf("the values with %q are %s and %s", prefix, a, b)
		}
	}
	if a, b := p.stores[0].Stats().Records, p.stores[1].Stats().Records; a != b {
		t.Fatalf("there are %d and %d records", a, b)
	}
}

func (p *pair) compareRecords(t *rapid.T, tw *twin, from uint64) []storage.Record {
	a, b := records(t, tw.streams[0], from), records(t, tw.streams[1], from)
	if !slices.EqualFunc(a, b, equal) {
		t.Fatalf("stream %d has from %d on\n%v\nand\n%v", tw.streams[0].ID(), from, a, b)
	}
	return a
}

// compareDue compares what is due, and the moments of the next deadlines with what the records say.
func (p *pair) compareDue(t *rapid.T, tw *twin, before int64, all []storage.Record) {
	var earliest int64
	for _, r := range all {
		if r.Deadline > before && (earliest == 0 || r.Deadline < earliest) {
			earliest = r.Deadline
		}
	}
	var due [2][]storage.Record
	for i, s := range tw.streams {
		next, err := s.Due(before, func(r *storage.Record) bool {
			due[i] = append(due[i], clone(r))
			return true
		})
		must(t, err)
		if earliest == 0 && next != 0 && next <= before || earliest != 0 && (next <= before || next > earliest) {
			t.Fatalf("store %d says that the next deadline after %d is %d, and it is %d", i, before, next, earliest)
		}
	}
	if !slices.EqualFunc(due[0], due[1], equal) {
		t.Fatalf("at %d are due\n%v\nand\n%v", before, due[0], due[1])
	}
}

func clone(r *storage.Record) storage.Record {
	c := *r
	c.Payload = bytes.Clone(r.Payload)
	return c
}

func equal(a, b storage.Record) bool {
	return a.Seq == b.Seq && a.Deadline == b.Deadline && a.Deliveries == b.Deliveries && bytes.Equal(a.Payload, b.Payload)
}

func records(t *rapid.T, s storage.Stream, from uint64) (all []storage.Record) {
	must(t, s.Read(from, func(r *storage.Record) bool {
		all = append(all, clone(r))
		return true
	}))
	return all
}

func numbersOf(records []storage.Record) (seqs []uint64) {
	for _, r := range records {
		seqs = append(seqs, r.Seq)
	}
	return seqs
}

func values(s storage.Store, prefix string) string {
	var b bytes.Buffer
	for key, value := range s.Values(prefix) {
		fmt.Fprintf(&b, "%q=%x ", key, value)
		if v, ok := s.Value(key); !ok || !bytes.Equal(v, value) {
			fmt.Fprintf(&b, "(not so by itself: %x) ", v)
		}
	}
	return b.String()
}
