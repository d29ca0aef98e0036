package definitions

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"strings"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/message"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// With these prefixes begin the keys of all things of a kind, and none else.
const (
	VHostPrefix      = "vhost\x00"
	UserPrefix       = "user\x00"
	PermissionPrefix = "permission\x00"
	ExchangePrefix   = "exchange\x00"
	QueuePrefix      = "queue\x00"
	BindingPrefix    = "binding\x00"
	PolicyPrefix     = "policy\x00"
)

// Within returns what the keys of a vhost's things of a kind begin with. The prefix is that of permissions, exchanges, queues,
// bindings or policies.
func Within(prefix, vhost string) string { return prefix + escape(vhost) + separator }

// RecordError says that a stored definition cannot be read.
type RecordError struct {
	Key     string
	Problem string
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("the stored definition %q cannot be read: %s", e.Key, e.Problem)
}

// Stored returns all definitions of a store, whose method Values is. The error is a *RecordError.
func Stored(values func(prefix string) iter.Seq2[string, []byte]) (*Definitions, error) {
	d := new(Definitions)
	err := cmp.Or(
		collect(values(VHostPrefix), &d.VHosts, ParseVHost),
		collect(values(UserPrefix), &d.Users, ParseUser),
		collect(values(PermissionPrefix), &d.Permissions, ParsePermission),
		collect(values(ExchangePrefix), &d.Exchanges, ParseExchange),
		collect(values(QueuePrefix), &d.Queues, ParseQueue),
		collect(values(BindingPrefix), &d.Bindings, ParseBinding),
		collect(values(PolicyPrefix), &d.Policies, ParsePolicy),
	)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func collect[D any](values iter.Seq2[string, []byte], list *[]D, parse func(string, []byte) (D, error)) error {
	for key, value := range values {
		d, err := parse(key, value)
		if err != nil {
			return err
		}
		*list = append(*list, d)
	}
	return nil
}

// Key returns the key of a vhost.
func (d VHost) Key() string { return key(VHostPrefix, d.Name) }

// AppendValue appends what is stored under the key.
func (d VHost) AppendValue(dst []byte) []byte { return append(dst, version) }

// ParseVHost reads what is stored. The error is a *RecordError.
func ParseVHost(key string, value []byte) (d VHost, err error) {
	err = parse(key, value, VHostPrefix, []*string{&d.Name}, &d, nil)
	return d, err
}

// Key returns the key of a user.
func (d User) Key() string { return key(UserPrefix, d.Name) }

// AppendValue appends what is stored under the key.
func (d User) AppendValue(dst []byte) []byte {
	dst = append(dst, version)
	dst = appendString(dst, 1, d.PasswordHash)
	dst = appendString(dst, 2, string(d.HashingAlgorithm))
	dst = appendStrings(dst, 3, d.Tags)
	return appendFlag(dst, 4, d.LoopbackOnly)
}

// ParseUser reads what is stored. The error is a *RecordError.
func ParseUser(key string, value []byte) (d User, err error) {
	err = parse(key, value, UserPrefix, []*string{&d.Name}, &d, func(f *field) {
		switch f.tag {
		case 1:
			d.PasswordHash = f.text()
		case 2:
			d.HashingAlgorithm = access.Algorithm(f.text())
		case 3:
			d.Tags = f.texts()
		case 4:
			d.LoopbackOnly = f.flag()
		default:
			f.unknown()
		}
	})
	return d, err
}

// Key returns the key of a user's permissions in a vhost.
func (d Permission) Key() string { return key(PermissionPrefix, d.VHost, d.User) }

// AppendValue appends what is stored under the key.
func (d Permission) AppendValue(dst []byte) []byte {
	dst = append(dst, version)
	dst = appendString(dst, 1, d.Configure)
	dst = appendString(dst, 2, d.Write)
	return appendString(dst, 3, d.Read)
}

// ParsePermission reads what is stored. The error is a *RecordError.
func ParsePermission(key string, value []byte) (d Permission, err error) {
	err = parse(key, value, PermissionPrefix, []*string{&d.VHost, &d.User}, &d, func(f *field) {
		switch f.tag {
		case 1:
			d.Configure = f.text()
		case 2:
			d.Write = f.text()
		case 3:
			d.Read = f.text()
		default:
			f.unknown()
		}
	})
	return d, err
}

// Key returns the key of an exchange.
func (d Exchange) Key() string { return key(ExchangePrefix, d.VHost, d.Name) }

// AppendValue appends what is stored under the key.
func (d Exchange) AppendValue(dst []byte) []byte {
	dst = append(dst, version)
	dst = appendString(dst, 1, d.Type)
	dst = appendFlag(dst, 2, d.Durable)
	dst = appendFlag(dst, 3, d.AutoDelete)
	dst = appendFlag(dst, 4, d.Internal)
	return appendArgs(dst, 5, d.Args)
}

// ParseExchange reads what is stored. The error is a *RecordError.
func ParseExchange(key string, value []byte) (d Exchange, err error) {
	err = parse(key, value, ExchangePrefix, []*string{&d.VHost, &d.Name}, &d, func(f *field) {
		switch f.tag {
		case 1:
			d.Type = f.text()
		case 2:
			d.Durable = f.flag()
		case 3:
			d.AutoDelete = f.flag()
		case 4:
			d.Internal = f.flag()
		case 5:
			d.Args = f.args()
		default:
			f.unknown()
		}
	})
	return d, err
}

// Key returns the key of a queue.
func (d Queue) Key() string { return key(QueuePrefix, d.VHost, d.Name) }

// AppendValue appends what is stored under the key.
func (d Queue) AppendValue(dst []byte) []byte {
	dst = append(dst, version)
	dst = appendFlag(dst, 1, d.Durable)
	dst = appendFlag(dst, 2, d.AutoDelete)
	dst = appendArgs(dst, 3, d.Args)
	dst = appendNumber(dst, 4, d.Stream)
	return appendNumber(dst, 5, uint64(d.CreatedAt))
}

// ParseQueue reads what is stored. The error is a *RecordError.
func ParseQueue(key string, value []byte) (d Queue, err error) {
	err = parse(key, value, QueuePrefix, []*string{&d.VHost, &d.Name}, &d, func(f *field) {
		switch f.tag {
		case 1:
			d.Durable = f.flag()
		case 2:
			d.AutoDelete = f.flag()
		case 3:
			d.Args = f.args()
		case 4:
			d.Stream = f.number()
		case 5:
			d.CreatedAt = int64(f.number())
		default:
			f.unknown()
		}
	})
	return d, err
}

// Key returns the key of a binding: all of it, the arguments sorted by name.
func (d Binding) Key() string {
	return key(BindingPrefix, d.VHost, d.Source, d.DestinationType, d.Destination, d.RoutingKey, string(d.Args.sorted().table()))
}

// AppendValue appends what is stored under the key.
func (d Binding) AppendValue(dst []byte) []byte { return append(dst, version) }

// ParseBinding reads what is stored. The arguments are sorted by name. The error is a *RecordError.
func ParseBinding(key string, value []byte) (d Binding, err error) {
	var args string
	names := []*string{&d.VHost, &d.Source, &d.DestinationType, &d.Destination, &d.RoutingKey, &args}
	if err = split(key, BindingPrefix, names); err == nil {
		table := wire.Table(args)
		if table.Validate() != nil || d.DestinationType != ToQueue && d.DestinationType != ToExchange {
			return d, &RecordError{key, malformedKey}
		}
		d.Args = message.Args(table)
		err = parse(key, value, BindingPrefix, names, &d, nil)
	}
	return d, err
}

// Key returns the key of a policy.
func (d Policy) Key() string { return key(PolicyPrefix, d.VHost, d.Name) }

// AppendValue appends what is stored under the key.
func (d Policy) AppendValue(dst []byte) []byte {
	dst = append(dst, version)
	dst = appendString(dst, 1, d.Pattern)
	dst = appendString(dst, 2, d.ApplyTo)
	dst = appendArgs(dst, 3, d.Definition)
	return appendNumber(dst, 4, uint64(d.Priority))
}

// ParsePolicy reads what is stored. The error is a *RecordError.
func ParsePolicy(key string, value []byte) (d Policy, err error) {
	err = parse(key, value, PolicyPrefix, []*string{&d.VHost, &d.Name}, &d, func(f *field) {
		switch f.tag {
		case 1:
			d.Pattern = f.text()
		case 2:
			d.ApplyTo = f.text()
		case 3:
			d.Definition = f.args()
		case 4:
			d.Priority = int64(f.number())
		default:
			f.unknown()
		}
	})
	return d, err
}

const (
	version   = 1 // of the form of values
	separator = "\x00"

	malformedKey = "its key is malformed"
	malformed    = "its value is malformed"
	newer        = "it was written by a newer version of Warren"
)

func key(prefix string, names ...string) string {
	for i, name := range names {
		names[i] = escape(name)
	}
	return prefix + strings.Join(names, separator)
}

func escape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "\x01", "\x01\x02"), "\x00", "\x01\x01")
}

