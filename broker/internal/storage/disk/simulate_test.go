package disk

import (
	"flag"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage/storetest"
)

var (
	seeds     = flag.Uint64("seeds", 60, "how many simulations to run")
	firstSeed = flag.Uint64("seed", 1, "the seed of the first simulation")
	trace     = flag.Bool("trace", false, "tell each step of the simulations")
)

func TestNothingThatIsDurableIsLostInSimulations(t *testing.T) {
	var sum storetest.Tally
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		s := storetest.Simulation{Open: openSubject, Seed: seed}
		if *trace {
			s.Trace = t.Logf
		}
		one, err := s.Run()
		sum.Add(one)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	t.Log(sum)
}
