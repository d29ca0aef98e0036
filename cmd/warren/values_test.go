package main

import (
	"math"
	"reflect"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestRoutingIDsArePlainWhereTheyCanBe(t *testing.T) {
	cases := []struct{ id, separator, want string }{
		{"bob", "\t", "bob"},
		{"worker 1", "\t", "worker 1"},
		{"worker 1", " ", "0x776f726b65722031"},
		{"zoë", "\t", "zoë"},
		{"", "\t", "0x"},
		{"\x00k\x8bEg", "\t", "0x006b8b4567"},
		{"a\nb", "\t", "0x610a62"},
		{"0x41", "\t", "0x30783431"},
		{"bob", "", "bob"},
	}
	for _, c := range cases {
		if got := formatRoutingID([]byte(c.id), c.separator); got != c.want {
			t.Errorf("%q with separator %q is printed as %q, want %q", c.id, c.separator, got, c.want)
		}
	}
}

func FuzzRoutingIDsCanBeReadBack(f *testing.F) {
	f.Add("bob")
	f.Add("0xbob")
	f.Add("\x00k\x8bEg")
	f.Fuzz(func(t *testing.T, id string) {
		got, err := parseRoutingID(formatRoutingID([]byte(id), "\t"))
		if err != nil || string(got) != id {
			t.Errorf("%q is read back as %q, %v", id, got, err)
		}
	})
}

func TestHeadersKeepTheirTypes(t *testing.T) {
	pairs := []string{"s=text", "empty=", "n:=3", "f:=2.5", "huge:=1e30", "b:=true", "nil:=null", `o:={"k":[1,"x"]}`, "eq=a=b"}
	want := amqp.Table{"s": "text", "empty": "", "n": int64(3), "f": 2.5, "huge": 1e30, "b": true, "nil": nil,
		"o": amqp.Table{"k": []any{int64(1), "x"}}, "eq": "a=b"}
	got, err := parseTable("--header", pairs)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v; want %#v", got, err, want)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("AMQP cannot carry it: %v", err)
	}
	for _, bad := range []string{"", "=", "k", ":=1", "k:=", "k:=1 2", "k:={"} {
		if _, err := parseTable("--header", []string{bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestNoCountIsNoLimit(t *testing.T) {
	if got := limitOr(0); got != math.MaxInt {
		t.Errorf("no limit is %d", got)
	}
	if got := limitOr(3); got != 3 {
		t.Errorf("three is %d", got)
	}
}
