package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/warrenmq/warren/zmq"
)

type zmqCmd struct {
	Push   zmqPushCmd   `cmd:"" help:"Send lines to PULL sockets, each line to one of them."`
	Pull   zmqPullCmd   `cmd:"" help:"Print what PUSH sockets send."`
	Pub    zmqPubCmd    `cmd:"" help:"Publish lines to every SUB socket that subscribed to them."`
	Sub    zmqSubCmd    `cmd:"" help:"Print what PUB sockets publish."`
	Req    zmqReqCmd    `cmd:"" help:"Send each line as a request and print its reply."`
	Rep    zmqRepCmd    `cmd:"" help:"Answer requests with a command's output, or with themselves."`
	Pair   zmqPairCmd   `cmd:"" help:"Send lines to, and print messages from, one PAIR socket."`
	Dealer zmqDealerCmd `cmd:"" help:"Send lines to, and print messages from, ROUTER, REP or DEALER sockets."`
	Router zmqRouterCmd `cmd:"" help:"Print messages with their sender's routing id first; a line's first part says who gets it."`
	Proxy  zmqProxyCmd  `cmd:"" help:"Carry messages between two sockets: a queue, a forwarder or a streamer."`
}

// Help holds for every socket below.
func (*zmqCmd) Help() string {
	return `A line of standard input is a message, a message is a line of standard output, and the parts of a message are separated by a tab. Sockets bind, connect, or both, to any number of tcp://HOST:PORT, ipc://PATH and (Linux) ipc://@NAME, in any order: whoever comes first waits.`
}

// Examples ends "warren zmq --help".
func (*zmqCmd) Examples() string {
	return `
# a pipeline
warren zmq pull --bind tcp://127.0.0.1:5555 &
seq 10 | warren zmq push --connect tcp://127.0.0.1:5555

# publish and subscribe
warren zmq sub --connect tcp://127.0.0.1:5556 --subscribe NASDAQ &
printf 'NASDAQ\t101\nNYSE\t7\n' | warren zmq pub --bind tcp://127.0.0.1:5556

# a service, and a question to it
warren zmq rep --bind ipc:///tmp/upper.sock --exec 'tr a-z A-Z' &
echo hello | warren zmq req --connect ipc:///tmp/upper.sock
`
}

// EndpointFlags say where a socket is.
type EndpointFlags struct {
	Bind    []string `sep:"none" placeholder:"URL" help:"Bind to tcp://HOST:PORT (port 0: any free one, printed on standard error), ipc://PATH or ipc://@NAME. Repeatable."`
	Connect []string `sep:"none" placeholder:"URL" help:"Connect there; the other end may come later. Repeatable."`
}

// Validate checks that the socket is somewhere. kong calls it before Run.
func (f *EndpointFlags) Validate() error {
	if len(f.Bind)+len(f.Connect) == 0 {
		return errors.New("the socket is nowhere: give --bind URL or --connect URL")
	}
	return nil
}

// endpointer is the part of every socket that attaches it to addresses.
type endpointer interface {
	Listen(ctx context.Context, url string) (bound string, err error)
	Dial(ctx context.Context, url string) error
}

