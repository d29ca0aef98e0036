package storetest

import (
	"iter"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// A History is the batches that were handed to a store, in their order, and how many of them it has reported durable. The
// zero History is that of a store that is new. It is not safe for concurrent use.
type History struct {
	now     State // after all batches
	durable State // after those that are durable
	pending []unit
}

type unit struct {
	ticket  storage.Ticket
	changes []Change
}

// Add adds a batch, which the history keeps, with the ticket that Commit returned for it.
func (h *History) Add(t storage.Ticket, changes []Change) {
	h.now.Apply(changes)
	h.pending = append(h.pending, unit{t, changes})
}

// Durable takes in that everything up to a ticket was reported durable.
func (h *History) Durable(t storage.Ticket) {
	n := 0
	for n < len(h.pending) && h.pending[n].ticket <= t {
		h.durable.Apply(h.pending[n].changes)
		n++
	}
	h.pending = append(h.pending[:0:0], h.pending[n:]...)
}

// Now returns the state after all batches. It is the history's.
func (h *History) Now() *State { return &h.now }

// Pending returns how many batches are not durable.
func (h *History) Pending() int { return len(h.pending) }

// Outcomes yields the states of which a store may show any one, and nothing else, when it is opened after a crash, from the
// one with the least to the one with all batches, each with how many of the batches that were not durable are in it.
func (h *History) Outcomes() iter.Seq2[int, *State] {
	return func(yield func(int, *State) bool) {
		state := h.durable.Clone()
		for n := range len(h.pending) + 1 {
			if n > 0 {
				state.Apply(h.pending[n-1].changes)
			}
			outcome := state.Clone()
			outcome.Reopen()
			if !yield(n, outcome) {
				return
			}
		}
	}
}

// Begin starts anew with a state, which was found on opening and which is durable.
func (h *History) Begin(s *State) {
	*h = History{now: *s.Clone(), durable: *s}
}
