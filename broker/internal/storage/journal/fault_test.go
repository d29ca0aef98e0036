package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// script uses a manual journal in a way that comes by every operation that it has. Commits that find no room are repeated;
// any other error ends it.
func script(o *owner) error {
	commit := func(step func() error) error {
		for range 50 {
			if err := step(); !errors.Is(err, vfs.ErrNoSpace) {
				return err
			}
			o.append(50, true) // what comes meanwhile has its place behind
		}
		return errors.New("no room at all")
	}
	for i := range 40 {
		n := (i * 321) % 1200
		if i == 17 {
			n = large
		}
		o.append(n, true)
		if err := commit(o.j.Commit); err != nil {
			return err
		}
		if i == 25 {
			for _, s := range o.j.SealedFiles() {
				o.j.Recycle(s.Number) // an error means a spare less
			}
		}
		if i == 30 {
			if err := commit(o.j.Seal); err != nil {
				return err
			}
		}
	}
	return nil
}

// operations returns how many operations the script takes.
func operations(t *testing.T, c Config) int {
	count := 0
	o := newOwner(t, vfs.Inject(vfs.NewMemory(), func(op vfs.Op) error { count = op.Count; return nil }), c)
	o.mustOpen(0, 1)
	if err := script(o); err != nil {
		t.Fatal(err)
	}
	o.j.Close()
	return count
}

func needsRoom(k vfs.Kind) bool {
	return k == vfs.OpCreate || k == vfs.OpWriteAt || k == vfs.OpRename
}

func TestADiskThatIsFullAtAnyMomentLosesNothingAndKeepsTheOrder(t *testing.T) {
	c := manual(4 << 10)
	rnd := rand.New(rand.NewPCG(5, 5))
	for at := range operations(t, c) {
		full := 0
		mem := vfs.NewMemory()
		decide := func(op vfs.Op) error {
			// From one moment on, a few times, a write is done in part or not at all.
			if op.Count <= at || full == 3 || !needsRoom(op.Kind) {
				return nil
			}
			full++
			return &vfs.ShortWrite{N: rnd.IntN(op.Len + 1), Err: fmt.Errorf("injected: %w", vfs.ErrNoSpace)}
		}
		o := newOwner(t, vfs.Inject(mem, decide), c)
		var told []bool
		o.c.NoRoom = func(no bool) { told = append(told, no) }
		o.c.Failed = func(err error) { t.Errorf("full at %d: failed: %v", at, err) }
		o.mustOpen(0, 1)
		if err := script(o); err != nil {
			t.Fatalf("full at %d: %v", at, err)
		}
		for i, no := range told {
			if no != (i%2 == 0) {
				t.Fatalf("full at %d: told %v", at, told)
			}
		}
		if len(told)%2 != 0 || o.j.Stats().NoRoom {
			t.Errorf("full at %d: told %v, and there is room", at, told)
		}
		kept := o.j.Files()[0]
		if err := o.j.Close(); err != nil {
			// The last chance is gone when it comes to closing: then the error says so.
			if full == 0 || !errors.Is(err, vfs.ErrNoSpace) {
				t.Errorf("full at %d: Close: %v", at, err)
			}
		}
		after := newOwner(t, mem, c)
		got, _ := after.mustOpen(kept, o.j.Durable()+1)
		after.same(got, suffix(o.all, known{from: kept}))
		after.j.Close()
	}
}

func TestAfterAnErrorOfTheDiskNothingCountsAsDurableAnyMore(t *testing.T) {
	c := manual(4 << 10)
	rnd := rand.New(rand.NewPCG(6, 6))
	failures := 0
	for at := 5; at <= operations(t, c); at++ {
		mem := vfs.NewMemory()
		var failed []error
		decide := func(op vfs.Op) error {
			if op.Count == at {
				return &vfs.ShortWrite{N: rnd.IntN(op.Len + 1), Err: syscall.EIO}
			}
			return nil
		}
		o := newOwner(t, vfs.Inject(mem, decide), c)
		o.c.Failed = func(err error) { failed = append(failed, err) }
		_, _, err := o.open(0, 1)
		if err != nil {
			continue // opening fails, and says so
		}
		err = script(o)
		durable := o.j.Durable()
		switch {
		case err == nil && len(failed) == 0: // it hit something that does not matter
		case len(failed) != 1 || !errors.Is(err, syscall.EIO) || !errors.Is(failed[0], syscall.EIO) || !errors.Is(o.j.Err(), syscall.EIO):
			t.Fatalf("EIO at %d: %v, told %v", at, err, failed)
		default:
			failures++
			// The disk is well again, and that does not help.
			pos, ticket := o.j.Append([]byte("more"), true)
			if pos != (Pos{}) || ticket <= durable {
				t.Errorf("EIO at %d: Append gave %v, ticket %d", at, pos, ticket)
			}
			for _, step := range []func() error{o.j.Commit, o.j.Sync, o.j.Seal, func() error { return o.j.Wait(ticket) }} {
				if err := step(); !errors.Is(err, syscall.EIO) {
					t.Errorf("EIO at %d: then %v", at, err)
				}
			}
			if o.j.Durable() != durable || len(failed) != 1 {
				t.Errorf("EIO at %d: durable went from %d to %d, told %v", at, durable, o.j.Durable(), failed)
			}
			if err := o.j.Close(); !errors.Is(err, syscall.EIO) {
				t.Errorf("EIO at %d: Close: %v", at, err)
			}
		}
		// A power cut now takes nothing that was durable.
		promised := slices.DeleteFunc(slices.Clone(o.all), func(w written) bool { return w.ticket > durable })
		from := uint64(0)
		if files := o.j.Files(); len(files) > 0 {
			from = files[0]
		}
		after := newOwner(t, mem.Crash(rnd, rnd.Float64()), c)
		got, _ := after.mustOpen(from, durable+1)
		all := suffix(o.all, known{from: from})
		if len(got) < len(suffix(promised, known{from: from})) || len(got) > len(all) {
			t.Fatalf("EIO at %d: %d units, of %d promised and %d written", at, len(got), len(promised), len(all))
		}
		after.same(got, all[:len(got)])
		after.j.Close()
		o.j.Close()
	}
	if failures < 50 {
		t.Errorf("only %d errors mattered", failures)
	}
}

