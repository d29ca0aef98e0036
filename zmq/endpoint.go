package zmq

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/warrenmq/warren/zmq/internal/transport"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// An address is an endpoint that a socket listens on or was dialed to.
type address struct {
	given  string // as the caller wrote it
	addr   transport.Endpoint
	pipe   *pipe // of an endpoint that was dialed; owned by the socket's lock
	cancel context.CancelFunc
}

func (ep *address) is(name string) bool {
	return ep.given == name || ep.addr.String() == name
}

// Listen accepts connections on an endpoint and returns the endpoint to dial,
// in which wildcards are replaced by what the system chose:
//
//	tcp://127.0.0.1:5555   one address; port 0 or * is any free port
//	tcp://*:5555           all IPv4 addresses; tcp://[::]:5555 all of IPv6 too
//	tcp://eth0:5555        the address of an interface
//	ipc:///run/app.sock    a Unix-domain socket; ipc://* at any free path
//	ipc://@app             one in the abstract namespace (Linux)
//	inproc://name          within the process
//
// A socket may listen on several endpoints and be dialed to others at the
// same time. Listen does not wait; ctx bounds the lookup of names. It fails
// with an [EndpointError].
func (s *socket) Listen(ctx context.Context, endpoint string) (bound string, err error) {
	addr, err := s.check("listen", endpoint)
	if err != nil {
		return "", err
	}
	fail := func(err error) (string, error) {
		return "", &EndpointError{"listen", endpoint, err}
	}
	if addr.Scheme == transport.Inproc {
		ep := &address{given: endpoint, addr: addr}
		if err := s.opts.Inproc.listen(s, ep); err != nil {
			return fail(err)
		}
		return addr.String(), nil
	}
	l, addr, err := s.net.Listen(ctx, addr)
	if err != nil {
		return fail(err)
	}
	life, cancel := context.WithCancel(context.Background())
	ep := &address{given: endpoint, addr: addr, cancel: cancel}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		cancel()
		_ = l.Close()
		return "", ErrClosed
	}
	s.endpoints = append(s.endpoints, ep)
	s.running.Add(1)
	s.mu.Unlock()
	closed := make(chan struct{})
	context.AfterFunc(life, func() {
		_ = l.Close()
		close(closed)
	})
	go func() {
		defer s.running.Done()
		s.accept(life, ep, l)
		<-closed // once the socket is closed its address is free
	}()
	return addr.String(), nil
}

// check parses an endpoint for an operation of an open socket.
func (s *socket) check(op, name string) (transport.Endpoint, error) {
	if s.bad != nil {
		return transport.Endpoint{}, s.bad
	}
	addr, err := transport.Parse(name)
	if err == nil && op == "dial" {
		err = addr.Dialable()
	}
	if err != nil {
		return addr, &EndpointError{op, name, err}
	}
	return addr, nil
}

// accept runs a listener until life ends.
func (s *socket) accept(life context.Context, ep *address, l net.Listener) {
	log := s.opts.Logger.With("listen", ep.addr.String())
	for {
		nc, err := l.Accept()
		if life.Err() != nil {
			if err == nil {
				_ = nc.Close()
			}
			return
		}
		if err != nil {
			// Most likely no file descriptors are left: some may be soon.
			log.Warn("a connection could not be accepted", "reason", err)
			if !pause(life, s.opts.ReconnectInterval) {
				return
			}
			continue
		}
		s.enterHandshake(nc)
		s.running.Add(1)
		go func() {
			defer s.running.Done()
			defer nc.Close()
			log := log.With("remote", nc.RemoteAddr().String())
			peer, left, err := s.handshake(nc)
			if !s.leaveHandshake(nc) && err != nil {
				err = errors.Join(errCrowded, err)
			}
			if err != nil {
				s.logEnd(log, "handshake failed", err)
				return
			}
			log.Debug("peer accepted", "type", string(peer.Type))
			p := newPipe(s, false)
			p.via = ep
			err = s.serve(context.Background(), p, nc, peer, left)
			s.logEnd(log, "connection ended", err)
		}()
	}
}

// errCrowded is the reason for closing the oldest unfinished handshake.
var errCrowded = errors.New("closed while in its handshake")

// enterHandshake enters a connection in the list of those in their handshake,
// and closes the oldest of them if there are too many.
func (s *socket) enterHandshake(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit := s.opts.MaxHandshakes; limit > 0 && len(s.halfOpen) >= limit {
		_ = s.halfOpen[0].Close()
		s.halfOpen = slices.Delete(s.halfOpen, 0, 1)
	}
	if s.closed {
		_ = nc.Close()
		return
	}
	s.halfOpen = append(s.halfOpen, nc)
}

// leaveHandshake takes a connection off that list; false means that it was
// closed as the oldest, or with the socket.
func (s *socket) leaveHandshake(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.halfOpen, nc)
	if i < 0 {
		return false
	}
	s.halfOpen = slices.Delete(s.halfOpen, i, i+1)
	return true
}

// Dial connects to an endpoint in the background and returns at once. While
// there is no connection, because the peer is not there yet or is gone,
// attempts go on until Disconnect or Close, and what is sent waits in the
// peer's queue as far as the pattern queues at all.
//
// A second Dial of the same endpoint does nothing for a Req, Dealer, Pub or
// Sub, and makes a second connection for the other types, as with libzmq. Dial
// fails with an [EndpointError] for an endpoint that is malformed or can't be
// connected to. ctx is not used after Dial returns.
func (s *socket) Dial(ctx context.Context, endpoint string) error {
	addr, err := s.check("dial", endpoint)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.dial(endpoint, addr)
}

