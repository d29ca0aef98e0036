//go:build unix

package pump

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// sender sends datagrams without waiting. It keeps its arguments in fields, so that sending allocates nothing.
type sender struct {
	mu    sync.Mutex // lock: udp output; a leaf
	raw   syscall.RawConn
	write func(uintptr) bool
	slow  blockingSender // for addresses with a zone, whose number would have to be looked up
	ip4   bool           // the socket is an IPv4 one
	v4    syscall.SockaddrInet4
	v6    syscall.SockaddrInet6
	to    syscall.Sockaddr // one of the two; owner mu
	b     []byte           // owner mu
	err   error            // owner mu
}

func (s *sender) init(conn *net.UDPConn) {
	s.slow.conn = conn
	if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		s.ip4 = a.IP.To4() != nil
	}
	s.raw, _ = conn.SyscallConn()
	s.write = func(fd uintptr) bool {
		for {
			if s.err = syscall.Sendto(int(fd), s.b, 0, s.to); s.err != syscall.EINTR {
				return true
			}
		}
	}
}

func (s *sender) send(to netip.AddrPort, b []byte) bool {
	if s.raw == nil || to.Addr().Zone() != "" {
		return s.slow.send(to, b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ip4 {
		s.v4.Addr, s.v4.Port = to.Addr().As4(), int(to.Port())
		s.to = &s.v4
	} else {
		s.v6.Addr, s.v6.Port = to.Addr().As16(), int(to.Port())
		s.to = &s.v6
	}
	s.b = b
	err := s.raw.Write(s.write)
	s.b = nil
	return err == nil && s.err == nil
}
