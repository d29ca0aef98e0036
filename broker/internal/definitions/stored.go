package definitions

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
)

// The prefixes of keys: all things of a kind.
const (
	VHostPrefix      = "vhost/"
	UserPrefix       = "user/"
	PermissionPrefix = "permission/"
	ExchangePrefix   = "exchange/"
	QueuePrefix      = "queue/"
	BindingPrefix    = "binding/"
)

type VHost struct{ Name string }

type User struct {
	Name         string
	PasswordHash string
	Algorithm    string
	Tags         []string
	LoopbackOnly bool
}

type Permission struct{ VHost, User, Configure, Write, Read string }

type Exchange struct {
	VHost, Name, Type             string
	Durable, AutoDelete, Internal bool
	Args                          []exchange.Arg
}

type Queue struct {
	VHost, Name         string
	Durable, AutoDelete bool
	Args                []exchange.Arg
	Stream              uint64
}

type Binding struct {
	VHost, Source, Destination, DestinationType, RoutingKey string
	Args                                                    []exchange.Arg
}

func key(prefix string, parts ...string) string {
	for i, p := range parts {
		parts[i] = url.QueryEscape(p)
	}
	return prefix + strings.Join(parts, "/")
}

func (d VHost) Key() string      { return key(VHostPrefix, d.Name) }
func (d User) Key() string       { return key(UserPrefix, d.Name) }
func (d Permission) Key() string { return key(PermissionPrefix, d.VHost, d.User) }
func (d Exchange) Key() string   { return key(ExchangePrefix, d.VHost, d.Name) }
func (d Queue) Key() string      { return key(QueuePrefix, d.VHost, d.Name) }
func (d Binding) Key() string {
	args, _ := json.Marshal(d.Args)
	return key(BindingPrefix, d.VHost, d.Source, d.DestinationType, d.Destination, d.RoutingKey, string(args))
}

func (d VHost) AppendValue(dst []byte) []byte      { return value(dst, d) }
func (d User) AppendValue(dst []byte) []byte       { return value(dst, d) }
func (d Permission) AppendValue(dst []byte) []byte { return value(dst, d) }
func (d Exchange) AppendValue(dst []byte) []byte   { return value(dst, d) }
func (d Queue) AppendValue(dst []byte) []byte      { return value(dst, d) }
func (d Binding) AppendValue(dst []byte) []byte    { return value(dst, d) }

func value(dst []byte, d any) []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic("definitions: " + err.Error())
	}
	return append(dst, b...)
}

func parse[T any](key string, value []byte) (d T, err error) {
	if err = json.Unmarshal(value, &d); err != nil {
		err = fmt.Errorf("the definition %s cannot be read: %w", key, err)
	}
	return d, err
}

func ParseVHost(key string, value []byte) (VHost, error) { return parse[VHost](key, value) }
func ParseUser(key string, value []byte) (User, error)   { return parse[User](key, value) }
func ParsePermission(key string, value []byte) (Permission, error) {
	return parse[Permission](key, value)
}
func ParseExchange(key string, value []byte) (Exchange, error) { return parse[Exchange](key, value) }
func ParseQueue(key string, value []byte) (Queue, error)       { return parse[Queue](key, value) }
func ParseBinding(key string, value []byte) (Binding, error)   { return parse[Binding](key, value) }

func (d User) User() access.User {
	return access.User{Name: d.Name, PasswordHash: d.PasswordHash, Algorithm: access.Algorithm(d.Algorithm), Tags: d.Tags, LoopbackOnly: d.LoopbackOnly}
}

func UserOf(u access.User) User {
	return User{Name: u.Name, PasswordHash: u.PasswordHash, Algorithm: string(u.Algorithm), Tags: u.Tags, LoopbackOnly: u.LoopbackOnly}
}
