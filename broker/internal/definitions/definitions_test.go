package definitions

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// rabbitmq is what a RabbitMQ 3.10.8 answered to GET /api/definitions.
func rabbitmq(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/rabbitmq-3.10.8.json")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(text)
}

func TestWhatRabbitMQWroteIsWrittenTheSame(t *testing.T) {
	golden := rabbitmq(t)
	d, err := Decode(bytes.NewReader(golden))
	if err != nil {
		t.Fatal(err)
	}
	var written, compact bytes.Buffer
	if err := d.Encode(&written); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&compact, written.Bytes()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(compact.Bytes(), golden) {
		t.Errorf("got  %s\nwant %s", &compact, golden)
	}
}

// typed are the arguments that the queue "all" of the golden file was declared with.
func typed() Args {
	nested := wire.AppendField(nil, "x", wire.Double(0.5))
	var array wire.Array
	for _, v := range []wire.Value{wire.Int(wire.KindInt32, 1), wire.Longstr("two"), wire.Bool(true), wire.Void(), wire.TableValue(nested)} {
		array = wire.AppendValue(array, v)
	}
	inner := wire.TableValue(wire.AppendField(nil, "c", wire.Longstr("d")))
	table := wire.AppendField(wire.AppendField(nil, "b", inner), "a", wire.Int(wire.KindInt32, 1))
	var t wire.Table
	for _, f := range []struct {
		name  string
		value wire.Value
	}{
		{"bool", wire.Bool(true)},
		{"int8", wire.Int(wire.KindInt8, -3)}, {"uint8", wire.Int(wire.KindUint8, 200)}, {"int16", wire.Int(wire.KindInt16, -300)},
		{"int32", wire.Int(wire.KindInt32, 70000)}, {"int64", wire.Int(wire.KindInt64, 1<<60)},
		{"float", wire.Float(1.5)}, {"double", wire.Double(0.1)}, {"whole", wire.Double(3)},
		{"text", wire.Longstr("täxt \"q\" \\ </x> \u2028")}, {"bytes", wire.Bytes([]byte("bytes"))},
		{"not text", wire.Longstr("\xff\xfe")}, {"nor these", wire.Bytes([]byte{0xff, 0})},
		{"time", wire.Timestamp(1700000000)}, {"void", wire.Void()},
		{"table", wire.TableValue(table)}, {"array", wire.ArrayValue(array)},
		{"", wire.Longstr("")}, {"empty array", wire.ArrayValue(nil)}, {"empty table", wire.TableValue(nil)},
	} {
		t = wire.AppendField(t, f.name, f.value)
	}
	return message.Args(t)
}

func TestArgumentsOfEveryKindBecomeWhatRabbitMQMakesOfThem(t *testing.T) {
	var want struct {
		Queues []struct {
			Name      string
			Arguments json.RawMessage
		}
	}
	if err := json.Unmarshal(rabbitmq(t), &want); err != nil {
		t.Fatal(err)
	}
	got, err := typed().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range want.Queues {
		if q.Name == "all" {
			if !bytes.Equal(got, q.Arguments) {
				t.Errorf("got  %s\nwant %s", got, q.Arguments)
			}
			return
		}
	}
	t.Error("the golden file has no queue named all")
}

func TestArgumentsThatRabbitMQCannotWriteRight(t *testing.T) {
	var void Args
	for _, c := range []struct {
		value wire.Value
		want  string
	}{
		{wire.Decimal(2, 314), "3.14"},
		{wire.Decimal(0, 3), "3.0"},
		{wire.Double(math.NaN()), `"NaN"`},
		{wire.Double(math.Inf(-1)), `"-Inf"`},
		{wire.Double(1e300), "1.0e+300"},
		{wire.Double(1e-7), "1.0e-07"},
		{wire.Longstr("\x00\x01\n\x7f"), `"\u0000\u0001\u000a` + "\x7f\""},
		{wire.TableValue(wire.AppendField(wire.AppendField(nil, "n", wire.Void()), "n", wire.Bool(true))), `{"n":"undefined"}`},
	} {
		args := message.Args(wire.AppendField(nil, "x", c.value))
		got, err := Args(args).MarshalJSON()
		if want := `{"x":` + c.want + `}`; err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
		if !json.Valid(got) {
			t.Errorf("%s is not JSON", got)
		}
	}
	if got, err := void.MarshalJSON(); err != nil || string(got) != "{}" {
		t.Errorf("none: %s, %v", got, err)
	}
}

