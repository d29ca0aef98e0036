// Command amqp measures Warren's AMQP 0-9-1 broker against RabbitMQ and against
// a relay that shows what the machine allows. Run in bench/:
//
//	go run ./amqp
//	go run ./amqp --only 'transient-16|fanout' --rounds 5 --seconds 4
//
// It starts the servers itself, each with a temporary data folder and ports of
// its own, gives them the same work in turn, round after round, and stops them.
// README.md tells how to read what it prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/warrenmq/warren/bench/internal/report"
	"github.com/warrenmq/warren/load/amqp"
)

// options are the command's flags.
type options struct {
	rounds  int
	seconds float64
	only    string
	servers string
	warren  string
	out     string
	list    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) == 3 && os.Args[1] == "relay" {
		err = serveRelay(ctx, os.Args[2])
	} else {
		err = drive(ctx, parse())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "amqp:", err)
		stop()
		os.Exit(1)
	}
}

func parse() *options {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "how often each server does each scenario, in turn")
	flag.Float64Var(&o.seconds, "seconds", 3, "how long each load lasts, of which a tenth is warm-up")
	flag.StringVar(&o.only, "only", "", "a regular expression: run the scenarios whose names match; the ones about the disk run only when it is given")
	flag.StringVar(&o.servers, "servers", "warren,rabbitmq,relay", "which servers, in which order; ratios are to rabbitmq or, without it, to the last one")
	flag.StringVar(&o.warren, "warren", "", "the warren binary to measure; none = built from the module around this one")
	flag.StringVar(&o.out, "out", "", "a folder for amqp.json and amqp.svg; none = only the table is printed")
	flag.BoolVar(&o.list, "list", false, "list the scenarios and stop")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: go run ./amqp [flags]\n       go run ./amqp relay HOST:PORT   (only the relay)\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	return &o
}

// serveRelay runs the relay until it is told to stop.
func serveRelay(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return new(relay).serve(ctx, l)
}

// chosen returns the scenarios that --only stands for.
func chosen(only string) ([]scenario, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	list := slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool {
		return !pattern.MatchString(s.name) || s.disk && only == ""
	})
	if len(list) == 0 {
		return nil, fmt.Errorf("--only %q matches no scenario; --list shows them", only)
	}
	return list, nil
}

func drive(ctx context.Context, o *options) error {
	if o.list {
		for _, s := range scenarios {
			fmt.Printf("%-22s %s\n", s.name, s.about)
		}
		return nil
	}
	if o.rounds < 1 || !(o.seconds > 0) {
		return errors.New("--rounds and --seconds have to be above zero")
	}
	list, err := chosen(o.only)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "warren-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	servers, skipped, err := start(ctx, dir, o)
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	baseline := servers[len(servers)-1].name
	if slices.ContainsFunc(servers, func(s *server) bool { return s.name == "rabbitmq" }) {
		baseline = "rabbitmq"
	}
	r := report.New("AMQP 0-9-1 brokers", baseline, o.rounds)
	r.Skipped = skipped
	for _, sc := range list {
		for round := range o.rounds {
			for _, s := range servers {
				fmt.Fprintf(os.Stderr, "%s %d/%d %s\n", sc.name, round+1, o.rounds, s.name)
				sample := measure(ctx, sc, s, o)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				r.Add(sc.name, sc.about, sc.primary, s.name, sample)
			}
		}
	}
	if err := r.WriteTable(os.Stdout); err != nil {
		return err
	}
	if o.out == "" {
		return nil
	}
	return r.Save(o.out, "amqp")
}

// start starts the servers. Those that run are returned in any case.
func start(ctx context.Context, dir string, o *options) (servers []*server, skipped []string, err error) {
	for name := range strings.SplitSeq(o.servers, ",") {
		starter := starters[name]
		if starter == nil {
			return servers, skipped, fmt.Errorf("--servers: no server %q", name)
		}
		fmt.Fprintln(os.Stderr, "starting", name)
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		s, err := starter(ctx, dir, o)
		cancel()
		if skip := errSkip(""); errors.As(err, &skip) {
			skipped = append(skipped, name+": "+string(skip))
			continue
		}
		if err != nil {
			return servers, skipped, fmt.Errorf("starting %s: %w", name, err)
		}
		servers = append(servers, s)
	}
	if len(servers) == 0 {
		return nil, skipped, fmt.Errorf("no server to measure: %s", strings.Join(skipped, "; "))
	}
	return servers, skipped, nil
}

// measure gives a server one load.
func measure(ctx context.Context, sc scenario, s *server, o *options) report.Sample {
	load := sc.load
	load.URL = s.url
	load.ServerPID = s.pid
	load.Duration = time.Duration(o.seconds * float64(time.Second))
	ctx, cancel := context.WithTimeout(ctx, load.Duration+time.Minute)
	defer cancel()
	res, err := amqp.Run(ctx, load)
	if err != nil {
		return report.Sample{Failed: err.Error()}
	}
	sample := report.Sample{
		Rate: res.DeliverRate,
		CPU:  float64(res.CPUPerMessage) / 1e3,
		Lost: res.Lost,
	}
	latency := res.Latency
	if load.Confirms > 0 {
		latency = res.Confirm
	}
	// Without a schedule or a window, the latency says only how long the queue
	// was.
	if load.Rate > 0 || load.Confirms > 0 {
		sample.P50 = float64(latency.P50) / 1e3
		sample.P99 = float64(latency.P99) / 1e3
		sample.P999 = float64(latency.P999) / 1e3
	}
	return sample
}
