package zmq

import (
	"context"
	"sync"

	"github.com/warrenmq/warren/broker/internal/engine"
)

// A mailbox lies between the two sides that may not wait for one another: the engine, which delivers with a queue's lock
// held, and a ZeroMQ socket, whose calls may block. One side puts letters in one by one, the other takes all there are at
// once, so that the cost of changing goroutines is shared by many. What it holds is bounded.
type mailbox struct {
	bell chan struct{} // holds a token when there may be something to take
	room func()        // called by take, with no lock held, when a put was refused since the last one

	mu      sync.Mutex // lock: output, in the engine's order
	filling *box       // owner mu
	refused bool       // owner mu

	spare *box // owner: who takes
}

// The bounds of what waits in a mailbox. One letter is always accepted, however large.
const (
	boxLetters = 1024
	boxBytes   = 1 << 20
)

// box is a batch of letters.
type box struct {
	bytes   []byte
	letters []letter
	read    int // how far next has come, in bytes
}

// letter is one message in a box. Its slices are views on the box.
type letter struct {
	queue *engine.Queue // where to settle it, with seq
	seq   uint64
	hops  uint8
	key   []byte
	tag   []byte // what an answer is known by
	body  []byte

	keyLen, tagLen, bodyLen int
}

func newMailbox(room func()) *mailbox {
	return &mailbox{bell: make(chan struct{}, 1), room: room, filling: new(box), spare: new(box)}
}

// put copies a letter into the box. ok is false when it is full; first says that the box was empty, so that the taker
// must be rung for.
func (m *mailbox) put(l *letter) (ok, first bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.filling
	size := len(l.key) + len(l.tag) + len(l.body)
	if n := len(b.letters); n > 0 && (n >= boxLetters || len(b.bytes)+size > boxBytes) {
		m.refused = true
		return false, false
	}
	b.bytes = append(append(append(b.bytes, l.key...), l.tag...), l.body...)
	b.letters = append(b.letters, letter{
		queue: l.queue, seq: l.seq, hops: l.hops, keyLen: len(l.key), tagLen: len(l.tag), bodyLen: len(l.body),
	})
	return true, len(b.letters) == 1
}

// ring wakes the taker.
func (m *mailbox) ring() {
	select {
	case m.bell <- struct{}{}:
	default:
	}
}

// take waits for letters and returns them all; nil when ctx has ended or a token came from interrupt. The box is the taker's
// until the next call.
func (m *mailbox) take(ctx context.Context, interrupt <-chan struct{}) *box {
	for {
		if b := m.takeNow(); b != nil {
			return b
		}
		select {
		case <-m.bell:
		case <-interrupt:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// takeNow is take without waiting: nil when there is nothing.
func (m *mailbox) takeNow() *box {
	m.mu.Lock()
	b := m.filling
	if len(b.letters) == 0 {
		m.mu.Unlock()
		return nil
	}
	m.filling = m.spare
	refused := m.refused
	m.refused = false
	m.mu.Unlock()

	m.spare = b // emptied by the time it is filled again: the next take comes after the last letter of this one
	if refused {
		m.room()
	}
	return b
}

// next returns the letters of a box, one for each call, and nil at the end, when it empties the box.
func (b *box) next(i int) *letter {
	if i == len(b.letters) {
		b.empty()
		return nil
	}
	l := &b.letters[i]
	at := b.read
	l.key, at = b.bytes[at:at+l.keyLen:at+l.keyLen], at+l.keyLen
	l.tag, at = b.bytes[at:at+l.tagLen:at+l.tagLen], at+l.tagLen
	l.body, at = b.bytes[at:at+l.bodyLen:at+l.bodyLen], at+l.bodyLen
	b.read = at
	return l
}

func (b *box) empty() {
	clear(b.letters)
	b.letters, b.bytes, b.read = b.letters[:0], b.bytes[:0], 0
	if cap(b.bytes) > 2*boxBytes {
		b.bytes = nil
	}
}
