package fsck

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage/disk"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// checkRepaired repairs a folder and holds the result against what there was before it was damaged. alone says that one file was.
func checkRepaired(t fataler, m *vfs.Memory, records, values map[string]string, alone bool) *Report {
	t.Helper()
	o := &Options{fs: m}
	r, err := Repair(context.Background(), testDir, o)
	if err != nil {
		t.Fatalf("Repair: %v", err)
	}
	after := clean(t, m, testDir)
	for _, queues := range [][]Queue{r.Queues, after.Queues} {
		for i := range queues {
			queues[i].Bytes = 0 // an estimate
		}
	}
	if !slices.Equal(r.Queues, after.Queues) {
		t.Fatalf("Repair says that there is %+v, Check says %+v", r.Queues, after.Queues)
	}
	have, kept := readAll(t, m, testDir)
	if len(have) != r.Messages() {
		t.Fatalf("Repair says that it kept %d messages, there are %d", r.Messages(), len(have))
	}
	// What is there is what there was. How often a message has been out may be forgotten, or be said too carefully.
	for key, got := range have {
		want, ok := records[key]
		if ok && payload(got) != payload(want) {
			t.Fatalf("record %s has become %q from %q", key, got, want)
		}
	}
	// What is not there is reported.
	lost := map[string]bool{}
	vague := false
	for _, p := range r.Problems {
		for _, l := range p.Lost {
			for _, seq := range l.Seqs {
				lost[fmt.Sprintf("%d/%d", l.Stream, seq)] = true
			}
		}
		vague = vague || strings.Contains(p.Means, "at most") || strings.Contains(p.Means, "cannot be told") ||
			!alone && strings.Contains(p.Means, "whether other files are missing")
	}
	for key := range records {
		if _, ok := have[key]; !ok && !lost[key] && !vague {
			t.Fatalf("record %s has gone and nobody says so: %+v", key, r.Problems)
		}
		if _, ok := have[key]; ok && lost[key] {
			t.Fatalf("record %s is said to be lost, and is there", key)
		}
	}
	defaced := slices.ContainsFunc(r.Problems, func(p Problem) bool {
		return strings.Contains(p.Means, "definitions") || p.File == definitionsName
	})
	if !defaced && !maps.Equal(values, kept) {
		t.Fatalf("definitions have changed and nobody says so: %q\n%q\n%+v", values, kept, r.Problems)
	}
	for _, moved := range r.Moved {
		if _, err := sizeOf(m, filepath.Join(testDir, moved)); err != nil {
			t.Fatalf("the damaged file is not where it is said to be: %v", err)
		}
	}
	return r
}

// payload is a record without how often it has been out.
func payload(s string) string { _, s, _ = strings.Cut(s, " "); return s }

var everyBit = flag.Bool("every-bit", false, "flip every bit, instead of one in 35")

// flips calls with for bits of every file: in the end each of a byte's bits is among them. Of large files there are fewer.
func flips(t *testing.T, m *vfs.Memory, with func(name string, bit int64)) {
	for _, name := range slices.Sorted(maps.Keys(sizes(t, m, testDir))) {
		n := sizes(t, m, testDir)[name]
		step := int64(35)
		switch {
		case *everyBit:
			step = 1
		case testing.Short():
			step = 119
		}
		if n > 16<<10 {
			step *= 225
		}
		for bit := int64(0); bit < 8*n; bit += step {
			with(name, bit)
		}
	}
}

