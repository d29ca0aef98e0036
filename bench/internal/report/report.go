// Package report keeps what the rounds of a benchmark have found, and shows it
// as a table, as JSON and as a plot.
package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is one run of a benchmark program.
type Report struct {
	Title     string      `json:"title"`
	Started   time.Time   `json:"started"`
	Machine   string      `json:"machine"`
	Baseline  string      `json:"baseline"` // the peer that ratios are taken to
	Rounds    int         `json:"rounds"`
	Scenarios []*Scenario `json:"scenarios"`
	Notes     []string    `json:"notes,omitempty"`   // what is to be said below the table
	Skipped   []string    `json:"skipped,omitempty"` // what was not run, and why
}

// Scenario is one kind of work, done by several peers.
type Scenario struct {
	Name    string  `json:"name"`
	About   string  `json:"about"`
	Primary Metric  `json:"primary"` // what ratios and plot are about
	Peers   []*Peer `json:"peers"`
}

// Peer is one peer's figures in a scenario.
type Peer struct {
	Name    string   `json:"name"`
	Samples []Sample `json:"samples"` // by round; one whose Failed is set has nothing else
}

// Sample is one round's figures. Zero means that a scenario has no such figure.
type Sample struct {
	Rate      float64 `json:"rate,omitempty"`               // per second
	CPU       float64 `json:"cpu_us_per_message,omitempty"` // of the server or, for ZeroMQ, of both ends
	P50       float64 `json:"p50_us,omitempty"`
	P99       float64 `json:"p99_us,omitempty"`
	P999      float64 `json:"p999_us,omitempty"`
	Seconds   float64 `json:"seconds,omitempty"`             // what is waited for
	Resident  float64 `json:"resident_bytes,omitempty"`      // memory in the end
	Peak      float64 `json:"peak_resident_bytes,omitempty"` // the most that it was
	Amplified float64 `json:"write_amplification,omitempty"` // bytes written for each byte of a body
	Cores     float64 `json:"cores,omitempty"`               // of processor time per second, where nothing is to be done
	Lost      uint64  `json:"lost,omitempty"`
	Failed    string  `json:"failed,omitempty"`
}

// Metric is one of a sample's figures.
type Metric string

// The metrics that can be a scenario's primary one.
const (
	Rate     Metric = "rate"     // more is better
	P50      Metric = "p50"      // less is better
	P99      Metric = "p99"      // less is better
	Seconds  Metric = "seconds"  // less is better
	Resident Metric = "resident" // less is better
)

func (m Metric) of(s Sample) float64 {
	switch m {
	case P50:
		return s.P50
	case P99:
		return s.P99
	case Seconds:
		return s.Seconds
	case Resident:
		return s.Resident
	}
	return s.Rate
}

// unit is what the plot's axis is labelled with.
func (m Metric) unit() string {
	switch m {
	case Rate:
		return "messages per second"
	case Seconds:
		return "seconds"
	case Resident:
		return "resident memory, bytes"
	}
	return string(m) + " latency, µs"
}

// New starts a report.
func New(title, baseline string, rounds int) *Report {
	return &Report{Title: title, Started: time.Now().UTC().Round(time.Second), Machine: machine(), Baseline: baseline, Rounds: rounds}
}

// Add enters a sample.
func (r *Report) Add(name, about string, primary Metric, peer string, s Sample) {
	i := slices.IndexFunc(r.Scenarios, func(s *Scenario) bool { return s.Name == name })
	if i < 0 {
		i = len(r.Scenarios)
		r.Scenarios = append(r.Scenarios, &Scenario{Name: name, About: about, Primary: primary})
	}
	sc := r.Scenarios[i]
	p := sc.peer(peer)
	if p == nil {
		p = &Peer{Name: peer}
		sc.Peers = append(sc.Peers, p)
	}
	p.Samples = append(p.Samples, s)
}

func (s *Scenario) peer(name string) *Peer {
	for _, p := range s.Peers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Figure returns a round's sample, the zero one when there is none.
func (r *Report) Figure(scenario, peer string, round int) Sample {
	for _, s := range r.Scenarios {
		if p := s.peer(peer); s.Name == scenario && p != nil && round < len(p.Samples) {
			return p.Samples[round]
		}
	}
	return Sample{}
}

// Spread describes one figure of a peer in a scenario, over the rounds.
func (r *Report) Spread(scenario, peer string, figure func(Sample) float64) Spread {
	for _, s := range r.Scenarios {
		if p := s.peer(peer); s.Name == scenario && p != nil {
			return p.Spread(figure)
		}
	}
	return Spread{}
}

// Spread is a median with the least and the greatest value around it.
type Spread struct {
	Median, Min, Max float64
	N                int
}

// NewSpread describes values; those that are zero or below are left out, as
// they stand for "none".
func NewSpread(values []float64) Spread {
	v := slices.DeleteFunc(slices.Clone(values), func(f float64) bool { return !(f > 0) })
	if len(v) == 0 {
		return Spread{}
	}
	slices.Sort(v)
	mid := v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + mid) / 2
	}
	return Spread{Median: mid, Min: v[0], Max: v[len(v)-1], N: len(v)}
}

// Spread describes one figure over the peer's rounds.
func (p *Peer) Spread(figure func(Sample) float64) Spread {
	values := make([]float64, len(p.Samples))
	for i, s := range p.Samples {
		values[i] = figure(s)
	}
	return NewSpread(values)
}

