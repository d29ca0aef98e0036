package access

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// A User is somebody who may log in.
type User struct {
	Name string
	// PasswordHash is salt and digest in base64, as [HashPassword] makes it.
	// Empty: no password lets this user in.
	PasswordHash string
	Algorithm    Algorithm // of PasswordHash; empty is SHA256
	// Tags say what the user may do in the management interface:
	// administrator, monitoring, policymaker, management, impersonator, or
	// anything else.
	Tags []string
	// LoopbackOnly lets the user in from this machine only.
	LoopbackOnly bool
}

// Permission is one of the three things that can be allowed.
type Permission uint8

// RabbitMQ's permissions: to make and delete, to put messages in, to take them
// out.
const (
	Configure Permission = iota
	Write
	Read
)

// String returns the word of RabbitMQ's messages.
func (p Permission) String() string {
	switch p {
	case Configure:
		return "configure"
	case Write:
		return "write"
	case Read:
		return "read"
	}
	return fmt.Sprintf("Permission(%d)", uint8(p))
}

// Permissions are what one user may do in one virtual host: for each permission
// a regular expression looked for in the names of queues and exchanges. The
// empty expression allows nothing; ".*" allows everything; only anchors make an
// expression match the whole name.
type Permissions struct{ Configure, Write, Read string }

// A Grant is the permissions of one user in one virtual host.
type Grant struct {
	VHost, User string
	Permissions
}

// Users is everybody who may log in, with what they may do. All methods may be
// called from anywhere. Those that change something wait for each other, and
// for [Users.Keep]'s function; the others wait for none of that.
type Users struct {
	changing sync.Mutex                   // held by the change under way; taken before mu
	keep     func(changes []Change) error // under changing

	mu     sync.RWMutex
	users  map[string]User       // under mu
	grants map[grantKey]*granted // under mu; each granted is never changed

	// generation counts changes. It is raised under mu, after the change is
	// made, so that who reads it first and then decides never keeps an old
	// decision under a new number.
	generation atomic.Uint64
}

// A Change is one thing that changes: a user or a grant, put or removed.
type Change struct {
	User    *User  // a user, with the hash of the password; or
	Grant   *Grant // permissions
	Removed bool   // it goes: only its names count
}

type grantKey struct{ vhost, user string }

// granted is the compiled form of Permissions.
type granted struct{ patterns [Read + 1]*pattern }

// New returns an empty Users.
func New() *Users {
	return &Users{users: make(map[string]User), grants: make(map[grantKey]*granted)}
}

// DefaultUser is the name and the password of the user that every new broker
// has.
const DefaultUser = "guest"

// PutDefault puts the user guest with the password guest, the tag
// administrator and all permissions in vhost, who can log in from this machine
// only.
func (u *Users) PutDefault(vhost string) error {
	err := u.Put(User{
		Name:         DefaultUser,
		PasswordHash: NewHash([]byte(DefaultUser)),
		Tags:         []string{"administrator"},
		LoopbackOnly: true,
	})
	if err != nil {
		return err
	}
	return u.SetPermissions(vhost, DefaultUser, Permissions{Configure: ".*", Write: ".*", Read: ".*"})
}

// Keep has keep told of every change before it is made, so that it can be
// stored: of all that one call changes at once, and of one call at a time. When
// keep fails nothing changes, and the call returns its error. Keep must not
// call methods that change something. Nil ends it.
func (u *Users) Keep(keep func(changes []Change) error) {
	u.changing.Lock()
	defer u.changing.Unlock()
	u.keep = keep
}

