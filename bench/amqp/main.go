// Command amqp measures Warren's AMQP 0-9-1 broker against RabbitMQ and against
// a relay that shows what the machine allows. Run in bench/:
//
//	go run ./amqp
//	go run ./amqp --only 'transient-16|fanout' --rounds 5 --seconds 4
//	go run ./amqp backlog --lengths 100000,2000000
//	go run ./amqp idle
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

	"github.com/warrenmq/warren/bench/internal/limit"
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
	dir     string
	out     string
	list    bool

	// Of backlog.
	lengths  string
	ackEvery int
	longest  string
}

// modes are what the command does besides the scenarios.
var modes = map[string]func(context.Context, *options) error{
	"backlog": backlog,
	"idle":    idle,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 2 && args[0] == "relay":
		err = serveRelay(ctx, args[1])
	case len(args) > 0 && modes[args[0]] != nil:
		err = modes[args[0]](ctx, parse(args[0], args[1:]))
	default:
		err = drive(ctx, parse("", args))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "amqp:", err)
		stop()
		os.Exit(1)
	}
}

// parse reads the flags of a mode, "" being the scenarios.
func parse(mode string, args []string) *options {
	var o options
	flags := flag.NewFlagSet("amqp", flag.ExitOnError)
	flags.IntVar(&o.rounds, "rounds", 3, "how often each server does each thing, in turn")
	flags.StringVar(&o.warren, "warren", "", "the warren binary to measure; none = built from the module around this one")
	flags.StringVar(&o.dir, "dir", "", "a folder on the disk to measure; none = where temporary files lie")
	flags.StringVar(&o.out, "out", "", "a folder for the figures as JSON and as a plot; none = only the table is printed")
	switch mode {
	case "backlog":
		flags.StringVar(&o.servers, "servers", "warren,rabbitmq", "which servers, in which order")
		flags.StringVar(&o.lengths, "lengths", "100000,500000,2000000", "how many messages are in the queue")
		flags.StringVar(&o.longest, "longest", "rabbitmq=500000", "how many a server gets at most, where more would take it many minutes")
		flags.IntVar(&o.ackEvery, "ack-every", 1, "how many deliveries are acknowledged together")
	case "idle":
		flags.StringVar(&o.servers, "servers", "warren,rabbitmq", "which servers, in which order")
		flags.Float64Var(&o.seconds, "seconds", 5, "how long a server is watched doing nothing")
	default:
		flags.Float64Var(&o.seconds, "seconds", 3, "how long each load lasts, of which a tenth is warm-up")
		flags.StringVar(&o.only, "only", "", "a regular expression: run the scenarios whose names match")
		flags.StringVar(&o.servers, "servers", "warren,rabbitmq,relay", "which servers, in which order; ratios are to rabbitmq or, without it, to the last one")
		flags.BoolVar(&o.list, "list", false, "list the scenarios and stop")
	}
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "usage: go run ./amqp [backlog | idle] [flags]\n       go run ./amqp relay HOST:PORT   (only the relay)\n\n")
		flags.PrintDefaults()
	}
	flags.Parse(args)
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
		return !pattern.MatchString(s.name)
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
	dir, err := os.MkdirTemp(o.dir, "warren-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := o.build(ctx, dir); err != nil {
		return err
	}
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
			if sc.disk {
				fmt.Fprintf(os.Stderr, "%s %d/%d limit\n", sc.name, round+1, o.rounds)
				r.Add(sc.name, sc.about, sc.primary, "limit", measureLimit(sc, dir, o))
			}
		}
		if sc.load.Persistent && sc.load.Confirms == 1 {
			r.Notes = append(r.Notes, confirmNote(r, sc.name)...)
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

// measureLimit tells what the disk allows: records of the load's size, as many
// for each sync as the load has under way.
func measureLimit(sc scenario, dir string, o *options) report.Sample {
	res, err := limit.Run(limit.Options{
		Dir: dir, Size: sc.load.Size, Window: max(1, sc.load.Confirms), Duration: time.Duration(o.seconds * float64(time.Second)),
	})
	if err != nil {
		return report.Sample{Failed: err.Error()}
	}
	return report.Sample{
		Rate: float64(res.Records) / res.Elapsed.Seconds(),
		CPU:  float64(res.CPU) / 1e3 / float64(res.Records),
		P50:  float64(res.Latency.P50) / 1e3,
		P99:  float64(res.Latency.P99) / 1e3,
		P999: float64(res.Latency.P999) / 1e3,
	}
}

// confirmNote compares what a confirm takes with what it can't do without: an
// append and a sync, as the limit program's, and two round trips, as the
// relay's.
func confirmNote(r *report.Report, scenario string) []string {
	bound := func(round int) float64 {
		sync, trip := r.Figure(scenario, "limit", round), r.Figure(scenario, "relay", round)
		if sync.P50 == 0 || trip.P50 == 0 {
			return 0
		}
		return sync.P50 + 2*trip.P50
	}
	var parts []float64
	for round := range r.Rounds {
		if b := bound(round); b > 0 {
			parts = append(parts, r.Figure(scenario, "warren", round).P50/b)
		}
	}
	s := report.NewSpread(parts)
	if s.N == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: warren's median confirm takes %.2f [%.2f–%.2f] of (append and fdatasync + 2 × the relay's round trip)",
		scenario, s.Median, s.Min, s.Max)}
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
	if load.Persistent {
		sample.Resident = float64(res.ServerResident)
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
