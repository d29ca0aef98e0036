// Package brokertest starts a real broker inside a test, in the manner of net/http/httptest: on a free port of loopback, in
// a few milliseconds, gone when the test ends.
//
//	func TestOrders(t *testing.T) {
//		b := brokertest.New(t)
//		conn, err := amqp.Dial(b.URL) // any AMQP 0-9-1 client
//		…
//		b.VHost("/").Publish(t.Context(), broker.Message{Key: "orders", Body: []byte("1 apple")})
//	}
//
// Tests that run in parallel each have a broker of their own.
package brokertest

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/warrenmq/warren/broker"
)

// Broker is a running broker. It is closed, and its clients are cut off, when the test ends.
type Broker struct {
	*broker.Broker
	// URL is where AMQP 0-9-1 clients connect to, with the name and password of the first user that logs in with a
	// password: amqp://guest:guest@127.0.0.1:40123/ unless the configuration has others.
	URL string
	// Addr is the host and port in URL.
	Addr string
}

// New starts a broker in memory with the user guest and the vhost "/".
func New(t testing.TB) *Broker {
	t.Helper()
	return Start(t, broker.Config{})
}

// Start starts a broker with a configuration. Besides what c.Listen has, it listens for AMQP 0-9-1 on a free port of
// loopback. When c.Logger is nil, the log is shown if the test fails.
func Start(t testing.TB, c broker.Config) *Broker {
	t.Helper()
	var log *lastLines
	if c.Logger == nil {
		log = new(lastLines)
		c.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	c.Listen = append([]string{"amqp://127.0.0.1:0"}, c.Listen...)
	b, err := broker.Open(c)
	if err != nil {
		t.Fatalf("brokertest: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.Run(context.Background()) }()
	select {
	case <-b.Ready():
	case err := <-ended:
		t.Fatalf("brokertest: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("brokertest: closing the broker: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("brokertest: the broker ended with: %v", err)
		}
		if log != nil && t.Failed() {
			t.Logf("the broker's log:\n%s", log)
		}
	})
	address := strings.TrimPrefix(b.Listeners()[0].URL, "amqp://")
	return &Broker{Broker: b, URL: "amqp://" + login(c.Users) + address + "/", Addr: address}
}

// login returns the user part of a URL.
func login(users []broker.User) string {
	if users == nil {
		return "guest:guest@"
	}
	for _, u := range users {
		if u.Password != "" {
			return url.UserPassword(u.Name, u.Password).String() + "@"
		}
	}
	return ""
}

// lastLines keeps the end of a log.
type lastLines struct {
	mu   sync.Mutex // guards text
	text []byte
}

const keptLog = 64 << 10

func (l *lastLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text)+len(line) > keptLog {
		half := l.text[len(l.text)/2:]
		if i := bytes.IndexByte(half, '\n'); i >= 0 {
			half = half[i+1:]
		}
		l.text = append(l.text[:0], half...)
	}
	l.text = append(l.text, line...)
	return len(line), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}
