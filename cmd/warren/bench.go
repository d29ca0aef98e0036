package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	loadzmq "github.com/warrenmq/warren/load/zmq"
)

type benchCmd struct {
	AMQP benchAMQPCmd `cmd:"" name:"amqp" help:"Load an AMQP 0-9-1 broker and tell rates and latencies."`
	ZMQ  benchZMQCmd  `cmd:"" name:"zmq" help:"Measure ZeroMQ sockets, as libzmq's programs of the same names do."`
}

// Examples ends "warren bench --help".
func (*benchCmd) Examples() string {
	return `
# how many small messages a broker carries, five seconds long
warren bench amqp

# how long a round trip of 64 bytes takes between two processes
warren bench zmq local_lat tcp://127.0.0.1:5555 64 10000 &
warren bench zmq remote_lat tcp://127.0.0.1:5555 64 10000
`
}

// errInterrupted is why an interrupted run has no result: half a measurement is none.
var errInterrupted = errors.New("interrupted before the end, so there is no result")

type benchZMQCmd struct {
	Program   string   `arg:"" enum:"local_thr,remote_thr,local_lat,remote_lat,inproc_thr,inproc_lat" help:"local_thr, remote_thr, local_lat, remote_lat, inproc_thr or inproc_lat."`
	Arguments []string `arg:"" help:"URL, message size in bytes, and count. inproc_thr and inproc_lat take no URL."`
}

// Help says what the programs do.
func (*benchZMQCmd) Help() string {
	return `The local programs bind and the remote ones connect, with the arguments and the output of libzmq's, so that either end may be libzmq's own:

    local_thr  URL SIZE COUNT     receives COUNT messages (PULL) and tells how fast they came
    remote_thr URL SIZE COUNT     sends them (PUSH)
    local_lat  URL SIZE COUNT     answers COUNT requests (REP)
    remote_lat URL SIZE COUNT     asks (REQ) and tells half of a round trip: mean, median, 99th percentile
    inproc_thr SIZE COUNT, inproc_lat SIZE COUNT    both ends in this process

Both ends must be given the same SIZE and COUNT.`
}

// Examples ends "warren bench zmq --help".
func (*benchZMQCmd) Examples() string {
	return `
# throughput over TCP
warren bench zmq local_thr tcp://127.0.0.1:5555 64 1000000 &
warren bench zmq remote_thr tcp://127.0.0.1:5555 64 1000000

# latency within a process
warren bench zmq inproc_lat 64 100000
`
}

// Run runs one of the programs.
func (c *benchZMQCmd) Run(ctx context.Context, std stdio) error {
	out := bufio.NewWriter(std.out)
	if err := loadzmq.Main(ctx, out, append([]string{c.Program}, c.Arguments...)); err != nil {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return fmt.Errorf("bench zmq %s: %w", c.Program, advise(err))
	}
	return out.Flush()
}
