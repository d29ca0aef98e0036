package amqp091

import (
	"io"
	"net"
	"testing"

	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// BenchmarkPublishToConsumer counts the whole way of a 16-byte message: through a socket, a session, a queue, a session and
// a socket, with the client's reading and writing. An op is a batch of 512 messages.
func BenchmarkPublishToConsumer(b *testing.B) {
	for _, mode := range []struct {
		name  string
		noAck bool
	}{{"auto-ack", true}, {"acks", false}} {
		b.Run(mode.name, func(b *testing.B) { benchmarkThrough(b, mode.noAck) })
	}
}

// BenchmarkConfirmEach counts a publish that waits for its confirm before the next. What an op allocates is the whole cost of
// one message, not shared with others.
func BenchmarkConfirmEach(b *testing.B) {
	client := benchmarkClient(b, new(wire.ConfirmSelect), wire.MethodConfirmSelectOk)
	publish := wire.BasicPublish{RoutingKey: []byte("nowhere")}
	one := wire.AppendContent(publish.AppendFrame(nil, 1), 1, wire.Content{Body: make([]byte, 16)}, frameMax)
	ack := make([]byte, len((&wire.BasicAck{}).AppendFrame(nil, 1)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Write(one); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(client, ack); err != nil {
			b.Fatal(err)
		}
	}
}

// benchmarkClient returns a connection with channel 1 and queue q that has said last and heard the answer to it.
func benchmarkClient(b *testing.B, last wire.Method, answer wire.MethodID) net.Conn {
	h := newHouse(b, 0)
	b.Cleanup(h.close)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = h.server.Serve(b.Context(), ln) }()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })

	hello := handshake("guest", "guest")
	hello = new(wire.ChannelOpen).AppendFrame(hello, 1)
	hello = (&wire.QueueDeclare{Queue: "q"}).AppendFrame(hello, 1)
	if _, err := client.Write(last.AppendFrame(hello, 1)); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 4<<10)
	for start := 0; ; {
		n, err := client.Read(buf[start:])
		if err != nil {
			b.Fatal(err)
		}
		start += n
		if f := lastFrame(buf[:start]); f.Type == wire.FrameMethod {
			if id, _, _ := wire.SplitMethod(f.Payload); id == answer {
				return client
			}
		}
	}
}

const benchBatch = 512 // messages in one write

func benchmarkThrough(b *testing.B, noAck bool) {
	client := benchmarkClient(b, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: noAck}, wire.MethodBasicConsumeOk)
	buf := make([]byte, 256<<10)
	publish := wire.BasicPublish{RoutingKey: []byte("q")}
	one := wire.AppendContent(publish.AppendFrame(nil, 1), 1, wire.Content{Body: make([]byte, 16)}, frameMax)
	deliver := wire.BasicDeliver{ConsumerTag: []byte("c"), RoutingKey: []byte("q")}
	size := len(wire.AppendDeliver(nil, 1, &deliver, wire.Content{Body: make([]byte, 16)}, frameMax))
	var batch []byte
	for range benchBatch {
		batch = append(batch, one...)
	}
	tag := uint64(0)
	ack := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Write(batch); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(client, buf[:size*benchBatch]); err != nil {
			b.Fatal(err)
		}
		tag += benchBatch
		if !noAck {
			ack = (&wire.BasicAck{DeliveryTag: tag, Multiple: true}).AppendFrame(ack[:0], 1)
			if _, err := client.Write(ack); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchBatch, "ns/msg")
}

func lastFrame(b []byte) (last wire.Frame) {
	for len(b) > 0 {
		f, n, err := wire.ScanFrame(b, frameMax)
		if err != nil || n == 0 {
			break
		}
		last, b = f, b[n:]
	}
	return last
}
