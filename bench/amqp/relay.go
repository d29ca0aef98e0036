package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
)

// The relay shows what the machine allows: it reads AMQP 0-9-1 frames, puts a
// basic.deliver where the basic.publish was, and writes them on, and that is
// all. It holds no message (one that has no consumer is dropped), checks no
// right, honours no prefetch, and confirms what it has not written. A broker
// can come near it and not beyond it.
//
// Lock order: relay.mu, then output.mu. Neither is held while reading.
type relay struct {
	mu        sync.RWMutex
	exchanges map[string]*relayExchange   // owner: mu
	consumers map[string][]*relayConsumer // owner: mu; by queue
	changes   uint64                      // owner: mu; makes cached routes stale
}

type relayExchange struct {
	byKey bool // a direct exchange
	bound []relayBinding
}

type relayBinding struct{ queue, key string }

// relayConsumer is one basic.consume. Its tag counter is its output's.
type relayConsumer struct {
	out     *relayOutput
	channel uint16
	tag     string
}

// relayOutput is what goes out on one connection.
type relayOutput struct {
	mu      sync.Mutex
	conn    net.Conn
	buf     []byte // owner: mu
	tag     uint64 // owner: mu; the last delivery tag: one counter for all channels, which the protocol allows
	touched bool   // owner: mu; buf is on somebody's list to be flushed
}

// relayFlush is how much an output gathers before it is written mid-batch.
const relayFlush = 256 << 10

// serve accepts connections until ctx ends.
func (r *relay) serve(ctx context.Context, l net.Listener) error {
	r.exchanges = map[string]*relayExchange{}
	r.consumers = map[string][]*relayConsumer{}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		go func() {
			defer c.Close()
			s := &relaySession{relay: r, out: &relayOutput{conn: c}, conn: c, in: make([]byte, 256<<10)}
			s.run()
			s.forget()
		}()
	}
}

// relaySession is one connection, owned by the goroutine that reads it.
type relaySession struct {
	relay *relay
	conn  net.Conn
	out   *relayOutput
	in    []byte
	r, w  int

	confirming bool
	confirmTag uint64 // of the last publish
	confirmed  uint64 // what the client has been told
	channel    uint16 // of the publishes

	// The route of the last publish, which is that of the next one too.
	routeName []byte // exchange and key as they stand in basic.publish
	route     []*relayConsumer
	routeAt   uint64

	flush []*relayOutput // outputs that this batch has touched
}

var errRelayClosed = errors.New("closed")

func (s *relaySession) run() error {
	var greeting [8]byte
	if _, err := io.ReadFull(s.conn, greeting[:]); err != nil {
		return err
	}
	const start = 10<<16 | 10
	args := binary.BigEndian.AppendUint32([]byte{0, 9}, 0)
	args = append(args, "\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US"...)
	s.reply(0, start, args)
	for {
		used, err := s.batch(s.in[s.r:s.w])
		s.r += used
		s.flushAll()
		if err != nil {
			return err
		}
		if s.r > 0 {
			s.w = copy(s.in, s.in[s.r:s.w])
			s.r = 0
		}
		if s.w == len(s.in) {
			s.in = append(s.in, make([]byte, len(s.in))...)
		}
		n, err := s.conn.Read(s.in[s.w:])
		s.w += n
		if n == 0 && err != nil {
			return err
		}
	}
}

// batch handles all that is whole in b and returns how much that was.
func (s *relaySession) batch(b []byte) (used int, err error) {
	for {
		n, err := frameLength(b[used:])
		if n == 0 || err != nil {
			return used, err
		}
		const methodFrame, publish = 1, 60<<16 | 40
		f := b[used : used+n]
		if f[0] != methodFrame {
			used += n // an ack's, or a heartbeat
			continue
		}
		if len(f) < 12 {
			return used, errors.New("short method frame")
		}
		if m := binary.BigEndian.Uint32(f[7:]); m != publish {
			if err := s.method(m, binary.BigEndian.Uint16(f[1:]), f[11:n-1]); err != nil {
				return used, err
			}
			used += n
			continue
		}
		content, err := contentLength(b[used+n:])
		if content == 0 || err != nil {
			return used, err
		}
		s.channel = binary.BigEndian.Uint16(f[1:])
		s.publish(f[13:n-2], b[used+n:used+n+content])
		used += n + content
	}
}

