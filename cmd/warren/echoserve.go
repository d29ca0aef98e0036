package main

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/warrenmq/warren/broker"
)

type echoServeCmd struct {
	Idle time.Duration `placeholder:"DURATION" help:"Close a tcp or unix connection that has been quiet for so long. Default: never."`
	LogFlags
	URL []string `arg:"" help:"tcp://HOST:PORT, udp://HOST:PORT or unix://PATH; port 0 is any free port."`
}

// Help says when connections end.
func (*echoServeCmd) Help() string {
	return `Sends every byte back as it came, and prints the line "ready" on standard output once every address is open. A connection ends when its client closes its sending half and has got everything back, or when it has been quiet for --idle: a client that sends and then reads until the server closes needs that. It serves until it gets SIGTERM or SIGINT, and then exits 0.`
}

// Examples ends "warren echo serve --help".
func (*echoServeCmd) Examples() string {
	return `
warren echo serve tcp://127.0.0.1:65432
warren echo serve tcp://127.0.0.1:8877 'tcp://[::1]:8877' udp://127.0.0.1:8877
warren echo serve --idle 2s unix:///tmp/echo.sock
`
}

// Validate checks the addresses. kong calls it before Run.
func (c *echoServeCmd) Validate() error {
	if c.Idle < 0 {
		return errors.New("--idle must be above 0")
	}
	for _, u := range c.URL {
		if _, err := parseEchoURL(u); err != nil {
			return err
		}
	}
	return nil
}

// Run serves until ctx ends.
func (c *echoServeCmd) Run(ctx context.Context, std stdio) error {
	listen := make([]string, len(c.URL))
	for i, u := range c.URL {
		listen[i] = "echo+" + u
		if c.Idle > 0 && !strings.HasPrefix(u, "udp:") {
			listen[i] += "?idle=" + url.QueryEscape(c.Idle.String())
		}
	}
	return serve(ctx, std, broker.Config{Listen: listen, Logger: c.logger(std.err)}, c.LogFormat == "json", "")
}
