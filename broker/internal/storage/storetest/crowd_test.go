package storetest

import (
	"sync"
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage"
)

// prompt is a journaled store for many goroutines: each batch is durable before its Commit returns.
type prompt struct {
	*journaled
	mu sync.Mutex // held by who changes something
}

func openPrompt(o Options) (storage.Store, error) {
	s, err := openJournaled(o)
	if err != nil {
		return nil, err
	}
	return &prompt{journaled: s.(*journaled)}, nil
}

type promptBatch struct {
	storage.Batch
	store *prompt
}

func (p *prompt) NewBatch() storage.Batch { return &promptBatch{p.journaled.NewBatch(), p} }

func (b *promptBatch) Commit(urgent bool) storage.Ticket {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	t := b.Batch.Commit(urgent)
	_ = b.store.journaled.Commit() // its failure is seen by Wait
	return t
}

// Durable says what is, not what the journal is about to say.
func (p *prompt) Durable() storage.Ticket { return p.Model.Durable() }

func (p *prompt) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.journaled.Close()
}

func crowded(t *testing.T, open func(Options) (storage.Store, error), byDefault int) {
	seeds(t, byDefault, func(seed uint64) error { return Crowd{Open: open, Seed: seed}.Run() })
}

func TestTheJournalKeepsItsPromisesToACrowd(t *testing.T) { crowded(t, openPrompt, 1) }
