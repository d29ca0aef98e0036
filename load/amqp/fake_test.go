package amqp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// fakeBroker is as much of a broker as a run needs: it hands every publish to
// the consumers of its queue (of all queues, for an exchange that is not direct)
// and keeps count. Its fields make it misbehave. It reads and writes with code of its
// own, so that a mistake in the generator's is not its mistake too.
type fakeBroker struct {
	t *testing.T
	l net.Listener

	held      uint32                              // messages that queue.declare-ok tells of
	confirm   func(tag uint64) (reply []byte)     // frames to answer a publish with in confirm mode; nil = ack each
	onPublish func(n int) (drop bool, end []byte) // n counts from 1; end = bytes to send and close after
	corrupt   func(delivery []byte) []byte
	dribble   int // largest write; 0 = no bound

	mu        sync.Mutex
	consumers map[string][]*fakeConn // by queue
	queues    []string
	direct    bool // the exchange's type
	conns     []net.Conn
	published int
	bodies    map[string]int // body lengths, by routing key
	acked     int            // deliveries acknowledged
	ackFrames int
	qos       int
	delivered uint64
	persisted int
	deleted   int
	wg        sync.WaitGroup
}

type fakeConn struct {
	mu   sync.Mutex
	conn net.Conn
	max  int
	ctag map[string]string // consumer tag, by queue
	tag  uint64
	last uint64 // the tag that was acknowledged last
}

func (c *fakeConn) send(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(b) > 0 {
		n := len(b)
		if c.max > 0 {
			n = min(n, c.max)
		}
		if _, err := c.conn.Write(b[:n]); err != nil {
			return
		}
		b = b[n:]
	}
}

// start listens until the test ends and returns the URL.
func (f *fakeBroker) start(t *testing.T) string {
	f.t = t
	f.consumers = map[string][]*fakeConn{}
	f.bodies = map[string]int{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.l = l
	f.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			f.wg.Go(func() {
				defer c.Close()
				f.serve(&fakeConn{conn: c, max: f.dribble, ctag: map[string]string{}})
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			c.Close()
		}
		f.mu.Unlock()
		f.wg.Wait()
	})
	return "amqp://" + l.Addr().String()
}

// settled waits until the broker has read all that the generator, which has
// closed its connections, sent it. After that its counts may be looked at.
func (f *fakeBroker) settled() {
	f.l.Close()
	f.wg.Wait()
}

func fakeFrame(typ byte, channel uint16, payload []byte) []byte {
	b := []byte{typ, byte(channel >> 8), byte(channel)}
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(append(b, payload...), 0xCE)
}

func fakeMethod(channel, class, method uint16, args ...byte) []byte {
	p := []byte{byte(class >> 8), byte(class), byte(method >> 8), byte(method)}
	return fakeFrame(1, channel, append(p, args...))
}

func short(s string) []byte { return append([]byte{byte(len(s))}, s...) }

// fields cuts short strings off b.
func fields(b []byte, n int) (out []string, rest []byte) {
	for range n {
		out = append(out, string(b[1:1+b[0]]))
		b = b[1+b[0]:]
	}
	return out, b
}

