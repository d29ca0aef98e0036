package fsck

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/warrenmq/warren/broker/internal/definitions"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// load commits from several goroutines until it is stopped. Batch n of a goroutine publishes record n to its stream, settles record n-8, but
// for every 50th, and puts n under its key: so a copy says which batches it has, and what must be in it.
type load struct {
	t       *testing.T
	store   *disk.Store
	streams []storage.Stream
	stop    atomic.Bool
	running sync.WaitGroup
	durable []atomic.Uint64 // by goroutine: the last batch that is

	mu    sync.Mutex
	order []int // whose batch each commit was; by mu
}

const keptBack = 8

func startLoad(t *testing.T, st *disk.Store, goroutines int) *load {
	l := &load{t: t, store: st, durable: make([]atomic.Uint64, goroutines)}
	b := st.NewBatch()
	vhost := definitions.VHost{Name: "/"}
	b.Put(vhost.Key(), vhost.AppendValue(nil))
	for g := range goroutines {
		l.streams = append(l.streams, st.NewStream())
		q := definitions.Queue{VHost: "/", Name: fmt.Sprint("queue", g), Durable: true, Stream: l.streams[g].ID()}
		b.Put(q.Key(), q.AppendValue(nil))
	}
	must(t, st.Wait(b.Commit(true)))
	for g := range goroutines {
		l.running.Go(func() { l.run(g) })
	}
	return l
}

func loadKey(g int) string { return fmt.Sprintf("count\x00%d", g) }

func (l *load) run(g int) {
	rnd := rand.New(rand.NewPCG(uint64(g), 1))
	b := l.store.NewBatch()
	for n := uint64(1); !l.stop.Load(); n++ {
		size := 8 + rnd.IntN(600)
		if rnd.IntN(40) == 0 {
			size = 70 << 10
		}
		binary.LittleEndian.PutUint64(b.Message(size), n)
		b.To(l.streams[g], n, 0, false)
		if n > keptBack && (n-keptBack)%50 != 0 {
			b.Settle(l.streams[g], n-keptBack)
		}
		b.Put(loadKey(g), binary.LittleEndian.AppendUint64(nil, n))
		l.mu.Lock()
		t := b.Commit(true)
		l.order = append(l.order, g)
		l.mu.Unlock()
		if rnd.IntN(4) == 0 {
			if err := l.store.Wait(t); err != nil {
				l.t.Error(err)
				return
			}
			l.durable[g].Store(n)
		}
	}
}