// frameLength returns how long the frame at the start of b is, 0 when a part
// of it is missing.
func frameLength(b []byte) (int, error) {
	if len(b) < 8 {
		return 0, nil
	}
	n := 8 + int(binary.BigEndian.Uint32(b[3:]))
	if n > 1<<20 {
		return 0, fmt.Errorf("frame of %d bytes", n)
	}
	if n > len(b) {
		return 0, nil
	}
	if b[n-1] != 0xCE {
		return 0, errors.New("no frame end")
	}
	return n, nil
}

// contentLength returns how long the header frame at the start of b and the
// body frames that belong to it are, 0 when a part is missing.
func contentLength(b []byte) (int, error) {
	n, err := frameLength(b)
	if n == 0 || err != nil {
		return 0, err
	}
	if b[0] != 2 || n < 8+14 {
		return 0, errors.New("no content header")
	}
	left := binary.BigEndian.Uint64(b[11:])
	for at := n; ; at += n {
		if left == 0 {
			return at, nil
		}
		if n, err = frameLength(b[at:]); n == 0 || err != nil {
			return 0, err
		}
		left -= min(left, uint64(n-8))
	}
}

// publish relays one message. name is exchange and routing key, two short
// strings one behind the other, as basic.deliver has them too.
func (s *relaySession) publish(name, content []byte) {
	r := s.relay
	r.mu.RLock()
	if s.routeAt != r.changes || !bytes.Equal(name, s.routeName) {
		s.route = r.lookup(name, s.route[:0])
		s.routeName = append(s.routeName[:0], name...)
		s.routeAt = r.changes
	}
	r.mu.RUnlock()
	if s.confirming {
		s.confirmTag++
	}
	for _, c := range s.route {
		c.out.mu.Lock()
		c.append(name, content)
		if !c.out.touched {
			c.out.touched = true
			s.flush = append(s.flush, c.out)
		}
		if len(c.out.buf) >= relayFlush {
			c.out.write()
		}
		c.out.mu.Unlock()
	}
}

// append appends basic.deliver and the content to the consumer's output.
func (c *relayConsumer) append(name, content []byte) {
	const deliver = 60<<16 | 60
	o := c.out
	o.tag++
	b := append(o.buf, 1)
	b = binary.BigEndian.AppendUint16(b, c.channel)
	b = binary.BigEndian.AppendUint32(b, uint32(4+1+len(c.tag)+8+1+len(name)))
	b = binary.BigEndian.AppendUint32(b, deliver)
	b = append(append(b, byte(len(c.tag))), c.tag...)
	b = binary.BigEndian.AppendUint64(b, o.tag)
	b = append(append(append(b, 0), name...), 0xCE)
	at := len(b)
	b = append(b, content...)
	for at < len(b) {
		binary.BigEndian.PutUint16(b[at+1:], c.channel)
		at += 8 + int(binary.BigEndian.Uint32(b[at+3:]))
	}
	o.buf = b
}

// write writes what has gathered. The caller holds mu.
func (o *relayOutput) write() {
	o.conn.Write(o.buf) // a peer that is gone is noticed by its own reader
	o.buf = o.buf[:0]
}

func (s *relaySession) flushAll() {
	if s.confirmTag > s.confirmed {
		const ack = 60<<16 | 80
		s.confirmed = s.confirmTag
		s.reply(s.channel, ack, append(binary.BigEndian.AppendUint64(nil, s.confirmTag), 1))
	}
	for _, o := range s.flush {
		o.mu.Lock()
		o.touched = false
		o.write()
		o.mu.Unlock()
	}
	s.flush = s.flush[:0]
}

// reply sends a method.
func (s *relaySession) reply(channel uint16, method uint32, args []byte) {
	b := binary.BigEndian.AppendUint16([]byte{1}, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(args)))
	b = binary.BigEndian.AppendUint32(b, method)
	b = append(append(b, args...), 0xCE)
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.out.buf = append(s.out.buf, b...)
	s.out.write()
}

