package interop

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/warrenmq/warren/interop/lab"
)

// quiet is how long the echo servers here let a client be silent, for the
// client that reads until the server closes.
const quiet = "300ms"

// A program of examples/sockets as a command line without its address.
type program struct {
	name    string
	command func(t testing.TB) []string
	most    int  // bytes that its one read can take
	closes  bool // a client: it reads until the server closes
	once    bool // a server: it reads once and closes
}

func python(script string) func(testing.TB) []string {
	return func(testing.TB) []string {
		return []string{lab.Python, lab.Path("examples/sockets/python", script)}
	}
}

func c(source string) func(testing.TB) []string {
	return func(t testing.TB) []string {
		return []string{lab.CProgram(t, "examples/sockets/c/"+source)}
	}
}

var (
	tcpClients = []program{
		{name: "python", command: python("echo_client.py"), most: 1024},
		{name: "c", command: c("echo_client.c"), most: 64 << 10, closes: true},
	}
	tcpServers = []program{
		{name: "python", command: python("echo_server.py"), most: 1 << 20},
		{name: "c", command: c("echo_server.c"), most: 100, once: true},
	}
	udpClients = []program{
		{name: "python", command: python("udp_echo_client.py"), most: 1024},
		{name: "c", command: c("udp_echo_client.c"), most: 100},
	}
	udpServers = []program{
		{name: "python", command: python("udp_echo_server.py"), most: 1024},
		{name: "c", command: c("udp_echo_server.c"), most: 100},
	}
)

// hostPort splits an address of 127.0.0.1 into a program's arguments.
func hostPort(addr string) []string { return strings.Split(addr, ":") }

// run runs a client to its end and returns what it printed.
func (p program) run(t testing.TB, args ...string) []byte {
	t.Helper()
	argv := append(p.command(t), args...)
	return lab.MustRun(t, nil, argv[0], argv[1:]...)
}

// start starts a server and waits until it listens.
func (p program) start(t testing.TB, args ...string) *lab.Process {
	t.Helper()
	argv := append(p.command(t), args...)
	server := lab.Start(t, argv[0], argv[1:]...)
	server.Expect("listening")
	return server
}

// texts are what is sent, up to a number of bytes: short, with lines, with
// letters outside ASCII, and exactly as long as allowed.
func texts(most int) []string {
	all := []string{
		"Hello, world",
		"x",
		"two\nlines\r\n",
		"naïve ☃ \x01\x7f\xff\xfe",
		strings.Repeat("0123456789", 10),
	}
	if longest := min(most, 100<<10); longest > 100 {
		all = append(all, strings.Repeat("The quick brown fox. ", longest)[:longest])
	}
	return all
}

func same(t testing.TB, what string, got []byte, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("%s: got %d bytes %.200q, want %d bytes %.200q", what, len(got), got, len(want), want)
	}
}

// echoServe starts `warren echo serve` on some URLs.
func echoServe(t testing.TB, args ...string) *lab.Process {
	t.Helper()
	p := lab.Start(t, lab.Warren(t), append([]string{"echo", "serve"}, args...)...)
	p.LinesUntil("ready")
	return p
}

// echoSend runs `warren echo send` and returns what it printed.
func echoSend(t testing.TB, stdin string, args ...string) []byte {
	t.Helper()
	return lab.MustRun(t, []byte(stdin), lab.Warren(t), append([]string{"echo", "send"}, args...)...)
}

// The control: the textbook programs work with one another, so whatever fails
// below is not theirs.
func TestSocketsProgramsWithOneAnother(t *testing.T) {
	for _, server := range tcpServers {
		for _, client := range tcpClients {
			if client.closes && !server.once {
				continue // each would wait for the other to close
			}
			t.Run("tcp/"+client.name+"-to-"+server.name, func(t *testing.T) {
				t.Parallel()
				addr := hostPort(lab.Addr(t))
				s := server.start(t, addr...)
				same(t, "echo", client.run(t, append(addr, "hello")...), "hello")
				s.Wait()
			})
		}
	}
	for _, server := range udpServers {
		for _, client := range udpClients {
			t.Run("udp/"+client.name+"-to-"+server.name, func(t *testing.T) {
				t.Parallel()
				addr := hostPort(lab.Addr(t))
				s := server.start(t, addr...)
				same(t, "echo", client.run(t, append(addr, "hello")...), "hello")
				s.Wait()
			})
		}
	}
}

