package engine

import (
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

// Wait blocks until a ticket is durable, or never will be.
func (b *Broker) Wait(t Ticket) error {
	if t == 0 || b.store == nil {
		return nil
	}
	if err := b.store.Wait(t); err != nil {
		return &Error{Kind: Internal, Text: "what was asked for is not on the disk: " + err.Error()}
	}
	return nil
}

// Await tells w of commits from now on, until it says that it does not wait any more. What became durable before may
// not be told: look at Durable afterwards.
func (b *Broker) Await(w Waiter) {
	b.waiters.mu.Lock()
	defer b.waiters.mu.Unlock()
	b.waiters.list = append(b.waiters.list, w)
}

// Forget ends an Await early. It may be told once more.
func (b *Broker) Forget(w Waiter) {
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
