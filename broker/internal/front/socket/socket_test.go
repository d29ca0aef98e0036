package socket

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
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
	"github.com/warrenmq/warren/broker/internal/front/pump"
	"github.com/warrenmq/warren/broker/internal/message"
)

// lab is a broker with one listener.
type lab struct {
	t      testing.TB
	env    front.Env
	log    *fronttest.Log
	server *pump.Server
}

// open prepares a stream listener's mode without a listener: clients come by pipes.
func open(t testing.TB, listener string, config engine.Config) *lab {
	t.Helper()
	env, log := fronttest.NewEnv(t, config)
	s, err := parse(fronttest.Endpoint(t, listener))
	if err != nil {
		t.Fatal(err)
	}
	if s.mode != echo {
		if err := s.prepare(env); err != nil {
			t.Fatal(err)
		}
	}
	server := pump.New(pump.Config{Front: &streams{env: env, settings: s}, Logger: env.Logger, Now: env.Engine.Now})
	t.Cleanup(func() { _ = server.Close() })
	return &lab{t: t, env: env, log: log, server: server}
}

// person is somebody at the other end of a pipe.
type person struct {
	net.Conn
	t   testing.TB
	in  *bufio.Reader
	end chan error // what ServeConn returned
}

func (l *lab) connect() *person {
	client, server := net.Pipe()
	p := &person{Conn: client, t: l.t, in: bufio.NewReader(client), end: make(chan error, 1)}
	go func() { p.end <- l.server.ServeConn(context.Background(), server) }()
	return p
}

func (p *person) say(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p, s); err != nil {
		p.t.Fatalf("say %q: %v", s, err)
	}
}

func (p *person) hears(want ...string) {
	p.t.Helper()
	for _, w := range want {
		got, err := p.in.ReadString('\n')
		if got != w+"\n" {
			p.t.Fatalf("heard %q, %v; want %q", got, err, w)
		}
	}
}

// silent asserts that nothing has come. Within a bubble only.
func (p *person) hearsNothing() {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(time.Millisecond))
	if b, err := p.in.ReadByte(); err == nil {
		rest, _ := p.in.Peek(p.in.Buffered())
		p.t.Errorf("heard %q", string(b)+string(rest))
	}
	_ = p.SetReadDeadline(time.Time{})
}

// program is an engine client: any other protocol's.
type program struct {
	t      testing.TB
	client *engine.Client
	batch  *engine.Batch
	mu     sync.Mutex
	got    []message.Message
}

func (l *lab) program() *program {
	l.t.Helper()
	user, err := l.env.Engine.Users().AuthenticateVerified("guest", true)
	if err != nil {
		l.t.Fatal(err)
	}
	c, err := l.env.Engine.Open("/", user, engine.ClientInfo{})
	if err != nil {
		l.t.Fatal(err)
	}
	return &program{t: l.t, client: c, batch: l.env.Engine.NewBatch()}
}

func (p *program) Deliver(d *engine.Delivery) engine.Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, d.Message.Clone())
	return engine.Taken
}
func (p *program) Flush()                     {}
func (p *program) Cancelled(*engine.Consumer) {}

func (p *program) publish(exchange, key, body string) {
	p.t.Helper()
	m := message.Message{Exchange: []byte(exchange), Key: []byte(key), Body: []byte(body)}
	if _, err := p.client.Publish(p.batch, &m); err != nil {
		p.t.Fatal(err)
	}
	p.batch.End()
}

// bind makes the program hear an exchange.
func (p *program) bind(from string) {
	p.t.Helper()
	d, err := p.client.DeclareQueue(engine.QueueSpec{Exclusive: true})
	if err == nil {
		err = p.client.BindQueue(from, d.Name, exchange.Binding{})
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.consume(d.Name)
}

func (p *program) consume(queue string) {
	p.t.Helper()
	c, err := p.client.Consume(engine.ConsumerSpec{Queue: queue, NoAck: true}, p)
	if err != nil {
		p.t.Fatal(err)
	}
	c.Wake(p.batch)
	p.batch.End()
}

func (p *program) bodies() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, m := range p.got {
		all = append(all, string(m.Body))
	}
	return all
}

func (l *lab) ready(queue string) int {
	l.t.Helper()
	q := l.env.Engine.VHost("/").Queue(queue)
	if q == nil {
		l.t.Fatalf("no queue %q", queue)
	}
	return q.Info().Ready
}

func TestALineReachesAllOthersInTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "room+tcp://h:1?exchange=lobby", engine.Config{})
		a, b, c := l.connect(), l.connect(), l.connect()
		other := l.program()
		other.bind("lobby")
		synctest.Wait()

		a.say("hello\n")
		b.hears("hello")
		c.hears("hello")
		synctest.Wait()
		if got := other.bodies(); len(got) != 1 || got[0] != "hello" {
			t.Errorf("the program heard %q", got)
		}
		other.publish("lobby", "any", "from elsewhere")
		for _, p := range []*person{a, b, c} {
			p.hears("from elsewhere")
		}
		other.publish("", string(other.got[0].Key), "to you alone")
		a.hears("to you alone")
		b.say("one\ntw")
		a.hears("one")
		b.say("o\r\n\nthree\n")
		a.hears("two", "", "three")
		c.hears("one", "two", "", "three")
		a.hearsNothing()
		b.hearsNothing()
		c.hearsNothing()

		_ = b.Close()
		<-b.end
		a.say("b is gone\n")
		c.hears("b is gone")
		_ = a.Close()
		_ = c.Close()
		<-a.end
		<-c.end
		other.batch.End()
		other.client.Close(other.batch)
		if qs := l.env.Engine.VHost("/").Queues(); len(qs) != 0 {
			t.Errorf("%d queues are left", len(qs))
		}
	})
}

func TestForeignBodiesBecomeLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "room+tcp://h:1?exchange=lobby", engine.Config{})
		a, p := l.connect(), l.program()
		synctest.Wait()
		for _, tc := range []struct{ body, heard string }{
			{"plain", "plain\n"}, {"", "\n"}, {"two\nlines", "two\nlines\n"}, {"ended\n", "ended\n"}, {"\n", "\n"}, {"cr\r", "cr\r\n"},
		} {
			p.publish("lobby", "", tc.body)
			got := make([]byte, len(tc.heard))
			if _, err := io.ReadFull(a.in, got); err != nil || string(got) != tc.heard {
				t.Errorf("%q is heard as %q, %v", tc.body, got, err)
			}
		}
		a.hearsNothing()
	})
}

func TestLength32KeepsBodiesWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "room+tcp://h:1?exchange=lobby&framing=length32&max=100", engine.Config{})
		a, b := l.connect(), l.connect()
		synctest.Wait()
		body := "two\nlines\r\n\x00"
		frame := string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
		a.say(frame + frame[:3])
		a.say(frame[3:9])
		a.say(frame[9:] + "\x00\x00\x00\x00")
		want := frame + frame + "\x00\x00\x00\x00"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(b.in, got); err != nil || string(got) != want {
			t.Errorf("got %q, %v", got, err)
		}
		a.say("\x00\x00\x00\x65")
		if err := <-a.end; err == nil || !strings.Contains(err.Error(), "longer than 100 bytes") {
			t.Errorf("the connection ended with %v", err)
		}
		b.say("\x00\x00\x00\x02x")
		_ = b.Close()
		if err := <-b.end; err != nil {
			t.Error(err)
		}
		if !strings.Contains(l.log.String(), "in the middle of a message") {
			t.Errorf("the log does not know:\n%s", l.log)
		}
	})
}

func TestALineBeyondTheLimitClosesItsSenderAlone(t *testing.T) {
	for _, end := range []string{"", "\n"} {
		synctest.Test(t, func(t *testing.T) {
			l := open(t, "room+tcp://h:1?exchange=lobby&max=10", engine.Config{})
			a, b := l.connect(), l.connect()
			synctest.Wait()
			a.say("0123456789\r\n")
			b.hears("0123456789")
			a.say("0123456789x" + end)
			if err := <-a.end; err == nil || !strings.Contains(err.Error(), "longer than 10 bytes") {
				t.Errorf("the connection ended with %v", err)
			}
			if !strings.Contains(l.log.String(), "longer than 10 bytes") {
				t.Errorf("the log does not know:\n%s", l.log)
			}
			b.hearsNothing()
			_ = b.Close()
			if err := <-b.end; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALastLineNeedsNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "queue+tcp://h:1?queue=jobs&consume=0", engine.Config{})
		a := l.connect()
		a.say("one\ntwo")
		_ = a.Close()
		<-a.end
		p := l.program()
		p.consume("jobs")
		if got := strings.Join(p.bodies(), ","); got != "one,two" {
			t.Errorf("the queue had %s", got)
		}
	})
}

func TestASilentClientBecomesAConsumerAndAProducerDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "queue+tcp://h:1?queue=jobs", engine.Config{})
		producer := l.connect()
		producer.say("job 1\njob 2\n")
		time.Sleep(10 * listenAfter)
		if n := l.ready("jobs"); n != 2 {
			t.Fatalf("%d jobs wait", n)
		}
		producer.hearsNothing()
		worker := l.connect()
		worker.hears("job 1", "job 2")
		producer.say("job 3\n")
		worker.hears("job 3")

		// Who ceases to be silent ceases to consume.
		worker.say("I have one myself\n")
		producer.say("job 4\n")
		synctest.Wait()
		if n := l.ready("jobs"); n != 2 {
			t.Errorf("%d jobs wait", n)
		}
	})
}

func TestConsumeAndPublishSayWhoMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "queue+tcp://h:1?queue=jobs&consume=1", engine.Config{})
		a := l.connect()
		a.say("mine\n")
		a.hears("mine")
	})
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "queue+tcp://h:1?queue=jobs&publish=0", engine.Config{})
		a, p := l.connect(), l.program()
		p.publish("", "jobs", "job")
		a.hears("job")
		a.say("mine\n")
		if err := <-a.end; err != errMute {
			t.Errorf("the connection ended with %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "room+tcp://h:1?exchange=lobby&consume=0", engine.Config{})
		a, p := l.connect(), l.program()
		p.bind("lobby")
		a.say("sensor 7\n")
		synctest.Wait()
		if got := p.bodies(); len(got) != 1 {
			t.Errorf("heard %q", got)
		}
		if n := len(l.env.Engine.VHost("/").Queues()); n != 1 {
			t.Errorf("%d queues", n)
		}
	})
}

func TestAQuietClientIsClosed(t *testing.T) {
	for _, listener := range []string{
		"echo+tcp://h:1?idle=8s", "room+tcp://h:1?exchange=lobby&idle=8s", "queue+tcp://h:1?queue=jobs&idle=8s",
	} {
		t.Run(listener, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t, listener, engine.Config{})
				a := l.connect()
				go func() { _, _ = io.Copy(io.Discard, a) }()
				for range 5 {
					time.Sleep(7 * time.Second)
					a.say("x\n")
				}
				start := time.Now()
				if err := <-a.end; err != nil {
					t.Error(err)
				}
				if d := time.Since(start); d < 8*time.Second || d > 9*time.Second {
					t.Errorf("closed after %v", d)
				}
				if !strings.Contains(l.log.String(), "quiet for too long") {
					t.Errorf("the log does not know:\n%s", l.log)
				}
			})
		})
	}
}

func TestWhoFallsTooFarBehindIsClosedAndNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "room+tcp://h:1?exchange=lobby&backlog=100000", engine.Config{})
		sleeper, awake, p := l.connect(), l.connect(), l.program()
		heard := make(chan int, 1)
		go func() {
			n, _ := io.Copy(io.Discard, awake.in)
			heard <- int(n)
		}()
		synctest.Wait()
		const lines, size = 500, 1000
		for range lines {
			p.publish("lobby", "", strings.Repeat("x", size-1))
			synctest.Wait()
		}
		time.Sleep(2 * lagCheck)
		if err := <-sleeper.end; err != errBehind {
			t.Errorf("the sleeper's connection ended with %v", err)
		}
		_ = awake.Close()
		if n := <-heard; n != lines*size {
			t.Errorf("the other heard %d bytes", n)
		}
	})
}

func TestASlowReaderGetsEverythingInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "queue+tcp://h:1?queue=jobs&publish=0", engine.Config{})
		a, p := l.connect(), l.program()
		const lines, size = 2000, 1000
		for i := range lines {
			p.publish("", "jobs", fmt.Sprintf("%0*d", size, i))
		}
		synctest.Wait()
		if n := l.ready("jobs"); n == 0 {
			t.Error("a client that reads nothing was given everything")
		}
		for i := range lines {
			a.hears(fmt.Sprintf("%0*d", size, i))
		}
	})
}

func TestPublishersAreHeldWhileMemoryIsLow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "queue+tcp://h:1?queue=jobs&consume=0", engine.Config{MemoryLimit: 1000})
		a, p := l.connect(), l.program()
		for range 20 {
			a.say(strings.Repeat("x", 99) + "\n")
			synctest.Wait()
			if held, _ := l.env.Engine.Held(); held != nil {
				break
			}
		}
		held := l.ready("jobs")
		said := make(chan struct{})
		go func() { a.say("late\n"); close(said) }()
		time.Sleep(time.Minute)
		if n := l.ready("jobs"); n != held {
			t.Errorf("%d messages came in while publishers were held", n-held)
		}
		p.consume("jobs")
		<-said
		synctest.Wait()
		if got := p.bodies(); len(got) != held+1 || got[held] != "late" {
			t.Errorf("%d messages, the last %q", len(got), got[len(got)-1])
		}
	})
}

