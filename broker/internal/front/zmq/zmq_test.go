package zmq

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/front"
	"github.com/warrenmq/warren/broker/internal/front/fronttest"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/zmq"
)

// serve opens a door and returns where peers reach it, and how to close it before the test ends.
func serve(t testing.TB, env front.Env, text string) (address string, shut func()) {
	t.Helper()
	d, err := New(env, fronttest.Endpoint(t, text))
	if err != nil {
		t.Fatal(err)
	}
	at, err := d.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.Hint(), "warren zmq ") {
		t.Errorf("the hint is %q", d.Hint())
	}
	served := make(chan error, 1)
	go func() { served <- d.Serve(context.Background()) }()
	var once sync.Once
	shut = func() {
		once.Do(func() {
			down, end := context.WithTimeout(context.Background(), 10*time.Second)
			defer end()
			if err := d.Shutdown(down, "the test is over"); err != nil {
				t.Errorf("Shutdown = %v", err)
			}
			if err := <-served; err != nil {
				t.Errorf("Serve = %v", err)
			}
		})
	}
	t.Cleanup(shut)
	transport := "tcp"
	if parts := strings.Split(at.Scheme, "+"); len(parts) == 3 {
		transport = parts[2]
	}
	return transport + "://" + at.Address, shut
}

// soon is a context that fails a test that hangs.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func text(m zmq.Message) string {
	var parts []string
	for _, f := range m {
		parts = append(parts, string(f))
	}
	return strings.Join(parts, "|")
}

func frames(parts ...string) zmq.Message {
	var m zmq.Message
	for _, p := range parts {
		m = append(m, []byte(p))
	}
	return m
}

type peer interface {
	Dial(context.Context, string) error
	Listen(context.Context, string) (string, error)
	Close() error
}

func dial[P peer](t testing.TB, p P, address string) P {
	t.Helper()
	t.Cleanup(func() { _ = p.Close() })
	must(t, p.Dial(context.Background(), address))
	return p
}

// program is an engine client: any other protocol's.
type program struct {
	t      testing.TB
	client *engine.Client
	batch  *engine.Batch
	got    chan message.Message
}

func newProgram(t testing.TB, env front.Env) *program {
	t.Helper()
	user, err := env.Engine.Users().AuthenticateVerified("guest", true)
	must(t, err)
	c, err := env.Engine.Open("/", user, engine.ClientInfo{})
	must(t, err)
	return &program{t: t, client: c, batch: env.Engine.NewBatch(), got: make(chan message.Message, 10000)}
}

func (p *program) Deliver(d *engine.Delivery) engine.Verdict {
	p.got <- d.Message.Clone()
	return engine.Taken
}
func (p *program) Flush()                     {}
func (p *program) Cancelled(*engine.Consumer) {}

func (p *program) publish(m message.Message) {
	p.t.Helper()
	if _, err := p.client.Publish(p.batch, &m); err != nil {
		p.t.Fatal(err)
	}
	p.batch.End()
}

func (p *program) say(exchange, key, body string) {
	p.t.Helper()
	p.publish(message.Message{Exchange: []byte(exchange), Key: []byte(key), Body: []byte(body)})
}

func (p *program) consume(queue string) {
	p.t.Helper()
	c, err := p.client.Consume(engine.ConsumerSpec{Queue: queue, NoAck: true}, p)
	must(p.t, err)
	c.Wake(p.batch)
	p.batch.End()
}

func (p *program) bind(from, key string) {
	p.t.Helper()
	d, err := p.client.DeclareQueue(engine.QueueSpec{Exclusive: true})
	must(p.t, err)
	must(p.t, p.client.BindQueue(from, d.Name, exchange.Binding{Key: key}))
	p.consume(d.Name)
}

func (p *program) next() message.Message {
	p.t.Helper()
	select {
	case m := <-p.got:
		return m
	case <-time.After(20 * time.Second):
		p.t.Fatal("nothing came")
		panic("unreachable")
	}
}

