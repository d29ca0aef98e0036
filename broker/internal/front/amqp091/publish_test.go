package amqp091

import (
	"bytes"
	"testing"

	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// A channel takes properties unseen that equal the last sound ones. That must change no verdict.
func TestHeaderIsJudgedByItsPropertiesWhateverCameBefore(t *testing.T) {
	sound := func(text string) []byte { return append([]byte{0x80, 0, byte(len(text))}, text...) } // a content type
	long := append([]byte{0x20, 0}, wire.AppendTable(nil, wire.AppendField(nil, "k", wire.Bytes(make([]byte, 2*maxSound))))...)
	headers := []struct {
		props []byte
		sound bool
	}{
		{nil, false},
		{[]byte{0, 0}, true},
		{sound("a"), true},
		{sound("a\xff"), false},
		{append(sound("a"), 0), false},
		{sound("ab"), true},
		{sound("ab")[:4], false},
		{long, true},
		{long[:len(long)-1], false},
	}
	ch := new(channel)
	for i := range headers {
		for j := range headers {
			for _, h := range []int{i, j, i} {
				want := headers[h]
				frame := wire.AppendContentHeader(nil, 1, nil, 5)
				payload := append(bytes.Clone(frame[7:len(frame)-3]), want.props...)
				got, err := ch.contentHeader(payload)
				if (err == nil) != want.sound {
					t.Fatalf("%d after others: %x: %v", h, want.props, err)
				}
				if err == nil && (!bytes.Equal(got.Properties, want.props) || got.BodySize != 5) {
					t.Fatalf("%x reads as %+v", want.props, got)
				}
			}
		}
	}
	if len(ch.sound) > maxSound {
		t.Fatalf("%d bytes of properties are remembered", len(ch.sound))
	}
}
