package journal

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

var seeds = flag.Uint64("seeds", 5, "how many seeds the crash tests take")

// known is what an owner has in its own durable records: what a recovery begins with.
type known struct {
	from uint64 // the first file that is needed
	next storage.Ticket
}

// promise is what was durable when the disk had done so many steps.
type promise struct {
	steps int
	units int // how many of the owner's
	known known
}

// life is what one process did with a journal, and all that it was promised meanwhile.
type life struct {
	o        *owner
	record   *vfs.Recording
	promises []promise
}

// live opens a journal on a disk and uses it at random. before is what earlier lives left there.
func live(t testing.TB, disk *vfs.Memory, rnd *rand.Rand, policy storage.Sync, before []written, k known, steps int) *life {
	t.Helper()
	l := &life{record: vfs.Record(disk)}
	o := newOwner(t, disk, Config{Manual: true, FileSize: 6 << 10, Sync: policy})
	l.o = o
	o.c.Committed = func(durable storage.Ticket) {
		n := len(o.all)
		for n > 0 && o.all[n-1].ticket > durable {
			n--
		}
		if policy != storage.Always {
			n = 0 // of a power cut nothing is promised
		}
		l.promises = append(l.promises, promise{l.record.Len(), n, k})
	}
	got, _ := o.mustOpen(k.from, k.next)
	o.same(got, suffix(before, k))
	o.all = slices.Clone(before)
	l.promises = []promise{{0, len(o.all), k}}
	serial := len(o.all)
	for range steps {
		switch rnd.IntN(12) {
		default:
			n := []int{rnd.IntN(40), rnd.IntN(600), rnd.IntN(600), rnd.IntN(3000)}[rnd.IntN(4)]
			if rnd.IntN(60) == 0 {
				n = large + rnd.IntN(1000)
			}
			serial++
			unit := content(serial*1000+rnd.IntN(1000), n)
			at, ticket := o.j.Append(unit, true)
			o.j.Applied(at.File)
			o.all = append(o.all, written{unit, at, ticket})
		case 0, 1, 2, 3:
			o.commit()
		case 4:
			if rnd.IntN(4) == 0 {
				if err := o.j.Seal(); err != nil {
					t.Fatal(err)
				}
			}
		case 5:
			// The owner has written what it needs of the sealed files elsewhere, and has noted that, durably.
			sealed := o.j.SealedFiles()
			if len(sealed) == 0 || policy != storage.Always {
				continue
			}
			gone := sealed[:1+rnd.IntN(len(sealed))]
			k = known{gone[len(gone)-1].Number + 1, o.j.Durable() + 1}
			last := l.promises[len(l.promises)-1]
			l.promises = append(l.promises, promise{l.record.Len(), last.units, k})
			for _, s := range gone {
				if err := o.j.Recycle(s.Number); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	l.record.Stop()
	return l
}

// suffix returns the units in files that are needed.
func suffix(all []written, k known) []written {
	i := slices.IndexFunc(all, func(w written) bool { return w.at.File >= k.from })
	if i < 0 {
		return nil
	}
	return all[i:]
}

// survived opens a disk after a power cut and returns what is there, with its tickets, after it was found to be what it
// must be.
func (l *life) survived(t testing.TB, what string, after int, disk *vfs.Memory) ([]written, known) {
	t.Helper()
	i := len(l.promises) - 1
	for l.promises[i].steps > after {
		i--
	}
	p := l.promises[i]
	o := newOwner(t, disk, manual(6<<10))
	got, _, err := o.open(p.known.from, p.known.next)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer o.j.Close()
	all := suffix(l.o.all, p.known)
	skipped := len(l.o.all) - len(all)
	if len(got) > len(all) {
		t.Fatalf("%s: %d units, %d were written", what, len(got), len(all))
	}
	t.Logf("%s: %d of %d units, %d promised", what, len(got), len(all), p.units-skipped)
	o.same(got, all[:len(got)])
	if skipped+len(got) < p.units {
		t.Fatalf("%s: %d units, of %d that were durable", what, skipped+len(got), p.units)
	}
	if n := len(got); n > 0 && n < len(all) && all[n].ticket == all[n-1].ticket {
		t.Fatalf("%s: half of commit %d", what, all[n].ticket)
	}
	return l.o.all[:skipped+len(got)], p.known
}

// quiet keeps the log of a life to itself until the test fails.
type quiet struct {
	testing.TB
	last string
}

func (q *quiet) Logf(format string, args ...any) { q.last = fmt.Sprintf(format, args...) }
func (q *quiet) Fatalf(format string, args ...any) {
	q.TB.Helper()
	q.TB.Fatalf("%s\n%s", q.last, fmt.Sprintf(format, args...))
}

// cutEverywhere cuts the power after every step of a journal's life in many ways: each 512-byte sector may be there or
// not, each name too. And on what is left life goes on, and the power is cut again.
func cutEverywhere(t testing.TB, policy storage.Sync, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	disk, before, k := vfs.NewMemory(), []written(nil), known{0, 1}
	for generation := range 3 {
		l := live(t, disk, rnd, policy, before, k, 120)
		q := &quiet{TB: t}
		for n := range l.record.Len() + 1 {
			for cut := range l.record.Cuts(n, 12, rnd) {
				left, known := l.survived(q, fmt.Sprintf("generation %d, %v", generation, cut), n, cut.Disk)
				if n == 0 || rnd.IntN(3*l.record.Len()) == 0 {
					disk, before, k = cut.Disk.Clone(), left, known
				}
			}
		}
	}
}

func TestAfterAPowerCutAnywhereAllThatWasDurableIsThereWholeAndInOrder(t *testing.T) {
	for _, policy := range []storage.Sync{storage.Always, storage.Interval} {
		for seed := range *seeds {
			t.Run(fmt.Sprintf("%v/seed=%d", policy, seed), func(t *testing.T) {
				t.Parallel()
				cutEverywhere(t, policy, seed)
			})
		}
	}
}

// A process that dies leaves what it wrote to the operating system. The one after it builds on that, so a power cut then
// must not take it.
func TestWhatARecoveryReplayedStays(t *testing.T) {
	for _, policy := range []storage.Sync{storage.Always, storage.Interval, storage.Never} {
		disk := vfs.NewMemory()
		o := newOwner(t, disk, Config{Manual: true, Sync: policy})
		o.mustOpen(0, 1)
		for range 20 {
			o.append(700, true)
			o.commit()
		}
		left := disk.Clone()
		o.j.Close()
		next := newOwner(t, left, manual(0))
		got, _ := next.mustOpen(0, 1)
		o.same(got, o.all)
		if next.j.Durable() < o.all[19].ticket {
			t.Fatal("replayed, and not durable")
		}
		cut := newOwner(t, left.Crash(nil, 0), manual(0))
		got, _ = cut.mustOpen(0, 1)
		o.same(got, o.all)
		cut.j.Close()
	}
}

// Recovering again and again, with the power cut each time, comes to the same.
func TestAPowerCutWhileRecoveringChangesNothing(t *testing.T) {
	for seed := range *seeds {
		rnd := rand.New(rand.NewPCG(seed, 4))
		first := live(t, vfs.NewMemory(), rnd, storage.Always, nil, known{0, 1}, 150)
		q := &quiet{TB: t}
		n := first.record.Len() - rnd.IntN(20)
		for cut := range first.record.Cuts(n, 20, rnd) {
			want, k := first.survived(q, cut.String(), n, cut.Disk.Clone())
			record := vfs.Record(cut.Disk)
			o := newOwner(t, cut.Disk, manual(6<<10))
			got, _ := o.mustOpen(k.from, k.next)
			o.same(got, suffix(want, k))
			record.Stop()
			for m := range record.Len() + 1 {
				for again := range record.Cuts(m, 10, rnd) {
					o := newOwner(t, again.Disk, manual(6<<10))
					got, _ := o.mustOpen(k.from, k.next)
					o.same(got, suffix(want, k))
					o.j.Close()
				}
			}
			o.j.Close()
		}
	}
}
