package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/warrenmq/warren/broker/fsck"
)

type fsckCmd struct {
	Dir    string `arg:"" placeholder:"DIR" help:"The data folder."`
	Repair bool   `help:"Make a folder of it that a broker can be started with: keep everything that can be kept, and say what was dropped."`
	JSON   bool   `name:"json" help:"Print the report as JSON."`
}

// Help says what is read, what is changed and what the exit codes mean.
func (*fsckCmd) Help() string {
	return `Reads every file of a data folder, whole, and says what is not as it was written: where, which queue that concerns, how many messages are lost at most, and what --repair would do about it. Without --repair it changes nothing. No broker may use the folder; of a running one check a backup (warren store backup).

--repair moves files that are damaged to the folder "damaged" within the data folder and deletes none of them. It can be stopped at any time and begun again.

The exit code is 0 when nothing is wrong, or nothing any more, and 1 otherwise.`
}

// Examples ends "warren fsck --help".
func (*fsckCmd) Examples() string {
	return `
warren fsck /var/lib/warren

# keep what can be kept
warren fsck --repair /var/lib/warren
`
}

// Run checks, and repairs.
func (c *fsckCmd) Run(ctx context.Context, std stdio) error {
	progress := newProgressLine(std.err)
	defer progress.clear()
	options := &fsck.Options{Progress: progress.show}
	do := fsck.Check
	if c.Repair {
		do = fsck.Repair
	}
	report, err := do(ctx, c.Dir, options)
	if err != nil {
		return err
	}
	left := len(report.Problems)
	if c.Repair && left > 0 {
		after, err := fsck.Check(ctx, c.Dir, options)
		if err != nil {
			return err
		}
		left = len(after.Problems)
	}
	progress.clear()
	if c.JSON {
		err = printJSON(std.out, report)
	} else {
		_, err = io.WriteString(std.out, reportText(report, c.Repair))
	}
	switch {
	case err != nil:
		return err
	case left == 0:
		return nil
	case c.Repair:
		return fmt.Errorf("%s are left in %s", counted(left, "problem"), c.Dir)
	}
	return fmt.Errorf("%s in %s; see what can be saved with: warren fsck --repair %s", counted(left, "problem"), c.Dir, c.Dir)
}

// reportText is a report for a reader.
func reportText(r *fsck.Report, repaired bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %v; %s, %s\n", r.Dir, counted(len(r.Files), "file"), size(r.Bytes()), counted(len(r.Queues), "queue"), counted(r.Messages(), "message"))
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "\n%s", p.File)
		if p.Offset > 0 || p.Bytes > 0 {
			fmt.Fprintf(&b, ", from byte %d on", p.Offset)
		}
		if p.Bytes > 0 {
			fmt.Fprintf(&b, ", %v", size(p.Bytes))
		}
		fmt.Fprintf(&b, ": %s\n    means:   %s\n    repair:  %s\n", p.What, p.Means, p.Repair)
		for _, l := range p.Lost {
			fmt.Fprintf(&b, "    lost:    %s of %s: %s\n", counted(l.Messages, "message"), queueName(l.VHost, l.Queue, l.Stream), numbersText(l))
		}
	}
	if len(r.Notes) > 0 || len(r.Moved) > 0 {
		b.WriteByte('\n')
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	for _, name := range r.Moved {
		fmt.Fprintf(&b, "put aside: %s\n", filepath.Join(r.Dir, name))
	}
	switch {
	case len(r.Problems) == 0:
		b.WriteString("\nnothing is wrong\n")
	case repaired:
		fmt.Fprintf(&b, "\n%s repaired; kept: %s in %s; known to be lost: %s\n", counted(len(r.Problems), "problem"), counted(r.Messages(), "message"),
			counted(len(r.Queues), "queue"), counted(r.Lost(), "message"))
	default:
		fmt.Fprintf(&b, "\n%s; known to be lost: %s\n", counted(len(r.Problems), "problem"), counted(r.Lost(), "message"))
	}
	return b.String()
}

// numbersText lists the numbers of lost messages, runs as such.
func numbersText(l fsck.Loss) string {
	var parts []string
	for i := 0; i < len(l.Seqs); {
		j := i
		for j+1 < len(l.Seqs) && l.Seqs[j+1] == l.Seqs[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprint(l.Seqs[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d–%d", l.Seqs[i], l.Seqs[j]))
		}
		i = j + 1
	}
	if len(l.Seqs) < l.Messages {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}

// queueName names a queue within its vhost.
func queueName(vhost, name string, stream uint64) string {
	if name == "" && vhost == "" {
		return fmt.Sprintf("stream %d", stream)
	}
	return fmt.Sprintf("%s (vhost %s)", name, vhost)
}

// counted is a number of things.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return grouped(uint64(n)) + " " + what + "s"
}

// printJSON prints a value as indented JSON.
func printJSON[T any](w io.Writer, v T) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// progressLine shows on a terminal how far some work is, on one line that is written over; elsewhere nothing.
type progressLine struct {
	w      io.Writer // nil: nobody looks
	last   time.Time
	length int
}

func newProgressLine(w io.Writer) *progressLine {
	if !isTerminal(w) {
		w = nil
	}
	return &progressLine{w: w}
}

func (l *progressLine) show(p fsck.Progress) {
	now := time.Now()
	if l.w == nil || now.Sub(l.last) < 100*time.Millisecond {
		return
	}
	l.last = now
	text := fmt.Sprintf("%3.0f %%  %v of %v  %s", 100*float64(p.Done)/float64(max(p.Total, 1)), size(p.Done), size(p.Total), p.File)
	fmt.Fprintf(l.w, "\r%-*s", l.length, text)
	l.length = len(text)
}

// clear takes the line away.
func (l *progressLine) clear() {
	if l.w != nil && l.length > 0 {
		fmt.Fprintf(l.w, "\r%*s\r", l.length, "")
		l.length = 0
	}
}

// withHint adds to an error of a folder that is in use what can be done.
func withHint(err error, dir string) error {
	if inUse, ok := errors.AsType[*fsck.InUseError](err); ok {
		who := "another process"
		if inUse.PID != 0 {
			who = fmt.Sprintf("process %d", inUse.PID)
		}
		return fmt.Errorf("%s is in use by %s: back it up first, and look at the backup: warren store backup %s TARGET", dir, who, dir)
	}
	return err
}