// attach binds and connects s. A bound address that the URL left open is printed on standard error.
func (f *EndpointFlags) attach(ctx context.Context, s endpointer, std stdio) error {
	for _, u := range f.Bind {
		bound, err := s.Listen(ctx, u)
		if err != nil {
			return advise(err)
		}
		if bound != u {
			fmt.Fprintf(std.err, "bound %s\n", bound)
		}
	}
	for _, u := range f.Connect {
		if err := s.Dial(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

// advise adds to the error of a bind what its reader can do about it, where there is something to do.
func advise(err error) error {
	switch {
	case err == nil:
		return nil
	case inUse(err):
		return fmt.Errorf("%w: another program listens there; stop it, or choose another port", err)
	case notOurs(err):
		return fmt.Errorf("%w: no interface of this machine has that address; choose another", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: choose a port above 1023, or a folder that this user may write to", err)
	}
	return err
}

// PartsFlags say how a message is written as a line.
type PartsFlags struct {
	Separator string `default:"\\t" placeholder:"TEXT" help:"What separates the parts of a message in a line; \\t, \\n, \\0 and \\\\ are understood, and an empty TEXT makes every line one part. Default: a tab."`
}

// unescape turns the escapes of --separator into bytes.
var unescape = strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\0`, "\x00", `\\`, `\`)

// split cuts a line into the parts of a message. They alias text.
func (f *PartsFlags) split(text []byte) zmq.Message {
	if f.Separator == "" {
		return zmq.Message{text}
	}
	return bytes.Split(text, []byte(unescape.Replace(f.Separator)))
}

// join is a message as a line, with the newline.
func (f *PartsFlags) join(m zmq.Message) []byte {
	return append(bytes.Join(m, []byte(unescape.Replace(f.Separator))), '\n')
}

// print writes m as a line, with one Write.
func (f *PartsFlags) print(w io.Writer, m zmq.Message) error {
	if _, err := w.Write(f.join(m)); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// CountFlag ends a command early.
type CountFlag struct {
	Count int `placeholder:"N" help:"End after so many messages. Default: at the end of the input, or when interrupted."`
}

// Validate refuses a negative count. kong calls it before Run.
func (f *CountFlag) Validate() error {
	if f.Count < 0 {
		return errors.New("--count must be above 0")
	}
	return nil
}

// LingerFlag is for the sockets that send.
type LingerFlag struct {
	Linger time.Duration `default:"-1s" placeholder:"DURATION" help:"How long to wait at the end for peers to take what has not been sent yet; below 0 waits for ever. Default: for ever."`
}

// shutdowner is the end of every socket.
type shutdowner interface {
	Shutdown(ctx context.Context) error
}

// lingerAfterInterrupt is how long an interrupted command still tries to send.
const lingerAfterInterrupt = time.Second

// close closes s after its use has ended with err, and waits for what is still to be sent as long as --linger says and
// nobody interrupts. Messages that are lost are an error, unless no wait was asked for.
func (f *LingerFlag) close(ctx context.Context, s shutdowner, err error) error {
	patience, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if f.Linger >= 0 {
		defer time.AfterFunc(f.Linger, cancel).Stop()
	}
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lingerAfterInterrupt, cancel) })()
	if lost := s.Shutdown(patience); lost != nil && err == nil && f.Linger != 0 {
		err = errors.New("not everything was sent: no peer took it in time")
	}
	return err
}

// TimeoutFlag is for the sockets that receive.
type TimeoutFlag struct {
	Timeout time.Duration `placeholder:"DURATION" help:"Exit 1 when no message has come for so long. Default: wait for ever."`
}

// receiver is a socket that gives messages.
type receiver interface {
	Recv(ctx context.Context) (zmq.Message, error)
}

// errSilent is a --timeout that passed.
var errSilent = errors.New("no message came within --timeout")

// recv receives one message. The error is io.EOF when ctx was interrupted, which is how a waiting command ends in
// order, and errSilent after the timeout.
func (f *TimeoutFlag) recv(ctx context.Context, s receiver) (zmq.Message, error) {
	wait := ctx
	if f.Timeout > 0 {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, f.Timeout)
		defer cancel()
	}
	m, err := s.Recv(wait)
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil:
		return nil, io.EOF
	case wait.Err() != nil:
		return nil, errSilent
	}
	return nil, err
}

// receiveLines prints messages until count have come or ctx is interrupted. note, when it is not nil, may change a
// message before it is printed.
func receiveLines(ctx context.Context, s receiver, f *PartsFlags, timeout *TimeoutFlag, count int, out io.Writer) error {
	for range limitOr(count) {
		m, err := timeout.recv(ctx, s)
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := f.print(out, m); err != nil {
			return err
		}
	}
	return nil
}

// sender is a socket that takes messages.
type sender interface {
	Send(ctx context.Context, m zmq.Message) error
}

// sendLines sends each line until count have gone, the input ends or ctx is interrupted.
func sendLines(ctx context.Context, s sender, f *PartsFlags, count int, in io.Reader) error {
	lines := readLines(ctx, in)
	for range limitOr(count) {
		var l line
		select {
		case l = <-lines:
		case <-ctx.Done():
			return nil
		}
		switch {
		case l.err == io.EOF:
			return nil
		case l.err != nil:
			return fmt.Errorf("standard input: %w", l.err)
		}
		if err := s.Send(ctx, f.split(l.text)); err != nil {
			if ctx.Err() != nil {
				return errors.New("interrupted while no peer took a message")
			}
			return err
		}
	}
	return nil
}
