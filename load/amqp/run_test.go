package amqp

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryPublishIsDeliveredAsOftenAsItsRouteSays(t *testing.T) {
	for name, test := range map[string]struct {
		o      Options
		copies uint64
	}{
		"one queue":                {Options{}, 1},
		"bodies of several frames": {Options{Size: 10_000, Count: 50}, 1},
		"bodies without a stamp":   {Options{Size: 3}, 1},
		"more queues than workers": {Options{Queues: 7, Publishers: 2, Consumers: 3}, 1},
		"more workers than queues": {Options{Queues: 2, Publishers: 5, Consumers: 4}, 1},
		"direct":                   {Options{Queues: 3, Route: RouteDirect, Count: 100}, 1},
		"fanout":                   {Options{Queues: 3, Route: RouteFanout, Count: 100}, 3},
		"topic":                    {Options{Queues: 3, Route: RouteTopic, Count: 100}, 3},
		"backlog of 64":            {Options{Backlog: 64}, 1},
		"paced":                    {Options{Rate: 20_000}, 1},
		"persistent":               {Options{Persistent: true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeBroker{}
			o := test.o
			o.URL = f.start(t)
			if o.Count == 0 {
				o.Count = 1003
			}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			f.settled()
			if r.Published != uint64(o.Count) || r.Delivered != r.Published*test.copies || r.Lost != 0 {
				t.Errorf("published %d of %d, delivered %d, lost %d", r.Published, o.Count, r.Delivered, r.Lost)
			}
			if f.published != int(o.Count) || f.deleted != max(1, o.Queues) {
				t.Errorf("the broker got %d publishes and %d deletes", f.published, f.deleted)
			}
			if o.Persistent != (f.persisted == int(o.Count)) {
				t.Errorf("%d of %d publishes were persistent", f.persisted, o.Count)
			}
			if o.Size != 3 && r.Latency.Count == 0 {
				t.Error("no latency was recorded")
			}
			if o.Rate > 0 && r.Latency.Count != r.Delivered {
				t.Errorf("latency of %d messages out of %d", r.Latency.Count, r.Delivered)
			}
			if test.copies == 1 && o.Queues > 1 {
				least := int(o.Count) / o.Queues / 3
				for q, n := range f.bodies {
					if n < least {
						t.Errorf("queue %s got just %d messages", q, n)
					}
				}
			}
		})
	}
}

func TestFramesInPiecesAreReadAsWhole(t *testing.T) {
	f := &fakeBroker{dribble: 5}
	r, err := Run(t.Context(), Options{URL: f.start(t), Count: 200, Size: 100, Confirms: 10, Prefetch: 10})
	if err != nil {
		t.Fatal(err)
	}
	if r.Delivered != 200 || r.Confirmed != 200 {
		t.Errorf("delivered %d, confirmed %d of 200", r.Delivered, r.Confirmed)
	}
}

func TestEveryDeliveryIsAcknowledged(t *testing.T) {
	for _, every := range []int{0, 1, 7, 50} {
		f := &fakeBroker{}
		r, err := Run(t.Context(), Options{URL: f.start(t), Count: 1001, Prefetch: 50, AckEvery: every})
		if err != nil {
			t.Fatal(err)
		}
		f.settled()
		if r.Delivered != 1001 || f.qos != 50 || f.acked != 1001 {
			t.Errorf("AckEvery %d: delivered %d, prefetch %d, acknowledged %d", every, r.Delivered, f.qos, f.acked)
		}
		if want := (1001 + max(1, every) - 1) / max(1, every); f.ackFrames != want {
			t.Errorf("AckEvery %d: %d acks, want %d", every, f.ackFrames, want)
		}
	}
}

func TestConfirmsInAnyOrderSettleEachMessageOnce(t *testing.T) {
	ack := func(method uint16, tag uint64, multiple byte) []byte {
		return fakeMethod(1, 60, method, append(binary.BigEndian.AppendUint64(nil, tag), multiple)...)
	}
	for name, test := range map[string]struct {
		confirm func(tag uint64) []byte
		nacked  uint64
	}{
		"one by one": {func(tag uint64) []byte { return ack(80, tag, 0) }, 0},
		"ten at a time": {func(tag uint64) []byte {
			if tag%10 != 0 {
				return nil
			}
			return ack(80, tag, 1)
		}, 0},
		"backwards in tens": {func(tag uint64) []byte {
			if tag%10 != 0 {
				return nil
			}
			var b []byte
			for i := range uint64(10) {
				b = append(b, ack(80, tag-i, 0)...)
			}
			return b
		}, 0},
		"the evens first, then all": {func(tag uint64) []byte {
			b := []byte{}
			if tag%2 == 0 {
				b = ack(80, tag, 0)
			}
			if tag%20 == 0 {
				b = append(b, ack(80, 0, 1)...)
			}
			return b
		}, 0},
		"every tenth refused": {func(tag uint64) []byte {
			if tag%10 == 0 {
				return ack(120, tag, 0)
			}
			return ack(80, tag, 0)
		}, 100},
	} {
		for _, rate := range []float64{0, 50_000} {
			t.Run(name, func(t *testing.T) {
				f := &fakeBroker{confirm: test.confirm}
				r, err := Run(t.Context(), Options{URL: f.start(t), Count: 1000, Confirms: 40, Rate: rate})
				if err != nil {
					t.Fatal(err)
				}
				if r.Confirmed != 1000-test.nacked || r.Nacked != test.nacked || r.Confirm.Count != 1000 {
					t.Errorf("confirmed %d, refused %d, latencies %d", r.Confirmed, r.Nacked, r.Confirm.Count)
				}
			})
		}
	}
}

