// Command forwarder subscribes to publishers elsewhere and publishes what it
// hears again at one address, so that readers here need to know only that:
//
//	forwarder -subscribe NASDAQ -publish ipc:///tmp/feed.sock tcp://10.0.0.1:5556 tcp://10.0.0.2:5556
//
// The subscription travels to the publishers: what does not begin with it is
// not even sent here.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/warrenmq/warren/zmq"
)

func main() {
	subscribe := flag.String("subscribe", "", "forward what begins with `PREFIX`; all when empty")
	publish := flag.String("publish", "ipc:///tmp/feed.sock", "publish again at `URL`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := forward(ctx, *subscribe, *publish, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "forwarder:", err)
		os.Exit(1)
	}
}

// forward forwards until ctx ends.
func forward(ctx context.Context, prefix, to string, from []string) error {
	if len(from) == 0 {
		return errors.New("give at least one publisher's URL")
	}
	in, out := zmq.NewSub(nil), zmq.NewPub(nil)
	defer in.Close()
	defer out.Close()

	if err := in.Subscribe(prefix); err != nil {
		return err
	}
	for _, url := range from {
		if err := in.Dial(ctx, url); err != nil {
			return err
		}
	}
	bound, err := out.Listen(ctx, to)
	if err != nil {
		return err
	}
	fmt.Println("publishing at", bound)

	for m, err := range in.Messages(ctx) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := out.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}
