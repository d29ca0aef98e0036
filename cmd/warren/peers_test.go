package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// peerKinds are the plain stream servers that a first book on sockets shows, each with its own idea of when a
// conversation ends.
var peerKinds = map[string]func(conn net.Conn){
	// loop echoes what each read gives until the client has closed its half.
	"loop": func(conn net.Conn) {
		defer conn.Close()
		buf := make([]byte, 1024)
		for {
			n, err := conn.Read(buf)
			if _, werr := conn.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	},
	// once echoes one read of at most 100 bytes and closes, whatever else has come.
	"once": func(conn net.Conn) {
		defer conn.Close()
		buf := make([]byte, 100)
		n, _ := conn.Read(buf)
		conn.Write(buf[:n])
	},
	// open echoes one read and then neither reads nor closes.
	"open": func(conn net.Conn) {
		buf := make([]byte, 1024)
		n, _ := conn.Read(buf)
		conn.Write(buf[:n])
	},
	// whole answers only when it has read everything.
	"whole": func(conn net.Conn) {
		defer conn.Close()
		var all bytes.Buffer
		io.Copy(&all, conn)
		conn.Write(all.Bytes())
	},
	// short answers less than it was sent, in order.
	"short": func(conn net.Conn) {
		defer conn.Close()
		io.Copy(io.Discard, conn)
		io.WriteString(conn, "OK\n")
	},
	// mute reads and says nothing.
	"mute": func(conn net.Conn) {
		io.Copy(io.Discard, conn)
	},
}

// cmdPeer starts a server: peer NAME KIND [tcp|unix], peer NAME udp [N], which cuts datagrams after N bytes, or peer
// NAME nobody, an address where nothing listens. A stream server ends after its first client, as classic ones do.
func cmdPeer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: peer NAME KIND [tcp|unix]")
	}
	name, kind, network := args[0], args[1], "tcp"
	if len(args) > 2 {
		network = args[2]
	}
	switch kind {
	case "udp":
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		ts.Check(err)
		ts.Defer(func() { c.Close() })
		ts.Setenv(name, "udp://"+c.LocalAddr().String())
		_, port, _ := net.SplitHostPort(c.LocalAddr().String())
		ts.Setenv(name+"_port", port)
		go func() {
			buf := make([]byte, 1024)
			for {
				n, from, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				c.WriteTo(buf[:n], from)
			}
		}()
		return
	case "nobody":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ts.Setenv(name, l.Addr().String())
		ts.Setenv(name+"_port", port)
		l.Close()
		return
	case "taken":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Defer(func() { l.Close() })
		ts.Setenv(name, l.Addr().String())
		return
	}
	serve := peerKinds[kind]
	if serve == nil {
		ts.Fatalf("there is no peer of the kind %q", kind)
	}
	address := "127.0.0.1:0"
	if network == "unix" {
		// A socket's path has room for about 100 bytes, too few for a work folder.
		dir, err := os.MkdirTemp("", "warren")
		ts.Check(err)
		ts.Defer(func() { os.RemoveAll(dir) })
		address = filepath.Join(dir, "s")
	}
	l, err := net.Listen(network, address)
	ts.Check(err)
	accepted := make(chan net.Conn, 1)
	ts.Defer(func() {
		l.Close()
		select {
		case conn := <-accepted:
			conn.Close()
		default:
		}
	})
	ts.Setenv(name, network+"://"+l.Addr().String())
	if _, port, err := net.SplitHostPort(l.Addr().String()); err == nil {
		ts.Setenv(name+"_port", port)
	}
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		accepted <- conn
		serve(conn)
	}()
}

// cmdBytes writes a file of bytes that look random and are the same each time.
func cmdBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bytes FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o666))
}

// cmdClient is the classic client that sends, keeps its half open, and reads until the server closes.
func cmdClient(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: client URL TEXT")
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(args[0], "tcp://"))
	ts.Check(err)
	defer conn.Close()
	_, err = io.WriteString(conn, args[1])
	ts.Check(err)
	_, err = io.Copy(ts.Stdout(), conn)
	ts.Check(err)
}