func TestSocketsClientsGetTheirBytesBack(t *testing.T) {
	for _, client := range tcpClients {
		t.Run("tcp/"+client.name, func(t *testing.T) {
			t.Parallel()
			addr := lab.Addr(t)
			args := []string{"tcp://" + addr}
			if client.closes {
				args = append([]string{"--idle", quiet}, args...)
			}
			echoServe(t, args...)
			for _, text := range texts(client.most) {
				same(t, "echo", client.run(t, append(hostPort(addr), text)...), text)
			}
		})
	}
	for _, client := range udpClients {
		t.Run("udp/"+client.name, func(t *testing.T) {
			t.Parallel()
			addr := lab.Addr(t)
			echoServe(t, "udp://"+addr)
			for _, text := range texts(client.most) {
				same(t, "echo", client.run(t, append(hostPort(addr), text)...), text)
			}
		})
	}
	t.Run("unix/python", func(t *testing.T) {
		t.Parallel()
		path := lab.SocketPath(t)
		echoServe(t, "unix://"+path)
		client := program{command: python("unix_echo_client.py")}
		for _, text := range texts(1024) {
			same(t, "echo", client.run(t, path, text), text)
		}
	})
	t.Run("unix/nc", func(t *testing.T) {
		t.Parallel()
		nc := lab.NeedCommand(t, "nc")
		path := lab.SocketPath(t)
		echoServe(t, "unix://"+path)
		for _, text := range texts(100 << 10) {
			same(t, "echo", lab.MustRun(t, []byte(text), nc, "-N", "-U", path), text)
		}
	})
	// The same through `warren serve`, where an echo is one listener of many.
	t.Run("serve", func(t *testing.T) {
		t.Parallel()
		addr, path := lab.Addr(t), lab.SocketPath(t)
		lab.Serve(t, "echo+tcp://"+addr, "echo+udp://"+addr, "echo+unix://"+path)
		same(t, "tcp", tcpClients[0].run(t, append(hostPort(addr), "hello")...), "hello")
		same(t, "udp", udpClients[0].run(t, append(hostPort(addr), "hello")...), "hello")
		same(t, "unix", program{command: python("unix_echo_client.py")}.run(t, path, "hello"), "hello")
	})
}

func TestSocketsServersAnswerEchoSend(t *testing.T) {
	for _, server := range tcpServers {
		t.Run("tcp/"+server.name, func(t *testing.T) {
			t.Parallel()
			for _, text := range texts(server.most) {
				addr := lab.Addr(t)
				s := server.start(t, hostPort(addr)...)
				same(t, "text as an argument", echoSend(t, "", "tcp://"+addr, text), text)
				s.Wait()

				addr = lab.Addr(t)
				s = server.start(t, hostPort(addr)...)
				same(t, "text on standard input", echoSend(t, text, "tcp://localhost:"+hostPort(addr)[1]), text)
				s.Wait()
			}
		})
	}
	for _, server := range udpServers {
		t.Run("udp/"+server.name, func(t *testing.T) {
			t.Parallel()
			for _, text := range texts(server.most) {
				addr := lab.Addr(t)
				s := server.start(t, hostPort(addr)...)
				same(t, "echo", echoSend(t, "", "--timeout", quiet, "udp://"+addr, text), text)
				s.Wait()
			}
		})
	}
	t.Run("unix/python", func(t *testing.T) {
		t.Parallel()
		server := program{command: python("unix_echo_server.py")}
		for _, text := range texts(100 << 10) {
			path := lab.SocketPath(t)
			s := server.start(t, path)
			same(t, "echo", echoSend(t, text, "unix://"+path), text)
			s.Wait()
		}
	})
	// A megabyte through a server that reads 1024 bytes at a time: the sender
	// must read while it writes, or both stop.
	t.Run("megabyte", func(t *testing.T) {
		t.Parallel()
		addr := lab.Addr(t)
		s := tcpServers[0].start(t, hostPort(addr)...)
		text := strings.Repeat("0123456789abcdef", 1<<16)
		same(t, "echo", echoSend(t, text, "tcp://"+addr), text)
		s.Wait()
	})
}

