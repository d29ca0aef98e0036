package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/warrenmq/warren/zmq"
)

type zmqProxyCmd struct {
	Kind     string   `default:"queue" enum:"queue,forwarder,streamer" placeholder:"KIND" help:"queue (ROUTER to DEALER), forwarder (XSUB to XPUB) or streamer (PULL to PUSH). Default: ${default}."`
	Frontend []string `required:"" sep:"none" placeholder:"URL" help:"Where REQ, PUB or PUSH sockets come. Repeatable; ?connect=1 connects instead of binding."`
	Backend  []string `required:"" sep:"none" placeholder:"URL" help:"Where REP, SUB or PULL sockets come. Repeatable; ?connect=1 connects instead of binding."`
	Capture  []string `sep:"none" placeholder:"URL" help:"Publish everything that passes on a PUB socket there."`
	LingerFlag
}

// Help says what each kind does.
func (*zmqProxyCmd) Help() string {
	return `A queue shares the requests of many REQ sockets among many REP sockets and takes the answers back. A forwarder lets many SUB sockets subscribe to many PUB sockets at one address. A streamer does the same for PUSH and PULL. It runs until interrupted.`
}

// Examples ends "warren zmq proxy --help".
func (*zmqProxyCmd) Examples() string {
	return `
# any number of clients on 5559, any number of workers on 5560
warren zmq proxy --frontend tcp://127.0.0.1:5559 --backend tcp://127.0.0.1:5560

# two publishers elsewhere, republished here
warren zmq proxy --kind forwarder --frontend 'tcp://10.0.0.1:5556?connect=1' \
    --frontend 'tcp://10.0.0.2:5556?connect=1' --backend ipc:///tmp/feed.sock
`
}

// proxySocket is what zmq.Proxy carries between.
type proxySocket interface {
	endpointer
	zmq.ProxySocket
	shutdowner
}

// Run carries messages until ctx ends.
func (c *zmqProxyCmd) Run(ctx context.Context, std stdio) error {
	var front, back proxySocket
	switch c.Kind {
	case "forwarder":
		front, back = zmq.NewXSub(nil), zmq.NewXPub(nil)
	case "streamer":
		front, back = zmq.NewPull(nil), zmq.NewPush(nil)
	default:
		front, back = zmq.NewRouter(nil), zmq.NewDealer(nil)
	}
	capture := zmq.NewPub(nil)
	err := c.carry(ctx, front, back, capture, std)
	for _, s := range []shutdowner{front, back, capture} {
		err = c.close(ctx, s, err)
	}
	return err
}

// carry attaches the sockets and carries messages until ctx ends.
func (c *zmqProxyCmd) carry(ctx context.Context, front, back proxySocket, pub *zmq.Pub, std stdio) error {
	if err := attachEach(ctx, "frontend", front, c.Frontend, std); err != nil {
		return err
	}
	if err := attachEach(ctx, "backend", back, c.Backend, std); err != nil {
		return err
	}
	var capture zmq.Sender
	if len(c.Capture) > 0 {
		if err := attachEach(ctx, "capture", pub, c.Capture, std); err != nil {
			return err
		}
		capture = pub
	}
	if err := zmq.Proxy(ctx, front, back, capture); ctx.Err() == nil {
		return err
	}
	return nil
}

// attachEach binds s to each URL, or connects it where the URL ends in ?connect=1.
func attachEach(ctx context.Context, flag string, s endpointer, urls []string, std stdio) error {
	for _, text := range urls {
		address, query, _ := strings.Cut(text, "?")
		values, err := url.ParseQuery(query)
		if connect := values.Get("connect"); err != nil || len(values) > 1 || len(values) == 1 && connect != "1" {
			return fmt.Errorf("--%s %s: only connect=1 is understood after the question mark", flag, text)
		} else if connect == "1" {
			if err := s.Dial(ctx, address); err != nil {
				return err
			}
			continue
		}
		if err := (&EndpointFlags{Bind: []string{address}}).attach(ctx, s, std); err != nil {
			return err
		}
	}
	return nil
}