func TestArgumentsAreReadAsRabbitMQReadsThem(t *testing.T) {
	var args Args
	text := `{"i": 5, "f": 5.0, "e": 1e3, "b": false, "n": null, "s": "ü", "a": [1, {"z": []}], "min": -9223372036854775808, "i": 6}`
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		t.Fatal(err)
	}
	inner := wire.TableValue(wire.AppendField(nil, "z", wire.ArrayValue(nil)))
	array := wire.AppendValue(wire.AppendValue(nil, wire.Int(wire.KindInt64, 1)), inner)
	want := Args{
		{Name: "i", Value: exchange.Value{Kind: exchange.Int, Int: 5}},
		{Name: "f", Value: exchange.Value{Kind: exchange.Float, Float: 5}},
		{Name: "e", Value: exchange.Value{Kind: exchange.Float, Float: 1000}},
		{Name: "b", Value: exchange.Value{Kind: exchange.Bool}},
		{Name: "n", Value: exchange.Value{Kind: exchange.Void}},
		{Name: "s", Value: exchange.Value{Kind: exchange.String, Bytes: []byte("ü")}},
		{Name: "a", Value: exchange.Value{Kind: exchange.Other, Bytes: wire.AppendValue(nil, wire.ArrayValue(array))}},
		{Name: "min", Value: exchange.Value{Kind: exchange.Int, Int: math.MinInt64}},
		{Name: "i", Value: exchange.Value{Kind: exchange.Int, Int: 6}},
	}
	if !reflect.DeepEqual(args, want) {
		t.Errorf("got  %+v\nwant %+v", args, want)
	}
}

func TestArgumentsOfAnotherFormAreRefused(t *testing.T) {
	for text, problem := range map[string]string{
		`[]`:                         "an object",
		`"x"`:                        "an object",
		`{"n": 9223372036854775808}`: "does not fit",
		`{"n": 1e999}`:               "beyond the range",
		`{"` + strings.Repeat("n", 256) + `": 1}`:                          "255 bytes",
		`{"a": ` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`: "deeper than 64",
	} {
		var args Args
		if err := json.Unmarshal([]byte(text), &args); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
	var args Args
	deepest := []byte(`{"a": ` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`)
	if err := json.Unmarshal(deepest, &args); err != nil || Args(args).table().Validate() != nil {
		t.Errorf("64 levels: %v, %v", err, args.table().Validate())
	}
}

func TestTagsAreReadInBothForms(t *testing.T) {
	for text, want := range map[string]Tags{
		`[]`:                                {},
		`["administrator","x"]`:             {"administrator", "x"},
		`""`:                                nil,
		`"administrator, x"`:                {"administrator", "x"},
		"\"administrator,,\\u0020monitor\"": {"administrator", "monitor"},
	} {
		var got Tags
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v", text, got, err)
		}
	}
	var got Tags
	if err := json.Unmarshal([]byte("5"), &got); err == nil {
		t.Error("a number was taken for tags")
	}
}

func TestNothingIsEmptyListsAndNotNull(t *testing.T) {
	var out bytes.Buffer
	if err := (Definitions{Users: []User{{Name: "u"}}, Queues: []Queue{{Name: "q", Stream: 7, CreatedAt: 8}}}).Encode(&out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "null") || strings.Contains(text, "7") || strings.Contains(text, "8") {
		t.Errorf("%s", text)
	}
}

func TestDecodeSaysWhatIsNoDefinitions(t *testing.T) {
	for _, text := range []string{"", "[]", `{"queues": 5}`, `{"queues": [{"arguments": []}]}`, `{"users"`} {
		if _, err := Decode(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "not the definitions of a broker") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAUserIsTheSameAsADefinitionAndBack(t *testing.T) {
	u := access.User{
		Name: "anna", PasswordHash: access.HashPassword([]byte("secret"), [4]byte{1, 2, 3, 4}), Algorithm: access.SHA512,
		Tags: []string{"monitoring"}, LoopbackOnly: true,
	}
	if got := UserOf(u).User(); !reflect.DeepEqual(got, u) {
		t.Errorf("%+v", got)
	}
	if got := UserOf(access.User{Name: "u"}).HashingAlgorithm; got != access.SHA256 {
		t.Errorf("the algorithm that is meant when none is named: %q", got)
	}
}
