package crash

import (
	"errors"
	"testing"
	"time"

	"github.com/warrenmq/warren/interop/lab"
)

// The end of the process takes nothing that was promised, whenever the disk is synced: the operating system has it.
func TestKilledBrokerKeepsItsPromises(t *testing.T) {
	for _, c := range []struct {
		sync         string
		sample, full int
	}{{"always", 8, 100}, {"interval", 2, 20}, {"never", 2, 20}} {
		t.Run(c.sync, func(t *testing.T) {
			h := newHarness(t, lab.Warren(t), c.sync, promise{}, lab.Rounds(c.sample, c.full))
			if err := h.run(); err != nil {
				t.Fatalf("seed %d: %v", lab.Seed(), err)
			}
		})
	}
}

// forgetful is the build tag of a warren that keeps in its own memory what it has not synced: a kill is a power cut then.
const forgetful = "warren_forgetful"

// A power cut takes nothing that was confirmed.
func TestPowerCutKeepsWhatWasConfirmed(t *testing.T) {
	h := newHarness(t, lab.WarrenWith(t, forgetful), "always", promise{}, lab.Rounds(8, 100))
	if err := h.run(); err != nil {
		t.Fatalf("seed %d: %v", lab.Seed(), err)
	}
	if n := h.history.count.lost; n != 0 {
		t.Errorf("%d confirmed messages were lost", n)
	}
}

// With --sync interval a power cut takes at most what was confirmed in the last interval, and never a part of something.
func TestPowerCutTakesTheLastIntervalAtMost(t *testing.T) {
	h := newHarness(t, lab.WarrenWith(t, forgetful), "interval", promise{window: syncInterval + patience}, lab.Rounds(2, 20))
	h.least = 2 * patience
	if err := h.run(); err != nil {
		t.Fatalf("seed %d: %v", lab.Seed(), err)
	}
}

// With --sync never a power cut takes what it likes, but never a part of something. That it does take something shows that
// the power is really cut, for the other tests' sake.
func TestPowerCutTakesWhatWasNeverSynced(t *testing.T) {
	h := newHarness(t, lab.WarrenWith(t, forgetful), "never", promise{window: -1}, max(5, lab.Rounds(5, 20)))
	if err := h.run(); err != nil {
		t.Fatalf("seed %d: %v", lab.Seed(), err)
	}
	if h.history.count.lost == 0 {
		t.Error("nothing was lost, in none of the power cuts")
	}
}

// The negative control: a journal that says that something is durable before it has synced it breaks a promise soon.
func TestPowerCutRevealsAJournalThatLies(t *testing.T) {
	const most = 30
	h := newHarness(t, lab.WarrenWith(t, forgetful, "storage_lies"), "always", promise{}, most)
	began := time.Now()
	err := h.run()
	var broken *violation
	switch {
	case errors.As(err, &broken):
		t.Logf("caught after %d restarts and %v:\n%.600s", len(h.restarts), time.Since(began).Round(time.Millisecond), broken.text)
	case err != nil:
		t.Fatalf("seed %d: %v", lab.Seed(), err)
	default:
		t.Fatalf("seed %d: the journal lies, and nobody has noticed in %d rounds", lab.Seed(), most)
	}
}
