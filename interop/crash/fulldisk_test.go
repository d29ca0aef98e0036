package crash

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/interop/lab"
)

// smallDisk mounts a disk of its own that has so many MiB, and returns its folder: ext4 in a file, or else in memory. It
// skips the test where nothing can be mounted.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		lab.Missing(t, "only root on Linux can mount a small disk")
	}
	folder := t.TempDir()
	image, dir := filepath.Join(folder, "image"), filepath.Join(folder, "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	size := fmt.Sprintf("%dM", mib)
	var said bytes.Buffer
	run := func(name string, args ...string) bool {
		cmd := exec.Command(name, args...)
		cmd.Stdout, cmd.Stderr = &said, &said
		return cmd.Run() == nil
	}
	mounted := run("truncate", "-s", size, image) && run("mkfs.ext4", "-q", "-F", "-m", "0", image) && run("mount", "-o", "loop", image, dir) ||
		run("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir)
	if !mounted {
		lab.Missing(t, "nothing can be mounted here: %s", said.Bytes())
	}
	t.Cleanup(func() {
		for range 50 { // a process that is being killed may still be on it
			if run("umount", dir) {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Errorf("umount: %s", said.Bytes())
	})
	return dir
}

// A protocol is what everybody saw, for readers.
type protocol struct {
	t     *testing.T
	began time.Time

	mu   sync.Mutex
	text strings.Builder // by mu
}

func (p *protocol) say(who, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(&p.text, "%7.2fs  %-21s %s\n", time.Since(p.began).Seconds(), who, fmt.Sprintf(format, args...))
}

// await waits until something is so.
func (p *protocol) await(what string, so func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(lab.Patience); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("in %v not so: %s", lab.Patience, what)
		}
	}
}

// ended waits until clients have.
func (p *protocol) ended(clients ...<-chan struct{}) {
	p.t.Helper()
	for _, done := range clients {
		select {
		case <-done:
		case <-time.After(lab.Patience):
			p.t.Fatal("a client does not end")
		}
	}
}

// The clients, as the protocol names them.
const (
	goPublisher   = "publisher amqp091-go"
	pikaPublisher = "publisher pika"
	latePublisher = "latecomer amqp091-go"
	goConsumer    = "consumer amqp091-go"
	theBroker     = "broker"
	theDisk       = "disk"
)

// A gopher publishes with confirms, and knows whether it is blocked.
type gopher struct {
	confirmed atomic.Int64
	blocked   atomic.Bool
	done      chan struct{}
}

// publishBig has a client publish big messages until stop is closed.
func (p *protocol) publishBig(h *history, url string, stop <-chan struct{}) *gopher {
	p.t.Helper()
	const window, size = 50, 100 << 10
	g := &gopher{done: make(chan struct{})}
	conn, err := amqp.DialConfig(url, amqp.Config{Heartbeat: time.Minute})
	if err != nil {
		p.t.Fatal(err)
	}
	blockings := conn.NotifyBlocked(make(chan amqp.Blocking, 10))
	go func() {
		for b := range blockings {
			g.blocked.Store(b.Active)
			if b.Active {
				p.say(goPublisher, "NotifyBlocked: %q, after %d confirms", b.Reason, g.confirmed.Load())
			} else {
				p.say(goPublisher, "NotifyBlocked: unblocked")
			}
		}
	}()
	ch, err := conn.Channel()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		p.t.Fatal(err)
	}
	c := &confirmed{history: h, from: ch.NotifyPublish(make(chan amqp.Confirmation, window+1))}
	go func() {
		defer close(g.done)
		defer conn.Close()
		sent := 0
		for {
			select {
			case <-stop:
				c.take(0)
				return
			default:
			}
			m := h.publish(1, true, nil, "work")
			c.waiting = append(c.waiting, m)
			sent++
			if ch.PublishWithContext(context.Background(), "", "work", false, false,
				amqp.Publishing{DeliveryMode: amqp.Persistent, MessageId: m.name(), Body: body(m.id, size)}) != nil {
				c.take(0)
				return
			}
			more := c.take(window - 1)
			g.confirmed.Store(int64(sent - len(c.waiting)))
			if !more {
				return
			}
		}
	}()
	return g
}

