package exchange

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/warrenmq/warren/broker/internal/topic"
	"pgregory.net/rapid"
)

var kinds = []Kind{Direct, Fanout, Topic, Headers}

func text(s string) Value          { return Value{Kind: String, Bytes: []byte(s)} }
func number(i int64) Value         { return Value{Kind: Int, Int: i} }
func arg(name string, v Value) Arg { return Arg{Name: name, Value: v} }
func mode(name string) Arg         { return arg("x-match", text(name)) }

// message returns a Routing with these headers.
func message(key string, headers ...Arg) *Routing {
	fields := make([]field, len(headers))
	for i, h := range headers {
		fields[i] = field{[]byte(h.Name), h.Value}
	}
	return &Routing{Key: []byte(key), Headers: func(yield func([]byte, Value) bool) {
		for _, f := range fields {
			if !yield(f.name, f.value) {
				return
			}
		}
	}}
}

func open[D comparable](t testing.TB, kind Kind) Table[D] {
	t.Helper()
	table, err := New[D](kind)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestUnknownKindIsRefusedInRabbitMQsWords(t *testing.T) {
	_, err := New[int]("x-delayed-message")
	for _, err := range []error{err, Validate("x-delayed-message", Binding{})} {
		var unknown *UnknownKindError
		if !errors.As(err, &unknown) || err.Error() != "unknown exchange type 'x-delayed-message'" {
			t.Errorf("got %v", err)
		}
	}
}

// The texts are those of RabbitMQ 3.10.8.
func TestValidateRefusesBadXMatchInRabbitMQsWords(t *testing.T) {
	const tail = "; expected all, any, all-with-x, or any-with-x"
	for _, c := range []struct {
		v    Value
		want string
	}{
		{text("all"), ""},
		{text("any"), ""},
		{text("all-with-x"), ""},
		{text("any-with-x"), ""},
		{text("foo"), `Invalid x-match field value <<"foo">>` + tail},
		{text(""), `Invalid x-match field value <<>>` + tail},
		{text("\xc8\x01"), `Invalid x-match field value <<200,1>>` + tail},
		{text("a\"b\n"), `Invalid x-match field value <<"a\"b\n">>` + tail},
		{number(5), "Invalid x-match field type signedint (value 5); expected longstr"},
		{number(1 << 40), "Invalid x-match field type long (value 1099511627776); expected longstr"},
		{Value{Kind: Bool, Bool: true}, "Invalid x-match field type bool (value true); expected longstr"},
		{Value{Kind: Float, Float: 1.5}, "Invalid x-match field type double (value 1.5); expected longstr"},
		{Value{Kind: Float, Float: 2}, "Invalid x-match field type double (value 2.0); expected longstr"},
		{Value{Kind: Timestamp, Int: 7}, "Invalid x-match field type timestamp (value 7); expected longstr"},
		{Value{}, "Invalid x-match field type void (value undefined); expected longstr"},
	} {
		got := ""
		if err := Validate(Headers, Binding{Args: []Arg{arg("a", number(1)), arg("x-match", c.v)}}); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("x-match %v: %q, want %q", c.v, got, c.want)
		}
	}
	if err := Validate(Topic, Binding{Args: []Arg{mode("foo")}}); err != nil {
		t.Errorf("a topic exchange looks at x-match: %v", err)
	}
	if err := Validate(Headers, Binding{}); err != nil {
		t.Errorf("a headers exchange needs x-match: %v", err)
	}
}