func TestEveryFlippedBitIsReportedOrHarmlessAndRepaired(t *testing.T) {
	for _, killed := range []bool{false, true} {
		base := vfs.NewMemory()
		var earlier map[string]string // before the last commit
		st := small(t, base, testDir, func(st *disk.Store) { earlier, _ = contents(t, st) })
		if !killed {
			must(t, st.Close())
		}
		base = base.Clone()
		records, values := readAll(t, base, testDir)
		reported, harmless := map[string]int{}, map[string]int{}
		flips(t, base, func(name string, bit int64) {
			t.Run(fmt.Sprintf("%v/%s/%d.%d", killed, name, bit/8, bit%8), func(t *testing.T) {
				m := base.Clone()
				must(t, m.Flip(filepath.Join(testDir, name), bit))
				r, err := Check(t.Context(), testDir, &Options{fs: m})
				if err != nil {
					if strings.Contains(err.Error(), "version") {
						return // a number that says that it is of a later version
					}
					t.Fatalf("Check: %v", err)
				}
				if len(r.Problems) == 0 {
					harmless[name]++
					have, kept := readAll(t, m, testDir)
					if killed && len(r.Notes) > 0 && maps.Equal(have, earlier) {
						return // nobody can tell a last commit that was torn from one that was not
					}
					if !maps.Equal(have, records) || !maps.Equal(kept, values) {
						t.Fatalf("a bit has changed what there is, and nobody says so: %q\n%q", have, records)
					}
					return
				}
				reported[name]++
				checkRepaired(t, m, records, values, true)
			})
		})
		t.Logf("killed %v: flips were reported %v, harmless %v", killed, reported, harmless)
		if len(reported) < 5 {
			t.Error("nothing was reported")
		}
	}
}

func TestEveryFileThatIsMissingIsReportedAndRepaired(t *testing.T) {
	base := vfs.NewMemory()
	must(t, small(t, base, testDir, nil).Close())
	records, values := readAll(t, base, testDir)
	for name := range sizes(t, base, testDir) {
		t.Run(name, func(t *testing.T) {
			m := base.Clone()
			must(t, m.Remove(filepath.Join(testDir, name)))
			r, err := Check(t.Context(), testDir, &Options{fs: m})
			must(t, err)
			if name == lockName {
				if len(r.Problems) > 0 {
					t.Fatalf("%+v", r.Problems)
				}
				return
			}
			if len(r.Problems) == 0 {
				t.Fatal("nobody says so")
			}
			r = checkRepaired(t, m, records, values, true)
			for _, p := range r.Problems {
				t.Logf("%s at %d: %s\n  %s\n  %s", p.File, p.Offset, p.What, p.Means, p.Repair)
			}
		})
	}
}

func TestARepairThatIsKilledAtAnyOperationCanBeBegunAgain(t *testing.T) {
	base := vfs.NewMemory()
	must(t, small(t, base, testDir, nil).Close())
	records, values := readAll(t, base, testDir)
	for name, n := range sizes(t, base, testDir) {
		if name == lockName {
			continue
		}
		broken := base.Clone()
		must(t, broken.Flip(filepath.Join(testDir, name), 8*(n/2)))
		if r, err := Check(t.Context(), testDir, &Options{fs: broken}); err != nil || len(r.Problems) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			killed := errors.New("killed")
			for at := 1; ; at++ {
				m := broken.Clone()
				_, err := Repair(t.Context(), testDir, &Options{fs: vfs.Inject(m, func(op vfs.Op) error {
					if op.Count >= at {
						return killed
					}
					return nil
				})})
				if err == nil {
					if at < 20 {
						t.Fatalf("it has made %d operations only", at)
					}
					break
				}
				if !errors.Is(err, killed) {
					t.Fatalf("at operation %d: %v", at, err)
				}
				m = m.Clone()
				// What it has put aside, it has put aside once.
				again, err := Check(t.Context(), testDir, &Options{fs: m})
				must(t, err)
				if len(again.Problems) > 0 {
					checkRepaired(t, m, records, values, true)
				} else {
					readAll(t, m, testDir)
				}
				aside, err := m.List(filepath.Join(testDir, AsideName))
				must(t, err)
				if !slices.Contains(aside, name) {
					t.Fatalf("at operation %d: %s was not put aside: %v", at, name, aside)
				}
				for _, other := range aside {
					if strings.HasSuffix(other, ".1") {
						t.Fatalf("at operation %d: a file was put aside twice: %v", at, aside)
					}
				}
			}
		})
	}
}
