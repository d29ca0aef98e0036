package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// bench is a Manual store in memory of which a test takes each step.
type bench struct {
	*testing.T
	disk  *vfs.Memory
	fs    vfs.FS
	o     Options
	store *Store
}

func newBench(t *testing.T) *bench {
	disk := vfs.NewMemory()
	b := &bench{T: t, disk: disk, fs: disk, o: Options{Dir: "data", JournalSize: 16 << 10, Manual: true}}
	b.open()
	t.Cleanup(func() { b.store.Close() })
	return b
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) open() {
	b.Helper()
	var err error
	b.o.FS = b.fs
	b.store, err = Open(b.o)
	b.ok(err)
}

func (b *bench) reopen() {
	b.Helper()
	b.ok(b.store.Close())
	b.open()
}

// crash cuts the power: nothing is left that was not synced.
func (b *bench) crash() {
	b.Helper()
	b.disk = b.disk.Crash(rand.New(rand.NewPCG(1, 1)), 0)
	b.fs = b.disk
	b.open()
}

// commit hands over what fill puts into a batch.
func (b *bench) commit(fill func(storage.Batch)) storage.Ticket {
	batch := b.store.NewBatch()
	fill(batch)
	return batch.Commit(true)
}

func (b *bench) publish(s storage.Stream, seq uint64, payload string) {
	b.commit(func(batch storage.Batch) {
		copy(batch.Message(len(payload)), payload)
		batch.To(s, seq, 0, false)
	})
}

func (b *bench) settle(s storage.Stream, seqs ...uint64) {
	b.commit(func(batch storage.Batch) {
		for _, seq := range seqs {
			batch.Settle(s, seq)
		}
	})
}

// file copies what is alive in the journal to segments.
func (b *bench) file() {
	b.Helper()
	b.ok(b.store.Seal())
	for live, _ := b.store.sealedNow(); len(live) > 0; live, _ = b.store.sealedNow() {
		b.ok(b.store.CopyOut())
	}
}

// holds compares what a stream shows, as "number payload" in order.
func (b *bench) holds(s storage.Stream, want ...string) {
	b.Helper()
	var got []string
	b.ok(s.Read(0, func(r *storage.Record) bool {
		got = append(got, fmt.Sprintf("%d %.20s", r.Seq, r.Payload))
		return true
	}))
	if !slices.Equal(got, want) {
		b.Fatalf("%q, want %q", got, want)
	}
}

