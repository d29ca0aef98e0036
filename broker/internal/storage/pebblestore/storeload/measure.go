package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/warrenmq/warren/load"
)

// Result is what a load took.
type Result struct {
	Fill    Phase `json:"fill"`
	Drain   Phase `json:"drain"`
	Closing int64 `json:"closing_bytes"` // that were written on closing
}

// Phase is a part of it.
type Phase struct {
	Messages int     `json:"messages"`
	Seconds  float64 `json:"seconds"`
	CPU      float64 `json:"cpu_seconds"`
	Written  int64   `json:"written_bytes"` // by the process, to files, as the operating system counts
	Resident int64   `json:"resident_bytes"`
	Peak     int64   `json:"peak_resident_bytes"`

	// From the handing over to the reader's knowing that it is durable, in microseconds.
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p999_us"`
}

func (p *Phase) latencies(h *load.Histogram) {
	s := h.Summary()
	p.P50, p.P99, p.P999 = float64(s.P50)/1e3, float64(s.P99)/1e3, float64(s.P999)/1e3
}

// measure measures what a function takes that returns how many messages it was about.
func measure(p *Phase, f func() (int, error)) error {
	before, err := load.ProcessUsage(os.Getpid())
	if err != nil {
		return err
	}
	bytesBefore, err := written()
	if err != nil {
		return err
	}
	start := time.Now()
	if p.Messages, err = f(); err != nil {
		return err
	}
	p.Seconds = time.Since(start).Seconds()
	after, err := load.ProcessUsage(os.Getpid())
	if err != nil {
		return err
	}
	bytesAfter, err := written()
	p.CPU = (after.CPU - before.CPU).Seconds()
	p.Written = bytesAfter - bytesBefore
	p.Resident, p.Peak = after.Resident, after.PeakResident
	return err
}

// written returns how many bytes the process has handed to the operating system for writing.
func written() (int64, error) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if v, ok := bytes.CutPrefix(line, []byte("wchar: ")); ok {
			return strconv.ParseInt(string(bytes.TrimSpace(v)), 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc/self/io has no wchar")
}