// Ratio describes the peer's primary figure as a multiple of the baseline's,
// each round by itself: the machine drifts between rounds, so the ratio of two
// neighbours in time is steadier than either. More is always better: for
// latencies it is the baseline's figure over the peer's.
func (s *Scenario) Ratio(p, baseline *Peer) Spread {
	if baseline == nil {
		return Spread{}
	}
	var ratios []float64
	for i := range min(len(p.Samples), len(baseline.Samples)) {
		a, b := s.Primary.of(p.Samples[i]), s.Primary.of(baseline.Samples[i])
		if s.Primary != Rate {
			a, b = b, a
		}
		if a > 0 && b > 0 {
			ratios = append(ratios, a/b)
		}
	}
	return NewSpread(ratios)
}

// column is one of the table's figures. It is shown when anything has it.
type column struct {
	title  string
	figure func(Sample) float64
	print  func(float64) string
}

var columns = []column{
	{"per second", func(s Sample) float64 { return s.Rate }, number},
	{"CPU µs/msg", func(s Sample) float64 { return s.CPU }, number},
	{"p50 µs", func(s Sample) float64 { return s.P50 }, number},
	{"p99 µs", func(s Sample) float64 { return s.P99 }, number},
	{"p99.9 µs", func(s Sample) float64 { return s.P999 }, number},
	{"seconds", func(s Sample) float64 { return s.Seconds }, digits},
	{"RSS MB", func(s Sample) float64 { return s.Resident / 1e6 }, number},
	{"peak MB", func(s Sample) float64 { return s.Peak / 1e6 }, number},
	{"written/byte", func(s Sample) float64 { return s.Amplified }, digits},
	{"cores", func(s Sample) float64 { return s.Cores }, func(v float64) string { return fmt.Sprintf("%.4f", v) }},
}

// has tells whether any sample has a figure.
func (r *Report) has(figure func(Sample) float64) bool {
	for _, s := range r.Scenarios {
		for _, p := range s.Peers {
			if p.Spread(figure).N > 0 {
				return true
			}
		}
	}
	return false
}

// WriteTable prints the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	fmt.Fprintf(w, "%s\n%s\n%s, %d rounds, medians [min–max]; ratios are to %s in the same round, above 1 is better\n\n",
		r.Title, r.Machine, r.Started.Format(time.RFC3339), r.Rounds, r.Baseline)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	shown := slices.DeleteFunc(slices.Clone(columns), func(c column) bool { return !r.has(c.figure) })
	fmt.Fprint(t, "scenario\tpeer\tratio\t")
	for _, c := range shown {
		fmt.Fprint(t, c.title, "\t")
	}
	fmt.Fprintln(t)
	for _, s := range r.Scenarios {
		base := s.peer(r.Baseline)
		for _, p := range s.Peers {
			fmt.Fprintf(t, "%s\t%s\t%s\t", s.Name, p.Name, s.Ratio(p, base).format(ratio))
			for _, c := range shown {
				fmt.Fprint(t, p.Spread(c.figure).format(c.print), "\t")
			}
			fmt.Fprintln(t, p.remarks())
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, line := range r.Notes {
		fmt.Fprintln(w, line)
	}
	for _, line := range r.Skipped {
		fmt.Fprintln(w, "skipped:", line)
	}
	return nil
}

// remarks tells of rounds that lost messages or failed.
func (p *Peer) remarks() string {
	var lost uint64
	var failed []string
	for _, s := range p.Samples {
		lost += s.Lost
		if s.Failed != "" {
			failed = append(failed, s.Failed)
		}
	}
	var notes []string
	if lost > 0 {
		notes = append(notes, fmt.Sprintf("%d lost", lost))
	}
	if len(failed) > 0 {
		line, _, _ := strings.Cut(failed[0], "\n")
		notes = append(notes, fmt.Sprintf("%d failed: %s", len(failed), line))
	}
	return strings.Join(notes, "; ")
}

func (s Spread) format(f func(float64) string) string {
	switch s.N {
	case 0:
		return "–"
	case 1:
		return f(s.Median)
	}
	return fmt.Sprintf("%s [%s–%s]", f(s.Median), f(s.Min), f(s.Max))
}

// number prints three significant digits with a unit prefix.
func number(v float64) string {
	switch {
	case v >= 1e6:
		return digits(v/1e6) + " M"
	case v >= 1e4:
		return digits(v/1e3) + " k"
	}
	return digits(v)
}

func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func ratio(v float64) string { return digits(v) + "×" }

// Save writes NAME.json and NAME.svg into a folder, which it makes.
func (r *Report) Save(folder, name string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, name+".json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name+".svg"), r.SVG(), 0o644)
}

// machine describes where the benchmark ran.
func machine() string {
	field := func(file, key string) string {
		text, _ := os.ReadFile(file) // absent outside Linux
		for line := range strings.Lines(string(text)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	memory := "unknown"
	if kB, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		memory = fmt.Sprintf("%.0f GiB", float64(kB)/(1<<20))
	}
	return fmt.Sprintf("%s, %d processors, %s memory, %s %s, %s",
		cmp.Or(field("/proc/cpuinfo", "model name"), runtime.GOARCH), runtime.NumCPU(), memory, runtime.GOOS,
		strings.TrimSpace(string(kernel)), runtime.Version())
}
