package amqp091

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// listen serves the house on loopback and returns its URL.
func (h *house) listen() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(context.Background(), ln) }()
	h.t.Cleanup(func() {
		h.close()
		<-served
	})
	return "amqp://guest:guest@" + ln.Addr().String() + "/"
}

// open returns a connection of amqp091-go and a channel on it.
func open(t *testing.T, url string) (*amqp.Connection, *amqp.Channel) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return conn, ch
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestConfirmsCountEveryMessageOnce(t *testing.T) {
	_, ch := open(t, newHouse(t, 0).listen())
	q := must(ch.QueueDeclare("", false, false, true, false, nil))(t)
	ok(t, ch.Confirm(false))
	const n = 5000
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, n))
	returns := ch.NotifyReturn(make(chan amqp.Return, n))
	for i := range n {
		key := q.Name
		if i%100 == 0 {
			key = "nowhere"
		}
		ok(t, ch.PublishWithContext(t.Context(), "", key, true, false, amqp.Publishing{Body: fmt.Append(nil, i)}))
	}
	for i := range n {
		if c := <-confirms; !c.Ack || c.DeliveryTag != uint64(i+1) {
			t.Fatalf("confirm %d: %+v", i+1, c)
		}
	}
	if len(returns) != n/100 {
		t.Errorf("%d returns, want %d", len(returns), n/100)
	}
	if r := <-returns; r.ReplyCode != amqp.NoRoute || string(r.Body) != "0" || r.RoutingKey != "nowhere" {
		t.Errorf("%+v", r)
	}
	if got := must(ch.QueuePurge(q.Name, false))(t); got != n-n/100 {
		t.Errorf("%d messages in the queue", got)
	}
}

// TestBodiesOfEverySizeComeBackWhole sends sizes around the frame size and well beyond the read buffer's.
func TestBodiesOfEverySizeComeBackWhole(t *testing.T) {
	url := newHouse(t, 0).listen()
	for _, limit := range []int{4096, 131072} {
		conn := must(amqp.DialConfig(url, amqp.Config{FrameSize: limit}))(t)
		ch := must(conn.Channel())(t)
		q := must(ch.QueueDeclare("", false, false, true, false, nil))(t)
		deliveries := must(ch.Consume(q.Name, "", false, false, false, false, nil))(t)
		sizes := []int{0, 1, limit - 9, limit - 8, limit - 7, 2*limit - 16, 3 * limit, 1 << 20, 3<<20 + 1}
		go func() {
			for _, size := range sizes {
				_ = ch.PublishWithContext(t.Context(), "", q.Name, false, false, amqp.Publishing{Body: bytes.Repeat([]byte{byte(size)}, size)})
			}
		}()
		for _, size := range sizes {
			d := <-deliveries
			if !bytes.Equal(d.Body, bytes.Repeat([]byte{byte(size)}, size)) {
				t.Errorf("frame-max %d: %d octets came back as %d", limit, size, len(d.Body))
			}
			ok(t, d.Ack(false))
		}
		ok(t, conn.Close())
	}
}

func TestAMessageThatIsTooLargeIsReadToItsEndAndRefused(t *testing.T) {
	conn, ch := open(t, newHouse(t, 0).listen())
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	ok(t, ch.PublishWithContext(t.Context(), "", "q", false, false, amqp.Publishing{Body: make([]byte, maxBody+1)}))
	if err := <-closed; err == nil || err.Code != 406 || err.Reason != "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216" {
		t.Errorf("%v", err)
	}
	ch = must(conn.Channel())(t)
	must(ch.QueueDeclare("q", false, false, true, false, nil))(t)
}

func TestOpenTransactionsAreBounded(t *testing.T) {
	conn, ch := open(t, newHouse(t, 0).listen())
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	ok(t, ch.Tx())
	body := make([]byte, 1<<20)
	for range maxKept>>20 + 1 {
		if ch.PublishWithContext(t.Context(), "", "q", false, false, amqp.Publishing{Body: body}) != nil {
			break
		}
	}
	if err := <-closed; err == nil || err.Code != 506 {
		t.Errorf("%v, want 506", err)
	}
}

// TestSharedWorkIsDoneOnce has many consumers on one queue, of which some give back and some vanish.
func TestSharedWorkIsDoneOnce(t *testing.T) {
	url := newHouse(t, 0).listen()
	_, pub := open(t, url)
	q := must(pub.QueueDeclare("work", true, false, false, false, nil))(t)
	const n = 2000
	for i := range n {
		ok(t, pub.PublishWithContext(t.Context(), "", q.Name, false, false, amqp.Publishing{MessageId: fmt.Sprint(i)}))
	}
	var mu sync.Mutex
	done := make(map[string]int, n) // owner mu
	all := make(chan struct{})
	finish := func(id string) {
		mu.Lock()
		defer mu.Unlock()
		done[id]++
		if len(done) == n && done[id] == 1 {
			close(all)
		}
	}
	work := func(quits int) {
		conn, err := amqp.Dial(url)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		ch, err := conn.Channel()
		if err != nil {
			t.Error(err)
			return
		}
		if err := ch.Qos(7, 0, quits%2 == 1); err != nil {
			t.Error(err)
			return
		}
		deliveries, err := ch.Consume(q.Name, "", false, false, false, false, nil)
		if err != nil {
			t.Error(err)
			return
		}
		for i := 1; ; i++ {
			select {
			case <-all:
				return
			case d := <-deliveries:
				switch {
				case quits > 0 && i == quits:
					return // with what is unacked
				case i%10 == 0:
					_ = d.Nack(false, true)
				default:
					finish(d.MessageId)
					if d.Ack(false) != nil {
						return
					}
				}
			}
		}
	}
	var workers sync.WaitGroup
	for _, quits := range []int{0, 0, 5, 20, 33, 50, 101} {
		workers.Go(func() { work(quits) })
	}
	workers.Wait()
	if len(done) != n {
		t.Errorf("%d of %d done", len(done), n)
	}
}

