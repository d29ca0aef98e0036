package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
)

// durableHouse is a broker over a model of a store.
type durableHouse struct {
	*house
	model *storetest.Model
	conf  Config
}

// tiny are bounds that a few messages reach.
var tiny = bounds{most: 400, least: 200, out: 100, fill: 150, share: 100_000}

func newDurableHouse(t testing.TB, c Config) *durableHouse {
	t.Helper()
	if c.window == (bounds{}) {
		c.window = tiny
	}
	return openHouse(t, c, storetest.NewModel())
}

func openHouse(t testing.TB, c Config, m *storetest.Model) *durableHouse {
	t.Helper()
	users := c.Users
	if users == nil {
		users = access.New()
		c.Users = users
	}
	c.Store = func(e storage.Events) (storage.Store, error) {
		m.Events = e
		return m, nil
	}
	b, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	d := &durableHouse{house: &house{Broker: b, t: t, users: users}, model: m, conf: c}
	t.Cleanup(func() { b.Close() })
	return d
}

// restart closes the broker and opens another one with what is in its store.
func (d *durableHouse) restart() *durableHouse {
	d.t.Helper()
	if err := d.Close(); err != nil {
		d.t.Fatal(err)
	}
	return openHouse(d.t, d.conf, d.model.Reopen())
}

// restartWith is restart with users of the configuration.
func (d *durableHouse) restartWith(users *access.Users) *durableHouse {
	d.t.Helper()
	d.conf.Users = users
	return d.restart()
}

// persist publishes a persistent message and returns the ticket.
func (g *guest) persist(x, key, body string) Ticket {
	g.t.Helper()
	_, err := g.Publish(g.batch, &message.Message{
		Exchange: []byte(x), Key: []byte(key), Body: []byte(body), Flags: message.Persistent,
	})
	g.must(err)
	return g.batch.End()
}

// drain fetches everything from a queue, and acknowledges it.
func (g *guest) drain(name string) (all []got) {
	g.t.Helper()
	for {
		ok, err := g.Get(g.batch, name, true, func(d *Delivery, _ int) {
			all = append(all, got{body: string(d.Message.Body), redelivered: d.Redelivered})
		})
		g.must(err)
		g.batch.End()
		if !ok {
			return all
		}
	}
}

func seqs(all []got) []uint64 {
	var n []uint64
	for _, m := range all {
		n = append(n, m.seq)
	}
	return n
}

func bodies(all []got) []string {
	var b []string
	for _, m := range all {
		b = append(b, m.body)
	}
	return b
}

func TestWhatIsDurableSurvivesARestartAndNothingElse(t *testing.T) {
	d := newDurableHouse(t, Config{VHosts: []string{"/", "other"}})
	g := d.guest()
	g.declare(QueueSpec{Name: "kept", Durable: true, Args: []exchange.Arg{{Name: "x-message-ttl", Value: exchange.Value{Kind: exchange.Int, Int: 1e9}}}})
	g.declare(QueueSpec{Name: "unused", Durable: true})
	g.declare(QueueSpec{Name: "gone"})
	g.exchange(ExchangeSpec{Name: "x", Type: exchange.Topic, Durable: true})
	g.exchange(ExchangeSpec{Name: "y", Type: exchange.Fanout})
	for _, to := range []string{"kept", "gone"} {
		g.must(g.BindQueue("x", to, exchange.Binding{Key: "a.*"}))
		g.must(g.BindQueue("y", to, exchange.Binding{}))
	}
	g.must(g.BindQueue("amq.fanout", "unused", exchange.Binding{Key: "k"}))
	g.must(g.BindExchange("amq.topic", "x", exchange.Binding{Key: "#"}))
	for i := range 30 { // more than the window
		g.persist("x", "a.b", fmt.Sprint("persistent ", i))
		g.publish("x", "a.b", fmt.Sprint("transient ", i))
	}
	d = d.restart()
	g = d.guest()
	if d.VHost("other") == nil {
		t.Error("a vhost is gone")
	}
	v := d.VHost("/")
	if v.Queue("gone") != nil || v.Queue("kept") == nil || v.Queue("unused") == nil {
		t.Fatal("the wrong queues are there")
	}
	if i := v.Queue("kept").Info(); i.Ready != 30 || len(i.Args) != 1 || !i.Durable {
		t.Errorf("the queue is %+v", i)
	}
	for _, b := range v.Bindings() {
		if b.Exchange == "y" || b.Destination == "gone" {
			t.Errorf("a binding is there that was not durable: %+v", b)
		}
	}
	if n := len(v.Bindings()); n != 3 {
		t.Errorf("there are %d bindings", n)
	}
	if n := g.publish("amq.topic", "a.z", "through two exchanges"); n != 1 {
		t.Errorf("it came to %d queues", n)
	}
	all := bodies(g.drain("kept"))
	if len(all) != 31 || all[0] != "persistent 0" || all[29] != "persistent 29" || all[30] != "through two exchanges" {
		t.Errorf("the queue held %q", all)
	}
	for _, m := range all[:30] {
		if strings.HasPrefix(m, "transient") {
			t.Errorf("%s has survived", m)
		}
	}
}

