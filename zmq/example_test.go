package zmq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/warrenmq/warren/zmq"
)

// A service and its client.
func Example() {
	ctx := context.Background()
	rep := zmq.NewRep(nil)
	defer rep.Close()
	addr, err := rep.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for r, err := range rep.Requests(ctx) {
			if err != nil {
				return // closed
			}
			_ = r.Reply(ctx, zmq.Message{[]byte("hello, "), r.Message[0]})
		}
	}()

	req := zmq.NewReq(nil)
	defer req.Close()
	if err := req.Dial(ctx, addr); err != nil {
		log.Fatal(err)
	}
	m, err := req.Do(ctx, zmq.Message{[]byte("world")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s%s\n", m[0], m[1])
	// Output: hello, world
}

// Work goes to whichever worker has room.
func ExamplePush() {
	ctx := context.Background()
	push, pull := zmq.NewPush(nil), zmq.NewPull(nil)
	defer push.Close()
	defer pull.Close()
	addr, err := push.Listen(ctx, "ipc://*")
	if err != nil {
		log.Fatal(err)
	}
	if err := pull.Dial(ctx, addr); err != nil {
		log.Fatal(err)
	}
	go func() {
		for i := range 3 {
			_ = push.Send(ctx, zmq.Message{fmt.Append(nil, "job ", i)})
		}
	}()
	for range 3 {
		m, err := pull.Recv(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", m[0])
	}
	// Output:
	// job 0
	// job 1
	// job 2
}

// A subscriber gets the messages whose first frame begins with its prefix. An
// XPub is used here in place of a Pub to learn when it has subscribed.
func ExampleSub() {
	ctx := context.Background()
	names := new(zmq.Inproc)
	pub, sub := zmq.NewXPub(&zmq.Options{Inproc: names}), zmq.NewSub(&zmq.Options{Inproc: names})
	defer pub.Close()
	defer sub.Close()
	_ = sub.Subscribe("NASDAQ")
	_ = sub.Dial(ctx, "inproc://ticks") // before anybody listens there
	if _, err := pub.Listen(ctx, "inproc://ticks"); err != nil {
		log.Fatal(err)
	}
	m, err := pub.Recv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("subscribed: %q\n", m[0])
	_ = pub.Send(ctx, zmq.Message{[]byte("NYSE:IBM"), []byte("250.10")})
	_ = pub.Send(ctx, zmq.Message{[]byte("NASDAQ:AAPL"), []byte("210.02")})
	if m, err = sub.Recv(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s\n", m[0], m[1])
	// Output:
	// subscribed: "\x01NASDAQ"
	// NASDAQ:AAPL 210.02
}

// A router sees who asks and answers by name, in any order.
func ExampleRouter() {
	ctx := context.Background()
	router, dealer := zmq.NewRouter(nil), zmq.NewDealer(&zmq.Options{RoutingID: []byte("client-1")})
	defer router.Close()
	defer dealer.Close()
	addr, err := router.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	_ = dealer.Dial(ctx, addr)
	_ = dealer.Send(ctx, zmq.Message{[]byte("one")})
	_ = dealer.Send(ctx, zmq.Message{[]byte("two")})
	for range 2 {
		m, err := router.Recv(ctx)
		if err != nil {
			log.Fatal(err)
		}
		_ = router.Send(ctx, zmq.Message{m[0], []byte("done"), m[1]})
	}
	for range 2 {
		m, err := dealer.Recv(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", m[0], m[1])
	}
	// Output:
	// done: one
	// done: two
}

// Requests of any number of clients go to any number of workers through one
// place that both sides dial.
func ExampleProxy() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	front, back := zmq.NewRouter(nil), zmq.NewDealer(nil)
	defer front.Close()
	defer back.Close()
	clients, err := front.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	workers, err := back.Listen(ctx, "tcp://127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = zmq.Proxy(ctx, front, back, nil) }()

	worker := zmq.NewRep(nil)
	defer worker.Close()
	_ = worker.Dial(ctx, workers)
	go func() {
		for r, err := range worker.Requests(ctx) {
			if err != nil {
				return
			}
			_ = r.Reply(ctx, r.Message)
		}
	}()

	client := zmq.NewReq(nil)
	defer client.Close()
	_ = client.Dial(ctx, clients)
	m, err := client.Do(ctx, zmq.Message{[]byte("ping")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", m[0])
	// Output: ping
}

// RecvInto receives without allocating.
func ExamplePull_RecvInto() {
	ctx, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer stop()
	names := new(zmq.Inproc)
	push, pull := zmq.NewPush(&zmq.Options{Inproc: names}), zmq.NewPull(&zmq.Options{Inproc: names})
	defer push.Close()
	defer pull.Close()
	_, _ = pull.Listen(ctx, "inproc://sum")
	_ = push.Dial(ctx, "inproc://sum")
	for i := range 100 {
		_ = push.Send(ctx, zmq.Message{make([]byte, i)})
	}
	total := 0
	var m zmq.Message // used again and again
	for {
		err := pull.RecvInto(ctx, &m)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		total += len(m[0])
	}
	fmt.Println(total, "bytes")
	// Output: 4950 bytes
}
