package engine

import (
	"testing"
	"time"

	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
)

// mortal publishes a message with a time to live in milliseconds.
func (g *guest) mortal(key, body, ttl string) {
	g.t.Helper()
	p := message.Properties{Expiration: ttl}
	_, err := g.Publish(g.batch, &message.Message{
		Origin: message.AMQP091, Key: []byte(key), Props: p.Append(nil), Body: []byte(body),
	})
	g.must(err)
	g.batch.End()
}

func (q *Queue) expectReady(t *testing.T, want int) {
	t.Helper()
	if got := q.Info().Ready; got != want {
		t.Errorf("%d messages wait, not %d", got, want)
	}
}

func timed(t *testing.T) (*house, *guest, *handClock) {
	clock := &handClock{now: time.UnixMilli(1_000_000)}
	h := newHouse(t, Config{Clock: clock})
	return h, h.guest(), clock
}

func TestMessageExpiresToTheMillisecondWithNobodyLooking(t *testing.T) {
	h, g, clock := timed(t)
	q := g.declare(QueueSpec{Name: "q"})
	g.mortal("q", "1", "100")
	clock.advance(99 * time.Millisecond)
	q.expectReady(t, 1)
	clock.advance(time.Millisecond)
	q.expectReady(t, 0)
	if h.Stored() != 0 || h.Counters().Expired != 1 {
		t.Errorf("%d stored, %+v", h.Stored(), h.Counters())
	}
}

func TestMessageExpiresOnlyAtTheHead(t *testing.T) {
	_, g, clock := timed(t)
	q := g.declare(QueueSpec{Name: "q"})
	g.mortal("q", "1", "1000")
	g.mortal("q", "2", "10")
	g.mortal("q", "3", "5000")
	clock.advance(999 * time.Millisecond)
	q.expectReady(t, 3)
	clock.advance(time.Millisecond)
	q.expectReady(t, 1)
	clock.advance(4 * time.Second)
	q.expectReady(t, 0)
}

func TestTimeToLiveOfNothingMeansNowOrNever(t *testing.T) {
	_, g, _ := timed(t)
	q := g.declare(QueueSpec{Name: "q"})
	g.mortal("q", "never", "0")
	q.expectReady(t, 0)
	s := newTap()
	g.consume(ConsumerSpec{Queue: "q", Prefetch: 1}, s)
	g.mortal("q", "now", "0")
	g.mortal("q", "never", "0") // no credit
	s.expect(t, "now")
	q.expectReady(t, 0)
}

func TestQueueTimeToLiveIsALimitOnTheMessages(t *testing.T) {
	_, g, clock := timed(t)
	q := g.declare(QueueSpec{Name: "q", Args: []exchange.Arg{integer(messageTTL, 50)}})
	g.exchange(ExchangeSpec{Name: "x", Type: exchange.Fanout})
	forever := g.declare(QueueSpec{Name: "forever"})
	g.must(g.BindQueue("x", "q", exchange.Binding{}))
	g.must(g.BindQueue("x", "forever", exchange.Binding{}))
	g.publish("x", "", "both")
	g.mortal("q", "sooner", "20")
	g.mortal("q", "no later", "1000")
	clock.advance(49 * time.Millisecond)
	q.expectReady(t, 3)
	clock.advance(time.Millisecond)
	q.expectReady(t, 0)
	forever.expectReady(t, 1)
}

func TestMessageThatIsOutExpiresWhenItComesBack(t *testing.T) {
	h, g, clock := timed(t)
	q := g.declare(QueueSpec{Name: "q"})
	s := newTap()
	c := g.consume(ConsumerSpec{Queue: "q"}, s)
	g.mortal("q", "1", "10")
	out := s.take()
	clock.advance(time.Second)
	if i := q.Info(); i.Unacked != 1 {
		t.Fatalf("%+v", i)
	}
	c.Cancel(g.batch)
	g.settle(q, queue.Requeue, out[0].seq)
	q.expectReady(t, 0)
	if h.Stored() != 0 {
		t.Errorf("%d stored", h.Stored())
	}
}