func TestPublishersKeepToTheWindow(t *testing.T) {
	const limit = 8
	var held [][]byte
	f := &fakeBroker{}
	// The broker confirms only when as many wait as may: a publisher that
	// stops earlier stalls, one that goes further is seen.
	f.confirm = func(tag uint64) []byte {
		held = append(held, fakeMethod(1, 60, 80, append(binary.BigEndian.AppendUint64(nil, tag), 0)...))
		if len(held) > limit {
			f.t.Errorf("%d messages without a confirm, with a window of %d", len(held), limit)
		}
		if len(held) < limit {
			return nil
		}
		var all []byte
		for _, b := range held {
			all = append(all, b...)
		}
		held = nil
		return all
	}
	r, err := Run(t.Context(), Options{URL: f.start(t), Count: 800, Confirms: limit, Consumers: None})
	if err != nil {
		t.Fatal(err)
	}
	if r.Confirmed != 800 {
		t.Errorf("confirmed %d of 800", r.Confirmed)
	}
}

func TestWhatTheBrokerDropsIsLostAndNoError(t *testing.T) {
	f := &fakeBroker{onPublish: func(n int) (bool, []byte) { return n%100 == 0, nil }}
	r, err := Run(t.Context(), Options{URL: f.start(t), Count: 1000, Drain: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if r.Delivered != 990 || r.Lost != 10 {
		t.Errorf("delivered %d, lost %d", r.Delivered, r.Lost)
	}
}

func TestARunWithoutPublishersTakesWhatTheQueuesHold(t *testing.T) {
	f := &fakeBroker{held: 500}
	r, err := Run(t.Context(), Options{URL: f.start(t), Publishers: None, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	f.settled()
	if r.Delivered != 500 || r.Published != 0 || f.deleted != 0 {
		t.Errorf("delivered %d, published %d, deleted %d queues", r.Delivered, r.Published, f.deleted)
	}
	if r.Latency.Count != 0 {
		t.Error("messages of another run have no latency in this one's time")
	}
}

func TestDeliveriesThatAreNotToBeAcknowledgedAreNot(t *testing.T) {
	f := &fakeBroker{held: 500}
	before := time.Now()
	r, err := Run(t.Context(), Options{URL: f.start(t), Publishers: None, Keep: true, Count: 1, Prefetch: 20, AckEvery: None})
	if err != nil {
		t.Fatal(err)
	}
	f.settled()
	if r.Delivered == 0 || f.ackFrames != 0 || f.qos != 20 {
		t.Errorf("delivered %d, acknowledged %d with prefetch %d", r.Delivered, f.ackFrames, f.qos)
	}
	if r.FirstDelivery.Before(before) || r.FirstDelivery.After(time.Now()) {
		t.Errorf("the first delivery came at %v in a run that began at %v", r.FirstDelivery, before)
	}
}

func TestARunWithoutDeliveriesHasNoFirstOne(t *testing.T) {
	f := &fakeBroker{}
	r, err := Run(t.Context(), Options{URL: f.start(t), Count: 10, Confirms: 2, Consumers: None})
	if err != nil {
		t.Fatal(err)
	}
	if !r.FirstDelivery.IsZero() || r.Confirmed != 10 {
		t.Errorf("confirmed %d of 10, first delivery at %v", r.Confirmed, r.FirstDelivery)
	}
}

func TestARunWithoutConsumersEndsWhenTheBrokerHasEverything(t *testing.T) {
	f := &fakeBroker{}
	r, err := Run(t.Context(), Options{URL: f.start(t), Count: 5000, Consumers: None})
	if err != nil {
		t.Fatal(err)
	}
	f.settled()
	if r.Published != 5000 || f.published != 5000 {
		t.Errorf("published %d, the broker has %d", r.Published, f.published)
	}
}

func TestDurationEndsARun(t *testing.T) {
	f := &fakeBroker{}
	calls := 0
	r, err := Run(t.Context(), Options{URL: f.start(t), Duration: 1200 * time.Millisecond, Rate: 1000,
		Progress: func(p Progress) {
			calls++
			if p.Published == 0 || p.PublishRate <= 0 || p.Elapsed <= 0 {
				t.Errorf("progress %+v", p)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Delivered == 0 || r.Lost != 0 || r.PublishRate <= 0 || r.DeliverRate <= 0 {
		t.Errorf("%+v", r)
	}
	if calls == 0 {
		t.Error("Progress was not called")
	}
}

func TestTheContextEndsARun(t *testing.T) {
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	f := &fakeBroker{onPublish: func(n int) (bool, []byte) {
		if n == 100 {
			cancel(stop)
		}
		return false, nil
	}}
	if _, err := Run(ctx, Options{URL: f.start(t), Count: 1 << 40, Confirms: 10}); !errors.Is(err, stop) {
		t.Errorf("error %v, want the context's cause", err)
	}
}

func TestWhatTheServerSaysAgainstARunIsItsError(t *testing.T) {
	closing := func(class, method uint16, text string) []byte {
		args := binary.BigEndian.AppendUint16(nil, 541)
		args = append(args, short(text)...)
		channel := uint16(1)
		if class == 10 {
			channel = 0
		}
		return fakeMethod(channel, class, method, append(args, 0, 0, 0, 0)...)
	}
	for name, test := range map[string]struct {
		end  []byte
		want string
	}{
		"connection closed":  {closing(10, 50, "INTERNAL_ERROR"), "541 INTERNAL_ERROR"},
		"channel closed":     {closing(20, 40, "INTERNAL_ERROR"), "channel 1"},
		"socket closed":      {[]byte{}, ""},
		"not a frame":        {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "frame"},
		"frame end missing":  {append(fakeMethod(1, 60, 80)[:11], 0, 0), "ends with octet"},
		"confirm too short":  {fakeMethod(1, 60, 80, 1, 2), "can't be read"},
		"confirm of nothing": {fakeMethod(1, 60, 80, 0, 0, 0, 0, 0, 1, 0, 0, 0), "confirmed message"},
		"empty method":       {fakeFrame(1, 1, nil), "method frame"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeBroker{onPublish: func(n int) (bool, []byte) {
				if n < 50 {
					return false, nil
				}
				return false, test.end
			}}
			_, err := Run(t.Context(), Options{URL: f.start(t), Count: 1 << 40, Confirms: 10, Drain: time.Second})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if closed := (*ServerError)(nil); strings.HasSuffix(name, "nnection closed") && (!errors.As(err, &closed) || closed.Code != 541) {
				t.Errorf("error %#v", err)
			}
		})
	}
}

func TestADeliveryThatIsNotWhatWasPublishedIsAnError(t *testing.T) {
	for name, corrupt := range map[string]func([]byte) []byte{
		"other length": func(b []byte) []byte {
			at := len(b) - (8 + 16) - (8 + 15) + 7 + 11 // the body size's last octet
			b[at] = 17
			return b
		},
		"no header":       func(b []byte) []byte { return b[:len(b)-(8+16)-(8+15)] },
		"body too long":   func(b []byte) []byte { return append(b[:len(b)-24], fakeFrame(3, 1, make([]byte, 17))...) },
		"body on its own": func(b []byte) []byte { return fakeFrame(3, 1, make([]byte, 16)) },
		"cut short":       func(b []byte) []byte { return fakeMethod(1, 60, 60, 200) },
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeBroker{corrupt: corrupt}
			if _, err := Run(t.Context(), Options{URL: f.start(t), Count: 100, Drain: time.Second}); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	const url = "amqp://127.0.0.1:1"
	for name, o := range map[string]Options{
		"no URL":             {},
		"other scheme":       {URL: "http://127.0.0.1"},
		"nobody":             {URL: url, Publishers: None, Consumers: None},
		"negative":           {URL: url, Queues: -3},
		"no queues":          {URL: url, Queues: None},
		"acks, no prefetch":  {URL: url, AckEvery: 3},
		"acks over prefetch": {URL: url, Prefetch: 2, AckEvery: 3},
		"route":              {URL: url, Route: "headers"},
		"warm-up too long":   {URL: url, Duration: time.Second, WarmUp: time.Second},
		"rate alone":         {URL: url, Publishers: None, Rate: 3},
		"backlog":            {URL: url, Backlog: -2},
		"size":               {URL: url, Size: 1 << 40},
		"negative rate":      {URL: url, Rate: -1},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Run(t.Context(), o); err == nil {
				t.Error("no error")
			} else if strings.Contains(err.Error(), "connect:") {
				t.Errorf("it was tried: %v", err)
			}
		})
	}
}

func TestURLsAreTakenApart(t *testing.T) {
	for url, want := range map[string][4]string{
		"amqp://host":                       {"host:5672", "guest", "guest", "/"},
		"amqp://host/":                      {"host:5672", "guest", "guest", "/"},
		"amqp://u:p@[::1]:99/a%2Fb":         {"[::1]:99", "u", "p", "a/b"},
		"amqp://u%40x:p%3A@127.0.0.1:1/%2f": {"127.0.0.1:1", "u@x", "p:", "/"},
	} {
		p, err := newPlan(Options{URL: url})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got := [4]string{p.address, p.user, p.password, p.vhost}; got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}
