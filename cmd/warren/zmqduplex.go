package main

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/warrenmq/warren/zmq"
)

// DuplexFlags are common to the sockets that send and receive freely.
type DuplexFlags struct {
	EndpointFlags
	PartsFlags
	CountFlag
	LingerFlag
	TimeoutFlag
}

// duplexHelp is the part of the help that pair, dealer and router share.
const duplexHelp = `It ends when --count messages have been printed and the lines that were waiting have been sent. Without --count it ends with its input; an input that has no line at all only means that there is nothing to send.`

// duplexSocket is a socket that sends and receives freely.
type duplexSocket interface {
	endpointer
	sender
	receiver
	shutdowner
}

// idleInput is how long a finished exchange waits for one more line: long enough for a file or a pipe with something
// in it, and no wait worth the name for a terminal.
const idleInput = 100 * time.Millisecond

// exchange attaches s, sends lines and prints messages, both as they come. parse and format translate between a line's
// parts and a message's.
func (f *DuplexFlags) exchange(ctx context.Context, s duplexSocket, std stdio, parse, format func(zmq.Message) (zmq.Message, error)) error {
	err := f.attach(ctx, s, std)
	if err == nil {
		err = f.converse(ctx, s, std, parse, format)
	}
	return f.close(ctx, s, err)
}

// converse is exchange on a socket that is attached.
func (f *DuplexFlags) converse(ctx context.Context, s duplexSocket, std stdio, parse, format func(zmq.Message) (zmq.Message, error)) error {
	// The receiver ends with the command, and the command waits for no line once it has ended.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	received := make(chan error, 1)
	go func() {
		received <- func() error {
			for range limitOr(f.Count) {
				m, err := f.recv(ctx, s)
				if err != nil {
					return err
				}
				if m, err = format(m); err != nil {
					return err
				}
				if err := f.print(std.out, m); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	lines := readLines(ctx, std.in)
	var idle <-chan time.Time // set when everything has been received
	sent := 0
	for {
		select {
		case err := <-received:
			if err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			received = nil
			if lines == nil {
				return nil
			}
			idle = time.After(idleInput)
		case <-idle:
			return nil
		case l := <-lines:
			switch {
			case l.err == io.EOF && (received == nil || f.Count == 0 && sent > 0):
				return nil
			case l.err == io.EOF:
				lines = nil // go on receiving
				continue
			case l.err != nil:
				return l.err
			}
			m, err := parse(f.split(l.text))
			if err != nil {
				return err
			}
			if err := s.Send(ctx, m); err != nil {
				if ctx.Err() != nil {
					return errors.New("interrupted while no peer took a message")
				}
				return err
			}
			sent++
			if received == nil {
				idle = time.After(idleInput)
			}
		}
	}
}

// asIs is the translation of sockets that have nothing to translate.
func asIs(m zmq.Message) (zmq.Message, error) { return m, nil }

type zmqPairCmd struct{ DuplexFlags }

// Help says who talks.
func (*zmqPairCmd) Help() string {
	return `A PAIR socket talks to exactly one other PAIR socket. ` + duplexHelp
}

// Examples ends "warren zmq pair --help".
func (*zmqPairCmd) Examples() string {
	return `
# a chat between two terminals
warren zmq pair --bind tcp://127.0.0.1:5555
warren zmq pair --connect tcp://127.0.0.1:5555
`
}

// Run sends and receives.
func (c *zmqPairCmd) Run(ctx context.Context, std stdio) error {
	return c.exchange(ctx, zmq.NewPair(nil), std, asIs, asIs)
}

type zmqDealerCmd struct {
	DuplexFlags
	ID string `name:"id" placeholder:"TEXT" help:"The routing id by which ROUTER sockets know this one, up to 255 bytes. Default: they choose one."`
}

// Help says what an empty part is for.
func (*zmqDealerCmd) Help() string {
	return `A DEALER socket sends to its peers in turn and prints what they send. To talk to a REP socket, begin a line with an empty part (a tab), as a REQ socket does. ` + duplexHelp
}

// Examples ends "warren zmq dealer --help".
func (*zmqDealerCmd) Examples() string {
	return `
# three requests to a REP socket without waiting for each answer
printf '\tone\n\ttwo\n\tthree\n' | warren zmq dealer --connect tcp://127.0.0.1:5555 --count 3
`
}

// Validate refuses an id that no message could carry. kong calls it before Run.
func (c *zmqDealerCmd) Validate() error {
	if len(c.ID) > 255 {
		return errors.New("--id must be at most 255 bytes")
	}
	return nil
}

// Run sends and receives.
func (c *zmqDealerCmd) Run(ctx context.Context, std stdio) error {
	options := new(zmq.Options)
	if c.ID != "" {
		options.RoutingID = []byte(c.ID)
	}
	return c.exchange(ctx, zmq.NewDealer(options), std, asIs, asIs)
}

type zmqRouterCmd struct{ DuplexFlags }

// Help says how a routing id is written.
func (*zmqRouterCmd) Help() string {
	return `The first part of a printed line is the routing id of the peer that sent it, and the first part of a line names the peer that it goes to; a line for a peer that is not there is dropped. An id that is plain text is printed as it is. Any other, such as those that sockets choose for themselves, is printed in hexadecimal after 0x, and 0x is understood in the same way. ` + duplexHelp
}

// Examples ends "warren zmq router --help".
func (*zmqRouterCmd) Examples() string {
	return `
warren zmq router --bind tcp://127.0.0.1:5555
# prints lines such as 0x006b8b4567<TAB>hello; answer with 0x006b8b4567<TAB>world
`
}

// Run sends and receives.
func (c *zmqRouterCmd) Run(ctx context.Context, std stdio) error {
	separator := unescape.Replace(c.Separator)
	parse := func(m zmq.Message) (zmq.Message, error) {
		if len(m) < 2 {
			return nil, errors.New("a line for a router wants a routing id, the separator and a message, but has one part")
		}
		id, err := parseRoutingID(string(m[0]))
		m[0] = id
		return m, err
	}
	format := func(m zmq.Message) (zmq.Message, error) {
		m[0] = []byte(formatRoutingID(m[0], separator))
		return m, nil
	}
	return c.exchange(ctx, zmq.NewRouter(nil), std, parse, format)
}

// formatRoutingID writes id as text where that can be read back, else as 0x and hexadecimal digits.
func formatRoutingID(id []byte, separator string) string {
	text := string(id)
	plain := utf8.ValidString(text) && !strings.HasPrefix(text, "0x") && !strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) })
	if plain && text != "" && (separator == "" || !strings.Contains(text, separator)) {
		return text
	}
	return "0x" + hex.EncodeToString(id)
}

// parseRoutingID reads what formatRoutingID wrote.
func parseRoutingID(text string) ([]byte, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok {
		return []byte(text), nil
	}
	id, err := hex.DecodeString(digits)
	if err != nil {
		return nil, errors.New("the routing id " + strconv.Quote(text) + " is not hexadecimal, as 0x says")
	}
	return id, nil
}
