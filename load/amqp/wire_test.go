package amqp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/warrenmq/warren/load"
)

func TestAPublishIsTheBytesOfTheSpecification(t *testing.T) {
	b, bodyAt := appendPublish(nil, 1, "x", "key", []byte("hello"), true, 4096)
	want := "01" + "0001" + "0000000d" + "003c0028" + "0000" + "0178" + "036b6579" + "00" + "ce" +
		"02" + "0001" + "0000000f" + "003c" + "0000" + "0000000000000005" + "1000" + "02" + "ce" +
		"03" + "0001" + "00000005" + hex.EncodeToString([]byte("hello")) + "ce"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if string(b[bodyAt:bodyAt+5]) != "hello" {
		t.Errorf("the body is said to begin at %d", bodyAt)
	}
}

func TestLongBodiesAreCutToTheFrameSize(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 1000)
	b, _ := appendPublish(nil, 1, "", "q", body, false, 4096)
	var got []byte
	for len(b) > 0 {
		f, n, err := next(b, 4096)
		if err != nil || n == 0 {
			t.Fatalf("frame of %d bytes, %v", n, err)
		}
		if f.typ == frameBody {
			got = append(got, f.payload...)
		}
		b = b[n:]
	}
	if !bytes.Equal(got, body) {
		t.Error("the frames' payloads are not the body")
	}
}

func TestAPartOfAFrameIsNoFrame(t *testing.T) {
	whole := appendAck(nil, 1, 7, true)
	if len(whole) != ackSize {
		t.Fatalf("an ack has %d bytes, not %d", len(whole), ackSize)
	}
	for n := range whole {
		if _, got, err := next(whole[:n], 4096); got != 0 || err != nil {
			t.Errorf("%d bytes: %d, %v", n, got, err)
		}
	}
}

func TestAWindowSettlesEachMessageOnce(t *testing.T) {
	var h load.Histogram
	w := newWindow(4)
	w.sent(4, 10)
	steps := []struct {
		tag      uint64
		multiple bool
		settled  int
		free     int
	}{
		{3, false, 1, 0},
		{3, false, 0, 0}, // twice
		{2, true, 2, 3},
		{1, true, 0, 3}, // all of it old
		{0, true, 1, 4},
		{0, true, 0, 4},
	}
	for _, s := range steps {
		n, err := w.settle(s.tag, s.multiple, 30, &h)
		if s.tag == 0 && w.outstanding() == 0 && err != nil {
			t.Errorf("%+v: %v", s, err)
		}
		if n != s.settled || w.free() != s.free {
			t.Errorf("%+v: settled %d, free %d, %v", s, n, w.free(), err)
		}
	}
	if _, err := w.settle(5, false, 30, &h); err == nil {
		t.Error("a confirm of a message that was not sent is no error")
	}
	if h.Count() != 4 || h.Quantile(0.5) != 20*time.Nanosecond {
		t.Errorf("latency of %d messages, median %v", h.Count(), h.Quantile(0.5))
	}
}

func FuzzDeliveries(f *testing.F) {
	deliver := fakeMethod(1, 60, 60, append(append(short("c"), 0, 0, 0, 0, 0, 0, 0, 1, 0), append(short(""), short("q")...)...)...)
	header := fakeFrame(2, 1, []byte{0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0})
	body := fakeFrame(3, 1, make([]byte, 16))
	whole := append(append(append([]byte{}, deliver...), header...), body...)
	f.Add(whole, 3)
	f.Add(append(append([]byte{}, whole...), whole...), 50)
	f.Add(deliver, 1)
	f.Add(fakeFrame(8, 0, nil), 2)
	f.Add(fakeMethod(1, 20, 40, 1, 148, 3, 'a', 'b', 'c', 0, 0, 0, 0), 9)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		// Whatever comes: no panic, and the same outcome however reads cut it.
		outcome := func(cut int) string {
			p, err := newPlan(Options{URL: "amqp://host", Prefetch: 10})
			if err != nil {
				t.Fatal(err)
			}
			k := newConsumer(&run{plan: p}, &conn{frameMax: 4096})
			for at := 0; at < len(data); at += cut {
				k.c.in = append(k.c.in, data[at:min(len(data), at+cut)]...)
				k.c.w = len(k.c.in)
				if err := k.scan(1); err != nil {
					return fmt.Sprint(k.delivered, err)
				}
			}
			return fmt.Sprint(k.delivered, k.c.r)
		}
		if whole, pieces := outcome(len(data)+1), outcome(1+abs(cut)%64); whole != pieces {
			t.Errorf("in one read: %s; in pieces: %s", whole, pieces)
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }

// BenchmarkScan is what a read of a hundred deliveries costs the generator.
func BenchmarkScan(b *testing.B) {
	b.ReportAllocs()
	p, err := newPlan(Options{URL: "amqp://host"})
	if err != nil {
		b.Fatal(err)
	}
	k := newConsumer(&run{plan: p}, &conn{frameMax: wantFrameMax})
	one := fakeMethod(1, 60, 60, append(append(short("c00000"), 0, 0, 0, 0, 0, 0, 0, 1, 0), append(short(""), short("warren.load.00000")...)...)...)
	one = append(one, fakeFrame(2, 1, []byte{0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0x10, 0, 1})...)
	one = append(one, fakeFrame(3, 1, make([]byte, 16))...)
	const batch = 100
	k.c.in = bytes.Repeat(one, batch)
	for b.Loop() {
		k.c.r, k.c.w = 0, len(k.c.in)
		if err := k.scan(1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/delivery")
}
