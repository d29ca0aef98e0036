package socket

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front/fronttest"
)

// BenchmarkRoom sends lines into a room with so many listeners, over tcp; an operation is a line that was sent, and heard
// by all.
func BenchmarkRoom(b *testing.B) {
	for _, listeners := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(listeners), func(b *testing.B) {
			env, _ := fronttest.NewEnv(b, engine.Config{})
			e := serve(b, env, "room+tcp://127.0.0.1:0?exchange=lobby")
			dial := func() net.Conn {
				c, err := net.Dial("tcp", e.Address)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = c.Close() })
				return c
			}
			hear := make([]net.Conn, listeners)
			for i := range hear {
				hear[i] = dial()
			}
			speaker := dial()
			for len(env.Engine.VHost("/").Bindings()) < listeners+1 {
				runtime.Gosched()
			}
			const perBatch = 200
			lines := []byte(strings.Repeat(strings.Repeat("x", 63)+"\n", perBatch))
			done := make(chan struct{}, listeners)
			next := make([]chan struct{}, listeners)
			for i, c := range hear {
				next[i] = make(chan struct{}, 1)
				go func() {
					in := make([]byte, len(lines))
					for range next[i] {
						_, _ = io.ReadFull(c, in)
						done <- struct{}{}
					}
				}()
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n++; n == perBatch {
					n = 0
					_, _ = speaker.Write(lines)
					for _, c := range next {
						c <- struct{}{}
					}
					for range next {
						<-done
					}
				}
			}
			for _, c := range next {
				close(c)
			}
		})
	}
}

// BenchmarkQueuePublish is lines into a queue that a program consumes: what the front costs.
func BenchmarkQueuePublish(b *testing.B) {
	env, _ := fronttest.NewEnv(b, engine.Config{})
	s, err := parse(fronttest.Endpoint(b, "queue+tcp://h:1?queue=jobs&consume=0"))
	if err == nil {
		err = s.prepare(env)
	}
	if err != nil {
		b.Fatal(err)
	}
	sess := &session{env: env, settings: s, target: []byte("jobs"), splitter: splitter{limit: s.max}}
	if err := sess.join(env, s, engine.ClientInfo{}, true); err != nil {
		b.Fatal(err)
	}
	sink := &counter{}
	c, err := sess.client.Consume(engine.ConsumerSpec{Queue: "jobs", NoAck: true}, sink)
	if err != nil {
		b.Fatal(err)
	}
	c.Wake(sess.batch)
	const perBatch = 1000
	lines := []byte(strings.Repeat(strings.Repeat("x", 63)+"\n", perBatch))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n == perBatch {
			n = 0
			if _, _, err := sess.Feed(lines); err != nil {
				b.Fatal(err)
			}
			sess.EndBatch()
		}
	}
	if sink.n == 0 && b.N > perBatch {
		b.Error("nothing was delivered")
	}
}

type counter struct{ n int }

func (c *counter) Deliver(*engine.Delivery) engine.Verdict { c.n++; return engine.Taken }
func (c *counter) Flush()                                  {}
func (c *counter) Cancelled(*engine.Consumer)              {}