func (b *bench) names(suffix string) (names []string) {
	b.Helper()
	all, err := b.disk.List("data")
	b.ok(err)
	for _, name := range all {
		if strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	return names
}

func TestASettleThatOvertakesItsRecordKillsItAlsoInRecovery(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream()
	b.publish(s, 1, "one")
	b.settle(s, 2)
	b.ok(b.store.Checkpoint()) // the settle is in the checkpoint, the record behind it
	b.publish(s, 2, "two")
	b.publish(s, 3, "three")
	b.holds(s, "1 one", "3 three")
	b.ok(b.store.Commit())
	b.crash()
	b.holds(b.store.Stream(s.ID()), "1 one", "3 three")
}

func TestAFileIsNotCopiedBeforeItsUnitsHaveTakenEffect(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream().(*stream)
	batch := b.store.NewBatch().(*batch)
	copy(batch.Message(5), "early")
	batch.To(s, 1, 0, false)

	// What commit does, with the file being sealed in between.
	at, ticket := b.store.journal.Append(batch.unit, true)
	b.ok(b.store.Seal())
	if files := b.store.sealed(); len(files) > 0 {
		t.Fatalf("file %d is given out", files[0].number)
	}
	b.ok(b.store.CopyOut())
	b.store.mu.Lock()
	b.store.apply(at, ticket, batch.unit, batch.steps)
	b.store.mu.Unlock()
	b.store.journal.Applied(at.File)
	b.file()
	if len(b.names(".segment")) != 1 {
		t.Fatal("it was not copied")
	}
	b.holds(s, "1 early")
}

func TestAFileIsNotWrittenOverWhileItIsRead(t *testing.T) {
	b := newBench(t)
	s, other := b.store.NewStream(), b.store.NewStream()
	for seq := range uint64(100) {
		b.publish(s, seq+1, strings.Repeat(fmt.Sprint(seq+1, " "), 30))
	}
	n := uint64(0)
	b.ok(s.Read(0, func(r *storage.Record) bool {
		n++
		if n == 1 {
			b.file()
			for seq := range uint64(400) { // fills all spare files
				b.publish(other, seq+1, strings.Repeat("other", 50))
				b.settle(other, seq+1)
			}
			b.ok(b.store.Seal())
			b.ok(b.store.Checkpoint())
		}
		if r.Seq != n || string(r.Payload) != strings.Repeat(fmt.Sprint(n, " "), 30) {
			t.Fatalf("record %d is %q", r.Seq, r.Payload)
		}
		return true
	}))
	if n != 100 {
		t.Fatalf("%d records", n)
	}
	b.ok(b.store.Checkpoint())
	if files := b.store.journal.Files(); len(files) > 0 || len(b.store.recyclable) > 0 {
		t.Fatalf("files %d are left after they were read", files)
	}
}

func TestASegmentIsNotRemovedWhileItIsRead(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream()
	for seq := range uint64(100) {
		b.publish(s, seq+1, "payload")
	}
	b.file()
	before := b.names(".segment")
	n := 0
	b.ok(s.Read(0, func(r *storage.Record) bool {
		if n++; n == 1 {
			b.commit(func(batch storage.Batch) { batch.Truncate(s, 2, 100) })
			b.ok(b.store.Compact())
			if !slices.Contains(b.names(".segment"), before[0]) {
				t.Fatal("it is gone")
			}
		} else if r.Seq != 100 {
			t.Fatalf("record %d was settled", r.Seq)
		}
		return true
	}))
	b.ok(b.store.Checkpoint())
	if now := b.names(".segment"); len(now) > 1 || slices.Contains(now, before[0]) {
		t.Fatalf("%q, before %q", now, before)
	}
	b.holds(s, "1 payload", "100 payload")
}

func TestACheckpointSaysNothingThatIsNotDurable(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream()
	b.publish(s, 1, "one")
	ticket := b.commit(func(batch storage.Batch) {
		copy(batch.Message(3), "two")
		batch.To(s, 2, 0, false)
		batch.Settle(s, 1)
		batch.Put("k", []byte("v"))
	})
	b.ok(b.store.Checkpoint())
	if b.store.Durable() < ticket {
		t.Fatal("the journal was not synced")
	}
	b.crash()
	b.holds(b.store.Stream(s.ID()), "2 two")
}

func TestACheckpointThatCannotBeDurableIsNotThere(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream()
	b.publish(s, 1, "one")
	b.ok(b.store.Checkpoint())
	b.ok(b.store.Close())

	broken := errors.New("input/output error")
	var failed []error
	var syncs bool
	b.fs = vfs.Inject(b.disk, func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && strings.Contains(op.Name, ".journal") || op.Kind == vfs.OpSync && strings.Contains(op.Name, ".spare") {
			if syncs {
				return broken
			}
		}
		return nil
	})
	b.o.Events.Failed = func(err error) { failed = append(failed, err) }
	b.open()
	s = b.store.Stream(s.ID())
	b.publish(s, 2, "two")
	b.ok(b.store.Commit())
	syncs = true
	ticket := b.commit(func(batch storage.Batch) { batch.Truncate(s, 0, 3) })
	if err := b.store.Checkpoint(); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if err := b.store.Wait(ticket); !errors.Is(err, broken) || len(failed) != 1 {
		t.Fatal(err, failed)
	}
	if err := b.store.Close(); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	b.o.Events.Failed = nil
	b.crash()
	b.holds(b.store.Stream(s.ID()), "1 one", "2 two")
}

