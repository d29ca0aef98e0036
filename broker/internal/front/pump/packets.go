package pump

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// maxDatagram is more than UDP can carry.
const maxDatagram = 64 << 10

// Packets moves datagrams between one UDP socket and a front. There are no connections: who a datagram is from is all
// that is known, and anybody can pretend to be anybody, which a front must bear in mind before it answers more than it
// was asked.
type Packets struct {
	conn *net.UDPConn
	log  *slog.Logger
	now  func() time.Time
	send sender
}

// PacketHandler is what a front does with datagrams. Its calls come from one goroutine.
type PacketHandler interface {
	// Packet takes one datagram, which is valid during the call.
	Packet(from netip.AddrPort, datagram []byte)
	// Tick is called once at the start and when the time that it returned has come; the zero Time is never.
	Tick(now time.Time) (next time.Time)
}

// NewPackets takes over a socket. A nil logger logs nothing, a nil clock is time.Now.
func NewPackets(conn *net.UDPConn, log *slog.Logger, now func() time.Time) *Packets {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	p := &Packets{conn: conn, log: log, now: now}
	p.send.init(conn)
	return p
}

// Serve gives datagrams to h until ctx ends or the socket is closed, closes it and returns nil.
func (p *Packets) Serve(ctx context.Context, h PacketHandler) error {
	stop := context.AfterFunc(ctx, func() { _ = p.conn.Close() })
	defer stop()
	defer p.conn.Close()
	buf := make([]byte, maxDatagram)
	failing := false
	next := p.tick(h)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
			failing = false
			h.Packet(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), buf[:n])
		case errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, net.ErrClosed):
			return nil
		default: // on some systems an answer that nobody took is told here: it concerns one client, not the socket
			if !failing {
				failing = true
				p.log.Info("udp read failed", "err", err)
				continue
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
		if !next.IsZero() && !p.now().Before(next) {
			next = p.tick(h)
		}
	}
}

func (p *Packets) tick(h PacketHandler) time.Time {
	next := h.Tick(p.now())
	var at time.Time
	if !next.IsZero() {
		at = time.Now().Add(next.Sub(p.now()))
	}
	_ = p.conn.SetReadDeadline(at)
	return next
}

// Send sends a datagram, from any goroutine and with any lock held. It never waits: what the kernel has no room for, or
// what is too long for a datagram, is dropped, as UDP drops, and false returned.
func (p *Packets) Send(to netip.AddrPort, datagram []byte) bool { return p.send.send(to, datagram) }

// LocalAddr is the address of the socket.
func (p *Packets) LocalAddr() net.Addr { return p.conn.LocalAddr() }

// Close ends Serve.
func (p *Packets) Close() error { return p.conn.Close() }

// blockingSender is used where the socket cannot be written to without perhaps blocking; a datagram that finds no room
// within a moment is dropped.
type blockingSender struct {
	mu   sync.Mutex // lock: udp output; a leaf
	conn *net.UDPConn
}

const sendPatience = time.Millisecond

func (s *blockingSender) send(to netip.AddrPort, b []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(sendPatience))
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	return err == nil
}
