package zmq

import "context"

// A waiter is one call that sleeps until its socket changes.
type waiter struct {
	ready  chan struct{}
	queued bool
	next   *waiter
}

// A waitlist is the calls that wait for the same kind of event, oldest first.
// Its socket's lock guards it.
type waitlist struct {
	first, last *waiter
	free        *waiter // for reuse
}

// join adds a call.
func (l *waitlist) join() *waiter {
	w := l.free
	if w == nil {
		w = &waiter{ready: make(chan struct{}, 1)}
	} else {
		l.free = w.next
	}
	w.queued, w.next = true, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
	return w
}

// wakeOne wakes the call that waits longest.
func (l *waitlist) wakeOne() {
	w := l.first
	if w == nil {
		return
	}
	if l.first = w.next; l.first == nil {
		l.last = nil
	}
	w.queued, w.next = false, nil
	w.ready <- struct{}{}
}

// wakeAll wakes all calls.
func (l *waitlist) wakeAll() {
	for l.first != nil {
		l.wakeOne()
	}
}

// leave removes a call that gave up. If it was woken already, the wake-up is
// passed on, since what it was for is still there.
func (l *waitlist) leave(w *waiter) {
	if !w.queued {
		<-w.ready
		l.wakeOne()
		l.recycle(w)
		return
	}
	var before *waiter
	at := l.first
	for at != w {
		before, at = at, at.next
	}
	if before == nil {
		l.first = w.next
	} else {
		before.next = w.next
	}
	if l.last == w {
		l.last = before
	}
	w.queued = false
	l.recycle(w)
}

func (l *waitlist) recycle(w *waiter) {
	w.next, l.free = l.free, w
}

// sleep waits for l's next event or the end of ctx. It is called with the
// socket's lock held and returns with the lock held; in between it is free.
func (s *socket) sleep(ctx context.Context, l *waitlist) error {
	w := l.join()
	s.unlock()
	select {
	case <-w.ready:
		s.mu.Lock()
		l.recycle(w)
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		l.leave(w)
		return ctx.Err()
	}
}