func unescape(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "\x01\x01", "\x00"), "\x01\x02", "\x01")
}

// split takes a key apart.
func split(key, prefix string, names []*string) error {
	rest, ok := strings.CutPrefix(key, prefix)
	parts := strings.Split(rest, separator)
	if !ok || len(parts) != len(names) {
		return &RecordError{key, malformedKey}
	}
	for i, part := range parts {
		*names[i] = unescape(part)
	}
	return nil
}

// parse takes a key apart and calls set for each field of the value. What d then is must have this very key: otherwise it
// could never be found to be removed.
func parse(key string, value []byte, prefix string, names []*string, d interface{ Key() string }, set func(*field)) error {
	if err := split(key, prefix, names); err != nil {
		return err
	}
	if len(value) == 0 {
		return &RecordError{key, malformed}
	}
	if value[0] != version {
		return &RecordError{key, newer}
	}
	var f field
	for rest := value[1:]; len(rest) > 0; {
		tag, n := binary.Uvarint(rest)
		if n <= 0 || tag <= f.tag {
			return &RecordError{key, malformed}
		}
		rest = rest[n:]
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			return &RecordError{key, malformed}
		}
		f.tag, f.data, rest = tag, rest[n:n+int(length)], rest[n+int(length):]
		if set == nil {
			f.unknown()
		} else {
			set(&f)
		}
		if f.problem != "" {
			return &RecordError{key, f.problem}
		}
	}
	if d.Key() != key {
		return &RecordError{key, malformedKey}
	}
	return nil
}

