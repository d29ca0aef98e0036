package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/warrenmq/warren/bench/internal/report"
	"github.com/warrenmq/warren/load"
	"github.com/warrenmq/warren/load/amqp"
)

// What all backlogs are made of, and how they are consumed.
const (
	backlogSize     = 100
	backlogConfirms = 1000
	backlogPrefetch = 200
)

// backlog measures long queues: filling one of persistent messages with
// confirms and without a consumer, the memory that it then takes, how long the
// server needs after a stop and after a kill until the first message is
// delivered, and draining it.
func backlog(ctx context.Context, o *options) error {
	lengths, err := numbers(o.lengths)
	if err != nil {
		return fmt.Errorf("--lengths: %w", err)
	}
	longest := map[string]int64{}
	for pair := range strings.SplitSeq(o.longest, ",") {
		name, n, ok := strings.Cut(pair, "=")
		if !ok && pair != "" {
			return fmt.Errorf("--longest: %q is not of the form server=number", pair)
		}
		if longest[name], err = strconv.ParseInt("0"+n, 10, 64); err != nil {
			return fmt.Errorf("--longest: %w", err)
		}
	}
	if o.rounds < 1 || o.ackEvery < 1 || o.ackEvery > backlogPrefetch {
		return fmt.Errorf("--rounds has to be above zero, and --ack-every 1 to %d", backlogPrefetch)
	}
	dir, err := os.MkdirTemp(o.dir, "warren-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := o.build(ctx, dir); err != nil {
		return err
	}
	r := report.New(fmt.Sprintf("Backlogs of persistent messages of %d B", backlogSize), "rabbitmq", o.rounds)
	skip := map[string]bool{}
	for round := range o.rounds {
		for _, n := range lengths {
			for name := range strings.SplitSeq(o.servers, ",") {
				if starters[name] == nil {
					return fmt.Errorf("--servers: no server %q", name)
				}
				if skip[name] {
					continue
				}
				if most := longest[name]; most > 0 && n > most {
					if round == 0 {
						r.Skipped = append(r.Skipped, fmt.Sprintf("%s with %d messages: more than --longest, %d", name, n, most))
					}
					continue
				}
				fmt.Fprintf(os.Stderr, "%d messages %d/%d %s\n", n, round+1, o.rounds, name)
				b := backlogRun{options: o, report: r, name: name, n: n, dir: filepath.Join(dir, "data")}
				err := b.run(ctx)
				if err := os.RemoveAll(b.dir); err != nil {
					return err
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if s := errSkip(""); errors.As(err, &s) {
					skip[name] = true
					r.Skipped = append(r.Skipped, name+": "+string(s))
				} else if err != nil {
					r.Add(b.scenario("fill"), "", report.Rate, name, report.Sample{Failed: err.Error()})
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
	if err := r.Save(o.out, "backlog"); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.out, "backlog-curves.svg"), backlogCurves(r, lengths).SVG(), 0o644)
}

// numbers reads a list of numbers above zero.
func numbers(list string) (ns []int64, err error) {
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no number above zero", word)
		}
		ns = append(ns, n)
	}
	return ns, nil
}

// backlogRun is one server with one length.
type backlogRun struct {
	*options
	report *report.Report
	name   string
	n      int64
	dir    string
}

// scenario names a part of the run.
func (b *backlogRun) scenario(part string) string { return backlogScenario(part, b.n) }

func backlogScenario(part string, n int64) string { return fmt.Sprintf("%s-%d", part, n) }

func (b *backlogRun) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	start := starters[b.name]
	s, err := start(ctx, b.dir, b.options)
	if err != nil {
		return err
	}
	defer func() { s.stop() }()

	work := amqp.Options{
		Persistent: true, Size: backlogSize, Keep: true, Drain: 20 * time.Second, Count: b.n,
		Confirms: backlogConfirms, Consumers: amqp.None, URL: s.url, ServerPID: s.pid,
	}
	filled, err := amqp.Run(ctx, work)
	if err != nil {
		return fmt.Errorf("filling: %w", err)
	}
	usage, err := load.ProcessUsage(s.pid)
	if err != nil {
		return err
	}
	b.report.Add(b.scenario("fill"), "publishing, window 1,000, no consumer", report.Rate, b.name, report.Sample{
		Rate: float64(filled.Confirmed) / filled.Elapsed.Seconds(), CPU: float64(filled.CPUPerMessage) / 1e3,
		P50: float64(filled.Confirm.P50) / 1e3, P99: float64(filled.Confirm.P99) / 1e3, P999: float64(filled.Confirm.P999) / 1e3,
		Resident: float64(usage.Resident), Peak: float64(usage.PeakResident), Lost: uint64(b.n) - filled.Confirmed,
	})

	for _, end := range []struct {
		part, about string
		f           func()
	}{
		{"restart", "from the start of the program to the first delivery, after it was stopped", s.stop},
		{"recovery", "the same after SIGKILL", nil},
	} {
		if end.f == nil {
			end.f = s.kill
		}
		end.f()
		begun := time.Now()
		next, err := start(ctx, b.dir, b.options)
		if err != nil {
			return fmt.Errorf("%s: %w", end.part, err)
		}
		s = next
		probe, err := amqp.Run(ctx, amqp.Options{
			Persistent: true, Size: backlogSize, Keep: true, Drain: 20 * time.Second, Count: 1,
			Publishers: amqp.None, Prefetch: 1, AckEvery: amqp.None, URL: s.url,
		})
		if err != nil {
			return fmt.Errorf("%s: %w", end.part, err)
		}
		usage, err := load.ProcessUsage(s.pid)
		if err != nil {
			return err
		}
		sample := report.Sample{Failed: "no delivery", Resident: float64(usage.Resident)}
		if !probe.FirstDelivery.IsZero() {
			sample.Failed, sample.Seconds = "", probe.FirstDelivery.Sub(begun).Seconds()
		}
		b.report.Add(b.scenario(end.part), end.about, report.Seconds, b.name, sample)
	}

	work.Confirms, work.Consumers, work.Publishers = 0, 1, amqp.None
	work.Prefetch, work.AckEvery = backlogPrefetch, b.ackEvery
	work.URL, work.ServerPID = s.url, s.pid
	drained, err := amqp.Run(ctx, work)
	if err != nil {
		return fmt.Errorf("draining: %w", err)
	}
	if usage, err = load.ProcessUsage(s.pid); err != nil {
		return err
	}
	b.report.Add(b.scenario("drain"), "consuming, prefetch 200, with acknowledgements", report.Rate, b.name, report.Sample{
		Rate: drained.DeliverRate, CPU: float64(drained.CPUPerMessage) / 1e3,
		Resident: float64(usage.Resident), Peak: float64(usage.PeakResident), Lost: drained.Lost,
	})
	return nil
}

