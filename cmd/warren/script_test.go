package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// update makes the scripts' expectations what the commands print now:
//
//	go test ./cmd/warren -run TestScripts -update
//
// Read the diff before committing it: every line of it is a promise to somebody's script that changes.
var update = flag.Bool("update", false, "rewrite the expected outputs in testdata/script")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"warren": main})
}

// TestScripts runs testdata/script/*.txtar: sessions of a shell with warren in it. Beside testscript's own commands
// there are
//
//	start NAME ARGS...  runs warren in the background, with NAME.in as its input if there is such a file, until it is
//	                    ready or bound. The URLs that it listens on are then $NAME, $NAME2 and so on (for echo serve
//	                    those that echo send takes), and the part that says where is $NAME_at, $NAME2_at
//	terminate NAME      asks it to end and expects exit code 0; its output is then in NAME.out and NAME.err
//	finish NAME         waits until it ends by itself, and is like terminate otherwise
//	peer NAME KIND      runs a server that is not warren and sets $NAME to its address (peers_test.go)
//	bytes FILE N        writes N bytes that look random
//	flip FILE N         turns over the lowest bit of byte N of a file
//	client URL TEXT     sends a text to tcp://HOST:PORT and prints what comes until the server closes
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, environment...)
			env.Values[processesKey{}] = make(processes)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start":     cmdStart,
			"terminate": cmdTerminate,
			"finish":    cmdFinish,
			"peer":      cmdPeer,
			"bytes":     cmdBytes,
			"client":    cmdClient,
			"flip":      cmdFlip,
		},
	})
}

// environment makes the help 80 columns wide, and a race-enabled warren end without the second that it waits by default
// for reports.
var environment = []string{"COLUMNS=80", "GORACE=atexit_sleep_ms=0"}

// processes are a script's background processes by name, and processesKey is where testscript keeps them.
type (
	processes    map[string]*process
	processesKey struct{}
)

type process struct {
	command  *exec.Cmd
	out, err *watched
	exited   chan struct{} // closed when it has
}

var listening = regexp.MustCompile(`(?m)^(?:bound |  )([a-z0-9+]+://\S+)$`)

func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME ARGS...")
	}
	name := args[0]
	p := &process{command: exec.Command("warren", args[1:]...), out: newWatched(), err: newWatched(), exited: make(chan struct{})}
	p.command.Dir = ts.MkAbs(".")
	p.command.Env = append(os.Environ(), environment...)
	p.command.Stdout, p.command.Stderr = p.out, p.err
	if in, err := os.ReadFile(ts.MkAbs(name + ".in")); err == nil {
		p.command.Stdin = bytes.NewReader(in)
	}
	ts.Check(p.command.Start())
	go func() {
		p.command.Wait()
		close(p.exited)
		p.out.Close()
		p.err.Close()
	}()
	ts.Defer(func() {
		p.command.Process.Kill()
		<-p.exited
	})
	running(ts)[name] = p

	// A server says "ready" on its standard output, after its banner; a socket says where it is bound. One that binds
	// nowhere of its own choice says nothing, and needs no waiting either, because ZeroMQ waits.
	isServer := args[1] == "serve" || args[1] == "echo" && args[2] == "serve"
	var said string
	switch {
	case isServer:
		p.out.wait(func(text string) bool { return strings.HasPrefix(text, "ready\n") })
		said = p.err.wait(func(text string) bool {
			return strings.Contains(text, "Ctrl-C") || strings.Contains(text, `"msg":"listening"`)
		})
		if !strings.HasPrefix(p.out.text(), "ready\n") {
			ts.Fatalf("warren %s is not ready: %s", strings.Join(args[1:], " "), p.err.text())
		}
	default:
		open := 0
		for _, arg := range args {
			if strings.HasSuffix(arg, ":0") {
				open++
			}
		}
		said = p.err.wait(func(text string) bool {
			return len(listening.FindAllString(text, -1)) == open && (open == 0 || strings.HasSuffix(text, "\n"))
		})
	}
	for i, found := range listening.FindAllStringSubmatch(said, -1) {
		variable := name
		if i > 0 {
			variable += string(rune('1' + i))
		}
		ts.Setenv(variable, strings.TrimPrefix(found[1], "echo+"))
		_, address, _ := strings.Cut(found[1], "://")
		address, _, _ = strings.Cut(address, "?")
		ts.Setenv(variable+"_at", address)
	}
}

