package zmq

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// errSilent is the reason for the end of a connection on which nothing came.
var errSilent = errors.New("nothing came from the peer for longer than its heartbeats allow")

// A heartbeat watches one connection (RFC 37, "Connection Heartbeating"). Any
// byte from the peer counts as a sign of life, so that one long message does
// not look like silence. While the socket itself does not read, because a
// queue is full, the peer can't be heard and the watch is off.
type heartbeat struct {
	c        *conn
	watching atomic.Bool  // a timer runs
	last     atomic.Int64 // when something came, in nanoseconds since c.born

	mu       sync.Mutex
	timer    *time.Timer   // owned by mu
	interval time.Duration // between our PINGs, 0: none; owned by mu
	silence  time.Duration // that our PINGs allow, 0: any; owned by mu
	ttl      time.Duration // that the peer's PINGs allow, 0: any; owned by mu
	nextPing time.Duration // since c.born; owned by mu
	paused   bool          // owned by mu
	stopped  bool          // owned by mu
}

// start begins to send PINGs, if the socket is to.
func (h *heartbeat) start() {
	o := &h.c.p.s.opts
	if o.HeartbeatInterval == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.interval = o.HeartbeatInterval
	h.silence = o.HeartbeatInterval + o.HeartbeatTimeout
	h.watch()
}

// watch starts the timer. Called with mu held.
func (h *heartbeat) watch() {
	if h.stopped || h.watching.Swap(true) {
		return
	}
	now := time.Since(h.c.born)
	h.last.Store(int64(now))
	h.nextPing = now + h.interval
	h.timer = time.AfterFunc(h.wait(now), h.tick)
}

// wait returns the time until the next thing to do. Called with mu held.
func (h *heartbeat) wait(now time.Duration) time.Duration {
	wait := time.Hour
	if h.interval > 0 {
		wait = h.nextPing - now
	}
	if limit := h.limit(); limit > 0 {
		wait = min(wait, time.Duration(h.last.Load())+limit-now)
	}
	return max(wait, time.Millisecond)
}

// limit returns the silence after which the connection is given up, 0 for
// none. Called with mu held.
func (h *heartbeat) limit() time.Duration {
	if h.silence == 0 || h.ttl == 0 {
		return max(h.silence, h.ttl)
	}
	return min(h.silence, h.ttl)
}

// tick is the timer.
func (h *heartbeat) tick() {
	h.mu.Lock()
	if h.stopped {
		h.mu.Unlock()
		return
	}
	now := time.Since(h.c.born)
	if h.paused {
		h.last.Store(int64(now))
	}
	limit := h.limit()
	dead := limit > 0 && now-time.Duration(h.last.Load()) >= limit
	ping := h.interval > 0 && now >= h.nextPing
	if ping {
		h.nextPing = now + h.interval
	}
	h.timer.Reset(h.wait(now))
	h.mu.Unlock()
	switch {
	case dead:
		h.c.fail(errSilent)
	case ping:
		ttl := h.c.p.s.opts.HeartbeatTTL / (100 * time.Millisecond)
		h.c.command(zmtp.AppendPing(nil, uint16(ttl)))
	}
}

// heard notes that something came.
func (h *heartbeat) heard() {
	if h.watching.Load() {
		h.last.Store(int64(time.Since(h.c.born)))
	}
}

// promised arms the watch that a PING with a time to live asks for.
func (h *heartbeat) promised(ttl time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ttl == h.ttl {
		return
	}
	h.ttl = ttl
	if h.watch(); h.timer != nil {
		h.timer.Reset(h.wait(time.Since(h.c.born)))
	}
}

// pause turns the watch off while the connection is not read, and on again.
func (h *heartbeat) pause(on bool) {
	if !h.watching.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paused = on
	h.last.Store(int64(time.Since(h.c.born)))
}

// stop ends the watch.
func (h *heartbeat) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	if h.timer != nil {
		h.timer.Stop()
	}
}
