package storetest

import "testing"

// enumerate cuts the power behind each call of some runs.
func enumerate(t *testing.T, e Enumeration, byDefault int) {
	var sum Cuts
	seeds(t, byDefault, func(seed uint64) error {
		e.Seed = seed
		one, err := e.Run()
		sum.Add(one)
		return err
	})
	t.Log(sum)
}

// fail lets each call of some runs fail.
func fail(t *testing.T, f Failing, byDefault int) {
	var sum Faults
	seeds(t, byDefault, func(seed uint64) error {
		f.Seed = seed
		one, err := f.Run()
		sum.Add(one)
		return err
	})
	t.Log(sum)
}

// rot damages the files of some stores.
func rot(t *testing.T, r Rot, byDefault int) {
	var sum Damages
	r.Every = int(number(t, "STORE_EVERY", 61))
	seeds(t, byDefault, func(seed uint64) error {
		r.Seed = seed
		one, err := r.Run()
		sum.Add(one)
		return err
	})
	t.Log(sum)
}

func TestAPlainStoreKeepsItsPromisesWhereverThePowerIsCut(t *testing.T) {
	enumerate(t, Enumeration{Open: openPlain(none)}, 1)
}

func TestAPlainStoreSaysWhichCallsFailed(t *testing.T) { fail(t, Failing{Open: openPlain(none)}, 1) }

func TestTheEnumerationFindsWhatIsNotSynced(t *testing.T) {
	for _, b := range []bug{unsynced, unchecked, unnamed, unsyncedFile, torn} {
		t.Run(bugs[b], func(t *testing.T) {
			for seed := range uint64(20) {
				if _, err := (Enumeration{Open: openPlain(b), Seed: seed}).Run(); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Error("20 runs have found nothing")
		})
	}
}

func TestFailingCallsFindWhatIsSilent(t *testing.T) {
	for seed := range uint64(50) {
		if _, err := (Failing{Open: openPlain(silent), Seed: seed}).Run(); err != nil {
			t.Logf("seed %d: %v", seed, err)
			return
		}
	}
	t.Error("50 runs have found nothing")
}

func TestRotFindsWhatIsUnchecked(t *testing.T) {
	for seed := range uint64(20) {
		if _, err := (Rot{Open: openPlain(unchecked), Seed: seed, Every: 61}).Run(); err != nil {
			t.Logf("seed %d: %v", seed, err)
			return
		}
	}
	t.Error("20 stores have found nothing")
}