// until waits for something that real sockets bring about.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for ctx := soon(t); !done(); runtime.Gosched() {
		if ctx.Err() != nil {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// untilBound waits until a subscription has become a binding, or has ceased to be one.
func (p *program) untilBound(env front.Env, bindings int) {
	p.t.Helper()
	until(p.t, fmt.Sprint(bindings, " bindings"), func() bool { return len(env.Engine.VHost("/").Bindings()) == bindings })
}

func TestSubscribersGetWhatIsPublishedUnderTheirPrefix(t *testing.T) {
	for _, scheme := range []string{"zmq+pub", "zmq+xpub", "zmq+pub+ipc", "zmq+pub+inproc"} {
		t.Run(scheme, func(t *testing.T) {
			env, _ := fronttest.NewEnv(t, engine.Config{})
			where := "127.0.0.1:0"
			switch {
			case strings.HasSuffix(scheme, "+ipc"):
				where = filepath.Join(t.TempDir(), "s")
			case strings.HasSuffix(scheme, "+inproc"):
				where = t.Name()
			}
			at, _ := serve(t, env, scheme+"://"+where+"?exchange=amq.topic")
			p, ctx := newProgram(t, env), soon(t)
			a, b := dial(t, zmq.NewSub(nil), at), dial(t, zmq.NewSub(nil), at)
			must(t, a.Subscribe("a.b"))
			must(t, b.Subscribe(""))
			p.untilBound(env, 2)
			for _, key := range []string{"a", "a.b", "a.bc", "a.b.c", "b.a.b", "end a.b", "a.b end"} {
				p.say("amq.topic", key, "body of "+key)
			}
			for _, tc := range []struct {
				sub  *zmq.Sub
				keys []string
			}{
				{a, []string{"a.b", "a.bc", "a.b.c", "a.b end"}},
				{b, []string{"a", "a.b", "a.bc", "a.b.c", "b.a.b", "end a.b", "a.b end"}},
			} {
				for _, key := range tc.keys {
					m, err := tc.sub.Recv(ctx)
					if err != nil || text(m) != key+"|body of "+key {
						t.Errorf("got %q, %v; want %s", text(m), err, key)
					}
				}
			}
			must(t, b.Unsubscribe(""))
			p.untilBound(env, 1)
			must(t, a.Unsubscribe("a.b"))
			p.untilBound(env, 0)
		})
	}
}

func TestAFanoutExchangeHasSubscribersToo(t *testing.T) {
	for _, name := range []string{"amq.fanout", "amq.headers"} {
		env, _ := fronttest.NewEnv(t, engine.Config{})
		at, _ := serve(t, env, "zmq+pub://127.0.0.1:0?exchange="+name)
		p, ctx := newProgram(t, env), soon(t)
		sub := dial(t, zmq.NewSub(nil), at)
		must(t, sub.Subscribe("a"))
		must(t, sub.Subscribe("b"))
		p.untilBound(env, 1)
		p.say(name, "c", "not this")
		p.say(name, "ab", "this")
		if m, err := sub.Recv(ctx); err != nil || text(m) != "ab|this" {
			t.Errorf("got %q, %v", text(m), err)
		}
	}
}

func TestAPrefixIsBoundByItsWholeWords(t *testing.T) {
	for prefix, want := range map[string]string{
		"": "#", "a": "#", "a.": "a.#", "a.b": "a.#", "a.b.": "a.b.#", ".": ".#", "..x": "..#",
		strings.Repeat("x", 300): "#", "a." + strings.Repeat("x", 300): "a.#",
	} {
		if got := pattern(prefix); got != want {
			t.Errorf("%.10q... is bound by %q, want %q", prefix, got, want)
		}
	}
}

func TestWhatPeersPublishGoesIntoTheExchange(t *testing.T) {
	env, log := fronttest.NewEnv(t, engine.Config{})
	pub := zmq.NewXPub(nil)
	defer func() { _ = pub.Close() }()
	at, err := pub.Listen(context.Background(), "tcp://127.0.0.1:0")
	must(t, err)
	p, ctx := newProgram(t, env), soon(t)
	p.bind("amq.topic", "#")
	serve(t, env, "zmq+sub://"+strings.TrimPrefix(at, "tcp://")+"?exchange=amq.topic&connect=1&key=single&subscribe=a&subscribe=b&subscribe=x")
	for range 3 { // the subscriptions
		if _, err := pub.Recv(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []zmq.Message{
		frames("a.b", "one"), frames("c", "not this"), frames("alone"), frames("b", "two ", "", "frames"), frames(strings.Repeat("x", 256), ""), frames("b", ""),
	} {
		must(t, pub.Send(ctx, m))
	}
	for _, want := range []string{"a.b|one", "single|alone", "b|two frames", "b|"} {
		m := p.next()
		if got := string(m.Key) + "|" + string(m.Body); got != want || m.Hops != 1 || string(m.Exchange) != "amq.topic" {
			t.Errorf("got %s after %d hops, want %s", got, m.Hops, want)
		}
	}
	if !strings.Contains(log.String(), "routing key is longer") {
		t.Errorf("the log does not know:\n%s", log)
	}
}

func TestWhatPeersPushGoesIntoTheQueue(t *testing.T) {
	env, _ := fronttest.NewEnv(t, engine.Config{})
	at, _ := serve(t, env, "zmq+pull://127.0.0.1:0?queue=jobs")
	p, ctx := newProgram(t, env), soon(t)
	p.consume("jobs")
	const each = 1000
	for i := range 2 {
		push := dial(t, zmq.NewPush(nil), at)
		go func() {
			for n := range each {
				if err := push.Send(ctx, frames(fmt.Sprintf("%d %04d", i, n), "!")); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	var got [2]int
	for range 2 * each {
		m := p.next()
		i := int(m.Body[0] - '0')
		if want := fmt.Sprintf("%d %04d!", i, got[i]); string(m.Body) != want {
			t.Fatalf("got %q, want %q", m.Body, want)
		}
		got[i]++
	}
	// Somebody deletes the queue: it is declared again.
	_, err := p.client.DeleteQueue(p.batch, "jobs", false, false)
	must(t, err)
	p.batch.End()
	must(t, dial(t, zmq.NewPush(nil), at).Send(ctx, frames("after all")))
	until(t, "the queue is declared again", func() bool { return env.Engine.VHost("/").Queue("jobs") != nil })
	p.consume("jobs")
	if m := p.next(); string(m.Body) != "after all" {
		t.Errorf("got %q", m.Body)
	}
}

func TestPulledMessagesMayGoToAnExchange(t *testing.T) {
	env, _ := fronttest.NewEnv(t, engine.Config{})
	at, _ := serve(t, env, "zmq+pull://127.0.0.1:0?exchange=amq.direct&key=k")
	p := newProgram(t, env)
	p.bind("amq.direct", "k")
	must(t, dial(t, zmq.NewPush(nil), at).Send(soon(t), frames("x")))
	if m := p.next(); string(m.Key) != "k" || string(m.Body) != "x" {
		t.Errorf("got %q %q", m.Key, m.Body)
	}
}

func TestPublishersAreHeldWhileMemoryIsLow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, _ := fronttest.NewEnv(t, engine.Config{MemoryLimit: 10000})
		at, shut := serve(t, env, "zmq+pull+inproc://held?queue=jobs&hwm=10")
		defer shut()
		push := zmq.NewPush(&zmq.Options{SendHWM: 10})
		defer func() { _ = push.Close() }()
		must(t, push.Dial(context.Background(), at))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		sent := 0
		for push.Send(ctx, zmq.Message{make([]byte, 10000)}) == nil {
			sent++
		}
		synctest.Wait()
		if ready := env.Engine.VHost("/").Queue("jobs").Info().Ready; ready > 100 || ready == 0 || sent < ready || sent > 1000 {
			t.Errorf("%d messages wait, %d were sent", ready, sent)
		}
		p := newProgram(t, env)
		p.consume("jobs")
		synctest.Wait()
		if len(p.got) != sent {
			t.Errorf("%d of %d messages came", len(p.got), sent)
		}
	})
}

func TestTheQueueKeepsWhatNoPeerTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, _ := fronttest.NewEnv(t, engine.Config{})
		at, shut := serve(t, env, "zmq+push+inproc://kept?queue=jobs&hwm=1")
		defer shut()
		p := newProgram(t, env)
		const n = 1000
		for i := range n {
			p.say("", "jobs", fmt.Sprint(i))
		}
		synctest.Wait()
		info := env.Engine.VHost("/").Queue("jobs").Info()
		if info.Ready+info.Unacked != n || info.Unacked > pushWindow {
			t.Errorf("%d wait, %d are out", info.Ready, info.Unacked)
		}
		pull := zmq.NewPull(&zmq.Options{RecvHWM: 1})
		defer func() { _ = pull.Close() }()
		must(t, pull.Dial(context.Background(), at))
		for i := range n / 2 {
			m, err := pull.Recv(context.Background())
			if err != nil || text(m) != fmt.Sprint(i) {
				t.Fatalf("message %d is %q, %v", i, text(m), err)
			}
		}
		synctest.Wait()
		info = env.Engine.VHost("/").Queue("jobs").Info()
		if left := info.Ready + info.Unacked; left > n/2 || left < n/2-10 {
			t.Errorf("%d are left of %d", left, n/2)
		}
		shut()
		info = env.Engine.VHost("/").Queue("jobs").Info()
		if info.Unacked != 0 || info.Ready < n/2-10 || info.Consumers != 0 {
			t.Errorf("%d wait, %d are out, %d consume", info.Ready, info.Unacked, info.Consumers)
		}
		p.consume("jobs")
		first := <-p.got
		for want := range n {
			if string(first.Body) == fmt.Sprint(want) {
				if want < n/2 || want > n/2+10 {
					t.Errorf("the first that is left is %d", want)
				}
				return
			}
		}
		t.Errorf("the first that is left is %q", first.Body)
	})
}

