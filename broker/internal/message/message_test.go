package message

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

func same(m, n *Message) bool {
	return m.Origin == n.Origin && m.Flags == n.Flags && m.Hops == n.Hops && m.Expires == n.Expires && bytes.Equal(m.Exchange, n.Exchange) &&
		bytes.Equal(m.Key, n.Key) && bytes.Equal(m.Props, n.Props) && bytes.Equal(m.Body, n.Body)
}

func TestRecordReadsAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := func(most int, name string) []byte { return rapid.SliceOfN(rapid.Byte(), 0, most).Draw(t, name) }
		m := Message{
			Origin: Origin(rapid.IntRange(0, int(origins)-1).Draw(t, "origin")),
			Flags:  Flags(rapid.Byte().Draw(t, "flags")) &^ expiring, Hops: rapid.Byte().Draw(t, "hops"),
			Expires:  rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "expires"),
			Exchange: data(255, "exchange"), Key: data(300, "key"), Props: data(50, "props"), Body: data(100, "body"),
		}
		rec := make([]byte, m.Size())
		m.Put(rec)
		var n Message
		if err := n.View(rec); err != nil || !same(&m, &n) {
			t.Fatalf("%+v reads as %+v, %v", m, n, err)
		}
		c := n.Clone()
		for i := range rec {
			rec[i] = 0xff
		}
		if !same(&m, &c) {
			t.Fatalf("the copy of %+v changed with the record: %+v", m, c)
		}
	})
}

