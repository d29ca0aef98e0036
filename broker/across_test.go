package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/broker"
	"github.com/warrenmq/warren/broker/brokertest"
	"github.com/warrenmq/warren/zmq"
)

// Clients of every protocol sit in one room, a fanout exchange: what one says all others hear, once and as it was said.
func TestWhatOneClientSaysAllOthersHearWhateverTheirProtocol(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const room = "amq.fanout"
	b := brokertest.Start(t, broker.Config{Listen: []string{
		"room+tcp://127.0.0.1:0?exchange=" + room,
		"zmq+pub://127.0.0.1:0?exchange=" + room,
		"zmq+sub://127.0.0.1:0?exchange=" + room,
		"zmq+push://127.0.0.1:0?queue=pulled",
		"zmq+pull://127.0.0.1:0?key=pushed&exchange=" + room,
	}})
	v := b.VHost("/")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	address := func(protocol string) string {
		for _, l := range b.Listeners() {
			if l.Protocol == protocol {
				_, rest, _ := strings.Cut(l.URL, "://")
				host, _, _ := strings.Cut(rest, "?")
				return host
			}
		}
		t.Fatalf("nothing listens for %s", protocol)
		return ""
	}
	type speaker struct {
		name string
		say  func(text string) error
	}
	type listener struct {
		name string
		hear func() (string, error)
	}
	var speakers []speaker
	var listeners []listener

	// The program itself.
	for _, queue := range []string{"go", "amqp", "pulled"} {
		_, err := v.DeclareQueue(ctx, broker.Queue{Name: queue, Durable: true})
		must(err)
		must(v.Bind(ctx, broker.Binding{Exchange: room, Queue: queue}))
	}
	speakers = append(speakers, speaker{"go", func(text string) error {
		return v.Publish(ctx, broker.Message{Exchange: room, Body: []byte(text)})
	}})
	listeners = append(listeners, listener{"go", func() (string, error) {
		for d, err := range v.Consume(ctx, "go", &broker.ConsumeOptions{Prefetch: 1}) {
			if err != nil {
				return "", err
			}
			d.Ack()
			return string(d.Body), nil
		}
		return "", ctx.Err()
	}})

	// AMQP 0-9-1.
	conn, err := amqp.Dial(b.URL)
	must(err)
	defer conn.Close()
	ch, err := conn.Channel()
	must(err)
	deliveries, err := ch.Consume("amqp", "", true, false, false, false, nil)
	must(err)
	speakers = append(speakers, speaker{"amqp", func(text string) error {
		return ch.PublishWithContext(ctx, room, "", false, false, amqp.Publishing{Body: []byte(text)})
	}})
	listeners = append(listeners, listener{"amqp", func() (string, error) {
		select {
		case d := <-deliveries:
			return string(d.Body), nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}})

	// ZeroMQ.
	sub, push, pull := zmq.NewSub(nil), zmq.NewPush(nil), zmq.NewPull(nil)
	defer sub.Close()
	defer push.Close()
	defer pull.Close()
	must(sub.Subscribe(""))
	must(sub.Dial(ctx, "tcp://"+address("zmq+pub")))
	must(pull.Dial(ctx, "tcp://"+address("zmq+push")))
	must(push.Dial(ctx, "tcp://"+address("zmq+pull")))
	pub := zmq.NewXPub(nil) // it hears the broker's subscription, so the test knows when to speak
	defer pub.Close()
	must(pub.Dial(ctx, "tcp://"+address("zmq+sub")))
	_, err = pub.Recv(ctx)
	must(err)
	speakers = append(speakers,
		speaker{"push", func(text string) error { return push.Send(ctx, zmq.Message{[]byte(text)}) }},
		speaker{"pub", func(text string) error { return pub.Send(ctx, zmq.Message{[]byte("key"), []byte(text)}) }})
	listeners = append(listeners,
		listener{"pull", func() (string, error) {
			m, err := pull.Recv(ctx)
			if err != nil {
				return "", err
			}
			return string(m[0]), nil
		}},
		listener{"sub", func() (string, error) {
			m, err := sub.Recv(ctx)
			if err != nil {
				return "", err
			}
			return string(m[1]), nil
		}})

	// A socket.
	socket, err := net.Dial("tcp", address("room+tcp"))
	must(err)
	defer socket.Close()
	lines := bufio.NewReader(socket)
	speakers = append(speakers, speaker{"socket", func(text string) error {
		_, err := fmt.Fprintf(socket, "%s\n", text)
		return err
	}})
	listeners = append(listeners, listener{"socket", func() (string, error) {
		deadline, _ := ctx.Deadline()
		socket.SetReadDeadline(deadline)
		line, err := lines.ReadString('\n')
		return strings.TrimSuffix(line, "\n"), err
	}})

	for b.Bound(room) < len(listeners) { // the subscriber and the socket come when they come
		if ctx.Err() != nil {
			t.Fatalf("%d of %d are in the room", b.Bound(room), len(listeners))
		}
		runtime.Gosched()
	}
	for _, s := range speakers {
		text := "from " + s.name
		must(s.say(text))
		for _, l := range listeners {
			if l.name == s.name && l.name == "socket" {
				continue // who knows what it said
			}
			if heard, err := l.hear(); heard != text || err != nil {
				t.Errorf("%s heard %q, not %q: %v", l.name, heard, text, err)
			}
		}
	}
	for _, queue := range []string{"go", "amqp", "pulled"} {
		if n := info(t, v, queue).Ready; n != 0 {
			t.Errorf("%d messages are left in %s", n, queue)
		}
	}
}