func TestPushSharesOutAndSurvivesTheDeletionOfItsQueue(t *testing.T) {
	env, log := fronttest.NewEnv(t, engine.Config{})
	at, _ := serve(t, env, "zmq+push://127.0.0.1:0?queue=jobs")
	p, ctx := newProgram(t, env), soon(t)
	a := dial(t, zmq.NewPull(nil), at)
	p.say("", "jobs", "one")
	if m, err := a.Recv(ctx); err != nil || text(m) != "one" {
		t.Fatalf("got %q, %v", text(m), err)
	}
	_, err := p.client.DeleteQueue(p.batch, "jobs", false, false)
	must(t, err)
	p.batch.End()
	until(t, "the queue is declared again", func() bool {
		q := env.Engine.VHost("/").Queue("jobs")
		return q != nil && q.Info().Consumers == 1
	})
	p.say("", "jobs", "two")
	if m, err := a.Recv(ctx); err != nil || text(m) != "two" {
		t.Fatalf("got %q, %v", text(m), err)
	}
	if !strings.Contains(log.String(), "the queue was deleted") {
		t.Errorf("the log does not know:\n%s", log)
	}
}

func TestARequestIsAnsweredByWhoeverConsumesIt(t *testing.T) {
	env, log := fronttest.NewEnv(t, engine.Config{})
	at, _ := serve(t, env, "zmq+rep://127.0.0.1:0?exchange=&key=rpc")
	p := newProgram(t, env)
	_, err := p.client.DeclareQueue(engine.QueueSpec{Name: "rpc"})
	must(t, err)
	p.consume("rpc")
	const clients, each = 5, 50
	var asking sync.WaitGroup
	for c := range clients {
		req := dial(t, zmq.NewReq(nil), at)
		asking.Go(func() {
			for i := range each {
				want := fmt.Sprintf("%d/%d", c, i)
				m, err := req.Do(soon(t), frames(want))
				if err != nil || text(m) != "re: "+want {
					t.Errorf("asked %s, got %q, %v", want, text(m), err)
				}
			}
		})
	}
	var replyTo []byte
	for range clients * each {
		q := p.next()
		props := message.Properties{CorrelationID: string(q.CorrelationID())}
		replyTo = q.ReplyTo()
		p.publish(message.Message{
			Origin: message.AMQP091, Key: q.ReplyTo(), Props: props.Append(nil), Body: append([]byte("re: "), q.Body...),
		})
	}
	asking.Wait()

	// What answers nothing is dropped, and does no harm.
	for _, id := range []string{"", "x", "1", "99999999999999999999"} {
		props := message.Properties{CorrelationID: id}
		p.publish(message.Message{Origin: message.AMQP091, Key: replyTo, Props: props.Append(nil), Body: []byte("?")})
	}
	_, err = p.client.DeleteQueue(p.batch, "rpc", false, false)
	must(t, err)
	p.batch.End()
	short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if m, err := dial(t, zmq.NewReq(nil), at).Do(short, frames("anybody?")); err == nil {
		t.Errorf("nobody answered %q", text(m))
	}
	if !strings.Contains(log.String(), "could not be routed") {
		t.Errorf("the log does not know:\n%s", log)
	}
}

func TestARequestIsForgottenAfterItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, log := fronttest.NewEnv(t, engine.Config{})
		at, shut := serve(t, env, "zmq+rep+inproc://forgotten?key=rpc&timeout=8s&pending=1")
		defer shut()
		p := newProgram(t, env)
		_, err := p.client.DeclareQueue(engine.QueueSpec{Name: "rpc"})
		must(t, err)
		p.consume("rpc")
		start := time.Now()
		var asking sync.WaitGroup
		for range 2 {
			req := zmq.NewReq(nil)
			defer func() { _ = req.Close() }()
			must(t, req.Dial(context.Background(), at))
			asking.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if _, err := req.Do(ctx, frames("hello?")); err == nil {
					t.Error("nobody answered")
				}
			})
		}
		<-p.got
		if d := time.Since(start); d > time.Second {
			t.Errorf("asked after %v", d)
		}
		<-p.got // only one request may be pending, so the second waits for the first one's timeout
		if d := time.Since(start); d < 8*time.Second || d > 10*time.Second {
			t.Errorf("forgotten after %v", d)
		}
		asking.Wait()
		if !strings.Contains(log.String(), "no answer came in time") {
			t.Errorf("the log does not know:\n%s", log)
		}
	})
}

func TestAQueuesMessagesAreAskedAndTheirAnswersPublished(t *testing.T) {
	env, _ := fronttest.NewEnv(t, engine.Config{})
	at, _ := serve(t, env, "zmq+req://127.0.0.1:0?queue=rpc")
	p, ctx := newProgram(t, env), soon(t)
	d, err := p.client.DeclareQueue(engine.QueueSpec{Exclusive: true})
	must(t, err)
	p.consume(d.Name)
	replies := d.Name
	for range 3 {
		rep := dial(t, zmq.NewRep(nil), at)
		go func() {
			for q, err := range rep.Requests(ctx) {
				if err != nil {
					return
				}
				_ = q.Reply(ctx, frames("re: ", string(q.Message[0])))
			}
		}()
	}
	const n = 200
	for i := range n {
		props := message.Properties{ReplyTo: replies, CorrelationID: fmt.Sprint("c", i)}
		p.publish(message.Message{Origin: message.AMQP091, Key: []byte("rpc"), Props: props.Append(nil), Body: fmt.Append(nil, i)})
	}
	var got []string
	for range n {
		m := p.next()
		got = append(got, string(m.CorrelationID()))
		if "c"+strings.TrimPrefix(string(m.Body), "re: ") != string(m.CorrelationID()) {
			t.Errorf("%s answers %s", m.Body, m.CorrelationID())
		}
	}
	slices.Sort(got)
	if len(slices.Compact(got)) != n {
		t.Error("some were answered twice")
	}
	p.say("", "rpc", "nobody wants an answer")
	until(t, "what was answered is acknowledged", func() bool {
		i := env.Engine.VHost("/").Queue("rpc").Info()
		return i.Ready+i.Unacked == 0
	})
}

