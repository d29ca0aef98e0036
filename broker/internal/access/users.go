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
// called from anywhere, and none blocks but for the others.
type Users struct {
	mu     sync.RWMutex
	users  map[string]User       // under mu
	grants map[grantKey]*granted // under mu; each granted is never changed

	// generation counts changes. It is raised under mu, after the change is
	// made, so that who reads it first and then decides never keeps an old
	// decision under a new number.
	generation atomic.Uint64
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
	u.mu.Lock()
	defer u.mu.Unlock()
	u.users[user.Name] = user
	u.generation.Add(1)
	return nil
}

// Delete removes a user with all permissions and reports whether there was one.
// Connections of the user stay, but are allowed nothing more.
func (u *Users) Delete(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.users[name]; !ok {
		return false
	}
	delete(u.users, name)
	maps.DeleteFunc(u.grants, func(k grantKey, _ *granted) bool { return k.user == name })
	u.generation.Add(1)
	return true
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
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.users[user]; !ok {
		return &NoUserError{User: user}
	}
	u.grants[grantKey{vhost, user}] = g
	u.generation.Add(1)
	return nil
}

// ClearPermissions takes away what user may do in vhost, the access to it
// included, and reports whether there was anything.
func (u *Users) ClearPermissions(vhost, user string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := grantKey{vhost, user}
	if u.grants[key] == nil {
		return false
	}
	delete(u.grants, key)
	u.generation.Add(1)
	return true
}

// ClearVHost takes away everybody's permissions in vhost, which is being
// deleted.
func (u *Users) ClearVHost(vhost string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.DeleteFunc(u.grants, func(k grantKey, _ *granted) bool { return k.vhost == vhost })
	u.generation.Add(1)
}

// Grants returns all permissions, ordered by virtual host and user.
func (u *Users) Grants() []Grant {
	u.mu.RLock()
	defer u.mu.RUnlock()
	list := make([]Grant, 0, len(u.grants))
	for k, g := range u.grants {
		list = append(list, Grant{VHost: k.vhost, User: k.user, Permissions: Permissions{
			Configure: g.patterns[Configure].source,
			Write:     g.patterns[Write].source,
			Read:      g.patterns[Read].source,
		}})
	}
	slices.SortFunc(list, func(a, b Grant) int {
		return cmp.Or(cmp.Compare(a.VHost, b.VHost), cmp.Compare(a.User, b.User))
	})
	return list
}

// A NoUserError says that there is no such user.
type NoUserError struct{ User string }

func (e *NoUserError) Error() string { return fmt.Sprintf("no user '%s'", e.User) }