func cmdTerminate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: terminate NAME")
	}
	ts.Check(find(ts, args[0]).command.Process.Signal(syscall.SIGTERM))
	cmdFinish(ts, neg, args)
}

func cmdFinish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: finish NAME")
	}
	p := find(ts, args[0])
	out, err := p.out.wait(nil), p.err.wait(nil)
	ts.Logf("[%s stdout]\n%.2000s[%s stderr]\n%s", args[0], out, args[0], err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), []byte(out), 0o666))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), []byte(err), 0o666))
	select {
	case <-p.exited:
	case <-time.After(time.Minute):
		ts.Fatalf("%s does not end", args[0])
	}
	if code := p.command.ProcessState.ExitCode(); code != 0 {
		ts.Fatalf("%s: exit code %d", args[0], code)
	}
}

func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE N")
	}
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	b[n] ^= 1
	ts.Check(os.WriteFile(name, b, 0o600))
}

func running(ts *testscript.TestScript) processes { return ts.Value(processesKey{}).(processes) }

func find(ts *testscript.TestScript, name string) *process {
	p := running(ts)[name]
	if p == nil {
		ts.Fatalf("nothing was started as %s", name)
	}
	return p
}

// watched is an output that can be waited for.
type watched struct {
	mu     sync.Mutex // guards all below
	change *sync.Cond
	buf    strings.Builder
	closed bool // complete, or given up
}

func newWatched() *watched {
	w := new(watched)
	w.change = sync.NewCond(&w.mu)
	return w
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.change.Broadcast()
	return w.buf.Write(p)
}

func (w *watched) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.change.Broadcast()
}

func (w *watched) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// wait returns the output once it satisfies enough or is complete; nil is never enough. After two minutes it gives up.
func (w *watched) wait(enough func(string) bool) string {
	defer time.AfterFunc(2*time.Minute, w.Close).Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.closed && (enough == nil || !enough(w.buf.String())) {
		w.change.Wait()
	}
	return w.buf.String()
}

// TestEveryCommandHasExamples holds the promise that "warren --help" makes.
func TestEveryCommandHasExamples(t *testing.T) {
	commands := []string{""}
	for i := 0; i < len(commands); i++ { // commands grows by the subcommands of each
		args := strings.Fields(commands[i])
		for _, child := range completions(t, append(args, "")...) {
			if child.about != "" {
				commands = append(commands, commands[i]+" "+child.word)
			}
		}
		help, err := exec.Command("warren", append(args, "--help")...).Output()
		if err != nil {
			t.Errorf("warren%s --help: %v", commands[i], err)
		}
		if !bytes.Contains(help, []byte("\nExamples:\n")) {
			t.Errorf("warren%s --help shows no examples", commands[i])
		}
	}
	if len(commands) < 20 {
		t.Errorf("only the commands %q were found", commands)
	}
}

// completions asks warren what may stand at the last of words.
func completions(t *testing.T, words ...string) []candidate {
	var out bytes.Buffer
	if code := run(t.Context(), append([]string{completeWord}, words...), stdio{strings.NewReader(""), &out, io.Discard}); code != 0 {
		t.Fatalf("completing %q: exit code %d", words, code)
	}
	var all []candidate
	for line := range strings.Lines(out.String()) {
		word, about, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		all = append(all, candidate{word, about})
	}
	return all
}