func TestAnUnansweredMessageGoesBackIntoItsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, _ := fronttest.NewEnv(t, engine.Config{})
		at, shut := serve(t, env, "zmq+req+inproc://unanswered?queue=rpc&timeout=8s&prefetch=1")
		defer shut()
		p := newProgram(t, env)
		p.say("", "rpc", "hello?")
		time.Sleep(time.Minute) // nobody is there to be asked: no time runs
		rep := zmq.NewRep(nil)
		defer func() { _ = rep.Close() }()
		must(t, rep.Dial(context.Background(), at))
		if _, err := rep.Recv(context.Background()); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		again, err := rep.Recv(context.Background())
		must(t, err)
		if d := time.Since(asked); d < 8*time.Second || d > 10*time.Second {
			t.Errorf("asked again after %v", d)
		}
		q := env.Engine.VHost("/").Queue("rpc")
		if i := q.Info(); i.Unacked != 1 {
			t.Errorf("%d are out", i.Unacked)
		}
		shut()
		if i := q.Info(); i.Unacked != 0 || i.Ready != 1 {
			t.Errorf("%d wait, %d are out", i.Ready, i.Unacked)
		}
		_ = again
	})
}

func TestWhatHasCrossedTooManyBordersIsNotHandedOn(t *testing.T) {
	env, log := fronttest.NewEnv(t, engine.Config{})
	at, _ := serve(t, env, "zmq+push://127.0.0.1:0?queue=jobs")
	p, ctx := newProgram(t, env), soon(t)
	for _, hops := range []uint8{message.MaxHops, message.MaxHops - 1} {
		p.publish(message.Message{Key: []byte("jobs"), Hops: hops, Body: fmt.Append(nil, hops)})
	}
	m, err := dial(t, zmq.NewPull(nil), at).Recv(ctx)
	if err != nil || text(m) != fmt.Sprint(message.MaxHops-1) {
		t.Errorf("got %q, %v", text(m), err)
	}
	if !strings.Contains(log.String(), "there is a loop") {
		t.Errorf("the log does not know:\n%s", log)
	}
}

