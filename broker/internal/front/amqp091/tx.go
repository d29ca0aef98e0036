package amqp091

import (
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// transaction is what a channel in tx mode has not committed: what it published, and what it settled.
type transaction struct {
	publishes []uncommitted
	settled   []settledTx
	bytes     int // of publishes and settled, as counted in session.kept
	owner     *session
}

type uncommitted struct {
	message   message.Message // owns its memory
	mandatory bool
}

type settledTx struct {
	unacked
	outcome queue.Outcome
}

// What an entry of a transaction is counted with beyond its message.
const (
	publishOverhead = 256
	settledOverhead = 32
)

func (ch *channel) selectTx() error {
	if ch.confirms {
		return violation(wire.PreconditionFailed, "cannot switch from confirm to tx mode")
	}
	if ch.tx == nil {
		ch.tx = &transaction{owner: ch.session}
	}
	ch.send(new(wire.TxSelectOk))
	return nil
}

// take accounts for n more bytes.
func (t *transaction) take(n int) error {
	if t.owner.kept+n > maxKept {
		return errKept()
	}
	t.owner.kept += n
	t.bytes += n
	return nil
}

// keep holds a published message until the commit. A missing exchange is told at once.
func (ch *channel) keep(m *message.Message, mandatory bool) error {
	if len(m.Exchange) > 0 {
		if err := ch.session.client.CheckExchange(string(m.Exchange)); err != nil {
			return err
		}
	}
	if err := ch.tx.take(m.Size() + publishOverhead); err != nil {
		return err
	}
	ch.tx.publishes = append(ch.tx.publishes, uncommitted{message: m.Clone(), mandatory: mandatory})
	return nil
}

// settle holds settlements until the commit.
func (t *transaction) settle(taken []unacked, how queue.Outcome) error {
	if err := t.take(len(taken) * settledOverhead); err != nil {
		return err
	}
	for _, u := range taken {
		t.settled = append(t.settled, settledTx{u, how})
	}
	return nil
}

// reset begins a new transaction.
func (t *transaction) reset() {
	t.owner.kept -= t.bytes
	*t = transaction{owner: t.owner}
}

// commit publishes, then settles. All of it lies in one batch, so that a crash leaves all or nothing; it is answered once it
// is on the disk.
func (ch *channel) commit() error {
	t := ch.tx
	if t == nil {
		return errNoTx()
	}
	for i := range t.publishes {
		p := &t.publishes[i]
		if err := ch.session.enter(ch, &p.message, p.mandatory); err != nil {
			return err
		}
	}
	for _, u := range t.settled {
		ch.session.settleAll([]unacked{u.unacked}, u.outcome)
	}
	ch.session.flushSettled()
	t.reset()
	ch.wakeStarved()
	if err := ch.session.secure(); err != nil {
		return err
	}
	ch.send(new(wire.TxCommitOk))
	return nil
}

func (ch *channel) rollback() error {
	if ch.tx == nil {
		return errNoTx()
	}
	ch.undo()
	ch.send(new(wire.TxRollbackOk))
	return nil
}

// undo forgets what was published and makes what was settled unacked again.
func (ch *channel) undo() {
	back := make([]unacked, len(ch.tx.settled))
	for i, u := range ch.tx.settled {
		back[i] = u.unacked
	}
	ch.mu.Lock()
	ch.unacked.restore(back)
	ch.mu.Unlock()
	ch.tx.reset()
}

func errNoTx() error { return violation(wire.PreconditionFailed, "channel is not transactional") }