func TestHeadersMatchAsRabbitMQDoes(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []Arg
		headers []Arg
		want    bool
	}{
		{"all is the default", []Arg{arg("a", number(1)), arg("b", number(2))}, []Arg{arg("b", number(2)), arg("a", number(1))}, true},
		{"all wants each", []Arg{mode("all"), arg("a", number(1)), arg("b", number(2))}, []Arg{arg("a", number(1))}, false},
		{"any wants one", []Arg{mode("any"), arg("a", number(1)), arg("b", number(2))}, []Arg{arg("b", number(2))}, true},
		{"any wants one at least", []Arg{mode("any"), arg("a", number(1))}, []Arg{arg("a", number(2)), arg("b", number(1))}, false},
		{"all without arguments takes everything", []Arg{mode("all")}, []Arg{arg("a", number(1))}, true},
		{"no arguments take everything", nil, nil, true},
		{"any without arguments takes nothing", []Arg{mode("any")}, []Arg{arg("a", number(1))}, false},
		{"void wants presence", []Arg{arg("a", Value{})}, []Arg{arg("a", text("whatever"))}, true},
		{"void wants presence, absent", []Arg{arg("a", Value{})}, []Arg{arg("b", text("whatever"))}, false},
		{"a void header is no text", []Arg{arg("a", text(""))}, []Arg{arg("a", Value{})}, false},
		{"all skips x-", []Arg{mode("all"), arg("x-a", number(1)), arg("b", number(2))}, []Arg{arg("b", number(2))}, true},
		{"any skips x-", []Arg{mode("any"), arg("x-a", number(1))}, []Arg{arg("x-a", number(1))}, false},
		{"all-with-x does not skip", []Arg{mode("all-with-x"), arg("x-a", number(1))}, nil, false},
		{"all-with-x compares", []Arg{mode("all-with-x"), arg("x-a", number(1))}, []Arg{arg("x-a", number(1))}, true},
		{"any-with-x compares", []Arg{mode("any-with-x"), arg("x-a", number(1)), arg("b", number(2))}, []Arg{arg("x-a", number(1))}, true},
		{"any-with-x does not compare x-match", []Arg{mode("any-with-x")}, []Arg{mode("any-with-x")}, false},
		{"names are not folded", []Arg{arg("a", number(1))}, []Arg{arg("A", number(1))}, false},
		{"1 is 1.0", []Arg{arg("a", number(1))}, []Arg{arg("a", Value{Kind: Float, Float: 1})}, true},
		{"1 is not true", []Arg{arg("a", number(1))}, []Arg{arg("a", Value{Kind: Bool, Bool: true})}, false},
		{"1 is not its text", []Arg{arg("a", number(1))}, []Arg{arg("a", text("1"))}, false},
		{"a timestamp is its number", []Arg{arg("a", number(9))}, []Arg{arg("a", Value{Kind: Timestamp, Int: 9})}, true},
		{"others are compared whole", []Arg{arg("a", Value{Kind: Other, Bytes: []byte("Dx")})}, []Arg{arg("a", Value{Kind: Other, Bytes: []byte("Dx")})}, true},
		{"others are not texts", []Arg{arg("a", Value{Kind: Other, Bytes: []byte("Dx")})}, []Arg{arg("a", text("Dx"))}, false},
		{"of two headers the first counts", []Arg{arg("a", number(1))}, []Arg{arg("a", number(2)), arg("a", number(1))}, false},
		{"of two headers the first counts, then", []Arg{arg("a", number(2))}, []Arg{arg("a", number(2)), arg("a", number(1))}, true},
	} {
		table := open[int](t, Headers)
		table.Bind(Binding{Args: c.args}, 1)
		if got := len(table.Route(message("k", c.headers...), nil)) == 1; got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestNumbersAreComparedWithoutRounding(t *testing.T) {
	for _, c := range []struct {
		i    int64
		f    float64
		want bool
	}{
		{1, 1, true}, {1, 1.5, false}, {-3, -3, true},
		{1<<53 + 1, 1 << 53, false}, {1 << 53, 1 << 53, true},
		{math.MaxInt64, 1 << 63, false}, {math.MinInt64, math.MinInt64, true},
		{math.MinInt64, math.Inf(-1), false}, {0, math.NaN(), false}, {0, math.Copysign(0, -1), true},
	} {
		i, f := number(c.i), Value{Kind: Float, Float: c.f}
		if i.Equal(f) != c.want || f.Equal(i) != c.want {
			t.Errorf("%d equals %v: %v", c.i, c.f, i.Equal(f))
		}
	}
}

func TestRouteGivesOneCopyInTheOrderOfBinding(t *testing.T) {
	for _, kind := range kinds {
		table := open[string](t, kind)
		for _, d := range []string{"c", "a", "b"} {
			for i := range 3 {
				if !table.Bind(Binding{Key: "k", Args: []Arg{arg("n", number(int64(i))), mode("any"), arg("m", Value{})}}, d) {
					t.Fatalf("%s: a binding with other arguments is another binding", kind)
				}
			}
		}
		m := message("k", arg("n", number(1)), arg("m", number(1)))
		for range 2 {
			if got := table.Route(m, []string{"a"}); !slices.Equal(got, []string{"a", "c", "a", "b"}) {
				t.Errorf("%s: %v", kind, got)
			}
		}
		for i := range 3 {
			table.Unbind(Binding{Key: "k", Args: []Arg{arg("m", Value{}), mode("any"), arg("n", number(int64(i)))}}, "c")
		}
		if got := table.Route(m, nil); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%s, after the first was unbound: %v", kind, got)
		}
	}
}

func TestDistinctKeepsTheFirstOfEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dst := rapid.SliceOfN(rapid.IntRange(0, 80), 0, 200).Draw(t, "dst")
		var want []int
		for _, d := range dst {
			if !slices.Contains(want, d) {
				want = append(want, d)
			}
		}
		if got := Distinct(dst); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// bound is a binding in the model: everything naive and in a list.
type bound struct {
	b Binding
	d int
}

func (x bound) same(y bound) bool {
	return x.d == y.d && x.b.Key == y.b.Key && fmt.Sprint(ordered(x.b.Args)) == fmt.Sprint(ordered(y.b.Args))
}

// matches is the oracle of all kinds.
func (x bound) matches(kind Kind, key string, headers []Arg) bool {
	switch kind {
	case Direct:
		return key == x.b.Key
	case Fanout:
		return true
	case Topic:
		return topic.Match(x.b.Key, []byte(key))
	}
	mode := "all"
	if v, ok := lookup(x.b.Args, "x-match"); ok {
		mode = string(v.Bytes)
	}
	hits, asked := 0, 0
	used := make(map[string]int)
	for _, a := range x.b.Args {
		if a.Name == "x-match" || strings.HasPrefix(a.Name, "x-") && !strings.HasSuffix(mode, "-with-x") {
			continue
		}
		asked++
		nth := used[a.Name]
		used[a.Name]++
		for _, h := range headers {
			if h.Name != a.Name {
				continue
			}
			if nth--; nth < 0 {
				if a.Value.Kind == Void || a.Value.Equal(h.Value) {
					hits++
				}
				break
			}
		}
	}
	if strings.HasPrefix(mode, "any") {
		return hits > 0
	}
	return hits == asked
}

