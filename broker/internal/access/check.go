package access

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// A Principal is somebody who has logged in.
type Principal struct {
	Name string
	Tags []string // as they were at the login

	// latest is what the principal was granted when last asked. Any goroutine
	// may replace it, by what is right at that moment.
	latest atomic.Pointer[latest]
}

// latest is a grant, or none, and the generation in which it was found.
type latest struct {
	generation uint64
	users      *Users
	vhost      string
	granted    *granted
}

// HasTag reports whether the principal has one of the tags.
func (p *Principal) HasTag(tags ...string) bool {
	return slices.ContainsFunc(p.Tags, func(t string) bool { return slices.Contains(tags, t) })
}

// A Reason says why a login was refused.
type Reason uint8

// The reasons. Only the log is told them: whoever tries to log in is told no
// more than that it failed.
const (
	BadCredentials Reason = iota // no such user, or not their password
	BlankPassword                // an empty password, which lets nobody in
	NotLoopback                  // right, but from another machine
)

// A RefusedError is a refused login. Its text is for the log.
type RefusedError struct {
	User   string
	Reason Reason
}

func (e *RefusedError) Error() string {
	switch e.Reason {
	case BlankPassword:
		return fmt.Sprintf("user '%s' attempted to log in with a blank password, which lets nobody in", e.User)
	case NotLoopback:
		return fmt.Sprintf("user '%s' can only connect via localhost", e.User)
	}
	return fmt.Sprintf("user '%s' - invalid credentials", e.User)
}

// nobodyHash is a salt and a digest of zeros: it stands in for the user that
// there is not. Comparing with it takes the time that comparing with a user's
// takes, so that the time does not tell names.
const nobodyHash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Authenticate lets the user in who has this name and password; loopback says
// that they come from this machine. The error is a [RefusedError]. Neither the
// error's reason nor the time tells a wrong password from a name that there is
// not.
func (u *Users) Authenticate(name string, password []byte, loopback bool) (*Principal, error) {
	if len(password) == 0 {
		return nil, &RefusedError{User: name, Reason: BlankPassword}
	}
	user, known := u.Get(name)
	if !known || user.PasswordHash == "" {
		known = false
		user = User{PasswordHash: nobodyHash}
	}
	if verified := VerifyHash(user.PasswordHash, user.Algorithm, password); !verified || !known {
		return nil, &RefusedError{User: name, Reason: BadCredentials}
	}
	return u.admit(user, loopback)
}

// AuthenticateVerified lets the user in whom somebody else has verified: a
// certificate that the TLS layer accepted, a program that embeds the broker.
// The error is a [RefusedError].
func (u *Users) AuthenticateVerified(name string, loopback bool) (*Principal, error) {
	user, known := u.Get(name)
	if !known {
		return nil, &RefusedError{User: name, Reason: BadCredentials}
	}
	return u.admit(user, loopback)
}

func (u *Users) admit(user User, loopback bool) (*Principal, error) {
	if user.LoopbackOnly && !loopback {
		return nil, &RefusedError{User: user.Name, Reason: NotLoopback}
	}
	return &Principal{Name: user.Name, Tags: user.Tags}, nil
}

// Generation changes with every change of users or permissions. Who caches
// decisions reads it before deciding, and decides again when it has changed.
func (u *Users) Generation() uint64 { return u.generation.Load() }

// Allowed reports whether p may enter vhost: whether there are permissions for
// it, even such as allow nothing.
func (u *Users) Allowed(p *Principal, vhost string) bool {
	return u.granted(p, vhost) != nil
}

// DefaultExchange is the name under which permissions know the exchange whose
// name is empty.
const DefaultExchange = "amq.default"

// Check reports whether p has a permission for the queue or exchange of this
// name in vhost. The empty name is the default exchange. Permissions taken away
// are missed at once. A check like the one before costs about as much as a map
// look-up, and takes no lock.
func (u *Users) Check(p *Principal, vhost string, perm Permission, resource string) bool {
	g := u.granted(p, vhost)
	if g == nil || perm > Read {
		return false
	}
	if resource == "" {
		resource = DefaultExchange
	}
	return g.patterns[perm].allows(resource)
}

// granted returns what p may do in vhost, or nil for nothing.
func (u *Users) granted(p *Principal, vhost string) *granted {
	generation := u.generation.Load()
	if l := p.latest.Load(); l != nil && l.generation == generation && l.users == u && l.vhost == vhost {
		return l.granted
	}
	u.mu.RLock()
	g := u.grants[grantKey{vhost, p.Name}]
	u.mu.RUnlock()
	p.latest.Store(&latest{generation: generation, users: u, vhost: vhost, granted: g})
	return g
}
