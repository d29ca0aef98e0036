package amqp091

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// sample fills every field of m with a value that differs from zero.
func sample(m Method) {
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(i%2 == 0)
		case reflect.String:
			f.SetString("näme-" + v.Type().Field(i).Name)
		case reflect.Slice:
			if f.Type() == reflect.TypeFor[Table]() {
				f.Set(reflect.ValueOf(sampleTable()))
			} else {
				f.SetBytes([]byte("bytes-" + v.Type().Field(i).Name))
			}
		default:
			f.SetUint(uint64(i) + 0xA1)
		}
	}
}

func sampleTable() Table {
	inner := Table(AppendField(nil, "deep", Longstr("er")))
	list := Array(AppendValue(AppendValue(nil, Longstr("one")), TableValue(inner)))
	var t []byte
	for _, f := range []struct {
		name string
		v    Value
	}{
		{"bool", Bool(true)}, {"no", Bool(false)}, {"i8", Int(KindInt8, -128)}, {"u8", Int(KindUint8, 255)},
		{"i16", Int(KindInt16, -32768)}, {"u16", Int(KindUint16, 65535)}, {"i32", Int(KindInt32, math.MinInt32)},
		{"u32", Int(KindUint32, math.MaxUint32)}, {"i64", Int(KindInt64, math.MinInt64)}, {"f", Float(1.5)},
		{"d", Double(-2.25)}, {"dec", Decimal(2, 314)}, {"s", Longstr("text")}, {"x", Bytes([]byte{0, 1})},
		{"t", Timestamp(1700000000)}, {"table", TableValue(inner)}, {"array", ArrayValue(list)}, {"v", Void()},
		{"s", Longstr("a second field of one name")},
	} {
		t = AppendField(t, f.name, f.v)
	}
	return t
}

func TestEveryMethodDecodesWhatItEncodes(t *testing.T) {
	for _, id := range AllMethods() {
		m := NewMethod(id)
		sample(m)
		wire := m.AppendFrame([]byte("before"), 0x1234)[len("before"):]
		f, n, err := ScanFrame(wire, len(wire))
		if err != nil || n != len(wire) || f.Type != FrameMethod || f.Channel != 0x1234 {
			t.Fatalf("%v: frame %+v, %d of %d, %v", id, f, n, len(wire), err)
		}
		got, args, err := SplitMethod(f.Payload)
		if err != nil || got != id {
			t.Fatalf("%v: split as %v, %v", id, got, err)
		}
		back := NewMethod(id)
		if err := back.Decode(args); err != nil {
			t.Fatalf("%v: %v", id, err)
		}
		if !reflect.DeepEqual(m, back) {
			t.Errorf("%v:\n got %+v\nwant %+v", id, back, m)
		}
		for cut := range args {
			if err := back.Decode(args[:cut]); codeOf(err) != FrameError {
				t.Fatalf("%v cut to %d of %d octets: %v, want FRAME_ERROR", id, cut, len(args), err)
			}
		}
		if err := back.Decode(append(bytes.Clone(args), 0)); codeOf(err) != FrameError {
			t.Errorf("%v with an octet too many: %v, want FRAME_ERROR", id, err)
		}
	}
}

func codeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestEveryMethodHasASenderAndItsReplies(t *testing.T) {
	names := map[string]bool{}
	for _, id := range AllMethods() {
		if names[id.String()] || id.String() == "" {
			t.Errorf("%d.%d: name %q is empty or not its own", id.Class(), id.Number(), id)
		}
		names[id.String()] = true
		if !id.FromClient() && !id.FromServer() {
			t.Errorf("%v: nobody sends it", id)
		}
		for _, r := range id.Replies() {
			if r.Class() != id.Class() || r.Number() <= id.Number() || NewMethod(r) == nil {
				t.Errorf("%v: reply %v", id, r)
			}
		}
	}
	if len(names) != 64+2 { // amqp091-go's table has 64; access.request and its reply came back from 0-9
		t.Errorf("%d methods", len(names))
	}
	if NewMethod(60<<16|99) != nil || MethodID(60<<16|99).String() != "" {
		t.Error("basic.99 exists")
	}
	if MethodExchangeUnbindOk != 40<<16|51 {
		t.Error("exchange.unbind-ok is 40.51 on the wire, whatever the pattern of the others says")
	}
}

func TestShortstrMustBeUTF8(t *testing.T) {
	m := BasicPublish{Exchange: []byte("x"), RoutingKey: []byte{0xff, 0xfe}}
	f, _, _ := ScanFrame(m.AppendFrame(nil, 1), 4096)
	_, args, _ := SplitMethod(f.Payload)
	err := m.Decode(args)
	if err == nil || err.Error() != "amqp091: FRAME_ERROR - Malformed UTF-8 in shortstr (basic.publish)" {
		t.Error(err)
	}
	longstr := ConnectionSecure{Challenge: []byte{0xff}}
	f, _, _ = ScanFrame(longstr.AppendFrame(nil, 0), 4096)
	_, args, _ = SplitMethod(f.Payload)
	if err := longstr.Decode(args); err != nil {
		t.Errorf("a longstr is octets: %v", err)
	}
}

