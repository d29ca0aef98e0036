// Package process starts the programs that a benchmark measures, and stops
// them: each by its id, whatever happens.
package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a running program.
type Process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how, readable when done is closed

	mu   sync.Mutex
	tail []string // owner: mu; its last lines of output
}

// Start starts a program in a process group of its own and gathers the last
// lines it prints. A line that watch returns true for makes Start return; a
// nil watch makes it return at once. It fails when the program ends first or
// ctx does.
func Start(ctx context.Context, cmd *exec.Cmd, watch func(line string) bool) (*Process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &Process{name: filepath.Base(cmd.Path), cmd: cmd, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	w.Close()
	seen := make(chan struct{})
	go p.gather(r, watch, seen)
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	if watch == nil {
		return p, nil
	}
	select {
	case <-seen:
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("%s ended before it was ready: %v\n%s", p.name, p.err, p.Tail())
	case <-ctx.Done():
		p.Stop(5 * time.Second)
		return nil, fmt.Errorf("%s: %w before it was ready\n%s", p.name, context.Cause(ctx), p.Tail())
	}
}

// gather reads what the program prints until it and its children have closed
// the pipe.
func (p *Process) gather(r io.ReadCloser, watch func(string) bool, seen chan<- struct{}) {
	defer r.Close()
	const tail = 40
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := s.Text()
		p.mu.Lock()
		if len(p.tail) == tail {
			p.tail = p.tail[1:]
		}
		p.tail = append(p.tail, line)
		p.mu.Unlock()
		if watch != nil && watch(line) {
			close(seen)
			watch = nil
		}
	}
}

// Tail returns the last lines that the program has printed.
func (p *Process) Tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.tail, "\n")
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended tells whether the program has ended by itself or been stopped.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Stop asks the program to end and, when it has not done so within grace,
// kills its process group.
func (p *Process) Stop(grace time.Duration) {
	if p.Ended() {
		return
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
		syscall.Kill(-p.PID(), syscall.SIGKILL)
		<-p.done
	}
}

// Kill ends the program and its process group at once, and waits until it has
// ended.
func (p *Process) Kill() {
	syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
}

// AwaitTCP waits until something listens at address.
func AwaitTCP(ctx context.Context, p *Process, address string) error {
	for {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			c.Close()
			return nil
		}
		if p.Ended() {
			return fmt.Errorf("%s ended before it listened at %s\n%s", p.name, address, p.Tail())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen at %s: %w\n%s", p.name, address, context.Cause(ctx), p.Tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// FreePort returns a TCP port of the loopback interface that nobody uses now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Descendant returns the id of the process named name among pid and those that
// it has started, directly or not. Linux only.
func Descendant(pid int, name string) (int, error) {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return 0, err
	}
	if strings.TrimSpace(string(comm)) == name {
		return pid, nil
	}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			continue // a thread that has ended since
		}
		for field := range strings.FieldsSeq(string(children)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return 0, err
			}
			if found, err := Descendant(child, name); err == nil {
				return found, nil
			}
		}
	}
	return 0, errors.New("no process " + name)
}
