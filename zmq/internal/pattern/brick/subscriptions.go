package brick

import "github.com/warrenmq/warren/zmq/internal/pattern"

// Subscriptions is the subscribing side's state: how often each prefix is
// subscribed to (RFC 29: subscriptions are additive, n of them need n
// cancels). The zero Subscriptions is empty.
//
// It is state and not a list of messages to send: whoever connects is told
// all of it, however often and however late.
type Subscriptions struct {
	counts Trie[int]
}

// Add counts one subscription more. first tells that there was none.
func (s *Subscriptions) Add(prefix string) (first bool) {
	n := s.counts.At(prefix)
	*n++
	return *n == 1
}

// Remove counts one subscription less. last tells that none is left, ok that
// there was one.
func (s *Subscriptions) Remove(prefix string) (last, ok bool) {
	n := s.counts.Get(prefix)
	if n == nil {
		return false, false
	}
	if *n--; *n > 0 {
		return false, true
	}
	s.counts.Remove(prefix)
	return true, true
}

// Matches tells whether topic begins with a subscribed prefix.
func (s *Subscriptions) Matches(topic []byte) bool {
	return s.counts.Matches(topic)
}

// AnnounceTo tells one publisher all of them.
func (s *Subscriptions) AnnounceTo(p *pattern.Pipe) {
	s.counts.Prefixes(func(prefix string, _ *int) { p.Announce(prefix, true) })
}