func TestWhatACrashLeavesOfStepsThatWereNotFinishedIsRemoved(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream()
	b.publish(s, 1, "one")
	b.commit(func(batch storage.Batch) { batch.Put("k", []byte("v")) })
	b.ok(b.store.Commit())
	journal := b.names(".journal")[0]
	old, err := readFile(b.disk, "data", journal)
	b.ok(err)
	b.file()
	b.ok(b.store.Close())
	if slices.Contains(b.names(""), journal) {
		t.Fatal("the file was not taken back")
	}
	// As after a crash between the renaming of a checkpoint and what follows, or while a file was being written.
	for name, content := range map[string][]byte{
		journal: old, "000700.segment": []byte("x"), "000701.segment.tmp": []byte("x"), "000702.meta": []byte("x"), "000703.meta.tmp": nil,
		"checkpoint.tmp": []byte("x"), "notes.txt": []byte("not of the store"),
	} {
		f, err := b.disk.Create(filepath.Join("data", name))
		b.ok(err)
		_, err = f.WriteAt(content, 0)
		b.ok(err)
		b.ok(f.Close())
	}
	b.open()
	b.holds(b.store.Stream(s.ID()), "1 one")
	for _, name := range b.names("") {
		if name == journal || strings.HasPrefix(name, "0007") || name == "checkpoint.tmp" {
			t.Errorf("%s is still there", name)
		}
	}
	if !slices.Contains(b.names(""), "notes.txt") {
		t.Error("a file that is not the store's was removed")
	}
	if n := b.store.number(); n <= 703 {
		t.Errorf("number %d is given out again", n)
	}
}

// copying copies what is alive in the journal, with something happening before it is installed.
func (b *bench) copying(meanwhile func()) {
	b.Helper()
	b.ok(b.store.Seal())
	b.store.work.Lock()
	defer b.store.work.Unlock()
	live, _ := b.store.sealedNow()
	rw := newRewrite(b.store, live)
	streams := rw.streams()
	made, err := rw.write(streams)
	b.ok(err)
	meanwhile()
	b.ok(rw.finish(made, streams))
	b.ok(b.store.checkpoint())
}

func TestAStreamThatIsDroppedWhileItIsCopiedStaysDropped(t *testing.T) {
	b := newBench(t)
	s, other := b.store.NewStream(), b.store.NewStream()
	b.publish(s, 1, "dropped")
	b.publish(other, 1, "kept")
	b.copying(func() { b.commit(func(batch storage.Batch) { batch.Drop(s) }) })
	b.holds(s)
	b.holds(other, "1 kept")
	b.reopen()
	if b.store.Stream(s.ID()) != nil {
		t.Fatal("it is there again")
	}
	b.holds(b.store.Stream(other.ID()), "1 kept")
}

func TestWhatIsSettledWhileItIsCopiedStaysSettled(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream()
	for seq := range uint64(5) {
		b.publish(s, seq+1, "x")
	}
	b.copying(func() { b.settle(s, 1, 3, 5) })
	b.holds(s, "2 x", "4 x")
	b.reopen()
	b.holds(b.store.Stream(s.ID()), "2 x", "4 x")
}

func TestARecordThatComesBetweenOnesThatAreCopiedIsReadBetweenThem(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream()
	for _, seq := range []uint64{10, 20, 30} {
		b.publish(s, seq, "x")
	}
	b.copying(func() { b.publish(s, 15, "late"); b.publish(s, 25, "late") })
	want := []string{"10 x", "15 late", "20 x", "25 late", "30 x"}
	b.holds(s, want...)
	b.reopen()
	b.holds(b.store.Stream(s.ID()), want...)
	b.file()
	b.holds(b.store.Stream(s.ID()), want...)
	b.reopen()
	b.holds(b.store.Stream(s.ID()), want...)
}

func TestNumbersThatWereOnlySettledNeverComeAgain(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream()
	b.publish(s, 1, "x")
	b.settle(s, 40)
	for _, again := range []func(){func() {}, b.reopen, b.file, b.reopen} {
		again()
		s = b.store.Stream(s.ID())
		if n := s.Info().Next; n != 41 {
			t.Fatalf("Next is %d", n)
		}
	}
}

