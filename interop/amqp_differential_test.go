package interop

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/interop/lab"
)

// A transcript is what one client saw a broker do. The differential test has
// RabbitMQ and Warren each write theirs for the same operations, and the two
// must be equal, texts of errors included.
type transcript struct {
	t     *testing.T
	url   string
	name  string // names what the case declares; the same on both brokers
	lines []string
}

func (s *transcript) log(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// outcome logs that an operation went well, or the broker's refusal.
func (s *transcript) outcome(what string, err error) {
	var refusal *amqp.Error
	switch {
	case err == nil:
		s.log("%s: ok", what)
	case errors.As(err, &refusal) && refusal.Server:
		s.log("%s: %d %s", what, refusal.Code, refusal.Reason)
	case errors.As(err, &refusal):
		s.log("%s: closed here: %d %s", what, refusal.Code, refusal.Reason)
	default:
		s.log("%s: %v", what, err)
	}
}

// need ends the case when a step that is not in question fails.
func (s *transcript) need(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%v\nso far:\n%s", err, strings.Join(s.lines, "\n"))
	}
}

func (s *transcript) dial() *amqp.Connection {
	s.t.Helper()
	c, err := amqp.DialConfig(s.url, amqp.Config{Heartbeat: 30 * time.Second})
	s.need(err)
	s.t.Cleanup(func() { c.Close() })
	return c
}

func (s *transcript) channel() *amqp.Channel {
	s.t.Helper()
	ch, err := s.dial().Channel()
	s.need(err)
	return ch
}

// refused runs an operation on a connection of its own and logs its outcome,
// and whether the broker closed the channel or the connection.
func (s *transcript) refused(what string, operation func(ch *amqp.Channel) error) {
	s.t.Helper()
	s.attempt(what, operation, 0)
}

// refusedLater is refused for operations that are not answered: it waits for
// the broker to close something.
func (s *transcript) refusedLater(what string, operation func(ch *amqp.Channel) error) {
	s.t.Helper()
	s.attempt(what, operation, lab.Patience)
}

func (s *transcript) attempt(what string, operation func(ch *amqp.Channel) error, wait time.Duration) {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	ch, err := conn.Channel()
	s.need(err)
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	s.outcome(what, operation(ch))
	// The reason is in closed before an operation returns it.
	if wait > 0 {
		select {
		case err := <-closed:
			s.closed(conn, err)
			return
		case <-time.After(wait):
		}
	}
	select {
	case err := <-closed:
		s.closed(conn, err)
	default:
		s.log("  the channel is open")
	}
}

// closed logs what the broker has closed, a channel or all of its connection.
func (s *transcript) closed(conn *amqp.Connection, reason *amqp.Error) {
	if _, err := conn.Channel(); err == nil {
		s.log("  the channel was closed: %v", reason)
	} else {
		s.log("  the connection was closed: %v", reason)
	}
}

// queue declares a queue that is deleted with the connection.
func (s *transcript) queue(ch *amqp.Channel, name string) {
	s.t.Helper()
	_, err := ch.QueueDeclare(name, false, false, true, false, nil)
	s.need(err)
}

func (s *transcript) publish(ch *amqp.Channel, exchange, key string, bodies ...string) {
	s.t.Helper()
	for _, body := range bodies {
		s.need(ch.Publish(exchange, key, false, false, amqp.Publishing{Body: []byte(body)}))
	}
}

// settled makes sure that the broker has worked off what the channel has sent,
// by asking it something that it must answer.
func (s *transcript) settled(ch *amqp.Channel) {
	s.t.Helper()
	s.need(ch.ExchangeDeclarePassive("amq.direct", "direct", true, false, false, false, nil))
}

// gets logs what a queue holds, in order, and empties it.
func (s *transcript) gets(ch *amqp.Channel, queue string) {
	s.t.Helper()
	for {
		d, ok, err := ch.Get(queue, true)
		s.need(err)
		if !ok {
			s.log("%s is empty", strings.TrimPrefix(queue, s.name))
			return
		}
		s.log("%s holds %q from %q by %q redelivered=%t, %d after it",
			strings.TrimPrefix(queue, s.name), d.Body, strings.TrimPrefix(d.Exchange, s.name), d.RoutingKey, d.Redelivered, d.MessageCount)
	}
}

// next logs the next delivery.
func (s *transcript) next(deliveries <-chan amqp.Delivery) amqp.Delivery {
	s.t.Helper()
	select {
	case d, open := <-deliveries:
		if !open {
			s.log("the consumer was ended")
			return d
		}
		s.log("delivery %d: %q by %q redelivered=%t", d.DeliveryTag, d.Body, d.RoutingKey, d.Redelivered)
		return d
	case <-time.After(lab.Patience):
		s.t.Fatalf("no delivery; so far:\n%s", strings.Join(s.lines, "\n"))
		return amqp.Delivery{}
	}
}

// none logs whether something was delivered that should not be.
func (s *transcript) none(deliveries <-chan amqp.Delivery) {
	select {
	case d, open := <-deliveries:
		s.log("an unexpected delivery: %q, open=%t", d.Body, open)
	case <-time.After(100 * time.Millisecond):
		s.log("nothing more")
	}
}

func TestAMQPDifferentialWithRabbitMQ(t *testing.T) {
	peer := lab.RabbitMQ(t)
	addr := lab.Addr(t)
	lab.Serve(t, "amqp://"+addr)
	warren := "amqp://guest:guest@" + addr + "/"

	var cells []lab.Cell
	for _, c := range differentialCases {
		cells = append(cells, lab.Cell{Name: c.name, Run: func(t *testing.T) {
			name := fmt.Sprintf("interop-%d", names.Add(1))
			theirs := &transcript{t: t, url: peer, name: name}
			c.play(theirs)
			ours := &transcript{t: t, url: warren, name: name}
			c.play(ours)
			if diff := difference(theirs.lines, ours.lines); diff != "" {
				t.Errorf("transcripts differ (- RabbitMQ, + Warren):\n%s", diff)
			}
			if len(theirs.lines) == 0 {
				t.Error("the case logs nothing")
			}
			if testing.Verbose() {
				t.Logf("\n%s", strings.Join(theirs.lines, "\n"))
			}
		}})
	}
	lab.Matrix(t, cells)
}

// difference compares two transcripts line by line; both were written by the
// same operations, so they do not shift against one another.
func difference(theirs, ours []string) string {
	var b strings.Builder
	differs := false
	for i := range max(len(theirs), len(ours)) {
		var their, our string
		if i < len(theirs) {
			their = theirs[i]
		}
		if i < len(ours) {
			our = ours[i]
		}
		if their == our {
			fmt.Fprintf(&b, "  %s\n", their)
			continue
		}
		differs = true
		fmt.Fprintf(&b, "- %s\n+ %s\n", their, our)
	}
	if !differs {
		return ""
	}
	return b.String()
}
