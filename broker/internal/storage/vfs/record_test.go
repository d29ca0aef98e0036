package vfs

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestRecordingRepeatsEveryMoment(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := NewMemory()
		w := newWorld(t, m, "/data")
		for _, a := range scripts(rt) { // a past, with files that are open, or removed and open
			w.do(a)
		}
		r := Record(m)
		// What each step left, to the program and after a power cut that takes all.
		now, durable := []disk{dump(t, m, "/data")}, []disk{dump(t, m.Clone().Crash(nothing(), 0), "/data")}
		for _, a := range scripts(rt) {
			w.do(a)
			switch n := r.Len(); n - len(now) {
			case -1:
			case 0:
				now, durable = append(now, dump(t, m, "/data")), append(durable, dump(t, m.Clone().Crash(nothing(), 0), "/data"))
			default:
				rt.Fatalf("%v has made %d steps", a.Kind, n-len(now)+1)
			}
		}
		r.Stop()
		put(t, m, "/data/after", []byte("x"), true)
		if r.Len() != len(now)-1 {
			rt.Fatalf("recorded on after Stop")
		}
		check := func(n int) {
			at := r.At(n)
			if got := dump(t, at, "/data"); !maps.Equal(got, now[n]) {
				rt.Fatalf("behind step %d there is %v, there was %v", n, got, now[n])
			}
			if got := dump(t, at.Crash(nothing(), 0), "/data"); !maps.Equal(got, durable[n]) {
				rt.Fatalf("behind step %d %v is durable, it was %v", n, got, durable[n])
			}
		}
		for n := range now {
			check(n)
		}
		for range 3 {
			check(rapid.IntRange(0, len(now)-1).Draw(rt, "n"))
		}
	})
}

// A file that was removed while it was open is still written, and after a crash it may have its name again.
func TestRecordingGoesOnWithFilesThatLostTheirNames(t *testing.T) {
	m := NewMemory()
	put(t, m, "f", []byte("old"), true)
	must(t, m.SyncDir("."))
	r := Record(m)
	f, err := m.OpenReadWrite("f")
	must(t, err)
	must(t, m.Remove("f"))
	_, err = f.WriteAt([]byte("new"), 0)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
	for n, want := range []string{"old", "old", "old", "new"} {
		if got := readAll(t, r.At(n).Crash(nothing(), 0), "f"); string(got) != want {
			t.Errorf("behind step %d %q is durable, want %q", n, got, want)
		}
	}
}

func nothing() *rand.Rand { return rand.New(rand.NewPCG(0, 0)) }

func TestRecordingSaysWhatWasDone(t *testing.T) {
	m := NewMemory()
	m.SetCapacity(pageSize)
	r := Record(m)
	f, err := m.Create("f.tmp")
	must(t, err)
	_, _ = f.WriteAt(make([]byte, 2*pageSize), 0) // half of it fits
	must(t, f.Sync())
	must(t, f.Truncate(5))
	must(t, m.Rename("f.tmp", "f"))
	must(t, f.Close())
	_, _ = m.Open("none")
	_ = m.Remove("none")
	must(t, m.MkdirAll("d"))
	must(t, m.Link("f", "d/f"))
	must(t, m.Remove("f"))
	must(t, m.SyncDir("d"))
	want := []string{"#1 create f.tmp", "#2 write f.tmp [0,4096)", "#3 sync f.tmp", "#4 truncate f.tmp to 5", "#5 rename f.tmp to f",
		"#6 mkdir d", "#7 link f to d/f", "#8 remove f", "#9 sync folder d"}
	if r.Len() != len(want) {
		t.Errorf("%d steps, want %d", r.Len(), len(want))
	}
	for i := range min(r.Len(), len(want)) {
		if got := r.Step(i + 1).String(); got != want[i] {
			t.Errorf("step %d is %s, want %s", i+1, got, want[i])
		}
	}
}

