package engine

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
)

func TestRefusalsHaveRabbitMQsWords(t *testing.T) {
	all := access.Permissions{Configure: ".*", Write: ".*", Read: ".*"}
	locked := "cannot obtain exclusive access to locked queue 'mine' in vhost '/'. It could be originally declared on another " +
		"connection or the exclusive property value does not match that of the original declaration."
	second := func(_ int, err error) error { return err }
	declared := func(_ Declared, err error) error { return err }
	consumed := func(_ *Consumer, err error) error { return err }
	publish := func(g *guest, x string) error {
		return second(g.Publish(g.batch, &message.Message{Exchange: []byte(x), Key: []byte("q")}))
	}
	for _, c := range []struct {
		name string
		do   func(g *guest) error
		kind Kind
		text string
	}{
		{"publish to a missing exchange", func(g *guest) error { return publish(g, "nix") },
			NotFound, "no exchange 'nix' in vhost '/'"},
		{"publish to an internal exchange", func(g *guest) error { return publish(g, "internal") },
			AccessRefused, "cannot publish to internal exchange 'internal' in vhost '/'"},
		{"publish with a key that no record holds", func(g *guest) error {
			return second(g.Publish(g.batch, &message.Message{Exchange: []byte("amq.topic"), Key: make([]byte, message.MaxKey+1)}))
		}, PreconditionFailed, "a routing key of 65536 bytes is too long: at most 65535"},
		{"check a missing queue", func(g *guest) error { return declared(g.CheckQueue("nix")) },
			NotFound, "no queue 'nix' in vhost '/'"},
		{"check a missing exchange", func(g *guest) error { return g.CheckExchange("nix") },
			NotFound, "no exchange 'nix' in vhost '/'"},
		{"consume from a missing queue", func(g *guest) error { return consumed(g.Consume(ConsumerSpec{Queue: "nix"}, newTap())) },
			NotFound, "no queue 'nix' in vhost '/'"},
		{"get from a missing queue", func(g *guest) error { _, err := g.Get(g.batch, "nix", true, nil); return err },
			NotFound, "no queue 'nix' in vhost '/'"},
		{"purge a missing queue", func(g *guest) error { return second(g.PurgeQueue(g.batch, "nix")) },
			NotFound, "no queue 'nix' in vhost '/'"},
		{"bind a missing queue", func(g *guest) error { return g.BindQueue("amq.topic", "nix", exchange.Binding{}) },
			NotFound, "no queue 'nix' in vhost '/'"},
		{"bind to a missing exchange", func(g *guest) error { return g.BindQueue("nix", "q", exchange.Binding{}) },
			NotFound, "no exchange 'nix' in vhost '/'"},
		{"bind nothing to nothing: the source is missed first", func(g *guest) error { return g.BindQueue("nix", "nix2", exchange.Binding{}) },
			NotFound, "no exchange 'nix' in vhost '/'"},
		{"bind a missing exchange", func(g *guest) error { return g.BindExchange("amq.topic", "nix", exchange.Binding{}) },
			NotFound, "no exchange 'nix' in vhost '/'"},
		{"declare with another durability", func(g *guest) error { return declared(g.DeclareQueue(QueueSpec{Name: "q", Durable: true})) },
			PreconditionFailed, "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'"},
		{"declare with another auto_delete", func(g *guest) error { return declared(g.DeclareQueue(QueueSpec{Name: "q", AutoDelete: true})) },
			PreconditionFailed, "inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received 'true' but current is 'false'"},
		{"declare a shared queue as exclusive", func(g *guest) error { return declared(g.DeclareQueue(QueueSpec{Name: "q", Exclusive: true})) },
			ResourceLocked, strings.Replace(locked, "'mine'", "'q'", 1)},
		{"declare with another type", func(g *guest) error {
			return declared(g.DeclareQueue(QueueSpec{Name: "q", Args: []exchange.Arg{text("x-queue-type", "quorum")}}))
		}, PreconditionFailed, "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type " +
			"'longstr' but current is none"},
		{"declare a reserved name", func(g *guest) error { return declared(g.DeclareQueue(QueueSpec{Name: "amq.x"})) },
			AccessRefused, "queue name 'amq.x' contains reserved prefix 'amq.*'"},
		{"declare a reserved exchange", func(g *guest) error {
			return g.DeclareExchange(ExchangeSpec{Name: "amq.x", Type: exchange.Direct})
		}, AccessRefused, "exchange name 'amq.x' contains reserved prefix 'amq.*'"},
		{"declare an exchange of no type", func(g *guest) error { return g.DeclareExchange(ExchangeSpec{Name: "x", Type: "foo"}) },
			PreconditionFailed, "unknown exchange type 'foo'"},
		{"declare another exchange type", func(g *guest) error {
			return g.DeclareExchange(ExchangeSpec{Name: "amq.topic", Type: exchange.Fanout, Durable: true})
		},
			PreconditionFailed, "inequivalent arg 'type' for exchange 'amq.topic' in vhost '/': received 'fanout' but current is 'topic'"},
		{"declare another exchange durability", func(g *guest) error { return g.DeclareExchange(ExchangeSpec{Name: "amq.topic", Type: exchange.Topic}) },
			PreconditionFailed, "inequivalent arg 'durable' for exchange 'amq.topic' in vhost '/': received 'false' but current is 'true'"},
		{"declare another internal", func(g *guest) error { return g.DeclareExchange(ExchangeSpec{Name: "internal", Type: exchange.Fanout}) },
			PreconditionFailed, "inequivalent arg 'internal' for exchange 'internal' in vhost '/': received 'false' but current is 'true'"},
		{"declare another alternate", func(g *guest) error {
			return g.DeclareExchange(ExchangeSpec{Name: "internal", Type: exchange.Fanout, Internal: true, Args: []exchange.Arg{text("alternate-exchange", "amq.fanout")}})
		}, PreconditionFailed, "inequivalent arg 'alternate-exchange' for exchange 'internal' in vhost '/': received the value " +
			"'amq.fanout' of type 'longstr' but current is none"},
		{"the default exchange is not declared", func(g *guest) error { return g.DeclareExchange(ExchangeSpec{Type: exchange.Direct}) },
			AccessRefused, "operation not permitted on the default exchange"},
		{"the default exchange is not checked", func(g *guest) error { return g.CheckExchange("") },
			AccessRefused, "operation not permitted on the default exchange"},
		{"the default exchange is not deleted", func(g *guest) error { return g.DeleteExchange("", false) },
			AccessRefused, "operation not permitted on the default exchange"},
		{"the default exchange is not bound from", func(g *guest) error { return g.BindQueue("", "q", exchange.Binding{}) },
			AccessRefused, "operation not permitted on the default exchange"},
		{"the default exchange is not unbound", func(g *guest) error { return g.UnbindQueue("", "q", exchange.Binding{Key: "q"}) },
			AccessRefused, "operation not permitted on the default exchange"},
		{"the default exchange is not bound to", func(g *guest) error { return g.BindExchange("amq.topic", "", exchange.Binding{}) },
			AccessRefused, "operation not permitted on the default exchange"},
		{"delete a system exchange", func(g *guest) error { return g.DeleteExchange("amq.topic", false) },
			AccessRefused, "deletion of system exchange 'amq.topic' in vhost '/' not allowed"},
		{"delete a queue in use", func(g *guest) error { return second(g.DeleteQueue(g.batch, "used", true, false)) },
			PreconditionFailed, "queue 'used' in vhost '/' in use"},
		{"delete a queue that is not empty", func(g *guest) error { return second(g.DeleteQueue(g.batch, "full", false, true)) },
			PreconditionFailed, "queue 'full' in vhost '/' not empty"},
		{"delete an exchange in use", func(g *guest) error { return g.DeleteExchange("bound", true) },
			PreconditionFailed, "exchange 'bound' in vhost '/' in use"},
		{"a second exclusive consumer", func(g *guest) error {
			return consumed(g.Consume(ConsumerSpec{Queue: "used", Exclusive: true}, newTap()))
		}, AccessRefused, "queue 'used' in vhost '/' in exclusive use"},
		{"a consumer beside an exclusive one", func(g *guest) error { return consumed(g.Consume(ConsumerSpec{Queue: "taken"}, newTap())) },
			AccessRefused, "queue 'taken' in vhost '/' in exclusive use"},
		{"declare another's exclusive queue", func(g *guest) error { return declared(g.DeclareQueue(QueueSpec{Name: "mine", Exclusive: true})) },
			ResourceLocked, locked},
		{"check another's exclusive queue", func(g *guest) error { return declared(g.CheckQueue("mine")) }, ResourceLocked, locked},
		{"consume another's exclusive queue", func(g *guest) error { return consumed(g.Consume(ConsumerSpec{Queue: "mine"}, newTap())) },
			ResourceLocked, locked},
		{"get from another's exclusive queue", func(g *guest) error { _, err := g.Get(g.batch, "mine", true, nil); return err },
			ResourceLocked, locked},
		{"purge another's exclusive queue", func(g *guest) error { return second(g.PurgeQueue(g.batch, "mine")) }, ResourceLocked, locked},
		{"delete another's exclusive queue", func(g *guest) error { return second(g.DeleteQueue(g.batch, "mine", false, false)) },
			ResourceLocked, locked},
		{"bind another's exclusive queue", func(g *guest) error { return g.BindQueue("amq.topic", "mine", exchange.Binding{}) },
			ResourceLocked, locked},
		{"unbind another's exclusive queue", func(g *guest) error { return g.UnbindQueue("bound", "mine", exchange.Binding{}) },
			ResourceLocked, locked},
		{"declare with a type that was said", func(g *guest) error {
			return declared(g.DeclareQueue(QueueSpec{Name: "typed", Args: []exchange.Arg{text("x-queue-type", "stream")}}))
		}, PreconditionFailed, "inequivalent arg 'x-queue-type' for queue 'typed' in vhost '/': received 'stream' but current is 'classic'"},
		{"an alternate exchange that is no name", func(g *guest) error {
			return g.DeclareExchange(ExchangeSpec{Name: "x", Type: exchange.Fanout, Args: []exchange.Arg{integer("alternate-exchange", 1)}})
		}, PreconditionFailed, "invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'"},
		{"an x-match of no sort", func(g *guest) error {
			return g.BindQueue("amq.headers", "q", exchange.Binding{Args: []exchange.Arg{text("x-match", "some")}})
		}, PreconditionFailed, "Invalid x-match field value <<\"some\">>; expected all, any, all-with-x, or any-with-x"},
		{"an argument that would be ignored", func(g *guest) error {
			return declared(g.DeclareQueue(QueueSpec{Name: "ttl", Args: []exchange.Arg{integer("x-expires", 1)}}))
		}, PreconditionFailed, "invalid arg 'x-expires' for queue 'ttl' in vhost '/': Warren does not support it yet"},
		{"a type that is not there", func(g *guest) error {
			return declared(g.DeclareQueue(QueueSpec{Name: "quorum", Args: []exchange.Arg{text("x-queue-type", "quorum")}}))
		}, PreconditionFailed, "invalid arg 'x-queue-type' for queue 'quorum' in vhost '/': Warren has classic queues only so far: " +
			"received the value 'quorum' of type 'longstr'"},
		{"a name that no message carries", func(g *guest) error { return declared(g.DeclareQueue(QueueSpec{Name: strings.Repeat("q", 256)})) },
			PreconditionFailed, "a name of 256 bytes is too long: at most 255"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, Config{})
			other := h.guest()
			other.declare(QueueSpec{Name: "q"})
			other.declare(QueueSpec{Name: "mine", Exclusive: true})
			other.declare(QueueSpec{Name: "used"})
			other.declare(QueueSpec{Name: "taken"})
			other.declare(QueueSpec{Name: "full"})
			other.publish("", "full", "x")
			other.consume(ConsumerSpec{Queue: "used"}, newTap())
			other.consume(ConsumerSpec{Queue: "taken", Exclusive: true}, newTap())
			other.exchange(ExchangeSpec{Name: "internal", Type: exchange.Fanout, Internal: true})
			other.exchange(ExchangeSpec{Name: "bound", Type: exchange.Fanout})
			other.must(other.BindQueue("bound", "q", exchange.Binding{}))
			other.must(other.BindQueue("bound", "mine", exchange.Binding{}))
			other.declare(QueueSpec{Name: "typed", Args: []exchange.Arg{text("x-queue-type", "classic")}})
			g := h.user("u", all)
			refusal(t, c.do(g), c.kind, c.text)
		})
	}
}

