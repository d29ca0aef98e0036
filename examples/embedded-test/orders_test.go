package embedded

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/broker"
)

// open opens the broker over a data folder. It listens nowhere: clients reach it through Dial.
func open(t *testing.T, dir string) *broker.Broker {
	t.Helper()
	start := time.Now()
	b, err := broker.Open(broker.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the broker is open after %v", time.Since(start).Round(10*time.Microsecond))
	return b
}

// connect is what the program under test does: it knows amqp091-go and nothing of Warren.
func connect(t *testing.T, b *broker.Broker) *amqp.Channel {
	t.Helper()
	conn, err := amqp.DialConfig("amqp://guest:guest@warren/", amqp.Config{
		Dial: func(_, _ string) (net.Conn, error) { return b.Dial(context.Background(), "amqp") },
	})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

const orders = 1000

func TestOrdersOutliveTheBroker(t *testing.T) {
	dir := t.TempDir()

	// The shop writes its orders, and waits until they are safe.
	b := open(t, dir)
	ch := connect(t, b)
	if _, err := ch.QueueDeclare("orders", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var last *amqp.DeferredConfirmation
	for i := range orders {
		var err error
		last, err = ch.PublishWithDeferredConfirm("", "orders", false, false, amqp.Publishing{
			DeliveryMode: amqp.Persistent, Body: []byte("order " + strconv.Itoa(i)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !last.Wait() {
		t.Fatal("the last order was not confirmed")
	}
	t.Logf("%d orders are on the disk after %v", orders, time.Since(start).Round(time.Millisecond))

	// The broker goes, in the middle of the night. A kill would do no harm either.
	start = time.Now()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("the broker is closed after %v", time.Since(start).Round(10*time.Microsecond))

	// The warehouse reads them from the next one.
	b = open(t, dir)
	defer b.Close()
	ch = connect(t, b)
	start = time.Now()
	deliveries, err := ch.Consume("orders", "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range orders {
		d := <-deliveries
		if want := "order " + strconv.Itoa(i); string(d.Body) != want {
			t.Fatalf("order %d is %q", i, d.Body)
		}
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d orders are worked off after %v", orders, time.Since(start).Round(time.Millisecond))
}
