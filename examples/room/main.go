// Command room shows what a room is for. A server that has something to say to
// N clients over plain sockets must say it N times; into a room it says it once,
// and the broker says it to all.
//
// For N = 10, 100 and 1,000 the program times both: a loop of N writes against one
// write into a room, where both reach N clients that read lines from TCP
// sockets. "sending" is how long the sender is busy, "all have it" how long until
// the last of the N clients has read the line. Broker, sender and clients share
// one machine and one process, so the figures compare the two ways and say little
// about a network.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/warrenmq/warren/broker"
)

// Lines that are not timed: ping finds out who is in the room, begin is the
// last before what is timed.
const (
	ping  = "are you there?\n"
	begin = "begin\n"
)

// patience bounds each round, so that a lost line is an error and no hang.
const patience = 30 * time.Second

func main() {
	rounds := flag.Int("rounds", 25, "time each way `N` times and show the median")
	size := flag.Int("size", 64, "`BYTES` of a line")
	flag.Parse()
	if err := compare(*rounds, *size); err != nil {
		fmt.Fprintln(os.Stderr, "room:", err)
		os.Exit(1)
	}
}

// compare prints the table.
func compare(rounds, size int) error {
	line := append(slices.Repeat([]byte("x"), max(size, 2)-1), '\n')

	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "clients\tloop: sending\tall have it\troom: sending\tall have it\tsender free sooner by\t")
	for _, n := range []int{10, 100, 1000} {
		loop, err := timeLoop(n, rounds, line)
		if err != nil {
			return fmt.Errorf("a loop over %d clients: %w", n, err)
		}
		room, err := timeRoom(n, rounds, line)
		if err != nil {
			return fmt.Errorf("a room of %d clients: %w", n, err)
		}
		fmt.Fprintf(table, "%d\t%v\t%v\t%v\t%v\t%.0f ×\t\n", n,
			round(loop.sending), round(loop.arrived), round(room.sending), round(room.arrived),
			float64(loop.sending)/float64(room.sending))
	}
	return table.Flush()
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Nanosecond) }

// figures are one way's medians.
type figures struct {
	sending time.Duration // until the sender could go on
	arrived time.Duration // until every client had the line
}

// timeLoop times a server that writes a line to each of its clients.
func timeLoop(n, rounds int, line []byte) (figures, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return figures{}, err
	}
	defer listener.Close()

	clients := newCrowd(n)
	defer clients.leave()
	server := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range server {
			c.Close()
		}
	}()
	for range n {
		if err := clients.join(listener.Addr().String()); err != nil {
			return figures{}, err
		}
		c, err := listener.Accept()
		if err != nil {
			return figures{}, err
		}
		server = append(server, c)
	}
	return clients.time(rounds, line, func(line []byte) error {
		for _, c := range server {
			if _, err := c.Write(line); err != nil {
				return err
			}
		}
		return nil
	})
}

// timeRoom times a client that writes a line into a room of others.
func timeRoom(n, rounds int, line []byte) (figures, error) {
	b, err := broker.Open(broker.Config{Listen: []string{"room+tcp://127.0.0.1:0?exchange=lobby"}})
	if err != nil {
		return figures{}, err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	defer func() {
		stop()
		<-ended
	}()
	select {
	case <-b.Ready():
	case err := <-ended:
		ended <- err
		return figures{}, err
	}
	room, err := url.Parse(b.Listeners()[0].URL)
	if err != nil {
		return figures{}, err
	}

	clients := newCrowd(n)
	defer clients.leave()
	for range n {
		if err := clients.join(room.Host); err != nil {
			return figures{}, err
		}
	}
	sender, err := net.Dial("tcp", room.Host)
	if err != nil {
		return figures{}, err
	}
	defer sender.Close()
	return clients.time(rounds, line, func(line []byte) error {
		_, err := sender.Write(line)
		return err
	})
}

// A crowd is n clients that read lines.
type crowd struct {
	n       int
	conns   []net.Conn     // owned by the goroutine that calls join, time and leave
	readers sync.WaitGroup // one for each of conns

	present atomic.Int64   // clients that have heard anything
	heard   atomic.Int64   // lines that clients have heard since the last begin, and begin
	all     chan time.Time // when the last of the n had heard a line
}

func newCrowd(n int) *crowd { return &crowd{n: n, all: make(chan time.Time, 1)} }

// join adds a client.
func (c *crowd) join(addr string) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	c.conns = append(c.conns, conn)
	c.readers.Go(func() { c.listen(conn) })
	return nil
}

// listen reads lines until the connection ends.
func (c *crowd) listen(conn net.Conn) {
	in := bufio.NewReader(conn)
	first, begun := true, false
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if first {
			c.present.Add(1)
			first = false
		}
		if begun = begun || string(line) == begin; begun && c.heard.Add(1)%int64(c.n) == 0 {
			c.all <- time.Now()
		}
	}
}

func (c *crowd) leave() {
	for _, conn := range c.conns {
		conn.Close()
	}
	c.readers.Wait()
}

// time times send, which must reach the whole crowd, and returns the medians.
func (c *crowd) time(rounds int, line []byte, send func([]byte) error) (figures, error) {
	// Who has connected is not yet in the room: it is in when it hears something.
	for deadline := time.Now().Add(patience); c.present.Load() < int64(c.n); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return figures{}, fmt.Errorf("only %d of %d clients have heard anything", c.present.Load(), c.n)
		}
		if err := send([]byte(ping)); err != nil {
			return figures{}, err
		}
	}
	if _, _, err := c.once([]byte(begin), send); err != nil {
		return figures{}, err
	}
	var sending, arrived []time.Duration
	for range max(rounds, 1) {
		s, a, err := c.once(line, send)
		if err != nil {
			return figures{}, err
		}
		sending, arrived = append(sending, s), append(arrived, a)
	}
	return figures{median(sending), median(arrived)}, nil
}

// once sends a line and waits until everybody has it.
func (c *crowd) once(line []byte, send func([]byte) error) (sending, arrived time.Duration, err error) {
	start := time.Now()
	if err := send(line); err != nil {
		return 0, 0, err
	}
	sending = time.Since(start)
	select {
	case at := <-c.all:
		return sending, at.Sub(start), nil
	case <-time.After(patience):
		return 0, 0, fmt.Errorf("a line did not reach all %d clients within %v", c.n, patience)
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
