package disk

import (
	"errors"
	"maps"
	"reflect"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// inspected returns the folder of a store that has a bit of everything, and its records.
func inspected(t testing.TB) (vfs.FS, map[uint64][]uint64) {
	m := vfs.NewMemory()
	st, err := Open(Options{FS: m, Dir: "data", JournalSize: 4 << 10, Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	do := func(f func() error) {
		t.Helper()
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	streams := []storage.Stream{st.NewStream(), st.NewStream(), st.NewStream()}
	b := st.NewBatch()
	for seq := uint64(1); seq < 900; seq++ {
		b.Message(int(seq % 7))
		for i, s := range streams {
			if int(seq)%(i+1) == 0 {
				b.To(s, seq, int64(seq%3), false)
			}
		}
		if seq%3 == 0 && seq > 300 {
			b.Settle(streams[0], seq-200)
		}
		if seq%100 == 0 {
			b.Returned(streams[1], seq, 4)
			b.Delivered(streams[0], seq-50)
			b.Settle(streams[2], seq+1)
			b.Put("key", []byte{byte(seq / 100)})
			b.Commit(true)
			do(st.Commit)
		}
		if seq%250 == 0 {
			do(st.Seal)
			do(st.CopyOut)
			do(st.CopyOut)
		}
	}
	b.Commit(true)
	do(st.Checkpoint)
	do(st.Close)
	return m, liveIn(t, m)
}

// liveIn returns which records a store has.
func liveIn(t testing.TB, fs vfs.FS) map[uint64][]uint64 {
	t.Helper()
	st, err := Open(Options{FS: vfs.Shadow(fs), Dir: "data", Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	live := map[uint64][]uint64{}
	for _, id := range st.Streams() {
		if err := st.Stream(id).Read(0, func(r *storage.Record) bool {
			live[id] = append(live[id], r.Seq<<16|uint64(r.Deliveries))
			return true
		}); err != nil {
			t.Fatal(err)
		}
	}
	return live
}

func TestACheckpointThatIsReadAndWrittenAgainSaysTheSame(t *testing.T) {
	fs, want := inspected(t)
	c, err := ReadCheckpoint(fs, "data")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Segments) == 0 || len(c.Streams) != 3 || len(want[1]) == 0 {
		t.Fatalf("%+v", c)
	}
	if err := c.Write(fs, "data"); err != nil {
		t.Fatal(err)
	}
	again, err := ReadCheckpoint(fs, "data")
	if err != nil || !reflect.DeepEqual(again, c) {
		t.Fatalf("%v\n%+v\n%+v", err, again, c)
	}
	if got := liveIn(t, fs); !reflect.DeepEqual(got, want) {
		t.Errorf("the store has %v\nand had %v", got, want)
	}
}

func TestValuesOfADamagedFileAreReadAsFarAsTheyGo(t *testing.T) {
	m := vfs.NewMemory()
	if err := m.MkdirAll("data"); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"a": []byte("1"), "b": []byte("2"), "c": nil}
	n, err := WriteValues(m, "data", 7, want)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b []byte) bool { return string(a) == string(b) }
	if got, err := ReadValues(m, "data", 7); err != nil || !maps.EqualFunc(got, want, same) {
		t.Fatalf("%v, %q", err, got)
	}
	if err := m.Flip("data/"+MetaName(7), 8*(n-1)); err != nil {
		t.Fatal(err)
	}
	got, err := ReadValues(m, "data", 7)
	if _, ok := errors.AsType[*storage.DamageError](err); !ok || !maps.EqualFunc(got, want, same) {
		t.Fatalf("%v, %q", err, got)
	}
}

func TestChangesAreThoseThatTheBatchWasMadeOf(t *testing.T) {
	var got []Op
	if err := Changes(someUnit(t), func(c *Change) error {
		got = append(got, c.Op)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := map[Op]int{OpTo: 3, OpReturned: 1, OpSettle: 1, OpDelivered: 1, OpTruncate: 1, OpDrop: 1, OpPut: 1, OpDelete: 1}
	for _, op := range got {
		want[op]--
	}
	for op, n := range want {
		if n != 0 {
			t.Errorf("%s: %d more were made", op, n)
		}
	}
	stop := errors.New("stop")
	if err := Changes(someUnit(t), func(*Change) error { return stop }); err != stop {
		t.Errorf("visit's error became %v", err)
	}
}

func FuzzInspectCheckpoint(f *testing.F) {
	fs, _ := inspected(f)
	b, err := readFile(fs, "data", checkpointName)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[fileHead : len(b)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decodeCheckpoint(appendSum(append(appendHead(nil, checkpointMagic, checkpointVersion), body...)))
		if err != nil {
			return
		}
		again, err := decodeCheckpoint(c.encode())
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%v\n%+v\n%+v", err, again, c)
		}
	})
}

func FuzzChanges(f *testing.F) {
	f.Add(someUnit(f))
	f.Fuzz(func(t *testing.T, unit []byte) {
		err := Changes(unit, func(c *Change) error {
			if c.Op == "" || c.Offset >= len(unit) || c.Op == OpTo && len(c.Block) < 8 {
				t.Fatalf("%+v", c)
			}
			return nil
		})
		if err != nil && err != ErrUnit {
			t.Fatal(err)
		}
	})
}
