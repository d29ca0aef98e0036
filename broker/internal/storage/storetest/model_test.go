package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
)

func TestTheModelKeepsTheContract(t *testing.T) {
	Run(t, func(*testing.T) Place {
		model := NewModel()
		first := true
		return func(e storage.Events) (storage.Store, error) {
			if !first {
				model = model.Reopen()
			}
			first = false
			model.Events = e
			return model, nil
		}
	})
}

// countValues returns how many values a store has.
func countValues(s storage.Store) (n int) {
	for range s.Values("") {
		n++
	}
	return n
}

func TestACrashedModelHoldsAPrefixOfWhatWasHandedOver(t *testing.T) {
	seen := make(map[int]bool)
	for seed := range uint64(100) {
		m := &Model{Manual: true}
		b := m.NewBatch()
		for i := range 10 {
			b.Put(fmt.Sprint(i), nil)
			b.Commit(true)
			if i == 3 {
				if err := m.Commit(); err != nil {
					t.Fatal(err)
				}
			}
		}
		crashed := m.Crash(rand.New(rand.NewPCG(seed, 0)))
		n := countValues(crashed)
		if _, ok := crashed.Value(fmt.Sprint(n - 1)); !ok || n < 4 {
			t.Fatalf("%d values are there, the last of them is %t", n, ok)
		}
		seen[n] = true
		if crashed.Durable() != crashed.ticket {
			t.Fatal("what was found after a crash is not durable")
		}
	}
	if len(seen) != 7 {
		t.Errorf("only these numbers of batches were left: %v", seen)
	}
}

func TestAModelThatHasFailedSaysSo(t *testing.T) {
	broken := errors.New("broken")
	var told error
	m := &Model{Manual: true, Events: storage.Events{Failed: func(err error) { told = err }}}
	b := m.NewBatch()
	b.Put("k", nil)
	ticket := b.Commit(true)
	m.Fail(broken)
	m.Fail(errors.New("again"))
	if err := m.Wait(ticket); err != broken || told != broken || m.Commit() != broken || m.Close() != broken {
		t.Fatal(err, told)
	}
	if m.Durable() != 0 || countValues(m.Reopen()) != 0 {
		t.Fatal("something is durable")
	}
}
