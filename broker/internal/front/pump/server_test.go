package pump

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestShutdownWaitsForTheClientsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := ""
		s := &script{
			feed: func(c *Conn, in []byte) (int, int, error) { return len(in), 0, io.EOF },
			shutdown: func(c *Conn, reason string) time.Duration {
				said = reason
				o := c.Out()
				o.End(append(o.Begin(), "bye"...))
				return time.Minute
			},
		}
		srv := New(Config{Front: one(s)})
		client, done := pipe(srv)
		synctest.Wait()
		down := make(chan error, 1)
		go func() { down <- srv.Shutdown(context.Background(), "maintenance") }()
		if _, err := io.ReadFull(client, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if srv.Conns() != 1 {
			t.Error("the connection was closed before the client answered")
		}
		_, _ = client.Write([]byte("bye"))
		if err := <-down; err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := <-done; err != nil || said != "maintenance" {
			t.Errorf("ServeConn = %v, reason %q", err, said)
		}
		if _, err := srv.add(client); !errors.Is(err, ErrServerClosed) {
			t.Errorf("a connection after the shutdown: %v", err)
		}
	})
}

func TestShutdownEndsWhenTheGraceOrTheContextDoes(t *testing.T) {
	for _, tc := range []struct {
		name           string
		grace, timeout time.Duration
		after          time.Duration
		err            error
	}{
		{"none", 0, time.Hour, 0, nil},
		{"grace", time.Minute, time.Hour, time.Minute, nil},
		{"context", time.Minute, time.Second, time.Second, context.DeadlineExceeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{shutdown: func(*Conn, string) time.Duration { return tc.grace }}
				srv := New(Config{Front: one(s)})
				_, done := pipe(srv)
				synctest.Wait()
				ctx, cancel := context.WithTimeout(context.Background(), tc.timeout)
				defer cancel()
				start := time.Now()
				if err := srv.Shutdown(ctx, "test"); err != tc.err {
					t.Errorf("Shutdown = %v", err)
				}
				if d := time.Since(start); d != tc.after {
					t.Errorf("after %v", d)
				}
				if err := <-done; err != nil {
					t.Errorf("ServeConn = %v", err)
				}
			})
		})
	}
}

func TestConnectionsBeyondTheLimitAreClosedAndSaidOnce(t *testing.T) {
	var log logBuffer
	srv := New(Config{
		Front:    scriptFront{func() *script { return &script{feed: echo} }},
		MaxConns: 2, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	addr := listen(t, srv)
	ping := func(c net.Conn) error {
		_, _ = c.Write([]byte{1})
		_, err := io.ReadFull(c, make([]byte, 1))
		return err
	}
	a, b := dial(t, addr), dial(t, addr)
	if err := errors.Join(ping(a), ping(b)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := ping(dial(t, addr)); err == nil {
			t.Error("a third connection was served")
		}
	}
	if n := strings.Count(log.String(), "too many"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
	_ = srv.Close()
}

// flaky is a listener that is out of descriptors for a while.
type flaky struct {
	net.Listener
	left  int
	conns chan net.Conn
}

func (f *flaky) Accept() (net.Conn, error) {
	if f.left > 0 {
		f.left--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	if c, ok := <-f.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (f *flaky) Close() error   { return nil }
func (f *flaky) Addr() net.Addr { return &net.TCPAddr{} }

func TestServeOutlivesAShortageOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		srv := New(Config{Front: one(&script{feed: echo}), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		f := &flaky{left: 10, conns: make(chan net.Conn)}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(context.Background(), f) }()
		client, server := net.Pipe()
		start := time.Now()
		f.conns <- server
		if d := time.Since(start); d < time.Second || d > 5*time.Second {
			t.Errorf("accepted after %v", d)
		}
		go func() { _, _ = client.Write([]byte{1}) }()
		if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
			t.Error(err)
		}
		_ = client.Close()
		close(f.conns)
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve = %v", err)
		}
		synctest.Wait()
		if n := strings.Count(log.String(), "too many open files"); n != 1 {
			t.Errorf("said %d times:\n%s", n, log.String())
		}
	})
}

func TestServeEndsWithItsContextAndLeavesTheConnections(t *testing.T) {
	srv := New(Config{Front: scriptFront{func() *script { return &script{feed: echo} }}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln) }()
	c := dial(t, ln.Addr())
	ping := func() error {
		_, _ = c.Write([]byte{1})
		_, err := io.ReadFull(c, make([]byte, 1))
		return err
	}
	if err := ping(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v", err)
	}
	if err := ping(); err != nil {
		t.Errorf("the connection went with the listener: %v", err)
	}
	_ = srv.Close()
	if srv.Conns() != 0 {
		t.Error("connections are left")
	}
}

func certificate(t testing.TB) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLSConnectionsAreServed(t *testing.T) {
	cfg := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	srv := New(Config{Front: scriptFront{func() *script { return &script{feed: echo} }}})
	ln, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(context.Background(), ln) }()
	defer func() { _ = srv.Close() }()
	c, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("secret"), 200000)
	go func() {
		_, _ = c.Write(want)
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
}

func TestAHalfOpenTLSHandshakeIsBounded(t *testing.T) {
	cfg := &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	synctest.Test(t, func(t *testing.T) {
		srv := New(Config{Front: one(&script{}), HandshakeTimeout: 3 * time.Second})
		client, server := net.Pipe()
		start := time.Now()
		if err := srv.ServeConn(context.Background(), tls.Server(server, cfg)); err == nil {
			t.Error("a handshake that never came succeeded")
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("closed after %v", d)
		}
		_ = client.Close()
	})
}

func TestServeConnEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := New(Config{Front: one(&script{})})
		_, server := net.Pipe()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := srv.ServeConn(ctx, server); err != nil {
			t.Errorf("ServeConn = %v", err)
		}
	})
}
