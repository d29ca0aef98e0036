package definitions

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// record is a definition of any kind.
type record interface {
	Key() string
	AppendValue(dst []byte) []byte
}

// parseAny reads a definition of the kind that its key names.
func parseAny(key string, value []byte) (record, error) {
	kind, _, _ := strings.Cut(key, separator)
	switch kind + separator {
	case VHostPrefix:
		return ParseVHost(key, value)
	case UserPrefix:
		return ParseUser(key, value)
	case PermissionPrefix:
		return ParsePermission(key, value)
	case ExchangePrefix:
		return ParseExchange(key, value)
	case QueuePrefix:
		return ParseQueue(key, value)
	case BindingPrefix:
		return ParseBinding(key, value)
	default:
		return ParsePolicy(key, value)
	}
}

// anyName draws names that keys could trip over.
func anyName() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringOf(rapid.SampledFrom([]rune{0, 1, 2, 'a', '/', 'ÿ'})),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) string { return string(b) }),
	)
}

func anyValue(t *rapid.T, depth int) wire.Value {
	kinds := 7
	if depth < 3 {
		kinds = 9
	}
	switch rapid.IntRange(0, kinds).Draw(t, "kind") {
	case 0:
		return wire.Bool(rapid.Bool().Draw(t, "bool"))
	case 1:
		return wire.Int(wire.KindInt64, rapid.Int64().Draw(t, "int"))
	case 2:
		return wire.Double(rapid.Float64().Draw(t, "float"))
	case 3:
		return wire.Longstr(anyName().Draw(t, "text"))
	case 4:
		return wire.Timestamp(rapid.Uint64().Draw(t, "time"))
	case 5:
		return wire.Decimal(rapid.Byte().Draw(t, "scale"), rapid.Uint32().Draw(t, "digits"))
	case 6:
		return wire.Void()
	case 7:
		return wire.Double(math.NaN())
	case 8:
		var a wire.Array
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			a = wire.AppendValue(a, anyValue(t, depth+1))
		}
		return wire.ArrayValue(a)
	default:
		return wire.TableValue(anyTable(t, depth+1))
	}
}

func anyTable(t *rapid.T, depth int) (table wire.Table) {
	for range rapid.IntRange(0, 3).Draw(t, "fields") {
		table = wire.AppendField(table, anyName().Draw(t, "name"), anyValue(t, depth))
	}
	return table
}

func anyArgs(t *rapid.T) Args {
	var f field
	f.data = anyTable(t, 0)
	return f.args()
}

// anyRecord draws a definition of any kind.
func anyRecord(t *rapid.T) record {
	name := func(what string) string { return anyName().Draw(t, what) }
	flag := func(what string) bool { return rapid.Bool().Draw(t, what) }
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return VHost{Name: name("name")}
	case 1:
		return User{
			Name: name("name"), PasswordHash: name("hash"), HashingAlgorithm: access.Algorithm(name("algorithm")),
			Tags: rapid.SliceOfN(anyName(), 1, 3).Draw(t, "tags"), LoopbackOnly: flag("loopback"),
		}
	case 2:
		return Permission{User: name("user"), VHost: name("vhost"), Configure: name("c"), Write: name("w"), Read: name("r")}
	case 3:
		return Exchange{
			Name: name("name"), VHost: name("vhost"), Type: name("type"), Durable: flag("durable"), AutoDelete: flag("auto"),
			Internal: flag("internal"), Args: anyArgs(t),
		}
	case 4:
		return Queue{
			Name: name("name"), VHost: name("vhost"), Durable: flag("durable"), AutoDelete: flag("auto"), Args: anyArgs(t),
			Stream: rapid.Uint64().Draw(t, "stream"), CreatedAt: rapid.Int64().Draw(t, "created"),
		}
	case 5:
		return Binding{
			Source: name("source"), VHost: name("vhost"), Destination: name("destination"),
			DestinationType: rapid.SampledFrom([]string{ToQueue, ToExchange}).Draw(t, "type"), RoutingKey: name("key"),
			Args: anyArgs(t).sorted(),
		}
	default:
		return Policy{
			VHost: name("vhost"), Name: name("name"), Pattern: name("pattern"), ApplyTo: name("to"), Definition: anyArgs(t),
			Priority: rapid.Int64().Draw(t, "priority"),
		}
	}
}

// same compares definitions; not a number is itself.
func same(a, b record) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && a.Key() == b.Key() && bytes.Equal(a.AppendValue(nil), b.AppendValue(nil))
}