func TestWhatWasAcknowledgedDoesNotComeBackAndWhatWasDeliveredIsMarked(t *testing.T) {
	d := newDurableHouse(t, Config{})
	g := d.guest()
	q := g.declare(QueueSpec{Name: "q", Durable: true})
	for i := range 40 {
		g.persist("", "q", fmt.Sprintf("message %02d", i))
	}
	to := newTap()
	g.consume(ConsumerSpec{Queue: "q", Prefetch: 10}, to)
	out := seqs(to.take())
	if len(out) != 10 {
		t.Fatalf("%d were delivered", len(out))
	}
	g.settle(q, queue.Accept, out[0], out[3])
	g.settle(q, queue.Discard, out[4])
	d = d.restart()
	all := d.guest().drain("q")
	want := 0
	for _, m := range all {
		for want == 0 || want == 3 || want == 4 {
			want++
		}
		// Thirteen were delivered: three were settled and made room for others.
		if m.body != fmt.Sprintf("message %02d", want) || m.redelivered != (want < 13) {
			t.Fatalf("message %d is %+v", want, m)
		}
		want++
	}
	if want != 40 {
		t.Errorf("%d messages came back", len(all))
	}
	if left := bodies(d.restart().guest().drain("q")); left != nil {
		t.Errorf("%q came a second time", left)
	}
}

func TestADeliveryCountSurvivesARestart(t *testing.T) {
	d := newDurableHouse(t, Config{})
	g := d.guest()
	q := g.declare(QueueSpec{Name: "q", Durable: true})
	g.persist("", "q", "unwanted")
	fetch := func(want uint16) (seq uint64) {
		t.Helper()
		ok, err := g.Get(g.batch, "q", false, func(d *Delivery, _ int) {
			if seq = d.Seq; d.Deliveries != want {
				t.Errorf("it has been out %d times, not %d", d.Deliveries, want)
			}
		})
		g.must(err)
		g.batch.End()
		if !ok {
			t.Fatal("it is gone")
		}
		return seq
	}
	for n := range uint16(3) {
		g.settle(q, queue.Requeue, fetch(n))
	}
	d = d.restart()
	g, q = d.guest(), d.VHost("/").Queue("q")
	g.settle(q, queue.Requeue, fetch(3))
	d = d.restart()
	g = d.guest()
	fetch(4)
}

func TestADeletedQueueLeavesNothingToItsSuccessor(t *testing.T) {
	d := newDurableHouse(t, Config{})
	g := d.guest()
	for range 3 {
		g.declare(QueueSpec{Name: "q", Durable: true})
		g.must(g.BindQueue("amq.fanout", "q", exchange.Binding{}))
		for i := range 20 {
			g.persist("", "q", fmt.Sprint(i))
		}
		g.delete("q")
	}
	g.declare(QueueSpec{Name: "q", Durable: true})
	g.persist("", "q", "new")
	d = d.restart()
	if all := bodies(d.guest().drain("q")); !slices.Equal(all, []string{"new"}) {
		t.Errorf("the queue holds %q", all)
	}
	if n := len(d.VHost("/").Bindings()); n != 0 {
		t.Errorf("%d bindings of old queues are there", n)
	}
}

func TestAPurgeIsKept(t *testing.T) {
	d := newDurableHouse(t, Config{})
	g := d.guest()
	q := g.declare(QueueSpec{Name: "q", Durable: true})
	for i := range 40 {
		g.persist("", "q", fmt.Sprint("old ", i))
	}
	to := newTap()
	g.consume(ConsumerSpec{Queue: "q", Prefetch: 3}, to)
	n, err := g.PurgeQueue(g.batch, "q")
	g.must(err)
	g.batch.End()
	if n != 37 || q.Info().Ready != 0 || q.Info().Unacked != 3 {
		t.Fatalf("%d were dropped, of the rest the queue says %+v", n, q.Info())
	}
	g.persist("", "q", "new")
	d = d.restart()
	if all := bodies(d.guest().drain("q")); !slices.Equal(all, []string{"old 0", "old 1", "old 2", "new"}) {
		t.Errorf("the queue holds %q", all)
	}
}

