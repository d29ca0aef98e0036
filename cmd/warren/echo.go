package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

type echoCmd struct {
	Serve echoServeCmd `cmd:"" help:"Send every byte back, on any number of addresses, to any number of clients."`
	Send  echoSendCmd  `cmd:"" help:"Send a text or standard input, and print what comes back."`
}

// Examples ends "warren echo --help".
func (*echoCmd) Examples() string {
	return `
warren echo serve tcp://127.0.0.1:65432 &
warren echo send tcp://127.0.0.1:65432 'Hello, world'
`
}

// echoSchemes are the kinds of address that both halves of "warren echo" understand.
var echoSchemes = []string{"tcp", "udp", "unix"}

// echoAddress is a parsed echo URL.
type echoAddress struct {
	url     string // as it was given
	network string // "tcp", "udp" or "unix"
	address string // host:port, a socket's path, or @name for a Linux abstract socket
}

// parseEchoURL reads tcp://HOST:PORT, udp://HOST:PORT or unix://PATH. IPv6 hosts stand in brackets.
func parseEchoURL(text string) (echoAddress, error) {
	network, address, ok := strings.Cut(text, "://")
	switch {
	case !ok || !slices.Contains(echoSchemes, network):
		return echoAddress{}, fmt.Errorf("%q is no address: want tcp://HOST:PORT, udp://HOST:PORT or unix://PATH", text)
	case network == "unix":
		if address == "" {
			return echoAddress{}, fmt.Errorf("%q names no socket: want unix://PATH, as in unix:///tmp/echo.sock", text)
		}
	default:
		u, err := url.Parse(text)
		if err != nil || u.Port() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" {
			return echoAddress{}, fmt.Errorf("%q is no address: want %s://HOST:PORT, as in %[2]s://127.0.0.1:65432", text, network)
		}
		address = u.Host
	}
	return echoAddress{url: text, network: network, address: address}, nil
}
