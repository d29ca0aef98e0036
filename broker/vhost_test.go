package broker_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/warrenmq/warren/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns the vhost "/" of a broker that listens nowhere.
func open(t testing.TB, c broker.Config) (*broker.Broker, *broker.VHost) {
	t.Helper()
	b, err := broker.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, b.VHost("/")
}

func declare(t testing.TB, v *broker.VHost, name string) {
	t.Helper()
	if _, err := v.DeclareQueue(t.Context(), broker.Queue{Name: name}); err != nil {
		t.Fatal(err)
	}
}

func publish(t testing.TB, v *broker.VHost, queue string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if err := v.Publish(t.Context(), broker.Message{Key: queue, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
}

// take reads n messages in a loop, settles each with f, and returns the bodies.
func take(t testing.TB, v *broker.VHost, queue string, n int, o *broker.ConsumeOptions, f func(*broker.Delivery)) string {
	t.Helper()
	var bodies []string
	for d, err := range v.Consume(t.Context(), queue, o) {
		if err != nil {
			t.Fatal(err)
		}
		text := string(d.Body)
		if d.Redelivered {
			text += "*"
		}
		bodies = append(bodies, text)
		f(d)
		if len(bodies) == n {
			break
		}
	}
	return strings.Join(bodies, " ")
}

func expect(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, not %q", got, want)
	}
}

func info(t testing.TB, v *broker.VHost, name string) broker.QueueInfo {
	t.Helper()
	i, err := v.QueueInfo(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func refused(t testing.TB, err error, code int, text string) {
	t.Helper()
	var e *broker.Error
	if !errors.As(err, &e) || e.Code != code || e.Text != text {
		t.Errorf("the error is %#v, not %d: %s", err, code, text)
	}
}

func TestMessageArrivesAsItWasPublished(t *testing.T) {
	_, v := open(t, broker.Config{})
	declare(t, v, "q")
	sent := broker.Message{
		Key: "q", Body: []byte("body"), ContentType: "text/plain", ContentEncoding: "identity", Persistent: true, Priority: 3,
		CorrelationID: "c", ReplyTo: "r", Expiration: "60000", MessageID: "m", Timestamp: time.Unix(1234, 0).UTC(), Type: "t",
		UserID: "u", AppID: "a",
		Headers: broker.Table{
			"nil": nil, "bool": true, "int": 1, "int8": int8(-8), "int16": int16(16), "int32": int32(32), "int64": int64(-64),
			"uint": uint(1), "uint8": uint8(8), "uint16": uint16(16), "uint32": uint32(32), "uint64": uint64(64),
			"float32": float32(0.5), "float64": 0.1, "string": "s", "bytes": []byte("b"), "time": time.Unix(5, 0),
		},
	}
	if err := v.Publish(t.Context(), sent); err != nil {
		t.Fatal(err)
	}
	d, ok, err := v.Get(t.Context(), "q")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	want := sent
	want.Headers = broker.Table{
		"nil": nil, "bool": true, "int": int64(1), "int8": int64(-8), "int16": int64(16), "int32": int64(32), "int64": int64(-64),
		"uint": int64(1), "uint8": int64(8), "uint16": int64(16), "uint32": int64(32), "uint64": int64(64),
		"float32": 0.5, "float64": 0.1, "string": "s", "bytes": "b", "time": time.Unix(5, 0).UTC(),
	}
	if !reflect.DeepEqual(d.Message, want) || d.Redelivered {
		t.Errorf("%+v\nnot\n%+v", d.Message, want)
	}
	d.Ack()
	if _, ok, err := v.Get(t.Context(), "q"); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestWhatCannotTravelIsRefused(t *testing.T) {
	_, v := open(t, broker.Config{})
	declare(t, v, "q")
	long := strings.Repeat("x", 256)
	for name, m := range map[string]broker.Message{
		"key":             {Key: long},
		"exchange":        {Exchange: long},
		"correlation":     {Key: "q", CorrelationID: long},
		"no UTF-8":        {Key: "q", AppID: "\xff"},
		"header name":     {Key: "q", Headers: broker.Table{long: 1}},
		"header value":    {Key: "q", Headers: broker.Table{"x": struct{}{}}},
		"large integer":   {Key: "q", Headers: broker.Table{"x": uint64(1) << 63}},
		"expiration":      {Key: "q", Expiration: "soon"},
		"less than none":  {Key: "q", Expiration: "-1"},
		"no such service": {Exchange: "nix", Key: "q"},
	} {
		if err := v.Publish(t.Context(), m); err == nil {
			t.Errorf("%s was published", name)
		}
	}
	if n := info(t, v, "q").Ready; n != 0 {
		t.Errorf("%d messages", n)
	}
}

func TestMandatoryMessageThatNoQueueGetsIsAnError(t *testing.T) {
	_, v := open(t, broker.Config{})
	m := broker.Message{Exchange: "amq.topic", Key: "a.b"}
	if err := v.Publish(t.Context(), m); err != nil {
		t.Error(err)
	}
	m.Mandatory = true
	var e *broker.UnroutableError
	if err := v.Publish(t.Context(), m); !errors.As(err, &e) || e.Exchange != "amq.topic" || e.Key != "a.b" {
		t.Errorf("%v", err)
	}
	declare(t, v, "q")
	b := broker.Binding{Exchange: "amq.topic", Queue: "q", Key: "a.#"}
	if err := errors.Join(v.Bind(t.Context(), b), v.Publish(t.Context(), m), v.Unbind(t.Context(), b)); err != nil {
		t.Error(err)
	}
	if err := v.Publish(t.Context(), m); !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
}

func TestTopologyThroughTheGoClient(t *testing.T) {
	_, v := open(t, broker.Config{})
	ctx := t.Context()
	err := errors.Join(
		v.DeclareExchange(ctx, broker.Exchange{Name: "in"}),
		v.DeclareExchange(ctx, broker.Exchange{Name: "all", Type: "fanout", AutoDelete: true}),
		v.Bind(ctx, broker.Binding{Exchange: "in", ToExchange: "all", Key: "k"}),
	)
	d, err2 := v.DeclareQueue(ctx, broker.Queue{})
	err = errors.Join(err, err2, v.Bind(ctx, broker.Binding{Exchange: "all", Queue: d.Name}),
		v.Publish(ctx, broker.Message{Exchange: "in", Key: "k", Mandatory: true}))
	if err != nil {
		t.Fatal(err)
	}
	if got := info(t, v, d.Name); got != (broker.QueueInfo{Name: d.Name, Ready: 1}) {
		t.Errorf("%+v", got)
	}
	if n, err := v.PurgeQueue(ctx, d.Name); n != 1 || err != nil {
		t.Error(n, err)
	}
	publish(t, v, d.Name, "1", "2")
	if n, err := v.DeleteQueue(ctx, d.Name); n != 2 || err != nil {
		t.Error(n, err)
	}
	refused(t, v.Bind(ctx, broker.Binding{Exchange: "all", Queue: "q"}), 404, "no exchange 'all' in vhost '/'")
	refused(t, v.DeclareExchange(ctx, broker.Exchange{Name: "x", Type: "nix"}), 406, "unknown exchange type 'nix'")
	if err := v.DeleteExchange(ctx, "in"); err != nil {
		t.Error(err)
	}
	_, err = v.QueueInfo(ctx, "nix")
	refused(t, err, 404, "no queue 'nix' in vhost '/'")
	_, err = v.DeclareQueue(ctx, broker.Queue{Name: "q", Args: broker.Table{"x-queue-type": "quorum"}})
	if e := new(broker.Error); !errors.As(err, &e) || e.Code != 406 {
		t.Error(err)
	}
	if v.Name() != "/" {
		t.Error(v.Name())
	}
}

func TestWhatTheLoopHasNotSettledGoesBackInOrder(t *testing.T) {
	_, v := open(t, broker.Config{})
	declare(t, v, "q")
	publish(t, v, "q", "1", "2", "3", "4", "5")
	got := take(t, v, "q", 3, nil, func(d *broker.Delivery) {
		if string(d.Body) == "2" {
			d.Ack()
		}
	})
	expect(t, got, "1 2 3")
	if i := info(t, v, "q"); i.Ready != 4 || i.Unacked != 0 || i.Consumers != 0 {
		t.Errorf("%+v", i)
	}
	got = take(t, v, "q", 4, nil, func(d *broker.Delivery) { d.Ack(); d.Requeue(); d.Nack() })
	expect(t, got, "1* 3* 4* 5*")
	if i := info(t, v, "q"); i.Ready != 0 || i.Unacked != 0 {
		t.Errorf("a second settling counted: %+v", i)
	}
}

func TestDeliveryIsDroppedOrComesAgain(t *testing.T) {
	b, v := open(t, broker.Config{})
	declare(t, v, "q")
	publish(t, v, "q", "1", "2")
	got := take(t, v, "q", 3, &broker.ConsumeOptions{Prefetch: 1}, func(d *broker.Delivery) {
		switch {
		case d.Redelivered:
			d.Ack()
		case string(d.Body) == "1":
			d.Requeue()
		default:
			d.Nack()
		}
	})
	expect(t, got, "1 1* 2")
	want := broker.Counters{Published: 2, Routed: 2, Delivered: 3, Redelivered: 1, Settled: 2, Requeued: 1}
	if b.Counters() != want {
		t.Errorf("%+v", b.Counters())
	}
}

func TestPrefetchBoundsWhatIsOut(t *testing.T) {
	_, v := open(t, broker.Config{})
	declare(t, v, "q")
	publish(t, v, "q", "1", "2", "3", "4", "5")
	var held []*broker.Delivery
	got := take(t, v, "q", 5, &broker.ConsumeOptions{Prefetch: 2}, func(d *broker.Delivery) {
		if i := info(t, v, "q"); i.Unacked > 2 {
			t.Errorf("%+v", i)
		}
		if held = append(held, d); len(held) == 2 {
			held[1].Ack()
			held[0].Ack()
			held = nil
		}
	})
	expect(t, got, "1 2 3 4 5")
	for _, err := range v.Consume(t.Context(), "q", &broker.ConsumeOptions{Prefetch: -1}) {
		if err == nil {
			t.Error("a negative prefetch was accepted")
		}
	}
}

func TestAutoAckTakesEverythingThoughTheLoopIsSlow(t *testing.T) {
	_, v := open(t, broker.Config{})
	declare(t, v, "q")
	var want []string
	for i := range 1000 {
		want = append(want, fmt.Sprint(i))
	}
	publish(t, v, "q", want[:500]...)
	n := 0
	got := take(t, v, "q", 1000, &broker.ConsumeOptions{AutoAck: true, Prefetch: 3}, func(d *broker.Delivery) {
		d.Ack() // does nothing
		if n++; n == 400 {
			publish(t, v, "q", want[500:]...)
		}
	})
	expect(t, got, strings.Join(want, " "))
	if i := info(t, v, "q"); i.Ready+i.Unacked != 0 {
		t.Errorf("%+v", i)
	}
}

func TestConsumeEndsWithItsContextItsQueueOrItsBroker(t *testing.T) {
	b, v := open(t, broker.Config{})
	for _, c := range []struct {
		name string
		end  func(cancel context.CancelFunc)
		want func(error) bool
	}{
		{"context", func(cancel context.CancelFunc) { cancel() }, func(err error) bool { return errors.Is(err, context.Canceled) }},
		{"queue", func(context.CancelFunc) { v.DeleteQueue(context.Background(), "q") },
			func(err error) bool {
				e, ok := errors.AsType[*broker.Error](err)
				return ok && e.Code == 404 && e.Text == "no queue 'q' in vhost '/'"
			}},
		{"broker", func(context.CancelFunc) { b.Close() }, func(err error) bool { return errors.Is(err, broker.ErrClosed) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			declare(t, v, "q")
			publish(t, v, "q", "1")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var last error
			n := 0
			for d, err := range v.Consume(ctx, "q", nil) {
				if last = err; err == nil {
					n++
					d.Ack()
					c.end(cancel)
				}
			}
			if n != 1 || !c.want(last) {
				t.Errorf("after %d messages: %v", n, last)
			}
		})
	}
	for _, err := range v.Consume(t.Context(), "q", nil) {
		if !errors.Is(err, broker.ErrClosed) {
			t.Error(err)
		}
	}
	if err := v.Publish(t.Context(), broker.Message{}); !errors.Is(err, broker.ErrClosed) {
		t.Error(err)
	}
}

func TestConsumeStopsAtTheEndOfItsContextThoughMessagesWait(t *testing.T) {
	_, v := open(t, broker.Config{})
	declare(t, v, "q")
	publish(t, v, "q", "1", "2", "3")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range v.Consume(ctx, "q", nil) {
		if err == nil {
			n++
			cancel()
		}
	}
	if i := info(t, v, "q"); n != 1 || i.Ready != 3 {
		t.Errorf("%d messages came, %+v", n, i)
	}
}

func TestExclusiveConsumerHasTheQueueToItself(t *testing.T) {
	_, v := open(t, broker.Config{})
	declare(t, v, "q")
	publish(t, v, "q", "1")
	for d, err := range v.Consume(t.Context(), "q", &broker.ConsumeOptions{Exclusive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range v.Consume(t.Context(), "q", nil) {
			refused(t, err, 403, "queue 'q' in vhost '/' in exclusive use")
		}
		d.Ack()
		break
	}
}

func TestManyGoroutinesPublishConsumeAndSettle(t *testing.T) {
	b, v := open(t, broker.Config{})
	declare(t, v, "q")
	const publishers, each = 4, 500
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				if err := v.Publish(t.Context(), broker.Message{Key: "q", Body: fmt.Appendf(nil, "%d.%d", p, i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen sync.Map
	var n atomic.Int64
	for range 3 {
		all.Go(func() {
			var workers sync.WaitGroup
			for d, err := range v.Consume(ctx, "q", &broker.ConsumeOptions{Prefetch: 10}) {
				if err != nil {
					break
				}
				workers.Go(func() {
					if n := len(d.Body); n%2 == 0 && !d.Redelivered {
						d.Requeue()
						return
					}
					if _, twice := seen.LoadOrStore(string(d.Body), true); twice {
						t.Errorf("%s came again after it was acknowledged", d.Body)
					}
					d.Ack()
					if n.Add(1) == publishers*each {
						cancel()
					}
				})
			}
			workers.Wait()
		})
	}
	all.Wait()
	cancel()
	if i := info(t, v, "q"); i.Ready+i.Unacked != 0 || n.Load() != publishers*each {
		t.Errorf("%d came, %+v, %+v", n.Load(), i, b.Counters())
	}
}

func TestPublisherWaitsWhileQueuesAreFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, v := open(t, broker.Config{MemoryLimit: 1000})
		declare(t, v, "q")
		went := make(chan error, 1)
		waits := func() bool {
			synctest.Wait()
			return len(went) == 0
		}
		wait := func(ctx context.Context) {
			t.Helper()
			publish(t, v, "q", strings.Repeat("x", 2000))
			go func() { went <- v.Publish(ctx, broker.Message{Key: "q"}) }()
			if !waits() {
				t.Fatalf("it did not wait: %v", <-went)
			}
		}
		wait(t.Context())
		if _, err := v.PurgeQueue(t.Context(), "q"); err != nil {
			t.Fatal(err)
		}
		if err := <-went; err != nil {
			t.Errorf("there is room: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		wait(ctx)
		if err := <-went; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the time is over: %v", err)
		}
		if _, err := v.PurgeQueue(t.Context(), "q"); err != nil {
			t.Fatal(err)
		}
		wait(context.Background())
		b.Close()
		if err := <-went; !errors.Is(err, broker.ErrClosed) {
			t.Errorf("the broker is closed: %v", err)
		}
	})
}

func TestTraceSeesWhatPasses(t *testing.T) {
	var seen []string
	_, v := open(t, broker.Config{Trace: &broker.Trace{
		Published: func(vhost, exchange, key string, body []byte, queues int) {
			seen = append(seen, fmt.Sprint(vhost, exchange, key, string(body), queues))
		},
		Delivered: func(vhost, queue string, body []byte, redelivered bool) {
			seen = append(seen, fmt.Sprint(vhost, queue, string(body), redelivered))
		},
	}})
	declare(t, v, "q")
	publish(t, v, "q", "x")
	d, _, _ := v.Get(t.Context(), "q")
	d.Requeue()
	d, _, _ = v.Get(t.Context(), "q")
	d.Ack()
	expect(t, strings.Join(seen, ", "), "/qx1, /qxfalse, /qxtrue")
}

func TestUnknownVHostPanics(t *testing.T) {
	b, _ := open(t, broker.Config{})
	defer func() {
		if r := recover(); r != `broker: there is no vhost "nix"` {
			t.Error(r)
		}
	}()
	b.VHost("nix")
}

func BenchmarkPublishAndConsume(b *testing.B) {
	_, v := open(b, broker.Config{})
	declare(b, v, "q")
	body := make([]byte, 64)
	publish(b, v, "q", "first")
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for d, err := range v.Consume(b.Context(), "q", nil) {
		if err != nil {
			b.Fatal(err)
		}
		d.Ack()
		if n++; n > b.N {
			break
		}
		if err := v.Publish(b.Context(), broker.Message{Key: "q", Body: body}); err != nil {
			b.Fatal(err)
		}
	}
}
