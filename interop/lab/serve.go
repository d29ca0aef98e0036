package lab

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// ports hands out each port once per process, so that two parallel tests
// are not given the same one between asking and listening.
var ports struct {
	mu    sync.Mutex // owns given
	given map[int]bool
}

// Port returns a TCP port of the loopback interface that was free a moment
// ago, and free for UDP as well.
func Port(t testing.TB) int {
	t.Helper()
	ports.mu.Lock()
	defer ports.mu.Unlock()
	if ports.given == nil {
		ports.given = map[int]bool{}
	}
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		l.Close()
		if err != nil {
			continue
		}
		u.Close()
		if !ports.given[port] {
			ports.given[port] = true
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// Addr is Port as an address, 127.0.0.1 and the port.
func Addr(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", Port(t))
}

// SocketPath returns a path for a Unix socket. It is short: the kernel
// allows about a hundred bytes, and a test's own temporary folder may be
// longer.
func SocketPath(t testing.TB) string {
	t.Helper()
	d, err := os.MkdirTemp("", "w")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d) })
	return filepath.Join(d, "s")
}

// Serve starts `warren serve` with one --listen for each URL and returns
// once it has said that it is ready. Nobody may see a difference between a
// broker with a data folder and one without, so the seed chooses.
func Serve(t testing.TB, listen ...string) *Process {
	t.Helper()
	args := []string{"serve"}
	if rank(t.Name()+" data") < 0.5 {
		args = append(args, "--data", t.TempDir(), "--min-free", "1MiB")
	}
	for _, url := range listen {
		args = append(args, "--listen", url)
	}
	p := Start(t, Warren(t), args...)
	p.LinesUntil("ready")
	return p
}
