package crash

import "time"

// required reports whether all copies of a message have to be there, or to have been, for ever. mu is held.
func (h *history) required(m *message) bool {
	if tx := m.tx; tx != nil {
		return m.persistent && (tx.survived || h.safely(tx.committed, m.life)) || !tx.committed.IsZero() && m.life == h.life()
	}
	if m.life == h.life() {
		return !m.confirmed.IsZero()
	}
	return m.persistent && (m.survived || h.safely(m.confirmed, m.life))
}

// possible reports whether a copy may be in its queue at the beginning of a life. mu is held.
func (h *history) possible(c *copied) bool {
	m := c.m
	switch {
	case !m.persistent, m.tx != nil && m.tx.asked.IsZero():
		return false
	case c.acked != 0 && (c.proven || h.safely(c.safe, c.ackedIn)):
		return false
	}
	return true
}

// bounds returns how many messages a queue has at least and at most at the beginning of a life.
func (h *history) bounds(queue string) (least, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, copies := range h.queues[queue].content { // order: each is only counted
		for _, c := range copies {
			if h.possible(c) {
				most++
			}
			if c.acked == 0 && h.required(c.m) {
				least++
			}
		}
	}
	return least, most
}

// empty is the verdict when all queues have been worked off: everything that had to be there has come, and is settled now,
// safely. The history begins anew.
func (h *history) empty() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.messages {
		required := h.required(m)
		for _, c := range m.copies {
			switch {
			case c.acked != 0:
			case required:
				h.violate(m, "%s has lost it", c.queue.name)
			case !m.confirmed.IsZero() && m.persistent, m.tx != nil && !m.tx.committed.IsZero():
				h.count.lost++
			}
		}
	}
	for _, tx := range h.txs {
		if h.safely(tx.committed, tx.life) {
			tx.survived = true
		}
		if !tx.survived {
			continue
		}
		for _, a := range tx.acks {
			if a.c.acked != a.at {
				h.violate(a.c.m, "from %s came back what a transaction has acknowledged, which has survived", a.c.queue.name)
			}
		}
	}
	for _, q := range h.queues {
		for _, copies := range q.content {
			h.noHoles(copies)
		}
	}

	for publisher, number := range h.numbers {
		h.forgotten[publisher] = number
	}
	clear(h.messages)
	h.txs = nil
	for _, q := range h.queues {
		clear(q.content)
	}
}

// noHoles: of what one publisher has sent to one queue in one life, nothing is missing before something that has survived.
// mu is held.
func (h *history) noHoles(copies []*copied) {
	survivor := map[int]*copied{} // by life, the last
	for i := len(copies) - 1; i >= 0; i-- {
		c := copies[i]
		m := c.m
		if !m.persistent || m.refused || m.tx != nil && m.tx.asked.IsZero() {
			continue
		}
		switch {
		case m.survived:
			if survivor[m.life] == nil {
				survivor[m.life] = c
			}
		case c.acked == 0 && survivor[m.life] != nil:
			h.violate(m, "%s has lost it, though message %d of the same publisher, which came later, has survived", c.queue.name, survivor[m.life].m.number)
		}
	}
}

// patience is how long what nobody asks for may take: ten times what is promised, for a busy machine.
const patience = 1500 * time.Millisecond