func TestARingOfBrokersEndsAMessageThatGoesRound(t *testing.T) {
	here, log := fronttest.NewEnv(t, engine.Config{})
	there, _ := fronttest.NewEnv(t, engine.Config{})
	out, _ := serve(t, here, "zmq+push://127.0.0.1:0?queue=ring")
	serve(t, there, "zmq+pull://"+strings.TrimPrefix(out, "tcp://")+"?queue=ring&connect=1")
	back, _ := serve(t, there, "zmq+push://127.0.0.1:0?queue=ring")
	serve(t, here, "zmq+pull://"+strings.TrimPrefix(back, "tcp://")+"?queue=ring&connect=1")
	newProgram(t, here).publish(message.Message{Key: []byte("ring"), Body: []byte("round and round")})
	ctx := soon(t)
	for !strings.Contains(log.String(), "there is a loop") {
		must(t, ctx.Err())
		runtime.Gosched()
	}
	// It began here with 0 borders crossed, and was here again after 2, 4, … MaxHops.
	if n := here.Engine.Counters().Published; n > 1+message.MaxHops/2 {
		t.Errorf("it came by %d times", n)
	}
}

func TestTheUsersPermissionsApply(t *testing.T) {
	users := access.New()
	must(t, users.PutDefault("/"))
	must(t, users.Put(access.User{Name: "nobody"}))
	must(t, users.SetPermissions("/", "nobody", access.Permissions{}))
	must(t, users.Put(access.User{Name: "outsider"}))
	env, _ := fronttest.NewEnv(t, engine.Config{Users: users})
	for text, want := range map[string]string{
		"zmq+push://127.0.0.1:0?queue=jobs&user=nobody":    "configure access to queue 'jobs' in vhost '/' refused for user 'nobody'",
		"zmq+push://127.0.0.1:0?queue=jobs&user=outsider":  "access to vhost '/' refused for user 'outsider'",
		"zmq+push://127.0.0.1:0?queue=jobs&user=ghost":     "invalid credentials",
		"zmq+push://127.0.0.1:0?queue=jobs&vhost=x":        "vhost x not found",
		"zmq+push://*:0?queue=jobs":                        "user 'guest' can only connect via localhost; another user is named with &user=",
		"zmq+pub://127.0.0.1:0?exchange=amq.direct":        "a pub needs topic, fanout or headers",
		"zmq+pub://127.0.0.1?exchange=amq.topic&connect=1": "malformed",
	} {
		d, err := New(env, fronttest.Endpoint(t, text))
		must(t, err)
		if _, err := d.Open(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
		must(t, d.Shutdown(context.Background(), ""))
	}
}

func TestAListenersURLIsUnderstoodOrRefused(t *testing.T) {
	for text, want := range map[string]string{
		"zmq+stream://h:1":                                 `there is no socket type "stream"`,
		"zmq+pub+udp://h:1":                                `there is no transport "udp"`,
		"zmq+pub://h:1":                                    "it does not say which exchange",
		"zmq+push://h:1":                                   "it does not say which queue",
		"zmq+pull://h:1":                                   "it does not say where messages go",
		"zmq+pull://h:1?queue=q&key=k":                     "not both",
		"zmq+rep://h:1?exchange=":                          "add ?key=rpc",
		"zmq+pub://h:1?exchange=x&queue=q":                 `there is no parameter "queue": zmq+pub knows exchange, durable`,
		"zmq+push://h:1?queue=q&hwm=0":                     "it should be a number of messages from 1",
		"zmq+req://h:1?queue=q&timeout=0":                  "it should be a duration above 0",
		"zmq+push://h:1?queue=q&connect=perhaps":           "it should be 0 or 1",
		"zmq+push://h:1?queue=" + strings.Repeat("q", 256): "255 bytes long at most",
	} {
		if _, err := parse(fronttest.Endpoint(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, scheme := range Schemes() {
		text := scheme + "://h:1?durable=0"
		switch kind := strings.Split(scheme, "+")[1]; kind {
		case "push", "pull", "req":
			text += "&queue=q"
		case "rep":
			text += "&key=rpc"
		default:
			text += "&exchange=x"
		}
		if _, err := parse(fronttest.Endpoint(t, text)); err != nil {
			t.Error(err)
		}
	}
}

func TestAMailboxIsBoundedAndKeepsOrder(t *testing.T) {
	roomed := 0
	m := newMailbox(func() { roomed++ })
	put := func(body string) bool {
		ok, _ := m.put(&letter{key: []byte("k"), tag: []byte("tag"), body: []byte(body)})
		return ok
	}
	n := 0
	for put(fmt.Sprint(n)) {
		n++
	}
	if n != boxLetters {
		t.Errorf("%d letters fit", n)
	}
	b := m.takeNow()
	if roomed != 1 {
		t.Errorf("room was called %d times", roomed)
	}
	for i := range n {
		if l := b.next(i); string(l.key) != "k" || string(l.tag) != "tag" || string(l.body) != fmt.Sprint(i) {
			t.Fatalf("letter %d is %q", i, l.body)
		}
	}
	if b.next(n) != nil || m.takeNow() != nil {
		t.Error("there is more than was put in")
	}
	if !put(strings.Repeat("x", 2*boxBytes)) || put("y") {
		t.Error("a letter of any size fits into an empty box, and nothing behind it")
	}
}
