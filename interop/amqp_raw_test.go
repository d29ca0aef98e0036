package interop

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/warrenmq/warren/interop/lab"
)

// rawSilence is how long a server may say nothing before the other side
// concludes that it waits. RabbitMQ holds some refusals back for three seconds.
const rawSilence = 6 * time.Second

// A rawClient speaks AMQP 0-9-1 octet by octet, also wrongly.
type rawClient struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	log  []string
}

func dialRaw(t *testing.T, amqpURL string) *rawClient {
	t.Helper()
	u, err := url.Parse(amqpURL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &rawClient{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// write sends octets. That the server has closed already is no failure here:
// the log will show it.
func (c *rawClient) write(octets string) { io.WriteString(c.conn, octets) }

const header091 = "AMQP\x00\x00\x09\x01"

// Frame types.
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8
)

func frame(kind byte, channel uint16, payload string) string {
	b := []byte{kind}
	b = binary.BigEndian.AppendUint16(b, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return string(b) + payload + "\xce"
}

func method(channel, class, id uint16, args string) string {
	return frame(frameMethod, channel, u16(class)+u16(id)+args)
}

func u16(n uint16) string { return string(binary.BigEndian.AppendUint16(nil, n)) }
func u32(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
func u64(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

func shortstr(s string) string { return string([]byte{byte(len(s))}) + s }
func longstr(s string) string  { return u32(uint32(len(s))) + s }

// capability is a client's table of properties with one capability, the one
// that has a refused login answered instead of cut off.
func capability() string {
	inner := shortstr("authentication_failure_close") + "t\x01"
	return longstr(shortstr("capabilities") + "F" + longstr(inner))
}

func startOK(mechanism, response string) string {
	return method(0, 10, 11, capability()+shortstr(mechanism)+longstr(response)+shortstr("en_US"))
}

func tuneOK(channels uint16, frameMax uint32) string {
	return method(0, 10, 31, u16(channels)+u32(frameMax)+u16(0))
}

func open(vhost string) string { return method(0, 10, 40, shortstr(vhost)+"\x00\x00") }

const (
	login       = "\x00guest\x00guest"
	channelOpen = "\x00" // the reserved argument
)

// publishTo is basic.publish to the default exchange.
func publishTo(channel uint16, key string) string {
	return method(channel, 60, 40, u16(0)+shortstr("")+shortstr(key)+"\x00")
}

// next logs the next frame of the server and returns its class and method, 0
// when it was no method, or ok false at the end of the connection or when the
// server is silent.
func (c *rawClient) next() (class, id uint16, ok bool) {
	c.conn.SetReadDeadline(time.Now().Add(rawSilence))
	first, err := c.in.Peek(1)
	switch {
	case errors.Is(err, io.EOF):
		c.log = append(c.log, closes)
		return 0, 0, false
	case err != nil:
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			c.log = append(c.log, "the server waits")
		} else {
			// A reset is an end as well: which of them depends on what was unread.
			c.log = append(c.log, closes)
		}
		return 0, 0, false
	case first[0] == 'A':
		b := make([]byte, 8)
		io.ReadFull(c.in, b)
		c.log = append(c.log, fmt.Sprintf("protocol header %q", b))
		return 0, 0, true
	}
	head := make([]byte, 7)
	if _, err := io.ReadFull(c.in, head); err != nil {
		c.log = append(c.log, "the server closes within a frame")
		return 0, 0, false
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
	if _, err := io.ReadFull(c.in, payload); err != nil {
		c.log = append(c.log, "the server closes within a frame")
		return 0, 0, false
	}
	channel := binary.BigEndian.Uint16(head[1:])
	if head[0] != frameMethod {
		c.log = append(c.log, fmt.Sprintf("frame of type %d on channel %d", head[0], channel))
		return 0, 0, true
	}
	class, id = binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:])
	line := fmt.Sprintf("method %d.%d on channel %d", class, id, channel)
	if class == 10 && id == 50 || class == 20 && id == 40 { // close
		args := payload[4:]
		n := int(args[2])
		line += fmt.Sprintf(": %d %s (of %d.%d)", binary.BigEndian.Uint16(args), args[3:3+n],
			binary.BigEndian.Uint16(args[3+n:]), binary.BigEndian.Uint16(args[5+n:]))
	}
	c.log = append(c.log, line)
	return class, id, true
}

// expect reads one frame, which is the method that a good session has here.
func (c *rawClient) expect(class, id uint16) {
	c.t.Helper()
	if gotClass, gotID, ok := c.next(); !ok || gotClass != class || gotID != id {
		c.t.Fatalf("want method %d.%d, got %s", class, id, strings.Join(c.log, "; "))
	}
}

// until reads up to the end of the connection, or to the server's silence. A
// connection.close is answered.
func (c *rawClient) until() {
	for {
		class, id, ok := c.next()
		if !ok {
			return
		}
		if class == 10 && id == 50 {
			c.write(method(0, 10, 51, ""))
		}
	}
}

// connected makes a good connection with channel 1 open.
func (c *rawClient) connected() {
	c.t.Helper()
	c.write(header091)
	c.expect(10, 10)
	c.write(startOK("PLAIN", login))
	c.expect(10, 30)
	c.write(tuneOK(2047, 131072) + open("/"))
	c.expect(10, 41)
	c.write(method(1, 20, 10, channelOpen))
	c.expect(20, 11)
}

// The wrong things that a client can say.
var rawCases = []rawCase{
	{"an HTTP request", func(c *rawClient) { c.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n") }},
	{"eight zeros", func(c *rawClient) { c.write(strings.Repeat("\x00", 8)) }},
	{"AMQP 0-8", func(c *rawClient) { c.write("AMQP\x01\x01\x08\x00") }},
	{"AMQP 0-10", func(c *rawClient) { c.write("AMQP\x01\x01\x00\x0a") }},
	{"half a header", func(c *rawClient) {
		c.write("AMQP")
		c.conn.(*net.TCPConn).CloseWrite()
	}},
	{"a frame without its end", func(c *rawClient) {
		c.write(header091)
		c.expect(10, 10)
		f := startOK("PLAIN", login)
		c.write(f[:len(f)-1] + "\x00")
	}},
	{"an unknown frame type", func(c *rawClient) {
		c.connected()
		c.write(frame(9, 1, "what"))
	}},
	{"a frame of four gigabytes", func(c *rawClient) {
		c.connected()
		c.write("\x03\x00\x01\xff\xff\xff\xff")
	}},
	{"a frame beyond frame-max", func(c *rawClient) {
		c.connected()
		c.write(publishTo(1, "q") + frame(frameHeader, 1, u16(60)+u16(0)+u64(200_000)+u16(0)) +
			frame(frameBody, 1, strings.Repeat("x", 131073)))
	}},
	{"tune-ok first", func(c *rawClient) {
		c.write(header091)
		c.expect(10, 10)
		c.write(tuneOK(0, 0))
	}},
	{"an unknown mechanism", func(c *rawClient) {
		c.write(header091)
		c.expect(10, 10)
		c.write(startOK("FOO", ""))
	}},
	{"a wrong password", func(c *rawClient) {
		c.write(header091)
		c.expect(10, 10)
		c.write(startOK("PLAIN", "\x00guest\x00wrong"))
	}},
	{"an unknown vhost", func(c *rawClient) {
		c.write(header091)
		c.expect(10, 10)
		c.write(startOK("PLAIN", login))
		c.expect(10, 30)
		c.write(tuneOK(2047, 131072) + open("/nowhere"))
	}},
	{"a frame-max below the least", func(c *rawClient) {
		c.write(header091)
		c.expect(10, 10)
		c.write(startOK("PLAIN", login))
		c.expect(10, 30)
		c.write(tuneOK(2047, 1024))
	}},
	{"a frame-max above the server's", func(c *rawClient) {
		c.write(header091)
		c.expect(10, 10)
		c.write(startOK("PLAIN", login))
		c.expect(10, 30)
		c.write(tuneOK(2047, 1<<30))
	}},
	{"more channels than the server's", func(c *rawClient) {
		c.write(header091)
		c.expect(10, 10)
		c.write(startOK("PLAIN", login))
		c.expect(10, 30)
		c.write(tuneOK(60000, 131072))
	}},
	{"a channel opened twice", func(c *rawClient) {
		c.connected()
		c.write(method(1, 20, 10, channelOpen))
	}},
	{"a channel that was never opened", func(c *rawClient) {
		c.connected()
		c.write(method(5, 60, 10, u32(0)+u16(1)+"\x00"))
	}},
	{"a channel beyond the last", func(c *rawClient) {
		c.connected()
		c.write(method(3000, 20, 10, channelOpen))
	}},
	{"a connection method on a channel", func(c *rawClient) {
		c.connected()
		c.write(method(1, 10, 40, shortstr("/")+"\x00\x00"))
	}},
	{"a channel method on channel 0", func(c *rawClient) {
		c.connected()
		c.write(method(0, 60, 10, u32(0)+u16(1)+"\x00"))
	}},
	{"an unknown method", func(c *rawClient) {
		c.connected()
		c.write(method(1, 60, 199, ""))
	}},
	{"an unknown class", func(c *rawClient) {
		c.connected()
		c.write(method(1, 199, 10, ""))
	}},
	{"a method cut short", func(c *rawClient) {
		c.connected()
		c.write(method(1, 60, 10, u32(0)))
	}},
	{"a header with no method", func(c *rawClient) {
		c.connected()
		c.write(frame(frameHeader, 1, u16(60)+u16(0)+u64(3)+u16(0)))
	}},
	{"a body with no header", func(c *rawClient) {
		c.connected()
		c.write(publishTo(1, "q") + frame(frameBody, 1, "abc"))
	}},
	{"a method in place of the header", func(c *rawClient) {
		c.connected()
		c.write(publishTo(1, "q") + publishTo(1, "q"))
	}},
	{"a header of another class", func(c *rawClient) {
		c.connected()
		c.write(publishTo(1, "q") + frame(frameHeader, 1, u16(50)+u16(0)+u64(3)+u16(0)))
	}},
	{"a method in place of the body", func(c *rawClient) {
		c.connected()
		c.write(publishTo(1, "q") + frame(frameHeader, 1, u16(60)+u16(0)+u64(3)+u16(0)) + publishTo(1, "q"))
	}},
	{"a body longer than announced", func(c *rawClient) {
		c.connected()
		c.write(publishTo(1, "q") + frame(frameHeader, 1, u16(60)+u16(0)+u64(3)+u16(0)) + frame(frameBody, 1, "four"))
	}},
	{"a heartbeat on a channel", func(c *rawClient) {
		c.connected()
		c.write(frame(frameHeartbeat, 1, ""))
	}},
	{"flow off", func(c *rawClient) {
		c.connected()
		c.write(method(1, 20, 20, "\x00"))
	}},
	{"a good end", func(c *rawClient) {
		c.connected()
		c.write(method(1, 20, 40, u16(200)+shortstr("bye")+u32(0)))
		c.expect(20, 41)
		c.write(method(0, 10, 50, u16(200)+shortstr("bye")+u32(0)))
	}},
}

// A rawCase is something that a client says.
type rawCase struct {
	name string
	play func(c *rawClient)
}

// Where Warren differs from RabbitMQ 3.10.8 on purpose: what it logs after
// what both log. RabbitMQ cuts such a client off, or waits, without a word.
var rawDifferences = map[string][]string{
	// As RabbitMQ 4 does: the header of what a client might try next.
	"an HTTP request": {`protocol header "AMQP\x03\x01\x00\x00"`, closes},
	"eight zeros":     {`protocol header "AMQP\x03\x01\x00\x00"`, closes},
	// A protocol of 2006.
	"AMQP 0-8": {`protocol header "AMQP\x00\x00\t\x01"`, closes},

	"a frame without its end": {"method 10.50 on channel 0: 501 FRAME_ERROR - type 1, first 16 octets = " +
		"<<0,10,0,11,0,0,0,49,12,99,97,112,97,98,105,108>>: {invalid_frame_end_marker,0} (of 0.0)", closes},
	"tune-ok first":        {"method 10.50 on channel 0: 504 CHANNEL_ERROR - unexpected method in the handshake (of 10.31)", closes},
	"an unknown mechanism": {"method 10.50 on channel 0: 503 COMMAND_INVALID - unknown authentication mechanism 'FOO' (of 10.11)", closes},
	"a frame-max below the least": {"method 10.50 on channel 0: 530 NOT_ALLOWED - " +
		"negotiated frame_max = 1024 is lower than the minimum allowed value (4096) (of 10.30)", closes},
	"a frame-max above the server's": {"method 10.50 on channel 0: 530 NOT_ALLOWED - " +
		"negotiated frame_max = 1073741824 is higher than the maximum allowed value (131072) (of 10.30)", closes},
	"more channels than the server's": {"method 10.50 on channel 0: 530 NOT_ALLOWED - " +
		"negotiated channel_max = 60000 is higher than the maximum allowed value (2047) (of 10.30)", closes},
	"an unknown method": {"method 10.50 on channel 0: 503 COMMAND_INVALID - unimplemented method (of 60.199)", closes},
	"an unknown class":  {"method 10.50 on channel 0: 503 COMMAND_INVALID - unimplemented method (of 199.10)", closes},
	"a body longer than announced": {"method 10.50 on channel 0: 501 FRAME_ERROR - " +
		"more body than the content header has announced (of 60.40)", closes},
	"a good end": {closes},
}

// closes is the log's line for the end of the connection.
const closes = "the server closes"

// What a client may not say is refused by Warren as by RabbitMQ: the same
// method, code and text, and the same end.
func TestAMQPRefusalsAreRabbitMQs(t *testing.T) {
	peer := lab.RabbitMQ(t)
	addr := lab.Addr(t)
	lab.Serve(t, "amqp://"+addr)
	warren := "amqp://" + addr + "/"

	var cells []lab.Cell
	for _, rc := range rawCases {
		cells = append(cells, lab.Cell{Name: rc.name, Run: func(t *testing.T) {
			play := func(url string) []string {
				c := dialRaw(t, url)
				rc.play(c)
				c.until()
				return c.log
			}
			theirs, ours := play(peer), play(warren)
			if own := rawDifferences[rc.name]; own != nil {
				common := 0
				for common < min(len(theirs), len(ours)) && theirs[common] == ours[common] {
					common++
				}
				compare(t, "where Warren differs on purpose", ours[common:], own)
				return
			}
			if diff := difference(theirs, ours); diff != "" {
				t.Errorf("transcripts differ (- RabbitMQ, + Warren):\n%s", diff)
			}
		}})
	}
	lab.Matrix(t, cells)
}
