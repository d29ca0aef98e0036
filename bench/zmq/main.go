// Command zmq measures Warren's zmq package against libzmq, which is driven by a
// C program, and against the Go packages pebbe/zmq4 (which binds libzmq) and
// go-zeromq/zmq4. Run in bench/:
//
//	go run ./zmq
//	go run ./zmq --only thr-tcp-64 --rounds 7 --seconds 2
//
// Warren and libzmq are measured with themselves and with each other, in turn,
// round after round. It is also libzmq's six programs on Warren, with their own command
// lines:
//
//	go run ./zmq local_thr tcp://127.0.0.1:5555 64 1000000
//
// README.md tells how to read what it prints.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/warrenmq/warren/bench/internal/report"
	loadzmq "github.com/warrenmq/warren/load/zmq"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// options are the command's flags.
type options struct {
	rounds  int
	seconds float64
	only    string
	peers   string
	out     string
	list    bool
}

func run(ctx context.Context) error {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		return profiled(func() error { return loadzmq.Main(ctx, os.Stdout, os.Args[1:]) })
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each pair does each scenario, in turn")
	flag.Float64Var(&o.seconds, "seconds", 1.5, "how long each measurement lasts, about")
	flag.StringVar(&o.only, "only", "", "a regular expression: run the scenarios whose names match")
	flag.StringVar(&o.peers, "peers", "warren,libzmq,pebbe,go-zeromq", "which implementations; ratios are to libzmq with itself")
	flag.StringVar(&o.out, "out", "", "a folder for zmq.json and zmq.svg; none = only the table is printed")
	flag.BoolVar(&o.list, "list", false, "list the scenarios and stop")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: go run ./zmq [flags]\n       go run ./zmq local_thr|remote_thr|local_lat|remote_lat|inproc_thr|inproc_lat ...\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	return drive(ctx, &o)
}

// profiled runs f, and writes a CPU profile of it to the file that the
// environment variable CPUPROFILE names, if it does.
func profiled(f func() error) error {
	name := os.Getenv("CPUPROFILE")
	if name == "" {
		return f()
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	err = f()
	pprof.StopCPUProfile()
	return cmp.Or(err, file.Close())
}

func drive(ctx context.Context, o *options) error {
	pattern, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("--only: %w", err)
	}
	list := slices.DeleteFunc(scenarios(), func(s scenario) bool { return !pattern.MatchString(s.name) })
	if o.list {
		for _, s := range list {
			fmt.Printf("%-16s %s\n", s.name, s.about)
		}
		return nil
	}
	if len(list) == 0 {
		return fmt.Errorf("--only %q matches no scenario; --list shows them", o.only)
	}
	if o.rounds < 1 || !(o.seconds > 0) {
		return errors.New("--rounds and --seconds have to be above zero")
	}
	dir, err := os.MkdirTemp("", "warren-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ends, skipped, err := build(ctx, dir, strings.Split(o.peers, ","))
	if err != nil {
		return err
	}
	if len(ends) == 0 {
		return fmt.Errorf("nothing to measure: %s", strings.Join(skipped, "; "))
	}
	r := report.New("ZeroMQ, sender→receiver", baseline, o.rounds)
	r.Skipped = skipped
	d := &driver{dir: dir}
	for _, sc := range list {
		if err := d.scenario(ctx, r, sc, pairs(ends, sc.transport == "inproc"), o); err != nil {
			return err
		}
	}
	if err := r.WriteTable(os.Stdout); err != nil {
		return err
	}
	if o.out == "" {
		return nil
	}
	return r.Save(o.out, "zmq")
}

// scenario has all pairs do one scenario, round after round. The first round
// in which a pair does not fail finds out how many messages are its measure.
func (d *driver) scenario(ctx context.Context, r *report.Report, sc scenario, list []pair, o *options) error {
	length := time.Duration(o.seconds * float64(time.Second))
	counts := make(map[pair]int)
	bounded := func(f func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second+5*length)
		defer cancel()
		return f(ctx)
	}
	for round := range o.rounds {
		for _, p := range list {
			fmt.Fprintf(os.Stderr, "%s %d/%d %s\n", sc.name, round+1, o.rounds, p)
			var sample report.Sample
			err := bounded(func(ctx context.Context) (err error) {
				if counts[p] == 0 {
					if counts[p], err = d.calibrate(ctx, sc, p, length); err != nil {
						return err
					}
				}
				sample, err = d.run(ctx, sc, p, counts[p])
				return err
			})
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				sample = report.Sample{Failed: err.Error()}
			}
			r.Add(sc.name, sc.about, sc.primary, p.String(), sample)
		}
	}
	return nil
}
