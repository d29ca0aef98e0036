//go:build unix

package zmq

import "syscall"

// A tryWrite writes to a connection's socket without waiting for room.
type tryWrite struct {
	raw syscall.RawConn
	do  func(fd uintptr) bool // made once, so that a write allocates nothing
	b   []byte
	n   int
}

func (t *tryWrite) init(c *conn) {
	sc, ok := c.nc.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	c.raw, t.raw = raw, raw
	t.do = func(fd uintptr) bool {
		n, err := syscall.Write(int(fd), t.b)
		if err == nil {
			t.n = n
		}
		return true // done, whatever came of it
	}
}

// write returns how many bytes the system took; an error counts as none.
func (t *tryWrite) write(b []byte) int {
	t.b, t.n = b, 0
	if t.raw.Write(t.do) != nil {
		return 0
	}
	t.b = nil
	return t.n
}
