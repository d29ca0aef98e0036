package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"time"

	"github.com/warrenmq/warren/zmq"
)

type zmqReqCmd struct {
	EndpointFlags
	PartsFlags
	CountFlag
	Timeout time.Duration `placeholder:"DURATION" help:"Exit 1 when a reply has not come after so long. Default: wait for ever."`
}

// Help says in which order.
func (*zmqReqCmd) Help() string {
	return `Sends a line, waits for its reply, prints it, and goes on to the next line. With several peers each request goes to the next of them.`
}

// Examples ends "warren zmq req --help".
func (*zmqReqCmd) Examples() string {
	return `
echo hello | warren zmq req --connect tcp://127.0.0.1:5555
warren zmq req --connect ipc:///tmp/service.sock --timeout 2s < questions.txt > answers.txt
`
}

// Run asks.
func (c *zmqReqCmd) Run(ctx context.Context, std stdio) error {
	s := zmq.NewReq(nil)
	defer s.Close()
	if err := c.attach(ctx, s, std); err != nil {
		return err
	}
	return sendLines(ctx, asker{s, c, std.out}, &c.PartsFlags, c.Count, std.in)
}

// asker is a sender that also waits for the reply and prints it.
type asker struct {
	socket *zmq.Req
	cmd    *zmqReqCmd
	out    io.Writer
}

// Send asks m and prints the reply.
func (a asker) Send(ctx context.Context, m zmq.Message) error {
	wait := ctx
	if a.cmd.Timeout > 0 {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, a.cmd.Timeout)
		defer cancel()
	}
	reply, err := a.socket.Do(wait, m)
	if err != nil {
		if wait.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("no reply within %v", a.cmd.Timeout)
		}
		return err
	}
	return a.cmd.print(a.out, reply)
}

type zmqRepCmd struct {
	EndpointFlags
	PartsFlags
	CountFlag
	LingerFlag
	Exec string `placeholder:"COMMAND" help:"Answer with what this shell command prints. Default: answer with the request."`
}

// Help says what the command gets and how its output becomes an answer.
func (*zmqRepCmd) Help() string {
	return `The command gets the request as a line on its standard input. What it prints, less one newline at the end, is the answer; its parts are separated in the same way. When the command fails, the answer is what it had printed, and a line on standard error says so.`
}

// Examples ends "warren zmq rep --help".
func (*zmqRepCmd) Examples() string {
	return `
warren zmq rep --bind tcp://127.0.0.1:5555
warren zmq rep --connect tcp://127.0.0.1:5560 --exec 'tr a-z A-Z'
warren zmq rep --bind ipc:///tmp/date.sock --exec 'xargs date +%F -d'
`
}

// Run answers.
func (c *zmqRepCmd) Run(ctx context.Context, std stdio) error {
	s := zmq.NewRep(nil)
	err := c.attach(ctx, s, std)
	if err == nil {
		err = c.answer(ctx, s, std)
	}
	return c.close(ctx, s, err)
}

// answer answers --count requests, or until ctx is interrupted.
func (c *zmqRepCmd) answer(ctx context.Context, s *zmq.Rep, std stdio) error {
	for range limitOr(c.Count) {
		request, err := s.Recv(ctx)
		if err == nil {
			reply := request.Message
			if c.Exec != "" {
				reply, err = c.ask(ctx, request.Message, std.err)
			}
			if err == nil {
				err = request.Reply(ctx, reply)
			}
		}
		if ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// ask runs the command on one request. A command that fails is reported on errs and answers with what it printed; only
// one that cannot be started is an error.
func (c *zmqRepCmd) ask(ctx context.Context, request zmq.Message, errs io.Writer) (zmq.Message, error) {
	shell := []string{"sh", "-c", c.Exec}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/C", c.Exec}
	}
	command := exec.CommandContext(ctx, shell[0], shell[1:]...)
	command.Stdin = bytes.NewReader(c.join(request))
	command.Stderr = errs
	printed, err := command.Output()
	if _, failed := errors.AsType[*exec.ExitError](err); failed {
		fmt.Fprintf(errs, "warren: %s: %v\n", c.Exec, err)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Exec, err)
	}
	printed = bytes.TrimSuffix(printed, []byte{'\n'})
	if runtime.GOOS == "windows" {
		printed = bytes.TrimSuffix(printed, []byte{'\r'})
	}
	return c.split(printed), nil
}
