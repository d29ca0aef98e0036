package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

type echoSendCmd struct {
	Timeout  time.Duration `placeholder:"DURATION" help:"How long to wait for a connection, and for a silent server. Default: 1s for udp; otherwise 30s, or 1s once as much came back as went out."`
	Datagram int           `default:"1024" placeholder:"BYTES" help:"UDP: the most bytes in one datagram. Default: ${default}, what classic servers read at once."`
	URL      string        `arg:"" help:"tcp://HOST:PORT, udp://HOST:PORT or unix://PATH."`
	Text     *string       `arg:"" optional:"" help:"What to send. Without it, standard input is sent."`

	to echoAddress // URL, parsed by Validate
}

// Help says when send stops, which is what differs between servers.
func (*echoSendCmd) Help() string {
	return `What is sent goes out byte for byte, and what comes back is printed byte for byte.

Over tcp and unix, send closes its sending half when everything has come back, or when the server has been silent for a fifth of a second after the last byte went out, so servers that answer at once, that read to the end first, or that end after one answer all work. It prints until the server closes. Over udp it sends a datagram, waits for an answer before the next, and ends after the timeout.

Exits 0 when the server ended in order (or is silent after everything came back), 1 with one line when it did not.`
}

// Examples ends "warren echo send --help".
func (*echoSendCmd) Examples() string {
	return `
warren echo send tcp://127.0.0.1:65432 'Hello, world'
warren echo send udp://localhost:9000 ping
warren echo send 'tcp://[::1]:8877' < picture.png > copy.png
warren echo send --timeout 5s unix:///tmp/echo.sock < request
`
}

// Validate parses the address. kong calls it before Run.
func (c *echoSendCmd) Validate() (err error) {
	if c.Timeout < 0 {
		return errors.New("--timeout must be above 0")
	}
	if c.Datagram < 1 || c.Datagram > 65507 {
		return errors.New("--datagram must be from 1 to 65507, the most that a UDP datagram can hold")
	}
	if c.URL != "" { // kong says better than this that it is missing
		c.to, err = parseEchoURL(c.URL)
	}
	return err
}

// Run sends and prints.
func (c *echoSendCmd) Run(ctx context.Context, std stdio) error {
	in := std.in
	if c.Text != nil {
		in = strings.NewReader(*c.Text)
	}
	var err error
	if c.to.network == "udp" {
		err = c.sendDatagrams(ctx, in, std.out)
	} else {
		err = c.sendStream(ctx, in, std.out)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.URL, err)
	}
	return nil
}

// Without --timeout, these are the silences that end a stream.
const (
	silenceBeforeHalfClose = 200 * time.Millisecond // after the last byte went out, with less come back than went out
	silenceAfterEcho       = time.Second            // with as much come back as went out, and the server still open
	silenceBeforeGivingUp  = 30 * time.Second       // with less than that
)

