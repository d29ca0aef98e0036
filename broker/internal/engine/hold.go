package engine

import (
	"context"
	"log/slog"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// hold is why publishers are held.
type hold struct {
	reason  string        // for clients; "" is a short one that they need not be told of
	resumed chan struct{} // closed when they may go on
}

// What clients are told, in RabbitMQ's words.
const (
	lowMemory = "low on memory"
	lowDisk   = "low on disk"
)

// keep accounts for bytes that entered the memory of queues (or left it) and holds or releases publishers.
func (b *Broker) keep(delta int64) {
	b.stored.Add(delta)
	if b.limit > 0 {
		b.regulate()
	}
}

// pressed is the store's word on how it is doing.
func (b *Broker) pressed(p storage.Pressure) {
	b.pressure.Store(uint32(p))
	b.regulate()
}

// brake says whether publishers are to be held, and why, given how they are held now. Those that are held for memory go on
// below four fifths of the limit.
func (b *Broker) brake(now *hold) (reason string, brake bool) {
	pressure := storage.Pressure(b.pressure.Load())
	limit := b.limit
	if now != nil && now.reason == lowMemory {
		limit -= limit/5 + 1
	}
	switch {
	case pressure == storage.Full:
		return lowDisk, true
	case b.limit > 0 && b.stored.Load() > limit:
		return lowMemory, true
	}
	return "", pressure == storage.Behind
}

// changes reports whether publishers are to be held otherwise than now: held, released, or told why they have been held.
func (b *Broker) changes() (now *hold, reason string, brake, changes bool) {
	now = b.held.Load()
	reason, brake = b.brake(now)
	return now, reason, brake, brake != (now != nil) || brake && now.reason == "" && reason != ""
}

// regulate holds or releases publishers.
func (b *Broker) regulate() {
	// Another goroutine may have stored, or taken out, what tips the scale the other way, and have looked at held before it
	// was changed here. So look again after each change: publishers that are held while nothing is stored wait for ever.
	for {
		if _, _, _, changes := b.changes(); !changes || !b.change() {
			return
		}
	}
}

// change does what changes says. It reports whether it was this call that did.
func (b *Broker) change() bool {
	b.mu.Lock()
	now, reason, brake, changes := b.changes()
	if b.closed.Load() || !changes {
		b.mu.Unlock()
		return false
	}
	switch {
	case !brake:
		close(b.held.Swap(nil).resumed)
	case now == nil:
		b.held.Store(&hold{reason: reason, resumed: make(chan struct{})})
	default:
		b.held.Store(&hold{reason: reason, resumed: now.resumed})
	}
	told := make([]func(), 0, len(b.clients))
	for c := range b.clients {
		if c.info.Alarm != nil {
			told = append(told, c.info.Alarm)
		}
	}
	b.mu.Unlock()
	level, text := slog.LevelInfo, "publishers go on"
	if brake {
		level, text = slog.LevelWarn, "publishers are held"
	}
	if reason == "" && (now == nil || now.reason == "") {
		level = slog.LevelDebug
	}
	b.log.Log(context.Background(), level, text, "reason", reason, "stored", b.stored.Load(), "limit", b.limit)
	for _, f := range told {
		f()
	}
	return true
}

// Held returns a channel that is closed when publishers may go on, and why they may not; nil when they may. A reason that
// is empty is not worth telling: they may go on soon.
func (b *Broker) Held() (resumed <-chan struct{}, reason string) {
	if h := b.held.Load(); h != nil {
		return h.resumed, h.reason
	}
	return nil, ""
}
