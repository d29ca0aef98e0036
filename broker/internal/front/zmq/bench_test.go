package zmq

import (
	"testing"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front/fronttest"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/zmq"
)

// BenchmarkPull is messages that a peer pushes over tcp into a queue, consumed by a program; BenchmarkPush the way back.
func BenchmarkPull(b *testing.B) {
	env, _ := fronttest.NewEnv(b, engine.Config{})
	at, _ := serve(b, env, "zmq+pull://127.0.0.1:0?queue=jobs")
	p := newProgram(b, env)
	sink := make(counter, 1)
	c, err := p.client.Consume(engine.ConsumerSpec{Queue: "jobs", NoAck: true}, sink)
	must(b, err)
	c.Wake(p.batch)
	push, ctx := dial(b, zmq.NewPush(nil), at), b.Context()
	m := zmq.Message{make([]byte, 64)}
	b.SetBytes(64)
	b.ReportAllocs()
	sent := 0
	for b.Loop() {
		must(b, push.Send(ctx, m))
		sent++
	}
	for n := 0; n < sent; n += <-sink {
	}
}

// counter counts deliveries; it holds how many there were since somebody looked.
type counter chan int

func (c counter) Deliver(*engine.Delivery) engine.Verdict {
	n := 0
	select {
	case n = <-c:
	default:
	}
	c <- n + 1
	return engine.Taken
}
func (c counter) Flush()                     {}
func (c counter) Cancelled(*engine.Consumer) {}

func BenchmarkPush(b *testing.B) {
	env, _ := fronttest.NewEnv(b, engine.Config{})
	at, _ := serve(b, env, "zmq+push://127.0.0.1:0?queue=jobs&hwm=1000")
	p, ctx := newProgram(b, env), b.Context()
	pull := dial(b, zmq.NewPull(nil), at)
	m := message.Message{Key: []byte("jobs"), Body: make([]byte, 64)}
	var in zmq.Message
	b.SetBytes(64)
	b.ReportAllocs()
	const window = 10000
	sent := 0
	for b.Loop() {
		if _, err := p.client.Publish(p.batch, &m); err != nil {
			b.Fatal(err)
		}
		if sent++; sent%100 == 0 {
			p.batch.End()
		}
		if sent > window {
			must(b, pull.RecvInto(ctx, &in))
		}
	}
	p.batch.End()
	for range min(sent, window) {
		must(b, pull.RecvInto(ctx, &in))
	}
}
