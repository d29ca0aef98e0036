package engine

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
)

func TestConsumerGetsNothingBeforeItsFirstWake(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	g.declare(QueueSpec{Name: "q"})
	g.publish("", "q", "1")
	s := newTap()
	c, err := g.Consume(ConsumerSpec{Queue: "q", Tag: "t", NoAck: true}, s)
	g.must(err)
	g.publish("", "q", "2")
	s.expect(t, "")
	c.Wake(g.batch)
	g.publish("", "q", "3")
	s.expect(t, "1 2 3")
	if h.Stored() != 0 || c.Spec().Tag != "t" || c.Queue().Name() != "q" || c.Queue().VHost() != g.VHost() {
		t.Errorf("%d stored, %+v", h.Stored(), c.Spec())
	}
}

func TestReadyConsumersTakeTurnsAndThoseWithoutCreditAreSkipped(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	q := g.declare(QueueSpec{Name: "q"})
	a, b := newTap(), newTap()
	g.consume(ConsumerSpec{Queue: "q", Prefetch: 2}, a)
	g.consume(ConsumerSpec{Queue: "q"}, b)
	for i := 1; i <= 7; i++ {
		g.publish("", "q", fmt.Sprint(i))
	}
	out := a.take()
	if out[0].body != "1" || out[1].body != "3" || len(out) != 2 {
		t.Errorf("%+v", out)
	}
	b.expect(t, "2 4 5 6 7")
	g.settle(q, queue.Accept, out[0].seq)
	g.publish("", "q", "8")
	g.publish("", "q", "9")
	b.expect(t, "8")
	a.expect(t, "9")
}

func TestOutcomesOfADelivery(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	q := g.declare(QueueSpec{Name: "q"})
	for i := 1; i <= 4; i++ {
		g.publish("", "q", fmt.Sprint(i))
	}
	s := newTap()
	c := g.consume(ConsumerSpec{Queue: "q"}, s)
	out := s.take()
	c.Cancel(g.batch)
	g.batch.End()
	if n := g.settle(q, queue.Accept, out[0].seq, 99); n != 1 {
		t.Errorf("%d settled", n)
	}
	if n := g.settle(q, queue.Accept, out[0].seq); n != 0 {
		t.Errorf("%d settled a second time", n)
	}
	g.settle(q, queue.Discard, out[2].seq)
	g.settle(q, queue.Requeue, out[3].seq)
	g.settle(q, queue.Requeue, out[1].seq)
	g.publish("", "q", "5")
	g.consume(ConsumerSpec{Queue: "q", NoAck: true}, s)
	want := []got{{"2", 0, 1, true}, {"4", 0, 1, true}, {"5", 0, 0, false}}
	if all := s.take(); !reflect.DeepEqual(all, want) {
		t.Errorf("%+v, not %+v", all, want)
	}
	if h.Stored() != 0 {
		t.Errorf("%d stored", h.Stored())
	}
	wanted := Counters{Published: 5, Routed: 5, Delivered: 7, Redelivered: 2, Settled: 2, Requeued: 2}
	if h.Counters() != wanted || q.Info().Counters != (Counters{Routed: 5, Delivered: 7, Redelivered: 2, Settled: 2, Requeued: 2}) {
		t.Errorf("%+v, %+v", h.Counters(), q.Info().Counters)
	}
}

func TestGetTakesTheFirstMessageAndTellsHowManyRemain(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	q := g.declare(QueueSpec{Name: "q"})
	g.publish("", "q", "1")
	g.publish("", "q", "2")
	var seen []string
	get := func(noAck bool) bool {
		ok, err := g.Get(g.batch, "q", noAck, func(d *Delivery, remaining int) {
			seen = append(seen, fmt.Sprint(string(d.Message.Body), d.Seq, remaining, d.Redelivered, d.Consumer == nil, d.Queue == q))
		})
		g.must(err)
		g.batch.End()
		return ok
	}
	get(false)
	g.settle(q, queue.Requeue, 1)
	get(true)
	get(true)
	if get(true) {
		t.Error("an empty queue had something")
	}
	want := "11 1 false true true, 10 1 true true true, 20 0 false true true"
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	if h.Stored() != 0 || h.Counters().Delivered != 3 {
		t.Errorf("%d stored, %+v", h.Stored(), h.Counters())
	}
}

