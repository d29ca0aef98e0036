package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// Ticket is what a publisher waits for: once the broker's Durable has reached it, what the ticket was given for is on the
// disk. 0 is nothing to wait for.
type Ticket = storage.Ticket

// Waiter is somebody whose publishers wait for tickets.
type Waiter interface {
	// Committed: everything up to the ticket is durable. It is called after each commit for as long as it returns true,
	// from one goroutine at a time, with no lock held; it must not block.
	Committed(durable Ticket) (more bool)
}

// waiters are those who are told of the next commit. However many messages somebody waits for, he stands here once.
type waiters struct {
	mu   sync.Mutex // guards list; innermost
	list []Waiter

	telling sync.Mutex // held while waiters are told; nothing else is locked under it but what they lock
	told    []Waiter   // lock: telling; scratch
}

// Durable returns up to which ticket everything is on the disk.
func (b *Broker) Durable() Ticket {
	if b.store == nil {
		return 0
	}
	return b.store.Durable()
}

// Wait blocks until a ticket that End has returned is durable, ctx ends, or it never will be durable: because the disk has
// failed, or the broker was closed. After an error nobody knows whether it is on the disk.
func (b *Broker) Wait(ctx context.Context, t Ticket) error {
	if t <= b.Durable() {
		return nil
	}
	w := &wait{ticket: t, over: make(chan struct{})}
	b.Await(w)
	if t > b.Durable() {
		select {
		case <-w.over:
			return nil
		case <-b.hopeless:
		case <-ctx.Done():
		}
	}
	b.Forget(w)
	switch err := b.failure.Load(); {
	case t <= b.Durable():
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &Error{Kind: Internal, Text: "what was asked for is not on the disk: " + (*err).Error()}
	}
	return ErrClosed
}

// wait is a call of Wait.
type wait struct {
	ticket Ticket
	over   chan struct{}
}

func (w *wait) Committed(durable Ticket) (more bool) {
	if durable < w.ticket {
		return true
	}
	close(w.over)
	return false
}

// giveUp ends every Wait for what is not durable.
func (b *Broker) giveUp() { b.givingUp.Do(func() { close(b.hopeless) }) }

// ending reports whether the store takes nothing more, or may not have what it was given.
func (b *Broker) ending() bool {
	select {
	case <-b.hopeless:
		return true
	default:
		return b.closed.Load()
	}
}

// Abandon is for who has waited long enough for clients to go: none of them waits for the disk any more, and what is handed
// over from now on is not kept. Close the broker next.
func (b *Broker) Abandon() {
	b.giveUp()
	if b.store != nil {
		go b.closeStore() // which ends the waiting for room, and may wait for the disk itself
	}
}

// Await tells w of commits from now on, until it says that it does not wait any more. What became durable before may
// not be told: look at Durable afterwards.
func (b *Broker) Await(w Waiter) {
	b.waiters.mu.Lock()
	defer b.waiters.mu.Unlock()
	b.waiters.list = append(b.waiters.list, w)
}

// Forget ends an Await early. w is not told any more once it has returned; nor must w call it when it is told.
func (b *Broker) Forget(w Waiter) {
	b.waiters.telling.Lock()
	defer b.waiters.telling.Unlock()
	b.waiters.mu.Lock()
	defer b.waiters.mu.Unlock()
	if i := slices.Index(b.waiters.list, w); i >= 0 {
		b.waiters.list = slices.Delete(b.waiters.list, i, i+1)
	}
}

// committed is the store's word that everything up to a ticket is durable.
func (b *Broker) committed(durable Ticket) {
	ws := &b.waiters
	ws.telling.Lock()
	defer ws.telling.Unlock()
	ws.mu.Lock()
	ws.told, ws.list = ws.list, ws.told[:0]
	ws.mu.Unlock()
	still := ws.told[:0]
	for _, w := range ws.told {
		if w.Committed(durable) {
			still = append(still, w)
		}
	}
	clear(ws.told[len(still):])
	if len(still) > 0 {
		ws.mu.Lock()
		ws.list = append(ws.list, still...)
		ws.mu.Unlock()
	}
	clear(still)
	ws.told = still[:0]
}

// fail is the store's word that it can promise nothing any more.
func (b *Broker) fail(err error) {
	b.log.Error("the disk has failed: nothing that was not confirmed is safe, and nothing more will be confirmed", "err", err)
	b.failure.Store(&err)
	b.giveUp()
	if b.failed != nil {
		b.failed()
	}
}

// Failure returns why the disk has failed, or nil.
func (b *Broker) Failure() error {
	if err := b.failure.Load(); err != nil {
		return fmt.Errorf("the disk has failed: %w", *err)
	}
	return nil
}
