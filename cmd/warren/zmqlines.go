package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/warrenmq/warren/zmq"
)

type zmqPushCmd struct {
	EndpointFlags
	PartsFlags
	CountFlag
	LingerFlag
}

// Help says who gets a line.
func (*zmqPushCmd) Help() string {
	return `Each line goes to one of the connected PULL sockets in turn. It waits while none is connected or all are full, and at the end until every line is on its way.`
}

// Examples ends "warren zmq push --help".
func (*zmqPushCmd) Examples() string {
	return `
seq 1000 | warren zmq push --bind tcp://127.0.0.1:5555
warren zmq push --connect tcp://127.0.0.1:5555 --connect tcp://127.0.0.1:5557 < jobs.txt
`
}

// Run sends.
func (c *zmqPushCmd) Run(ctx context.Context, std stdio) error {
	s := zmq.NewPush(nil)
	err := c.attach(ctx, s, std)
	if err == nil {
		err = sendLines(ctx, s, &c.PartsFlags, c.Count, std.in)
	}
	return c.close(ctx, s, err)
}

type zmqPullCmd struct {
	EndpointFlags
	PartsFlags
	CountFlag
	TimeoutFlag
}

// Help says in which order.
func (*zmqPullCmd) Help() string {
	return `Prints what every connected PUSH socket sends, fairly mixed; each sender's messages keep their order.`
}

// Examples ends "warren zmq pull --help".
func (*zmqPullCmd) Examples() string {
	return `
warren zmq pull --bind tcp://127.0.0.1:5555
warren zmq pull --connect ipc:///tmp/jobs.sock --count 1 --timeout 5s
`
}

// Run receives.
func (c *zmqPullCmd) Run(ctx context.Context, std stdio) error {
	s := zmq.NewPull(nil)
	defer s.Close()
	if err := c.attach(ctx, s, std); err != nil {
		return err
	}
	return receiveLines(ctx, s, &c.PartsFlags, &c.TimeoutFlag, c.Count, std.out)
}

type zmqPubCmd struct {
	EndpointFlags
	PartsFlags
	CountFlag
	LingerFlag
	HWM  int `name:"hwm" default:"100000" placeholder:"N" help:"How many messages may wait for a subscriber before it misses some; 0 is no bound. Default: ${default}."`
	Wait int `default:"1" placeholder:"N" help:"Publish nothing before so many subscriptions have come. 0 publishes at once, and what nobody subscribed to is dropped. Default: ${default}."`
}

// Help says why it waits.
func (*zmqPubCmd) Help() string {
	return `A PUB socket drops what nobody has subscribed to, and a subscription takes a moment to arrive; that is how the first messages get lost. So pub reads no line until --wait subscriptions have come: one for each SUB socket and prefix.`
}

// Examples ends "warren zmq pub --help".
func (*zmqPubCmd) Examples() string {
	return `
printf 'NASDAQ\t101\nNYSE\t7\n' | warren zmq pub --bind tcp://127.0.0.1:5556

# three subscribers get all of it
warren zmq pub --bind tcp://127.0.0.1:5556 --wait 3 < prices.txt

# a feed that goes on whether or not anybody listens
tail -f prices.txt | warren zmq pub --bind tcp://127.0.0.1:5556 --wait 0
`
}

// Validate refuses a negative number. kong calls it before Run.
func (c *zmqPubCmd) Validate() error {
	if c.Wait < 0 || c.HWM < 0 {
		return errors.New("--wait and --hwm must not be below 0")
	}
	return nil
}

// Run publishes on an XPUB socket, which is a PUB socket that says who subscribes.
func (c *zmqPubCmd) Run(ctx context.Context, std stdio) error {
	s := zmq.NewXPub(&zmq.Options{XPubVerbose: true, SendHWM: cmp.Or(c.HWM, -1)})
	err := c.attach(ctx, s, std)
	if err == nil {
		err = c.awaitSubscriptions(ctx, s)
	}
	if err == nil {
		err = sendLines(ctx, s, &c.PartsFlags, c.Count, std.in)
	}
	return c.close(ctx, s, err)
}

// awaitSubscriptions returns when --wait subscriptions have come, or when ctx is interrupted.
func (c *zmqPubCmd) awaitSubscriptions(ctx context.Context, s *zmq.XPub) error {
	for subscribed := 0; subscribed < c.Wait; {
		m, err := s.Recv(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case len(m) == 1 && len(m[0]) > 0 && m[0][0] == 1:
			subscribed++
		}
	}
	return nil
}

type zmqSubCmd struct {
	EndpointFlags
	PartsFlags
	CountFlag
	TimeoutFlag
	Subscribe []string `sep:"none" placeholder:"PREFIX" help:"Print only messages that begin with PREFIX. Repeatable. Default: everything."`
}

// Help says what a subscription is.
func (*zmqSubCmd) Help() string {
	return `A message is printed when its first part begins with one of the prefixes. Publishers send only what is subscribed to.`
}

// Examples ends "warren zmq sub --help".
func (*zmqSubCmd) Examples() string {
	return `
warren zmq sub --connect tcp://127.0.0.1:5556
warren zmq sub --connect tcp://127.0.0.1:5556 --connect tcp://127.0.0.1:5557 --subscribe NASDAQ --subscribe NYSE
`
}

// Run receives.
func (c *zmqSubCmd) Run(ctx context.Context, std stdio) error {
	s := zmq.NewSub(nil)
	defer s.Close()
	prefixes := c.Subscribe
	if len(prefixes) == 0 {
		prefixes = []string{""}
	}
	for _, prefix := range prefixes {
		if err := s.Subscribe(prefix); err != nil {
			return err
		}
	}
	if err := c.attach(ctx, s, std); err != nil {
		return err
	}
	return receiveLines(ctx, s, &c.PartsFlags, &c.TimeoutFlag, c.Count, std.out)
}
