package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/warrenmq/warren/bench/internal/process"
)

// server is one broker under test.
type server struct {
	name string
	url  string
	pid  int // of the process that does the work
	stop func()
	kill func() // stops it as a crash does
}

// starters start the servers, by name. A starter returns errSkip when the
// server is not installed here. A server whose data lie in dir takes them up
// again.
var starters = map[string]func(ctx context.Context, dir string, o *options) (*server, error){
	"warren":   startWarren,
	"rabbitmq": startRabbitMQ,
	"relay":    startRelay,
}

// errSkip is why a server takes no part.
type errSkip string

func (e errSkip) Error() string { return string(e) }

// build builds the command, if no binary was given.
func (o *options) build(ctx context.Context, dir string) error {
	if o.warren != "" {
		return nil
	}
	o.warren = filepath.Join(dir, "warren")
	return process.Build(ctx, process.Root, o.warren, "./cmd/warren", "CGO_ENABLED=0")
}

// startWarren runs the command with one listener.
func startWarren(ctx context.Context, dir string, o *options) (*server, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	cmd := exec.Command(o.warren, "serve", "--data", filepath.Join(dir, "warren-data"), "--listen", "amqp://"+address)
	p, err := process.Start(ctx, cmd, func(line string) bool { return line == "ready" })
	if err != nil {
		return nil, err
	}
	return &server{
		name: "warren",
		url:  "amqp://guest:guest@" + address + "/",
		pid:  p.PID(),
		stop: func() { p.Stop(time.Minute) },
		kill: p.Kill,
	}, nil
}

// startRelay runs this very program as the relay.
func startRelay(ctx context.Context, _ string, _ *options) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	p, err := process.Start(ctx, exec.Command(self, "relay", address), func(line string) bool { return line == "ready" })
	if err != nil {
		return nil, err
	}
	return &server{
		name: "relay",
		url:  "amqp://guest:guest@" + address + "/",
		pid:  p.PID(),
		stop: func() { p.Stop(time.Second) },
		kill: p.Kill,
	}, nil
}

// startRabbitMQ runs the installed RabbitMQ as a node of its own: its name,
// ports, port mapper and folders are this run's, so that it neither disturbs
// nor needs a service that may run on the machine.
func startRabbitMQ(ctx context.Context, dir string, _ *options) (*server, error) {
	// Debian's /usr/sbin/rabbitmq-server changes to the user rabbitmq, who
	// can't write here; the script behind it doesn't.
	const script = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	if _, err := os.Stat(script); err != nil {
		return nil, errSkip("not installed (Debian: apt-get install rabbitmq-server)")
	}
	var ports [3]int
	for i := range ports {
		var err error
		if ports[i], err = process.FreePort(); err != nil {
			return nil, err
		}
	}
	amqp, dist, epmdPort := ports[0], ports[1], fmt.Sprint(ports[2])
	home := filepath.Join(dir, "rabbitmq")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return nil, err
	}
	files := map[string]string{
		"enabled_plugins": "[].\n",
		"rabbitmq.conf": fmt.Sprintf(
			"listeners.tcp.default = 127.0.0.1:%d\nloopback_users = none\nlog.file = %s\nlog.console = false\n", amqp, filepath.Join(home, "log")),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	env := append(os.Environ(),
		"HOME="+home, // the Erlang cookie
		"ERL_EPMD_PORT="+epmdPort,
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_NODENAME=warren-bench@localhost", // other nodes of this name have other port mappers
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", dist),
		"RABBITMQ_MNESIA_BASE="+filepath.Join(home, "mnesia"),
		"RABBITMQ_LOG_BASE="+home,
		"RABBITMQ_LOGS="+filepath.Join(home, "log"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(home, "rabbitmq.conf"),
		"RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(home, "enabled_plugins"),
	)
	// The node would start a port mapper that outlives it; this one is stopped.
	epmd := exec.Command("epmd", "-port", epmdPort, "-address", "127.0.0.1")
	epmd.Env = env
	mapper, err := process.Start(ctx, epmd, nil)
	if err != nil {
		return nil, fmt.Errorf("starting epmd: %w", err)
	}
	stopMapper := func() { mapper.Stop(time.Second) }
	cmd := exec.Command(script)
	cmd.Env = env
	p, err := process.Start(ctx, cmd, nil)
	if err != nil {
		stopMapper()
		return nil, err
	}
	stop := func() {
		p.Stop(2 * time.Minute)
		stopMapper()
	}
	address := fmt.Sprintf("127.0.0.1:%d", amqp)
	if err := process.AwaitTCP(ctx, p, address); err != nil {
		stop()
		return nil, err
	}
	pid, err := process.Descendant(p.PID(), "beam.smp")
	if err != nil {
		stop()
		return nil, fmt.Errorf("looking for RabbitMQ's own process: %w", err)
	}
	return &server{
		name: "rabbitmq",
		url:  "amqp://guest:guest@" + address + "/",
		pid:  pid,
		stop: stop,
		kill: func() {
			p.Kill()
			stopMapper()
		},
	}, nil
}