func (s *socket) dial(given string, addr transport.Endpoint) error {
	life, cancel := context.WithCancel(context.Background())
	ep := &address{given: given, addr: addr, cancel: cancel}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		cancel()
		return ErrClosed
	}
	if s.onceOnly() && slices.ContainsFunc(s.endpoints, func(e *address) bool { return e.pipe != nil && e.addr == addr }) {
		s.mu.Unlock()
		cancel()
		return nil
	}
	inproc := addr.Scheme == transport.Inproc
	if inproc {
		ep.pipe = newInprocPipe(s)
	} else {
		ep.pipe = newPipe(s, true)
	}
	p := ep.pipe
	if !s.core.Attach(&p.Pipe) {
		s.mu.Unlock()
		cancel()
		return &EndpointError{"dial", given, errRefusedPeer}
	}
	s.pipes[p] = struct{}{}
	s.endpoints = append(s.endpoints, ep)
	s.senders.wakeAll()
	if !inproc {
		s.running.Add(1)
	}
	s.unlock()
	if inproc {
		s.opts.Inproc.dial(p, addr.Addr)
		return nil
	}
	go func() {
		defer s.running.Done()
		s.connect(life, ep, p)
	}()
	return nil
}

// onceOnly tells whether a second Dial of an endpoint does nothing.
func (s *socket) onceOnly() bool {
	switch s.typ {
	case zmtp.REQ, zmtp.DEALER, zmtp.PUB, zmtp.SUB:
		return true
	}
	return false
}

// connect keeps an endpoint that was dialed connected until life ends.
func (s *socket) connect(life context.Context, ep *address, p *pipe) {
	log := s.opts.Logger.With("dial", ep.addr.String())
	wait := s.opts.ReconnectInterval
	for {
		longest := s.opts.ReconnectMax
		nc, err := s.dialOnce(life, ep.addr)
		if err != nil {
			log.Debug("no connection yet", "reason", err)
		} else {
			stop := context.AfterFunc(life, func() { _ = nc.Close() })
			peer, left, err := s.handshake(nc)
			if err != nil {
				if life.Err() == nil {
					s.logEnd(log, "handshake failed", err)
				}
				if misfit(err) {
					longest = max(longest, minMisfitReconnect)
				}
			} else {
				log.Debug("connected", "type", string(peer.Type))
				err = s.serve(life, p, nc, peer, left)
				s.logEnd(log, "connection ended", err)
				wait = s.opts.ReconnectInterval
			}
			stop()
			_ = nc.Close()
		}
		if p.out.over() || !pause(life, wait+rand.N(wait)) {
			return
		}
		wait = min(2*wait, longest)
	}
}

// dialOnce makes one attempt to connect.
func (s *socket) dialOnce(ctx context.Context, addr transport.Endpoint) (net.Conn, error) {
	if s.opts.HandshakeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.opts.HandshakeTimeout)
		defer cancel()
	}
	return s.net.Dial(ctx, addr)
}

// pause waits for d; false means that ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Unlisten ends what Listen of this endpoint began: one that Listen returned
// or was given. As with libzmq, connections that were accepted there end too,
// except within the process. Messages that are queued for their peers are
// still sent, for as long as Options.Linger allows; that goes on after
// Unlisten returns. It fails with an [EndpointError].
func (s *socket) Unlisten(endpoint string) error {
	ep, pipes, err := s.removeEndpoint("unlisten", endpoint, false)
	if err != nil {
		return err
	}
	if ep.addr.Scheme == transport.Inproc {
		s.opts.Inproc.unlisten(s, ep.addr.Addr)
		return nil
	}
	ep.cancel()
	go s.retire(pipes, func() {
		for _, p := range pipes {
			p.hangUp("no longer listened for")
		}
	})
	return nil
}

// Disconnect ends what Dial of this endpoint began. Messages that are queued
// for the peer are still sent, for as long as Options.Linger allows; that
// goes on after Disconnect returns. Those for a name of inproc on which nobody
// listens are dropped. It fails with an [EndpointError].
func (s *socket) Disconnect(endpoint string) error {
	ep, pipes, err := s.removeEndpoint("disconnect", endpoint, true)
	if err != nil {
		return err
	}
	if ep.addr.Scheme == transport.Inproc {
		s.opts.Inproc.forget(ep.addr.Addr, ep.pipe)
		ep.pipe.hangUp("disconnected")
		return nil
	}
	go s.retire(pipes, ep.cancel)
	return nil
}

// retire ends connections, by calling end, once what is queued for them is
// written. It is one of s.running.
func (s *socket) retire(pipes []*pipe, end func()) {
	defer s.running.Done()
	linger, cancel := context.WithTimeout(context.Background(), s.opts.Linger)
	defer cancel()
	finish(linger, pipes)
	end()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range pipes {
		delete(s.pipes, p)
	}
}

// removeEndpoint takes an endpoint off the socket's list, and its pipes from
// the core. Unless they are inproc's, the caller owes a call of retire.
func (s *socket) removeEndpoint(op, name string, dialed bool) (*address, []*pipe, error) {
	s.mu.Lock()
	defer s.unlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	i := slices.IndexFunc(s.endpoints, func(e *address) bool { return (e.pipe != nil) == dialed && e.is(name) })
	if i < 0 {
		return nil, nil, &EndpointError{op, name, ErrEndpointUnknown}
	}
	ep := s.endpoints[i]
	s.endpoints = slices.Delete(s.endpoints, i, i+1)
	var pipes []*pipe
	for p := range s.pipes {
		if p == ep.pipe || p.via == ep {
			pipes = append(pipes, p)
			s.core.Detach(&p.Pipe)
		}
	}
	s.receivers.wakeAll()
	s.senders.wakeAll()
	if ep.addr.Scheme != transport.Inproc {
		s.running.Add(1)
	}
	return ep, pipes, nil
}