func TestConsumerThatRefusesGetsEverythingInOrderWhenItWakes(t *testing.T) {
	for _, noAck := range []bool{true, false} {
		h := newHouse(t, Config{})
		g := h.guest()
		g.declare(QueueSpec{Name: "q"})
		s := &tap{room: 2}
		c := g.consume(ConsumerSpec{Queue: "q", NoAck: noAck}, s)
		for i := 1; i <= 6; i++ {
			g.publish("", "q", fmt.Sprint(i))
		}
		s.expect(t, "1 2")
		s.room = 3
		g.publish("", "q", "7")
		s.expect(t, "") // it refused, and nobody has woken it
		c.Wake(g.batch)
		s.expect(t, "3 4 5")
		s.room = -1
		c.Wake(g.batch)
		s.expect(t, "6 7")
		g.publish("", "q", "8")
		s.expect(t, "8")
		c.Cancel(g.batch)
		c.Wake(g.batch)
		g.publish("", "q", "9")
		s.expect(t, "")
	}
}

func TestConsumersAreToldOnceThatTheirQueueIsGone(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	g.declare(QueueSpec{Name: "q"})
	a, b, c := newTap(), newTap(), newTap()
	g.consume(ConsumerSpec{Queue: "q"}, a)
	gone := g.consume(ConsumerSpec{Queue: "q"}, b)
	late := g.consume(ConsumerSpec{Queue: "q"}, c)
	gone.Cancel(g.batch)
	if _, err := g.DeleteQueue(g.batch, "q", false, false); err != nil {
		t.Fatal(err)
	}
	late.Cancel(g.batch) // after the queue, before it was told
	g.batch.End()
	late.Cancel(g.batch)
	late.Wake(g.batch)
	g.batch.End()
	if a.cancelled != 1 || b.cancelled != 0 || c.cancelled != 0 {
		t.Errorf("told %d, %d and %d times", a.cancelled, b.cancelled, c.cancelled)
	}
	_, err := late.Queue().consume(g.Client, ConsumerSpec{Queue: "q"}, c)
	refusal(t, err, NotFound, "no queue 'q' in vhost '/'")
}

func TestAQueueGetsOneCopyHoweverManyBindingsLeadToIt(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	q := g.declare(QueueSpec{Name: "q"})
	for _, key := range []string{"#", "a.*", "a.b", "*.b"} {
		g.must(g.BindQueue("amq.topic", "q", exchange.Binding{Key: key}))
	}
	g.must(g.BindExchange("amq.topic", "amq.fanout", exchange.Binding{Key: "a.#"}))
	g.must(g.BindExchange("amq.fanout", "amq.topic", exchange.Binding{})) // a circle
	g.must(g.BindQueue("amq.fanout", "q", exchange.Binding{}))
	g.must(g.BindQueue("amq.fanout", "q", exchange.Binding{Key: "again"}))
	if n := g.publish("amq.topic", "a.b", "1"); n != 1 || q.Info().Ready != 1 {
		t.Errorf("%d queues, %d copies", n, q.Info().Ready)
	}
}

func TestManyQueuesOverManyExchangesGetOneCopyEach(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	for i := range 100 {
		name := fmt.Sprint("q", i)
		g.declare(QueueSpec{Name: name})
		x := fmt.Sprint("x", i)
		g.exchange(ExchangeSpec{Name: x, Type: exchange.Fanout})
		g.must(g.BindExchange("amq.fanout", x, exchange.Binding{}))
		g.must(g.BindExchange(x, "amq.fanout", exchange.Binding{}))
		g.must(g.BindQueue(x, name, exchange.Binding{}))
		g.must(g.BindQueue(x, "q0", exchange.Binding{}))
		g.must(g.BindQueue("amq.fanout", name, exchange.Binding{}))
	}
	if n := g.publish("x50", "", "1"); n != 100 {
		t.Errorf("%d queues", n)
	}
	for _, q := range g.VHost().Queues() {
		if n := q.Info().Ready; n != 1 {
			t.Errorf("%s got %d copies", q.Name(), n)
		}
	}
}

