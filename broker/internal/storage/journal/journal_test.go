package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dir = "data"

// written is a unit as Append took it.
type written struct {
	unit   []byte
	at     Pos
	ticket storage.Ticket
}

// owner stands for who owns a journal: it appends, remembers, and after a crash compares.
type owner struct {
	testing.TB
	c    Config
	j    *Journal
	all  []written
	last uint64 // number of a file
}

// newOwner returns one with a manual journal in an empty folder.
func newOwner(t testing.TB, fs vfs.FS, c Config) *owner {
	t.Helper()
	if err := fs.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	o := &owner{TB: t, c: c}
	o.c.FS, o.c.Dir = fs, dir
	o.c.Number = func() uint64 { o.last++; return o.last }
	return o
}

// open opens the journal with the files that there are from number from on, and returns what was replayed.
func (o *owner) open(from uint64, next storage.Ticket) (replayed []written, rec Recovery, err error) {
	var files []uint64
	names, err := o.c.FS.List(dir)
	if err != nil {
		o.Fatal(err)
	}
	for _, name := range names {
		var number uint64
		if n, _ := fmt.Sscanf(name, "%d", &number); n == 1 {
			o.last = max(o.last, number)
		}
		if number, ok := Number(name); ok && number >= from {
			files = append(files, number)
		}
	}
	o.j, rec, err = Open(o.c, files, next, func(file uint64, off int64, unit []byte) error {
		replayed = append(replayed, written{unit: bytes.Clone(unit), at: Pos{file, off}})
		return nil
	})
	return replayed, rec, err
}

func (o *owner) mustOpen(from uint64, next storage.Ticket) ([]written, Recovery) {
	o.Helper()
	replayed, rec, err := o.open(from, next)
	if err != nil {
		o.Fatal(err)
	}
	return replayed, rec
}

// start opens an empty journal that is closed at the end.
func start(t testing.TB, fs vfs.FS, c Config) *owner {
	t.Helper()
	o := newOwner(t, fs, c)
	o.mustOpen(0, 1)
	t.Cleanup(func() { o.j.Close() })
	return o
}

func (o *owner) append(n int, urgent bool) written {
	unit := content(len(o.all), n)
	at, ticket := o.j.Append(unit, urgent)
	o.j.Applied(at.File)
	w := written{unit, at, ticket}
	o.all = append(o.all, w)
	return w
}

func (o *owner) commit() {
	o.Helper()
	if err := o.j.Commit(); err != nil {
		o.Fatal(err)
	}
}

// same fails unless got is want, byte for byte and place for place.
func (o *owner) same(got, want []written) {
	o.Helper()
	if len(got) != len(want) {
		o.Fatalf("%d units, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].at != want[i].at || !bytes.Equal(got[i].unit, want[i].unit) {
			o.Fatalf("unit %d: %d bytes at %v, want %d at %v", i, len(got[i].unit), got[i].at, len(want[i].unit), want[i].at)
		}
	}
}

// readable fails unless every unit can be read where it is said to be.
func (o *owner) readable(units []written) {
	o.Helper()
	for i, w := range units {
		p := make([]byte, len(w.unit))
		if err := o.j.ReadAt(w.at.File, p, w.at.Offset); err != nil {
			o.Fatalf("unit %d at %v: %v", i, w.at, err)
		}
		if !bytes.Equal(p, w.unit) {
			o.Fatalf("unit %d at %v is not what was written", i, w.at)
		}
	}
}

// content returns n bytes that no other serial number has, if n is 8 or more.
func content(serial, n int) []byte {
	b := make([]byte, n)
	rnd := rand.NewPCG(uint64(serial), 0)
	for i := 0; i < n; i += 8 {
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], rnd.Uint64())
		copy(b[i:], w[:])
	}
	return b
}

func manual(fileSize int64) Config { return Config{Manual: true, FileSize: fileSize} }

