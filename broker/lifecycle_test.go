package broker_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/broker"
	"github.com/warrenmq/warren/broker/brokertest"
)

// running starts Run and returns what it will return.
func running(ctx context.Context, t *testing.T, b *broker.Broker) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-ended:
		t.Fatal(err)
	}
	return ended
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	b, _ := open(t, broker.Config{Listen: []string{"amqp://127.0.0.1:0", "echo+tcp://127.0.0.1:0"}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := running(ctx, t, b)
	listeners := b.Listeners()
	if len(listeners) != 2 || listeners[0].Protocol != "amqp" || listeners[1].Protocol != "echo+tcp" {
		t.Fatalf("%+v", listeners)
	}
	for _, l := range listeners {
		if l.Hint == "" || strings.HasSuffix(l.URL, ":0") || strings.Contains(l.Hint, "\n") {
			t.Errorf("%+v", l)
		}
	}
	if err := b.Run(ctx); err == nil || !strings.Contains(err.Error(), "running already") {
		t.Error(err)
	}
	address := strings.TrimPrefix(listeners[0].URL, "amqp://")
	conn, err := amqp.Dial("amqp://guest:guest@" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if e := <-closed; e == nil || e.Code != amqp.ConnectionForced {
		t.Errorf("the client was told %v", e)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the listener is still open")
	}
	if err := b.Run(t.Context()); !errors.Is(err, broker.ErrClosed) {
		t.Error(err)
	}
}

func TestRunWithAContextThatHasEndedEndsTheBroker(t *testing.T) {
	b, _ := open(t, broker.Config{Listen: []string{"amqp://127.0.0.1:0"}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := b.Run(t.Context()); !errors.Is(err, broker.ErrClosed) {
		t.Error(err)
	}
}

func TestRunReturnsWhenSomebodyElseEndsTheBroker(t *testing.T) {
	for name, end := range map[string]func(*broker.Broker) error{
		"Close":    (*broker.Broker).Close,
		"Shutdown": func(b *broker.Broker) error { return b.Shutdown(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := open(t, broker.Config{Listen: []string{"amqp://127.0.0.1:0"}})
			ended := running(t.Context(), t, b)
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					if err := end(b); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestClosingWhileListenersOpenLeavesNoneOpen(t *testing.T) {
	for range 50 {
		b, _ := open(t, broker.Config{Listen: []string{"amqp://127.0.0.1:0", "amqp://127.0.0.1:0", "echo+tcp://127.0.0.1:0"}})
		ended := make(chan error, 1)
		go func() { ended <- b.Run(t.Context()) }()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil && !errors.Is(err, broker.ErrClosed) {
			t.Error(err)
		}
		for _, l := range b.Listeners() {
			_, address, _ := strings.Cut(l.URL, "://")
			if c, err := net.Dial("tcp", address); err == nil {
				c.Close()
				t.Errorf("%s is open", l.URL)
			}
		}
	}
}

func TestShutdownCutsOffWhoDoesNotGoInTime(t *testing.T) {
	b := brokertest.New(t)
	c, err := net.Dial("tcp", b.Addr) // says nothing, ever
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil { // it is being served
		t.Fatal(n, err)
	}
	ended, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := b.Shutdown(ended); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestBusyPortIsOneLineThatSaysWhatToDo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	url := "amqp://" + l.Addr().String()
	b, _ := open(t, broker.Config{Listen: []string{"amqp://127.0.0.1:0", url}})
	err = b.Run(t.Context())
	var e *broker.ListenError
	if !errors.As(err, &e) || e.URL != url {
		t.Fatal(err)
	}
	if want := "cannot listen on " + url + ": another program has this address; stop it or choose another address"; err.Error() != want {
		t.Errorf("%s\nnot\n%s", err, want)
	}
	select {
	case <-b.Ready():
		t.Error("it says that it is ready")
	default:
	}
}

func TestConnectionsThatWereAcceptedElsewhereAreServed(t *testing.T) {
	b, v := open(t, broker.Config{})
	declare(t, v, "q")
	client, server := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- b.ServeConn(t.Context(), "amqp", server) }()
	conn, err := amqp.Open(client, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "guest", Password: "guest"}}, Vhost: "/"})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.PublishWithContext(t.Context(), "", "q", false, false, amqp.Publishing{Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if n := info(t, v, "q").Ready; n != 1 {
		t.Errorf("%d messages", n)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { served <- b.Serve(ctx, "amqp", l) }()
	conn, err = amqp.Dial("amqp://guest:guest@" + l.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}

	a, c := net.Pipe()
	if err := b.ServeConn(t.Context(), "nix", a); err == nil || !strings.Contains(err.Error(), `"nix"`) {
		t.Error(err)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("the connection of an unknown protocol is open")
	}
	c.Close()
	b.Close()
	a, c = net.Pipe()
	defer c.Close()
	if err := b.ServeConn(t.Context(), "amqp", a); !errors.Is(err, broker.ErrClosed) {
		t.Error(err)
	}
}

func TestConfigurationThatCannotWorkIsRefusedInOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	some := map[string]broker.Permissions{"/": {Configure: ".*", Write: ".*", Read: ".*"}}
	for _, c := range []struct {
		name   string
		config broker.Config
		want   string // in the error
	}{
		{"folder in a file", broker.Config{Dir: filepath.Join(file, "data")}, "cannot be made: not a directory; choose another"},
		{"vhost without a name", broker.Config{VHosts: []string{""}}, "a vhost needs a name"},
		{"vhost twice", broker.Config{VHosts: []string{"a", "a"}}, `two named "a"`},
		{"user without a name", broker.Config{Users: []broker.User{{}}}, "name"},
		{"user twice", broker.Config{Users: []broker.User{{Name: "u"}, {Name: "u"}}}, `two named "u"`},
		{"password and hash", broker.Config{Users: []broker.User{{Name: "u", Password: "p", PasswordHash: "h"}}}, "give one"},
		{"no hash", broker.Config{Users: []broker.User{{Name: "u", PasswordHash: "?"}}}, "hash"},
		{"permissions nowhere", broker.Config{Users: []broker.User{{Name: "u", Permissions: some}}, VHosts: []string{"a"}}, `the vhost "/"`},
		{"no pattern", broker.Config{Users: []broker.User{{Name: "u", Permissions: map[string]broker.Permissions{"/": {Read: "("}}}}}, "("},
		{"no URL", broker.Config{Listen: []string{"localhost"}}, "it should read like amqp://"},
		{"no address", broker.Config{Listen: []string{"amqp://"}}, "does not say where"},
		{"unknown scheme", broker.Config{Listen: []string{"nix://127.0.0.1:0"}}, `no scheme "nix"`},
		{"unknown parameter", broker.Config{Listen: []string{"amqp://127.0.0.1:0?x=1"}}, `no parameter "x"`},
	} {
		b, err := broker.Open(c.config)
		if err == nil {
			b.Close()
			t.Errorf("%s was accepted", c.name)
			continue
		}
		if text := err.Error(); !strings.Contains(text, c.want) || strings.Contains(text, "\n") || !strings.HasPrefix(text, "broker: ") {
			t.Errorf("%s: %s", c.name, text)
		}
	}
}

func TestUsersSeeWhatTheirPermissionsLet(t *testing.T) {
	b := brokertest.Start(t, broker.Config{
		VHosts: []string{"/", "other"},
		Users: []broker.User{
			{Name: "all", Password: "p"},
			{Name: "some", Password: "p", Permissions: map[string]broker.Permissions{"/": {Configure: "^some\\."}}},
		},
	})
	dial := func(user, password, vhost string) error {
		conn, err := amqp.DialConfig("amqp://"+b.Addr, amqp.Config{
			SASL: []amqp.Authentication{&amqp.PlainAuth{Username: user, Password: password}}, Vhost: vhost,
		})
		if err == nil {
			conn.Close()
		}
		return err
	}
	for _, c := range []struct {
		user, password, vhost string
		in                    bool
	}{
		{"all", "p", "/", true}, {"all", "p", "other", true}, {"some", "p", "/", true},
		{"some", "p", "other", false}, {"all", "wrong", "/", false}, {"guest", "guest", "/", false}, {"all", "p", "nix", false},
	} {
		if err := dial(c.user, c.password, c.vhost); (err == nil) != c.in {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestDefaultListenersAreOnLoopback(t *testing.T) {
	for _, url := range broker.DefaultListen() {
		if !strings.Contains(url, "://127.0.0.1:") {
			t.Error(url)
		}
	}
}
