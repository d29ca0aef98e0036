package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/warrenmq/warren/bench/internal/report"
	"github.com/warrenmq/warren/load"
	"github.com/warrenmq/warren/load/amqp"
)

// idle measures servers that have nothing to do: how long they take from the
// start of the program, with an empty data folder, to the delivery of a first
// message, and what they use when they have rested.
func idle(ctx context.Context, o *options) error {
	if o.rounds < 1 || !(o.seconds > 0) {
		return errors.New("--rounds and --seconds have to be above zero")
	}
	dir, err := os.MkdirTemp(o.dir, "warren-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := o.build(ctx, dir); err != nil {
		return err
	}
	r := report.New("Brokers with nothing to do", "rabbitmq", o.rounds)
	for round := range o.rounds {
		for name := range strings.SplitSeq(o.servers, ",") {
			start := starters[name]
			if start == nil {
				return fmt.Errorf("--servers: no server %q", name)
			}
			fmt.Fprintf(os.Stderr, "%d/%d %s\n", round+1, o.rounds, name)
			data := filepath.Join(dir, "data")
			first, rest, err := idleRun(ctx, func() (*server, error) {
				if err := os.MkdirAll(data, 0o755); err != nil {
					return nil, err
				}
				return start(ctx, data, o)
			}, time.Duration(o.seconds*float64(time.Second)))
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := os.RemoveAll(data); err != nil {
				return err
			}
			if s := errSkip(""); errors.As(err, &s) {
				if round == 0 {
					r.Skipped = append(r.Skipped, name+": "+string(s))
				}
				continue
			}
			if err != nil {
				first, rest = report.Sample{Failed: err.Error()}, report.Sample{Failed: err.Error()}
			}
			r.Add("start", "from the start of the program to a first message delivered", report.Seconds, name, first)
			r.Add("rest", "an empty broker that nobody is connected to", report.Resident, name, rest)
		}
	}
	if err := r.WriteTable(os.Stdout); err != nil {
		return err
	}
	if o.out == "" {
		return nil
	}
	return r.Save(o.out, "idle")
}

// idleRun starts a server, sends one message through it, and then watches it
// for a while.
func idleRun(ctx context.Context, start func() (*server, error), watch time.Duration) (first, rest report.Sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	begun := time.Now()
	s, err := start()
	if err != nil {
		return first, rest, err
	}
	defer s.stop()
	res, err := amqp.Run(ctx, amqp.Options{URL: s.url, Count: 1, Persistent: true, Confirms: 1, Prefetch: 1})
	if err != nil {
		return first, rest, err
	}
	if res.FirstDelivery.IsZero() {
		return first, rest, errors.New("the message was not delivered")
	}
	first.Seconds = res.FirstDelivery.Sub(begun).Seconds()

	settle := time.NewTimer(2 * time.Second)
	defer settle.Stop()
	<-settle.C
	before, err := load.ProcessUsage(s.pid)
	if err != nil {
		return first, rest, err
	}
	watched := time.NewTimer(watch)
	defer watched.Stop()
	since := time.Now()
	select {
	case <-watched.C:
	case <-ctx.Done():
		return first, rest, ctx.Err()
	}
	after, err := load.ProcessUsage(s.pid)
	if err != nil {
		return first, rest, err
	}
	rest.Resident = float64(after.Resident)
	// In steps of 10 ms: a server that used less has used at most that.
	rest.Cores = max(after.CPU-before.CPU, 10*time.Millisecond).Seconds() / time.Since(since).Seconds()
	return first, rest, nil
}