// lookup appends the consumers that a publish reaches. The caller holds mu.
func (r *relay) lookup(name []byte, to []*relayConsumer) []*relayConsumer {
	exchange, rest := cutShort(name)
	key, _ := cutShort(rest)
	if exchange == "" {
		return append(to, r.consumers[key]...)
	}
	x := r.exchanges[exchange]
	if x == nil {
		return to
	}
	for _, b := range x.bound {
		if !x.byKey || b.key == key {
			to = append(to, r.consumers[b.queue]...)
		}
	}
	return to
}

// cutShort cuts a short string off b.
func cutShort(b []byte) (string, []byte) {
	if len(b) == 0 || len(b) <= int(b[0]) {
		return "", nil
	}
	return string(b[1 : 1+b[0]]), b[1+b[0]:]
}

// method answers all methods but basic.publish, as far as the load generator
// uses them.
func (s *relaySession) method(m uint32, channel uint16, args []byte) error {
	id := func(class, method uint32) uint32 { return class<<16 | method }
	counts := make([]byte, 8)
	r := s.relay
	switch m {
	case id(10, 11): // start-ok: tune to 2047 channels, frames of 128 KiB, no heartbeat
		s.reply(0, id(10, 30), []byte{0x07, 0xff, 0, 2, 0, 0, 0, 0})
	case id(10, 31), id(60, 80): // tune-ok, ack
	case id(10, 40):
		s.reply(0, id(10, 41), []byte{0})
	case id(10, 50):
		s.reply(0, id(10, 51), nil)
		return errRelayClosed
	case id(20, 10):
		s.reply(channel, id(20, 11), counts[:4])
	case id(40, 10): // exchange.declare
		if len(args) < 2 {
			return errors.New("short method")
		}
		name, rest := cutShort(args[2:])
		kind, _ := cutShort(rest)
		r.change(func() { r.exchanges[name] = &relayExchange{byKey: kind == "direct"} })
		s.reply(channel, id(40, 11), nil)
	case id(40, 20): // exchange.delete
		s.reply(channel, id(40, 21), nil)
	case id(50, 10): // queue.declare
		if len(args) < 2 {
			return errors.New("short method")
		}
		name, _ := cutShort(args[2:])
		s.reply(channel, id(50, 11), append(append([]byte{byte(len(name))}, name...), counts...))
	case id(50, 20): // queue.bind
		if len(args) < 2 {
			return errors.New("short method")
		}
		queue, rest := cutShort(args[2:])
		exchange, rest := cutShort(rest)
		key, _ := cutShort(rest)
		r.change(func() {
			if x := r.exchanges[exchange]; x != nil {
				x.bound = append(x.bound, relayBinding{queue, key})
			}
		})
		s.reply(channel, id(50, 21), nil)
	case id(50, 40): // queue.delete
		s.reply(channel, id(50, 41), counts[:4])
	case id(60, 10):
		s.reply(channel, id(60, 11), nil)
	case id(60, 20): // basic.consume
		if len(args) < 2 {
			return errors.New("short method")
		}
		queue, rest := cutShort(args[2:])
		tag, flags := cutShort(rest)
		c := &relayConsumer{out: s.out, channel: channel, tag: tag}
		r.change(func() { r.consumers[queue] = append(r.consumers[queue], c) })
		if noWait := len(flags) > 0 && flags[0]&8 != 0; !noWait {
			s.reply(channel, id(60, 21), append([]byte{byte(len(tag))}, tag...))
		}
	case id(85, 10):
		s.confirming = true
		s.reply(channel, id(85, 11), nil)
	default:
		return fmt.Errorf("method %d.%d", m>>16, m&0xffff)
	}
	return nil
}

// change makes f's change and every cached route stale.
func (r *relay) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	r.changes++
}

// forget takes the session's consumers out.
func (s *relaySession) forget() {
	s.relay.change(func() {
		for q, list := range s.relay.consumers {
			list = slices.DeleteFunc(list, func(c *relayConsumer) bool { return c.out == s.out })
			if len(list) == 0 {
				delete(s.relay.consumers, q)
			} else {
				s.relay.consumers[q] = list
			}
		}
	})
}
