// Package front holds what all fronts have in common: the form of a listener's URL and the shape of a door that is opened
// by it. The fronts themselves stand beside it, one folder each, and do not know one another.
package front

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/warrenmq/warren/broker/internal/engine"
)

// Env is what a front is given to work with.
type Env struct {
	Engine *engine.Broker
	Logger *slog.Logger // never nil
}

// Endpoint is a listener's URL taken apart: scheme, where, and what else it says.
//
//	room+tcp://127.0.0.1:7000?exchange=lobby
//	echo+unix:///run/echo.sock
type Endpoint struct {
	Scheme  string     // before "://", such as "amqp" or "room+tcp"
	Address string     // HOST:PORT, or a path
	Params  url.Values // the query
}

// ParseEndpoint takes a listener's URL apart.
func ParseEndpoint(text string) (Endpoint, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme == "" {
		return Endpoint{}, fmt.Errorf("%q is no listener: it should read like amqp://127.0.0.1:5672", text)
	}
	address, query, _ := strings.Cut(rest, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return Endpoint{}, fmt.Errorf("listener %q: what follows the ? is no query: %w", text, err)
	}
	address = strings.TrimSuffix(address, "/")
	if address == "" {
		return Endpoint{}, fmt.Errorf("listener %q: it does not say where: a HOST:PORT or a path belongs behind %s://", text, scheme)
	}
	return Endpoint{Scheme: scheme, Address: address, Params: params}, nil
}

// String returns the URL.
func (e Endpoint) String() string {
	s := e.Scheme + "://" + e.Address
	if len(e.Params) > 0 {
		s += "?" + e.Params.Encode()
	}
	return s
}

// Known refuses parameters that are not among names, so that a misspelt one is not silently ignored.
func (e Endpoint) Known(names ...string) error {
	keys := make([]string, 0, len(e.Params))
	for key := range e.Params {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if slices.Contains(names, key) {
			continue
		}
		if len(names) == 0 {
			return fmt.Errorf("listener %s: there is no parameter %q: %s takes none", e, key, e.Scheme)
		}
		return fmt.Errorf("listener %s: there is no parameter %q: %s knows %s", e, key, e.Scheme, strings.Join(names, ", "))
	}
	return nil
}

// Door is an endpoint that a front serves. Its calls come in this order: Open, Serve, Shutdown.
type Door interface {
	// Open binds (or, for doors that connect, begins to connect) and returns the endpoint with the real port in it. It
	// does not block on peers.
	Open(ctx context.Context) (Endpoint, error)
	// Serve works until ctx ends or Shutdown is called, and returns nil then.
	Serve(ctx context.Context) error
	// Shutdown says goodbye to the clients in their protocol's words and waits until they are gone or ctx ends. A door that
	// was never opened has nobody to say it to.
	Shutdown(ctx context.Context, reason string) error
	// Hint is one line on how to try it, once it is open.
	Hint() string
}