func TestAlternateExchangeTakesWhatItsExchangeCannotRoute(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	g.exchange(ExchangeSpec{Name: "main", Type: exchange.Direct, Args: []exchange.Arg{text("alternate-exchange", "second")}})
	g.declare(QueueSpec{Name: "q"})
	g.declare(QueueSpec{Name: "rest"})
	g.must(g.BindQueue("main", "q", exchange.Binding{Key: "known"}))
	if n := g.publish("main", "x", "0"); n != 0 || h.Counters().Unroutable != 1 {
		t.Errorf("%d queues, but the alternate is missing", n)
	}
	g.exchange(ExchangeSpec{Name: "second", Type: exchange.Direct, Args: []exchange.Arg{text("alternate-exchange", "third")}})
	g.exchange(ExchangeSpec{Name: "third", Type: exchange.Fanout, Args: []exchange.Arg{text("alternate-exchange", "main")}})
	if n := g.publish("main", "x", "0"); n != 0 {
		t.Errorf("%d queues, but there are alternates in a circle only", n)
	}
	g.must(g.BindQueue("third", "rest", exchange.Binding{}))
	g.publish("main", "known", "1")
	g.publish("main", "x", "2")
	if a, b := g.VHost().Queue("q").Info().Ready, g.VHost().Queue("rest").Info().Ready; a != 1 || b != 1 {
		t.Errorf("%d and %d messages", a, b)
	}
}

func TestHeadersDecideForEachMessage(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	for _, name := range []string{"red", "blue"} {
		g.declare(QueueSpec{Name: name})
		g.must(g.BindQueue("amq.headers", name, exchange.Binding{Args: []exchange.Arg{text("colour", name)}}))
	}
	for _, colour := range []string{"red", "blue", "red", "green"} {
		p := message.Properties{Headers: []exchange.Arg{text("colour", colour)}}
		m := message.Message{Origin: message.AMQP091, Exchange: []byte("amq.headers"), Props: p.Append(nil)}
		n, err := g.Publish(g.batch, &m)
		g.must(err)
		if wanted := map[bool]int{true: 0, false: 1}[colour == "green"]; n != wanted {
			t.Errorf("%s goes to %d queues", colour, n)
		}
	}
	if a, b := g.VHost().Queue("red").Info().Ready, g.VHost().Queue("blue").Info().Ready; a != 2 || b != 1 {
		t.Errorf("%d red, %d blue", a, b)
	}
}

func TestDirectRepliesReachTheirClientAndNobodySeesTheAddress(t *testing.T) {
	h := newHouse(t, Config{})
	g, other := h.guest(), h.guest()
	s := newTap()
	c, err := g.ConsumeReplies("tag", s)
	g.must(err)
	c.Wake(g.batch)
	g.batch.End()
	name := c.Queue().Name()
	if !strings.HasPrefix(name, ReplyPrefix+".") || len(name) != len(ReplyPrefix)+1+22 {
		t.Errorf("the address is %q", name)
	}
	if n := other.publish("", name, "answer"); n != 1 {
		t.Errorf("%d queues", n)
	}
	s.expect(t, "answer")
	for _, asked := range []string{name, ReplyPrefix} {
		d, err := other.CheckQueue(asked)
		if err != nil || d != (Declared{Name: asked, Consumers: 1}) {
			t.Errorf("%+v, %v", d, err)
		}
		if d, err = other.DeclareQueue(QueueSpec{Name: asked}); err != nil || d != (Declared{Name: asked, Consumers: 1}) {
			t.Errorf("%+v, %v", d, err)
		}
	}
	if all := g.VHost().Queues(); len(all) != 0 {
		t.Errorf("%d queues are shown", len(all))
	}
	missing := "no queue '" + name + "' in vhost '/'"
	_, err = g.Consume(ConsumerSpec{Queue: name}, newTap())
	refusal(t, err, NotFound, missing)
	refusal(t, other.BindQueue("amq.topic", name, exchange.Binding{}), NotFound, missing)
	if n := other.delete(name); n != 0 {
		t.Errorf("%d deleted", n)
	}
	c.Cancel(g.batch)
	g.batch.End()
	_, err = other.CheckQueue(name)
	refusal(t, err, NotFound, missing)
	if n := other.publish("", name, "late"); n != 0 {
		t.Errorf("%d queues got a late answer", n)
	}
}

