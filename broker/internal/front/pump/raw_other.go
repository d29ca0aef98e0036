//go:build !unix

package pump

import (
	"net"
	"syscall"
)

// rawConn: a Windows socket cannot be read or written without blocking outside the runtime's own completion port, so the
// connection's methods are used: a read holds a small buffer while it waits, and every flush goes to the writer.
func rawConn(net.Conn) syscall.RawConn { return nil }

func readNow(uintptr, []byte) (n int, again bool, err error) { return 0, false, syscall.EINVAL }

func writeNow(uintptr, []byte) (n int, err error) { return 0, syscall.EINVAL }