// With little that is unsynced every way in which it can be left is shown, once.
func TestCutsAreAllThereAreIfTheyAreFew(t *testing.T) {
	m := NewMemory()
	put(t, m, "f", []byte("-----"), true)
	must(t, m.SyncDir("."))
	r := Record(m)
	f, err := m.OpenReadWrite("f")
	must(t, err)
	for i, s := range []string{"a", "b"} { // in one sector: the later takes the earlier along
		_, err = f.WriteAt([]byte(s), int64(i))
		must(t, err)
	}
	must(t, m.Rename("f", "g"))
	must(t, m.Rename("g", "h"))
	seen := map[string]int{}
	for c := range r.Cuts(r.Len(), 100, nil) {
		if c.After != 4 || c.Kept+c.Lost != 4 {
			t.Errorf("%v: %d things", c, c.Kept+c.Lost)
		}
		for name, s := range topFiles(t, c.Disk) {
			seen[name+" "+s]++
		}
	}
	want := map[string]int{}
	for _, name := range []string{"f", "g", "h"} {
		for s, ways := range map[string]int{"-----": 1, "a----": 1, "ab---": 2} {
			want[name+" "+s] = ways
		}
	}
	if !maps.Equal(seen, want) {
		t.Errorf("seen %v\nwant %v", seen, want)
	}
	n := 0
	for range r.Cuts(0, 100, nil) {
		n++
	}
	if n != 1 {
		t.Errorf("with nothing unsynced there are %d ways", n)
	}
}

func topFiles(t *testing.T, m *Memory) disk {
	d := disk{}
	names, err := m.List(".")
	must(t, err)
	for _, name := range names {
		d[name] = string(readAll(t, m, name))
	}
	return d
}

// With much unsynced the cuts are a sample: nothing and everything first, and also a hole, a lone sector and a torn tail.
func TestCutsAreASampleIfThereAreMany(t *testing.T) {
	m := NewMemory()
	must(t, m.SyncDir("."))
	f, err := m.Create("f")
	must(t, err)
	must(t, m.SyncDir("."))
	r := Record(m)
	const sectors = 100
	b := make([]byte, sectors*sectorSize)
	for i := range b {
		b[i] = 1
	}
	_, err = f.WriteAt(b, 0)
	must(t, err)
	var kinds []string
	for c := range r.Cuts(1, 42, rand.New(rand.NewPCG(5, 6))) {
		there, last := 0, -1
		for i, got := 0, readAll(t, c.Disk, "f"); i < len(got)/sectorSize; i++ {
			if got[i*sectorSize] == 1 {
				there, last = there+1, i
			}
		}
		switch {
		case there == 0:
			kinds = append(kinds, "nothing")
		case there == sectors:
			kinds = append(kinds, "everything")
		case there == sectors-1:
			kinds = append(kinds, "hole")
		case there == 1:
			kinds = append(kinds, "lone")
		case there == last+1:
			kinds = append(kinds, "tail")
		default:
			kinds = append(kinds, "mixed")
		}
	}
	if len(kinds) != 42 || kinds[0] != "nothing" || kinds[1] != "everything" {
		t.Fatalf("%d cuts: %v", len(kinds), kinds)
	}
	count := map[string]int{}
	for _, k := range kinds {
		count[k]++
	}
	for _, k := range []string{"hole", "lone", "tail", "mixed"} {
		if count[k] < 5 {
			t.Errorf("%d cuts of the kind %q: %v", count[k], k, kinds)
		}
	}
	for range r.Cuts(1, 42, rand.New(rand.NewPCG(5, 6))) {
		break // a caller may have seen enough
	}
}

func ExampleRecording_Cuts() {
	disk := NewMemory()
	run := Record(disk)

	// The run: a counter that promises to survive.
	promised := map[int]byte{} // after so many steps, this value
	f, _ := disk.Create("counter")
	_ = disk.SyncDir(".")
	for v := range byte(3) {
		_, _ = f.WriteAt([]byte{v}, 0)
		_ = f.Sync()
		promised[run.Len()] = v
	}

	cuts, broken, least := 0, 0, byte(0)
	for n := range run.Len() + 1 {
		least = max(least, promised[n])
		for cut := range run.Cuts(n, 16, rand.New(rand.NewPCG(1, uint64(n)))) {
			cuts++
			value := make([]byte, 1)
			if f, err := cut.Disk.Open("counter"); err == nil {
				_, _ = f.ReadAt(value, 0)
			}
			if value[0] < least {
				broken++
			}
		}
	}
	fmt.Println(cuts > 10, broken)
	// Output: true 0
}

func BenchmarkCuts4MB(b *testing.B) {
	m := filled(b)
	r := Record(m)
	f, err := m.OpenReadWrite("1")
	must(b, err)
	for i := range 100 {
		_, err = f.WriteAt(pattern(2000, byte(i)), 1<<20+int64(i)*2000)
		must(b, err)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		for range r.Cuts(n%101, 3, rnd) {
		}
	}
}
