package broker_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/broker"
)

// definitions are the lists of a definitions.json, each thing as its text, without spaces, in order.
func definitions(t *testing.T, text []byte) map[string][]string {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	lists := make(map[string][]string)
	for name, field := range fields {
		var list []json.RawMessage
		if json.Unmarshal(field, &list) != nil {
			continue // one of the texts at the beginning
		}
		lists[name] = []string{}
		for _, thing := range list {
			var compact bytes.Buffer
			if err := json.Compact(&compact, thing); err != nil {
				t.Fatal(err)
			}
			lists[name] = append(lists[name], compact.String())
		}
		slices.Sort(lists[name])
	}
	return lists
}

// everyKind are arguments of every type that an AMQP 0-9-1 client of Go can send.
func everyKind() amqp.Table {
	return amqp.Table{
		"bool": true, "int8": int8(-3), "uint8": byte(200), "int16": int16(-300), "int32": int32(70000), "int64": int64(1) << 60,
		"float": float32(1.5), "double": 0.1, "whole": 3.0, "text": "täxt \"q\" \\ </x> \u2028", "bytes": []byte("bytes"),
		"not text": "\xff\xfe", "nor these": []byte{0xff, 0}, "time": time.Unix(1700000000, 0), "void": nil,
		"table": amqp.Table{"b": amqp.Table{"c": "d"}, "a": int32(1)},
		"array": []any{int32(1), "two", true, nil, amqp.Table{"x": 0.5}}, "": "", "empty array": []any{}, "empty table": amqp.Table{},
	}
}

// The golden file is what RabbitMQ 3.10.8 answered to GET /api/definitions after the declarations below.
func TestExportIsWhatRabbitMQExportsOfTheSameTopology(t *testing.T) {
	golden, err := os.ReadFile("internal/definitions/testdata/rabbitmq-3.10.8.json")
	if err != nil {
		t.Fatal(err)
	}
	want := definitions(t, golden)
	all := broker.Permissions{Configure: ".*", Write: ".*", Read: ".*"}
	b, err := broker.Open(broker.Config{VHosts: []string{"golden", "other"}, Users: []broker.User{
		{Name: "guest", PasswordHash: "4a6ynBgq82pxlYcuuf1lqSgMtwdVsHJ1ylG8YfNiJSVdAd8y", Tags: []string{"administrator"},
			Permissions: map[string]broker.Permissions{"golden": all}},
		{Name: "anna", PasswordHash: "H1VaCw0r13Quy18G1TdMuLKWabAY/XIeZRiJ8HOFgSDwlfJR", Tags: []string{"monitoring", "policymaker"},
			Permissions: map[string]broker.Permissions{"other": {Configure: "^a", Read: ".*"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	conn, err := amqp.DialConfig("amqp://guest:guest@warren/", amqp.Config{
		Vhost: "golden", Dial: func(_, _ string) (net.Conn, error) { return b.Dial(t.Context(), "amqp") },
	})
	ch := channel(t, conn, err)
	defer conn.Close()

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	queue := func(name string, durable, autoDelete, exclusive bool, args amqp.Table) {
		t.Helper()
		_, err := ch.QueueDeclare(name, durable, autoDelete, exclusive, false, args)
		must(err)
	}
	queue("all", true, false, false, everyKind())
	queue("transient", false, false, false, nil)
	queue("fleeting", true, true, false, nil)
	queue("exclusive", false, false, true, nil)
	queue("ttl", true, false, false, amqp.Table{"x-message-ttl": int32(60000), "x-queue-type": "classic"})
	must(ch.ExchangeDeclare("direct", "direct", true, false, false, false, nil))
	must(ch.ExchangeDeclare("transient", "topic", false, false, false, false, nil))
	must(ch.ExchangeDeclare("fleeting", "topic", true, true, false, false, nil))
	must(ch.ExchangeDeclare("inner", "fanout", true, false, true, false, amqp.Table{"alternate-exchange": "direct"}))
	must(ch.ExchangeDeclare("headers", "headers", true, false, false, false, nil))
	must(ch.QueueBind("all", "k", "direct", false, nil))
	must(ch.QueueBind("transient", "k", "direct", false, nil))
	must(ch.QueueBind("exclusive", "k", "direct", false, nil))
	must(ch.QueueBind("fleeting", "", "fleeting", false, nil))
	must(ch.QueueBind("all", "", "headers", false, amqp.Table{
		"x-match": "all", "n": int32(1), "s": "v", "b": true, "void": nil, "t": time.Unix(1700000000, 0),
	}))
	must(ch.ExchangeBind("direct", "a.*", "inner", false, nil))
	must(ch.ExchangeBind("inner", "a.*", "amq.topic", false, nil))

	var out bytes.Buffer
	must(b.ExportDefinitions(&out))
	got := definitions(t, out.Bytes())
	for name := range want {
		switch name {
		case "topic_permissions", "parameters", "global_parameters", "policies": // which Warren does not have
			want[name] = []string{}
		}
		if !slices.Equal(got[name], want[name]) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, strings.Join(got[name], "\n     "), strings.Join(want[name], "\n     "))
		}
	}
	if len(got) != len(want) {
		t.Errorf("the export has %d lists, RabbitMQ's %d", len(got), len(want))
	}
}

func TestExportSaysWhoWroteIt(t *testing.T) {
	b, _ := open(t, broker.Config{})
	var out bytes.Buffer
	if err := b.ExportDefinitions(&out); err != nil {
		t.Fatal(err)
	}
	var d struct {
		RabbitVersion  string `json:"rabbit_version"`
		ProductName    string `json:"product_name"`
		ProductVersion string `json:"product_version"`
	}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	conn, err := dial(t, b, "guest:guest")
	channel(t, conn, err)
	defer conn.Close()
	if version := conn.Properties["version"]; d.RabbitVersion != version || d.ProductName != "Warren" || d.ProductVersion == "" {
		t.Errorf("%+v; clients of AMQP 0-9-1 are told version %v", d, version)
	}
}

func TestExportFailsWhenItCannotBeWritten(t *testing.T) {
	b, _ := open(t, broker.Config{})
	r, w := io.Pipe()
	full := errors.New("no room")
	r.CloseWithError(full)
	if err := b.ExportDefinitions(w); !errors.Is(err, full) {
		t.Error(err)
	}
}