func TestSocketsEchoSendMeetsEchoServe(t *testing.T) {
	addr, path := lab.Addr(t), lab.SocketPath(t)
	_, port, _ := strings.Cut(addr, ":")
	urls := []string{"tcp://" + addr, "udp://" + addr, "unix://" + path, "tcp://[::1]:" + port}
	server := echoServe(t, urls...)
	for _, url := range append(urls, "tcp://localhost:"+port) {
		for _, text := range texts(1024) {
			same(t, url, echoSend(t, "", "--timeout", quiet, url, text), text)
		}
	}
	server.Signal(syscall.SIGTERM)
	server.Wait()
}

func TestSocketsRefuseABusyPortInOneLine(t *testing.T) {
	addr := lab.Addr(t)
	echoServe(t, "tcp://"+addr)
	for _, args := range [][]string{
		{"echo", "serve", "tcp://" + addr},
		{"serve", "--listen", "echo+tcp://" + addr},
	} {
		r := lab.Run(t, nil, lab.Warren(t), args...)
		if r.Code == 0 {
			t.Errorf("warren %v on a busy port ended with code 0", args)
		}
		if lines := strings.Split(strings.TrimSpace(r.Stderr), "\n"); len(lines) != 1 || !strings.Contains(lines[0], addr) {
			t.Errorf("warren %v on a busy port said %q, want one line with the address", args, r.Stderr)
		}
	}
}

// Many clients at once, each with a text of its own and none disturbed by one
// that never reads or by one that never speaks.
func TestSockets200ClientsAtOnce(t *testing.T) {
	addr := lab.Addr(t)
	echoServe(t, "--idle", "5s", "tcp://"+addr)
	nc := lab.NeedCommand(t, "nc")
	lab.Start(t, nc, hostPort(addr)...)

	python, c := tcpClients[0].command(t), tcpClients[1].command(t)
	var wg sync.WaitGroup
	for i := range 200 {
		argv := c
		if i%10 == 0 {
			argv = python // an interpreter each: a few will do
		}
		text := fmt.Sprintf("client %03d %s", i, strings.Repeat("·", i))
		args := append(slices.Concat(argv[1:], hostPort(addr)), text)
		wg.Go(func() {
			r, err := lab.Try(nil, argv[0], args...)
			if err != nil || r.Code != 0 || string(r.Stdout) != text {
				t.Errorf("client %d: error %v, code %d, got %q, want %q; %s", i, err, r.Code, r.Stdout, text, r.Stderr)
			}
		})
	}
	wg.Wait()
}

// joined repeats a line of say until hears has heard it, and then until every
// repetition has arrived: who joins a room is not told when he is in.
func joined(t testing.TB, say func(line string), hears *lab.Process, prefix string) {
	t.Helper()
	deadline := time.Now().Add(lab.Patience)
	for i := 0; time.Now().Before(deadline); i++ {
		ping := fmt.Sprintf("are you there %d", i)
		say(ping)
		if line, ok := hears.LineWithin(200 * time.Millisecond); ok {
			for line != prefix+ping {
				line = hears.Line()
			}
			return
		}
	}
	t.Fatal("the peer never heard the others")
}

// A line typed into netcat reaches everybody else in the room, netcats and
// AMQP consumers alike, and what AMQP publishes to the exchange reaches the
// netcats.
func TestSocketsNetcatInARoomWithAMQP(t *testing.T) {
	nc := lab.NeedCommand(t, "nc")
	lab.NeedPython(t, "pika")
	room, amqp := lab.Addr(t), lab.Addr(t)
	lab.Serve(t, "amqp://"+amqp, "room+tcp://"+room+"?exchange=lobby")
	url := "amqp://guest:guest@" + amqp + "/"

	alice := lab.Start(t, nc, hostPort(room)...)
	bob := lab.Start(t, nc, hostPort(room)...)
	carol := lab.StartPython(t, "interop/peers/pika/room.py", "--url", url, "--exchange", "lobby")
	carol.Expect("ready")
	joined(t, carol.Say, alice, "")
	joined(t, alice.Say, bob, "")
	joined(t, bob.Say, carol, "received ")
	drain(t, alice, bob, carol)

	alice.Say("hello from alice")
	bob.Expect("hello from alice")
	carol.Expect("received hello from alice")
	bob.Say("hello from bob, naïve ☃")
	alice.Expect("hello from bob, naïve ☃")
	carol.Expect("received hello from bob, naïve ☃")
	carol.Say("hello from carol")
	alice.Expect("hello from carol")
	bob.Expect("hello from carol")
	// Carol's queue is bound to the exchange that she publishes to; a socket is
	// not shown its own lines, a queue gets what is published.
	carol.Expect("received hello from carol")

	// One line after another in one write, and a line in two writes.
	alice.Say("1\n2\n3")
	bob.Expect("1", "2", "3")
	carol.Expect("received 1", "received 2", "received 3")
	io.WriteString(bob.Input(), "half a line ")
	io.WriteString(bob.Input(), "and the rest\n")
	alice.Expect("half a line and the rest")
	carol.Expect("received half a line and the rest")

	// Who leaves is not missed.
	bob.Kill()
	carol.Say("bob is gone")
	alice.Expect("bob is gone")
	carol.Expect("received bob is gone")
}