func TestPermissionsAreAskedForEachVerb(t *testing.T) {
	h := newHouse(t, Config{})
	root := h.guest()
	for _, name := range []string{"c", "w", "r"} {
		root.declare(QueueSpec{Name: name})
		root.exchange(ExchangeSpec{Name: "x" + name, Type: exchange.Direct})
	}
	g := h.user("u", access.Permissions{Configure: "c$", Write: "w$", Read: "r$"})
	errOf := func(_ any, err error) error { return err }
	bind := exchange.Binding{Key: "k"}
	for _, c := range []struct {
		what string
		ok   func() error // allowed, or
		bad  func() error // refused
		text string
	}{
		{what: "queue.declare", ok: func() error { return errOf(g.DeclareQueue(QueueSpec{Name: "c"})) },
			bad:  func() error { return errOf(g.DeclareQueue(QueueSpec{Name: "w"})) },
			text: "configure access to queue 'w' in vhost '/' refused for user 'u'"},
		{what: "exchange.declare", ok: func() error { return g.DeclareExchange(ExchangeSpec{Name: "xc", Type: exchange.Direct}) },
			bad:  func() error { return g.DeclareExchange(ExchangeSpec{Name: "xr", Type: exchange.Direct}) },
			text: "configure access to exchange 'xr' in vhost '/' refused for user 'u'"},
		{what: "exchange.delete", ok: func() error { return g.DeleteExchange("missing.c", false) },
			bad:  func() error { return g.DeleteExchange("xr", false) },
			text: "configure access to exchange 'xr' in vhost '/' refused for user 'u'"},
		{what: "queue.delete", ok: func() error { return errOf(g.DeleteQueue(g.batch, "missing.c", false, false)) },
			bad:  func() error { return errOf(g.DeleteQueue(g.batch, "r", false, false)) },
			text: "configure access to queue 'r' in vhost '/' refused for user 'u'"},
		{what: "queue.purge", ok: func() error { return errOf(g.PurgeQueue(g.batch, "r")) },
			bad:  func() error { return errOf(g.PurgeQueue(g.batch, "w")) },
			text: "read access to queue 'w' in vhost '/' refused for user 'u'"},
		{what: "queue.bind writes the queue", ok: func() error { return g.BindQueue("xr", "w", bind) },
			bad:  func() error { return g.BindQueue("xr", "r", bind) },
			text: "write access to queue 'r' in vhost '/' refused for user 'u'"},
		{what: "queue.bind reads the exchange", ok: func() error { return g.UnbindQueue("xr", "w", bind) },
			bad:  func() error { return g.BindQueue("xw", "w", bind) },
			text: "read access to exchange 'xw' in vhost '/' refused for user 'u'"},
		{what: "exchange.bind writes the destination", ok: func() error { return g.BindExchange("xr", "xw", bind) },
			bad:  func() error { return g.BindExchange("xr", "xr", bind) },
			text: "write access to exchange 'xr' in vhost '/' refused for user 'u'"},
		{what: "exchange.bind reads the source", ok: func() error { return g.UnbindExchange("xr", "xw", bind) },
			bad:  func() error { return g.BindExchange("xw", "xw", bind) },
			text: "read access to exchange 'xw' in vhost '/' refused for user 'u'"},
		{what: "basic.consume", ok: func() error { return errOf(g.Consume(ConsumerSpec{Queue: "r"}, newTap())) },
			bad:  func() error { return errOf(g.Consume(ConsumerSpec{Queue: "w"}, newTap())) },
			text: "read access to queue 'w' in vhost '/' refused for user 'u'"},
		{what: "basic.get", ok: func() error { return errOf(g.Get(g.batch, "r", true, nil)) },
			bad:  func() error { return errOf(g.Get(g.batch, "w", true, nil)) },
			text: "read access to queue 'w' in vhost '/' refused for user 'u'"},
		{what: "basic.publish", ok: func() error { return errOf(g.Publish(g.batch, &message.Message{Exchange: []byte("xw")})) },
			bad:  func() error { return errOf(g.Publish(g.batch, &message.Message{Exchange: []byte("xr")})) },
			text: "write access to exchange 'xr' in vhost '/' refused for user 'u'"},
		{what: "basic.publish to the default exchange",
			bad:  func() error { return errOf(g.Publish(g.batch, &message.Message{Key: []byte("w")})) },
			text: "write access to exchange 'amq.default' in vhost '/' refused for user 'u'"},
		{what: "basic.publish to a missing exchange",
			bad:  func() error { return errOf(g.Publish(g.batch, &message.Message{Exchange: []byte("nix")})) },
			text: "write access to exchange 'nix' in vhost '/' refused for user 'u'"},
		{what: "an alternate exchange is written", bad: func() error {
			return g.DeclareExchange(ExchangeSpec{Name: "n.c", Type: exchange.Direct, Args: []exchange.Arg{text("alternate-exchange", "xw")}})
		}, text: "read access to exchange 'n.c' in vhost '/' refused for user 'u'"},
	} {
		if c.ok != nil {
			if err := c.ok(); err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
		}
		refusal(t, c.bad(), AccessRefused, c.text)
	}
}

