package broker_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/broker"
	"github.com/warrenmq/warren/broker/brokertest"
)

// dial connects RabbitMQ's client to a broker without a socket.
func dial(t testing.TB, b *broker.Broker, user string) (*amqp.Connection, error) {
	t.Helper()
	return amqp.DialConfig("amqp://"+user+"@warren/", amqp.Config{
		Dial: func(_, _ string) (net.Conn, error) { return b.Dial(t.Context(), "amqp") },
	})
}

func channel(t testing.TB, conn *amqp.Connection, err error) *amqp.Channel {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func TestTwoBrokersInAProcessAreDialledWithoutAPort(t *testing.T) {
	var channels []*amqp.Channel
	for _, vhost := range []string{"first", "second"} {
		b, v := open(t, broker.Config{})
		declare(t, v, "q")
		conn, err := dial(t, b, "guest:guest")
		ch := channel(t, conn, err)
		defer conn.Close()
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		confirm, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{Body: []byte(vhost)})
		if err != nil || !confirm.Wait() {
			t.Fatal(err)
		}
		channels = append(channels, ch)
	}
	for i, want := range []string{"first", "second"} {
		d, ok, err := channels[i].Get("q", true)
		if err != nil || !ok || string(d.Body) != want || d.MessageCount != 0 {
			t.Errorf("broker %d: %q, %d more, %v", i, d.Body, d.MessageCount, err)
		}
	}
}

func TestABodyLargerThanWhatAConnectionHoldsComesThroughADialledOne(t *testing.T) {
	b, v := open(t, broker.Config{})
	declare(t, v, "q")
	conn, err := dial(t, b, "guest:guest")
	ch := channel(t, conn, err)
	defer conn.Close()
	body := strings.Repeat("0123456789abcdef", 128<<10) // 2 MiB
	if err := ch.PublishWithContext(t.Context(), "", "q", false, false, amqp.Publishing{Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	d, ok, err := ch.Get("q", true)
	if err != nil || !ok || string(d.Body) != body {
		t.Errorf("%d bytes, %v, %v", len(d.Body), ok, err)
	}
}

func TestWhoDialsIsOnThisMachineAndLogsInLikeOthers(t *testing.T) {
	b, _ := open(t, broker.Config{Users: []broker.User{{Name: "near", Password: "p", LoopbackOnly: true}}})
	conn, err := dial(t, b, "near:p")
	channel(t, conn, err)
	conn.Close()
	if _, err := dial(t, b, "near:wrong"); !errors.Is(err, amqp.ErrCredentials) {
		t.Error(err)
	}
}

func TestShutdownTakesLeaveOfDialledConnections(t *testing.T) {
	b, v := open(t, broker.Config{})
	declare(t, v, "q")
	conn, err := dial(t, b, "guest:guest")
	channel(t, conn, err)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if e := <-closed; e == nil || e.Code != amqp.ConnectionForced {
		t.Errorf("the client was told %v", e)
	}
	if _, err := b.Dial(t.Context(), "amqp"); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("after Shutdown: %v", err)
	}
}

func TestShutdownCutsOffADialledConnectionThatSaysNothing(t *testing.T) {
	b, _ := open(t, broker.Config{})
	c, err := b.Dial(t.Context(), "amqp")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Errorf("the client's end: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a write to nobody: %v", err)
	}
}

func TestDialRefusesWhatItCannotConnect(t *testing.T) {
	b, _ := open(t, broker.Config{})
	if _, err := b.Dial(t.Context(), "nix"); err == nil || !strings.Contains(err.Error(), `"nix"`) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Dial(ctx, "amqp"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// BenchmarkClient is RabbitMQ's client over a dialled connection, and over TCP on loopback.
func BenchmarkClient(b *testing.B) {
	for _, way := range []string{"dial", "tcp"} {
		b.Run(way, func(b *testing.B) {
			server := brokertest.New(b)
			connect := func() *amqp.Channel {
				conn, err := amqp.Dial(server.URL)
				if way == "dial" {
					conn, err = dial(b, server.Broker, "guest:guest")
				}
				ch := channel(b, conn, err)
				b.Cleanup(func() { conn.Close() })
				return ch
			}
			in, out := connect(), connect()
			declare(b, server.VHost("/"), "q")
			deliveries, err := out.Consume("q", "", true, false, false, false, nil)
			if err != nil {
				b.Fatal(err)
			}
			body := make([]byte, 1024)
			b.Run("flow", func(b *testing.B) { // each message is received, at most 256 behind
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				behind := 0
				for b.Loop() {
					if behind == 256 {
						<-deliveries
						behind--
					}
					if err := in.PublishWithContext(b.Context(), "", "q", false, false, amqp.Publishing{Body: body}); err != nil {
						b.Fatal(err)
					}
					behind++
				}
				for ; behind > 0; behind-- {
					<-deliveries
				}
			})
			b.Run("one", func(b *testing.B) { // the next is published when the last has come
				b.ReportAllocs()
				for b.Loop() {
					if err := in.PublishWithContext(b.Context(), "", "q", false, false, amqp.Publishing{Body: body}); err != nil {
						b.Fatal(err)
					}
					<-deliveries
				}
			})
			b.Run("connect", func(b *testing.B) {
				for b.Loop() {
					conn, err := amqp.Dial(server.URL)
					if way == "dial" {
						conn, err = dial(b, server.Broker, "guest:guest")
					}
					if err != nil {
						b.Fatal(err)
					}
					conn.Close()
				}
			})
		})
	}
}
