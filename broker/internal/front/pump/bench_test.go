package pump

import (
	"io"
	"net"
	"runtime"
	"testing"
)

// relay is the least a front does with a frame: it is decoded in place and appended to an output.
var relay = frames(func(c *Conn, body []byte) {
	o := c.Out()
	b := o.Begin()
	b = append(b, byte(len(body)>>24), byte(len(body)>>16), byte(len(body)>>8), byte(len(body)))
	o.End(append(b, body...))
})

// BenchmarkRelay sends batches of small frames through a session and reads them back; an operation is one frame.
func BenchmarkRelay(b *testing.B) {
	for _, network := range []string{"tcp", "unix"} {
		b.Run(network, func(b *testing.B) {
			srv := New(Config{Front: scriptFront{func() *script { return &script{feed: relay} }}})
			at := "127.0.0.1:0"
			if network == "unix" {
				at = b.TempDir() + "/s"
			}
			ln, err := net.Listen(network, at)
			if err != nil {
				b.Fatal(err)
			}
			go func() { _ = srv.Serve(b.Context(), ln) }()
			defer func() { _ = srv.Close() }()
			c := dial(b, ln.Addr())

			const perBatch = 1000
			var batch []byte
			for range perBatch {
				batch = append(batch, frame(make([]byte, 60))...)
			}
			b.SetBytes(64)
			b.ReportAllocs()
			send := make(chan int, 16)
			go func() {
				for n := range send {
					_, _ = c.Write(batch[:64*n])
				}
			}()
			defer close(send)
			in := make([]byte, len(batch))
			window := 0
			pending := 0
			for b.Loop() {
				if pending++; pending == perBatch {
					send <- pending
					pending = 0
					if window++; window > 4 {
						_, _ = io.ReadFull(c, in)
						window--
					}
				}
			}
			for ; window > 0; window-- {
				_, _ = io.ReadFull(c, in)
			}
		})
	}
}

// BenchmarkPingPong is one small frame there and back: the latency that the pump adds to two sockets.
func BenchmarkPingPong(b *testing.B) {
	srv := New(Config{Front: scriptFront{func() *script { return &script{feed: relay} }}})
	c := dial(b, listen(b, srv))
	out, in := frame(make([]byte, 60)), make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Write(out)
		_, _ = io.ReadFull(c, in)
	}
}

// BenchmarkAppend is what a delivery pays for an output.
func BenchmarkAppend(b *testing.B) {
	c := newConn(New(Config{Front: one(&script{})}), nil, 1)
	o, body := c.Out(), make([]byte, 60)
	b.ReportAllocs()
	for b.Loop() {
		buf := append(o.Begin(), body...)
		if len(buf) > 60000 {
			buf = buf[:0]
		}
		o.End(buf)
	}
}

// BenchmarkIdleConnections reports what a connection costs that has spoken once and waits: both ends of it, since both
// live in this process.
func BenchmarkIdleConnections(b *testing.B) {
	srv := New(Config{Front: scriptFront{func() *script { return &script{feed: relay} }}})
	addr := listen(b, srv)
	memory := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	const conns = 500
	ping, cost := frame(nil), uint64(0)
	for b.Loop() {
		before := memory()
		open := make([]net.Conn, conns)
		for i := range open {
			c, err := net.Dial("tcp", addr.String())
			if err != nil {
				b.Fatal(err)
			}
			open[i] = c
			_, _ = c.Write(ping)
			_, _ = io.ReadFull(c, make([]byte, len(ping)))
		}
		cost = memory() - before
		for _, c := range open {
			_ = c.Close()
		}
	}
	b.ReportMetric(float64(int64(cost))/conns, "B/conn")
}
