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
	"github.com/warrenmq/warren/broker/internal/front/socket"
	"github.com/warrenmq/warren/broker/internal/front/zmq"
)

// DefaultListen returns the standard listeners, on loopback.
func DefaultListen() []string { return []string{"amqp://127.0.0.1:5672"} }

// doorFront is a front that listeners are opened for.
type doorFront struct {
	schemes []string
	open    func(env front.Env, e front.Endpoint) (front.Door, error)
}

// doorFronts has a row for each front.
func doorFronts() []doorFront {
	return []doorFront{
		{[]string{"amqp"}, openAMQP},
		{socket.Schemes(), socket.New},
		{zmq.Schemes(), zmq.New},
	}
}

// newDoor makes the door that an endpoint asks for.
func newDoor(env front.Env, e front.Endpoint) (front.Door, error) {
	var known []string
	for _, f := range doorFronts() {
		if slices.Contains(f.schemes, e.Scheme) {
			return f.open(env, e)
		}
		known = append(known, f.schemes...)
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
