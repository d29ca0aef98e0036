package pump

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// TestEverythingAtOnceLosesNoByte echoes to clients of all tempers while their connections are woken and held at random
// moments: what comes back is what was sent, and every connection ends.
func TestEverythingAtOnceLosesNoByte(t *testing.T) {
	const clients, size = 16, 2 << 20
	var sessions sync.Map // *script -> its hold
	type gate struct {
		mu sync.Mutex
		ch chan struct{} // nil: open
	}
	var ended sync.WaitGroup
	srv := New(Config{OutputLimit: 32 << 10, ReadBuffer: 8 << 10, Front: scriptFront{func() *script {
		g := new(gate)
		s := &script{closed: make(chan error, 1)}
		s.feed = func(c *Conn, in []byte) (int, int, error) {
			n := min(len(in), 1+len(in)*2/3) // leaves some for the next batch
			return echo(c, in[:n])
		}
		s.tick = func(_ *Conn, now time.Time) (time.Time, error) {
			sessions.Store(s, g)
			return now.Add(3 * time.Millisecond), nil
		}
		s.hold = func() <-chan struct{} {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.ch == nil {
				return nil
			}
			return g.ch
		}
		return s
	}}})
	addr := listen(t, srv)

	stop := make(chan struct{})
	var meddling sync.WaitGroup
	meddling.Go(func() {
		random := rand.New(rand.NewPCG(1, 2))
		for {
			select {
			case <-stop:
				return
			default:
			}
			sessions.Range(func(k, v any) bool {
				s, g := k.(*script), v.(*gate)
				s.conn.Wake()
				g.mu.Lock()
				if g.ch != nil {
					close(g.ch)
					g.ch = nil
				} else if random.IntN(4) == 0 {
					g.ch = make(chan struct{})
				}
				g.mu.Unlock()
				s.conn.Out().Flush()
				return true
			})
		}
	})
	for i := range clients {
		ended.Go(func() {
			c, err := net.Dial(addr.Network(), addr.String())
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			random := rand.New(rand.NewPCG(3, uint64(i)))
			want := make([]byte, size)
			for j := range want {
				want[j] = byte(random.Uint32())
			}
			var writing sync.WaitGroup
			writing.Go(func() {
				for rest := want; len(rest) > 0; {
					n := min(len(rest), 1+random.IntN(64<<10))
					if _, err := c.Write(rest[:n]); err != nil {
						t.Error(err)
						return
					}
					rest = rest[n:]
				}
				_ = c.(*net.TCPConn).CloseWrite()
			})
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("client %d: %d bytes came back, %v", i, len(got), err)
			}
			writing.Wait()
		})
	}
	ended.Wait()
	close(stop)
	meddling.Wait()
	sessions.Range(func(k, v any) bool {
		s, g := k.(*script), v.(*gate)
		g.mu.Lock()
		if g.ch != nil {
			close(g.ch)
			g.ch = nil
		}
		g.mu.Unlock()
		if err := <-s.closed; err != nil {
			t.Errorf("a connection ended with %v", err)
		}
		return true
	})
}