// backlogCurves draws rates, memory and times against the length.
func backlogCurves(r *report.Report, lengths []int64) *report.Curves {
	c := &report.Curves{Title: r.Title, Subtitle: fmt.Sprintf("%s; medians of %d rounds", r.Machine, r.Rounds), Across: "messages in the queue"}
	for _, panel := range []struct {
		up     string
		parts  []string
		figure func(report.Sample) float64
	}{
		{"messages per second", []string{"fill", "drain"}, func(s report.Sample) float64 { return s.Rate }},
		{"resident memory after filling, bytes", []string{"fill"}, func(s report.Sample) float64 { return s.Resident }},
		{"seconds to the first delivery", []string{"restart", "recovery"}, func(s report.Sample) float64 { return s.Seconds }},
	} {
		p := report.CurvePanel{Up: panel.up}
		for _, peer := range []string{"warren", "rabbitmq"} {
			for _, part := range panel.parts {
				line := report.Line{Name: peer + ", " + part}
				for _, n := range lengths {
					if y := r.Spread(backlogScenario(part, n), peer, panel.figure); y.N > 0 {
						line.Points = append(line.Points, report.Point{X: float64(n), Y: y.Median})
					}
				}
				if len(line.Points) > 0 {
					p.Lines = append(p.Lines, line)
				}
			}
		}
		c.Panels = append(c.Panels, p)
	}
	return c
}
