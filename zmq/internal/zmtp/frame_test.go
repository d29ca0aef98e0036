package zmtp

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFramesLookAsRFC37DrawsThem(t *testing.T) {
	long := bytes.Repeat([]byte{'x'}, 256)
	for _, test := range []struct {
		name string
		body []byte
		more bool
		want []byte
	}{
		{"empty", nil, false, []byte{0, 0}},
		{"short", []byte("hi"), false, []byte{0, 2, 'h', 'i'}},
		{"more", []byte("hi"), true, []byte{1, 2, 'h', 'i'}},
		{"longest short", long[:255], false, append([]byte{0, 255}, long[:255]...)},
		{"shortest long", long, true, append([]byte{3, 0, 0, 0, 0, 0, 0, 1, 0}, long...)},
	} {
		got := AppendFrame(nil, test.body, test.more)
		if !bytes.Equal(got, test.want) {
			t.Errorf("%s: % x, want % x", test.name, got, test.want)
		}
		if FrameSize(len(test.body)) != len(got) {
			t.Errorf("%s: FrameSize is %d, the frame has %d bytes", test.name, FrameSize(len(test.body)), len(got))
		}
	}
}

// scanAll feeds a decoder in the given pieces and returns the messages, as
// Take cuts them, and the commands.
func scanAll(d *Decoder, pieces [][]byte, max int) (messages [][][]byte, commands [][]byte, err error) {
	var buf []byte
	for _, piece := range pieces {
		buf = append(buf, piece...)
		for {
			command, err := d.Scan(buf, max)
			if err != nil {
				return messages, commands, err
			}
			if command != nil {
				commands = append(commands, bytes.Clone(command))
				continue
			}
			full := d.Messages == max
			run := bytes.Clone(buf[:d.End])
			buf = buf[d.End:]
			d.Consume()
			for {
				t := Take(run, nil, d.Subscriptions)
				if t.Size == 0 {
					break
				}
				messages = append(messages, t.Frames)
				run = run[t.Size:]
			}
			if !full {
				break
			}
		}
	}
	return messages, commands, nil
}

func TestAStreamDecodesTheSameHoweverItIsCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want [][][]byte
		wantCommands := 0
		for range rapid.IntRange(0, 8).Draw(t, "messages") {
			n := rapid.IntRange(1, 4).Draw(t, "frames")
			var m [][]byte
			for i := range n {
				if rapid.IntRange(0, 3).Draw(t, "ping") == 0 {
					stream = AppendPing(stream, 7)
					wantCommands++
				}
				size := rapid.SampledFrom([]int{0, 1, 255, 256, 300}).Draw(t, "size")
				body := bytes.Repeat([]byte{byte('a' + i)}, size)
				m = append(m, body)
				stream = AppendFrame(stream, body, i < n-1)
			}
			want = append(want, m)
		}
		var pieces [][]byte
		for rest := stream; len(rest) > 0; {
			n := min(len(rest), rapid.IntRange(1, 400).Draw(t, "cut"))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		got, commands, err := scanAll(&Decoder{}, pieces, rapid.IntRange(1, 5).Draw(t, "max"))
		if err != nil {
			t.Fatal(err)
		}
		if len(commands) != wantCommands {
			t.Fatalf("%d commands, want %d", len(commands), wantCommands)
		}
		if len(got) != len(want) {
			t.Fatalf("%d messages, want %d", len(got), len(want))
		}
		for i := range want {
			if !bytes.Equal(bytes.Join(got[i], []byte{'|'}), bytes.Join(want[i], []byte{'|'})) || len(got[i]) != len(want[i]) {
				t.Fatalf("message %d: %q, want %q", i, got[i], want[i])
			}
		}
	})
}