func TestTraceIsToldOfEverythingThatPasses(t *testing.T) {
	var seen []string
	h := newHouse(t, Config{Trace: &Trace{
		Published: func(c *Client, m *message.Message, queues int) {
			seen = append(seen, fmt.Sprintf("%s published %s to %d", c.Info().Protocol, m.Body, queues))
		},
		Delivered: func(d *Delivery) {
			seen = append(seen, fmt.Sprintf("%s delivered %s %v %v", d.Queue.Name(), d.Message.Body, d.Redelivered, d.Consumer != nil))
		},
	}})
	g := h.guest()
	q := g.declare(QueueSpec{Name: "q"})
	g.publish("", "nix", "0")
	g.publish("", "q", "1")
	_, err := g.Get(g.batch, "q", false, func(*Delivery, int) {})
	g.must(err)
	g.settle(q, queue.Requeue, 1)
	g.consume(ConsumerSpec{Queue: "q", NoAck: true}, newTap())
	g.publish("", "q", "2")
	want := "test published 0 to 0|test published 1 to 1|q delivered 1 false false|q delivered 1 true true|" +
		"q delivered 2 false true|test published 2 to 1"
	if got := strings.Join(seen, "|"); got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
}

func TestOnlyDirtyOutputsAreFlushedAtTheEndOfABatch(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	g.declare(QueueSpec{Name: "a"})
	g.declare(QueueSpec{Name: "b"})
	a, b := newTap(), newTap()
	g.consume(ConsumerSpec{Queue: "a", NoAck: true}, a)
	g.consume(ConsumerSpec{Queue: "b", NoAck: true}, b)
	m := message.Message{Key: []byte("a")}
	_, err := g.Publish(g.batch, &m)
	g.must(err)
	if g.batch.Work() == 0 || a.flushed != 0 {
		t.Errorf("work %d, flushed %d times", g.batch.Work(), a.flushed)
	}
	g.batch.End()
	g.batch.End()
	if a.flushed != 1 || b.flushed != 0 || g.batch.Work() != 0 {
		t.Errorf("flushed %d and %d times, work %d", a.flushed, b.flushed, g.batch.Work())
	}
}

func TestHousekeepingGivesMemoryBackOnceAQueueIsAtRest(t *testing.T) {
	clock := &handClock{now: time.Unix(1000, 0)}
	h := newHouse(t, Config{Clock: clock})
	if h.Now() != clock.now || h.Clock() != clock {
		t.Error("another clock")
	}
	g := h.guest()
	q := g.declare(QueueSpec{Name: "q"})
	for range 1000 {
		g.publish("", "q", strings.Repeat("x", 1000))
	}
	held := func() int { return q.Info().Held }
	_, err := g.PurgeQueue(g.batch, "q")
	g.must(err)
	g.batch.End()
	if held() == 0 {
		t.Fatal("nothing is kept for the next burst")
	}
	clock.advance(housekeeping)
	if held() == 0 {
		t.Error("the queue was not at rest yet")
	}
	clock.advance(housekeeping)
	if n := held(); n != 0 {
		t.Errorf("a queue at rest holds %d bytes", n)
	}
	h.Close()
	if clock.pending() != 0 {
		t.Error("a closed broker still has a timer")
	}
}

func TestAClosedBrokerHasNoTimerWhenHousekeepingWasUnderWay(t *testing.T) {
	clock := new(handClock)
	h := newHouse(t, Config{Clock: clock})
	clock.mu.Lock()
	keep := clock.timers[0].f
	clock.timers = nil
	clock.mu.Unlock()
	h.Close()
	keep()
	if clock.pending() != 0 {
		t.Error("housekeeping came back")
	}
}