func TestShortstrIsCutAtACharacter(t *testing.T) {
	got := AppendShortstr(nil, strings.Repeat("ä", 200))
	if got[0] != 254 || len(got) != 255 {
		t.Errorf("length octet %d, %d octets", got[0], len(got))
	}
	if text := NotFound.ReplyText(strings.Repeat("x", 300)); len(text) != 255 || !strings.HasPrefix(text, "NOT_FOUND - xxx") {
		t.Errorf("%d octets: %s", len(text), text)
	}
}

func TestCodesHaveRabbitMQsNamesAndLevels(t *testing.T) {
	for _, tt := range []struct {
		c     Code
		name  string
		level Level
	}{
		{AccessRefused, "ACCESS_REFUSED", LevelChannel}, {NotFound, "NOT_FOUND", LevelChannel},
		{ResourceLocked, "RESOURCE_LOCKED", LevelChannel}, {PreconditionFailed, "PRECONDITION_FAILED", LevelChannel},
		{NoRoute, "NO_ROUTE", LevelChannel}, {ConnectionForced, "CONNECTION_FORCED", LevelConnection},
		{FrameError, "FRAME_ERROR", LevelConnection}, {ChannelError, "CHANNEL_ERROR", LevelConnection},
		{UnexpectedFrame, "UNEXPECTED_FRAME", LevelConnection}, {NotAllowed, "NOT_ALLOWED", LevelConnection},
		{NotImplemented, "NOT_IMPLEMENTED", LevelConnection}, {InternalError, "INTERNAL_ERROR", LevelConnection},
		{999, "999", LevelConnection},
	} {
		if tt.c.String() != tt.name || tt.c.Level() != tt.level {
			t.Errorf("%d: %v, level %v; want %s, %v", tt.c, tt.c, tt.c.Level(), tt.name, tt.level)
		}
	}
}

