package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/warrenmq/warren/broker"
)

type serveCmd struct {
	Listen []string `sep:"none" placeholder:"URL" help:"An address to listen on; give the flag once for each. Default: the standard listeners, on loopback."`
	Data   string   `placeholder:"DIR" type:"path" help:"The data folder: what is durable is kept in it. Made when it is missing. Default: none, everything is in memory."`

	Sync         string        `enum:"always,interval,never" default:"always" placeholder:"WHEN" help:"When a message in the data folder counts as safe, and is confirmed: always (it is on the disk), interval (the system has it, the disk gets it every --sync-interval), never (the system writes when it likes). Default: ${default}."`
	SyncInterval time.Duration `default:"1s" placeholder:"DURATION" help:"How often --sync interval writes to the disk. Default: ${default}."`
	MinFree      size          `default:"256MiB" placeholder:"SIZE" help:"With less left on the disk, publishers are held until there is more. 0 is no limit. Default: ${default}."`
	Memory       size          `placeholder:"SIZE" help:"With more messages than this in memory, publishers are held. Default: two fifths of the machine's or the container's memory."`

	DrainTimeout time.Duration `default:"5s" placeholder:"DURATION" help:"How long clients may take to finish after SIGTERM before they are cut off. Default: ${default}."`
	LogFlags
}

// Help lists the URLs. The list is the command's own; broker.Config has what every part of a URL means.
func (*serveCmd) Help() string {
	return `Opens every listener, prints how to try each on standard error and then the line "ready" on standard output, and serves until it gets SIGTERM or SIGINT: then it stops accepting, lets its clients finish, and exits 0. A second signal ends it at once.

Listeners:

    amqp://HOST:PORT                           AMQP 0-9-1
    room+tcp://HOST:PORT?exchange=NAME         every line reaches all others in the room
    queue+tcp://HOST:PORT?queue=NAME           lines in and out of a queue
    echo+tcp://HOST:PORT, echo+udp://, echo+unix:///PATH
    zmq+pub://HOST:PORT?exchange=NAME          what is published, to ZeroMQ SUB sockets by prefix
    zmq+sub://HOST:PORT?exchange=NAME          what ZeroMQ PUB sockets send, to an exchange
    zmq+pull://HOST:PORT?queue=NAME            what ZeroMQ PUSH sockets send, to a queue
    zmq+push://HOST:PORT?queue=NAME            a queue, to ZeroMQ PULL sockets
    zmq+rep://HOST:PORT?exchange=NAME&key=KEY  ZeroMQ REQ clients, answered by AMQP workers
    zmq+req://HOST:PORT?queue=NAME             AMQP callers, answered by ZeroMQ REP workers

room+ and queue+ also take udp and unix as echo+ does. ZeroMQ listeners also take ipc, as in zmq+pub+ipc:///run/news.sock, and connect instead of binding with &connect=1. Port 0 is any free port; the banner says which. Whatever the address, the only user so far is guest, who is served on this machine only.`
}

// Examples ends "warren serve --help".
func (*serveCmd) Examples() string {
	return `
# the standard listeners
warren serve

# what is durable survives: stop it, start it again
warren serve --data /var/lib/warren

# AMQP, and a room that nc can enter
warren serve --listen amqp://127.0.0.1:5672 --listen 'room+tcp://127.0.0.1:7000?exchange=lobby'

# AMQP programs publish to amq.topic, ZeroMQ programs subscribe by prefix
warren serve --listen amqp://127.0.0.1:5672 --listen 'zmq+pub://127.0.0.1:5556?exchange=amq.topic'
`
}

// Validate refuses a time that has no meaning. kong calls it before Run.
func (c *serveCmd) Validate() error {
	switch {
	case c.DrainTimeout <= 0:
		return errors.New("--drain-timeout must be above 0")
	case c.SyncInterval <= 0:
		return errors.New("--sync-interval must be above 0")
	case c.Data == "" && c.Sync != "always":
		return errors.New("--sync says how the data folder is kept: give one with --data")
	}
	return nil
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, std stdio) error {
	logger := c.logger(std.err)
	if limit := limitMemory(); limit > 0 {
		logger.Debug("memory limit set from the control group", "bytes", limit)
	}
	listen := c.Listen
	if len(listen) == 0 {
		listen = broker.DefaultListen()
	}
	sync, err := broker.ParseSync(c.Sync)
	if err != nil {
		return err
	}
	config := broker.Config{
		Dir: c.Data, Listen: listen, DrainTimeout: c.DrainTimeout, Logger: logger, MemoryLimit: int64(c.Memory),
		Store: broker.StoreOptions{Sync: sync, SyncInterval: c.SyncInterval, MinFree: int64(c.MinFree)},
	}
	if c.MinFree == 0 {
		config.Store.MinFree = -1
	}
	notice := "Messages, queues and users are kept in memory: nothing survives a restart. --data DIR keeps what is durable."
	if c.Data != "" {
		notice = "What is durable is kept in " + c.Data + "."
	}
	return serve(ctx, std, config, c.LogFormat == "json", notice)
}

// serve runs a broker until ctx ends. Once every listener is open it prints the banner (or logs it, for programs that
// read the log) and the line "ready".
func serve(ctx context.Context, std stdio, config broker.Config, logged bool, notice string) error {
	b, err := broker.Open(config)
	if err != nil {
		return err
	}
	defer b.Close()
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-b.Ready():
	}
	if logged {
		logListeners(config.Logger, b.Listeners())
	} else {
		fmt.Fprint(std.err, banner(b.Listeners(), notice))
	}
	if _, err := fmt.Fprintln(std.out, "ready"); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	defer context.AfterFunc(ctx, func() { config.Logger.Info("stopping; another signal ends it at once") })()
	return <-done
}

func logListeners(logger *slog.Logger, listeners []broker.Listener) {
	for _, l := range listeners {
		logger.Info("listening", "protocol", l.Protocol, "url", l.URL)
	}
}

// banner is what a reader of the terminal sees first: each listener, and below it how to try it.
func banner(listeners []broker.Listener, notice string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "warren %s is listening on\n", version())
	for _, l := range listeners {
		fmt.Fprintf(&b, "\n  %s\n", l.URL)
		if l.Hint != "" {
			fmt.Fprintf(&b, "      %s\n", l.Hint)
		}
	}
	b.WriteByte('\n')
	if notice != "" {
		fmt.Fprintf(&b, "%s\n", notice)
	}
	b.WriteString("Ctrl-C ends it in order.\n")
	return b.String()
}