func TestUnitsAreReadWhereAppendSaysFromTheFirstMomentOn(t *testing.T) {
	o := start(t, vfs.NewMemory(), manual(64<<10))
	for i := range 400 {
		o.append([]int{0, 1, 100, 5000, large - 1, large, 3 * large}[i%7], i%2 == 0)
		if i%5 == 0 {
			o.commit()
		}
		o.readable(o.all[max(0, len(o.all)-20):])
	}
	o.commit()
	o.readable(o.all)
	var none [1]byte
	last := o.append(10, true)
	if err := o.j.ReadAt(last.at.File, none[:], last.at.Offset+10); err == nil {
		t.Error("read behind the last unit")
	}
	if err := o.j.ReadAt(999, none[:], 0); err == nil {
		t.Error("read of a file that there isn't")
	}
}

// One read may begin in a unit on the disk and end in one that waits: only that nobody's bytes are mistaken for others.
func TestAReadMaySpanTheDiskAndBothBuffers(t *testing.T) {
	mem := vfs.NewMemory()
	o := start(t, mem, manual(1<<20))
	a := o.append(100_000, true) // so much that nothing is written ahead
	o.commit()
	o.append(9000, true)
	mem.SetCapacity(mem.Used())
	if err := o.j.Commit(); !errors.Is(err, vfs.ErrNoSpace) {
		t.Fatalf("on a full disk: %v", err)
	}
	c := o.append(3000, true)
	p := make([]byte, c.at.Offset+3000-a.at.Offset)
	if err := o.j.ReadAt(a.at.File, p, a.at.Offset); err != nil {
		t.Fatal(err)
	}
	for _, w := range o.all {
		if !bytes.Equal(p[w.at.Offset-a.at.Offset:][:len(w.unit)], w.unit) {
			t.Errorf("the unit at %v is not what was written", w.at)
		}
	}
	mem.SetCapacity(0)
}

func TestWhatWasCommittedIsReplayedInOrderAndInItsPlace(t *testing.T) {
	for _, policy := range []storage.Sync{storage.Always, storage.Interval, storage.Never} {
		t.Run(policy.String(), func(t *testing.T) {
			c := manual(16 << 10)
			c.Sync = policy
			o := newOwner(t, vfs.NewMemory(), c)
			o.mustOpen(0, 1)
			for generation := range 5 {
				for i := range 300 {
					o.append((i*37)%900, i%3 == 0)
					if i%4 == 0 {
						o.commit()
					}
				}
				before := o.all[len(o.all)-1].ticket
				if err := o.j.Close(); err != nil {
					t.Fatal(err)
				}
				got, rec := o.mustOpen(0, 1)
				o.same(got, o.all)
				o.readable(o.all)
				if rec.TornFile != 0 || rec.Units != len(o.all) || rec.Last < before || o.j.Durable() != rec.Last {
					t.Fatalf("generation %d: %+v, durable %d; the last ticket was %d", generation, rec, o.j.Durable(), before)
				}
			}
			o.j.Close()
		})
	}
}

func TestOpeningAndClosingWritesNothing(t *testing.T) {
	mem := vfs.NewMemory()
	o := newOwner(t, mem, manual(0))
	o.mustOpen(0, 1)
	o.append(10, true)
	for range 3 {
		o.j.Close()
		record := vfs.Record(mem)
		o.mustOpen(0, 1)
		for n := range record.Len() {
			if op := record.Step(n + 1); op.Kind != vfs.OpSync {
				t.Errorf("%v", op)
			}
		}
	}
	o.j.Close()
	if open := mem.OpenFiles(); len(open) != 0 {
		t.Errorf("left open: %v", open)
	}
}

func TestTicketsGoUpByOneWithEachCommitThroughAllFilesAndOpenings(t *testing.T) {
	o := newOwner(t, vfs.NewMemory(), manual(4<<10))
	o.mustOpen(0, 1)
	want := storage.Ticket(0)
	for i := range 200 {
		if i%50 == 49 {
			o.j.Close() // which takes one for the frame that ends the file
			_, rec := o.mustOpen(0, 1)
			if rec.Last != want+1 {
				t.Fatalf("after ticket %d and Close the last is %d", want, rec.Last)
			}
			want = rec.Last
		}
		want++
		if a, b := o.append(100, true), o.append(200, false); a.ticket != want || b.ticket != want {
			t.Fatalf("tickets %d and %d, want %d", a.ticket, b.ticket, want)
		}
		o.commit()
		if o.j.Durable() != want {
			t.Fatalf("durable is %d, want %d", o.j.Durable(), want)
		}
	}
	o.j.Close()
}

