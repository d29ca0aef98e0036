package interop

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/interop/lab"
)

// strangerMemory bounds what the server may ever have held, in KiB: strangers
// send several times as much.
const strangerMemory = 128 << 10

// strangerPatience is how long a stranger goes on writing when nobody reads.
const strangerPatience = time.Second

// zmtpGreeting is the greeting of ZMTP 3.1 with the mechanism NULL.
var zmtpGreeting = "\xff" + strings.Repeat("\x00", 8) + "\x7f\x03\x01" + "NULL" + strings.Repeat("\x00", 16+32)

// A stranger does something to a listener that no client should. Errors in
// sending are what it has coming.
type stranger struct {
	name string
	do   func(t *testing.T, addr string)
}

// knock connects, writes as long as the server reads, and is gone; with hold
// it leaves the connection open until the test ends.
func knock(t *testing.T, addr string, hold bool, chunks ...string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatalf("the listener is gone: %v", err)
	}
	if hold {
		t.Cleanup(func() { c.Close() })
	} else {
		defer c.Close()
	}
	c.SetWriteDeadline(time.Now().Add(strangerPatience))
	for _, chunk := range chunks {
		if _, err := io.WriteString(c, chunk); err != nil {
			return
		}
	}
}

func strangers() []stranger {
	rng := rand.New(rand.NewPCG(lab.Seed(), 1))
	random := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return string(b)
	}
	megabyte := strings.Repeat("x", 1<<20)
	many := func(n int, chunk string) []string {
		chunks := make([]string, n)
		for i := range chunks {
			chunks[i] = chunk
		}
		return chunks
	}
	return []stranger{
		{"random octets", func(t *testing.T, addr string) {
			for range 20 {
				knock(t, addr, false, random(1+rng.IntN(4096)))
			}
		}},
		{"a web browser", func(t *testing.T, addr string) {
			knock(t, addr, false, "GET / HTTP/1.1\r\nHost: warren\r\n\r\n")
		}},
		{"a TLS client", func(t *testing.T, addr string) {
			knock(t, addr, false, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"+random(508))
		}},
		{"half a handshake, held", func(t *testing.T, addr string) {
			for i := range 30 {
				knock(t, addr, true, []string{"", "AMQP", header091, zmtpGreeting[:11], zmtpGreeting, "half a line"}[i%6])
			}
		}},
		{"frames that announce gigabytes", func(t *testing.T, addr string) {
			knock(t, addr, false, append([]string{header091 + "\x01\x00\x00\xff\xff\xff\xff"}, many(64, megabyte)...)...)
			knock(t, addr, false, append([]string{zmtpGreeting + "\x06" + u64(1<<62)}, many(64, megabyte)...)...)
			knock(t, addr, false, append([]string{zmtpGreeting + "\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x04PUSH" + strings.Repeat("\x00", 12) +
				"\x02" + u64(1<<40)}, many(64, megabyte)...)...)
		}},
		{"a line of 64 megabytes", func(t *testing.T, addr string) { knock(t, addr, false, many(64, megabyte)...) }},
		{"one octet at a time", func(t *testing.T, addr string) {
			knock(t, addr, false, strings.Split(header091+random(64), "")...)
		}},
		{"gone with a reset", func(t *testing.T, addr string) {
			for _, start := range []string{header091, zmtpGreeting, "half a line"} {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatalf("the listener is gone: %v", err)
				}
				io.WriteString(c, start)
				c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}
		}},
	}
}

