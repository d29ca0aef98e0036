// Package transport turns ZeroMQ endpoints into listeners and connections.
//
//	tcp://127.0.0.1:5555  tcp://[::1]:5555  tcp://example.org:5555  tcp://*:*
//	tcp://eth0:5555       an interface, by its first address (to listen)
//	tcp://10.0.0.7:0;example.org:5555  from a source address (to connect)
//	ipc:///run/app.sock   a Unix-domain socket
//	ipc://@app            one in Linux's abstract namespace
//	ipc://*               one at a path that is made up (to listen)
//	inproc://name         inside the process; only parsed here
package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// The schemes of an [Endpoint].
const (
	TCP    = "tcp"
	IPC    = "ipc"
	Inproc = "inproc"
)

// An Endpoint is an address of a transport.
type Endpoint struct {
	Scheme string
	Addr   string // what stands after scheme://
}

// String returns the endpoint as it is written.
func (e Endpoint) String() string { return e.Scheme + "://" + e.Addr }

// Errors of endpoints that can't be used as asked.
var (
	ErrScheme = errors.New("the transport is not supported")
	ErrSyntax = errors.New("the endpoint is malformed")
)

// Parse takes an endpoint apart and checks what can be checked without
// asking the system.
func Parse(s string) (Endpoint, error) {
	scheme, addr, ok := strings.Cut(s, "://")
	if !ok {
		return Endpoint{}, fmt.Errorf("%w: it has no scheme such as tcp://", ErrSyntax)
	}
	e := Endpoint{scheme, addr}
	if addr == "" {
		return e, fmt.Errorf("%w: nothing stands after %s://", ErrSyntax, scheme)
	}
	switch scheme {
	case TCP:
		local, remote := cutSource(addr)
		if _, _, err := splitHostPort(remote); err != nil {
			return e, err
		}
		if local != "" {
			if _, _, err := splitHostPort(local); err != nil {
				return e, err
			}
		}
	case IPC:
		if addr[0] == '@' && runtime.GOOS != "linux" {
			return e, fmt.Errorf("%w: abstract names exist on Linux only", ErrScheme)
		}
		if strings.ContainsRune(addr, 0) {
			return e, fmt.Errorf("%w: a zero byte in the path", ErrSyntax)
		}
		// sun_path of sockaddr_un has 108 bytes on Linux, 104 elsewhere.
		if len(addr) > 103 {
			return e, fmt.Errorf("%w: the path is longer than 103 bytes", ErrSyntax)
		}
	case Inproc:
	default:
		return e, fmt.Errorf("%w: %q", ErrScheme, scheme)
	}
	return e, nil
}

// Dialable tells why e can't be connected to, if it names a set of addresses
// rather than one.
func (e Endpoint) Dialable() error {
	switch e.Scheme {
	case TCP:
		_, remote := cutSource(e.Addr)
		host, port, err := splitHostPort(remote)
		if err != nil {
			return err
		}
		if host == "*" || port == 0 {
			return fmt.Errorf("%w: a host and a port are needed to connect", ErrSyntax)
		}
	case IPC:
		if e.Addr == "*" {
			return fmt.Errorf("%w: a path is needed to connect", ErrSyntax)
		}
	}
	return nil
}

// cutSource splits source;destination.
func cutSource(addr string) (local, remote string) {
	if local, remote, ok := strings.Cut(addr, ";"); ok {
		return local, remote
	}
	return "", addr
}

func splitHostPort(addr string) (host string, port int, err error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%w: %v", ErrSyntax, err)
	}
	if host == "" {
		return "", 0, fmt.Errorf("%w: no host in %q; write * for all addresses", ErrSyntax, addr)
	}
	if service == "*" {
		return host, 0, nil
	}
	port, err = strconv.Atoi(service)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%w: %q is no port", ErrSyntax, service)
	}
	return host, port, nil
}

// Listen opens a listener. The endpoint returned is the one to connect to:
// with the port or path that the system chose.
func Listen(ctx context.Context, e Endpoint) (net.Listener, Endpoint, error) {
	switch e.Scheme {
	case TCP:
		return listenTCP(ctx, e)
	case IPC:
		return listenIPC(ctx, e)
	}
	return nil, e, fmt.Errorf("%w: %q", ErrScheme, e.Scheme)
}

func listenTCP(ctx context.Context, e Endpoint) (net.Listener, Endpoint, error) {
	host, port, err := splitHostPort(e.Addr)
	if err != nil {
		return nil, e, err
	}
	network := "tcp"
	if host == "*" {
		host, network = "0.0.0.0", "tcp4" // as libzmq does by default
	} else if addr, ok := interfaceAddr(host); ok {
		host = addr
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, network, net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, e, err
	}
	return l, Endpoint{TCP, l.Addr().String()}, nil
}

// interfaceAddr returns the first address of a network interface, IPv4 if it
// has one.
func interfaceAddr(name string) (string, bool) {
	ifc, err := net.InterfaceByName(name)
	if err != nil {
		return "", false
	}
	addrs, err := ifc.Addrs()
	if err != nil {
		return "", false
	}
	best := ""
	for _, a := range addrs {
		ip, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if ip.IP.To4() != nil {
			return ip.IP.String(), true
		}
		if best == "" && !ip.IP.IsLinkLocalUnicast() {
			best = ip.IP.String()
		}
	}
	return best, best != ""
}

func listenIPC(ctx context.Context, e Endpoint) (net.Listener, Endpoint, error) {
	path := e.Addr
	dir := ""
	if path == "*" {
		made, err := os.MkdirTemp("", "zmq-")
		if err != nil {
			return nil, e, err
		}
		dir, path = made, filepath.Join(made, "socket")
	}
	l, err := listenUnix(ctx, path)
	if err != nil {
		if dir != "" {
			_ = os.Remove(dir)
		}
		return nil, e, err
	}
	if dir != "" {
		l = &tempListener{l, dir}
	}
	return l, Endpoint{IPC, path}, nil
}

// listenUnix listens on path. A socket file that a dead process left behind
// is replaced, one that somebody listens on is not.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err == nil || path[0] == '@' {
		return l, err
	}
	info, statErr := os.Lstat(path)
	if statErr != nil || info.Mode()&os.ModeSocket == 0 {
		return nil, err
	}
	probe, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var d net.Dialer
	if c, dialErr := d.DialContext(probe, "unix", path); dialErr == nil {
		_ = c.Close()
		return nil, err
	}
	if rmErr := os.Remove(path); rmErr != nil {
		return nil, err
	}
	return lc.Listen(ctx, "unix", path)
}

// A tempListener removes the directory that was made for it.
type tempListener struct {
	net.Listener
	dir string
}

func (l *tempListener) Close() error {
	err := l.Listener.Close()
	_ = os.Remove(l.dir)
	return err
}

// Dial connects, once.
func Dial(ctx context.Context, e Endpoint) (net.Conn, error) {
	var d net.Dialer
	switch e.Scheme {
	case IPC:
		return d.DialContext(ctx, "unix", e.Addr)
	case TCP:
		local, remote := cutSource(e.Addr)
		if local != "" {
			host, port, err := splitHostPort(local)
			if err != nil {
				return nil, err
			}
			if host == "*" {
				host = ""
			}
			if addr, ok := interfaceAddr(host); ok {
				host = addr
			}
			d.LocalAddr, err = net.ResolveTCPAddr("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
			if err != nil {
				return nil, err
			}
		}
		host, port, err := splitHostPort(remote)
		if err != nil {
			return nil, err
		}
		return d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	}
	return nil, fmt.Errorf("%w: %q", ErrScheme, e.Scheme)
}