func (f *fakeBroker) serve(c *fakeConn) {
	greeting := make([]byte, 8)
	if _, err := io.ReadFull(c.conn, greeting); err != nil || string(greeting) != "AMQP\x00\x00\x09\x01" {
		return
	}
	start := append([]byte{0, 9, 0, 0, 0, 0, 0, 0, 0, 14}, "AMQPLAIN PLAIN"...)
	start = append(start, "\x00\x00\x00\x05en_US"...)
	c.send(fakeMethod(0, 10, 10, start...))
	var (
		confirming bool
		seq        uint64
		exchange   string
		key        string
		left       uint64
		content    []byte
		head       = make([]byte, 7)
	)
	for {
		if _, err := io.ReadFull(c.conn, head); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(c.conn, payload); err != nil {
			return
		}
		if payload[len(payload)-1] != 0xCE {
			f.t.Error("the generator sent a frame without its end")
			return
		}
		payload = payload[:len(payload)-1]
		switch head[0] {
		case 2:
			left = binary.BigEndian.Uint64(payload[4:])
			if flags := binary.BigEndian.Uint16(payload[12:]); flags == 1<<12 && payload[14] == 2 {
				f.mu.Lock()
				f.persisted++
				f.mu.Unlock()
			}
			content = fakeFrame(2, 1, payload)
			continue
		case 3:
			left -= uint64(len(payload))
			content = append(content, fakeFrame(3, 1, payload)...)
			if left > 0 {
				continue
			}
			seq++
			if !f.publish(c, exchange, key, content, seq, confirming) {
				return
			}
			continue
		}
		class, method := binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:])
		args := payload[4:]
		switch fmt.Sprintf("%d.%d", class, method) {
		case "10.11":
			if !bytes.Contains(args, []byte("\x05PLAIN\x00\x00\x00\x0c\x00guest\x00guest")) {
				f.t.Errorf("start-ok is %q", args)
			}
			c.send(fakeMethod(0, 10, 30, 7, 255, 0, 0, 16, 0, 0, 60)) // frames of 4096
		case "10.31":
		case "10.40":
			c.send(fakeMethod(0, 10, 41, 0))
		case "10.50":
			c.send(fakeMethod(0, 10, 51))
			return
		case "20.10":
			c.send(fakeMethod(1, 20, 11, 0, 0, 0, 0))
		case "40.10":
			s, _ := fields(args[2:], 2)
			f.mu.Lock()
			f.direct = s[1] == "direct"
			f.mu.Unlock()
			c.send(fakeMethod(1, 40, 11))
		case "40.20":
			c.send(fakeMethod(1, 40, 21))
		case "50.10":
			s, _ := fields(args[2:], 1)
			f.mu.Lock()
			f.queues = append(f.queues, s[0])
			f.mu.Unlock()
			c.send(fakeMethod(1, 50, 11, append(binary.BigEndian.AppendUint32(short(s[0]), f.held), 0, 0, 0, 0)...))
		case "50.20":
			c.send(fakeMethod(1, 50, 21))
		case "50.30":
			c.send(fakeMethod(1, 50, 31, 0, 0, 0, 1))
		case "50.40":
			f.mu.Lock()
			f.deleted++
			f.mu.Unlock()
			c.send(fakeMethod(1, 50, 41, 0, 0, 0, 0))
		case "60.10":
			f.mu.Lock()
			f.qos = int(binary.BigEndian.Uint16(args[4:]))
			f.mu.Unlock()
			c.send(fakeMethod(1, 60, 11))
		case "60.20":
			s, rest := fields(args[2:], 2)
			f.mu.Lock()
			f.consumers[s[0]] = append(f.consumers[s[0]], c)
			c.ctag[s[0]] = s[1]
			f.mu.Unlock()
			if rest[0]&8 == 0 {
				c.send(fakeMethod(1, 60, 21, short(s[1])...))
			}
			for i := range f.held {
				c.send(f.delivery(c, s[0], s[0], append(
					fakeFrame(2, 1, append([]byte{0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16}, 0, 0)),
					fakeFrame(3, 1, bytes.Repeat([]byte{byte(i)}, 16))...)))
			}
		case "60.40":
			s, _ := fields(args[2:], 2)
			exchange, key = s[0], s[1]
		case "60.80":
			tag := binary.BigEndian.Uint64(args)
			f.mu.Lock()
			f.ackFrames++
			if args[8]&1 == 1 {
				f.acked += int(tag - c.last)
			} else {
				f.acked++
			}
			c.last = tag
			f.mu.Unlock()
		case "85.10":
			confirming = true
			c.send(fakeMethod(1, 85, 11))
		default:
			f.t.Errorf("the generator sent method %d.%d", class, method)
			return
		}
	}
}

// delivery makes one for a consumer of queue.
func (f *fakeBroker) delivery(c *fakeConn, queue, key string, content []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.tag++
	f.delivered++
	args := binary.BigEndian.AppendUint64(short(c.ctag[queue]), c.tag)
	args = append(args, 0)
	args = append(args, short("")...)
	args = append(args, short(key)...)
	b := append(fakeMethod(1, 60, 60, args...), content...)
	if f.corrupt != nil {
		b = f.corrupt(b)
	}
	return b
}

func (f *fakeBroker) publish(c *fakeConn, exchange, key string, content []byte, seq uint64, confirming bool) bool {
	f.mu.Lock()
	f.published++
	n := f.published
	f.bodies[key]++
	queues := []string{key}
	if exchange != "" && !f.direct {
		queues = f.queues
	}
	f.mu.Unlock()
	if f.onPublish != nil {
		drop, end := f.onPublish(n)
		if end != nil {
			// A socket that is closed with bytes unread resets the connection,
			// and what was sent may never be read.
			c.send(end)
			c.conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c.conn)
			return false
		}
		if drop {
			return true
		}
	}
	for _, q := range queues {
		f.mu.Lock()
		consumers := f.consumers[q]
		f.mu.Unlock()
		if len(consumers) > 0 {
			k := consumers[n%len(consumers)]
			k.send(f.delivery(k, q, key, content))
		}
	}
	if !confirming {
		return true
	}
	reply := fakeMethod(1, 60, 80, append(binary.BigEndian.AppendUint64(nil, seq), 0)...)
	if f.confirm != nil {
		reply = f.confirm(seq)
	}
	c.send(reply)
	return true
}
