package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// Config is what a broker is opened with. The zero value is a private broker in memory that listens nowhere.
type Config struct {
	// Dir is the data folder, in which everything durable is kept: vhosts, users, durable exchanges, queues and bindings, and
	// the persistent messages in durable queues. It is made if it is missing. One broker at a time uses it. Empty is none:
	// everything lives in memory.
	Dir string
	// Store says how Dir is kept. The zero value is the safe one.
	Store StoreOptions
	// Listen holds the URLs that Run listens on; see the package documentation. Nil is none. DefaultListen returns the
	// standard ones.
	Listen []string
	// VHosts are the names of the virtual hosts. None is one, named "/". Those that Dir has are there too.
	VHosts []string
	// Users are who may log in; those that Dir has may too. Nil is, for a new Dir or none, the user guest with password guest,
	// who may do everything, from this machine only.
	Users []User
	// MemoryLimit is how many bytes of messages may lie in memory before publishers are held. 0 is two fifths of the memory that
	// the process may use; a negative number is no limit. With a Dir, only the beginnings of queues lie in memory.
	MemoryLimit int64
	// DrainTimeout is how long Run waits for clients to say goodbye once its context has ended. 0 is 5 seconds; a negative
	// one is no time at all.
	DrainTimeout time.Duration
	// Logger is told what an operator should know. Nil logs nothing.
	Logger *slog.Logger
	// Clock is the time. Nil is the system's.
	Clock Clock
	// Trace is told of every message that passes. Nil is nobody.
	Trace *Trace

	fs       vfs.FS        // where Dir lies; nil is the system's. Tests have others
	patience time.Duration // with a disk that does not answer, at the end; 0 is diskPatience. Tests have less
}

// User is somebody who may log in.
type User struct {
	Name     string
	Password string // in the clear; or
	// PasswordHash is a hash as RabbitMQ stores it: base64 of a 4-byte salt and SHA-256 of salt and password. A user with
	// neither password nor hash cannot log in.
	PasswordHash string
	Tags         []string // such as "administrator"; nil is none
	LoopbackOnly bool     // may connect from this machine only
	// Permissions by vhost. Nil is everything on every vhost.
	Permissions map[string]Permissions
}

// Permissions are regular expressions, matched anywhere in the names of queues and exchanges. "" allows nothing.
type Permissions struct {
	Configure, Write, Read string
}

// Clock is where a broker gets the time from.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in its own goroutine once d has passed, unless stop is called before.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// Trace is a set of functions that are told what passes; nil ones are not called. They run on the message path: they must
// be quick, must not block and must not call the broker, and they copy what they keep.
type Trace struct {
	// Published: a client's message went into so many queues.
	Published func(vhost, exchange, key string, body []byte, queues int)
	// Delivered: a message left a queue for a consumer.
	Delivered func(vhost, queue string, body []byte, redelivered bool)
}

func (c *Config) users() (*access.Users, error) {
	users := access.New()
	if c.Users == nil {
		for _, vhost := range c.vhosts() {
			if err := users.PutDefault(vhost); err != nil {
				return nil, err
			}
		}
		return users, nil
	}
	for _, u := range c.Users {
		if _, again := users.Get(u.Name); again {
			return nil, fmt.Errorf("there are two named %q", u.Name)
		}
		hash := u.PasswordHash
		if u.Password != "" {
			if hash != "" {
				return nil, fmt.Errorf("%q has both a password and a hash: give one", u.Name)
			}
			hash = access.NewHash([]byte(u.Password))
		}
		err := users.Put(access.User{Name: u.Name, PasswordHash: hash, Tags: u.Tags, LoopbackOnly: u.LoopbackOnly})
		if err != nil {
			return nil, err
		}
		permissions := u.Permissions
		if permissions == nil {
			permissions = make(map[string]Permissions)
			for _, vhost := range c.vhosts() {
				permissions[vhost] = Permissions{".*", ".*", ".*"}
			}
		}
		for _, vhost := range slices.Sorted(maps.Keys(permissions)) {
			if !slices.Contains(c.vhosts(), vhost) {
				return nil, fmt.Errorf("%q has permissions on the vhost %q, which is not among VHosts", u.Name, vhost)
			}
			if err := users.SetPermissions(vhost, u.Name, access.Permissions(permissions[vhost])); err != nil {
				return nil, fmt.Errorf("%q on the vhost %q: %w", u.Name, vhost, err)
			}
		}
	}
	return users, nil
}

// checkVHosts refuses names that are empty or there twice.
func (c *Config) checkVHosts() error {
	for i, name := range c.VHosts {
		if name == "" {
			return errors.New("vhosts: a vhost needs a name")
		}
		if slices.Contains(c.VHosts[:i], name) {
			return fmt.Errorf("vhosts: there are two named %q", name)
		}
	}
	return nil
}

func (c *Config) vhosts() []string {
	if len(c.VHosts) == 0 {
		return []string{"/"}
	}
	return c.VHosts
}

func (c *Config) memoryLimit() int64 {
	if c.MemoryLimit == 0 {
		return availableMemory() / 5 * 2
	}
	return max(c.MemoryLimit, 0)
}

func (c *Config) trace() *engine.Trace {
	t := c.Trace
	if t == nil {
		return nil
	}
	out := new(engine.Trace)
	if t.Published != nil {
		out.Published = tracePublished(t.Published)
	}
	if t.Delivered != nil {
		out.Delivered = traceDelivered(t.Delivered)
	}
	return out
}
