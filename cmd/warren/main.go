// Command warren is the broker and its tools in one program: it serves, echoes, and speaks ZeroMQ and AMQP 0-9-1 from
// a shell. Everything that it does stands on the public packages, so a Go program can do the same.
//
// Run "warren --help" for the commands; every command's own --help has examples.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks the command to end in order; from then on a signal has its default effect, so a second
	// one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}
