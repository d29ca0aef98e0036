// Command store measures Warren's store, which is a journal and segments,
// against the same interface over Pebble and against a limit program that only
// appends and syncs. Run in bench/:
//
//	go run ./store
//	go run ./store --only deep --rounds 5
//
// Each measurement is a process of its own in an empty folder, one store after
// the other, round after round. README.md tells how to read what it prints.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/warrenmq/warren/bench/internal/limit"
	"github.com/warrenmq/warren/bench/internal/process"
	"github.com/warrenmq/warren/bench/internal/report"
)

// options are the command's flags.
type options struct {
	rounds int
	scale  float64
	only   string
	stores string
	dir    string
	out    string
	list   bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "store:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "how often each store does each scenario, in turn")
	flag.Float64Var(&o.scale, "scale", 1, "how many times the usual number of records")
	flag.StringVar(&o.only, "only", "", "a regular expression: run the scenarios whose names match")
	flag.StringVar(&o.stores, "stores", "disk,pebble,limit", "which stores, in which order; ratios are to pebble or, without it, to the last one")
	flag.StringVar(&o.dir, "dir", "", "a folder on the disk to measure; none = where temporary files lie")
	flag.StringVar(&o.out, "out", "", "a folder for store.json and store.svg; none = only the table is printed")
	flag.BoolVar(&o.list, "list", false, "list the scenarios and stop")
	flag.Parse()
	if o.list {
		for _, s := range scenarios {
			fmt.Printf("%-16s %s\n", s.name, s.about)
		}
		return nil
	}
	if o.rounds < 1 || !(o.scale > 0) {
		return errors.New("--rounds and --scale have to be above zero")
	}
	pattern, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("--only: %w", err)
	}
	list := slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool { return !pattern.MatchString(s.name) })
	if len(list) == 0 {
		return fmt.Errorf("--only %q matches no scenario; --list shows them", o.only)
	}
	dir, err := os.MkdirTemp(o.dir, "warren-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := driver{options: &o, dir: dir, binary: filepath.Join(dir, "storeload")}
	root, err := process.ModuleFolder(ctx, process.Root)
	if err != nil {
		return err
	}
	if err := process.BuildIn(ctx, filepath.Join(root, "broker/internal/storage/pebblestore"), d.binary, "./storeload", "CGO_ENABLED=0"); err != nil {
		return err
	}
	names := strings.Split(o.stores, ",")
	baseline := names[len(names)-1]
	if slices.Contains(names, "pebble") {
		baseline = "pebble"
	}
	r := report.New("Stores of messages", baseline, o.rounds)
	for _, sc := range list {
		for round := range o.rounds {
			for _, name := range names {
				fmt.Fprintf(os.Stderr, "%s %d/%d %s\n", sc.name, round+1, o.rounds, name)
				d.measure(ctx, r, sc, name)
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
		}
	}
	if err := r.WriteTable(os.Stdout); err != nil {
		return err
	}
	if o.out == "" {
		return nil
	}
	return r.Save(o.out, "store")
}

// scenario is one kind of work for a store. It makes two lines of the table:
// the filling, under its name, and the draining.
type scenario struct {
	name    string
	about   string
	streams int
	size    int
	window  int
	records int
	queue   bool // settles while it fills, so there is nothing to drain
}

var scenarios = []scenario{
	{name: "fill-100-1", about: "one stream, 100 B, each record waits for its sync; then read and settled", streams: 1, size: 100, window: 1, records: 8_000},
	{name: "fill-100-64", about: "the same, 64 records on their way to the disk", streams: 1, size: 100, window: 64, records: 200_000},
	{name: "fill-100-1024", about: "the same, 1,024 records", streams: 1, size: 100, window: 1024, records: 3_000_000},
	{name: "fill-1k-1", about: "one stream, 1 KiB", streams: 1, size: 1024, window: 1, records: 8_000},
	{name: "fill-1k-64", about: "the same, 64 records on their way to the disk", streams: 1, size: 1024, window: 64, records: 150_000},
	{name: "fill-1k-1024", about: "the same, 1,024 records", streams: 1, size: 1024, window: 1024, records: 500_000},
	{name: "queue-100", about: "one stream, 100 B, 1,024 on their way, settled soon after: a queue that is short", streams: 1, size: 100, window: 1024, records: 4_000_000, queue: true},
	{name: "queue-1k", about: "the same, 1 KiB", streams: 1, size: 1024, window: 1024, records: 1_000_000, queue: true},
	{name: "deep", about: "1,000 streams in random order, 1 KiB, 1,024 on their way; then 256 of each stream in turn", streams: 1000, size: 1024, window: 1024, records: 2_000_000},
}

type driver struct {
	*options
	dir    string
	binary string
}

// result is what storeload prints.
type result struct {
	Fill    phase `json:"fill"`
	Drain   phase `json:"drain"`
	Closing int64 `json:"closing_bytes"`
}

type phase struct {
	Messages int     `json:"messages"`
	Seconds  float64 `json:"seconds"`
	CPU      float64 `json:"cpu_seconds"`
	Written  int64   `json:"written_bytes"`
	Resident int64   `json:"resident_bytes"`
	Peak     int64   `json:"peak_resident_bytes"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	P999     float64 `json:"p999_us"`
}

// sample makes a phase a sample. written is what counts towards it.
func (p *phase) sample(size int, written int64) report.Sample {
	return report.Sample{
		Rate: float64(p.Messages) / p.Seconds, CPU: p.CPU * 1e6 / float64(p.Messages), P50: p.P50, P99: p.P99, P999: p.P999,
		Resident: float64(p.Resident), Peak: float64(p.Peak), Amplified: float64(written) / float64(p.Messages*size),
	}
}

// measure gives one store one load and enters what it took.
func (d *driver) measure(ctx context.Context, r *report.Report, sc scenario, store string) {
	drains := strings.Replace(sc.name, "fill", "drain", 1)
	if drains == sc.name {
		drains += "-drain"
	}
	fill, drain, err := d.load(ctx, sc, store)
	if err != nil {
		fill, drain = report.Sample{Failed: err.Error()}, report.Sample{Failed: err.Error()}
	}
	r.Add(sc.name, sc.about, report.Rate, store, fill)
	if store != "limit" && !sc.queue {
		r.Add(drains, "the draining of "+sc.name, report.Rate, store, drain)
	}
}

func (d *driver) load(ctx context.Context, sc scenario, store string) (fill, drain report.Sample, err error) {
	records := max(1, int(float64(sc.records)*d.scale))
	dir, err := os.MkdirTemp(d.dir, store)
	if err != nil {
		return fill, drain, err
	}
	defer os.RemoveAll(dir)
	if store == "limit" {
		res, err := limit.Run(limit.Options{Dir: dir, Size: sc.size, Window: sc.window, Records: records})
		if err != nil {
			return fill, drain, err
		}
		l := res.Latency
		return report.Sample{
			Rate: float64(res.Records) / res.Elapsed.Seconds(), CPU: float64(res.CPU) / 1e3 / float64(res.Records),
			P50: float64(l.P50) / 1e3, P99: float64(l.P99) / 1e3, P999: float64(l.P999) / 1e3,
		}, drain, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, d.binary, "-store", store, "-dir", dir, "-streams", strconv.Itoa(sc.streams), "-size", strconv.Itoa(sc.size),
		"-window", strconv.Itoa(sc.window), "-messages", strconv.Itoa(records), "-queue="+strconv.FormatBool(sc.queue))
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return fill, drain, fmt.Errorf("%w: %s", err, complaint.String())
	}
	var res result
	if err := json.Unmarshal(out, &res); err != nil {
		return fill, drain, err
	}
	if sc.queue {
		return res.Fill.sample(sc.size, res.Fill.Written+res.Closing), drain, nil
	}
	return res.Fill.sample(sc.size, res.Fill.Written), res.Drain.sample(sc.size, res.Fill.Written+res.Drain.Written+res.Closing), nil
}