// drain waits until each of some people in a room, AMQP ones among them, has
// heard a line that nobody has said before, so that nothing said earlier is
// still on its way.
func drain(t testing.TB, alice, bob, carol *lab.Process) {
	t.Helper()
	alice.Say("silence, please")
	bob.LinesUntil("silence, please")
	carol.LinesUntil("received silence, please")
	bob.Say("yes")
	alice.LinesUntil("yes")
	carol.LinesUntil("received yes")
}

// Lines and a queue: who comes and speaks hands in work, who comes and is
// silent is given some; each line is worked on once, whoever handed it in.
func TestSocketsNetcatOnAQueueWithAMQP(t *testing.T) {
	nc := lab.NeedCommand(t, "nc")
	lab.NeedPython(t, "pika")
	queue, amqp := lab.Addr(t), lab.Addr(t)
	lab.Serve(t, "amqp://"+amqp, "queue+tcp://"+queue+"?queue=jobs")
	url := "amqp://guest:guest@" + amqp + "/"
	pika := func(script string, stdin []string, args ...string) []byte {
		args = append([]string{lab.Path("interop/peers/pika/" + script), "--url", url, "--queue", "jobs"}, args...)
		return lab.MustRun(t, lines(stdin), lab.Python, args...)
	}
	var jobs []string
	for n := range 40 {
		jobs = append(jobs, fmt.Sprintf("job %02d", n))
	}
	handIn := append([]string{"-N"}, hostPort(queue)...)

	lab.MustRun(t, lines(jobs), nc, handIn...)
	same(t, "pika consumed", pika("get.py", nil, fmt.Sprint(len(jobs))), string(lines(jobs)))

	// Two workers at netcat. Once each has been given something, work handed in
	// by netcat and by pika is shared.
	workers := map[string]*lab.Process{"alice": lab.Start(t, nc, hostPort(queue)...), "bob": lab.Start(t, nc, hostPort(queue)...)}
	got := map[string][]string{}
	collect := func(enough func() bool) {
		t.Helper()
		for deadline := time.Now().Add(lab.Patience); !enough(); {
			if time.Now().After(deadline) {
				t.Fatalf("still waiting with %q", got)
			}
			for name, p := range workers {
				if line, ok := p.LineWithin(20 * time.Millisecond); ok {
					got[name] = append(got[name], line)
				}
			}
		}
	}
	sent := 0
	collect(func() bool {
		if len(got) < len(workers) && sent == len(got["alice"])+len(got["bob"]) {
			sent++
			pika("put.py", []string{"warming up"})
		}
		return len(got) == len(workers) && sent == len(got["alice"])+len(got["bob"])
	})
	clear(got)
	lab.MustRun(t, lines(jobs[:20]), nc, handIn...)
	pika("put.py", jobs[20:])
	collect(func() bool { return len(got["alice"])+len(got["bob"]) == len(jobs) })
	all := slices.Concat(got["alice"], got["bob"])
	for name, done := range got {
		if len(done) != len(jobs)/2 {
			t.Errorf("%s was given %d of %d jobs", name, len(done), len(jobs))
		}
		if !slices.IsSorted(done) {
			t.Errorf("%s was given its jobs out of their order: %q", name, done)
		}
	}
	slices.Sort(all)
	compare(t, "jobs done by the two", all, jobs)
}

// lines is what a file of some lines holds.
func lines(of []string) []byte {
	if len(of) == 0 {
		return nil
	}
	return []byte(strings.Join(of, "\n") + "\n")
}
