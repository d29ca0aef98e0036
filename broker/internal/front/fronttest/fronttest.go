// Package fronttest is what the tests of the fronts have in common.
package fronttest

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front"
)

// Log is what a logger writes into while a test looks on. The zero value is empty.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer // owner: mu
}

// Write adds to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns all that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// NewEnv returns an engine for a front, and its log. Without users in the configuration the user guest may do everything.
// The engine is closed when the test ends.
func NewEnv(t testing.TB, config engine.Config) (front.Env, *Log) {
	t.Helper()
	if config.Users == nil {
		config.Users = access.New()
		if err := config.Users.PutDefault("/"); err != nil {
			t.Fatal(err)
		}
	}
	log := new(Log)
	config.Logger = slog.New(slog.NewTextHandler(log, nil))
	b, err := engine.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
	return front.Env{Engine: b, Logger: config.Logger}, log
}

// Endpoint takes a listener's URL apart.
func Endpoint(t testing.TB, text string) front.Endpoint {
	t.Helper()
	e, err := front.ParseEndpoint(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