func appendField(dst []byte, tag byte, length int) []byte {
	return binary.AppendUvarint(append(dst, tag), uint64(length))
}

func appendString(dst []byte, tag byte, s string) []byte {
	if s == "" {
		return dst
	}
	return append(appendField(dst, tag, len(s)), s...)
}

// appendStrings appends a field of strings, each with its length.
func appendStrings(dst []byte, tag byte, list []string) []byte {
	var data []byte
	for _, s := range list {
		data = append(binary.AppendUvarint(data, uint64(len(s))), s...)
	}
	return appendString(dst, tag, string(data))
}

// appendFlag appends a field whose being there says it all.
func appendFlag(dst []byte, tag byte, on bool) []byte {
	if !on {
		return dst
	}
	return appendField(dst, tag, 0)
}

func appendNumber(dst []byte, tag byte, n uint64) []byte {
	if n == 0 {
		return dst
	}
	return appendString(dst, tag, string(binary.AppendUvarint(nil, n)))
}

func appendArgs(dst []byte, tag byte, args Args) []byte {
	return appendString(dst, tag, string(args.table()))
}

// field is a field being read. The first problem counts.
type field struct {
	tag     uint64
	data    []byte
	problem string
}

func (f *field) unknown() { f.problem = newer }

func (f *field) fail() { f.problem = malformed }

func (f *field) text() string { return string(f.data) }

func (f *field) flag() bool {
	if len(f.data) > 0 {
		f.fail()
	}
	return true
}

func (f *field) number() uint64 {
	n, size := binary.Uvarint(f.data)
	if size <= 0 || size != len(f.data) {
		f.fail()
	}
	return n
}

func (f *field) texts() (list []string) {
	for rest := f.data; len(rest) > 0; {
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) {
			f.fail()
			return nil
		}
		list = append(list, string(rest[n:n+int(length)]))
		rest = rest[n+int(length):]
	}
	return list
}

func (f *field) args() Args {
	table := wire.Table(f.data)
	if table.Validate() != nil {
		f.fail()
	}
	return message.Args(table)
}