// holds checks that a folder is what the store was behind one commit, which is not before any that was durable.
func (l *load) holds(fs vfs.FS, dir string, durable []uint64) error {
	st, err := disk.Open(disk.Options{FS: fs, Dir: dir, Manual: true})
	if err != nil {
		return err
	}
	defer st.Close()
	total := uint64(0)
	counts := make([]uint64, len(l.streams))
	for g := range counts {
		if value, ok := st.Value(loadKey(g)); ok {
			counts[g] = binary.LittleEndian.Uint64(value)
		}
		if counts[g] < durable[g] {
			return fmt.Errorf("goroutine %d has %d batches in it, and %d were durable before it was begun", g, counts[g], durable[g])
		}
		total += counts[g]
		if err := holdsStream(st.Stream(l.streams[g].ID()), counts[g]); err != nil {
			return fmt.Errorf("goroutine %d: %w", g, err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	prefix := make([]uint64, len(counts))
	for _, g := range l.order[:total] {
		prefix[g]++
	}
	for g := range counts {
		if prefix[g] != counts[g] {
			return fmt.Errorf("it has %d batches by goroutine, the first %d that were committed are %d", counts, total, prefix)
		}
	}
	return nil
}

// holdsStream checks that a stream is what n batches have left of it.
func holdsStream(s storage.Stream, n uint64) (err error) {
	if n == 0 {
		return nil
	}
	if s == nil {
		return errors.New("its stream is not there")
	}
	next := uint64(1)
	due := func() bool { return next > n || next+keptBack > n || next%50 == 0 }
	rerr := s.Read(0, func(r *storage.Record) bool {
		for !due() {
			next++
		}
		if r.Seq != next || binary.LittleEndian.Uint64(r.Payload) != r.Seq {
			err = fmt.Errorf("record %d is there, with %d in it, where %d belongs", r.Seq, binary.LittleEndian.Uint64(r.Payload), next)
			return false
		}
		next++
		return true
	})
	for err == nil && !due() {
		next++
	}
	if err == nil && next != n+1 {
		err = fmt.Errorf("it ends before record %d of %d", next, n)
	}
	return errors.Join(err, rerr)
}

func TestBackupsOfARunningStoreAreItAsOfOneMoment(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "data")
	st, err := disk.Open(disk.Options{FS: vfs.OS(), Dir: dir, JournalSize: 256 << 10})
	must(t, err)
	l := startLoad(t, st, 4)
	defer func() {
		l.stop.Store(true)
		l.running.Wait()
		must(t, st.Close())
	}()
	backups := 40
	if testing.Short() {
		backups = 8
	}
	attempts := 0
	for i := range backups {
		durable := make([]uint64, len(l.durable))
		for g := range durable {
			durable[g] = l.durable[g].Load()
		}
		target := filepath.Join(root, fmt.Sprint("backup", i))
		done, err := Backup(t.Context(), dir, target, nil)
		if err != nil {
			t.Fatalf("backup %d: %v", i, err)
		}
		attempts += done.Attempts
		if r := clean(t, vfs.OS(), target); len(r.Queues) != len(l.streams) {
			t.Fatalf("%d queues: %+v", len(r.Queues), r.Queues)
		}
		if err := l.holds(vfs.OS(), target, durable); err != nil {
			t.Fatalf("backup %d: %v", i, err)
		}
	}
	l.stop.Store(true)
	l.running.Wait()
	t.Logf("%d backups in %d attempts, of a store with %d commits: %+v", backups, attempts, len(l.order), st.Stats())
	must(t, st.Close())
	target := filepath.Join(root, "stopped")
	_, err = Backup(t.Context(), dir, target, nil)
	must(t, err)
	all := make([]uint64, len(l.streams))
	for _, g := range l.order {
		all[g]++
	}
	must(t, l.holds(vfs.OS(), target, all))
}

func TestABackupIsWholeOrNotThere(t *testing.T) {
	m := vfs.NewMemory()
	must(t, small(t, m, testDir, nil).Close())
	records, values := readAll(t, m, testDir)
	broken := errors.New("broken")
	for at := 1; ; at++ {
		c := m.Clone()
		copied, err := Backup(t.Context(), testDir, "/copy", &Options{fs: vfs.Inject(c, func(op vfs.Op) error {
			if op.Count == at {
				return broken
			}
			return nil
		})})
		if err == nil {
			have, kept := readAll(t, c, "/copy")
			if !maps.Equal(have, records) || !maps.Equal(kept, values) {
				t.Fatalf("the copy has %v", have)
			}
			clean(t, c, "/copy")
			if at > 300 || copied.Files < 3 {
				t.Logf("%d operations, %+v", at, copied)
				break
			}
			continue // it was an error of closing what was read
		}
		if names, err := c.List("/copy"); err == nil && len(names) > 0 {
			t.Fatalf("at operation %d (%v) it has left %v", at, err, names)
		}
	}
}

func TestABackupGoesIntoAnEmptyFolderOnly(t *testing.T) {
	m := vfs.NewMemory()
	must(t, small(t, m, testDir, nil).Close())
	_, err := Backup(t.Context(), testDir, testDir, &Options{fs: m})
	if _, ok := errors.AsType[*TargetError](err); !ok {
		t.Errorf("onto itself: %v", err)
	}
	must(t, m.MkdirAll("/empty"))
	_, err = Backup(t.Context(), "/empty", "/copy", &Options{fs: m})
	if _, ok := errors.AsType[*NotAFolderError](err); !ok {
		t.Errorf("of nothing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Backup(ctx, testDir, "/copy", &Options{fs: m})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	clean(t, m, testDir)
}

func TestAFolderInUseIsLeftAlone(t *testing.T) {
	m := vfs.NewMemory()
	st := small(t, m, testDir, nil)
	for name, f := range map[string]func(context.Context, string, *Options) (*Report, error){"Check": Check, "Repair": Repair} {
		if _, err := f(t.Context(), testDir, &Options{fs: m}); !errors.As(err, new(*InUseError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, st.Close())
	clean(t, m, testDir)
}