func TestLargePayloadsStayWhereTheyAreAndGoWithTheirSegment(t *testing.T) {
	b := newBench(t)
	s, other := b.store.NewStream(), b.store.NewStream()
	payload := strings.Repeat("large ", 50_000)
	b.commit(func(batch storage.Batch) {
		copy(batch.Message(len(payload)), payload)
		batch.To(s, 1, 0, false)
		batch.To(other, 7, 0, false)
	})
	b.publish(s, 2, "small")
	b.ok(b.store.Commit())
	journal := b.names(".journal")
	b.file()
	if size := b.store.segments[0].segment.Size(); size > 2000 || len(b.store.segments[0].bodies) != 1 {
		t.Fatalf("the segment has %d bytes", size)
	}
	want := []string{"1 large large large la", "2 small"}
	for range 2 {
		b.holds(s, want...)
		b.holds(other, "7 large large large la")
		if now := b.names(".journal"); !slices.Contains(now, journal[0]) {
			t.Fatalf("%q, before %q", now, journal)
		}
		b.reopen()
		s, other = b.store.Stream(s.ID()), b.store.Stream(other.ID())
	}
	b.settle(s, 1)
	b.ok(b.store.Compact())
	b.holds(other, "7 large large large la")
	b.settle(other, 7)
	b.ok(b.store.Compact())
	b.holds(s, "2 small")
	if now := b.names(".journal"); slices.Contains(now, journal[0]) {
		t.Fatalf("%q is still there", journal[0])
	}
	b.reopen()
	b.holds(b.store.Stream(s.ID()), "2 small")
}

func TestAPayloadOfManyStreamsIsFiledOnce(t *testing.T) {
	b := newBench(t)
	payload := strings.Repeat("shared", 1000)
	var streams []storage.Stream
	b.commit(func(batch storage.Batch) {
		copy(batch.Message(len(payload)), payload)
		for range 50 {
			streams = append(streams, b.store.NewStream())
			batch.To(streams[len(streams)-1], 1, 0, false)
		}
	})
	b.file()
	if size := b.store.segments[0].segment.Size(); size > int64(2*len(payload)) {
		t.Fatalf("the segment has %d bytes", size)
	}
	for _, s := range streams {
		b.holds(s, "1 sharedsharedsharedsh")
	}
}

func TestALoneRecordHoldsNoLargeFile(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream()
	for seq := range uint64(200) {
		b.publish(s, seq+1, strings.Repeat("x", 100))
	}
	b.file()
	before := b.store.Stats().Disk
	b.commit(func(batch storage.Batch) { batch.Truncate(s, 1, 77); batch.Truncate(s, 78, 201) })
	b.ok(b.store.Compact())
	b.holds(s, "77 xxxxxxxxxxxxxxxxxxxx")
	if after := b.store.Stats().Disk - b.store.Stats().JournalDisk; after > before/10 {
		t.Fatalf("%d bytes, before %d", after, before)
	}
}

func TestDamageIsToldAndTheRestOfTheStoreGoesOn(t *testing.T) {
	b := newBench(t)
	s, other := b.store.NewStream(), b.store.NewStream()
	b.publish(s, 1, "whole")
	b.publish(s, 2, "broken")
	b.publish(other, 1, "whole")
	b.file()
	name := b.names(".segment")[0]
	content, err := readFile(b.disk, "data", name)
	b.ok(err)
	b.ok(b.disk.Flip(filepath.Join("data", name), int64(8*bytes.Index(content, []byte("broken")))))
	var seen []uint64
	err = s.Read(0, func(r *storage.Record) bool { seen = append(seen, r.Seq); return true })
	if d, ok := errors.AsType[*storage.DamageError](err); !ok || d.File != name || !slices.Equal(seen, []uint64{1}) {
		t.Fatal(err, seen)
	}
	b.holds(other, "1 whole")
	b.publish(s, 3, "later")
	b.settle(s, 2)
	b.holds(s, "1 whole", "3 later")
}

func TestTheFolderIsForOneStoreOnly(t *testing.T) {
	b := newBench(t)
	_, err := Open(b.o)
	if _, ok := errors.AsType[*vfs.LockedError](err); !ok {
		t.Fatal(err)
	}
	b.ok(b.store.Close())
	if open := b.disk.OpenFiles(); len(open) > 0 {
		t.Fatalf("open after Close: %q", open)
	}
	b.open()
}