func TestEveryDefinitionComesBackFromTheStoreAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyRecord(t)
		got, err := parseAny(want.Key(), want.AppendValue(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !same(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestQueueFieldsAreStoredOneByOne(t *testing.T) {
	want := Queue{Name: "q", VHost: "/", Durable: true, AutoDelete: true, Args: typed(), Stream: 1 << 40, CreatedAt: -5}
	got, err := ParseQueue(want.Key(), want.AppendValue(nil))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDifferentThingsHaveDifferentKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyRecord(t), anyRecord(t)
		if a.Key() != b.Key() {
			return
		}
		// The same key is the same thing: what is parsed from one value must be what the other is named.
		if _, err := parseAny(a.Key(), b.AppendValue(nil)); err != nil {
			t.Fatalf("%+v and %+v share a key: %v", a, b, err)
		}
	})
	names := []string{"", "\x00", "\x01", "\x00\x00", "\x00\x01", "\x01\x01", "\x01\x02", "\x02", "a", "a\x00", "a\x00b", "queue"}
	keys := make(map[string]Queue)
	for _, vhost := range names {
		for _, name := range names {
			q := Queue{VHost: vhost, Name: name}
			if other, taken := keys[q.Key()]; taken {
				t.Errorf("%+v and %+v share a key", q, other)
			}
			keys[q.Key()] = q
		}
	}
}

func TestKeysListVHostByVHostInTheOrderOfNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type thing struct{ vhost, name string }
		var things []thing
		for range rapid.IntRange(2, 8).Draw(t, "n") {
			things = append(things, thing{anyName().Draw(t, "vhost"), anyName().Draw(t, "name")})
		}
		var keys []string
		for _, x := range things {
			keys = append(keys, Queue{VHost: x.vhost, Name: x.name}.Key())
		}
		slices.Sort(keys)
		slices.SortFunc(things, func(a, b thing) int {
			if c := strings.Compare(a.vhost, b.vhost); c != 0 {
				return c
			}
			return strings.Compare(a.name, b.name)
		})
		for i, key := range keys {
			q, err := ParseQueue(key, []byte{version})
			if err != nil || q.VHost != things[i].vhost || q.Name != things[i].name {
				t.Fatalf("at %d: %+v, %v; want %+v", i, q, err, things[i])
			}
			for _, x := range things {
				if strings.HasPrefix(key, Within(QueuePrefix, x.vhost)) != (q.VHost == x.vhost) {
					t.Fatalf("%q in vhost %q", key, x.vhost)
				}
			}
		}
	})
}

func TestTheOrderOfABindingsArgumentsMakesNoOtherBinding(t *testing.T) {
	arg := func(name string, i int64) exchange.Arg {
		return exchange.Arg{Name: name, Value: exchange.Value{Kind: exchange.Int, Int: i}}
	}
	b := Binding{VHost: "/", Source: "x", Destination: "q", DestinationType: ToQueue, Args: Args{arg("b", 1), arg("a", 2)}}
	c := b
	c.Args = Args{arg("a", 2), arg("b", 1)}
	if b.Key() != c.Key() {
		t.Error("they have two keys")
	}
	if b.Args[0].Name != "b" {
		t.Error("Key has sorted the caller's arguments")
	}
	c.Args = Args{arg("a", 1), arg("b", 1)}
	if b.Key() == c.Key() {
		t.Error("another value has the same key")
	}
}

