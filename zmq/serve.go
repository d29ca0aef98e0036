package zmq

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// errRefusedPeer is the reason for the end of a connection that the pattern
// has no place for.
var errRefusedPeer = errors.New("a Pair has one peer and this one came second")

// handshake speaks ZMTP's opening on a new connection. left is what the peer
// sent behind it.
func (s *socket) handshake(nc net.Conn) (peer zmtp.Peer, left []byte, err error) {
	if s.opts.HandshakeTimeout > 0 {
		_ = nc.SetDeadline(time.Now().Add(s.opts.HandshakeTimeout))
		defer nc.SetDeadline(time.Time{})
	}
	h := zmtp.NewHandshake(s.typ, s.opts.RoutingID)
	h.Notes = s.opts.Notes
	if _, err := nc.Write(h.Start(nil)); err != nil {
		return peer, nil, err
	}
	buf := make([]byte, 0, 512)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, make([]byte, len(buf))...)[:len(buf)]
		}
		n, err := nc.Read(buf[len(buf):cap(buf)])
		if n == 0 && err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return peer, nil, err
		}
		buf = buf[:len(buf)+n]
		used, out, err := h.Feed(buf, nil)
		if len(out) > 0 {
			if _, writeErr := nc.Write(out); writeErr != nil && err == nil {
				err = writeErr
			}
		}
		if err != nil {
			return peer, nil, err
		}
		buf = buf[:copy(buf, buf[used:])]
		if h.Done() {
			return h.Peer(), buf, nil
		}
	}
}

// misfit tells whether a handshake failed for a reason that another attempt
// is not likely to change.
func misfit(err error) bool {
	for _, e := range []error{zmtp.ErrNotZMTP, zmtp.ErrMechanism, zmtp.ErrHandshake, zmtp.ErrIncompatible, zmtp.ErrRefused, zmtp.ErrCommand} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// serve runs a connection whose handshake is done until it ends, and says
// why it ended. p is the pipe of the endpoint that was dialed, or a new one for
// a connection that was accepted.
func (s *socket) serve(ctx context.Context, p *pipe, nc net.Conn, peer zmtp.Peer, left []byte) error {
	c := newConn(p, nc, peer.Minor)
	c.beat.c = c
	defer context.AfterFunc(ctx, func() { c.fail(ErrClosed) })()

	s.mu.Lock()
	if p.out.isClosed() {
		s.mu.Unlock()
		return ErrClosed // the socket is, and waits for nothing any more
	}
	if !p.dialed {
		if s.closed || !slices.Contains(s.endpoints, p.via) {
			s.mu.Unlock()
			return ErrClosed // while the handshake went on
		}
		if !s.core.Attach(&p.Pipe) {
			s.mu.Unlock()
			return errRefusedPeer
		}
		s.pipes[p] = struct{}{}
	}
	p.Peer = peer
	p.out.notes = peer.Notes
	p.conn = c
	p.out.mu.Lock()
	p.out.writer = c
	p.out.asleep = false // the token is for the flush below
	p.out.mu.Unlock()
	if !p.Gone { // what is gone is sent the last of its queue and no more
		s.core.Connected(&p.Pipe)
	}
	s.senders.wakeAll()
	s.receivers.wakeOne()
	s.unlock()

	go c.flush()
	c.beat.start()
	c.fail(c.read(left))
	c.beat.stop()
	c.stop()

	s.mu.Lock()
	p.conn = nil
	if !p.dialed {
		s.core.Detach(&p.Pipe)
		delete(s.pipes, p)
		p.out.close()
	} else if !p.Gone {
		s.core.Disconnected(&p.Pipe)
	}
	s.senders.wakeAll()
	s.receivers.wakeAll()
	s.unlock()
	return c.err
}

// logEnd says why a connection ended.
func (s *socket) logEnd(log *slog.Logger, what string, err error) {
	level := slog.LevelWarn
	if errors.Is(err, errEnd) || errors.Is(err, ErrClosed) || errors.Is(err, net.ErrClosed) {
		level = slog.LevelDebug
	}
	log.Log(context.Background(), level, what, "reason", err)
}