func TestAYoungerFormatIsRefused(t *testing.T) {
	b := newBench(t)
	b.commit(func(batch storage.Batch) { batch.Put("k", []byte("v")) })
	b.ok(b.store.Close())
	for _, name := range []string{checkpointName, b.names(".meta")[0]} {
		f, err := b.disk.OpenReadWrite(filepath.Join("data", name))
		b.ok(err)
		content, err := readFile(b.disk, "data", name)
		b.ok(err)
		younger := slices.Clone(content)
		binary.LittleEndian.PutUint32(younger[8:], 2)
		_, err = f.WriteAt(younger, 0)
		b.ok(err)
		_, err = Open(b.o)
		if v, ok := errors.AsType[*VersionError](err); !ok || v.File != name || v.Version != 2 {
			t.Fatal(err)
		}
		_, err = f.WriteAt(content, 0)
		b.ok(err)
		b.ok(f.Close())
	}
	b.open()
}

func TestACheckpointThatIsMissingIsSeen(t *testing.T) {
	b := newBench(t)
	b.publish(b.store.NewStream(), 1, "x")
	b.ok(b.store.Close())
	b.ok(b.disk.Remove(filepath.Join("data", checkpointName)))
	_, err := Open(b.o)
	if d, ok := errors.AsType[*storage.DamageError](err); !ok || d.File != checkpointName {
		t.Fatal(err)
	}
	b.ok(func() error { f, err := b.disk.Create(filepath.Join("data", checkpointName)); f.Close(); return err }())
	if _, err := Open(b.o); !isDamage(err) {
		t.Fatal(err)
	}
}

func TestAFullDiskIsToldAndEverythingGoesOnWhenThereIsRoom(t *testing.T) {
	b := newBench(t)
	b.ok(b.store.Close())
	var told []storage.Pressure
	full := false
	b.fs = vfs.Inject(b.disk, func(op vfs.Op) error {
		if full && op.Kind == vfs.OpWriteAt && !strings.Contains(op.Name, ".journal") {
			return vfs.ErrNoSpace
		}
		return nil
	})
	b.o.Events.Pressed = func(p storage.Pressure) { told = append(told, p) }
	b.open()
	s := b.store.NewStream()
	b.publish(s, 1, "one")
	b.ok(b.store.Seal())
	full = true
	for _, step := range []func() error{b.store.CopyOut, b.store.Checkpoint} {
		if err := step(); !errors.Is(err, vfs.ErrNoSpace) {
			t.Fatal(err)
		}
	}
	b.holds(s, "1 one")
	if left := b.names(".tmp"); len(left) > 0 {
		t.Fatalf("%q is left", left)
	}
	full = false
	b.file()
	b.holds(s, "1 one")
	if !slices.Equal(told, []storage.Pressure{storage.Full, storage.Easy}) {
		t.Fatal(told)
	}
	b.reopen()
	b.holds(b.store.Stream(s.ID()), "1 one")
}

func TestALowDiskIsFullAndManyFilesAreBehind(t *testing.T) {
	b := newBench(t)
	b.ok(b.store.Close())
	var told []storage.Pressure
	b.o.Events.Pressed = func(p storage.Pressure) { told = append(told, p) }
	b.o.MinFree = 1 << 20
	b.open()
	s := b.store.NewStream()
	for seq := range uint64(behindAbove + 1) {
		b.publish(s, seq+1, "x")
		b.ok(b.store.Seal())
	}
	b.store.look()
	b.store.tell()
	b.disk.SetCapacity(1 << 20)
	b.store.look()
	b.store.tell()
	b.disk.SetCapacity(0)
	b.file()
	b.store.look()
	b.store.tell()
	if !slices.Equal(told, []storage.Pressure{storage.Behind, storage.Full, storage.Behind, storage.Easy}) {
		t.Fatal(told)
	}
}

// TestCloseDoesNotWaitForRoom: with a full disk, and more waiting than the journal takes, somebody is blocked in
// Commit.
func TestCloseDoesNotWaitForRoom(t *testing.T) {
	disk := vfs.NewMemory()
	full := make(chan struct{})
	var once sync.Once
	fs := vfs.Inject(disk, func(op vfs.Op) error {
		if op.Kind == vfs.OpWriteAt && (strings.Contains(op.Name, ".journal") || strings.Contains(op.Name, ".spare")) {
			once.Do(func() { close(full) })
			return vfs.ErrNoSpace
		}
		return nil
	})
	st, err := Open(Options{FS: fs, Dir: "data"})
	if err != nil {
		t.Fatal(err)
	}
	s := st.NewStream()
	var wg sync.WaitGroup
	for i := range uint64(4) {
		wg.Go(func() {
			b := st.NewBatch()
			for n := range uint64(100) {
				b.Message(1 << 20)
				b.To(s, 1+100*i+n, 0, false)
				b.Commit(true)
			}
		})
	}
	<-full
	if err := st.Close(); !errors.Is(err, vfs.ErrNoSpace) {
		t.Error(err)
	}
	wg.Wait()
}

