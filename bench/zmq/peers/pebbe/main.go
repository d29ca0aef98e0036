//go:build libzmq

// Command pebbe is the six programs of load/zmq on github.com/pebbe/zmq4, which
// binds libzmq by cgo. It is built with the tag libzmq, where that is installed.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pebbe/zmq4"

	"github.com/warrenmq/warren/bench/zmq/peers/program"
	"github.com/warrenmq/warren/load"
	loadzmq "github.com/warrenmq/warren/load/zmq"
)

func main() { program.Main(run) }

func run(name, endpoint string, size, count int) (io.WriterTo, error) {
	types := map[string]zmq4.Type{
		"local_thr": zmq4.PULL, "remote_thr": zmq4.PUSH, "local_lat": zmq4.REP,
		"remote_lat": zmq4.REQ, "inproc_thr": zmq4.PULL, "inproc_lat": zmq4.REQ,
	}
	s, err := zmq4.NewSocket(types[name])
	if err != nil {
		return nil, err
	}
	switch name {
	case "remote_thr", "remote_lat":
		err = s.Connect(endpoint)
	default:
		err = s.Bind(endpoint)
	}
	if err != nil {
		return nil, err
	}
	defer zmq4.Term() // after Close: waits until all is sent
	defer s.Close()
	switch name {
	case "local_thr":
		return receive(s, size, count)
	case "remote_thr":
		return nil, send(s, size, count)
	case "local_lat":
		return nil, echo(s, count)
	case "remote_lat":
		return ask(s, size, count)
	case "inproc_thr":
		beside(zmq4.PUSH, endpoint, func(other *zmq4.Socket) error { return send(other, size, count) })
		return receive(s, size, count)
	default:
		beside(zmq4.REP, endpoint, func(other *zmq4.Socket) error { return echo(other, count) })
		return ask(s, size, count)
	}
}

// beside works on a second socket in a goroutine that ends with its work.
func beside(t zmq4.Type, endpoint string, work func(*zmq4.Socket) error) {
	go func() {
		s, err := zmq4.NewSocket(t)
		if err == nil {
			defer s.Close()
			if err = s.Connect(endpoint); err == nil {
				err = work(s)
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
}

func send(s *zmq4.Socket, size, count int) error {
	body := make([]byte, size)
	for range count {
		if _, err := s.SendBytes(body, 0); err != nil {
			return err
		}
	}
	return nil
}

func receive(s *zmq4.Socket, size, count int) (io.WriterTo, error) {
	var start time.Time
	for i := range count {
		b, err := s.RecvBytes(0)
		if err != nil {
			return nil, err
		}
		if len(b) != size {
			return nil, errors.New("message of incorrect size received")
		}
		if i == 0 {
			start = time.Now()
		}
	}
	return &loadzmq.Throughput{Size: size, Count: count, Elapsed: time.Since(start)}, nil
}

func echo(s *zmq4.Socket, count int) error {
	for range count {
		b, err := s.RecvBytes(0)
		if err != nil {
			return err
		}
		if _, err := s.SendBytes(b, 0); err != nil {
			return err
		}
	}
	return nil
}

func ask(s *zmq4.Socket, size, count int) (io.WriterTo, error) {
	body := make([]byte, size)
	var h load.Histogram
	start := time.Now()
	last := time.Duration(0)
	for range count {
		if _, err := s.SendBytes(body, 0); err != nil {
			return nil, err
		}
		if _, err := s.RecvBytes(0); err != nil {
			return nil, err
		}
		now := time.Since(start)
		h.Record(now - last)
		last = now
	}
	return &loadzmq.Latency{Size: size, Count: count, Elapsed: last, RoundTrip: h.Summary()}, nil
}
