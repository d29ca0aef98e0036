package amqp091

import (
	"github.com/warrenmq/warren/broker/internal/message"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// waiting is what a connection has published while the broker holds publishers.
//
// A held connection that only publishes is not read. One that also consumes must be read, or its acks would never make the
// room that everybody waits for: it is, and what it publishes meanwhile waits here, up to a bound. Acks, heartbeats and
// closes pass what waits; any other method would overtake the publishes before it, so the reading stops there, and at a
// tx.commit, which publishes. Closes enter what waits, and after that nothing more is read either: the bound holds for each time that publishers are held.
type waiting struct {
	blocked  bool // publishers are held, and the connection has published
	told     bool // it was told so: it wants to be, and the broker gives a reason
	messages []waitingMessage
	bytes    int
	stopped  bool // no more is read until publishers may go on
}

type waitingMessage struct {
	channel   *channel
	message   message.Message // owns its memory
	mandatory bool
}

// maxWaiting is how many bytes may wait.
const maxWaiting = 1 << 20

// Hold stops the reading of publishers while the broker holds them, unless they consume.
func (s *session) Hold() <-chan struct{} {
	if !s.publishing || s.phase != phaseRunning {
		return nil
	}
	resumed := s.tellHeld()
	if w := &s.waiting; resumed != nil && !w.stopped && w.bytes < maxWaiting && s.consumes() {
		return nil
	}
	return resumed
}

// consumes reports whether the connection has consumers, or deliveries that wait for their acks.
func (s *session) consumes() bool {
	s.mu.Lock()
	consumers := len(s.live)
	s.mu.Unlock()
	if consumers > 0 {
		return true
	}
	for _, ch := range s.channels {
		ch.mu.Lock()
		live := ch.unacked.live
		ch.mu.Unlock()
		if live > 0 {
			return true
		}
	}
	return false
}

// tellHeld tells a publisher when it begins or ceases to be held, and returns what it is to wait for.
func (s *session) tellHeld() <-chan struct{} {
	resumed, reason := s.front.broker.Held()
	held := resumed != nil && s.publishing
	tell := held && !s.waiting.told && s.blockable && reason != ""
	if held == s.waiting.blocked && !tell {
		return resumed
	}
	s.waiting.blocked = held
	switch {
	case tell:
		s.send(0, &wire.ConnectionBlocked{Reason: reason})
		s.waiting.told = true
	case !held:
		if s.waiting.told {
			s.send(0, new(wire.ConnectionUnblocked))
			s.waiting.told = false
		}
		s.replay()
		s.waiting.stopped = false
		s.EndBatch()
	}
	s.out.Flush()
	return resumed
}

// wait keeps a message until publishers may go on.
func (s *session) wait(ch *channel, m *message.Message, mandatory bool) error {
	size := m.Size() + publishOverhead
	if s.kept+size > maxKept {
		return errKept()
	}
	s.kept += size
	w := &s.waiting
	w.bytes += size
	w.messages = append(w.messages, waitingMessage{channel: ch, message: m.Clone(), mandatory: mandatory})
	return nil
}

// stops reports whether a method must not be heard before what waits, and stops the reading in that case.
func (w *waiting) stops(id wire.MethodID) bool {
	if id == wire.MethodTxCommit && w.blocked {
		w.stopped = true // it is a publisher's, although nothing of it waits here
		return true
	}
	if len(w.messages) == 0 {
		return false
	}
	switch id {
	case wire.MethodBasicAck, wire.MethodBasicNack, wire.MethodBasicReject, wire.MethodBasicPublish,
		wire.MethodChannelClose, wire.MethodChannelCloseOk:
		return false
	}
	w.stopped = true
	return true
}

// replay enters what waits, in its order. What was refused closes its channel, and what that channel has published after
// it is dropped, as it would be without waiting.
func (s *session) replay() {
	w := &s.waiting
	if len(w.messages) == 0 {
		return
	}
	messages := w.messages
	s.kept -= w.bytes
	w.messages, w.bytes, w.stopped = nil, 0, true
	for i := range messages {
		m := &messages[i]
		if m.channel.closing || s.phase != phaseRunning {
			continue
		}
		if err := s.accept(m.channel, &m.message, m.mandatory); err != nil {
			_ = s.fail(m.channel, wire.MethodBasicPublish, err) // an error of the engine is never a fatal one
		}
	}
}
