package broker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/broker"
	"github.com/warrenmq/warren/broker/brokertest"
)

// AMQP clients of all manners come and go, politely or not, and do everything to the same few queues. Nobody is told that
// the broker is broken or the client speaks badly, and in the end the books are right.
func TestBooksAreRightAfterAStormOfClients(t *testing.T) {
	t.Run("memory", func(t *testing.T) { weather(t, "") })
	t.Run("disk", func(t *testing.T) { weather(t, t.TempDir()) })
}

func weather(t *testing.T, dir string) {
	b := brokertest.Start(t, broker.Config{Dir: dir, MemoryLimit: 1_000_000, Store: broker.StoreOptions{JournalFile: 1 << 20}})
	visits := 30
	if testing.Short() {
		visits = 5
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(i)))
			for range visits {
				visit(t, b, random)
			}
		})
	}
	all.Wait()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if stored, waiting, out := b.Books(); stored > waiting || stored != waiting && dir == "" || out != 0 {
		t.Errorf("%d bytes are counted, %d wait in queues; %d messages are with consumers that are gone", stored, waiting, out)
	}
	c := b.Counters()
	if c.Delivered == 0 || c.Settled == 0 || c.Requeued == 0 || c.Redelivered == 0 {
		t.Errorf("not much of a storm: %+v", c)
	}
	if dir == "" {
		return
	}
	again := openDir(t, broker.Config{Dir: dir})
	for _, name := range []string{"a", "c"} {
		if _, err := again.VHost("/").QueueInfo(t.Context(), name); err == nil {
			fetch(t, again, name)
		}
	}
	must(t, again.Close())
}

// visit is one connection, from its opening to its end.
func visit(t *testing.T, b *brokertest.Broker, random *rand.Rand) {
	var socket net.Conn
	conn, err := amqp.DialConfig(b.URL, amqp.Config{Dial: func(network, address string) (net.Conn, error) {
		var err error
		socket, err = net.Dial(network, address)
		return socket, err
	}})
	if err != nil {
		t.Error(err)
		return
	}
	// Publishers may be held; a visit that waits for room is at its end.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var all sync.WaitGroup
	for i := range 1 + random.IntN(3) {
		r := rand.New(rand.NewPCG(random.Uint64(), uint64(i)))
		all.Go(func() { useChannel(ctx, t, conn, r) })
	}
	if random.IntN(2) == 0 {
		socket.Close() // torn off in the middle
		all.Wait()
		conn.Close()
		return
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	conn.CloseDeadline(time.Now().Add(time.Second))
	<-done
}

func useChannel(ctx context.Context, t *testing.T, conn *amqp.Connection, random *rand.Rand) {
	names := []string{"a", "b", "c"}
	name := func() string { return names[random.IntN(len(names))] }
	// Refusals are the weather; what says that the broker failed, or understood a frame otherwise, is not. (504 is: this
	// client may send an ack after the close-ok with which it gave the channel up.)
	bad := []int{amqp.InternalError, amqp.FrameError, amqp.SyntaxError, amqp.UnexpectedFrame, amqp.CommandInvalid}
	fine := func(err error) bool {
		if e, ok := errors.AsType[*amqp.Error](err); ok && e.Server && slices.Contains(bad, e.Code) {
			t.Error(e)
		}
		return err == nil
	}
	ch, err := conn.Channel()
	if !fine(err) {
		return
	}
	told := ch.NotifyClose(make(chan *amqp.Error, 1))
	_ = ch.Qos(random.IntN(20), 0, random.IntN(2) == 0)
	tx := false
	switch random.IntN(6) {
	case 0, 1:
		_ = ch.Confirm(false)
	case 2:
		tx = ch.Tx() == nil
	}
	for _, n := range names {
		if _, err := ch.QueueDeclare(n, n != "b", n == "c", false, false, nil); !fine(err) {
			return
		}
		if !fine(ch.QueueBind(n, "k", "amq.topic", false, nil)) {
			return
		}
	}
	noAck := random.IntN(2) == 0
	deliveries, err := ch.Consume(name(), "", noAck, false, false, false, nil)
	if !fine(err) {
		return
	}
	var consumer sync.WaitGroup
	r := rand.New(rand.NewPCG(3, random.Uint64()))
	consumer.Go(func() {
		for d := range deliveries {
			if noAck {
				continue
			}
			switch r.IntN(8) {
			case 0:
				_ = d.Nack(r.IntN(2) == 0, true)
			case 1:
				_ = d.Reject(false)
			case 2: // left unsettled until the channel ends
			default:
				_ = d.Ack(r.IntN(4) == 0)
			}
		}
	})
	for range 100 {
		if ctx.Err() != nil {
			break
		}
		var err error
		switch n := random.IntN(50); n {
		case 0:
			_, err = ch.QueuePurge(name(), false)
		case 1:
			_, err = ch.QueueDelete(name(), random.IntN(2) == 0, random.IntN(2) == 0, false)
		case 2:
			//lint:ignore SA1019 clients that are in use call it
			err = ch.Recover(true)
		case 3:
			_, _, err = ch.Get(name(), true)
		case 4:
			_, err = ch.QueueDeclare("", false, true, true, false, nil)
		case 6:
			if tx {
				err = ch.TxCommit()
			}
		default:
			x, key := "amq.topic", "k"
			if n%2 == 0 {
				x, key = "", name()
			}
			size := random.IntN(300)
			if n == 5 {
				size = 50_000
			}
			err = ch.PublishWithContext(ctx, x, key, n%3 == 0, false, amqp.Publishing{
				Body: make([]byte, size), Headers: amqp.Table{"n": fmt.Sprint(n)}, DeliveryMode: uint8(1 + random.IntN(2)),
			})
		}
		if !fine(err) {
			break
		}
	}
	_ = ch.Close()
	consumer.Wait()
	select {
	case e := <-told:
		if e != nil {
			fine(e)
		}
	default:
	}
}