func TestTablesRouteAsTheOracle(t *testing.T) {
	keys := rapid.SampledFrom([]string{"", "a", "b", "a.b", "#", "*", "a.#", "#.b", "*.b", "a.*"})
	values := rapid.SampledFrom([]Value{{}, number(1), number(2), {Kind: Float, Float: 1}, text("1"), {Kind: Bool, Bool: true}})
	tables := rapid.Custom(func(t *rapid.T) []Arg {
		var args []Arg
		for _, name := range rapid.SliceOfN(rapid.SampledFrom([]string{"b", "a", "x-c", "a"}), 0, 4).Draw(t, "names") {
			args = append(args, arg(name, values.Draw(t, "value")))
		}
		return args
	})
	bindings := rapid.Custom(func(t *rapid.T) bound {
		args := tables.Draw(t, "args")
		if m := rapid.SampledFrom([]string{"", "all", "any", "all-with-x", "any-with-x"}).Draw(t, "x-match"); m != "" {
			args = append(args, mode(m))
		}
		return bound{Binding{Key: keys.Draw(t, "key"), Args: args}, rapid.IntRange(0, 9).Draw(t, "d")}
	})
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				table, err := New[int](kind)
				if err != nil {
					t.Fatal(err)
				}
				var model []bound
				m := new(Routing)
				t.Repeat(map[string]func(*rapid.T){
					"bind": func(t *rapid.T) {
						x := bindings.Draw(t, "binding")
						is := slices.ContainsFunc(model, x.same)
						if table.Bind(x.b, x.d) == is {
							t.Fatalf("Bind says the binding is new: %v", !is)
						}
						if !is {
							model = append(model, x)
						}
					},
					"unbind": func(t *rapid.T) {
						x := bindings.Draw(t, "binding")
						if len(model) > 0 && rapid.Bool().Draw(t, "one that is there") {
							x = rapid.SampledFrom(model).Draw(t, "known")
							x.b.Args = slices.Clone(x.b.Args)
						}
						at := slices.IndexFunc(model, x.same)
						if table.Unbind(x.b, x.d) != (at >= 0) {
							t.Fatalf("Unbind says the binding was there: %v", at < 0)
						}
						if at >= 0 {
							model = slices.Delete(model, at, at+1)
						}
					},
					"unbind all": func(t *rapid.T) {
						d := rapid.IntRange(0, 9).Draw(t, "d")
						var want []Binding
						for _, x := range model {
							if x.d == d {
								want = append(want, x.b)
							}
						}
						model = slices.DeleteFunc(model, func(x bound) bool { return x.d == d })
						if got := table.UnbindAll(d); fmt.Sprint(got) != fmt.Sprint(want) {
							t.Fatalf("UnbindAll returns %v, want %v", got, want)
						}
					},
					"": func(t *rapid.T) {
						if table.Len() != len(model) {
							t.Fatalf("Len is %d, want %d", table.Len(), len(model))
						}
						var list []bound
						table.Bindings(func(b Binding, d int) bool {
							list = append(list, bound{b, d})
							return true
						})
						if fmt.Sprint(list) != fmt.Sprint(model) {
							t.Fatalf("Bindings yields %v, want %v", list, model)
						}
						key, headers := keys.Draw(t, "routing key"), tables.Draw(t, "headers")
						m.Key, m.Headers = []byte(key), message("", headers...).Headers
						var want []int
						for _, x := range model {
							if x.matches(kind, key, headers) && !slices.Contains(want, x.d) {
								want = append(want, x.d)
							}
						}
						got := table.Route(m, nil)
						slices.Sort(got)
						slices.Sort(want)
						if !slices.Equal(got, want) {
							t.Fatalf("Route(%q, %v) = %v, want %v", key, headers, got, want)
						}
					},
				})
			})
		})
	}
}

func TestRouteWithAUsedRoutingDoesNotAllocate(t *testing.T) {
	for _, kind := range kinds {
		table := filled(t, kind, 1000)
		m, dst := message("key.5", arg("b", number(5)), arg("a", text("x"))), make([]int, 0, 1024)
		dst = table.Route(m, dst)
		if n := testing.AllocsPerRun(100, func() { dst = table.Route(m, dst[:0]) }); n != 0 {
			t.Errorf("%s: %v allocations", kind, n)
		}
		if len(dst) == 0 {
			t.Errorf("%s: no destination", kind)
		}
	}
}

func TestRoutingLetsGoOfTheMessage(t *testing.T) {
	table := filled(t, Headers, 1)
	m := message("", arg("b", text("x")))
	table.Route(m, nil)
	for _, f := range m.fields[:cap(m.fields)] {
		if f.name != nil || f.value.Bytes != nil {
			t.Errorf("the header %q is still held", f.name)
		}
	}
	many := make([]Arg, 1000)
	m.Headers = message("", many...).Headers
	table.Route(m, nil)
	if cap(m.fields) > keepFields {
		t.Errorf("room for %d headers is kept", cap(m.fields))
	}
}

func filled(t testing.TB, kind Kind, n int) Table[int] {
	table := open[int](t, kind)
	for i := range n {
		table.Bind(Binding{Key: fmt.Sprintf("key.%d", i), Args: []Arg{arg("b", number(int64(i)))}}, i)
	}
	return table
}

func BenchmarkRoute(b *testing.B) {
	for _, kind := range kinds {
		for _, n := range []int{10, 10_000} {
			b.Run(fmt.Sprintf("%s/bindings=%d", kind, n), func(b *testing.B) {
				table := filled(b, kind, n)
				m, dst := message("key.5", arg("b", number(5)), arg("a", text("x"))), make([]int, 0, n)
				b.ReportAllocs()
				for b.Loop() {
					dst = table.Route(m, dst[:0])
				}
			})
		}
	}
}
