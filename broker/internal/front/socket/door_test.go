package socket

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front"
	"github.com/warrenmq/warren/broker/internal/front/fronttest"
	"github.com/warrenmq/warren/broker/internal/front/pump"
	"github.com/warrenmq/warren/broker/internal/message"
)

// serve opens a door on a real socket.
func serve(t testing.TB, env front.Env, text string) front.Endpoint {
	t.Helper()
	d, err := New(env, fronttest.Endpoint(t, text))
	if err != nil {
		t.Fatal(err)
	}
	at, err := d.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if d.Hint() == "" {
		t.Error("no hint")
	}
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { served <- d.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		down, end := context.WithTimeout(context.Background(), 10*time.Second)
		defer end()
		if err := d.Shutdown(down, "the test is over"); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return at
}

func TestEchoReturnsEveryByteToManyClientsAtOnce(t *testing.T) {
	env, _ := fronttest.NewEnv(t, engine.Config{})
	for _, text := range []string{"echo+tcp://127.0.0.1:0", "echo+unix://" + filepath.Join(t.TempDir(), "echo")} {
		t.Run(text[:9], func(t *testing.T) {
			e := serve(t, env, text)
			network := text[5:strings.Index(text, ":")]
			var all sync.WaitGroup
			for i := range 200 {
				all.Go(func() {
					c, err := net.Dial(network, e.Address)
					if err != nil {
						t.Error(err)
						return
					}
					defer func() { _ = c.Close() }()
					want := bytes.Repeat([]byte{byte(i), '\n', 0}, 20000)
					go func() {
						_, _ = c.Write(want)
						_ = c.(interface{ CloseWrite() error }).CloseWrite()
					}()
					if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
						t.Errorf("client %d: %d bytes came back, %v", i, len(got), err)
					}
				})
			}
			all.Wait()
		})
	}
}

func dialUDP(t testing.TB, address string) *person {
	t.Helper()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &person{Conn: c, t: t, in: bufio.NewReader(c)}
}

func TestADatagramComesBackToItsSender(t *testing.T) {
	env, _ := fronttest.NewEnv(t, engine.Config{})
	e := serve(t, env, "echo+udp://127.0.0.1:0")
	a, b := dialUDP(t, e.Address), dialUDP(t, e.Address)
	for range 10 {
		a.say("from a\n")
		b.say("from b\n")
		a.hears("from a")
		b.hears("from b")
	}
}

func TestDatagramsSitInARoomWithPrograms(t *testing.T) {
	published := make(chan struct{}, 10)
	env, _ := fronttest.NewEnv(t, engine.Config{Trace: &engine.Trace{
		Published: func(*engine.Client, *message.Message, int) { published <- struct{}{} },
	}})
	e := serve(t, env, "room+udp://127.0.0.1:0?exchange=lobby")
	p := (&lab{t: t, env: env}).program()
	a, b := dialUDP(t, e.Address), dialUDP(t, e.Address)
	a.say("a is here\n")
	<-published
	b.say("b is here\n")
	a.hears("b is here")
	a.say("one\ntwo")
	b.hears("one", "two")
	p.publish("lobby", "", "news")
	a.hears("news")
	b.hears("news")
}

func TestUDPMembersAreForgottenWhenTheyAreQuiet(t *testing.T) {
	env, log := fronttest.NewEnv(t, engine.Config{})
	s, err := parse(fronttest.Endpoint(t, "room+udp://127.0.0.1:0?exchange=lobby&idle=8s"))
	if err == nil {
		err = s.prepare(env)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	p := &packets{
		env: env, settings: s, target: []byte("lobby"), socket: pump.NewPackets(c.(*net.UDPConn), nil, nil),
		members: make(map[netip.AddrPort]*member),
	}
	from := c.LocalAddr().(*net.UDPAddr).AddrPort()
	p.Packet(from, []byte("hello\n"))
	now := env.Engine.Now()
	if next := p.Tick(now); len(p.members) != 1 || next.Sub(now) != time.Second {
		t.Errorf("%d members, next tick in %v", len(p.members), next.Sub(now))
	}
	p.Tick(now.Add(9 * time.Second))
	if len(p.members) != 0 || len(env.Engine.VHost("/").Queues()) != 0 {
		t.Errorf("%d members", len(p.members))
	}
	// A user who is bound to loopback is not somebody else's.
	p.Packet(netip.MustParseAddrPort("192.0.2.1:9"), []byte("hello\n"))
	p.Packet(netip.MustParseAddrPort("192.0.2.1:9"), []byte("hello\n"))
	if n := strings.Count(log.String(), "can only connect via localhost"); len(p.members) != 0 || n != 1 {
		t.Errorf("%d members; said %d times:\n%s", len(p.members), n, log)
	}
}

func TestAUnixSocketsDeadFileIsReplacedAndALivingOneIsNot(t *testing.T) {
	env, _ := fronttest.NewEnv(t, engine.Config{})
	path := filepath.Join(t.TempDir(), "echo")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	text := "echo+unix://" + path
	again, err := New(env, fronttest.Endpoint(t, text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Open(context.Background()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a living socket: %v", err)
	}
	_ = l.Close()
	serve(t, env, text)
}

func TestEndpointsKeepTheirParameters(t *testing.T) {
	env, _ := fronttest.NewEnv(t, engine.Config{})
	e := serve(t, env, "room+tcp://127.0.0.1:0?exchange=lobby&max=5")
	if e.Scheme != "room+tcp" || e.Params.Encode() != (url.Values{"exchange": {"lobby"}, "max": {"5"}}).Encode() ||
		strings.HasSuffix(e.Address, ":0") {
		t.Errorf("opened %s", e)
	}
}