// sendStream sends in over one connection and copies what comes back to out until the server closes.
//
// When to close the sending half is the question, because plain servers differ. One that reads until the end before
// it answers needs the half-close to answer at all; one that reads in a loop and echoes needs it to end; one that ends
// after its first answer needs none; and one that takes the half-close for a client that has gone would drop its
// answer. So the half waits for the echo to be complete, but never longer than a short silence.
func (c *echoSendCmd) sendStream(ctx context.Context, in io.Reader, out io.Writer) error {
	dialer := net.Dialer{Timeout: cmp.Or(c.Timeout, silenceBeforeGivingUp)}
	conn, err := dialer.DialContext(ctx, c.to.network, c.to.address)
	if err != nil {
		return reason(err)
	}
	defer conn.Close()
	stopped := make(chan struct{})
	defer close(stopped)

	sent := make(chan sending, 1)
	go func() {
		n, err := io.Copy(struct{ io.Writer }{conn}, in)
		sent <- sending{n, err}
	}()
	back := make(chan receiving)
	go receive(conn, back, stopped)

	var (
		went       = sending{n: -1} // n is -1 until all is sent
		came       int64
		halfClosed bool
		silence    = time.NewTimer(time.Hour)
	)
	silence.Stop()
	for {
		if went.n >= 0 {
			whole := came >= went.n
			if whole && !halfClosed {
				halfClosed = true
				closeWrite(conn)
			}
			switch {
			case !halfClosed:
				silence.Reset(silenceBeforeHalfClose)
			case c.Timeout > 0:
				silence.Reset(c.Timeout)
			case whole:
				silence.Reset(silenceAfterEcho)
			default:
				silence.Reset(silenceBeforeGivingUp)
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("interrupted")
		case went = <-sent:
			if went.err != nil {
				// What the server sent before it closed is still to be printed; then the end will show.
				halfClosed = true
			}
		case chunk := <-back:
			came += int64(len(chunk.data))
			if _, err := out.Write(chunk.data); err != nil {
				return fmt.Errorf("printing: %w", err)
			}
			if chunk.err != nil {
				conn.Close() // ends a Write of the sender
				return endOfStream(chunk.err, came, went, sent)
			}
		case <-silence.C:
			switch {
			case !halfClosed:
				halfClosed = true
				closeWrite(conn)
			case came >= went.n && went.err == nil:
				return nil
			default:
				return fmt.Errorf("the server is silent and has not closed; %s", howMuch(came, went.n))
			}
		}
	}
}

// sending is how the sender ended: after n bytes, with err nil at the end of its input.
type sending struct {
	n   int64
	err error
}

// receiving is what one read of a connection gave.
type receiving struct {
	data []byte
	err  error
}

// receive hands everything that it reads from conn to back, the last time with an error, until stopped is closed.
func receive(conn net.Conn, back chan<- receiving, stopped <-chan struct{}) {
	for {
		buf := make([]byte, 32<<10)
		n, err := conn.Read(buf)
		select {
		case back <- receiving{buf[:n], err}:
		case <-stopped:
			return
		}
		if err != nil {
			return
		}
	}
}

// endOfStream judges the end of a connection: err ended the reading after came bytes. An orderly end is good even
// when less came back than went out, since a server may answer what it likes; but not when the server would not take
// all that there was to send.
func endOfStream(err error, came int64, went sending, sent <-chan sending) error {
	if went.n < 0 {
		// The sender may be waiting for an input that nobody is going to end, such as a terminal: that is no error of
		// the server. If it was writing, the closed connection has ended it.
		select {
		case went = <-sent:
		case <-time.After(50 * time.Millisecond):
			went.n = came
		}
	}
	switch {
	case went.err != nil:
		return fmt.Errorf("the server closed the connection before it had read everything; %d bytes came back", came)
	case err == io.EOF || came >= went.n:
		return nil
	default:
		return fmt.Errorf("%w; %s", reason(err), howMuch(came, went.n))
	}
}

func howMuch(came, went int64) string {
	return fmt.Sprintf("%d of %d bytes came back", came, went)
}

// closeWrite ends the sending half. A connection that the other end has closed has no half to end, and reading from it
// says so better than this would.
func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// sendDatagrams sends each read of in as one datagram and copies the answers to out. It waits for an answer before the
// next datagram, so that no number of datagrams can overrun a socket's buffer, and after the last one until the
// timeout.
//
// A name such as localhost may have several addresses with a server on only one. UDP has no handshake that would tell,
// so the first datagram goes to each in turn, IPv4 first, until one is not refused.
func (c *echoSendCmd) sendDatagrams(ctx context.Context, in io.Reader, out io.Writer) error {
	timeout := cmp.Or(c.Timeout, time.Second)
	addresses, err := resolveUDP(ctx, c.to.address)
	if err != nil {
		return reason(err)
	}
	datagram, answer := make([]byte, c.Datagram), make([]byte, 64<<10)
	var conn *net.UDPConn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for number := 1; ; number++ {
		n, err := in.Read(datagram)
		if err == io.EOF && (number > 1 || c.Text == nil) {
			break
		} else if err != nil && err != io.EOF {
			return fmt.Errorf("standard input: %w", err)
		}
		var got int
		for {
			if conn == nil {
				if conn, err = net.DialUDP("udp", nil, addresses[0]); err != nil {
					return reason(err)
				}
				addresses = addresses[1:]
				defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()
			}
			got, err = ask(conn, datagram[:n], answer, timeout)
			if err == nil || ctx.Err() != nil || number > 1 || len(addresses) == 0 || errors.Is(err, errNoAnswer) {
				break
			}
			conn.Close()
			conn = nil
		}
		switch {
		case ctx.Err() != nil:
			return errors.New("interrupted")
		case errors.Is(err, errNoAnswer):
			return fmt.Errorf("no answer to datagram %d within %v", number, timeout)
		case err != nil:
			return reason(err)
		}
		if _, err := out.Write(answer[:got]); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		if n == 0 {
			break // TEXT is empty: that was its one datagram
		}
	}
	if conn == nil {
		return nil // there was nothing to send
	}
	for {
		n, err := hear(conn, answer, timeout)
		if err != nil {
			return nil // the timeout, or a server that has gone after its last answer: the end
		}
		if _, err := out.Write(answer[:n]); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
}

// errNoAnswer is a timeout that passed without a datagram.
var errNoAnswer = errors.New("no answer")

// ask sends one datagram and reads one into answer.
func ask(conn *net.UDPConn, datagram, answer []byte, timeout time.Duration) (int, error) {
	if _, err := conn.Write(datagram); err != nil {
		return 0, err
	}
	return hear(conn, answer, timeout)
}

// hear reads one datagram.
func hear(conn *net.UDPConn, answer []byte, timeout time.Duration) (int, error) {
	if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	n, err := conn.Read(answer)
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		err = errNoAnswer
	}
	return n, err
}

// resolveUDP finds every address of host:port, those of IPv4 first. It returns at least one or an error.
func resolveUDP(ctx context.Context, address string) ([]*net.UDPAddr, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, err
	}
	found, err := net.DefaultResolver.LookupIPAddr(ctx, cmp.Or(host, "localhost"))
	if err != nil {
		return nil, err
	}
	var v4, v6 []*net.UDPAddr
	for _, ip := range found {
		a := &net.UDPAddr{IP: ip.IP, Port: port, Zone: ip.Zone}
		if ip.IP.To4() != nil {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	return append(v4, v6...), nil
}

// reason is the part of a network error that a reader wants after the URL: not the operation and the addresses again.
func reason(err error) error {
	if refused(err) {
		return errors.New("connection refused: nothing listens there")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if sys, ok := errors.AsType[syscall.Errno](err); ok {
		return sys
	}
	return err
}
