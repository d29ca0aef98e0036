// Package pub is the PUB end of RFC 29: an XPUB whose user is not told about
// subscriptions.
package pub

import "github.com/warrenmq/warren/zmq/internal/pattern/xpub"

// A Core is the pattern of one PUB socket.
type Core struct {
	*xpub.Core
}

// New returns the pattern of a PUB whose peers may each have limit bytes of
// subscriptions (0: no limit).
func New(limit int64) *Core {
	return &Core{xpub.New(limit, true)}
}
