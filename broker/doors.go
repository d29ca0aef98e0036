package broker

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/warrenmq/warren/broker/internal/front"
	"github.com/warrenmq/warren/broker/internal/front/amqp091"
	"github.com/warrenmq/warren/broker/internal/front/pump"
)

// DefaultListen returns the standard listeners, on loopback.
func DefaultListen() []string { return []string{"amqp://127.0.0.1:5672"} }

// opener makes the door of one scheme.
type opener struct {
	scheme string
	open   func(env front.Env, e front.Endpoint) (front.Door, error)
}

// openers has a row for each scheme.
var openers = []opener{
	{"amqp", openAMQP},
}

// newDoor makes the door that an endpoint asks for.
func newDoor(env front.Env, e front.Endpoint) (front.Door, error) {
	for _, o := range openers {
		if o.scheme == e.Scheme {
			return o.open(env, e)
		}
	}
	known := make([]string, len(openers))
	for i, o := range openers {
		known[i] = o.scheme
	}
	slices.Sort(known)
	return nil, fmt.Errorf("listener %s: there is no scheme %q: known are %s", e, e.Scheme, strings.Join(known, ", "))
}

// newFront makes the front for connections that were accepted elsewhere.
func newFront(env front.Env, protocol string) (pump.Front, error) {
	switch protocol {
	case "amqp":
		return amqp091.New(env.Engine), nil
	}
	return nil, fmt.Errorf("broker: there is no protocol %q for a single connection: known is amqp", protocol)
}

func openAMQP(env front.Env, e front.Endpoint) (front.Door, error) {
	if err := e.Known(); err != nil {
		return nil, err
	}
	return &streamDoor{
		endpoint: e, network: "tcp", server: pump.New(pump.Config{Front: amqp091.New(env.Engine), Logger: env.Logger, Now: env.Engine.Now}),
		hint: func(e front.Endpoint) string { return "any RabbitMQ client: amqp://guest:guest@" + e.Address + "/" },
	}, nil
}

// streamDoor listens on a stream socket and hands its connections to a pump.
type streamDoor struct {
	endpoint front.Endpoint
	network  string // "tcp" or "unix"
	server   *pump.Server
	hint     func(front.Endpoint) string
	listener net.Listener // since Open
}

func (d *streamDoor) Open(ctx context.Context) (front.Endpoint, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, d.network, d.endpoint.Address)
	if err != nil {
		return front.Endpoint{}, err
	}
	d.listener = l
	if d.network == "tcp" {
		d.endpoint.Address = l.Addr().String()
	}
	return d.endpoint, nil
}

func (d *streamDoor) Serve(ctx context.Context) error { return d.server.Serve(ctx, d.listener) }

func (d *streamDoor) Shutdown(ctx context.Context, reason string) error {
	if d.listener != nil {
		d.listener.Close()
	}
	return d.server.Shutdown(ctx, reason)
}

func (d *streamDoor) Hint() string { return d.hint(d.endpoint) }
