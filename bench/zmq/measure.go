package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/warrenmq/warren/bench/internal/process"
	"github.com/warrenmq/warren/bench/internal/report"
)

// scenario is one of the six programs' work with one size.
type scenario struct {
	name      string
	about     string
	primary   report.Metric
	transport string // tcp, ipc or inproc
	size      int
	calibrate int // messages or round trips to begin with
}

// The scenarios are the rows of the project's table of peers, and the goals'.
func scenarios() []scenario {
	var list []scenario
	for _, s := range []struct {
		name string
		size int
	}{{"16", 16}, {"64", 64}, {"256", 256}, {"1k", 1 << 10}, {"64k", 64 << 10}} {
		list = append(list, scenario{
			name: "thr-tcp-" + s.name, about: "PUSH→PULL over tcp, " + s.name + " B", primary: report.Rate,
			transport: "tcp", size: s.size, calibrate: 5000,
		})
	}
	return append(list,
		scenario{name: "thr-ipc-64", about: "PUSH→PULL over ipc, 64 B", primary: report.Rate, transport: "ipc", size: 64, calibrate: 5000},
		scenario{name: "thr-inproc-64", about: "PUSH→PULL over inproc, 64 B", primary: report.Rate, transport: "inproc", size: 64, calibrate: 5000},
		scenario{name: "lat-tcp-64", about: "REQ/REP over tcp, 64 B, one way", primary: report.P50, transport: "tcp", size: 64, calibrate: 500},
		scenario{name: "lat-ipc-64", about: "REQ/REP over ipc, 64 B, one way", primary: report.P50, transport: "ipc", size: 64, calibrate: 500},
		scenario{name: "lat-inproc-64", about: "REQ/REP over inproc, 64 B, one way", primary: report.P50, transport: "inproc", size: 64, calibrate: 500},
	)
}

// driver runs programs.
type driver struct {
	dir   string
	count int // endpoints handed out
}

// endpoint returns one that nobody uses.
func (d *driver) endpoint(transport string) (string, error) {
	d.count++
	if transport == "ipc" {
		return fmt.Sprintf("ipc://%s/%d.sock", d.dir, d.count), nil
	}
	port, err := process.FreePort()
	return fmt.Sprintf("tcp://127.0.0.1:%d", port), err
}

// settle is how long the local end may take until it listens. A remote end that
// finds nobody tries again, so that this is no matter of correctness.
const settle = 150 * time.Millisecond

// grace is how long the local end may take when the remote one has written
// everything and is gone. (libzmq's receiver, when it has stopped reading at its
// high-water mark just then, drops what is left in an ipc connection, and would
// wait for ever.)
const grace = 3 * time.Second

// run has a pair do count messages or round trips. It is bounded by ctx.
func (d *driver) run(ctx context.Context, sc scenario, p pair, count int) (report.Sample, error) {
	kind, printer := "thr", "local"
	if sc.primary != report.Rate {
		kind, printer = "lat", "remote"
	}
	size, n := strconv.Itoa(sc.size), strconv.Itoa(count)
	var out bytes.Buffer
	var cpu time.Duration
	if sc.transport == "inproc" {
		c := p.local.start(ctx, &out, "inproc_"+kind, size, n)
		if err := c.wait(); err != nil {
			return report.Sample{}, err
		}
		cpu = c.cpu()
	} else {
		endpoint, err := d.endpoint(sc.transport)
		if err != nil {
			return report.Sample{}, err
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the one when the other fails
		outs := map[string]*bytes.Buffer{printer: &out}
		local := p.local.start(ctx, outs["local"], "local_"+kind, endpoint, size, n)
		time.Sleep(settle)
		remote := p.remote.start(ctx, outs["remote"], "remote_"+kind, endpoint, size, n)
		if err := remote.wait(); err != nil {
			cancel()
			local.wait()
			return report.Sample{}, err
		}
		late := time.AfterFunc(grace, cancel)
		defer late.Stop()
		if err := local.wait(); err != nil {
			return report.Sample{}, fmt.Errorf("the other end is done: %w", err)
		}
		cpu = local.cpu() + remote.cpu()
	}
	s, err := parse(out.String())
	s.CPU = float64(cpu) / 1e3 / float64(count)
	return s, err
}

// calibrate finds the count that takes the given time, so that a slow peer does
// not take hours and a fast one is not over at once, and returns it.
func (d *driver) calibrate(ctx context.Context, sc scenario, p pair, length time.Duration) (int, error) {
	count := sc.calibrate
	for {
		began := time.Now()
		s, err := d.run(ctx, sc, p, count)
		if err != nil {
			return 0, err
		}
		took := time.Since(began).Seconds() // for a latency: start and end included, so never too little
		if sc.primary == report.Rate {
			took = float64(count) / s.Rate
		}
		fits := float64(count) * length.Seconds() / took
		if took > 0.2*min(1, length.Seconds()) || fits <= float64(count) {
			return max(1, int(fits)), nil
		}
		count = int(min(fits, 10*float64(count)))
	}
}

// command is a running program.
type command struct {
	*exec.Cmd
	stderr bytes.Buffer
	err    error // of its start
}

// start runs one of the end's programs in the background.
func (e *end) start(ctx context.Context, out *bytes.Buffer, args ...string) *command {
	c := &command{Cmd: exec.CommandContext(ctx, e.command[0], append(e.command[1:], args...)...)}
	if out != nil {
		c.Stdout = out
	}
	c.Stderr = &c.stderr
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 2 * time.Second
	c.err = c.Start()
	return c
}

func (c *command) wait() error {
	if c.err != nil {
		return c.err
	}
	if err := c.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(c.Args[1:], " "), err, bytes.TrimSpace(c.stderr.Bytes()))
	}
	return nil
}

// cpu returns what the program has used.
func (c *command) cpu() time.Duration { return c.ProcessState.UserTime() + c.ProcessState.SystemTime() }

// parse reads the lines that the programs print.
func parse(out string) (report.Sample, error) {
	var s report.Sample
	for line := range strings.Lines(out) {
		key, rest, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) != 2 {
			continue
		}
		v, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return s, fmt.Errorf("a line that can't be read: %q", line)
		}
		switch key + " " + fields[1] {
		case "mean throughput [msg/s]":
			s.Rate = v
		case "median latency [us]":
			s.P50 = v
		case "99th percentile latency [us]":
			s.P99 = v
		}
	}
	if s.Rate == 0 && s.P50 == 0 {
		return s, fmt.Errorf("no result in %q", out)
	}
	return s, nil
}