func TestTicketsGoOnBehindWhatTheOwnerKnows(t *testing.T) {
	o := newOwner(t, vfs.NewMemory(), manual(0))
	o.mustOpen(0, 1000)
	if w := o.append(1, true); w.ticket != 1000 || o.j.Durable() != 999 {
		t.Fatalf("ticket %d, durable %d", w.ticket, o.j.Durable())
	}
	o.j.Close()
	if _, _, err := o.open(0, 999); err == nil {
		t.Error("frame 999 is missing, and was not missed")
	}
	o.mustOpen(0, 1000)
	o.j.Close()
	o.mustOpen(0, 5000)
	if w := o.append(1, true); w.ticket != 5000 {
		t.Fatalf("ticket %d", w.ticket)
	}
	o.j.Close()
	o.mustOpen(0, 5000)
	o.j.Close()
}

func TestAFileIsSealedWhenItIsCompleteAndAllOfItIsApplied(t *testing.T) {
	mem := vfs.NewMemory()
	o := newOwner(t, mem, manual(4<<10))
	told := 0
	o.c.Sealed = func() { told++ }
	o.mustOpen(0, 1)
	first, _ := o.j.Append(content(0, 2000), true)
	o.j.Append(content(1, 2000), true)
	o.commit()
	second, _ := o.j.Append(content(2, 2000), true)
	if first.File == second.File {
		t.Fatal("one file")
	}
	o.commit()
	if got := o.j.SealedFiles(); len(got) != 0 || told != 0 {
		t.Fatalf("sealed before they are applied: %v", got)
	}
	o.j.Applied(first.File)
	if got := o.j.SealedFiles(); len(got) != 0 {
		t.Fatalf("sealed when half is applied: %v", got)
	}
	o.j.Applied(first.File)
	want := []FileInfo{{first.File, fileHeader + frameHeader + 2*(unitHeader+2000)}}
	if got := o.j.SealedFiles(); !slices.Equal(got, want) || told != 1 {
		t.Fatalf("sealed are %v, told %d times, want %v", got, told, want)
	}
	if got := o.j.Files(); !slices.Equal(got, []uint64{first.File, second.File}) {
		t.Fatalf("files are %v", got)
	}
	if err := o.j.Recycle(second.File); err == nil {
		t.Error("a file that is written to was recycled")
	}
	if err := o.j.Seal(); err != nil {
		t.Fatal(err)
	}
	o.j.Applied(second.File)
	if got := o.j.SealedFiles(); len(got) != 2 || told != 2 {
		t.Fatalf("sealed are %v, told %d times", got, told)
	}
	if err := o.j.Seal(); err != nil || len(o.j.Files()) != 2 {
		t.Errorf("sealing nothing: %v, %v", o.j.Files(), err)
	}
	if err := o.j.Adopt(first.File); err != nil {
		t.Fatal(err)
	}
	if err := o.j.Recycle(second.File); err != nil {
		t.Fatal(err)
	}
	if got := o.j.Files(); len(got) != 0 {
		t.Errorf("files are %v", got)
	}
	if third, _ := o.j.Append(content(3, 10), true); third.File <= second.File {
		t.Errorf("file %d comes after %d", third.File, second.File)
	}
	o.j.Close()
	if _, err := mem.Open(filepath.Join(dir, Name(first.File))); err != nil {
		t.Errorf("an adopted file: %v", err)
	}
	if _, err := mem.Open(filepath.Join(dir, Name(second.File))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a recycled file: %v", err)
	}
}

func TestFilesMayLeaveTheMiddleOnceTheOwnerKnowsWhatWasInThem(t *testing.T) {
	o := newOwner(t, vfs.NewMemory(), manual(2<<10))
	o.mustOpen(0, 1)
	for range 9 {
		o.append(1000, true)
		o.commit()
	}
	o.j.Seal()
	sealed := o.j.SealedFiles()
	for _, i := range []int{2, 4} {
		if err := o.j.Adopt(sealed[i].Number); err != nil {
			t.Fatal(err)
		}
		o.c.FS.Remove(filepath.Join(dir, Name(sealed[i].Number)))
	}
	durable := o.j.Durable()
	o.j.Close()
	gone := func(w written) bool { return w.at.File == sealed[2].Number || w.at.File == sealed[4].Number }
	got, _ := o.mustOpen(0, durable+1)
	o.same(got, slices.DeleteFunc(slices.Clone(o.all), gone))
	o.j.Close()
	var last storage.Ticket // in what has left
	for _, w := range o.all {
		if gone(w) {
			last = w.ticket
		}
	}
	if _, _, err := o.open(0, last); !errors.As(err, new(*storage.DamageError)) {
		t.Errorf("frame %d is neither known nor there: %v", last, err)
	}
}