// comeLate has a client connect and publish a message when the disk is full. It is told why that takes a while.
func (p *protocol) comeLate(h *history, url string) *gopher {
	p.t.Helper()
	g := &gopher{done: make(chan struct{})}
	conn, err := amqp.DialConfig(url, amqp.Config{Heartbeat: time.Minute})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	blockings := conn.NotifyBlocked(make(chan amqp.Blocking, 10))
	ch, err := conn.Channel()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		p.t.Fatal(err)
	}
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 1))
	m := h.publish(2, true, nil, "work")
	if err := ch.PublishWithContext(context.Background(), "", "work", false, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, MessageId: m.name(), Body: body(m.id, 0)}); err != nil {
		p.t.Fatal(err)
	}
	select {
	case b := <-blockings:
		p.say(latePublisher, "connects and publishes; NotifyBlocked: %q", b.Reason)
	case <-time.After(lab.Patience):
		p.t.Fatal("who publishes to a full disk is not told that he is blocked")
	}
	go func() {
		defer close(g.done)
		c, ok := <-confirms
		if !ok {
			return
		}
		h.answered(m, c.Ack)
		p.say(latePublisher, "its message is confirmed")
		g.confirmed.Store(1)
	}()
	return g
}

// A pikaClient is the same in Python, one message at a time.
type pikaClient struct {
	*lab.Process
	confirmed atomic.Int64
	blocked   atomic.Bool
	done      chan struct{}
}

func (p *protocol) publishWithPika(url string) *pikaClient {
	c := &pikaClient{
		Process: lab.StartPython(p.t, "interop/peers/pika/blocked.py", "--url", url, "--queue", "pika", "--size", strconv.Itoa(20<<10)),
		done:    make(chan struct{}),
	}
	go func() {
		defer close(c.done)
		for {
			line, ok := c.LineWithin(2 * lab.Patience)
			if !ok {
				return
			}
			var n int64
			if _, err := fmt.Sscanf(line, "confirmed %d", &n); err == nil {
				c.confirmed.Store(n)
				continue
			}
			switch {
			case strings.HasPrefix(line, "blocked:"):
				c.blocked.Store(true)
				line += fmt.Sprintf(", after %d confirms", c.confirmed.Load())
			case line == "unblocked":
				c.blocked.Store(false)
			}
			p.say(pikaPublisher, "%s", line)
		}
	}()
	return c
}

// A taker consumes and acknowledges, no faster than it is told.
type taker struct {
	taken atomic.Int64
	pause atomic.Int64 // between messages, a time.Duration
	done  chan struct{}
}

func (p *protocol) consume(h *history, url string) *taker {
	p.t.Helper()
	k := &taker{done: make(chan struct{})}
	k.pause.Store(int64(100 * time.Millisecond))
	conn, err := amqp.Dial(url)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := ch.Qos(10, 0, false); err != nil {
		p.t.Fatal(err)
	}
	session := h.consume("work", 10)
	deliveries, err := ch.Consume("work", "", false, false, false, false, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(k.done)
		for d := range deliveries {
			time.Sleep(time.Duration(k.pause.Load()))
			c := h.deliver(session, "work", d.Body, d.MessageId, d.Redelivered)
			if c == nil {
				return
			}
			acks := h.acks(c)
			if ch.Ack(d.DeliveryTag, false) != nil {
				h.unsent(acks)
				return
			}
			k.taken.Add(1)
		}
	}()
	return k
}

// How room comes again.
const (
	byConsuming = "room by consuming"
	byHand      = "room by removing a file"
	afterAKill  = "room by removing a file, after a kill"
)

// When the disk is full publishers are told and wait, consumers go on, and when there is room again publishers go on by
// themselves; nothing that was confirmed is lost, also when the broker is killed with its disk full. With a limit there is
// enough room left for consumers to make more. Where the disk is full to the last byte, acknowledgements wait too.
func TestFullDisk(t *testing.T) {
	lab.NeedPython(t, "pika")
	cases := []struct{ name, minFree, room string }{
		{"with a limit, " + byConsuming, "96MiB", byConsuming},
		{"with a limit, " + byHand, "96MiB", byHand},
		{"with a limit, " + afterAKill, "96MiB", afterAKill},
		{"to the last byte, " + byHand, "0", byHand},
		{"to the last byte, " + afterAKill, "0", afterAKill},
	}
	rng := rand.New(rand.NewPCG(lab.Seed(), 1))
	for _, i := range rng.Perm(len(cases))[:min(len(cases), lab.Rounds(2, len(cases)))] {
		c := cases[i]
		t.Run(c.name, func(t *testing.T) { fullDisk(t, c.minFree, c.room) })
	}
}