// change makes changes: apply does it, under mu. Under changing.
func (u *Users) change(changes []Change, apply func()) error {
	if u.keep != nil && len(changes) > 0 {
		if err := u.keep(changes); err != nil {
			return err
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	apply()
	u.generation.Add(1)
	return nil
}

// Put adds a user, or replaces the one with this name, whose permissions stay.
// It fails when the name is empty or the hash is not one of the algorithm.
func (u *Users) Put(user User) error {
	if user.Name == "" {
		return errors.New("a user needs a name")
	}
	if user.PasswordHash != "" {
		if _, _, err := parseHash(user.PasswordHash, user.Algorithm); err != nil {
			return fmt.Errorf("user '%s': %w", user.Name, err)
		}
	}
	user.Tags = slices.Clone(user.Tags)
	u.changing.Lock()
	defer u.changing.Unlock()
	return u.change([]Change{{User: &user}}, func() { u.users[user.Name] = user })
}

// Delete removes a user with all permissions and reports whether there was one.
// Connections of the user stay, but are allowed nothing more.
func (u *Users) Delete(name string) (found bool, err error) {
	u.changing.Lock()
	defer u.changing.Unlock()
	user, found := u.Get(name)
	if !found {
		return false, nil
	}
	of := func(k grantKey) bool { return k.user == name }
	changes := append(u.removals(of), Change{User: &user, Removed: true})
	return true, u.change(changes, func() {
		delete(u.users, name)
		u.remove(of)
	})
}

// Get returns the user with this name.
func (u *Users) Get(name string) (User, bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	user, ok := u.users[name]
	user.Tags = slices.Clone(user.Tags)
	return user, ok
}

// List returns all users, ordered by name.
func (u *Users) List() []User {
	u.mu.RLock()
	defer u.mu.RUnlock()
	list := slices.SortedFunc(maps.Values(u.users), func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
	for i := range list {
		list[i].Tags = slices.Clone(list[i].Tags)
	}
	return list
}

// SetPermissions sets what user may do in vhost. It fails when there is no such
// user ([NoUserError]) or an expression cannot be compiled ([PatternError]).
// Whether there is such a virtual host is not its business.
func (u *Users) SetPermissions(vhost, user string, p Permissions) error {
	g := new(granted)
	for perm, source := range [...]string{Configure: p.Configure, Write: p.Write, Read: p.Read} {
		compiled, err := compile(source)
		if err != nil {
			return &PatternError{Permission: Permission(perm), Pattern: source, Err: err}
		}
		g.patterns[perm] = compiled
	}
	u.changing.Lock()
	defer u.changing.Unlock()
	if _, ok := u.Get(user); !ok {
		return &NoUserError{User: user}
	}
	key := grantKey{vhost, user}
	return u.change([]Change{{Grant: key.grant(g)}}, func() { u.grants[key] = g })
}

// ClearPermissions takes away what user may do in vhost, the access to it
// included, and reports whether there was anything.
func (u *Users) ClearPermissions(vhost, user string) (found bool, err error) {
	removed, err := u.clear(func(k grantKey) bool { return k == grantKey{vhost, user} })
	return removed > 0, err
}

// ClearVHost takes away everybody's permissions in vhost, which is being
// deleted.
func (u *Users) ClearVHost(vhost string) error {
	_, err := u.clear(func(k grantKey) bool { return k.vhost == vhost })
	return err
}

// clear removes the permissions that are of a kind, and returns how many.
func (u *Users) clear(of func(grantKey) bool) (removed int, err error) {
	u.changing.Lock()
	defer u.changing.Unlock()
	changes := u.removals(of)
	if len(changes) == 0 {
		return 0, nil
	}
	return len(changes), u.change(changes, func() { u.remove(of) })
}

// removals returns the changes that remove permissions, ordered. Under
// changing.
func (u *Users) removals(of func(grantKey) bool) []Change {
	var changes []Change
	for _, g := range u.Grants() {
		if of(grantKey{g.VHost, g.User}) {
			changes = append(changes, Change{Grant: &g, Removed: true})
		}
	}
	return changes
}

// remove removes permissions. Under mu.
func (u *Users) remove(of func(grantKey) bool) {
	maps.DeleteFunc(u.grants, func(k grantKey, _ *granted) bool { return of(k) })
}

// grant returns permissions as they were set.
func (k grantKey) grant(g *granted) *Grant {
	return &Grant{VHost: k.vhost, User: k.user, Permissions: Permissions{
		Configure: g.patterns[Configure].source,
		Write:     g.patterns[Write].source,
		Read:      g.patterns[Read].source,
	}}
}

// Grants returns all permissions, ordered by virtual host and user.
func (u *Users) Grants() []Grant {
	u.mu.RLock()
	defer u.mu.RUnlock()
	list := make([]Grant, 0, len(u.grants))
	for k, g := range u.grants {
		list = append(list, *k.grant(g))
	}
	slices.SortFunc(list, func(a, b Grant) int {
		return cmp.Or(cmp.Compare(a.VHost, b.VHost), cmp.Compare(a.User, b.User))
	})
	return list
}

// A NoUserError says that there is no such user.
type NoUserError struct{ User string }

func (e *NoUserError) Error() string { return fmt.Sprintf("no user '%s'", e.User) }
