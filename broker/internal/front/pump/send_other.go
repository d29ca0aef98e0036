//go:build !unix

package pump

import "net"

type sender struct{ blockingSender }

func (s *sender) init(conn *net.UDPConn) { s.conn = conn }