func TestRecycledFilesAreWrittenAgainAndNeverShowWhatTheyHeld(t *testing.T) {
	mem := vfs.NewMemory()
	o := newOwner(t, mem, manual(8<<10))
	o.mustOpen(0, 1)
	next := storage.Ticket(1)
	for round := range 60 {
		for range 5 {
			o.append(1500, true) // always as long: frames of all lives of a file lie in the same places
			o.commit()
		}
		for _, s := range o.j.SealedFiles() {
			if err := o.j.Recycle(s.Number); err != nil {
				t.Fatal(err)
			}
		}
		next = o.j.Durable() + 1
		from := o.j.Files()[0]
		want := slices.DeleteFunc(slices.Clone(o.all), func(w written) bool { return w.at.File < from })
		after := newOwner(t, mem.Clone(), manual(8<<10))
		got, rec := after.mustOpen(from, next)
		after.same(got, want)
		if rec.TornFile != 0 {
			t.Fatalf("round %d: old frames were taken for a torn one: %+v", round, rec)
		}
		after.j.Close()
	}
	if s := o.j.Stats(); s.Spares == 0 || s.Spares > maxSpares {
		t.Errorf("%d spares", s.Spares)
	}
	o.j.Close()
	names, _ := mem.List(dir)
	if len(names) > 3+maxSpares {
		t.Errorf("files pile up: %v", names)
	}
	spares := o.j.Stats().Spares
	o.mustOpen(o.j.Files()[0], next)
	if got := o.j.Stats().Spares; got != spares {
		t.Errorf("%d spares are found again, of %d", got, spares)
	}
	o.j.Close()
}

func TestUnitsLongerThanTheBufferAndTheFileGoThrough(t *testing.T) {
	c := manual(16 << 10)
	c.MaxBuffer = 8 << 10
	c.Manual = false
	o := newOwner(t, vfs.NewMemory(), c)
	o.mustOpen(0, 1)
	for _, n := range []int{100, 300 << 10, 5, 20 << 10, large, 0, 2 << 20, 1} {
		w := o.append(n, true)
		if err := o.j.Wait(w.ticket); err != nil {
			t.Fatal(err)
		}
	}
	o.readable(o.all)
	o.j.Close()
	got, _ := o.mustOpen(0, 1)
	o.same(got, o.all)
	o.j.Close()
}

func TestAppendBlocksWhileMaxBufferBytesWaitAndGoesOnInItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		o := start(t, vfs.NewMemory(), Config{MaxBuffer: 10 << 10, Committed: func(storage.Ticket) { <-gate }})
		o.append(1, true)
		synctest.Wait() // the committer hangs in Committed
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i := range 20 {
					at, _ := o.j.Append(content(i, 1000), false)
					o.j.Applied(at.File)
				}
			})
		}
		synctest.Wait()
		if waiting := o.j.Stats().Waiting; waiting > 10<<10 || waiting < 8<<10 {
			t.Errorf("%d bytes wait", waiting)
		}
		close(gate)
		wg.Wait()
		if err := o.j.Sync(); err != nil {
			t.Fatal(err)
		}
		if got := o.j.Stats().Units; got != 161 {
			t.Errorf("%d units, want 161", got)
		}
	})
}

