package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// outputDelay is how long the output of a process that has ended may stay
// open: a grandchild may have inherited it, and must not hold a test up. It is
// not short, because every process started at the same moment holds it too
// until it has become another program.
const outputDelay = 10 * time.Second

// Process is a peer that runs while a test talks to it. It is killed when
// the test ends, and what it wrote to standard error is shown if the test
// failed.
type Process struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed once the process has been waited for

	out    stream
	stderr stream
}

// stream collects an output. Readers wait on changed, which is replaced each
// time something arrives.
type stream struct {
	mu      sync.Mutex // owns the fields below
	data    []byte
	read    int // bytes of data that Line has handed out
	closed  bool
	changed chan struct{}
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, p...)
	s.wake()
	return len(p), nil
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wake()
}

// wake must be called with mu held.
func (s *stream) wake() {
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = nil
}

func (s *stream) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.data)
}

var (
	errQuiet  = errors.New("no line in time")
	errClosed = errors.New("output ended")
)

// line returns the next line without its end.
func (s *stream) line(wait time.Duration) (string, error) {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		rest := s.data[s.read:]
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			s.read += i + 1
			line := string(rest[:i])
			s.mu.Unlock()
			return line, nil
		}
		if s.closed {
			s.mu.Unlock()
			return "", errClosed
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-timeout.C:
			return "", errQuiet
		}
	}
}

// Start starts a peer.
func Start(t testing.TB, command string, args ...string) *Process {
	t.Helper()
	p := &Process{
		t:    t,
		name: filepath.Base(command) + " " + strings.Join(args, " "),
		cmd:  exec.Command(command, args...),
		done: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1")
	p.cmd.Stdout = &p.out
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = outputDelay
	noOrphan(p.cmd)
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", p.name, err)
	}
	go func() {
		p.cmd.Wait()
		p.out.close()
		p.stderr.close()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Kill()
		if errs := p.stderr.bytes(); t.Failed() && len(errs) > 0 {
			t.Logf("standard error of %s:\n%s", p.name, tail(errs))
		}
	})
	return p
}

// StartPython starts a script of the repository under Debian's Python.
func StartPython(t testing.TB, script string, args ...string) *Process {
	t.Helper()
	return Start(t, Python, append([]string{Path(script)}, args...)...)
}

// tail keeps a failure readable when a peer was talkative.
func tail(b []byte) []byte {
	const most = 8 << 10
	if len(b) > most {
		return append([]byte("… "), b[len(b)-most:]...)
	}
	return b
}

// Say writes a line to the peer's standard input.
func (p *Process) Say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatalf("telling %s %q: %v", p.name, line, err)
	}
}

// Input gives the peer's standard input to write bytes to.
func (p *Process) Input() io.WriteCloser { return p.stdin }

// EndInput closes the peer's standard input: most peers end on it.
func (p *Process) EndInput() { p.stdin.Close() }

// Line returns the next line of the peer's standard output.
func (p *Process) Line() string {
	p.t.Helper()
	line, err := p.out.line(Patience)
	if err != nil {
		p.t.Fatalf("waiting for a line of %s: %v", p.name, err)
	}
	return line
}

// LineWithin is Line with a wait of its own, for a test that expects that
// nothing may come; ok is false if nothing did.
func (p *Process) LineWithin(d time.Duration) (line string, ok bool) {
	line, err := p.out.line(d)
	return line, err == nil
}

// Expect reads one line for each of want and compares them in order.
func (p *Process) Expect(want ...string) {
	p.t.Helper()
	for i, w := range want {
		if got := p.Line(); got != w {
			p.t.Fatalf("line %d of %s: got %q, want %q", i+1, p.name, got, w)
		}
	}
}

// LinesUntil returns the lines before the one that equals last.
func (p *Process) LinesUntil(last string) []string {
	p.t.Helper()
	var lines []string
	for {
		line, err := p.out.line(Patience)
		if err != nil {
			p.t.Fatalf("waiting for %q of %s: %v; so far %q", last, p.name, err, lines)
		}
		if line == last {
			return lines
		}
		lines = append(lines, line)
	}
}

// Errors returns what the peer has written to standard error so far.
func (p *Process) Errors() string { return string(p.stderr.bytes()) }

// Wait waits for the peer to end and fails the test if it ended with
// anything but code 0.
func (p *Process) Wait() {
	p.t.Helper()
	if code := p.Exit(); code != 0 {
		p.t.Fatalf("%s ended with code %d: %s", p.name, code, tail(p.stderr.bytes()))
	}
}

// Exit waits for the peer to end and returns its exit code, -1 after a
// signal.
func (p *Process) Exit() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(Patience):
		p.t.Fatalf("%s did not end; output so far:\n%s", p.name, tail(p.out.bytes()))
	}
	return p.cmd.ProcessState.ExitCode()
}

// ExitWithin is Exit with a wait of its own; ok is false if the peer has not ended by then.
func (p *Process) ExitWithin(d time.Duration) (code int, ok bool) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), true
	case <-time.After(d):
		return 0, false
	}
}

// PeakMemory returns the most memory that the peer has ever had resident, in
// KiB.
func (p *Process) PeakMemory() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, ok := bytes.Cut(status, []byte("VmHWM:"))
	var peak int
	if _, err := fmt.Sscan(string(rest), &peak); !ok || err != nil {
		p.t.Fatalf("no VmHWM in /proc/%d/status: %v", p.cmd.Process.Pid, err)
	}
	return peak
}

// Signal sends a signal to the peer.
func (p *Process) Signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("signalling %s: %v", p.name, err)
	}
}

// Kill ends the peer at once, with no chance to say goodbye, and waits for
// it to be gone.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// Result is what a program that ran to its end left behind.
type Result struct {
	Stdout []byte
	Stderr string
	Code   int
}

// Try runs a program to its end with the given standard input. A program that
// outlives Patience is killed, which is an error; an exit code is none.
func Try(stdin []byte, command string, args ...string) (Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	cmd.WaitDelay = outputDelay
	noOrphan(cmd)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := Result{Stdout: stdout.Bytes(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return r, errors.New("it did not end")
	case err != nil && !errors.As(err, &exit):
		return r, err
	}
	return r, nil
}

// Run is Try for a program that has to end by itself.
func Run(t testing.TB, stdin []byte, command string, args ...string) Result {
	t.Helper()
	r, err := Try(stdin, command, args...)
	if err != nil {
		t.Fatalf("running %s %s: %v\nstandard output:\n%s\nstandard error:\n%s",
			command, strings.Join(args, " "), err, tail(r.Stdout), tail([]byte(r.Stderr)))
	}
	return r
}

// MustRun is Run for a program that has to end with code 0.
func MustRun(t testing.TB, stdin []byte, command string, args ...string) []byte {
	t.Helper()
	r := Run(t, stdin, command, args...)
	if r.Code != 0 {
		t.Fatalf("%s %s ended with code %d\nstandard output:\n%s\nstandard error:\n%s",
			command, strings.Join(args, " "), r.Code, tail(r.Stdout), tail([]byte(r.Stderr)))
	}
	return r.Stdout
}
