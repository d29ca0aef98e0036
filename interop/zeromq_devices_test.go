package interop

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/warrenmq/warren/interop/lab"
	"github.com/warrenmq/warren/zmq"
)

// Three libzmq clients and three libzmq workers that know only the proxy in
// the middle: each client gets its own answers, and all workers work.
func TestZeroMQProxyJoinsClientsAndWorkers(t *testing.T) {
	proxies := []struct {
		name  string
		start func(t *testing.T, front, back string)
	}{
		{"api", func(t *testing.T, front, back string) {
			clients, workers := zmq.NewRouter(nil), zmq.NewDealer(nil)
			attach(t, clients, plan{bind: []string{front}})
			attach(t, workers, plan{bind: []string{back}})
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error)
			go func() { ended <- zmq.Proxy(ctx, clients, workers, nil) }()
			t.Cleanup(func() {
				cancel()
				<-ended
				clients.Close()
				workers.Close()
			})
		}},
		{"command", func(t *testing.T, front, back string) {
			lab.Start(t, lab.Warren(t), "zmq", "proxy", "--frontend", front, "--backend", back)
		}},
	}
	var cells []lab.Cell
	for _, proxy := range proxies {
		for _, transport := range transports {
			cells = append(cells, lab.Cell{Name: proxy.name + "/" + transport, Run: func(t *testing.T) {
				front, back := address(t, transport), address(t, transport)
				proxy.start(t, front, back)
				var clients, workers []peer
				for i := range 3 {
					clients = append(clients, libzmq.open(t, plan{kind: "req", connect: []string{front}}))
					workers = append(workers, libzmq.open(t, plan{
						kind: "rep", connect: []string{back}, sign: fmt.Sprint("worker ", i),
					}))
				}
				worked := map[string]int{}
				for round := 0; round < 20 || len(worked) < len(workers) && round < 1000; round++ {
					for i, c := range clients {
						c.Send(fmt.Sprintf("round %d of client %d", round, i), "", "data")
					}
					for i, c := range clients {
						m := recv(t, c)
						want := []string{fmt.Sprintf("round %d of client %d", round, i), "", "data"}
						if len(m) != 4 || !slices.Equal(m[1:], want) {
							t.Fatalf("got %q, want a worker and %q", m, want)
						}
						worked[m[0]]++
					}
				}
				if len(worked) != len(workers) {
					t.Errorf("only %v worked", worked)
				}
				closeAll(append(clients, workers...)...)
			}})
		}
	}
	lab.Matrix(t, cells)
}

// The forwarder of examples/forwarder: one subscription to two publishers,
// published again on an ipc endpoint. What is not NASDAQ stays behind.
func TestZeroMQForwarder(t *testing.T) {
	for _, publisher := range []implementation{libzmq, goAPI} {
		t.Run(publisher.name, func(t *testing.T) {
			t.Parallel()
			first, second, out := address(t, "tcp"), address(t, "tcp"), address(t, "ipc")
			forwarder := lab.Start(t, lab.GoProgram(t, "", "examples/forwarder"),
				"-subscribe", "NASDAQ", "-publish", out, first, second)
			publishers := []peer{
				publisher.open(t, plan{kind: "pub", bind: []string{first}}),
				publisher.open(t, plan{kind: "pub", bind: []string{second}}),
			}
			reader := libzmq.open(t, plan{kind: "sub", connect: []string{out}, subscribe: []string{""}})

			heard := map[string]bool{}
			for deadline := time.Now().Add(lab.Patience); len(heard) < 2; {
				if time.Now().After(deadline) {
					t.Fatalf("only %v came through; the forwarder said %s", heard, forwarder.Errors())
				}
				for i, p := range publishers {
					p.Send("NASDAQ:SYNC", fmt.Sprint(i))
				}
				for {
					m, ok := reader.RecvWithin(100 * time.Millisecond)
					if !ok {
						break
					}
					heard[m[1]] = true
				}
			}
			for i, p := range publishers {
				for n := range 20 {
					p.Send("NASDAQ:MSFT", fmt.Sprint(i), fmt.Sprint(n))
					p.Send("NYSE:IBM", fmt.Sprint(i), fmt.Sprint(n))
					p.Send("NASDA", "one letter short")
				}
			}
			next := []int{0, 0}
			for range 40 {
				m := recv(t, reader)
				if len(m) != 3 || m[0] != "NASDAQ:MSFT" {
					t.Fatalf("got %q", m)
				}
				from := number(m[1])
				if m[2] != fmt.Sprint(next[from]) {
					t.Fatalf("got %q, want number %d of publisher %d", m, next[from], from)
				}
				next[from]++
			}
			expectNothing(t, reader)
			closeAll(append(publishers, reader)...)
		})
	}
}