func fullDisk(t *testing.T, minFree, room string) {
	const mib, ballastMiB = 512, 80
	dir := smallDisk(t, mib)
	p := &protocol{t: t, began: time.Now()}
	t.Cleanup(func() { t.Logf("a disk of %d MiB, --min-free %s, %s:\n%s", mib, minFree, room, p.text.String()) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, ballastMiB<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	p.say(theDisk, "a file of %d MiB lies on it", ballastMiB)
	var broker *lab.Process
	serve := func() (url string, ok bool) {
		addr := lab.Addr(t)
		broker = lab.Start(t, lab.Warren(t), "serve", "--listen", "amqp://"+addr, "--data", filepath.Join(dir, "data"), "--min-free", minFree, "--log-format", "json", "--log-level", "warn")
		for {
			line, ok := broker.LineWithin(lab.Patience)
			if !ok || line == "ready" {
				return "amqp://guest:guest@" + addr + "/", ok
			}
		}
	}
	url, ok := serve()
	if !ok {
		t.Fatalf("it does not start: %s", broker.Errors())
	}
	h := newHistory(promise{}, &queue{name: "work"})
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"work", "pika"} {
		if _, err := ch.QueueDeclare(q, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}

	stop := make(chan struct{})
	gopher, pika, taker := p.publishBig(h, url, stop), p.publishWithPika(url), p.consume(h, url)
	p.say(theBroker, "two publishers, and a consumer that takes 10 messages a second")
	confirmed := func() int64 { return gopher.confirmed.Load() + pika.confirmed.Load() }
	p.await("the disk is full", func() bool {
		before := confirmed()
		time.Sleep(time.Second)
		return confirmed() == before
	})
	p.say(theBroker, "nothing has been confirmed for a second")
	if minFree != "0" && !(gopher.blocked.Load() && pika.blocked.Load()) {
		t.Error("not everybody who publishes was told that he is blocked")
	}
	late := p.comeLate(h, url)
	taken := taker.taken.Load()
	p.await("consumers go on", func() bool { return taker.taken.Load() >= taken+10 })
	p.say(goConsumer, "has got 10 messages since then, %d in all", taker.taken.Load())

	switch room {
	case byConsuming:
		p.say(goConsumer, "takes as fast as it can")
		taker.pause.Store(0)
	case byHand:
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		p.say(theDisk, "the file is gone")
	case afterAKill:
		broker.Kill()
		at := time.Now()
		p.say(theBroker, "killed")
		close(stop)
		p.ended(gopher.done, pika.done, taker.done, late.done)
		h.end(at, false)
		if url, ok = serve(); !ok {
			p.say(theBroker, "does not start: %s", strings.TrimSpace(broker.Errors()))
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			p.say(theDisk, "the file is gone")
			if url, ok = serve(); !ok {
				t.Fatalf("it does not start though there is room: %s", broker.Errors())
			}
		}
		p.say(theBroker, "started on what it has")
		stop = make(chan struct{})
		gopher, taker = p.publishBig(h, url, stop), p.consume(h, url)
		if err := os.Remove(ballast); err == nil {
			p.say(theDisk, "the file is gone")
		}
	}
	before, pikaBefore := gopher.confirmed.Load(), pika.confirmed.Load()
	p.await("the publisher goes on", func() bool { return gopher.confirmed.Load() >= before+100 })
	p.say(goPublisher, "goes on, %d confirms", gopher.confirmed.Load())
	if room != afterAKill {
		p.await("pika goes on", func() bool { return pika.confirmed.Load() >= pikaBefore+10 })
		p.say(pikaPublisher, "goes on, %d confirms", pika.confirmed.Load())
		pika.EndInput()
	}
	if room != afterAKill {
		p.await("who came late goes on", func() bool { return late.confirmed.Load() == 1 })
	}
	taker.pause.Store(0) // whatever it blocks until, there will be room
	close(stop)
	p.ended(gopher.done, pika.done)
	p.say(theBroker, "the publishers have ended")
	p.lookBack(h, url, pika.confirmed.Load(), taker)
	if err := h.err(); err != nil {
		t.Error(err)
	}
}

// lookBack fetches what is left, and says what was confirmed and is not there.
func (p *protocol) lookBack(h *history, url string, pika int64, taker *taker) {
	t := p.t
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	p.await("the queue is empty", func() bool {
		before := taker.taken.Load()
		q, err := ch.QueueDeclarePassive("work", true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		return q.Messages == 0 && taker.taken.Load() == before
	})
	h.empty()
	p.say(goConsumer, "has got all: %d messages", taker.taken.Load())
	want := int64(1)
	for {
		d, ok, err := ch.Get("pika", true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		n, err := strconv.ParseInt(string(bytes.TrimRight(d.Body, " ")), 10, 64)
		if err != nil || n != want {
			t.Fatalf("of pika's messages %d is missing, the next is %.20q", want, d.Body)
		}
		want++
	}
	if want <= pika {
		t.Fatalf("pika's last confirmed message was %d, the last that is there %d", pika, want-1)
	}
	p.say(pikaPublisher, "all %d confirmed messages are there", pika)
}