func TestExpiredMessagesAreNeitherDeliveredNorFetched(t *testing.T) {
	_, g, clock := timed(t)
	g.declare(QueueSpec{Name: "q"})
	g.mortal("q", "old", "10")
	g.mortal("q", "old too", "10")
	g.publish("", "q", "young")
	clock.mu.Lock() // the time moves, and no timer has run yet
	clock.now = clock.now.Add(time.Second)
	clock.mu.Unlock()
	s := newTap()
	g.consume(ConsumerSpec{Queue: "q"}, s)
	s.expect(t, "young")
	g.mortal("q", "old", "10")
	fetched := false
	g.declare(QueueSpec{Name: "r"})
	g.mortal("r", "old", "10")
	clock.mu.Lock()
	clock.now = clock.now.Add(time.Second)
	clock.mu.Unlock()
	ok, err := g.Get(g.batch, "r", true, func(*Delivery, int) { fetched = true })
	g.must(err)
	if ok || fetched {
		t.Error("an expired message was fetched")
	}
	g.batch.End()
}

func TestTimeToLiveArgumentIsCheckedAndCompared(t *testing.T) {
	_, g, _ := timed(t)
	declare := func(name string, a ...exchange.Arg) error {
		_, err := g.DeclareQueue(QueueSpec{Name: name, Args: a})
		return err
	}
	refusal(t, declare("bad", integer(messageTTL, -1)), PreconditionFailed,
		"invalid arg 'x-message-ttl' for queue 'bad' in vhost '/': {value_negative,-1}")
	refusal(t, declare("bad", text(messageTTL, "1")), PreconditionFailed,
		"invalid arg 'x-message-ttl' for queue 'bad' in vhost '/': \"expected integer, got longstr\"")
	g.must(declare("q", integer(messageTTL, 10)))
	g.must(declare("q", integer(messageTTL, 10)))
	refusal(t, declare("q", integer(messageTTL, 20)), PreconditionFailed,
		"inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '20' but current is '10'")
	refusal(t, declare("q"), PreconditionFailed,
		"inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value '10' of type 'signedint'")
}

func TestAClosedBrokerSetsNoAlarm(t *testing.T) {
	h, g, clock := timed(t)
	g.declare(QueueSpec{Name: "q"})
	h.Close()
	g.mortal("q", "late", "100")
	if n := clock.pending(); n != 0 {
		t.Errorf("%d timers", n)
	}
}

func TestWhatIsBehindAFetchedMessageExpires(t *testing.T) {
	_, g, clock := timed(t)
	q := g.declare(QueueSpec{Name: "q"})
	for range 2 {
		g.publish("", "q", "for ever")
		g.mortal("q", "for a while", "100")
		g.mortal("q", "longer", "200")
	}
	clock.advance(150 * time.Millisecond)
	q.expectReady(t, 6)
	fetch := func() {
		_, err := g.Get(g.batch, "q", true, func(*Delivery, int) {})
		g.must(err)
		g.batch.End()
	}
	fetch()
	q.expectReady(t, 4) // one is over its time, and the alarm is set for the next
	clock.advance(50 * time.Millisecond)
	q.expectReady(t, 3)
	fetch()
	q.expectReady(t, 0)
}

func TestWhatAFetchFindsExpiredIsNotCountedAsStored(t *testing.T) {
	h, g, clock := timed(t)
	g.declare(QueueSpec{Name: "q"})
	g.publish("", "q", "for ever")
	g.mortal("q", "for a while", "100")
	clock.advance(200 * time.Millisecond)
	for range 2 { // the first one is in front of what has expired
		_, err := g.Get(g.batch, "q", true, func(*Delivery, int) {})
		g.must(err)
		g.batch.End()
	}
	if n := h.Stored(); n != 0 {
		t.Errorf("%d bytes are stored in an empty queue", n)
	}
}