func TestATicketIsGivenForWhatIsToSurviveOnly(t *testing.T) {
	d := newDurableHouse(t, Config{})
	d.model.Manual = true
	g := d.guest()
	go func() { // declarations wait for the disk
		for d.model.Commit() == nil && d.VHost("/").Queue("durable") == nil {
		}
		_ = d.model.Commit()
	}()
	g.declare(QueueSpec{Name: "durable", Durable: true})
	g.declare(QueueSpec{Name: "plain"})
	for range 2 {
		g.must(d.model.Commit())
	}
	for _, c := range []struct {
		queue      string
		persistent bool
	}{{"durable", false}, {"plain", true}, {"plain", false}} {
		m := &message.Message{Key: []byte(c.queue), Body: []byte("x")}
		if c.persistent {
			m.Flags = message.Persistent
		}
		_, err := g.Publish(g.batch, m)
		g.must(err)
		if g.batch.Owing() {
			t.Errorf("persistent=%v to %s owes something", c.persistent, c.queue)
		}
		if ticket := g.batch.End(); ticket != 0 {
			t.Errorf("persistent=%v to %s waits for %d", c.persistent, c.queue, ticket)
		}
	}
	ticket := g.persist("", "durable", "x")
	if ticket == 0 || d.Durable() >= ticket {
		t.Fatalf("the ticket is %d while %d is durable", ticket, d.Durable())
	}
	w := &waiter{until: ticket}
	d.Await(w)
	g.must(d.model.Commit())
	if w.durable < ticket || d.Durable() < ticket {
		t.Errorf("after the commit %d is durable, the waiter was told %d", d.Durable(), w.durable)
	}
	g.persist("", "durable", "y")
	g.must(d.model.Commit())
	if w.told != 1 {
		t.Errorf("a waiter who waits for nothing was told %d times", w.told)
	}
}

type waiter struct {
	until, durable Ticket
	told           int
}

func (w *waiter) Committed(durable Ticket) bool {
	w.durable = durable
	w.told++
	return durable < w.until
}

func TestAfterAFailureOfTheDiskNothingIsPromised(t *testing.T) {
	failed := make(chan struct{})
	d := newDurableHouse(t, Config{Failed: func() { close(failed) }})
	g := d.guest()
	g.declare(QueueSpec{Name: "q", Durable: true})
	d.model.Fail(errors.New("input/output error"))
	<-failed
	if d.Failure() == nil {
		t.Error("the failure is not known")
	}
	ticket := g.persist("", "q", "x")
	if err := d.Wait(t.Context(), ticket); err == nil {
		t.Error("a message is safe on a disk that has failed")
	}
	_, err := g.DeclareQueue(QueueSpec{Name: "other", Durable: true})
	var e *Error
	if !errors.As(err, &e) || e.Kind != Internal {
		t.Errorf("a declaration that is not kept ends with %v", err)
	}
}

func TestPressureOfTheStoreHoldsPublishers(t *testing.T) {
	d := newDurableHouse(t, Config{})
	for _, c := range []struct {
		pressure storage.Pressure
		held     bool
		reason   string
	}{
		{storage.Behind, true, ""}, {storage.Full, true, "low on disk"}, {storage.Easy, false, ""}, {storage.Behind, true, ""}, {storage.Easy, false, ""},
	} {
		d.model.Press(c.pressure)
		resumed, reason := d.Held()
		if (resumed != nil) != c.held || reason != c.reason {
			t.Errorf("under pressure %d held is %v, for %q", c.pressure, resumed != nil, reason)
		}
	}
}

func TestALongQueueTakesNoMoreMemoryThanAShortOne(t *testing.T) {
	d := newDurableHouse(t, Config{})
	g := d.guest()
	g.declare(QueueSpec{Name: "q", Durable: true})
	for i := range 2000 {
		if i%3 == 0 {
			g.publish("", "q", fmt.Sprintf("message %04d", i))
		} else {
			g.persist("", "q", fmt.Sprintf("message %04d", i))
		}
		if d.Stored() > 2*tiny.most {
			t.Fatalf("%d messages take %d bytes", i+1, d.Stored())
		}
	}
	all := g.drain("q")
	for i, m := range all {
		if m.body != fmt.Sprintf("message %04d", i) {
			t.Fatalf("message %d is %q", i, m.body)
		}
	}
	if len(all) != 2000 || d.Stored() != 0 {
		t.Errorf("%d came back, %d bytes are left", len(all), d.Stored())
	}
}