func TestSubscriptionsCountAsMessagesWhereTheyAreAskedFor(t *testing.T) {
	stream := AppendSubscription(nil, "a", true, 1)
	stream = AppendPing(stream, 0)
	stream = AppendFrame(stream, []byte("m"), false)
	stream = AppendSubscription(stream, "a", false, 1)
	d := Decoder{Subscriptions: true}
	got, commands, err := scanAll(&d, [][]byte{stream}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(commands) != 1 || len(got) != 3 || string(got[0][0]) != cmdSubscribe+"a" || string(got[1][0]) != "m" || string(got[2][0]) != cmdCancel+"a" {
		t.Errorf("messages %q, commands %q", got, commands)
	}
}

func TestALimitHoldsBeforeTheBytesCome(t *testing.T) {
	for _, test := range []struct {
		name   string
		stream []byte
		ok     bool
	}{
		{"a body of the limit", AppendFrame(nil, make([]byte, 1000), false), true},
		{"a body beyond it", AppendFrame(nil, make([]byte, 1001), false)[:longHeader], false},
		{"the largest number", []byte{flagLong, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, false},
		{"many frames of one message", bytes.Repeat([]byte{flagMore, 0}, 1000), false},
		{"many commands inside one message", append([]byte{flagMore, 0}, bytes.Repeat(AppendPing(nil, 0), 1000)...), false},
		{"many messages", bytes.Repeat([]byte{0, 0}, 1000), true},
		{"many commands", bytes.Repeat(AppendPing(nil, 0), 1000), true},
	} {
		_, _, err := scanAll(&Decoder{MaxMessage: 1000}, [][]byte{test.stream}, 1<<20)
		if test.ok && err != nil || !test.ok && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
	if _, _, err := scanAll(&Decoder{}, [][]byte{{flagLong, 0xFF, 0, 0, 0, 0, 0, 0, 0}}, 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a frame of 2^63 bytes without a limit: error %v", err)
	}
}

func TestReservedFlagsAreRefused(t *testing.T) {
	for _, flags := range []byte{0x08, 0x80, flagCommand | flagMore} {
		if _, _, err := scanAll(&Decoder{}, [][]byte{{flags, 0}}, 1); !errors.Is(err, ErrFlags) {
			t.Errorf("flags 0x%02x: error %v", flags, err)
		}
	}
}

func TestTheRemainderStartsAtAMessage(t *testing.T) {
	one := AppendMessage(nil, nil, [][]byte{[]byte("a"), []byte("b")})
	two := AppendFrame(nil, []byte(strings.Repeat("c", 300)), false)
	b := append(append([]byte(nil), one...), two...)
	for written := range len(b) + 1 {
		rest, passed := Remainder(b, written)
		want, wantPassed := two, 1
		switch {
		case written == 0:
			want, wantPassed = b, 0
		case written > len(one):
			want, wantPassed = nil, 2
		}
		if !bytes.Equal(rest, want) || passed != wantPassed {
			t.Fatalf("after %d bytes: %d bytes are left and %d messages passed, want %d and %d", written, len(rest), passed, len(want), wantPassed)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(AppendMessage(nil, nil, [][]byte{[]byte("a"), nil, make([]byte, 300)}), uint8(3), uint8(2))
	f.Add(AppendSubscription(AppendPing(nil, 5), "topic", true, 1), uint8(1), uint8(1))
	f.Add(AppendMessage(AppendNote(nil, []byte("n")), nil, [][]byte{nil, []byte("a")}), uint8(2), uint8(1))
	f.Add(AppendSubscription(AppendNote(AppendPing(nil, 5), nil), "topic", true, 1), uint8(4), uint8(1))
	f.Add([]byte{flagLong, 0, 0, 0, 0, 0, 0, 0, 1, 'x'}, uint8(9), uint8(1))
	f.Add([]byte{flagLong, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, cut, max uint8) {
		for _, subscriptions := range []bool{false, true} {
			whole, wholeCommands, wholeErr := scanAll(&Decoder{MaxMessage: 4096, Subscriptions: subscriptions}, [][]byte{stream}, 1<<20)
			var pieces [][]byte
			for rest := stream; len(rest) > 0; {
				n := min(len(rest), int(cut)+1)
				pieces, rest = append(pieces, rest[:n]), rest[n:]
			}
			cutUp, cutCommands, cutErr := scanAll(&Decoder{MaxMessage: 4096, Subscriptions: subscriptions}, pieces, int(max)+1)
			if (wholeErr == nil) != (cutErr == nil) {
				t.Fatalf("in one piece: error %v; in many: %v", wholeErr, cutErr)
			}
			if wholeErr != nil {
				return
			}
			if len(whole) != len(cutUp) || len(wholeCommands) != len(cutCommands) {
				t.Fatalf("in one piece: %d messages and %d commands; in many: %d and %d", len(whole), len(wholeCommands), len(cutUp), len(cutCommands))
			}
			for i := range whole {
				if !bytes.Equal(AppendMessage(nil, nil, whole[i]), AppendMessage(nil, nil, cutUp[i])) {
					t.Fatalf("message %d: %q in one piece, %q in many", i, whole[i], cutUp[i])
				}
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	var stream []byte
	for range 1000 {
		stream = AppendFrame(stream, make([]byte, 64), false)
	}
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		var d Decoder
		if _, err := d.Scan(stream, 1<<20); err != nil || d.Messages != 1000 {
			b.Fatal(d.Messages, err)
		}
	}
}