func TestVHostThatIsMissingOrForbiddenIsNotEntered(t *testing.T) {
	h := newHouse(t, Config{VHosts: []string{"/", "other"}})
	g := h.user("u", access.Permissions{})
	_, err := h.Open("foo", g.User(), ClientInfo{})
	refusal(t, err, NotAllowed, "vhost foo not found")
	_, err = h.Open("other", g.User(), ClientInfo{})
	refusal(t, err, NotAllowed, "access to vhost 'other' refused for user 'u'")
	if _, err := h.AddVHost("foo"); err != nil {
		t.Fatal(err)
	}
	if _, err = h.Open("foo", nil, ClientInfo{}); err != nil {
		t.Errorf("a vhost that was added: %v", err)
	}
	h.Close()
	if _, err = h.Open("/", nil, ClientInfo{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed broker let a client in: %v", err)
	}
}

func TestDeclaringTwiceIsDeclaringOnce(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	q := g.declare(QueueSpec{Name: "q", Args: []exchange.Arg{text("x-unknown", "ignored")}})
	g.publish("", "q", "1")
	g.consume(ConsumerSpec{Queue: "q", Prefetch: 1}, &tap{})
	d, err := g.DeclareQueue(QueueSpec{Name: "q\r\n", Args: []exchange.Arg{text("x-queue-type", "classic")}})
	if err != nil || d != (Declared{Name: "q", Ready: 1, Consumers: 1}) || g.VHost().Queue("q") != q {
		t.Errorf("%+v, %v", d, err)
	}
	d, err = g.CheckQueue("q")
	if err != nil || d != (Declared{Name: "q", Ready: 1, Consumers: 1}) {
		t.Errorf("%+v, %v", d, err)
	}
	for range 2 {
		g.exchange(ExchangeSpec{Name: "x\n", Type: exchange.Headers, AutoDelete: true, Args: []exchange.Arg{text("alternate-exchange", "a")}})
	}
	g.must(g.CheckExchange("x"))
	mine := g.declare(QueueSpec{Name: "mine", Exclusive: true, Durable: true})
	if mine.Info().Durable {
		t.Error("an exclusive queue is durable")
	}
	g.declare(QueueSpec{Name: "mine", Exclusive: true, Durable: true})
}

func TestLineEndsInNamesAreStrippedAsRabbitMQDoes(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	g.declare(QueueSpec{Name: "q"})
	b := exchange.Binding{Key: "k"}
	g.must(g.BindQueue("amq.topic\n", "q\r\n", b))
	g.must(g.BindExchange("amq.fanout\n", "amq.topic\n", b))
	if n := len(g.VHost().Bindings()); n != 2 {
		t.Errorf("%d bindings", n)
	}
	g.must(g.UnbindQueue("amq.topic\n", "q\r\n", b))
	g.must(g.UnbindExchange("amq.fanout\n", "amq.topic\n", b))
	if n := len(g.VHost().Bindings()); n != 0 {
		t.Errorf("%d bindings", n)
	}
	g.delete("q\n")
	if g.VHost().Queue("q") != nil {
		t.Error("the queue is still there")
	}
}

func TestGeneratedNamesLookAsRabbitMQs(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	d, err := g.DeclareQueue(QueueSpec{})
	if err != nil || !regexp.MustCompile(`^amq\.gen-[A-Za-z0-9_-]{22}$`).MatchString(d.Name) {
		t.Errorf("%q, %v", d.Name, err)
	}
	if other, err := g.DeclareQueue(QueueSpec{}); err != nil || other.Name == d.Name {
		t.Errorf("%q, %v", other.Name, err)
	}
	// A name with the reserved prefix that exists may be declared again.
	if _, err := g.DeclareQueue(QueueSpec{Name: d.Name}); err != nil {
		t.Error(err)
	}
}

func TestWhatIsMissingIsDeletedAndUnboundWithoutComplaint(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	g.declare(QueueSpec{Name: "q"})
	h.guest().declare(QueueSpec{Name: "theirs", Exclusive: true})
	n, err := g.DeleteQueue(g.batch, "nix", true, true)
	if n != 0 || err != nil {
		t.Error(n, err)
	}
	for _, err := range []error{
		g.DeleteExchange("nix", true), g.UnbindQueue("amq.topic", "q", exchange.Binding{Key: "k"}),
		g.UnbindQueue("nix", "q", exchange.Binding{}), g.UnbindQueue("amq.topic", "nix", exchange.Binding{}),
		g.UnbindExchange("amq.topic", "amq.fanout", exchange.Binding{}), g.UnbindExchange("nix", "amq.fanout", exchange.Binding{}),
		g.UnbindExchange("amq.topic", "nix", exchange.Binding{}), g.UnbindQueue("amq.topic", "theirs", exchange.Binding{}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestExclusiveQueuesGoWithTheirClient(t *testing.T) {
	h := newHouse(t, Config{})
	owner, other := h.guest(), h.guest()
	q := owner.declare(QueueSpec{Name: "mine", Exclusive: true})
	owner.must(owner.BindQueue("amq.fanout", "mine", exchange.Binding{}))
	owner.publish("", "mine", "1")
	if other.publish("amq.fanout", "", "2") != 1 { // publishing is everybody's right
		t.Error("the queue did not get the message")
	}
	if i := q.Info(); i.Ready != 2 || h.Stored() != i.ReadyBytes {
		t.Errorf("%+v, %d stored", i, h.Stored())
	}
	owner.close()
	_, err := other.CheckQueue("mine")
	refusal(t, err, NotFound, "no queue 'mine' in vhost '/'")
	if n := other.publish("amq.fanout", "", "3"); n != 0 || h.Stored() != 0 {
		t.Errorf("%d queues, %d bytes stored", n, h.Stored())
	}
	if _, err := owner.DeclareQueue(QueueSpec{Name: "mine", Exclusive: true}); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed client declared a queue that nobody will delete: %v", err)
	}
}

func TestAutoDeleteQueueGoesWithItsLastConsumer(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	g.declare(QueueSpec{Name: "q", AutoDelete: true})
	g.publish("", "q", "1")
	_, err := g.Get(g.batch, "q", true, func(*Delivery, int) {})
	g.must(err)
	g.batch.End()
	if g.VHost().Queue("q") == nil {
		t.Fatal("a get is no consumer, but it took the queue along")
	}
	a, b := g.consume(ConsumerSpec{Queue: "q"}, newTap()), g.consume(ConsumerSpec{Queue: "q"}, newTap())
	a.Cancel(g.batch)
	g.batch.End()
	if g.VHost().Queue("q") == nil {
		t.Fatal("a consumer was left")
	}
	b.Cancel(g.batch)
	c := func() *Consumer { // before the batch ends somebody comes
		c, err := g.Consume(ConsumerSpec{Queue: "q"}, newTap())
		g.must(err)
		return c
	}()
	g.batch.End()
	if g.VHost().Queue("q") == nil {
		t.Fatal("somebody had come")
	}
	c.Cancel(g.batch)
	g.batch.End()
	if g.VHost().Queue("q") != nil {
		t.Fatal("the queue is still there")
	}
}

func TestAutoDeleteExchangeGoesWithItsLastBinding(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	there := func(name string) bool { return g.CheckExchange(name) == nil }
	auto := func(name string) {
		g.exchange(ExchangeSpec{Name: name, Type: exchange.Direct, AutoDelete: true})
	}
	auto("a")
	g.declare(QueueSpec{Name: "q"})
	g.must(g.BindQueue("a", "q", exchange.Binding{Key: "1"}))
	g.must(g.BindQueue("a", "q", exchange.Binding{Key: "2"}))
	g.must(g.UnbindQueue("a", "q", exchange.Binding{Key: "1"}))
	if !there("a") {
		t.Fatal("a binding was left")
	}
	g.must(g.UnbindQueue("a", "q", exchange.Binding{Key: "2"}))
	if there("a") {
		t.Fatal("no binding was left")
	}
	// A queue's end empties an exchange, whose end empties the next.
	auto("a")
	auto("b")
	auto("c")
	g.must(g.BindExchange("c", "b", exchange.Binding{}))
	g.must(g.BindExchange("b", "a", exchange.Binding{}))
	g.must(g.BindQueue("a", "q", exchange.Binding{}))
	g.delete("q")
	if there("a") || there("b") || there("c") {
		t.Fatal("the chain did not go with the queue")
	}
	// Being bound to is not being used.
	auto("a")
	auto("b")
	g.must(g.BindExchange("a", "b", exchange.Binding{}))
	g.must(g.DeleteExchange("a", false))
	if !there("b") {
		t.Fatal("an exchange that never had a binding of its own went")
	}
}

func TestDeletingAnExchangeInACircleEndsTheCircle(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	for _, name := range []string{"a", "b", "c"} {
		g.exchange(ExchangeSpec{Name: name, Type: exchange.Fanout, AutoDelete: name != "a"})
	}
	for _, b := range [][2]string{{"a", "b"}, {"b", "c"}, {"c", "a"}, {"a", "a"}, {"c", "c"}} {
		g.must(g.BindExchange(b[0], b[1], exchange.Binding{}))
	}
	g.must(g.DeleteExchange("a", false))
	if n := len(g.VHost().Bindings()); n != 2 { // b to c, c to c
		t.Errorf("%d bindings are left: %+v", n, g.VHost().Bindings())
	}
	g.must(g.DeleteExchange("c", false))
	if g.CheckExchange("b") == nil || len(g.VHost().Bindings()) != 0 {
		t.Error("what was emptied is still there")
	}
}

func TestPurgeAndDeleteTellHowManyWaited(t *testing.T) {
	h := newHouse(t, Config{})
	g := h.guest()
	q := g.declare(QueueSpec{Name: "q"})
	for range 5 {
		g.publish("", "q", "x")
	}
	taken := newTap()
	g.consume(ConsumerSpec{Queue: "q", Prefetch: 2}, taken)
	n, err := g.PurgeQueue(g.batch, "q")
	g.batch.End()
	if n != 3 || err != nil {
		t.Errorf("%d purged, %v", n, err)
	}
	if i := q.Info(); i.Ready != 0 || i.Unacked != 2 || h.Stored() != i.UnackedBytes {
		t.Errorf("%+v, %d stored", i, h.Stored())
	}
	g.publish("", "q", "y")
	if n := g.delete("q"); n != 1 {
		t.Errorf("%d deleted, of 1 ready and 2 unsettled", n)
	}
	if h.Stored() != 0 {
		t.Errorf("%d bytes are stored in no queue", h.Stored())
	}
	if n := g.settle(q, 0, taken.take()[0].seq); n != 0 || h.Stored() != 0 {
		t.Errorf("%d settled of a queue that is gone, %d stored", n, h.Stored())
	}
}

func TestListsAreSortedAndComplete(t *testing.T) {
	h := newHouse(t, Config{VHosts: []string{"b", "/", "a"}})
	g := h.guest()
	for _, name := range []string{"q2", "q1"} {
		g.declare(QueueSpec{Name: name})
		g.must(g.BindQueue("amq.topic", name, exchange.Binding{Key: "k2"}))
		g.must(g.BindQueue("amq.topic", name, exchange.Binding{Key: "k1"}))
	}
	g.must(g.BindExchange("amq.direct", "amq.topic", exchange.Binding{Key: "x"}))
	var names []string
	for _, v := range h.VHosts() {
		names = append(names, v.Name())
	}
	for _, q := range g.VHost().Queues() {
		names = append(names, q.Name())
	}
	for _, x := range g.VHost().Exchanges() {
		names = append(names, x.Name)
	}
	for _, b := range g.VHost().Bindings() {
		names = append(names, b.Exchange+">"+b.Destination+":"+b.Key)
	}
	want := "/ a b q1 q2  amq.direct amq.fanout amq.headers amq.match amq.rabbitmq.trace amq.topic " +
		"amq.direct>amq.topic:x amq.topic>q1:k1 amq.topic>q1:k2 amq.topic>q2:k1 amq.topic>q2:k2"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
}