func TestWhatIsNotUrgentGoesWithTheNextCommitOrAfterIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := start(t, vfs.NewMemory(), Config{Idle: time.Minute})
		begin := time.Now()
		w := o.append(10, false)
		synctest.Wait()
		if o.j.Durable() >= w.ticket {
			t.Error("committed at once")
		}
		if u := o.append(10, true); u.ticket != w.ticket {
			t.Errorf("tickets %d and %d", w.ticket, u.ticket)
		}
		synctest.Wait()
		if o.j.Durable() != w.ticket || time.Since(begin) != 0 {
			t.Errorf("durable is %d, want %d, after %v", o.j.Durable(), w.ticket, time.Since(begin))
		}
		time.Sleep(2 * time.Minute)
		begin = time.Now()
		w = o.append(10, false)
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		if o.j.Durable() >= w.ticket {
			t.Error("committed before Idle was over")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if o.j.Durable() < w.ticket {
			t.Errorf("not committed after %v", time.Since(begin))
		}
		for range 2 * eager / 1000 {
			w = o.append(1000, false)
		}
		synctest.Wait()
		if o.j.Durable()+1 < w.ticket {
			t.Errorf("ticket %d of much that is not urgent, durable is %d", w.ticket, o.j.Durable())
		}
	})
}

func TestIntervalSyncsWhenItIsOverAndNeverOnlyWithTheFile(t *testing.T) {
	for _, policy := range []storage.Sync{storage.Interval, storage.Never} {
		synctest.Test(t, func(t *testing.T) {
			mem := vfs.NewMemory()
			o := start(t, mem, Config{Sync: policy, Interval: time.Minute, FileSize: 1 << 20})
			for range 3 {
				syncs := o.j.Stats().Syncs
				w := o.append(10, true)
				if err := o.j.Wait(w.ticket); err != nil {
					t.Fatal(err)
				}
				if got := o.j.Stats().Syncs - syncs; got > 0 && syncs > 0 {
					t.Errorf("%v: %d syncs of a commit", policy, got)
				}
				syncs = o.j.Stats().Syncs
				time.Sleep(time.Minute)
				synctest.Wait()
				want := map[storage.Sync]uint64{storage.Interval: 1, storage.Never: 0}[policy]
				if got := o.j.Stats().Syncs - syncs; got != want {
					t.Errorf("%v: %d syncs of an interval, want %d", policy, got, want)
				}
			}
		})
	}
}

func TestWaitEndsWithItsTicketOrWithWhyItNeverComes(t *testing.T) {
	o := newOwner(t, vfs.NewMemory(), Config{Idle: time.Hour})
	o.mustOpen(0, 1)
	if err := o.j.Wait(0); err != nil {
		t.Error(err)
	}
	if err := o.j.Wait(1); err == nil {
		t.Error("waited for a ticket that nobody has")
	}
	for range 50 {
		if err := o.j.Wait(o.append(10, false).ticket); err != nil { // waiting makes it urgent
			t.Fatal(err)
		}
	}
	last := o.append(10, false)
	if err := o.j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := o.j.Wait(last.ticket); err != nil {
		t.Errorf("Close does not commit: %v", err)
	}
	_, ticket := o.j.Append([]byte("late"), true)
	if err := o.j.Wait(ticket); !errors.Is(err, storage.ErrClosed) || !errors.Is(o.j.Err(), storage.ErrClosed) {
		t.Errorf("after Close: %v, %v", err, o.j.Err())
	}
	if err := o.j.Commit(); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("Commit after Close: %v", err)
	}
	if err := o.j.Close(); err != nil {
		t.Errorf("Close after Close: %v", err)
	}
}

func TestAManualJournalDoesTheSameToTheByteEachTime(t *testing.T) {
	run := func() (disk [][]byte) {
		mem := vfs.NewMemory()
		o := newOwner(t, mem, manual(8<<10))
		o.mustOpen(0, 1)
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			o.append(rnd.IntN(800), rnd.IntN(2) == 0)
			if rnd.IntN(3) == 0 {
				o.commit()
			}
			if rnd.IntN(20) == 0 {
				for _, s := range o.j.SealedFiles() {
					o.j.Recycle(s.Number)
				}
			}
		}
		o.j.Close()
		names, _ := mem.List(dir)
		for _, name := range names {
			disk = append(disk, []byte(name), readAll(t, mem, name))
		}
		return disk
	}
	if !slices.EqualFunc(run(), run(), bytes.Equal) {
		t.Error("two runs of the same left different files")
	}
}