func TestTimeToLiveIsRefusedInRabbitMQsWords(t *testing.T) {
	for text, reason := range map[string]string{
		"":                      "no_integer",
		"soon":                  "no_integer",
		"-":                     "no_integer",
		" 5":                    "no_integer",
		"5 ":                    `{leftover_string," "}`,
		"1.5":                   `{leftover_string,".5"}`,
		"-1s":                   `{leftover_string,"s"}`,
		"-1":                    "{value_negative,-1}",
		"-99999999999999999999": "{value_negative,-99999999999999999999}",
		"315360000001":          "{value_too_large,315360000001}",
		"99999999999999999999":  "{value_too_large,99999999999999999999}",
	} {
		want := "invalid expiration '" + text + "': " + reason
		if _, err := ParseTTL(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]int64{"0": 0, "-0": 0, "+5": 5, "007": 7, "60000": 60000, "315360000000": MaxTTL} {
		if got, err := ParseTTL(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}

func TestRecordTakesTheLargestExchangeAndKey(t *testing.T) {
	m := Message{Exchange: bytes.Repeat([]byte("x"), MaxExchange), Key: bytes.Repeat([]byte("k"), MaxKey)}
	if c := m.Clone(); !same(&m, &c) {
		t.Fatal("the copy is different")
	}
}

func TestRecordWithALengthThatDoesNotFitIsRefused(t *testing.T) {
	m := Message{Exchange: []byte("x"), Key: []byte("k"), Props: []byte{0, 0}, Body: []byte("body")}
	rec := make([]byte, m.Size())
	m.Put(rec)
	bad := map[string]func([]byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"header cut":      func(b []byte) []byte { return b[:recordHeader-1] },
		"end cut":         func(b []byte) []byte { return b[:len(b)-1] },
		"one too many":    func(b []byte) []byte { return append(b, 0) },
		"unknown origin":  func(b []byte) []byte { b[0] = byte(origins); return b },
		"longer exchange": func(b []byte) []byte { b[3]++; return b },
		"longer key":      func(b []byte) []byte { b[5]++; return b },
		"huge props":      func(b []byte) []byte { b[6] = 0xff; return b },
		"huge body":       func(b []byte) []byte { b[10] = 0xff; return b },
	}
	for name, spoil := range bad {
		var n Message
		if err := n.View(spoil(bytes.Clone(rec))); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzView(f *testing.F) {
	m := Message{Origin: AMQP091, Exchange: []byte("amq.topic"), Key: []byte("a.b"), Body: []byte("hello")}
	p := Properties{ContentType: "text/plain", Headers: []exchange.Arg{{Name: "n", Value: exchange.Value{Kind: exchange.Int, Int: 1}}}}
	m.Props = p.Append(nil)
	rec := make([]byte, m.Size())
	m.Put(rec)
	f.Add(rec)
	f.Add(make([]byte, recordHeader))
	f.Fuzz(func(t *testing.T, rec []byte) {
		var m Message
		if m.View(rec) != nil {
			return
		}
		again := make([]byte, m.Size())
		m.Put(again)
		if !bytes.Equal(rec, again) {
			t.Fatalf("%x is written as %x", rec, again)
		}
		// The properties of a record can be anything: reading them must not fail, whatever comes of it.
		_ = m.Properties()
		_, _ = m.ReplyTo(), m.CorrelationID()
		for _, v := range m.Headers {
			FieldValue(v)
		}
	})
}

func TestPropertiesReadAsTheyWereWritten(t *testing.T) {
	text := rapid.StringN(0, 40, 80)
	value := rapid.OneOf(
		rapid.Just(exchange.Value{}),
		rapid.Map(rapid.Bool(), func(b bool) exchange.Value { return exchange.Value{Kind: exchange.Bool, Bool: b} }),
		rapid.Map(rapid.Int64(), func(i int64) exchange.Value { return exchange.Value{Kind: exchange.Int, Int: i} }),
		rapid.Map(rapid.Float64(), func(x float64) exchange.Value { return exchange.Value{Kind: exchange.Float, Float: x} }),
		rapid.Map(text, func(s string) exchange.Value { return exchange.Value{Kind: exchange.String, Bytes: []byte(s)} }),
		rapid.Map(rapid.Int64(), func(i int64) exchange.Value { return exchange.Value{Kind: exchange.Timestamp, Int: i} }),
		rapid.Just(exchange.Value{Kind: exchange.Other, Bytes: amqp091.AppendValue(nil, amqp091.Decimal(2, 314))}),
		rapid.Just(exchange.Value{Kind: exchange.Other, Bytes: amqp091.AppendValue(nil, amqp091.ArrayValue(
			amqp091.Array(amqp091.AppendValue(nil, amqp091.Int(amqp091.KindInt32, 7)))))}),
	)
	header := rapid.Custom(func(t *rapid.T) exchange.Arg {
		return exchange.Arg{Name: text.Draw(t, "name"), Value: value.Draw(t, "value")}
	})
	rapid.Check(t, func(t *rapid.T) {
		p := Properties{
			ContentType: text.Draw(t, "type"), ContentEncoding: text.Draw(t, "encoding"),
			Headers: rapid.SliceOfN(header, 0, 4).Draw(t, "headers"), Persistent: rapid.Bool().Draw(t, "persistent"),
			Priority: rapid.Byte().Draw(t, "priority"), CorrelationID: text.Draw(t, "correlation"),
			ReplyTo: text.Draw(t, "reply to"), Expiration: text.Draw(t, "expiration"), MessageID: text.Draw(t, "message id"),
			Type: text.Draw(t, "message type"), UserID: text.Draw(t, "user"), AppID: text.Draw(t, "app"),
		}
		if rapid.Bool().Draw(t, "timed") {
			p.Timestamp = time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "time"), 0).UTC()
		}
		props := amqp091.Properties(p.Append(nil))
		if err := props.Validate(); err != nil {
			t.Fatalf("%+v is written as %x: %v", p, []byte(props), err)
		}
		m := Message{Origin: AMQP091, Props: props}
		got := m.Properties()
		if len(got.Headers) != len(p.Headers) {
			t.Fatalf("headers %+v, not %+v", got.Headers, p.Headers)
		}
		for i, h := range p.Headers {
			g := got.Headers[i]
			if g.Name != h.Name || g.Value.Kind != h.Value.Kind || !g.Value.Equal(h.Value) && h.Value.Float == h.Value.Float {
				t.Fatalf("header %+v, not %+v", g, h)
			}
		}
		got.Headers, p.Headers = nil, nil
		if !reflect.DeepEqual(got, p) {
			t.Fatalf("%+v, not %+v", got, p)
		}
		if string(m.ReplyTo()) != p.ReplyTo || string(m.CorrelationID()) != p.CorrelationID {
			t.Fatalf("reply to %q, correlation %q", m.ReplyTo(), m.CorrelationID())
		}
	})
}

func TestValueIsAnAMQPFieldInNeutralTerms(t *testing.T) {
	table := amqp091.Table(amqp091.AppendField(nil, "n", amqp091.Void()))
	for _, c := range []struct {
		name string
		in   amqp091.Value
		want exchange.Value
	}{
		{"void", amqp091.Void(), exchange.Value{Kind: exchange.Void}},
		{"true", amqp091.Bool(true), exchange.Value{Kind: exchange.Bool, Bool: true}},
		{"int8", amqp091.Int(amqp091.KindInt8, -1), exchange.Value{Kind: exchange.Int, Int: -1}},
		{"uint32", amqp091.Int(amqp091.KindUint32, 1<<32-1), exchange.Value{Kind: exchange.Int, Int: 1<<32 - 1}},
		{"float", amqp091.Float(0.5), exchange.Value{Kind: exchange.Float, Float: 0.5}},
		{"double", amqp091.Double(0.1), exchange.Value{Kind: exchange.Float, Float: 0.1}},
		{"text", amqp091.Longstr("x"), exchange.Value{Kind: exchange.String, Bytes: []byte("x")}},
		{"bytes", amqp091.Bytes([]byte{0}), exchange.Value{Kind: exchange.String, Bytes: []byte{0}}},
		{"time", amqp091.Timestamp(5), exchange.Value{Kind: exchange.Timestamp, Int: 5}},
		{"table", amqp091.TableValue(table), exchange.Value{Kind: exchange.Other, Bytes: []byte("F\x00\x00\x00\x03\x01nV")}},
	} {
		if got := Value(c.in); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, not %+v", c.name, got, c.want)
		}
	}
}

func TestArgsOwnTheirMemory(t *testing.T) {
	table := amqp091.AppendField(nil, "x", amqp091.Longstr("text"))
	args := Args(table)
	clear(table)
	if len(args) != 1 || args[0].Name != "x" || string(args[0].Value.Bytes) != "text" {
		t.Fatalf("%+v", args)
	}
}

func TestPlainMessageHasNoProperties(t *testing.T) {
	m := Message{Body: []byte("x")}
	if p := m.Properties(); !reflect.DeepEqual(p, Properties{}) || len(m.AMQP091(nil)) != 0 {
		t.Fatalf("%+v", p)
	}
	for name := range m.Headers {
		t.Fatalf("a header %q", name)
	}
}

func TestHeadersStopWhenTheReaderHasEnough(t *testing.T) {
	p := Properties{Headers: []exchange.Arg{{Name: "a"}, {Name: "b"}}}
	m := Message{Origin: AMQP091, Props: p.Append(nil)}
	n := 0
	for name := range m.Headers {
		if n++; string(name) != "a" {
			t.Fatalf("%q", name)
		}
		break
	}
	if n != 1 {
		t.Fatalf("%d headers", n)
	}
}

func BenchmarkPutAndView(b *testing.B) {
	m := Message{Origin: AMQP091, Exchange: []byte("amq.direct"), Key: []byte("jobs"), Props: []byte{0, 0}, Body: make([]byte, 64)}
	rec := make([]byte, m.Size())
	var n Message
	b.ReportAllocs()
	for b.Loop() {
		m.Put(rec)
		if n.View(rec) != nil {
			b.Fatal("not a record")
		}
	}
}