func TestAFailedSyncIsNeverTriedAgain(t *testing.T) {
	for _, wrong := range []error{syscall.EIO, vfs.ErrNoSpace} {
		syncs, ill := 0, false
		o := start(t, vfs.Inject(vfs.NewMemory(), func(op vfs.Op) error {
			if op.Kind == vfs.OpSync && ill {
				syncs++
				return wrong
			}
			return nil
		}), Config{})
		if err := o.j.Wait(o.append(10, true).ticket); err != nil {
			t.Fatal(err)
		}
		o.j.step.Lock() // the committer is not in the middle of something
		ill = true
		o.j.step.Unlock()
		if err := o.j.Wait(o.append(10, true).ticket); !errors.Is(err, wrong) {
			t.Errorf("waiting: %v, want %v", err, wrong)
		}
		o.append(10, true)
		o.j.Commit()
		o.j.Close()
		if syncs != 1 {
			t.Errorf("%d syncs", syncs)
		}
	}
}

func TestTheCommitterTriesAgainEveryTenthOfASecondUntilThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMemory()
		tries := 0 // by Inject
		o := newOwner(t, vfs.Inject(mem, func(op vfs.Op) error {
			if op.Kind == vfs.OpWriteAt {
				tries++
			}
			return nil
		}), Config{MaxBuffer: 64 << 10})
		var told []bool
		o.c.NoRoom = func(no bool) { told = append(told, no) }
		o.mustOpen(0, 1)
		if err := o.j.Wait(o.append(10, true).ticket); err != nil {
			t.Fatal(err)
		}
		o.past(100_000)
		mem.SetCapacity(mem.Used())
		before := tries
		o.append(20_000, true)
		time.Sleep(950 * time.Millisecond)
		synctest.Wait()
		if got := tries - before; got != 10 || !slices.Equal(told, []bool{true}) {
			t.Errorf("%d tries in 950 ms, told %v", got, told)
		}
		last := o.append(20_000, true)
		mem.SetCapacity(0)
		if err := o.j.Wait(last.ticket); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(told, []bool{true, false}) {
			t.Errorf("told %v", told)
		}
		o.readable(o.all)
		if err := o.j.Close(); err != nil {
			t.Fatal(err)
		}
		got, _ := o.mustOpen(0, 1)
		o.same(got, o.all)
		o.j.Close()
	})
}

func TestClosingOnAFullDiskSaysWhatIsNotDurableAndEndsEverybodysWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMemory()
		o := newOwner(t, mem, Config{MaxBuffer: 64 << 10})
		o.mustOpen(0, 1)
		if err := o.j.Wait(o.append(10, true).ticket); err != nil {
			t.Fatal(err)
		}
		o.past(100_000)
		mem.SetCapacity(mem.Used())
		lost := o.append(60_000, true)
		ended := make(chan error)
		go func() { ended <- o.j.Wait(lost.ticket) }()
		go func() {
			o.j.Append(content(1, 60_000), true)
			_, ticket := o.j.Append(content(2, 60_000), true) // blocks
			ended <- o.j.Wait(ticket)
		}()
		time.Sleep(time.Second)
		if err := o.j.Close(); !errors.Is(err, vfs.ErrNoSpace) {
			t.Errorf("Close: %v", err)
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, storage.ErrClosed) {
				t.Errorf("Wait: %v", err)
			}
		}
		if open := mem.OpenFiles(); len(open) != 0 {
			t.Errorf("left open: %v", open)
		}
		mem.SetCapacity(0)
		got, _ := o.mustOpen(0, 1)
		o.same(got, o.all[:2])
		o.j.Close()
	})
}

// past appends so much that nothing is left of what was written ahead.
func (o *owner) past(n int) {
	o.Helper()
	if err := o.j.Wait(o.append(n, true).ticket); err != nil {
		o.Fatal(err)
	}
}
