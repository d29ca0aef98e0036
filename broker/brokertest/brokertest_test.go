package brokertest

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/warrenmq/warren/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAMQPClientAndTestSeeTheSameQueue(t *testing.T) {
	t.Parallel()
	b := New(t)
	conn, err := amqp.Dial(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("orders", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.VHost("/").Publish(t.Context(), broker.Message{Key: "orders", Body: []byte("1 apple")}); err != nil {
		t.Fatal(err)
	}
	d, ok, err := ch.Get("orders", true)
	if err != nil || !ok || string(d.Body) != "1 apple" {
		t.Errorf("%q, %v, %v", d.Body, ok, err)
	}
}

func TestURLHasTheConfiguredUser(t *testing.T) {
	b := Start(t, broker.Config{Users: []broker.User{{Name: "nobody"}, {Name: "ann", Password: "p@ss/word"}}})
	if want := "amqp://ann:p%40ss%2Fword@" + b.Addr + "/"; b.URL != want {
		t.Errorf("%s, not %s", b.URL, want)
	}
	conn, err := amqp.Dial(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// test is a testing.TB that can fail without failing the real one.
type test struct {
	testing.TB
	failed  bool
	logged  string
	cleanup []func()
}

func (t *test) Helper()                   {}
func (t *test) Failed() bool              { return t.failed }
func (t *test) Logf(f string, a ...any)   { t.logged += fmt.Sprintf(f, a...) }
func (t *test) Errorf(f string, a ...any) { t.failed = true; t.Logf(f, a...) }
func (t *test) Cleanup(f func())          { t.cleanup = append(t.cleanup, f) }
func (t *test) Fatalf(f string, a ...any) { t.Errorf(f, a...); runtime.Goexit() }

// run runs f as a test of its own.
func (t *test) run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
	for _, f := range t.cleanup {
		f()
	}
}

func TestClientsThatAreLeftAreCutOffWhenTheTestEnds(t *testing.T) {
	inner := &test{TB: t}
	var c net.Conn
	inner.run(func() {
		b := New(inner)
		var err error
		if c, err = net.Dial("tcp", b.Addr); err != nil {
			t.Error(err)
		}
	})
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Logf("the connection ended with %v", err) // a reset is an end, too
	}
	c.Close()
	if inner.failed {
		t.Error(inner.logged)
	}
}

func TestLogIsShownWhenTheTestFails(t *testing.T) {
	for _, fails := range []bool{true, false} {
		inner := &test{TB: t}
		inner.run(func() {
			New(inner)
			inner.failed = fails
		})
		if shown := strings.Contains(inner.logged, "listening"); shown != fails {
			t.Errorf("the test failed: %v; the log: %q", fails, inner.logged)
		}
	}
}

func TestBadConfigurationEndsTheTest(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, listen := range []string{"amqp://" + busy.Addr().String(), "nix://127.0.0.1:0"} {
		inner := &test{TB: t}
		after := false
		inner.run(func() {
			Start(inner, broker.Config{Listen: []string{listen}})
			after = true
		})
		if !inner.failed || after || !strings.Contains(inner.logged, listen) {
			t.Errorf("failed %v, went on %v: %s", inner.failed, after, inner.logged)
		}
	}
}

func TestOnlyTheEndOfALongLogIsKept(t *testing.T) {
	var l lastLines
	for i := range 100_000 {
		fmt.Fprintf(&l, "line %d\n", i)
	}
	text := l.String()
	if len(text) > keptLog || !strings.HasPrefix(text, "line ") || !strings.HasSuffix(text, "line 99999\n") {
		t.Errorf("%d bytes, %.30q to %q", len(text), text, text[len(text)-20:])
	}
}

func BenchmarkStartAndClose(b *testing.B) {
	for b.Loop() {
		inner := &test{TB: b}
		inner.run(func() { New(inner) })
	}
}
