package amqp

import (
	"fmt"
	"sync"
	"time"

	"github.com/warrenmq/warren/load"
)

// window holds the publishes of one connection that wait for their confirms.
// Confirms may come in any order and several at a time; the window slides with
// the oldest message that has none, so it needs a fixed ring and no map.
type window struct {
	mu      sync.Mutex
	limit   int
	ring    []pending // owner: mu; by sequence number modulo its length
	oldest  uint64    // owner: mu; the first sequence number without a confirm
	next    uint64    // owner: mu; the one that the next publish gets
	waiting int       // owner: mu; those from oldest to next that have no confirm
}

type pending struct {
	sentAt  int64
	settled bool
}

func newWindow(limit int) *window {
	return &window{limit: limit, ring: make([]pending, limit), oldest: 1, next: 1}
}

// free returns how many more messages may be sent.
func (w *window) free() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.limit - int(w.next-w.oldest)
}

// outstanding returns how many messages have no confirm.
func (w *window) outstanding() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting
}

// sent enters n messages, not more than free, that go out at the time at.
func (w *window) sent(n int, at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range n {
		w.ring[w.next%uint64(len(w.ring))] = pending{sentAt: at}
		w.next++
	}
	w.waiting += n
}

// settle takes one confirm, records the latency of each message that it
// settles, and returns how many those were.
func (w *window) settle(tag uint64, multiple bool, at int64, latency *load.Histogram) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if multiple && tag == 0 { // §1.8.3.13: zero stands for all outstanding ones
		tag = w.next - 1
	}
	if tag >= w.next || tag == 0 {
		return 0, fmt.Errorf("amqp: the server confirmed message %d of %d", tag, w.next-1)
	}
	first := tag
	if multiple {
		first = w.oldest
	}
	settled := 0
	for s := max(first, w.oldest); s <= tag; s++ {
		p := &w.ring[s%uint64(len(w.ring))]
		if p.settled {
			continue
		}
		p.settled = true
		settled++
		latency.Record(time.Duration(at - p.sentAt))
	}
	for w.oldest < w.next && w.ring[w.oldest%uint64(len(w.ring))].settled {
		w.oldest++
	}
	w.waiting -= settled
	return settled, nil
}
