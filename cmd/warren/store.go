package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/warrenmq/warren/broker/fsck"
)

type storeCmd struct {
	Inspect storeInspectCmd `cmd:"" help:"Show what is in a data folder: files, queues, how much of each file is wanted."`
	Dump    storeDumpCmd    `cmd:"" help:"Print every record of a data folder, one on a line."`
	Export  storeExportCmd  `cmd:"" help:"Print the definitions in a data folder as RabbitMQ's definitions.json."`
	Backup  storeBackupCmd  `cmd:"" help:"Copy the data folder of a running broker, or of a stopped one."`
}

// Help says for which folders they are.
func (*storeCmd) Help() string {
	return `Look into the data folder of a broker (warren serve --data). None of these changes anything in it. All but backup are for a folder that no broker uses; of a running broker's folder make a backup and look at that. For damaged folders there is warren fsck.`
}

// Examples ends "warren store --help".
func (*storeCmd) Examples() string {
	return `
# what is in the folder of a running broker
warren store backup /var/lib/warren /tmp/copy
warren store inspect /tmp/copy
`
}

// StoreFlags are common to the commands that look into a folder.
type StoreFlags struct {
	Dir string `arg:"" placeholder:"DIR" help:"The data folder."`
}

// look opens the folder and calls do with it.
func (f *StoreFlags) look(ctx context.Context, std stdio, do func(*fsck.Folder) error) error {
	progress := newProgressLine(std.err)
	defer progress.clear()
	folder, err := fsck.Open(ctx, f.Dir, &fsck.Options{Progress: progress.show})
	if err != nil {
		return withHint(err, f.Dir)
	}
	defer folder.Close()
	progress.clear()
	return do(folder)
}

