//go:build unix

package pump

import (
	"net"
	"syscall"
)

// rawConn gives access to the descriptor of sockets that the pump can read and write without blocking: nil for all
// others, which are read and written through their methods.
func rawConn(nc net.Conn) syscall.RawConn {
	switch nc := nc.(type) {
	case *net.TCPConn:
		if rc, err := nc.SyscallConn(); err == nil {
			return rc
		}
	case *net.UnixConn:
		if rc, err := nc.SyscallConn(); err == nil {
			return rc
		}
	}
	return nil
}

// readNow reads what the kernel has. again: there is nothing yet.
func readNow(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		n, err = syscall.Read(int(fd), b)
		switch err {
		case nil:
			return n, false, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, err
		}
	}
}

// writeNow writes what the kernel takes, perhaps nothing.
func writeNow(fd uintptr, b []byte) (n int, err error) {
	for {
		n, err = syscall.Write(int(fd), b)
		switch err {
		case nil:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, err
		}
	}
}
