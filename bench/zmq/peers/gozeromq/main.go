// Command gozeromq is the six programs of load/zmq on
// github.com/go-zeromq/zmq4.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-zeromq/zmq4"

	"github.com/warrenmq/warren/bench/zmq/peers/program"
	"github.com/warrenmq/warren/load"
	loadzmq "github.com/warrenmq/warren/load/zmq"
)

func main() { program.Main(run) }

func run(name, endpoint string, size, count int) (io.WriterTo, error) {
	ctx := context.Background()
	var s zmq4.Socket
	switch name {
	case "local_thr", "inproc_thr":
		s = zmq4.NewPull(ctx)
	case "remote_thr":
		s = zmq4.NewPush(ctx)
	case "local_lat":
		s = zmq4.NewRep(ctx)
	default:
		s = zmq4.NewReq(ctx)
	}
	var err error
	switch name {
	case "remote_thr", "remote_lat":
		err = s.Dial(endpoint)
	default:
		err = s.Listen(endpoint)
	}
	if err != nil {
		return nil, err
	}
	defer s.Close()
	switch name {
	case "local_thr":
		return receive(s, size, count)
	case "remote_thr":
		return nil, send(s, size, count)
	case "local_lat":
		err := echo(s, count)
		time.Sleep(settle) // Close does not wait until the last reply is read
		return nil, err
	case "remote_lat":
		return ask(s, size, count)
	case "inproc_thr":
		beside(zmq4.NewPush(ctx), endpoint, func(other zmq4.Socket) error { return send(other, size, count) })
		return receive(s, size, count)
	default:
		beside(zmq4.NewRep(ctx), endpoint, func(other zmq4.Socket) error { return echo(other, count) })
		return ask(s, size, count)
	}
}

// settle is how long connections get to come up, or messages to be read, where
// the package has no way to wait for it.
const settle = 100 * time.Millisecond

// beside works on a second socket in a goroutine that ends with its work. The
// socket stays open: closing it would drop what has not been received.
func beside(s zmq4.Socket, endpoint string, work func(zmq4.Socket) error) {
	defer time.Sleep(settle) // a socket without a peer does not wait for one
	go func() {
		err := s.Dial(endpoint)
		if err == nil {
			err = work(s)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
}

func send(s zmq4.Socket, size, count int) error {
	m := zmq4.NewMsg(make([]byte, size))
	for range count {
		if err := s.Send(m); err != nil {
			return err
		}
	}
	return nil
}

func receive(s zmq4.Socket, size, count int) (io.WriterTo, error) {
	var start time.Time
	for i := range count {
		m, err := s.Recv()
		if err != nil {
			return nil, err
		}
		if len(m.Frames) != 1 || len(m.Frames[0]) != size {
			return nil, errors.New("message of incorrect size received")
		}
		if i == 0 {
			start = time.Now()
		}
	}
	return &loadzmq.Throughput{Size: size, Count: count, Elapsed: time.Since(start)}, nil
}

func echo(s zmq4.Socket, count int) error {
	for range count {
		m, err := s.Recv()
		if err != nil {
			return err
		}
		if err := s.Send(m); err != nil {
			return err
		}
	}
	return nil
}

func ask(s zmq4.Socket, size, count int) (io.WriterTo, error) {
	m := zmq4.NewMsg(make([]byte, size))
	var h load.Histogram
	start := time.Now()
	last := time.Duration(0)
	for range count {
		if err := s.Send(m); err != nil {
			return nil, err
		}
		if _, err := s.Recv(); err != nil {
			return nil, err
		}
		now := time.Since(start)
		h.Record(now - last)
		last = now
	}
	return &loadzmq.Latency{Size: size, Count: count, Elapsed: last, RoundTrip: h.Summary()}, nil
}