func TestManyGoroutinesGetEachOfTheirUnitsThroughInTheirOrder(t *testing.T) {
	o := newOwner(t, vfs.NewMemory(), Config{FileSize: 256 << 10, MaxBuffer: 32 << 10})
	var committed []storage.Ticket // by the committer
	o.c.Committed = func(durable storage.Ticket) { committed = append(committed, durable) }
	o.mustOpen(0, 1)
	const writers, each = 8, 400
	var wg sync.WaitGroup
	for g := range writers {
		wg.Go(func() {
			for i := range each {
				unit := make([]byte, 8+(i*g)%3000)
				binary.LittleEndian.PutUint32(unit, uint32(g))
				binary.LittleEndian.PutUint32(unit[4:], uint32(i))
				at, ticket := o.j.Append(unit, i%2 == 0)
				got := make([]byte, len(unit))
				if err := o.j.ReadAt(at.File, got, at.Offset); err != nil || !bytes.Equal(got, unit) {
					t.Errorf("reading what was just written: %v", err)
				}
				o.j.Applied(at.File)
				if i%100 == 0 {
					if err := o.j.Wait(ticket); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			for _, s := range o.j.SealedFiles() {
				_ = s.Size
			}
			o.j.Seal()
			o.j.Stats()
		}
	})
	wg.Wait()
	if err := o.j.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(committed) {
		t.Error("Committed goes back")
	}
	got, _ := o.mustOpen(0, 1)
	next := make([]uint32, writers)
	for _, w := range got {
		g, i := binary.LittleEndian.Uint32(w.unit), binary.LittleEndian.Uint32(w.unit[4:])
		if next[g] != i {
			t.Fatalf("writer %d: unit %d where %d belongs", g, i, next[g])
		}
		next[g]++
	}
	for g, n := range next {
		if n != each {
			t.Errorf("writer %d: %d units of %d", g, n, each)
		}
	}
	o.j.Close()
}

func TestASpareIsMadeOnceTheFirstFileIsHalfFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMemory()
		o := start(t, mem, Config{FileSize: 256 << 10})
		put := func(bytes int) {
			for n := 0; n < bytes; n += 1000 {
				if err := o.j.Wait(o.append(1000, true).ticket); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		put(100 << 10)
		if o.j.Stats().Spares != 0 {
			t.Error("a spare that nobody may need")
		}
		put(50 << 10)
		if o.j.Stats().Spares != 1 {
			t.Error("no spare")
		}
		put(150 << 10)
		names, _ := mem.List(dir)
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, spareSuffix) }) || len(names) != 2 {
			t.Errorf("the spare was not used: %v", names)
		}
		o.j.Close()
		got, _ := o.mustOpen(0, 1)
		o.same(got, o.all)
	})
}

func TestNamesOfFilesAreReadBack(t *testing.T) {
	for _, number := range []uint64{0, 1, 999999, 1000000, 1<<64 - 1} {
		if got, ok := Number(Name(number)); !ok || got != number {
			t.Errorf("%s is %d, %v", Name(number), got, ok)
		}
	}
	for _, name := range []string{"", "1.journal", "0000001.journal", "000001.segment", "+00001.journal", "000001.journal.tmp", "abc.journal"} {
		if n, ok := Number(name); ok {
			t.Errorf("%q is file %d", name, n)
		}
	}
}

func readAll(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); n > 0 && err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNoSpareIsKeptWhileTheDiskIsShortOfRoom(t *testing.T) {
	mem := vfs.NewMemory()
	o := start(t, mem, manual(1000))
	spares := func() (n int) {
		t.Helper()
		names, err := mem.List(o.c.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, spareSuffix) {
				n++
			}
		}
		return n
	}
	cycle := func() {
		t.Helper()
		number := o.append(900, true).at.File
		o.commit()
		if err := o.j.Seal(); err != nil {
			t.Fatal(err)
		}
		if err := o.j.Recycle(number); err != nil {
			t.Fatal(err)
		}
	}
	cycle()
	if n := spares(); n != 1 {
		t.Fatalf("%d spares", n)
	}
	o.j.Lean(true)
	if n := spares(); n != 0 {
		t.Errorf("%d spares on a disk that is short of room", n)
	}
	cycle()
	if n := spares(); n != 0 {
		t.Errorf("%d spares were kept on a disk that is short of room", n)
	}
	o.j.Lean(false)
	cycle()
	if n := spares(); n != 1 {
		t.Errorf("%d spares when there is room again", n)
	}
}
