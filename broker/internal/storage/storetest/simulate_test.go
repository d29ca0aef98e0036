package storetest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// number returns a number of the environment, or what it is by default.
func number(t testing.TB, name string, byDefault uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return byDefault
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// seeds calls run with one seed after another, and says at a failure which it was. STORE_SEED is the one to run,
// STORE_SEEDS how many there are otherwise, WARREN_SEED where they begin.
func seeds(t *testing.T, byDefault int, run func(seed uint64) error) {
	first, n := number(t, "WARREN_SEED", rand.Uint64()>>32)<<20, number(t, "STORE_SEEDS", uint64(byDefault))
	if testing.Short() {
		n = max(n/10, 1)
	}
	if os.Getenv("STORE_SEED") != "" {
		first, n = number(t, "STORE_SEED", 0), 1
	}
	for seed := first; seed < first+n; seed++ {
		if err := run(seed); err != nil {
			t.Fatalf("seed %d (repeat with STORE_SEED=%d -run '^%s$'): %v", seed, seed, t.Name(), err)
		}
	}
}

// simulate runs simulations of a store and logs what happened in them.
func simulate(t *testing.T, s Simulation, byDefault int) {
	var tally Tally
	seeds(t, byDefault, func(seed uint64) error {
		s.Seed = seed
		if os.Getenv("STORE_TRACE") != "" {
			s.Trace = t.Logf
		}
		one, err := s.Run()
		tally.Add(one)
		return err
	})
	t.Log(tally)
}

func TestAPlainStoreKeepsItsPromisesWhateverCrashes(t *testing.T) {
	simulate(t, Simulation{Open: openPlain(none)}, 30)
}

func TestTheSimulationFindsEachFaultThatIsPlanted(t *testing.T) {
	for b, name := range bugs {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(500) {
				if _, err := (Simulation{Open: openPlain(b), Seed: seed}).Run(); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Error("500 seeds have found nothing")
		})
	}
}

var bugs = map[bug]string{
	unsynced: "unsynced", unchecked: "unchecked", unnamed: "unnamed", unsyncedFile: "unsynced file", forgetful: "forgetful",
	silent: "silent", countsAnew: "counts anew", torn: "torn", skipsBadBatches: "skips bad batches",
}