func TestDueLooksIntoWhatMayBeDueOnly(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream().(*stream)
	for seq := range uint64(50) {
		b.commit(func(batch storage.Batch) {
			batch.Message(10)
			batch.To(s, seq+1, int64(100+seq), false)
		})
	}
	b.file()
	b.settle(s, 1, 2, 3)
	if next, err := s.Due(102, func(*storage.Record) bool { t.Fatal("these are settled"); return false }); next != 103 || err != nil {
		t.Fatal(next, err)
	}
	if s.chunks[0].due != 103 {
		t.Fatalf("the chunk says %d", s.chunks[0].due)
	}
}

func TestAnExtentOfTransientRecordsIsGoneAndAMixedOneIsNotScannedTwice(t *testing.T) {
	b := newBench(t)
	all, some := b.store.NewStream(), b.store.NewStream()
	b.commit(func(batch storage.Batch) {
		for seq := range uint64(10) {
			batch.Message(8)
			batch.To(all, seq+1, 0, true)
			batch.To(some, seq+1, 0, seq%2 == 0)
		}
	})
	b.file()
	b.reopen()
	zeros := string(make([]byte, 8))
	want := []string{"2 " + zeros, "4 " + zeros, "6 " + zeros, "8 " + zeros, "10 " + zeros}
	b.holds(b.store.Stream(all.ID()))
	b.holds(b.store.Stream(some.ID()), want...)
	b.publish(b.store.Stream(all.ID()), 11, "x")
	b.reopen() // with a checkpoint
	reads := 0
	b.ok(b.store.Close())
	b.fs = vfs.Inject(b.disk, func(op vfs.Op) error {
		if op.Kind == vfs.OpReadAt && strings.HasSuffix(op.Name, ".segment") {
			reads++
		}
		return nil
	})
	b.open()
	if reads > 3 {
		t.Errorf("%d reads of the segment", reads)
	}
	b.holds(b.store.Stream(some.ID()), want...)
}

func TestABatchWritesNeighboursAsOneRange(t *testing.T) {
	b := newBench(t)
	s, other := b.store.NewStream(), b.store.NewStream()
	batch := b.store.NewBatch().(*batch)
	for seq := range uint64(1000) {
		batch.Settle(s, seq+1)
		batch.Delivered(s, seq+1)
		batch.Returned(other, 2000-seq, 3)
	}
	if n := batch.Size(); n > 30 {
		t.Fatalf("%d bytes", n)
	}
	batch.flushHeld()
	if len(batch.steps) != 3 {
		t.Fatalf("%d steps", len(batch.steps))
	}
}

func TestALargePayloadIsFilledInWhereItWillBeTakenFrom(t *testing.T) {
	b := newBench(t)
	s := b.store.NewStream()
	batch := b.store.NewBatch().(*batch)
	copy(batch.Message(10), "some bytes")
	batch.To(s, 1, 0, false)
	payload := batch.Message(8 << 20)
	for range 1000 { // of a fan-out
		batch.To(b.store.NewStream(), 1, 0, false)
	}
	payload[0] = 0xff
	if n := bytes.IndexByte(batch.unit, 0xff); n < 0 || &batch.unit[n] != &payload[0] {
		t.Fatal("the payload was moved")
	}
}

func TestWhoLooksAtFiguresHoldsUpNobody(t *testing.T) {
	b := newBench(t)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					b.store.Stats()
					b.store.Streams()
				}
			}
		})
	}
	for range 300 {
		s := b.store.NewStream()
		b.publish(s, 1, "x")
		b.commit(func(batch storage.Batch) { batch.Drop(s) })
	}
	close(done)
	wg.Wait()
	if s := b.store.Stats(); s.Streams != 0 || s.Records != 0 {
		t.Fatalf("%+v", s)
	}
}