// Strangers at every listener: whatever they send, the clients that behave are
// served meanwhile and afterwards, memory stays bounded, and the server ends
// in good order.
func TestStrangersDoNoHarm(t *testing.T) {
	lab.NeedPython(t, "zmq")
	doors := []struct{ name, url, addr string }{
		{name: "amqp", url: "amqp://%s"},
		{name: "echo", url: "echo+tcp://%s?idle=5s"},
		{name: "room", url: "room+tcp://%s?exchange=lobby"},
		{name: "queue", url: "queue+tcp://%s?queue=lines&consume=0"},
		{name: "pull", url: "zmq+pull://%s?queue=jobs"},
		{name: "pub", url: "zmq+pub://%s?exchange=amq.topic"},
		{name: "rep", url: "zmq+rep://%s?exchange=&key=rpc"},
	}
	var urls []string
	addr := map[string]string{}
	for i := range doors {
		doors[i].addr = lab.Addr(t)
		addr[doors[i].name] = doors[i].addr
		urls = append(urls, fmt.Sprintf(doors[i].url, doors[i].addr))
	}
	server := lab.Serve(t, urls...)

	conn, err := amqp.Dial("amqp://guest:guest@" + addr["amqp"] + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := ch.Consume("jobs", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	push := libzmq.open(t, plan{kind: "push", connect: []string{"tcp://" + addr["pull"]}})
	served := func(after string) {
		t.Helper()
		for _, via := range []string{"AMQP", "ZeroMQ"} {
			text := via + " " + after
			if via == "AMQP" {
				if err := ch.Publish("", "jobs", false, false, amqp.Publishing{Body: []byte(text)}); err != nil {
					t.Fatalf("%s: publishing: %v", text, err)
				}
			} else {
				push.Send(text)
			}
			select {
			case d := <-jobs:
				if string(d.Body) != text {
					// Random octets cannot have made a message of their own.
					t.Fatalf("%s: got %q", text, d.Body)
				}
			case <-time.After(lab.Patience):
				t.Fatalf("%s: nobody is served any more", text)
			}
		}
	}
	served("before")
	for _, s := range strangers() {
		for _, d := range doors {
			s.do(t, d.addr)
			served("after " + s.name + " at " + d.name)
		}
	}
	if peak := server.PeakMemory(); peak > strangerMemory {
		t.Errorf("the server has held %d KiB, want at most %d", peak, strangerMemory)
	} else {
		t.Logf("the server has held %d KiB at most", peak)
	}
	push.Close()
	server.Signal(syscall.SIGTERM)
	server.Wait()
	if strings.Contains(server.Errors(), "panic") {
		t.Errorf("a panic:\n%s", server.Errors())
	}
}

// Who does not read is not waited for: publishers and the readers beside it go
// on, and what is kept for it is bounded.
func TestStrangersThatDoNotRead(t *testing.T) {
	amqpAddr, room := lab.Addr(t), lab.Addr(t)
	server := lab.Serve(t, "amqp://"+amqpAddr, "room+tcp://"+room+"?exchange=lobby")
	sleeper, err := net.Dial("tcp", room)
	if err != nil {
		t.Fatal(err)
	}
	defer sleeper.Close()

	conn, err := amqp.Dial("amqp://guest:guest@" + amqpAddr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	q, err := ch.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind(q.Name, "", "lobby", false, nil); err != nil {
		t.Fatal(err)
	}
	heard, err := ch.Consume(q.Name, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	speaker, err := net.Dial("tcp", room)
	if err != nil {
		t.Fatal(err)
	}
	defer speaker.Close()
	speaker.SetWriteDeadline(time.Now().Add(3 * lab.Patience))
	// 128 MiB in all, no faster than the one who reads.
	const lines, window = 4000, 40
	line := strings.Repeat("z", 32<<10)
	for n := range lines {
		if n%window == 0 {
			if _, err := io.WriteString(speaker, strings.Repeat(line+"\n", window)); err != nil {
				t.Fatalf("line %d: %v", n, err)
			}
		}
		select {
		case d, open := <-heard:
			if !open || string(d.Body) != line {
				t.Fatalf("line %d: %d bytes, open=%t", n, len(d.Body), open)
			}
		case <-time.After(lab.Patience):
			t.Fatalf("line %d never came", n)
		}
	}
	if peak := server.PeakMemory(); peak > strangerMemory {
		t.Errorf("the server has held %d KiB, want at most %d", peak, strangerMemory)
	} else {
		t.Logf("the server has held %d KiB at most", peak)
	}
	server.Signal(syscall.SIGTERM)
	server.Wait()
}
