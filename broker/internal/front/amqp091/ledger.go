package amqp091

import (
	"slices"

	"github.com/warrenmq/warren/broker/internal/engine"
)

// unacked is a delivery that waits for its acknowledgement.
type unacked struct {
	tag   uint64
	seq   uint64        // what the queue knows it by
	queue *engine.Queue // nil once it is settled
}

// ledger holds the unacked deliveries of a channel in the order of their tags. Most are settled in that order or nearly so;
// one that is settled out of order leaves a gap, and gaps are squeezed out when they are the larger part.
type ledger struct {
	entries []unacked // entries[head:] begins with one that is unacked
	head    int
	live    int // how many are unacked
}

// push adds a delivery; its tag is above all others.
func (l *ledger) push(u unacked) {
	if len(l.entries) == cap(l.entries) && l.head > len(l.entries)/2 {
		l.squeeze()
	}
	l.entries = append(l.entries, u)
	l.live++
}

// take removes the delivery with that tag, or with multiple all up to it (0: all there are), and appends them to dst. It
// reports false, and removes nothing, when the tag is unknown.
func (l *ledger) take(dst []unacked, tag uint64, multiple bool) ([]unacked, bool) {
	if multiple && tag == 0 {
		return l.takeTo(dst, len(l.entries)), true
	}
	at, found := l.find(tag)
	if !found {
		return dst, false
	}
	if multiple {
		return l.takeTo(dst, at+1), true
	}
	dst = append(dst, l.entries[at])
	l.entries[at].queue = nil
	l.live--
	l.tidy()
	return dst, true
}

func (l *ledger) find(tag uint64) (int, bool) {
	if l.head < len(l.entries) && l.entries[l.head].tag == tag {
		return l.head, true // settled in order
	}
	at, found := slices.BinarySearchFunc(l.entries[l.head:], tag, func(u unacked, tag uint64) int {
		switch {
		case u.tag < tag:
			return -1
		case u.tag > tag:
			return 1
		}
		return 0
	})
	at += l.head
	return at, found && l.entries[at].queue != nil
}

// takeTo removes entries[head:end].
func (l *ledger) takeTo(dst []unacked, end int) []unacked {
	for i := l.head; i < end; i++ {
		if u := l.entries[i]; u.queue != nil {
			dst = append(dst, u)
			l.entries[i].queue = nil
			l.live--
		}
	}
	l.head = end
	l.tidy()
	return dst
}

// tidy restores the shape after a removal.
func (l *ledger) tidy() {
	for l.head < len(l.entries) && l.entries[l.head].queue == nil {
		l.head++
	}
	switch {
	case l.live == 0:
		l.entries, l.head = l.entries[:0], 0
		if cap(l.entries) > maxIdleLedger {
			l.entries = nil
		}
	case len(l.entries)-l.head > 64 && l.live < (len(l.entries)-l.head)/4:
		l.squeeze()
	}
}

// maxIdleLedger is how many entries an empty ledger keeps room for.
const maxIdleLedger = 4096

// squeeze moves what is unacked to the front.
func (l *ledger) squeeze() {
	kept := l.entries[:0]
	for _, u := range l.entries[l.head:] {
		if u.queue != nil {
			kept = append(kept, u)
		}
	}
	clear(l.entries[len(kept):])
	l.entries, l.head = kept, 0
}

// restore puts back what was taken, wherever it belongs.
func (l *ledger) restore(back []unacked) {
	l.squeeze()
	l.entries = append(l.entries, back...)
	l.live += len(back)
	slices.SortFunc(l.entries, func(a, b unacked) int {
		if a.tag < b.tag {
			return -1
		}
		return 1 // tags are unique
	})
}