func TestProtocolHeaderIsJudgedAsSoonAsItCanBe(t *testing.T) {
	for in, want := range map[string]HeaderVerdict{
		"": HeaderIncomplete, "AM": HeaderIncomplete, ProtocolHeader[:7]: HeaderIncomplete,
		ProtocolHeader: HeaderAccepted, ProtocolHeader + "more": HeaderAccepted, "AMQP\x01\x01\x00\x09": HeaderAccepted,
		"AMQP\x00\x01\x00\x00": HeaderAMQP10, "AMQP\x02\x01\x00\x00": HeaderAMQP10, "AMQP\x03\x01\x00\x00": HeaderAMQP10,
		"AMQP\x00\x00\x09\x02": HeaderOtherAMQP, "AMQP\x01\x01\x08\x00": HeaderOtherAMQP,
		"G": HeaderGarbage, "GET / HTTP/1.1": HeaderGarbage, "\x16\x03\x01": HeaderGarbage, "AMQX": HeaderGarbage,
	} {
		if got := ScanProtocolHeader([]byte(in)); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

func TestScanFrameWaitsForWholeFramesAndRefusesBadOnes(t *testing.T) {
	frame := AppendRawFrame(nil, Frame{Type: FrameBody, Channel: 7, Payload: []byte("hello")})
	for cut := range frame {
		if _, n, err := ScanFrame(frame[:cut], 5); n != 0 || err != nil {
			t.Fatalf("%d octets: %d, %v", cut, n, err)
		}
	}
	if f, n, err := ScanFrame(append(frame, "next"...), 5); n != len(frame) || err != nil || string(f.Payload) != "hello" {
		t.Errorf("%+v, %d, %v", f, n, err)
	}
	if _, n, err := ScanFrame(AppendRawFrame(nil, Frame{Type: FrameBody, Payload: make([]byte, 9)}), 1); n != 17 || err != nil {
		t.Errorf("a frame 8 octets too large, as some clients count: %d, %v", n, err)
	}
	long := AppendRawFrame(nil, Frame{Type: FrameBody, Payload: make([]byte, 14)})
	_, _, err := ScanFrame(long[:7], 5)
	if want := "amqp091: FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,14,5}"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	bad := bytes.Clone(frame)
	bad[len(bad)-1] = 0xCD
	_, _, err = ScanFrame(bad, 5)
	if want := "amqp091: FRAME_ERROR - type 3, all octets = <<\"hello\">>: {invalid_frame_end_marker,205}"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if f, n, err := ScanFrame(AppendHeartbeat(nil), 0); f.Type != FrameHeartbeat || n != 8 || err != nil {
		t.Errorf("heartbeat: %+v, %d, %v", f, n, err)
	}
	for err, want := range map[*Error]string{
		Unknown(Frame{Type: 9, Payload: []byte("abc")}):                   "FRAME_ERROR - type 9, all octets = <<\"abc\">>: unknown_frame",
		Unexpected(Frame{Type: FrameHeartbeat}):                           "UNEXPECTED_FRAME - type 8, all octets = <<>>",
		Unexpected(Frame{Type: FrameBody, Payload: make([]byte, 20)}):     "UNEXPECTED_FRAME - type 3, first 16 octets = <<0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0>>",
		Unexpected(Frame{Type: FrameBody, Payload: []byte("say \"hi\"")}): "UNEXPECTED_FRAME - type 3, all octets = <<115,97,121,32,34,104,105,34>>",
	} {
		if err.Error() != "amqp091: "+want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if FrameSize(frame[:6]) != 8 || FrameSize(frame[:7]) != len(frame) {
		t.Errorf("FrameSize: %d, %d", FrameSize(frame[:6]), FrameSize(frame[:7]))
	}
	if _, _, err := SplitMethod([]byte{0, 10, 0}); codeOf(err) != FrameError {
		t.Errorf("method of 3 octets: %v", err)
	}
}

func TestContentIsSplitAtFrameMax(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 10)
	for _, tt := range []struct{ frameMax, size, frames int }{
		{FrameOverhead + 100, 100, 1}, {FrameOverhead + 99, 100, 2}, {FrameOverhead + 1, 100, 100}, {4096, 0, 0},
	} {
		c := Content{Body: body[:tt.size]}
		wire := AppendContent(nil, 3, c, tt.frameMax)
		if len(wire) != ContentSize(c, tt.frameMax) {
			t.Errorf("%+v: ContentSize %d, %d octets", tt, ContentSize(c, tt.frameMax), len(wire))
		}
		f, n, err := ScanFrame(wire, 4096)
		if err != nil || f.Type != FrameHeader {
			t.Fatalf("%+v: %+v %v", tt, f, err)
		}
		h, err := DecodeContentHeader(f.Payload)
		if err != nil || h.Class != ClassBasic || h.BodySize != uint64(tt.size) {
			t.Fatalf("%+v: %+v %v", tt, h, err)
		}
		var got []byte
		frames := 0
		for wire = wire[n:]; len(wire) > 0; wire = wire[n:] {
			if f, n, err = ScanFrame(wire, tt.frameMax-FrameOverhead); err != nil || f.Type != FrameBody || f.Channel != 3 {
				t.Fatalf("%+v: %+v %v", tt, f, err)
			}
			got = append(got, f.Payload...)
			frames++
		}
		if frames != tt.frames || !bytes.Equal(got, body[:tt.size]) {
			t.Errorf("%+v: %d frames, %q", tt, frames, got)
		}
	}
}

func TestDeliverReturnAndGetOkAreMethodPlusContent(t *testing.T) {
	c := Content{Properties: Properties("\x10\x00\x02"), Body: []byte("body")}
	rest := AppendContent(nil, 9, c, 4096)
	d := BasicDeliver{ConsumerTag: []byte("t"), DeliveryTag: 1, Exchange: []byte("x"), RoutingKey: []byte("k")}
	r := BasicReturn{ReplyCode: uint16(NoRoute), ReplyText: []byte("NO_ROUTE")}
	g := BasicGetOk{DeliveryTag: 2, MessageCount: 3}
	for name, pair := range map[string][2][]byte{
		"deliver": {AppendDeliver(nil, 9, &d, c, 4096), d.AppendFrame(nil, 9)},
		"return":  {AppendReturn(nil, 9, &r, c, 4096), r.AppendFrame(nil, 9)},
		"get-ok":  {AppendGetOk(nil, 9, &g, c, 4096), g.AppendFrame(nil, 9)},
	} {
		if !bytes.Equal(pair[0], append(pair[1], rest...)) {
			t.Errorf("%s: %x", name, pair[0])
		}
	}
}

func TestContentHeaderIsRefusedWhenMalformed(t *testing.T) {
	good := AppendContentHeader(nil, 1, Properties("\x10\x00\x02"), 5)
	good = good[frameHead : len(good)-1]
	if _, err := DecodeContentHeader(good); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"short":              good[:13],
		"weight":             append(append(bytes.Clone(good[:3]), 1), good[4:]...),
		"missing property":   good[:len(good)-1],
		"trailing octet":     append(bytes.Clone(good), 0),
		"continuation flag":  append(append(bytes.Clone(good[:12]), 0x10, 0x01), 2),
		"unknown flag":       append(append(bytes.Clone(good[:12]), 0x10, 0x02), 2),
		"type is not UTF-8":  append(append(bytes.Clone(good[:12]), 0x00, 0x20), 1, 0xff),
		"headers are broken": append(append(bytes.Clone(good[:12]), 0x20, 0x00), 0, 0, 0, 3, 1, 'k', '?'),
	} {
		if _, err := DecodeContentHeader(bad); codeOf(err) != FrameError {
			t.Errorf("%s: %v, want FRAME_ERROR", name, err)
		}
	}
}
