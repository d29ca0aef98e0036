package amqp091

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzDecode scans any bytes as frames; what decodes must encode to something that decodes to the same and stays the same.
func FuzzDecode(f *testing.F) {
	for _, id := range AllMethods() {
		m := NewMethod(id)
		f.Add(m.AppendFrame(nil, 0))
		sample(m)
		f.Add(m.AppendFrame(nil, 1))
	}
	_, p := sampleProperties()
	f.Add(AppendContent(AppendHeartbeat(nil), 1, Content{Properties: p, Body: []byte("body")}, 4096))
	f.Fuzz(func(t *testing.T, wire []byte) {
		for len(wire) > 0 {
			frame, n, err := ScanFrame(wire, 4096)
			if err != nil || n == 0 {
				if err != nil && codeOf(err) != FrameError {
					t.Fatalf("%v is no FRAME_ERROR", err)
				}
				return
			}
			if again := AppendRawFrame(nil, frame); !bytes.Equal(again, wire[:n]) {
				t.Fatalf("frame %x re-encodes as %x", wire[:n], again)
			}
			wire = wire[n:]
			switch frame.Type {
			case FrameMethod:
				checkMethod(t, frame)
			case FrameHeader:
				checkHeader(t, frame)
			}
		}
	})
}

func checkMethod(t *testing.T, frame Frame) {
	id, args, err := SplitMethod(frame.Payload)
	if err != nil {
		return
	}
	m := NewMethod(id)
	if m == nil {
		return
	}
	if err := m.Decode(args); err != nil {
		if codeOf(err) != FrameError {
			t.Fatalf("%v: %v is no FRAME_ERROR", id, err)
		}
		return
	}
	wire := m.AppendFrame(nil, frame.Channel)
	again, n, err := ScanFrame(wire, len(wire))
	if err != nil || n != len(wire) {
		t.Fatalf("%v: %d of %d, %v", id, n, len(wire), err)
	}
	_, args, _ = SplitMethod(again.Payload)
	back := NewMethod(id)
	if err := back.Decode(args); err != nil {
		t.Fatalf("%v: %v", id, err)
	}
	if !reflect.DeepEqual(m, back) {
		t.Fatalf("%v: %+v became %+v", id, m, back)
	}
}

func checkHeader(t *testing.T, frame Frame) {
	h, err := DecodeContentHeader(frame.Payload)
	if err != nil {
		if codeOf(err) != FrameError {
			t.Fatalf("%v is no FRAME_ERROR", err)
		}
		return
	}
	if h.Class != ClassBasic {
		return
	}
	wire := AppendContentHeader(nil, frame.Channel, h.Properties, h.BodySize)
	if !bytes.Equal(wire, AppendRawFrame(nil, frame)) {
		t.Fatalf("header %x re-encodes as %x", frame.Payload, wire)
	}
}

// FuzzProperties reads any bytes as properties; sound ones must survive decoding, encoding and editing.
func FuzzProperties(f *testing.F) {
	_, p := sampleProperties()
	f.Add([]byte(p))
	f.Add([]byte(noProperties))
	f.Add([]byte("\x10\x00\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := Properties(b)
		v := p.Values() // must not panic, whatever p is
		p.AppendWith(nil, PropertyHeaders, nil)
		if p.Validate() != nil {
			return
		}
		if len(p) == 0 {
			p = Properties(noProperties)
		}
		if got := v.Append(nil); !bytes.Equal(got, p) {
			t.Fatalf("%x re-encodes as %x", b, got)
		}
		value := AppendShortstr(nil, v.Expiration)
		edited := Properties(p.AppendWith(nil, PropertyExpiration, value))
		v.Has |= PropertyExpiration
		if want := v.Append(nil); !bytes.Equal(edited, want) {
			t.Fatalf("%x with an expiration is %x, want %x", b, edited, want)
		}
	})
}

// FuzzTable reads any bytes as a table; a sound one re-encodes, field by field, to one that reads the same.
func FuzzTable(f *testing.F) {
	f.Add([]byte(sampleTable()))
	f.Add([]byte("\x01nL\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("\x01nF\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		table := Table(b)
		show(table) // must not panic, whatever it is
		if err := table.Validate(); err != nil {
			if codeOf(err) != FrameError {
				t.Fatalf("%v is no FRAME_ERROR", err)
			}
			return
		}
		again := canonical(table)
		if got, want := show(again), show(table); got != want {
			t.Fatalf("%s became %s", want, got)
		}
		if !bytes.Equal(canonical(again), again) {
			t.Fatalf("%x is not yet canonical", again)
		}
	})
}

// canonical re-encodes t and all that is in it.
func canonical(t Table) Table {
	var out []byte
	for name, v := range t.All() {
		out = AppendField(out, name, canonicalValue(v))
	}
	return out
}

func canonicalValue(v Value) Value {
	switch v.Kind() {
	case KindTable:
		return TableValue(canonical(v.Table()))
	case KindArray:
		var out []byte
		for item := range v.Array().All() {
			out = AppendValue(out, canonicalValue(item))
		}
		return ArrayValue(out)
	}
	return v
}
