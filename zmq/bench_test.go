package zmq

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// pipeline is a Push and a Pull that are connected.
func pipeline(b *testing.B, endpoint string) (*Push, *Pull) {
	ns := new(Inproc)
	push, pull := NewPush(&Options{Inproc: ns, Linger: -1}), NewPull(&Options{Inproc: ns})
	b.Cleanup(func() { _ = push.Close() })
	b.Cleanup(func() { _ = pull.Close() })
	bound, err := pull.Listen(b.Context(), endpoint)
	if err != nil {
		b.Fatal(err)
	}
	if err := push.Dial(b.Context(), bound); err != nil {
		b.Fatal(err)
	}
	return push, pull
}

var benchEndpoints = []string{"tcp://127.0.0.1:0", "ipc://*", "inproc://bench"}

func schemeOf(endpoint string) string {
	scheme, _, _ := strings.Cut(endpoint, ":")
	return scheme
}

// BenchmarkThroughput counts one message sent and received, each side in a
// goroutine of its own.
func BenchmarkThroughput(b *testing.B) {
	for _, endpoint := range benchEndpoints {
		for _, size := range []int{16, 64, 256, 1 << 10, 16 << 10, 64 << 10} {
			for _, into := range []bool{false, true} {
				name := fmt.Sprintf("%s/%d/Recv", schemeOf(endpoint), size)
				if into {
					name += "Into"
				}
				b.Run(name, func(b *testing.B) {
					push, pull := pipeline(b, endpoint)
					ctx, stop := context.WithCancel(b.Context())
					m := Message{make([]byte, size)}
					var sending sync.WaitGroup
					sending.Go(func() {
						for push.Send(ctx, m) == nil {
						}
					})
					b.SetBytes(int64(size))
					b.ReportAllocs()
					var got Message
					for b.Loop() {
						var err error
						if into {
							err = pull.RecvInto(b.Context(), &got)
						} else {
							got, err = pull.Recv(b.Context())
						}
						if err != nil {
							b.Fatal(err)
						}
					}
					stop()
					sending.Wait()
				})
			}
		}
	}
}

// BenchmarkLatency is a round trip between a Req and a Rep.
func BenchmarkLatency(b *testing.B) {
	for _, endpoint := range benchEndpoints {
		b.Run(schemeOf(endpoint), func(b *testing.B) {
			ns := new(Inproc)
			req, rep := NewReq(&Options{Inproc: ns}), NewRep(&Options{Inproc: ns})
			defer req.Close()
			defer rep.Close()
			bound, err := rep.Listen(b.Context(), endpoint)
			if err != nil {
				b.Fatal(err)
			}
			if err := req.Dial(b.Context(), bound); err != nil {
				b.Fatal(err)
			}
			go func() {
				for q, err := range rep.Requests(b.Context()) {
					if err != nil {
						return
					}
					_ = q.Reply(b.Context(), q.Message)
				}
			}()
			m := Message{make([]byte, 64)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := req.Do(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFanOut counts one message published to so many subscribers, which
// lose what they have no room for.
func BenchmarkFanOut(b *testing.B) {
	for _, subscribers := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(subscribers), func(b *testing.B) {
			ns := new(Inproc)
			pub := NewXPub(&Options{Inproc: ns, XPubVerbose: true})
			defer pub.Close()
			bound, err := pub.Listen(b.Context(), "tcp://127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			for range subscribers {
				sub := NewSub(&Options{Inproc: ns})
				defer sub.Close()
				_ = sub.Subscribe("")
				_ = sub.Dial(b.Context(), bound)
				go func() {
					var m Message
					for sub.RecvInto(b.Context(), &m) == nil {
					}
				}()
				if _, err := pub.Recv(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			m := Message{make([]byte, 64)}
			b.ReportAllocs()
			for b.Loop() {
				if err := pub.Send(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