func TestWhatIsWithAConsumerIsLeftToTheStoreAndComesBack(t *testing.T) {
	d := newDurableHouse(t, Config{})
	g := d.guest()
	q := g.declare(QueueSpec{Name: "q", Durable: true})
	for i := range 200 {
		g.persist("", "q", fmt.Sprintf("message %03d", i))
	}
	to := newTap()
	c := g.consume(ConsumerSpec{Queue: "q"}, to)
	out := seqs(to.take())
	if len(out) != 200 || d.Stored() > 2*tiny.out {
		t.Fatalf("%d are out and take %d bytes", len(out), d.Stored())
	}
	c.Cancel(g.batch)
	g.settle(q, queue.Requeue, out...)
	for i, m := range g.drain("q") {
		if m.body != fmt.Sprintf("message %03d", i) || !m.redelivered {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
}

func TestAMessageThatComesBackColdBeforeItsCommitIsServedAfterIt(t *testing.T) {
	d := newDurableHouse(t, Config{})
	g, other := d.guest(), d.guest()
	q := g.declare(QueueSpec{Name: "q", Durable: true})
	first, second := newTap(), newTap()
	c := g.consume(ConsumerSpec{Queue: "q"}, first)
	_, err := g.Publish(g.batch, &message.Message{Key: []byte("q"), Body: make([]byte, 2*tiny.out), Flags: message.Persistent})
	g.must(err)
	out := seqs(first.take())
	if len(out) != 1 || d.Stored() != 0 {
		t.Fatalf("%d are out, %d bytes in memory", len(out), d.Stored())
	}
	c.Cancel(other.batch)
	other.consume(ConsumerSpec{Queue: "q"}, second)
	other.settle(q, queue.Requeue, out...)
	if n := len(second.take()); n != 0 {
		t.Fatalf("%d were delivered that cannot be read", n)
	}
	g.batch.End()
	if n := len(second.take()); n != 1 {
		t.Errorf("after the commit %d were delivered", n)
	}
}

func TestUsersOfTheConfigurationAreStoredAndSeedsCountForANewStoreOnly(t *testing.T) {
	d := newDurableHouse(t, Config{SeedUsers: true})
	if n := len(d.users.List()); n != 0 {
		t.Fatalf("there are %d users", n)
	}
	// A start with a user of the configuration stores it.
	users := access.New()
	put := func(name, tag string) {
		t.Helper()
		if err := errors.Join(
			users.Put(access.User{Name: name, PasswordHash: access.NewHash([]byte("secret")), Tags: []string{tag}}),
			users.SetPermissions("/", name, access.Permissions{Configure: name, Write: "w", Read: "r"}),
		); err != nil {
			t.Fatal(err)
		}
	}
	put("ann", "old")
	put("bob", "old")
	d.conf.SeedUsers = false
	d = d.restartWith(users)
	// Later one wins over what is stored, the other comes from the store; seeds come too late.
	users = access.New()
	put("ann", "new")
	d = d.restartWith(users)
	for name, tag := range map[string]string{"ann": "new", "bob": "old"} {
		if u, ok := d.users.Get(name); !ok || !slices.Equal(u.Tags, []string{tag}) {
			t.Errorf("%s is %+v, %v", name, u, ok)
		}
	}
	users = access.New()
	put("seed", "seed")
	d.conf.SeedUsers = true
	d = d.restartWith(users)
	if _, ok := d.users.Get("seed"); ok || len(d.users.List()) != 2 || len(d.users.Grants()) != 2 {
		t.Errorf("after a start with a seed there are %+v with %+v", d.users.List(), d.users.Grants())
	}
	// What changes at run time is stored.
	if _, err := d.users.Delete("ann"); err != nil {
		t.Fatal(err)
	}
	d = d.restartWith(access.New())
	if _, ok := d.users.Get("bob"); !ok || len(d.users.List()) != 1 || len(d.users.Grants()) != 1 {
		t.Errorf("after a removal there are %+v with %+v", d.users.List(), d.users.Grants())
	}
}
