package pump

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"
)

// mirror answers every datagram, and counts ticks.
type mirror struct {
	packets *Packets
	ticks   chan time.Time
	every   time.Duration
}

func (m *mirror) Packet(from netip.AddrPort, datagram []byte) { m.packets.Send(from, datagram) }
func (m *mirror) Tick(now time.Time) time.Time {
	if m.ticks == nil {
		return time.Time{}
	}
	select {
	case m.ticks <- now:
	default:
	}
	return now.Add(m.every)
}

func udp(t testing.TB, address string) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Skipf("no %s here: %v", address, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.UDPConn)
}

func TestADatagramComesBackToItsSender(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		t.Run(address, func(t *testing.T) {
			server := udp(t, address)
			m := &mirror{packets: NewPackets(server, nil, nil)}
			ctx, cancel := context.WithCancel(context.Background())
			served := make(chan error, 1)
			go func() { served <- m.packets.Serve(ctx, m) }()
			at := server.LocalAddr().String()
			if address == ":0" {
				_, port, _ := net.SplitHostPort(at)
				at = "127.0.0.1:" + port
			}
			for _, size := range []int{0, 1, 1400, 60000} {
				c, err := net.Dial("udp", at)
				if err != nil {
					t.Fatal(err)
				}
				want := make([]byte, size)
				for i := range want {
					want[i] = byte(i)
				}
				_, _ = c.Write(want)
				got := make([]byte, maxDatagram)
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
				n, err := c.Read(got)
				if err != nil || string(got[:n]) != string(want) {
					t.Errorf("%d bytes of %d came back, %v", n, size, err)
				}
				_ = c.Close()
			}
			cancel()
			if err := <-served; err != nil {
				t.Errorf("Serve = %v", err)
			}
		})
	}
}

func TestPacketsTick(t *testing.T) {
	m := &mirror{packets: NewPackets(udp(t, "127.0.0.1:0"), nil, nil), ticks: make(chan time.Time), every: time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = m.packets.Serve(ctx, m) }()
	for range 3 {
		<-m.ticks
	}
}

func BenchmarkSendDatagram(b *testing.B) {
	p := NewPackets(udp(b, "127.0.0.1:0"), nil, nil)
	to := udp(b, "127.0.0.1:0").LocalAddr().(*net.UDPAddr).AddrPort()
	body := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		p.Send(to, body)
	}
}
