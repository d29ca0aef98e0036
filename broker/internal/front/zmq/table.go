package zmq

import (
	"context"
	"sync"
	"time"
)

// table holds what waits for an answer, by number, the oldest first. The timeout is the same for all, so that the oldest
// is the first to go.
type table[T any] struct {
	limit int
	roomy chan struct{} // holds a token when there may be room again

	mu     sync.Mutex         // lock: table; a leaf
	last   uint64             // the newest number; owner mu
	oldest uint64             // no number below it is in entries; owner mu
	waits  map[uint64]wait[T] // owner mu
}

type wait[T any] struct {
	what T
	due  time.Time // zero: its time does not run yet
}

func newTable[T any](limit int) *table[T] {
	return &table[T]{limit: limit, roomy: make(chan struct{}, 1), oldest: 1, waits: make(map[uint64]wait[T])}
}

// room waits until there is room for one more; it reports false when ctx ends first.
func (t *table[T]) room(ctx context.Context) bool {
	for {
		t.mu.Lock()
		full := len(t.waits) >= t.limit
		t.mu.Unlock()
		if !full {
			return ctx.Err() == nil
		}
		select {
		case <-t.roomy:
		case <-ctx.Done():
			return false
		}
	}
}

// add enters something, whose time does not run before start.
func (t *table[T]) add(what T) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.waits[t.last] = wait[T]{what: what}
	return t.last
}

// start says when the newest entry becomes overdue, if it is still there.
func (t *table[T]) start(id uint64, due time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w, ok := t.waits[id]; ok {
		w.due = due
		t.waits[id] = w
	}
}

func (t *table[T]) remove(id uint64) (T, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, ok := t.waits[id]
	if ok {
		delete(t.waits, id)
		t.madeRoom()
	}
	return w.what, ok
}

// madeRoom lets who waits for room look again. Under mu.
func (t *table[T]) madeRoom() {
	select {
	case t.roomy <- struct{}{}:
	default:
	}
}

// overdue removes the oldest entry if its time has come.
func (t *table[T]) overdue(now time.Time) (what T, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; t.oldest <= t.last; t.oldest++ {
		w, there := t.waits[t.oldest]
		if !there {
			continue
		}
		if w.due.IsZero() || now.Before(w.due) {
			return what, false
		}
		delete(t.waits, t.oldest)
		t.madeRoom()
		return w.what, true
	}
	return what, false
}

// drain removes all entries.
func (t *table[T]) drain(f func(T)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; t.oldest <= t.last; t.oldest++ {
		if w, there := t.waits[t.oldest]; there {
			delete(t.waits, t.oldest)
			f(w.what)
		}
	}
}

// watch removes entries as they become overdue and hands them to f, until ctx ends. It looks eight times in the timeout.
func (t *table[T]) watch(ctx context.Context, d *door, f func(T)) {
	for d.pause(ctx, max(d.settings.timeout/8, time.Millisecond)) {
		now := d.env.Engine.Now()
		for {
			what, ok := t.overdue(now)
			if !ok {
				break
			}
			f(what)
		}
	}
}
