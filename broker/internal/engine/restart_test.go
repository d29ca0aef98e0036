package engine

import (
	"flag"
	"testing"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/storage/storetest"
)

// byDefault sets a flag of rapid that was not given.
func byDefault(t *testing.T, name, value string) {
	f := flag.Lookup(name)
	if was := f.Value.String(); was == f.DefValue {
		_ = f.Value.Set(value)
		t.Cleanup(func() { _ = f.Value.Set(was) })
	}
}

// check lets some worlds run on machines. -rapid.checks says how many, -rapid.steps how long; rapid prints how a failure is
// repeated.
func check(t *testing.T, m func(*rapid.T) machine, accidents bool) {
	byDefault(t, "rapid.steps", "150")
	var sum tally
	defer func() { t.Log(&sum) }()
	rapid.Check(t, func(t *rapid.T) {
		sum.worlds++
		w := &world{T: t, machine: m(t), tally: &sum}
		w.begin()
		seldom := func(n int, f func()) func(*rapid.T) { // once in 2ⁿ times
			return func(t *rapid.T) {
				for range n {
					if !rapid.Bool().Draw(t, "now") {
						return
					}
				}
				f()
			}
		}
		always := func(f func()) func(*rapid.T) { return func(*rapid.T) { f() } }
		actions := map[string]func(*rapid.T){
			"publish":   always(w.publish),
			"publish 2": always(w.publish),
			"publish 3": always(w.publish),
			"get":       always(w.get),
			"get 2":     always(w.get),
			"settle":    always(w.settle),
			"settle 2":  always(w.settle),
			"settle 3":  always(w.settle),
			"purge":     seldom(2, w.purge),
			"consume":   always(w.consume),
			"drink":     always(w.drink),
			"drink 2":   always(w.drink),
			"leave":     seldom(2, w.leave),
			"declare":   always(func() { w.declare(rapid.SampledFrom(kinds).Draw(w.T, "what")) }),
			"delete":    seldom(3, w.delete),
			"user":      seldom(2, w.user),
			"end":       always(func() { w.end(w.act()) }),
			"end 2":     always(func() { w.end(w.act()) }),
			"advance":   seldom(1, w.advance),
			"rest":      always(w.rest),
			"quiet":     always(w.quiet),
			"commit":    always(w.commit),
			"restart":   seldom(3, func() { w.restart(closed) }),
			"power cut": seldom(3, func() { w.restart(powerCut) }),
			"": func(*rapid.T) {
				if w.machine.hurt() {
					w.aftermath()
				}
			},
		}
		if accidents {
			actions["kill"] = seldom(3, func() { w.restart(killed) })
			actions["step"] = always(w.step)
			actions["step 2"] = always(w.step)
			actions["fill"] = seldom(2, w.fill)
			actions["plan"] = seldom(3, func() { w.machine.plan(w.T) })
		}
		t.Repeat(actions)
		if err := w.broker.Close(); err != nil && !w.machine.hurt() && !w.machine.full() {
			t.Fatal(err)
		}
	})
}

func TestWhatClientsWereToldIsTrueAfterRestartsAndCrashesOfAModel(t *testing.T) {
	check(t, func(*rapid.T) machine { return &modelMachine{model: storetest.NewModel()} }, false)
}

func TestWhatClientsWereToldIsTrueAfterRestartsAndCrashesAndFaultsOfADisk(t *testing.T) {
	check(t, func(t *rapid.T) machine { return newDiskMachine(t) }, true)
}
