package amqp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

const (
	// A read buffer starts small, since ten thousand publishers hear next to
	// nothing, and doubles as long as reads fill it. It ends up with two frames
	// of the largest size this client agrees to, so that what a partial frame
	// leaves is always room to read into.
	leastReadBuffer = 8 << 10
	mostReadBuffer  = 2 * wantFrameMax
	// wantFrameMax is the largest frame this client agrees to.
	wantFrameMax = 128 << 10
	// theChannel is the one channel that each connection uses.
	theChannel = 1
	// setupTime bounds the handshake and every declaration.
	setupTime = 30 * time.Second
)

// conn is one connection with one channel open. It is used by one goroutine,
// save that while it carries load one may write and another read.
type conn struct {
	nc       net.Conn
	frameMax int
	in       []byte // the read buffer; in[r:w] has been read and not yet used
	r, w     int    // owner: the reading goroutine
}

// dial connects and goes through the handshake up to an open channel. The
// connection dies with ctx.
func dial(ctx context.Context, p *plan) (_ *conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, setupTime)
	defer cancel()
	nc, err := p.Dial(ctx, p.address)
	if err != nil {
		return nil, fmt.Errorf("amqp: %w", err)
	}
	c := &conn{nc: nc, frameMax: wantFrameMax, in: make([]byte, leastReadBuffer)}
	defer func() {
		if err != nil {
			nc.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(longAgo) })
	defer stop()
	if err := c.handshake(p); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return c, nil
}

// longAgo is a deadline that makes reads and writes return at once.
var longAgo = time.Unix(1, 0)

func (c *conn) handshake(p *plan) error {
	if _, err := io.WriteString(c.nc, "AMQP\x00\x00\x09\x01"); err != nil {
		return fmt.Errorf("amqp: %w", err)
	}
	args, err := c.await(connectionStart)
	if err != nil {
		return err
	}
	if err := checkStart(args); err != nil {
		return err
	}
	args, err = c.callOn(0, connectionStartOK, arguments{}.
		emptyTable().
		shortString("PLAIN").
		longString("\x00"+p.user+"\x00"+p.password).
		shortString("en_US"), connectionTune)
	if err != nil {
		return err
	}
	if len(args) < 8 {
		return errors.New("amqp: connection.tune is too short")
	}
	if most := int(binary.BigEndian.Uint32(args[2:])); most > 0 {
		c.frameMax = min(c.frameMax, most)
	}
	if c.frameMax < 4096 { // §4.2.3: frame-min-size
		return fmt.Errorf("amqp: the server allows frames of %d bytes; 4096 is the least there is", c.frameMax)
	}
	// Heartbeats are turned off: a run is short, and its end is noticed.
	tuneOK := arguments{}.short(1).long(uint32(c.frameMax)).short(0)
	if err := c.write(appendMethod(nil, 0, connectionTuneOK, tuneOK)); err != nil {
		return err
	}
	if _, err := c.callOn(0, connectionOpen, arguments{}.shortString(p.vhost).shortString("").bits(false), connectionOpenOK); err != nil {
		return err
	}
	_, err = c.call(channelOpen, arguments{}.shortString(""), channelOpenOK)
	return err
}

// checkStart makes sure that the server of a connection.start takes PLAIN.
func checkStart(args []byte) error {
	rest := args
	if len(rest) < 6 || len(rest) < 6+int(binary.BigEndian.Uint32(rest[2:])) {
		return errors.New("amqp: connection.start is too short")
	}
	rest = rest[6+int(binary.BigEndian.Uint32(rest[2:])):]
	if len(rest) < 4 || len(rest) < 4+int(binary.BigEndian.Uint32(rest)) {
		return errors.New("amqp: connection.start is too short")
	}
	mechanisms := string(rest[4 : 4+int(binary.BigEndian.Uint32(rest))])
	for _, m := range strings.Fields(mechanisms) {
		if m == "PLAIN" {
			return nil
		}
	}
	return fmt.Errorf("amqp: the server offers %q and not PLAIN", mechanisms)
}

func (c *conn) write(b []byte) error {
	if _, err := c.nc.Write(b); err != nil {
		return fmt.Errorf("amqp: %w", err)
	}
	return nil
}

// call sends a method on the channel and waits for its answer.
func (c *conn) call(m method, args arguments, answer method) ([]byte, error) {
	return c.callOn(theChannel, m, args, answer)
}

func (c *conn) callOn(channel uint16, m method, args arguments, answer method) ([]byte, error) {
	if err := c.write(appendMethod(nil, channel, m, args)); err != nil {
		return nil, err
	}
	return c.await(answer)
}

// await reads until the method want has come and returns its arguments, which
// are good until the next read. Frames behind it stay in the buffer.
func (c *conn) await(want method) ([]byte, error) {
	for {
		f, n, err := next(c.in[c.r:c.w], c.frameMax)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if err := c.fill(); err != nil {
				return nil, err
			}
			continue
		}
		c.r += n
		if f.typ == frameHeartbeat {
			continue
		}
		if f.typ != frameMethod {
			return nil, fmt.Errorf("amqp: a frame of type %d came where method %d.%d was due", f.typ, want>>16, want&0xffff)
		}
		m, args := f.method()
		if m == want {
			return args, nil
		}
		if err := unexpected(&f); err != nil {
			return nil, err
		}
	}
}

// fill reads more into the buffer, behind whatever is left in it.
func (c *conn) fill() error {
	if c.r > 0 {
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
	}
	n, err := c.nc.Read(c.in[c.w:])
	c.w += n
	if c.w == len(c.in) && len(c.in) < mostReadBuffer {
		c.in = append(c.in, make([]byte, len(c.in))...)
	}
	if n > 0 {
		return nil
	}
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("amqp: the server closed the socket")
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("amqp: %w", err)
	}
	return err
}

// close says goodbye, waits a little for the answer so that the server has
// seen all that was sent before it, and closes the socket.
func (c *conn) close() {
	defer c.nc.Close()
	c.nc.SetDeadline(time.Now().Add(2 * time.Second))
	if c.write(appendMethod(nil, 0, connectionClose, arguments{}.short(200).shortString("").short(0).short(0))) != nil {
		return
	}
	for {
		f, n, err := next(c.in[c.r:c.w], c.frameMax)
		if err != nil {
			return
		}
		if n == 0 {
			if c.fill() != nil {
				return
			}
			continue
		}
		c.r += n
		if m, _ := f.method(); f.typ == frameMethod && (m == connectionCloseOK || m == connectionClose) {
			return
		}
	}
}
