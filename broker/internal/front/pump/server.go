package pump

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrServerClosed is returned by Serve and ServeConn after Shutdown or Close.
var ErrServerClosed = errors.New("pump: server closed")

// errTooMany ends a connection beyond Config.MaxConns.
var errTooMany = errors.New("pump: too many connections")

// Config is what a Server needs to know.
type Config struct {
	// Front makes the sessions. It must be given.
	Front Front
	// Logger receives what an operator should know; nil logs nothing.
	Logger *slog.Logger
	// Now is the clock that Tick is given; nil is time.Now. Deadlines follow its differences, in real time.
	Now func() time.Time
	// MaxConns is how many connections may be open at once; one more is closed when it comes. 0 is no limit.
	MaxConns int
	// OutputLimit is how many bytes may wait for a client before deliveries to it are refused. 0 is 256 KiB.
	OutputLimit int
	// WriteTimeout ends a connection whose client takes nothing for so long. 0 is 30 seconds.
	WriteTimeout time.Duration
	// HandshakeTimeout bounds a TLS handshake. 0 is 10 seconds.
	HandshakeTimeout time.Duration
	// ReadBuffer is how many bytes one read takes at most, while no single frame needs more. 0 is 64 KiB.
	ReadBuffer int
}

// Server runs the listeners and connections of one front. Its methods may be called from any goroutine.
type Server struct {
	cfg     Config
	buffers buffers
	lastID  atomic.Uint64

	mu        sync.Mutex                // lock: server; no other is taken under it but a connection's signals
	conns     map[*Conn]struct{}        // owner mu
	listeners map[net.Listener]struct{} // owner mu
	closing   bool                      // no new connections; owner mu
	hard      bool                      // sockets are being closed under their sessions; owner mu
	refused   bool                      // the last connection was one too many; owner mu
	empty     chan struct{}             // closed when the last connection of a closing server is gone; owner mu
}

// New returns a server that runs nothing yet.
func New(cfg Config) *Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.OutputLimit <= 0 {
		cfg.OutputLimit = 256 << 10
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = 30 * time.Second
	}
	if cfg.HandshakeTimeout <= 0 {
		cfg.HandshakeTimeout = 10 * time.Second
	}
	if cfg.ReadBuffer <= 0 {
		cfg.ReadBuffer = sizeMedium
	}
	return &Server{
		cfg:       cfg,
		conns:     make(map[*Conn]struct{}),
		listeners: make(map[net.Listener]struct{}),
		empty:     make(chan struct{}),
	}
}

// Serve accepts connections from ln until ctx ends, the listener fails or the server is shut down, and closes ln. The
// connections live on. It returns nil when ctx ended, ErrServerClosed after Shutdown or Close. When the process is out of
// descriptors or memory, it waits for up to a second at a time and goes on.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		_ = ln.Close()
		return ErrServerClosed
	}
	s.listeners[ln] = struct{}{}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer func() {
		stop()
		_ = ln.Close()
		s.mu.Lock()
		delete(s.listeners, ln)
		s.mu.Unlock()
	}()

	var delay time.Duration
	for {
		nc, err := ln.Accept()
		if err == nil {
			delay = 0
			_ = s.Start(nc)
			continue
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case s.isClosing():
			return ErrServerClosed
		case !scarce(err):
			return err
		}
		if delay == 0 {
			delay = 5 * time.Millisecond
			s.cfg.Logger.Warn("cannot accept connections for now", "protocol", s.cfg.Front.Protocol(),
				"listener", ln.Addr().String(), "err", err)
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil
		case <-s.empty: // at the latest when the server has closed
		}
		delay = min(2*delay, time.Second)
	}
}

// scarce reports whether Accept failed for a reason that passes.
func scarce(err error) bool {
	for _, passing := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNRESET,
		syscall.EINTR, os.ErrDeadlineExceeded,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// ServeConn runs one connection and blocks until it has ended; nil is a clean end. The connection is closed in its
// protocol's manner when ctx ends.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) error {
	c, err := s.add(nc)
	if err != nil {
		return err
	}
	defer s.remove(c)
	stop := context.AfterFunc(ctx, func() { c.askShutdown("the server is shutting down") })
	defer stop()
	return c.run()
}

// Start runs one connection in a goroutine of its own. It fails, and closes the connection, after Shutdown or Close and when
// there are too many.
func (s *Server) Start(nc net.Conn) error {
	c, err := s.add(nc)
	if err != nil {
		return err
	}
	go func() {
		defer s.remove(c)
		_ = c.run()
	}()
	return nil
}

// add registers a connection, or closes it when there may be no more.
func (s *Server) add(nc net.Conn) (*Conn, error) {
	c := newConn(s, nc, s.lastID.Add(1))
	s.mu.Lock()
	var err error
	warn := false
	switch {
	case s.closing:
		err = ErrServerClosed
	case s.cfg.MaxConns > 0 && len(s.conns) >= s.cfg.MaxConns:
		err = errTooMany
		warn, s.refused = !s.refused, true
	default:
		s.refused = false
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if err != nil {
		if warn { // once, until there is room again
			c.Logger().Warn("connections are refused: too many", "limit", s.cfg.MaxConns)
		}
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.closing && len(s.conns) == 0 {
		s.announceEmpty()
	}
}

// announceEmpty closes empty once. Under mu.
func (s *Server) announceEmpty() {
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// closed reports whether sockets have been closed under their sessions.
func (s *Server) closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hard
}

// Conns returns how many connections are open.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Shutdown closes the listeners, has every session say goodbye, and waits until all connections are gone. When ctx ends
// before that, the rest is closed hard and ctx's error returned.
func (s *Server) Shutdown(ctx context.Context, reason string) error {
	s.mu.Lock()
	s.close()
	for c := range s.conns {
		c.askShutdown(reason)
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		_ = s.Close()
		return ctx.Err()
	}
}

// Close closes all listeners and sockets at once and waits until the sessions have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.close()
	s.hard = true
	for c := range s.conns {
		if c.tls != nil {
			_ = c.tls.NetConn().Close() // closing TLS itself would wait for its last record to go out
		} else {
			_ = c.nc.Close()
		}
		c.end(nil)
	}
	s.mu.Unlock()
	<-s.empty
	return nil
}

// close lets nothing new in. Under mu.
func (s *Server) close() {
	s.closing = true
	for ln := range s.listeners {
		_ = ln.Close()
	}
	if len(s.conns) == 0 {
		s.announceEmpty()
	}
}