func TestManyChannelsOfOneConnectionDoNotDisturbEachOther(t *testing.T) {
	conn, _ := open(t, newHouse(t, 0).listen())
	var workers sync.WaitGroup
	for i := range 50 {
		workers.Go(func() {
			ch, err := conn.Channel()
			if err != nil {
				t.Error(err)
				return
			}
			q, err := ch.QueueDeclare("", false, false, true, false, nil)
			if err != nil {
				t.Error(err)
				return
			}
			deliveries, err := ch.Consume(q.Name, "", true, false, false, false, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 100 {
				if err := ch.PublishWithContext(t.Context(), "", q.Name, false, false, amqp.Publishing{Body: fmt.Append(nil, i, j)}); err != nil {
					t.Error(err)
					return
				}
				if d := <-deliveries; string(d.Body) != fmt.Sprint(i, j) || d.DeliveryTag != uint64(j+1) {
					t.Errorf("channel %d, message %d: %q with tag %d", i, j, d.Body, d.DeliveryTag)
				}
			}
			if i%2 == 0 {
				if _, err := ch.QueueDeclarePassive("missing", false, false, false, false, nil); err == nil {
					t.Error("missing exists")
				}
			} else if err := ch.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
}

// TestASlowReaderIsWaitedForAndLosesNothing has a consumer that does not read: its output has a bound, its queue keeps the
// rest, and when it reads at last everything comes in order.
func TestASlowReaderIsWaitedForAndLosesNothing(t *testing.T) {
	h := newHouse(t, 0)
	url := h.listen()
	_, pub := open(t, url)
	q := must(pub.QueueDeclare("q", false, false, false, false, nil))(t)
	ok(t, pub.Confirm(false))

	sub := h.connect() // a pipe, which has no buffer of its own
	defer func() { _ = sub.Close() }()
	hello := new(wire.ChannelOpen).AppendFrame(handshake("guest", "guest"), 1)
	hello = (&wire.BasicConsume{Queue: q.Name, ConsumerTag: "c", NoAck: true}).AppendFrame(hello, 1)
	go func() { _, _ = sub.Write(hello) }()
	in := bufio.NewReaderSize(sub, 1<<17)
	for id := wire.MethodID(0); id != wire.MethodBasicConsumeOk; {
		id, _, _ = wire.SplitMethod(readFrame(t, in).Payload)
	}

	const n, size = 3000, 4000
	for i := range n {
		confirm := must(pub.PublishWithDeferredConfirmWithContext(t.Context(), "", q.Name, false, false, amqp.Publishing{Body: bytes.Repeat([]byte{byte(i)}, size)}))(t)
		if i == n-1 && !confirm.Wait() {
			t.Error("not confirmed")
		}
	}
	ready := h.broker.VHost("/").Queue(q.Name).Info().Ready
	if least := n - (512<<10)/size; ready < least {
		t.Errorf("%d messages wait in the queue, the output took the others; want at least %d", ready, least)
	}
	for i := range n {
		readFrame(t, in)
		readFrame(t, in)
		if body := readFrame(t, in).Payload; len(body) != size || body[0] != byte(i) {
			t.Fatalf("delivery %d: %d octets of %d", i, len(body), body[0])
		}
	}
}

// readFrame reads one frame.
func readFrame(t *testing.T, in *bufio.Reader) wire.Frame {
	t.Helper()
	head, err := in.Peek(7)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, wire.FrameSize(head))
	if _, err := io.ReadFull(in, b); err != nil {
		t.Fatal(err)
	}
	f, n, err := wire.ScanFrame(b, frameMax)
	if err != nil || n != len(b) {
		t.Fatal(n, err)
	}
	return f
}

func TestAConsumerIsToldThatItsQueueIsGone(t *testing.T) {
	url := newHouse(t, 0).listen()
	_, ch := open(t, url)
	q := must(ch.QueueDeclare("q", false, false, false, false, nil))(t)
	cancelled := ch.NotifyCancel(make(chan string, 1))
	deliveries := must(ch.Consume(q.Name, "tag", false, false, false, false, nil))(t)
	_, other := open(t, url)
	must(other.QueueDelete(q.Name, false, false, false))(t)
	if tag := <-cancelled; tag != "tag" {
		t.Errorf("cancelled %q", tag)
	}
	if _, open := <-deliveries; open {
		t.Error("a delivery")
	}
	must(ch.QueueDeclare("q", false, false, false, false, nil))(t) // the channel lives on
}

func TestAShutdownIsAnnounced(t *testing.T) {
	h := newHouse(t, 0)
	conn, _ := open(t, h.listen())
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ok(t, h.server.Shutdown(ctx, "shutdown"))
	if err := <-closed; err == nil || err.Code != 320 || err.Reason != "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'" {
		t.Errorf("%v", err)
	}
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	url := newHouse(t, 0).listen()
	_, err := amqp.DialConfig(url, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "guest", Password: "no"}}})
	var refused *amqp.Error
	if !errors.As(err, &refused) || refused.Code != 403 {
		t.Errorf("%v, want 403", err)
	}
	conn := must(amqp.DialConfig(url, amqp.Config{SASL: []amqp.Authentication{&amqp.AMQPlainAuth{Username: "guest", Password: "guest"}}}))(t)
	ok(t, conn.Close())
}
