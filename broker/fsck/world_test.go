package fsck

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/warrenmq/warren/broker/internal/definitions"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

const testDir = "/data"

func must(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// builder fills a folder as a broker does.
type builder struct {
	t     testing.TB
	store *disk.Store
	batch storage.Batch
	seqs  map[uint64]uint64
}

func newBuilder(t testing.TB, fs vfs.FS, dir string, journalSize int64) *builder {
	t.Helper()
	st, err := disk.Open(disk.Options{FS: fs, Dir: dir, Manual: true, JournalSize: journalSize})
	must(t, err)
	return &builder{t, st, st.NewBatch(), map[uint64]uint64{}}
}

func (b *builder) put(d value) { b.batch.Put(d.Key(), d.AppendValue(nil)) }

func (b *builder) queue(name string) storage.Stream {
	s := b.store.NewStream()
	b.put(definitions.Queue{VHost: "/", Name: name, Durable: true, Stream: s.ID()})
	b.put(definitions.Binding{VHost: "/", Source: "amq.topic", Destination: name, DestinationType: definitions.ToQueue, RoutingKey: name})
	return s
}

func record(body []byte) []byte {
	m := message.Message{Origin: message.AMQP091, Flags: message.Persistent, Exchange: []byte("amq.topic"), Key: []byte("key"), Body: body}
	rec := make([]byte, m.Size())
	m.Put(rec)
	return rec
}

// publish puts a message into queues.
func (b *builder) publish(body []byte, to ...storage.Stream) {
	rec := record(body)
	copy(b.batch.Message(len(rec)), rec)
	for _, s := range to {
		b.seqs[s.ID()]++
		b.batch.To(s, b.seqs[s.ID()], 0, false)
	}
}

func (b *builder) commit() {
	b.t.Helper()
	b.batch.Commit(true)
	must(b.t, b.store.Commit())
}

func (b *builder) checkpoint() {
	b.t.Helper()
	must(b.t, b.store.Seal())
	must(b.t, b.store.CopyOut())
	must(b.t, b.store.Checkpoint())
}

// small fills a folder with a bit of everything. What there was before the last commit is told to before, if that is not nil.
func small(t testing.TB, fs vfs.FS, dir string, before func(*disk.Store)) *disk.Store {
	b := newBuilder(t, fs, dir, 8<<10)
	b.put(definitions.VHost{Name: "/"})
	jobs, news, big := b.queue("jobs"), b.queue("news"), b.queue("big")
	b.commit()
	for i := range 12 {
		b.publish(fmt.Appendf(nil, "job %d", i), jobs)
		b.publish(fmt.Appendf(nil, "news for all, number %d", i), jobs, news)
		b.commit()
	}
	b.batch.Settle(jobs, 3)
	b.batch.Settle(jobs, 4)
	b.batch.Delivered(jobs, 9)
	b.batch.Returned(jobs, 7, 3)
	b.checkpoint()
	b.publish(bytes.Repeat([]byte{'B'}, 66<<10), big)
	b.commit()
	b.checkpoint()
	b.batch.Settle(news, 5)
	for i := range 5 {
		b.publish(fmt.Appendf(nil, "later %d", i), jobs, news)
		b.commit()
	}
	must(t, b.store.Checkpoint())
	if before != nil {
		before(b.store)
	}
	b.batch.Settle(jobs, 1)
	b.publish([]byte("last"), news)
	b.commit()
	return b.store
}

// contents returns every record of every stream of a store, and the values.
func contents(t fataler, st *disk.Store) (records map[string]string, values map[string]string) {
	t.Helper()
	records, values = map[string]string{}, map[string]string{}
	for _, id := range st.Streams() {
		must(t, st.Stream(id).Read(0, func(r *storage.Record) bool {
			records[fmt.Sprintf("%d/%d", id, r.Seq)] = fmt.Sprintf("%d %d %.60s %08x", r.Deliveries, r.Deadline, r.Payload, block.Checksum(0, r.Payload))
			return true
		}))
	}
	for key, value := range st.Values("") {
		values[key] = string(value)
	}
	return records, values
}

// readAll opens a store and returns what is in it.
func readAll(t fataler, fs vfs.FS, dir string) (records, values map[string]string) {
	t.Helper()
	st, err := disk.Open(disk.Options{FS: vfs.Shadow(fs), Dir: dir, Manual: true})
	must(t, err)
	records, values = contents(t, st)
	must(t, st.Close())
	return records, values
}

func clean(t fataler, fs vfs.FS, dir string) *Report {
	t.Helper()
	r, err := Check(context.Background(), dir, &Options{fs: fs})
	must(t, err)
	if len(r.Problems) > 0 {
		t.Fatalf("problems: %+v", r.Problems)
	}
	return r
}

func sizes(t fataler, fs vfs.FS, dir string) map[string]int64 {
	t.Helper()
	names, err := fs.List(dir)
	must(t, err)
	out := map[string]int64{}
	for _, name := range names {
		if n, err := sizeOf(fs, filepath.Join(dir, name)); err == nil {
			out[name] = n
		}
	}
	return out
}

func TestAFolderInOrderIsFoundInOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		close bool
	}{{"stopped", true}, {"killed", false}} {
		t.Run(c.name, func(t *testing.T) {
			m := vfs.NewMemory()
			st := small(t, m, testDir, nil)
			want, _ := contents(t, st)
			if c.close {
				must(t, st.Close())
			} else {
				m = m.Clone()
			}
			before := sizes(t, m, testDir)
			r := clean(t, m, testDir)
			if n := r.Messages(); n != len(want) {
				t.Errorf("%d messages are reported, there are %d", n, len(want))
			}
			if after := sizes(t, m, testDir); !maps.Equal(before, after) {
				t.Errorf("Check has changed files: %v, and before %v", after, before)
			}
			kinds := map[Kind]int{}
			for _, f := range r.Files {
				kinds[f.Kind]++
			}
			t.Log(slices.Sorted(maps.Keys(before)), kinds, r.Notes)
			if kinds[KindSegment] == 0 || kinds[KindBodies] == 0 || kinds[KindJournal] == 0 || kinds[KindMeta] == 0 {
				t.Errorf("the folder has not everything: %v", kinds)
			}
			if len(m.OpenFiles()) > 0 && c.close {
				t.Errorf("still open: %v", m.OpenFiles())
			}
		})
	}
}

// fataler is a test, of package testing or rapid.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}