func TestWhatIsStoredCannotBeReadWhenItIsNotWhatWasWritten(t *testing.T) {
	q := Queue{VHost: "/", Name: "q", Durable: true, Stream: 300}
	value := q.AppendValue(nil)
	for _, c := range []struct {
		what, key string
		value     []byte
		problem   string
	}{
		{"another kind", Exchange{VHost: "/", Name: "q"}.Key(), value, malformedKey},
		{"no name", "queue\x00/", value, malformedKey},
		{"a name too many", "queue\x00/\x00q\x00", value, malformedKey},
		{"an escape that is none", "queue\x00/\x00q\x01\x03", value, malformedKey},
		{"an escape cut off", "queue\x00/\x00q\x01", value, malformedKey},
		{"nothing", q.Key(), nil, malformed},
		{"a later version", q.Key(), []byte{version + 1}, newer},
		{"a later field", q.Key(), append(slices.Clone(value), 100, 0), newer},
		{"a field twice", q.Key(), append(slices.Clone(value), 4, 1, 5), malformed},
		{"a flag with a value", q.Key(), []byte{version, 1, 1, 1}, malformed},
		{"a number and more", q.Key(), []byte{version, 4, 2, 1, 1}, malformed},
		{"a number cut off", q.Key(), []byte{version, 4, 1, 0x80}, malformed},
		{"no table", q.Key(), []byte{version, 3, 2, 1, 'x'}, malformed},
		{"cut off", q.Key(), value[:len(value)-1], malformed},
		{"cut off in a length", q.Key(), []byte{version, 4}, malformed},
	} {
		_, err := ParseQueue(c.key, c.value)
		e, ok := errors.AsType[*RecordError](err)
		if !ok || e.Problem != c.problem || e.Key != c.key {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if _, err := ParseVHost(VHost{Name: "/"}.Key(), []byte{version, 1, 0}); err == nil {
		t.Error("a vhost with a field of a later version was read")
	}
	user := User{Name: "u"}
	if _, err := ParseUser(user.Key(), []byte{version, 3, 1, 5}); err == nil {
		t.Error("a tag that is cut off was read")
	}
	for _, b := range []Binding{
		{VHost: "/", Source: "x", Destination: "q", DestinationType: "queues"},
		{VHost: "/", Source: "x", Destination: "q"},
	} {
		if _, err := ParseBinding(b.Key(), b.AppendValue(nil)); err == nil {
			t.Errorf("a binding to a %q was read", b.DestinationType)
		}
	}
	unsorted := key(BindingPrefix, "/", "x", ToQueue, "q", "", "\x01bV\x01aV")
	if _, err := ParseBinding(unsorted, []byte{version}); err == nil {
		t.Error("a key that no binding has was read")
	}
}

func TestAllThatIsStoredIsCollected(t *testing.T) {
	want, err := Decode(bytes.NewReader(rabbitmq(t)))
	if err != nil {
		t.Fatal(err)
	}
	stored := make(map[string][]byte)
	keep := func(d record) { stored[d.Key()] = d.AppendValue(nil) }
	for _, d := range want.VHosts {
		keep(d)
	}
	for _, d := range want.Users {
		keep(d)
	}
	for _, d := range want.Permissions {
		keep(d)
	}
	for _, d := range want.Exchanges {
		keep(d)
	}
	for _, d := range want.Queues {
		keep(d)
	}
	for _, d := range want.Bindings {
		keep(d)
	}
	for _, d := range want.Policies {
		keep(d)
	}
	values := func(prefix string) iter.Seq2[string, []byte] {
		return func(yield func(string, []byte) bool) {
			for _, key := range slices.Sorted(maps.Keys(stored)) {
				if strings.HasPrefix(key, prefix) && !yield(key, stored[key]) {
					return
				}
			}
		}
	}
	got, err := Stored(values)
	if err != nil {
		t.Fatal(err)
	}
	sort := func(d *Definitions) {
		slices.SortFunc(d.VHosts, func(a, b VHost) int { return strings.Compare(a.Key(), b.Key()) })
		slices.SortFunc(d.Users, func(a, b User) int { return strings.Compare(a.Key(), b.Key()) })
		slices.SortFunc(d.Permissions, func(a, b Permission) int { return strings.Compare(a.Key(), b.Key()) })
		slices.SortFunc(d.Exchanges, func(a, b Exchange) int { return strings.Compare(a.Key(), b.Key()) })
		slices.SortFunc(d.Queues, func(a, b Queue) int { return strings.Compare(a.Key(), b.Key()) })
		slices.SortFunc(d.Bindings, func(a, b Binding) int { return strings.Compare(a.Key(), b.Key()) })
	}
	sort(want)
	want.RabbitVersion, want.RabbitMQVersion, want.ProductName, want.ProductVersion = "", "", "", ""
	want.TopicPermissions, want.Parameters, want.GlobalParameters = nil, nil, nil // which are not stored
	var is, should bytes.Buffer
	if err := errors.Join(got.Encode(&is), want.Encode(&should)); err != nil || is.String() != should.String() {
		t.Errorf("%v\ngot  %s\nwant %s", err, &is, &should)
	}
	stored[QueuePrefix] = nil
	if _, err := Stored(values); err == nil {
		t.Error("a damaged record was passed over")
	}
}

func FuzzStored(f *testing.F) {
	args := typed()
	for _, d := range []record{
		VHost{Name: "/"},
		User{Name: "guest", PasswordHash: "x", HashingAlgorithm: access.SHA256, Tags: Tags{"administrator", ""}, LoopbackOnly: true},
		Permission{User: "guest", VHost: "/", Configure: ".*", Write: ".*", Read: ".*"},
		Exchange{Name: "x\x00\x01", VHost: "/", Type: "topic", Durable: true, AutoDelete: true, Internal: true, Args: args},
		Queue{Name: "q", VHost: "/", Durable: true, AutoDelete: true, Args: args, Stream: 77, CreatedAt: 1700000000000},
		Binding{Source: "x", VHost: "/", Destination: "q", DestinationType: ToQueue, RoutingKey: "k", Args: args},
		Policy{VHost: "/", Name: "p", Pattern: "^a", ApplyTo: "queues", Definition: args, Priority: -1},
	} {
		f.Add(d.Key(), d.AppendValue(nil))
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		d, err := parseAny(key, value)
		if err != nil {
			if _, ok := errors.AsType[*RecordError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if d.Key() != key {
			t.Fatalf("read under %q, written under %q", key, d.Key())
		}
		again, err := parseAny(key, d.AppendValue(nil))
		if err != nil || !same(d, again) {
			t.Fatalf("%+v came back as %+v, %v", d, again, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"queues":[{"name":"q","vhost":"/","arguments":{"a":[1,{"x":0.5},null],"t":{}}}],"users":[{"tags":"a,b"}]}`))
	f.Add([]byte(`{"parameters":[{"value":null}],"policies":[{"definition":{"x":-1e-9},"priority":3,"apply-to":"all"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Decode(bytes.NewReader(text))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := d.Encode(&first); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(first.Bytes()) {
			t.Fatalf("not JSON: %s", &first)
		}
		d, err = Decode(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, &first)
		}
		if err := d.Encode(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("%v\n%s\n%s", err, &first, &second)
		}
	})
}