type storeInspectCmd struct {
	StoreFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Help explains the columns.
func (*storeInspectCmd) Help() string {
	return `Prints the files, with how many messages in each wait in queues and how much of the file these take, and the queues. A message that is in several queues counts in each.`
}

// Examples ends "warren store inspect --help".
func (*storeInspectCmd) Examples() string { return "warren store inspect /var/lib/warren" }

// Run inspects.
func (c *storeInspectCmd) Run(ctx context.Context, std stdio) error {
	return c.look(ctx, std, func(folder *fsck.Folder) error {
		r := folder.Report()
		if c.JSON {
			return printJSON(std.out, r)
		}
		return printOverview(std.out, r)
	})
}

func printOverview(out io.Writer, r *fsck.Report) error {
	fmt.Fprintf(out, "%s: %s, %v; %s, %s\n\n", r.Dir, counted(len(r.Files), "file"), size(r.Bytes()), counted(len(r.Queues), "queue"), counted(r.Messages(), "message"))
	files := [][]string{{"FILE", "KIND", "SIZE", "MESSAGES", "OF THE FILE"}}
	for _, f := range r.Files {
		row := []string{f.Name, string(f.Kind), size(f.Bytes).String(), "", ""}
		if f.Messages > 0 {
			row[3] = grouped(uint64(f.Messages))
			row[4] = fmt.Sprintf("%.0f %%", min(100*float64(f.MessageBytes)/float64(max(f.Bytes, 1)), 100))
		}
		files = append(files, row)
	}
	if err := printTable(out, files); err != nil || len(r.Queues) == 0 {
		return err
	}
	queues := [][]string{{"", "", "", "", ""}, {"QUEUE", "VHOST", "MESSAGES", "SIZE", "STREAM"}}
	for _, q := range r.Queues {
		name := q.Name
		if q.Name == "" && q.VHost == "" {
			name = "(not durable)"
		}
		queues = append(queues, []string{name, q.VHost, grouped(uint64(q.Messages)), size(q.Bytes).String(), fmt.Sprint(q.Stream)})
	}
	return printTable(out, queues)
}

// printTable prints rows of as many cells each, in columns.
func printTable(out io.Writer, rows [][]string) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

type storeDumpCmd struct {
	StoreFlags
	Queue  string `placeholder:"NAME" help:"Only what is about this queue."`
	VHost  string `name:"vhost" default:"/" placeholder:"NAME" help:"The queue's vhost. Default: ${default}."`
	Bodies bool   `help:"Show the messages too, not only how long they are."`
	JSON   bool   `name:"json" help:"Print each record as one line of JSON."`
}

// Help explains the lines.
func (*storeDumpCmd) Help() string {
	return `Prints every record of the files that count, in their order: definitions, then segments, then the journal. A line is the file, the offset, what it is, the queue, the number or numbers, and more. A message that waits in its queue is marked with *; others were acknowledged since, or stand elsewhere too.`
}

// Examples ends "warren store dump --help".
func (*storeDumpCmd) Examples() string {
	return `
warren store dump /var/lib/warren | less

# what the files have of one queue, bodies and all
warren store dump /var/lib/warren --queue jobs --bodies --json
`
}

// Run dumps.
func (c *storeDumpCmd) Run(ctx context.Context, std stdio) error {
	return c.look(ctx, std, func(folder *fsck.Folder) error {
		o := fsck.DumpOptions{Bodies: c.Bodies}
		if c.Queue != "" {
			q, err := folder.Queue(c.VHost, c.Queue)
			if err != nil {
				return err
			}
			o.Queue = q
		}
		out := bufio.NewWriterSize(std.out, 64<<10)
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		err := folder.Dump(ctx, o, func(r *fsck.Record) error {
			if c.JSON {
				return e.Encode(r)
			}
			_, err := fmt.Fprintln(out, recordText(r))
			return err
		})
		return errors.Join(err, out.Flush())
	})
}

// recordText is a record on a line.
func recordText(r *fsck.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %8d  %-9s", r.File, r.Offset, r.Op)
	if r.Kind != "" {
		fmt.Fprintf(&b, " %s %q", r.Kind, r.Names)
		if r.Bytes > 0 {
			fmt.Fprintf(&b, ", %v", size(r.Bytes))
		}
		return b.String()
	}
	fmt.Fprintf(&b, " %s", queueName(r.VHost, r.Queue, r.Stream))
	switch {
	case r.From == r.To && r.From != 0:
		fmt.Fprintf(&b, " %d", r.From)
	case r.To != 0:
		fmt.Fprintf(&b, " %d–%d", r.From, r.To)
	}
	if r.Deliveries > 0 && r.Op != "message" {
		fmt.Fprintf(&b, ", delivered %d times", r.Deliveries)
	}
	if r.Op == "message" {
		fmt.Fprintf(&b, ", %v", size(r.Bytes))
	}
	if r.Deadline != 0 {
		fmt.Fprintf(&b, ", until %s", time.UnixMilli(r.Deadline).UTC().Format(time.RFC3339))
	}
	if r.Transient {
		b.WriteString(", transient")
	}
	if r.Live {
		b.WriteString(" *")
	}
	if r.Message != nil {
		fmt.Fprintf(&b, " %q %q %q", r.Message.Exchange, r.Message.RoutingKey, r.Message.Body)
	}
	return b.String()
}

type storeExportCmd struct {
	StoreFlags
	Messages bool `help:"Behind the definitions, print every message of every queue as one line of JSON."`
}

// Help says who can read it.
func (*storeExportCmd) Help() string {
	return `Prints vhosts, users (with the hashes of their passwords), permissions, exchanges, queues and bindings in the form that RabbitMQ's management interface and rabbitmqctl import_definitions take. With --messages, each line behind that is a message: its queue, properties and body, or body_base64 where that is not UTF-8, in the form that warren amqp get --format json prints.`
}

// Examples ends "warren store export --help".
func (*storeExportCmd) Examples() string {
	return `
warren store export /var/lib/warren > definitions.json
`
}

// Run exports.
func (c *storeExportCmd) Run(ctx context.Context, std stdio) error {
	return c.look(ctx, std, func(folder *fsck.Folder) error {
		out := bufio.NewWriterSize(std.out, 64<<10)
		err := folder.Export(out)
		if err == nil && c.Messages {
			err = printMessages(ctx, out, folder)
		}
		return errors.Join(err, out.Flush())
	})
}

func printMessages(ctx context.Context, out io.Writer, folder *fsck.Folder) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, q := range folder.Report().Queues {
		if err := folder.Messages(ctx, &q, func(m *fsck.Message) error { return e.Encode(m) }); err != nil {
			return err
		}
	}
	return nil
}

type storeBackupCmd struct {
	Dir    string `arg:"" placeholder:"DIR" help:"The data folder."`
	Target string `arg:"" placeholder:"TARGET" help:"The copy: a folder that does not exist, or is empty."`
	JSON   bool   `name:"json" help:"Print what was copied as JSON."`
}

// Help says what the copy is.
func (*storeBackupCmd) Help() string {
	return `Copies a data folder as of one moment, while a broker works in it; the broker is not stopped and not asked. Everything that was confirmed before the command was started is in the copy. The copy is a data folder: check it with warren fsck, look into it with warren store, start a broker with warren serve --data.

The command ends when the copy is on the disk. If it fails it removes what it has copied.`
}

// Examples ends "warren store backup --help".
func (*storeBackupCmd) Examples() string {
	return `
warren store backup /var/lib/warren /backup/warren-monday
warren fsck /backup/warren-monday
`
}

// Run copies.
func (c *storeBackupCmd) Run(ctx context.Context, std stdio) error {
	progress := newProgressLine(std.err)
	defer progress.clear()
	copied, err := fsck.Backup(ctx, c.Dir, c.Target, &fsck.Options{Progress: progress.show})
	if err != nil {
		return err
	}
	progress.clear()
	if c.JSON {
		return printJSON(std.out, copied)
	}
	_, err = fmt.Fprintf(std.out, "%s, %v copied to %s\n", counted(copied.Files, "file"), size(copied.Bytes), c.Target)
	return err
}