func TestTheUsersPermissionsApply(t *testing.T) {
	users := access.New()
	if err := users.PutDefault("/"); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]access.Permissions{
		"deaf":   {Configure: ".*", Write: ".*"},
		"mute":   {Configure: ".*", Read: ".*", Write: "^amq\\.gen"},
		"nobody": {},
	} {
		if err := users.Put(access.User{Name: name}); err != nil {
			t.Fatal(err)
		}
		if err := users.SetPermissions("/", name, p); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ user, says, why string }{
		{"deaf", "", "read access to exchange 'amq.fanout' in vhost '/' refused for user 'deaf'"},
		{"mute", "x\n", "write access to exchange 'amq.fanout' in vhost '/' refused for user 'mute'"},
		{"nobody", "", "configure access to queue 'amq.gen-"},
	} {
		t.Run(tc.user, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t, "room+tcp://h:1?exchange=amq.fanout&user="+tc.user, engine.Config{Users: users})
				a := l.connect()
				if tc.says != "" {
					a.say(tc.says)
				}
				if err := <-a.end; err == nil || !strings.Contains(err.Error(), tc.why) {
					t.Errorf("the connection ended with %v", err)
				}
				if !strings.Contains(l.log.String(), "refused for user '"+tc.user+"'") {
					t.Errorf("the log does not know:\n%s", l.log)
				}
				if qs := l.env.Engine.VHost("/").Queues(); len(qs) != 0 {
					t.Errorf("%d queues are left", len(qs))
				}
			})
		})
	}
}

func TestAUserBoundToLoopbackIsSoHere(t *testing.T) {
	for text, want := range map[string]bool{"127.0.0.1": true, "::1": true, "10.0.0.1": false, "2001:db8::1": false} {
		if got := loopback(&net.TCPAddr{IP: net.ParseIP(text)}); got != want {
			t.Errorf("loopback(%s) = %v", text, got)
		}
	}
	if !loopback(&net.UnixAddr{}) {
		t.Error("a Unix socket is not on this machine")
	}
}

func TestADeletedQueueClosesItsClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, "queue+tcp://h:1?queue=jobs", engine.Config{})
		worker, producer, p := l.connect(), l.connect(), l.program()
		producer.say("x\n")
		worker.hears("x")
		if _, err := p.client.DeleteQueue(p.batch, "jobs", false, false); err != nil {
			t.Fatal(err)
		}
		p.batch.End()
		if err := <-worker.end; err != errDeleted {
			t.Errorf("the worker's connection ended with %v", err)
		}
		producer.say("y\n")
		if err := <-producer.end; err != errDeleted {
			t.Errorf("the producer's connection ended with %v", err)
		}
	})
}

func TestAListenersURLIsUnderstoodOrRefused(t *testing.T) {
	for text, want := range map[string]string{
		"echo+tcp://h:1?idel=5s":                            `there is no parameter "idel": echo+tcp knows idle`,
		"echo+tcp://h:1?idle=5":                             "idle=5 makes no sense: it should be a duration",
		"echo+udp://h:1?idle=5s":                            `there is no parameter "idle": echo+udp takes none`,
		"room+udp://h:1?exchange=x&backlog=5":               `there is no parameter "backlog"`,
		"echo+sctp://h:1":                                   `there is no network "sctp"`,
		"chat+tcp://h:1":                                    `there is no mode "chat"`,
		"room+tcp://h:1":                                    "it does not say which exchange: add ?exchange=lobby",
		"queue+tcp://h:1?queue=" + strings.Repeat("q", 256): "255 bytes long at most",
		"queue+tcp://h:1?queue=q&exchange=x":                `there is no parameter "exchange": queue+tcp knows queue, durable`,
		"room+tcp://h:1?exchange=x&framing=json":            "it should be line or length32",
		"room+udp://h:1?exchange=x&framing=length32":        "it should be line or none",
		"room+tcp://h:1?exchange=x&max=0":                   "it should be a number of bytes from 1 to",
		"room+tcp://h:1?exchange=x&publish=perhaps":         "it should be 0 or 1",
		"room+tcp://h:1?exchange=x&publish=0&consume=0":     "its clients could do nothing",
	} {
		if _, err := parse(fronttest.Endpoint(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, scheme := range Schemes() {
		text := scheme + "://h:1?"
		if scheme != "echo+udp" {
			text += "idle=1m"
		}
		if m, _, _ := strings.Cut(scheme, "+"); m == "room" {
			text += "&exchange=x"
		} else if m == "queue" {
			text += "&queue=x"
		}
		if _, err := parse(fronttest.Endpoint(t, text)); err != nil {
			t.Error(err)
		}
	}
}

func TestARoomNeedsAFanoutExchange(t *testing.T) {
	env, _ := fronttest.NewEnv(t, engine.Config{})
	for target, want := range map[string]string{
		"amq.fanout": "", "new": "", "amq.topic": "exchange 'amq.topic' is of type topic: a room needs one of type fanout",
		"amq.mine": "exchange name 'amq.mine' contains reserved prefix",
	} {
		s, err := parse(fronttest.Endpoint(t, "room+tcp://h:1?exchange="+target))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.prepare(env); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", target, err)
		}
	}
	s, _ := parse(fronttest.Endpoint(t, "room+tcp://h:1?exchange=x&user=nobody"))
	if err := s.prepare(env); err == nil {
		t.Error("an unknown user may enter")
	}
}
