package socket

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/warrenmq/warren/broker/internal/front"
	"github.com/warrenmq/warren/broker/internal/front/pump"
)

// New returns the door of a listener; see the package documentation for its URL.
func New(env front.Env, e front.Endpoint) (front.Door, error) {
	s, err := parse(e)
	if err != nil {
		return nil, err
	}
	if s.network == "udp" {
		return &packetDoor{door: door{env: env, settings: s}}, nil
	}
	return &streamDoor{door: door{env: env, settings: s}, server: pump.New(pump.Config{
		Front: &streams{env: env, settings: s}, Logger: env.Logger, Now: env.Engine.Now,
	})}, nil
}

// door is what the two kinds of door have in common.
type door struct {
	env      front.Env
	settings *settings
}

// prepare makes the exchange or queue, unless the door needs none.
func (d *door) prepare() error {
	if d.settings.mode == echo {
		return nil
	}
	return d.settings.prepare(d.env)
}

// Hint says how to try the listener with netcat.
func (d *door) Hint() string {
	e := d.settings.endpoint
	command := "nc -U " + e.Address
	if d.settings.network != "unix" {
		host, port, err := net.SplitHostPort(e.Address)
		if err != nil {
			return ""
		}
		if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
			host = "localhost"
		}
		command = "nc "
		if d.settings.network == "udp" {
			command += "-u "
		}
		command += host + " " + port
	}
	switch d.settings.mode {
	case room:
		return command + "   (in two terminals: a line typed into one appears in the other)"
	case queue:
		return command + "   (a line is a message to the queue '" + d.settings.target + "')"
	}
	return command + "   (what you type comes back)"
}

// streamDoor listens on tcp or a Unix socket.
type streamDoor struct {
	door
	server   *pump.Server
	listener net.Listener // set by Open
}

// Open binds the address, having made the exchange or queue.
func (d *streamDoor) Open(ctx context.Context) (front.Endpoint, error) {
	if err := d.prepare(); err != nil {
		return front.Endpoint{}, err
	}
	e := &d.settings.endpoint
	var err error
	d.listener, err = listen(ctx, d.settings.network, e.Address)
	if err != nil {
		return front.Endpoint{}, err
	}
	if d.settings.network == "tcp" {
		e.Address = d.listener.Addr().String()
	}
	return *e, nil
}

// listen binds an address. A Unix socket whose program is gone leaves its file behind; it is removed when nobody answers
// there.
func listen(ctx context.Context, network, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, network, address)
	if network != "unix" || !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	info, statErr := os.Stat(address)
	if statErr != nil || info.Mode().Type() != fs.ModeSocket {
		return nil, err
	}
	dialer := net.Dialer{Timeout: time.Second}
	if c, dialErr := dialer.DialContext(ctx, network, address); dialErr == nil {
		_ = c.Close()
		return nil, err
	} else if !errors.Is(dialErr, syscall.ECONNREFUSED) {
		return nil, err
	}
	if os.Remove(address) != nil {
		return nil, err
	}
	return lc.Listen(ctx, network, address)
}

// Serve accepts clients.
func (d *streamDoor) Serve(ctx context.Context) error {
	if err := d.server.Serve(ctx, d.listener); !errors.Is(err, pump.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown closes the listener and, once their output is written, the clients.
func (d *streamDoor) Shutdown(ctx context.Context, reason string) error {
	if d.listener != nil {
		_ = d.listener.Close() // it may be that nobody serves it
	}
	return d.server.Shutdown(ctx, reason)
}

// packetDoor listens on udp.
type packetDoor struct {
	door
	socket  *pump.Packets // set by Open
	serving sync.Mutex    // held while Serve runs
}

// Open binds the address, having made the exchange or queue.
func (d *packetDoor) Open(ctx context.Context) (front.Endpoint, error) {
	if err := d.prepare(); err != nil {
		return front.Endpoint{}, err
	}
	e := &d.settings.endpoint
	var lc net.ListenConfig
	c, err := lc.ListenPacket(ctx, "udp", e.Address)
	if err != nil {
		return front.Endpoint{}, err
	}
	d.socket = pump.NewPackets(c.(*net.UDPConn), d.env.Logger, d.env.Engine.Now)
	e.Address = c.LocalAddr().String()
	return *e, nil
}

// Serve answers datagrams.
func (d *packetDoor) Serve(ctx context.Context) error {
	d.serving.Lock()
	defer d.serving.Unlock()
	if d.settings.mode == echo {
		return d.socket.Serve(ctx, echoPackets{d.socket})
	}
	p := &packets{
		env: d.env, settings: d.settings, target: []byte(d.settings.target), socket: d.socket,
		members: make(map[netip.AddrPort]*member),
	}
	defer p.close()
	return d.socket.Serve(ctx, p)
}

// Shutdown closes the socket, and waits until Serve has let go of everything. There is nobody to say goodbye to.
func (d *packetDoor) Shutdown(context.Context, string) error {
	if d.socket != nil {
		_ = d.socket.Close() // Serve may have done so
	}
	d.serving.Lock()
	defer d.serving.Unlock()
	return nil
}
