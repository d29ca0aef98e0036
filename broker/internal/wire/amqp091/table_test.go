package amqp091

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// show writes t as text: names, kinds and values in order.
func show(t Table) string {
	var b strings.Builder
	for name, v := range t.All() {
		b.WriteString(string(name) + "=" + showValue(v) + " ")
	}
	return strings.TrimSpace(b.String())
}

func showValue(v Value) string {
	s := string(rune(v.Kind())) + ":"
	if n, ok := v.Int(); ok {
		return s + strconv.FormatInt(n, 10)
	}
	switch v.Kind() {
	case KindTable:
		return s + "{" + show(v.Table()) + "}"
	case KindArray:
		var items []string
		for item := range v.Array().All() {
			items = append(items, showValue(item))
		}
		return s + "[" + strings.Join(items, " ") + "]"
	case KindBool:
		if v.Bool() {
			return s + "true"
		}
		return s + "false"
	case KindLongstr, KindBytes:
		return s + string(v.Bytes())
	}
	return s + fmt.Sprintf("%x", AppendValue(nil, v))
}

func TestTableKeepsOrderAndDuplicates(t *testing.T) {
	table := Table(AppendField(AppendField(AppendField(nil, "b", Longstr("1")), "a", Bool(true)), "b", Int(KindInt32, -7)))
	if got, want := show(table), "b=S:1 a=t:true b=I:-7"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if v, ok := table.Get("b"); !ok || string(v.Bytes()) != "1" {
		t.Errorf("Get: %v %v", v, ok)
	}
	if _, ok := table.Get("c"); ok {
		t.Error("c is not there")
	}
}

func TestBothSpellingsOfInt64AreSigned(t *testing.T) {
	minusOne := "\xff\xff\xff\xff\xff\xff\xff\xff"
	for _, wire := range []string{"\x01nl" + minusOne, "\x01nL" + minusOne} {
		v, ok := Table(wire).Get("n")
		if n, isInt := v.Int(); !ok || !isInt || n != -1 || v.Kind() != KindInt64 {
			t.Errorf("%q: %v %v %v", wire, n, v.Kind(), ok)
		}
		if got := AppendField(nil, "n", v); string(got) != "\x01nl"+minusOne {
			t.Errorf("%q re-encodes as %q", wire, got)
		}
	}
}

func TestUnknownKindsAreRefused(t *testing.T) {
	for _, wire := range []string{"\x01nU\x00\x01", "\x01n?", "\x01n", "\x05n", "\x01nS\x00\x00\x00\x02x", "\x01nF\x00\x00\x00\x01\x05", "\x01nA\x00\x00\x00\x01?"} {
		if err := Table(wire).Validate(); codeOf(err) != FrameError {
			t.Errorf("%q: %v, want FRAME_ERROR", wire, err)
		}
		if n := len(show(Table(wire))); n > 20 {
			t.Errorf("%q: iteration did not end at the fault", wire)
		}
	}
}

func TestNestingIsBounded(t *testing.T) {
	nest := func(depth int) Table {
		table := Table(nil)
		for range depth {
			table = AppendField(nil, "t", TableValue(table))
		}
		return table
	}
	if err := nest(maxDepth).Validate(); err != nil {
		t.Error(err)
	}
	if err := nest(maxDepth + 1).Validate(); codeOf(err) != FrameError {
		t.Errorf("%v, want FRAME_ERROR", err)
	}
}

func TestValueAccessorsAnswerForTheirKindOnly(t *testing.T) {
	if f, ok := Float(1.5).Float(); !ok || f != 1.5 {
		t.Error(f, ok)
	}
	if f, ok := Double(-2.5).Float(); !ok || f != -2.5 {
		t.Error(f, ok)
	}
	if scale, digits, ok := Decimal(2, 314).Decimal(); !ok || scale != 2 || digits != 314 {
		t.Error(scale, digits, ok)
	}
	if s, ok := Timestamp(12).Timestamp(); !ok || s != 12 {
		t.Error(s, ok)
	}
	text := Longstr("text")
	if _, ok := text.Int(); ok || text.Bool() || text.Table() != nil || text.Array() != nil {
		t.Error("a string answers for something else")
	}
	if _, ok := text.Float(); ok {
		t.Error("a string is no float")
	}
	if Bool(true).Bytes() != nil || Void().Kind() != KindVoid {
		t.Error("a bool has no octets, a void is a void")
	}
	if got := AppendValue(nil, Value{}); !bytes.Equal(got, []byte{'V'}) {
		t.Errorf("the zero Value is written as %q", got)
	}
}

func sampleProperties() (PropertyValues, Properties) {
	v := PropertyValues{
		Has: allProperties, ContentType: "text/plain", ContentEncoding: "gzip", Headers: sampleTable(), DeliveryMode: 2, Priority: 9,
		CorrelationID: "c-1", ReplyTo: "amq.rabbitmq.reply-to", Expiration: "60000", MessageID: "m-1", Timestamp: 1700000000,
		Type: "kind", UserID: "guest", AppID: "app", ClusterID: "cluster",
	}
	return v, v.Append(nil)
}

func TestEachPropertyIsReadFromTheOctets(t *testing.T) {
	all, _ := sampleProperties()
	for set := range 1 << 14 {
		v := all
		v.Has = Property(set << 2)
		p := Properties(v.Append(nil))
		if err := p.Validate(); err != nil {
			t.Fatalf("%016b: %v", v.Has, err)
		}
		got := p.Values()
		if got.Has != v.Has || !bytes.Equal(got.Append(nil), p) {
			t.Fatalf("%016b: %+v", v.Has, got)
		}
		if to, ok := p.ReplyTo(); ok != p.Has(PropertyReplyTo) || ok && string(to) != all.ReplyTo {
			t.Fatalf("%016b: reply-to %q %v", v.Has, to, ok)
		}
	}
	if v, ok := Properties(nil).ContentType(); v != nil || ok {
		t.Error("no properties have a content type")
	}
	_, p := sampleProperties()
	if v, ok := p.Header("s"); !ok || string(v.Bytes()) != "text" {
		t.Errorf("header s: %q %v", v.Bytes(), ok)
	}
}

func TestAppendWithSetsReplacesAndRemovesOneProperty(t *testing.T) {
	v, p := sampleProperties()
	v.ReplyTo = "elsewhere"
	if got := p.AppendWith(nil, PropertyReplyTo, AppendShortstr(nil, "elsewhere")); !bytes.Equal(got, v.Append(nil)) {
		t.Errorf("replaced: %q", got)
	}
	v.Has &^= PropertyReplyTo
	without := Properties(p.AppendWith(nil, PropertyReplyTo, nil))
	if !bytes.Equal(without, v.Append(nil)) {
		t.Errorf("removed: %q", without)
	}
	v.Has |= PropertyReplyTo
	if got := without.AppendWith(nil, PropertyReplyTo, AppendShortstr(nil, "elsewhere")); !bytes.Equal(got, v.Append(nil)) {
		t.Errorf("added: %q", got)
	}
	if got := Properties(nil).AppendWith(nil, PropertyPriority, []byte{3}); string(got) != "\x08\x00\x03" {
		t.Errorf("added to none: %q", got)
	}
}
