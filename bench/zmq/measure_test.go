package main

import (
	"testing"

	"github.com/warrenmq/warren/bench/internal/report"
)

func TestProgramsLinesAreRead(t *testing.T) {
	for out, want := range map[string]report.Sample{
		"message size: 64 [B]\nmessage count: 10\nmean throughput: 2500000 [msg/s]\nmean throughput: 1280.000 [Mb/s]\n": {Rate: 2_500_000},
		"message size: 64 [B]\nroundtrip count: 10\naverage latency: 93.100 [us]\n" +
			"median latency: 37.500 [us]\n99th percentile latency: 81.250 [us]\n": {P50: 37.5, P99: 81.25},
	} {
		if got, err := parse(out); err != nil || got != want {
			t.Errorf("parse(%q) = %+v, %v", out, got, err)
		}
	}
	for _, out := range []string{"", "message size: 64 [B]\n", "mean throughput: fast [msg/s]\n"} {
		if _, err := parse(out); err == nil {
			t.Errorf("%q is no error", out)
		}
	}
}

func TestWarrenAndLibzmqAreCrossedAndOthersKeepToThemselves(t *testing.T) {
	ends := []*end{{name: "warren"}, {name: "libzmq"}, {name: "pebbe"}}
	names := func(list []pair) (s []string) {
		for _, p := range list {
			s = append(s, p.String())
		}
		return s
	}
	for inproc, want := range map[bool][]string{
		false: {"warren→warren", "warren→libzmq", "libzmq→warren", "libzmq→libzmq", "pebbe→pebbe"},
		true:  {"warren→warren", "libzmq→libzmq", "pebbe→pebbe"},
	} {
		got := names(pairs(ends, inproc))
		if len(got) != len(want) {
			t.Fatalf("inproc %t: %q", inproc, got)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("inproc %t: %q, want %q", inproc, got, want)
				break
			}
		}
	}
}
