package interop

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/broker"
	"github.com/warrenmq/warren/interop/lab"
)

// things are the entries of one list of a definitions.json, by what names
// them.
type things map[string]map[string]any

// definitions reads what a definitions.json says of one vhost.
func definitions(t *testing.T, text []byte, vhost string) map[string]things {
	t.Helper()
	var file map[string]any
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	names := map[string][]string{
		"permissions": {"user"}, "exchanges": {"name"}, "queues": {"name"},
		"bindings": {"source", "destination_type", "destination", "routing_key"},
	}
	of := make(map[string]things)
	for list, naming := range names {
		of[list] = make(things)
		for _, entry := range file[list].([]any) {
			thing := entry.(map[string]any)
			if thing["vhost"] != vhost {
				continue
			}
			var name []string
			for _, field := range naming {
				name = append(name, thing[field].(string))
			}
			of[list][strings.Join(name, " ")] = thing
		}
	}
	return of
}

// TestRabbitMQImportsWhatWarrenExports takes a topology from Warren to
// RabbitMQ, and compares what RabbitMQ says of it then.
func TestRabbitMQImportsWhatWarrenExports(t *testing.T) {
	rabbit := lab.RabbitMQ(t)
	const vhost = "from warren"
	b, err := broker.Open(broker.Config{VHosts: []string{vhost}, Users: []broker.User{
		{Name: "anna", Password: "secret", Tags: []string{"monitoring"}},
		{Name: "ben", Password: "secret", Permissions: map[string]broker.Permissions{vhost: {Configure: "^b", Write: "", Read: ".*"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	conn, err := amqp.DialConfig("amqp://anna:secret@warren/", amqp.Config{
		Vhost: vhost, Dial: func(_, _ string) (net.Conn, error) { return b.Dial(t.Context(), "amqp") },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	odd := "näme \"with\" \\ </x> \u2028"
	args := amqp.Table{
		"bool": true, "int": int64(-1) << 62, "double": 0.1, "whole": 3.0, "large": 1e300, "small": 1e-7, "text": odd,
		"table": amqp.Table{"a": int32(1)}, "array": []any{"two", int32(2)}, "void": nil, "bytes": []byte{0xff, 0},
		"time": time.Unix(1700000000, 0), "decimal": amqp.Decimal{Scale: 2, Value: 314},
	}
	must(ch.ExchangeDeclare("direct", "direct", true, false, false, false, args))
	must(ch.ExchangeDeclare(odd, "topic", true, true, false, false, nil))
	must(ch.ExchangeDeclare("headers", "headers", false, false, false, false, amqp.Table{"alternate-exchange": "direct"}))
	for _, q := range []struct {
		name                string
		durable, autoDelete bool
		args                amqp.Table
	}{
		{"all", true, false, args}, {odd, true, false, nil}, {"transient", false, false, nil}, {"fleeting", true, true, nil},
		{"ttl", true, false, amqp.Table{"x-message-ttl": int32(60000), "x-queue-type": "classic"}},
	} {
		_, err := ch.QueueDeclare(q.name, q.durable, q.autoDelete, false, false, q.args)
		must(err)
	}
	must(ch.QueueBind(odd, odd, "direct", false, nil))
	must(ch.QueueBind("transient", "k", "amq.direct", false, nil))
	must(ch.QueueBind("all", "", "headers", false, amqp.Table{"x-match": "all", "n": int32(1), "s": "v"}))
	must(ch.ExchangeBind("direct", "a.*", odd, false, nil))

	var file bytes.Buffer
	must(b.ExportDefinitions(&file))
	path := filepath.Join(t.TempDir(), "definitions.json")
	must(os.WriteFile(path, file.Bytes(), 0o600))
	lab.RabbitMQCtl(t, "import_definitions", path)
	t.Cleanup(func() {
		lab.RabbitMQCtl(t, "delete_vhost", vhost)
		lab.RabbitMQCtl(t, "delete_user", "anna")
		lab.RabbitMQCtl(t, "delete_user", "ben")
	})

	want := definitions(t, file.Bytes(), vhost)
	var got map[string]things
	for deadline := time.Now().Add(lab.Patience); ; time.Sleep(200 * time.Millisecond) { // the import goes on behind the command's back
		got = definitions(t, lab.RabbitMQCtl(t, "-q", "export_definitions", "-"), vhost)
		if len(got["bindings"]) >= len(want["bindings"]) || time.Now().After(deadline) {
			break
		}
	}
	for list, entries := range want {
		if len(got[list]) != len(entries) {
			t.Errorf("RabbitMQ has %d %s, not %d", len(got[list]), list, len(entries))
		}
		for name, entry := range entries {
			for field, value := range entry {
				if list == "exchanges" && field == "internal" { // its command does not say
					continue
				}
				is, _ := json.Marshal(got[list][name][field])
				should, _ := json.Marshal(value)
				if !bytes.Equal(is, should) {
					t.Errorf("%s of %s %q is %s, not %s", field, list, name, is, should)
				}
			}
		}
	}

	// The password came along, and the queues are the ones that a client of Warren would declare again.
	there, err := amqp.DialConfig(strings.Replace(rabbit, "guest:guest", "anna:secret", 1), amqp.Config{Vhost: vhost})
	must(err)
	defer there.Close()
	ch, err = there.Channel()
	must(err)
	_, err = ch.QueueDeclare("ttl", true, false, false, false, amqp.Table{"x-message-ttl": int32(60000), "x-queue-type": "classic"})
	must(err)
	must(ch.PublishWithContext(t.Context(), "direct", odd, true, false, amqp.Publishing{Body: []byte("x")}))
	if d, ok, err := ch.Get(odd, true); err != nil || !ok || string(d.Body) != "x" {
		t.Errorf("through the imported binding: %q, %v", d.Body, err)
	}
	if tags := string(lab.RabbitMQCtl(t, "-q", "list_users")); !slices.ContainsFunc(strings.Split(tags, "\n"), func(line string) bool {
		return strings.Join(strings.Fields(line), " ") == "anna [monitoring]"
	}) {
		t.Errorf("the users are\n%s", tags)
	}
}
