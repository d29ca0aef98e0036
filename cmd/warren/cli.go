package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	loadzmq "github.com/warrenmq/warren/load/zmq"
)

// cli is the whole command line. kong reads the tags; each command's Run does the work. Flags that commands share are
// embedded structs with exported names, because kong looks for Validate only in those.
type cli struct {
	Serve      serveCmd      `cmd:"" help:"Run the broker."`
	Echo       echoCmd       `cmd:"" help:"Serve echoes, or send to an echo server and print what comes back."`
	ZMQ        zmqCmd        `cmd:"" name:"zmq" help:"One ZeroMQ socket in a shell: lines in, lines out."`
	AMQP       amqpCmd       `cmd:"" name:"amqp" help:"Publish to and read from any AMQP 0-9-1 broker."`
	Bench      benchCmd      `cmd:"" help:"Measure a broker, or ZeroMQ sockets."`
	Fsck       fsckCmd       `cmd:"" name:"fsck" help:"Check a data folder, and repair it."`
	Store      storeCmd      `cmd:"" help:"Look into a data folder, and back it up."`
	Completion completionCmd `cmd:"" help:"Print the completion script of a shell."`
	Version    versionCmd    `cmd:"" help:"Print the version, the commit, and what it was built with."`
}

// Help is what "warren --help" says below its first line.
func (*cli) Help() string {
	return `Warren carries messages between AMQP 0-9-1, ZeroMQ and plain sockets through one set of exchanges and queues.`
}

// Examples ends "warren --help".
func (*cli) Examples() string {
	return `
# a broker on loopback; it says on which addresses, and how to try each
warren serve

# publish to it with AMQP, and read the message back
warren amqp publish --queue jobs --declare 'first job'
warren amqp get --queue jobs

# two ZeroMQ sockets with no broker in between
warren zmq pull --bind tcp://127.0.0.1:5555 &
echo hello | warren zmq push --connect tcp://127.0.0.1:5555
`
}

// stdio is where a command reads and writes: the process's own three streams, or a test's.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// Exit codes, beside 0.
const (
	exitFailed = 1 // the command line was understood, and what it asked for failed
	exitUsage  = 2 // the command line was not understood
)

// run parses args, runs the command that they name, and returns the exit code. An error is one line on standard error.
func run(ctx context.Context, args []string, std stdio) int {
	var c cli
	parser := kong.Must(&c,
		kong.Name("warren"),
		kong.Description("Messaging in one program: a broker for AMQP, ZeroMQ and plain sockets, and its tools."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Help(printHelp),
		kong.Writers(std.out, std.err),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
		kong.KindMapper(reflect.String, kong.MapperFunc(asGiven)),
	)
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == completeWord:
		printCandidates(std.out, candidates(parser.Model.Node, args[1:]))
		return 0
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		command := "warren"
		if parse, ok := errors.AsType[*kong.ParseError](err); ok {
			if selected := parse.Context.Selected(); selected != nil {
				command = selected.FullPath()
			}
		}
		fmt.Fprintf(std.err, "warren: %s; see '%s --help'\n", oneLine(err), command)
		return exitUsage
	}
	if err := parsed.Run(); err != nil {
		fmt.Fprintf(std.err, "warren: %s\n", oneLine(err))
		if _, ok := errors.AsType[*loadzmq.UsageError](err); ok {
			return exitUsage
		}
		return exitFailed
	}
	return 0
}

// asGiven takes a text from the command line byte for byte. kong's own way leads through JSON, which replaces what is no
// UTF-8, and a body or a path need not be UTF-8.
func asGiven(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("string")
	if err != nil {
		return err
	}
	text, ok := token.Value.(string)
	if !ok {
		return fmt.Errorf("expected a text, not %v", token.Value)
	}
	target.SetString(text)
	return nil
}

// oneLine is err's text on one line; errors.Join puts its parts on several.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// examples is a command that shows how it is used, at the end of its help.
type examples interface{ Examples() string }

// printHelp prints kong's help and then the command's examples, so that they are the last thing that a reader sees.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil || options.Summary {
		return err
	}
	node := ctx.Selected()
	if node == nil {
		node = ctx.Model.Node
	}
	target := node.Target
	if target.Kind() != reflect.Pointer {
		target = target.Addr()
	}
	shown, ok := target.Interface().(examples)
	if !ok {
		return nil
	}
	fmt.Fprint(ctx.Stdout, "\nExamples:\n")
	for line := range strings.Lines(strings.Trim(shown.Examples(), "\n")) {
		if line != "\n" {
			line = "  " + line
		}
		fmt.Fprint(ctx.Stdout, line)
	}
	_, err := fmt.Fprintln(ctx.Stdout)
	return err
}
