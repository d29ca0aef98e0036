package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warrenmq/warren/interop/lab"
)

// A bridge is one `warren serve` with an AMQP listener and a ZeroMQ one, and
// how each side reaches it.
type bridge struct {
	amqp    string // the URL for AMQP clients
	listens bool   // Warren binds the ZeroMQ endpoint
	zmq     string // the ZeroMQ endpoint
}

// across runs a scenario with Warren binding the ZeroMQ endpoint and with
// Warren connecting to it, by tcp and by ipc. The listener is a socket type
// and its parameters.
func across(t *testing.T, kind, query string, play func(t *testing.T, b bridge)) {
	lab.NeedPython(t, "pika", "zmq")
	var cells []lab.Cell
	for _, transport := range []string{"tcp", "ipc"} {
		for _, listens := range []bool{true, false} {
			who := "warren-binds"
			if !listens {
				who = "warren-connects"
			}
			cells = append(cells, lab.Cell{Name: transport + "/" + who, Run: func(t *testing.T) {
				amqp := lab.Addr(t)
				b := bridge{amqp: "amqp://guest:guest@" + amqp + "/", listens: listens}
				door := ""
				if transport == "tcp" {
					addr := lab.Addr(t)
					b.zmq, door = "tcp://"+addr, "zmq+"+kind+"://"+addr
				} else {
					path := lab.SocketPath(t)
					b.zmq, door = "ipc://"+path, "zmq+"+kind+"+ipc://"+path
				}
				door += "?" + query
				if !listens {
					door += "&connect=1"
				}
				lab.Serve(t, "amqp://"+amqp, door)
				play(t, b)
			}})
		}
	}
	lab.Matrix(t, cells)
}

// peer opens a libzmq socket at the other end of the bridge.
func (b bridge) peer(t testing.TB, kind string, subscribe ...string) peer {
	t.Helper()
	p := plan{kind: kind, subscribe: subscribe}
	if b.listens {
		p.connect = []string{b.zmq}
	} else {
		p.bind = []string{b.zmq}
	}
	return libzmq.open(t, p)
}

// pikaStart starts a pika script and waits until it is ready.
func pikaStart(t testing.TB, script string, args ...string) *lab.Process {
	t.Helper()
	p := lab.StartPython(t, "interop/peers/pika/"+script, args...)
	p.Expect("ready")
	return p
}

// untilHeard repeats a numbered announcement until an ear has heard one, and
// then waits for the last, so that nothing announced is still on its way.
func untilHeard(t testing.TB, announce func(n int), hear func(d time.Duration) (n int, ok bool)) {
	t.Helper()
	for n := range 150 {
		announce(n)
		for heard, ok := hear(200 * time.Millisecond); ok; heard, ok = hear(lab.Patience) {
			if heard == n {
				return
			}
		}
	}
	t.Fatal("an announcement was never heard")
}

// number reads the n of an announcement.
func number(text string) (n int) {
	fmt.Sscan(text, &n)
	return n
}

// pika publishes to a topic exchange, libzmq subscribes by prefix of the
// routing key: frame 1 is the key, frame 2 the body.
func TestAcrossTopicExchangeToSub(t *testing.T) {
	across(t, "pub", "exchange=amq.topic", func(t *testing.T, b bridge) {
		sub := b.peer(t, "sub", "sync", "stock.n")
		pika := pikaStart(t, "exchange.py", "--url", b.amqp, "--exchange", "amq.topic", "#")
		untilHeard(t, func(n int) { pika.Say(fmt.Sprintf("sync\t%d", n)) }, func(d time.Duration) (int, bool) {
			m, ok := sub.RecvWithin(d)
			if !ok {
				return 0, false
			}
			return number(m[1]), true
		})
		for _, line := range []string{
			"stock.nyse.ibm\t101", "stock.lse.bp\tno", "stock.n\tbare", "stock.nasdaq\tnaïve ☃", "weather\tno",
			"stock\tno", "stock.nyse.empty\t", "stock.nyse.end\tlast",
		} {
			pika.Say(line)
		}
		expectMessage(t, sub, "stock.nyse.ibm", "101")
		expectMessage(t, sub, "stock.n", "bare")
		expectMessage(t, sub, "stock.nasdaq", "naïve ☃")
		expectMessage(t, sub, "stock.nyse.empty", "")
		expectMessage(t, sub, "stock.nyse.end", "last")
		expectNothing(t, sub)
		// The exchange's other consumers lose nothing to it.
		pika.LinesUntil("received stock.nyse.end\tlast")
		leave(pika)
		sub.Close()
	})
}

// libzmq publishes, pika's bindings pick: frame 1 is the routing key.
func TestAcrossPubToTopicExchange(t *testing.T) {
	across(t, "sub", "exchange=amq.topic", func(t *testing.T, b bridge) {
		pub := b.peer(t, "pub")
		pika := pikaStart(t, "exchange.py", "--url", b.amqp, "--exchange", "amq.topic", "sync", "stock.*.ibm")
		untilHeard(t, func(n int) { pub.Send("sync", fmt.Sprint(n)) }, func(d time.Duration) (int, bool) {
			line, ok := pika.LineWithin(d)
			return number(strings.TrimPrefix(line, "received sync\t")), ok
		})
		pub.Send("stock.nyse.ibm", "101")
		pub.Send("stock.nyse.sun", "no")
		pub.Send("stock.ibm", "no")
		pub.Send("stock.lse.ibm", "102")
		pika.Expect("received stock.nyse.ibm\t101", "received stock.lse.ibm\t102")
		leave(pika)
		pub.Close()
	})
}

// libzmq pushes into a queue, pika consumes and acknowledges.
func TestAcrossPushToQueue(t *testing.T) {
	across(t, "pull", "queue=jobs", func(t *testing.T, b bridge) {
		push := b.peer(t, "push")
		const jobs = 100
		var want []string
		for n := range jobs {
			job := fmt.Sprintf("job %d ☃", n)
			push.Send(job)
			want = append(want, job)
		}
		push.Close()
		got := lab.MustRun(t, nil, lab.Python, lab.Path("interop/peers/pika/get.py"),
			"--url", b.amqp, "--queue", "jobs", fmt.Sprint(jobs))
		compare(t, "consumed", strings.Split(strings.TrimSuffix(string(got), "\n"), "\n"), want)
		left := lab.StartPython(t, "interop/peers/pika/declare.py", "--url", b.amqp, "--queue", "jobs", "--passive")
		left.Expect("queue jobs messages=0 consumers=0")
	})
}

// pika publishes to a queue, libzmq's pullers share it.
func TestAcrossQueueToPull(t *testing.T) {
	across(t, "push", "queue=jobs", func(t *testing.T, b bridge) {
		var want []string
		for n := range 100 {
			want = append(want, fmt.Sprintf("job %03d", n))
		}
		// Published before anybody pulls: the queue keeps them.
		lab.MustRun(t, []byte(strings.Join(want, "\n")+"\n"), lab.Python, lab.Path("interop/peers/pika/put.py"),
			"--url", b.amqp, "--queue", "jobs")
		pull := b.peer(t, "pull")
		for _, job := range want {
			expectMessage(t, pull, job)
		}
		expectNothing(t, pull)
		pull.Close()
	})
}

// libzmq asks, pika answers: each answer finds the one who asked.
func TestAcrossReqToRPCServer(t *testing.T) {
	across(t, "rep", "exchange=&key=rpc", func(t *testing.T, b bridge) {
		server := pikaStart(t, "rpc_server.py", "--url", b.amqp, "--queue", "rpc")
		clients := []peer{b.peer(t, "req")}
		if b.listens {
			clients = append(clients, b.peer(t, "req"), b.peer(t, "req"))
		}
		for _, n := range []string{"30", "0", "7"} {
			for _, c := range clients {
				c.Send(n)
			}
			for _, c := range clients {
				expectMessage(t, c, map[string]string{"30": "832040", "0": "0", "7": "13"}[n])
			}
		}
		for i, c := range clients {
			c.Send(fmt.Sprint(20 + i))
		}
		for i, c := range clients {
			expectMessage(t, c, []string{"6765", "10946", "17711"}[i])
		}
		closeAll(clients...)
		leave(server)
	})
}

// pika asks, libzmq answers.
func TestAcrossRPCClientToRep(t *testing.T) {
	across(t, "req", "queue=rpc", func(t *testing.T, b bridge) {
		worker := b.peer(t, "rep") // an echo
		client := lab.StartPython(t, "interop/peers/pika/rpc_client.py", "--url", b.amqp, "--queue", "rpc", "1", "two", "☃")
		client.Expect("fib(1) = 1", "fib(two) = two", "fib(☃) = ☃")
		client.Wait()
		direct := lab.StartPython(t, "interop/peers/pika/rpc_client.py", "--url", b.amqp, "--queue", "rpc", "--direct", "again")
		direct.Expect("fib(again) = again")
		direct.Wait()
		worker.Close()
	})
}

// One line typed into netcat reaches another netcat, an AMQP consumer and a
// libzmq subscriber; and what each of the other two can say, all hear.
func TestAcrossARoom(t *testing.T) {
	nc := lab.NeedCommand(t, "nc")
	lab.NeedPython(t, "pika", "zmq")
	amqp, room, feed, mouth := lab.Addr(t), lab.Addr(t), lab.Addr(t), lab.Addr(t)
	lab.Serve(t, "amqp://"+amqp, "room+tcp://"+room+"?exchange=lobby",
		"zmq+pub://"+feed+"?exchange=lobby", "zmq+sub://"+mouth+"?exchange=lobby")

	alice := lab.Start(t, nc, hostPort(room)...)
	bob := lab.Start(t, nc, hostPort(room)...)
	carol := pikaStart(t, "room.py", "--url", "amqp://guest:guest@"+amqp+"/", "--exchange", "lobby")
	dave := libzmq.open(t, plan{kind: "sub", connect: []string{"tcp://" + feed}, subscribe: []string{""}})
	erin := libzmq.open(t, plan{kind: "pub", connect: []string{"tcp://" + mouth}})

	joined(t, carol.Say, alice, "")
	joined(t, alice.Say, bob, "")
	joined(t, bob.Say, carol, "received ")
	untilHeard(t, func(n int) { erin.Send("erin", fmt.Sprint(n)) }, func(d time.Duration) (int, bool) {
		for m, ok := dave.RecvWithin(d); ok; m, ok = dave.RecvWithin(d) {
			if m[0] == "erin" { // and not what was said before
				return number(m[1]), true
			}
		}
		return 0, false
	})
	drain(t, alice, bob, carol)
	body := func(m []string) string { return m[len(m)-1] }
	for body(recv(t, dave)) != "yes" {
	}

	alice.Say("typed into netcat")
	bob.Expect("typed into netcat")
	carol.Expect("received typed into netcat")
	if m := recv(t, dave); len(m) != 2 || m[1] != "typed into netcat" {
		t.Errorf("the subscriber got %q", m)
	}
	carol.Say("published by pika")
	alice.Expect("published by pika")
	bob.Expect("published by pika")
	if m := recv(t, dave); len(m) != 2 || m[1] != "published by pika" {
		t.Errorf("the subscriber got %q", m)
	}
	carol.Expect("received published by pika")
	erin.Send("any key", "published by libzmq")
	alice.Expect("published by libzmq")
	bob.Expect("published by libzmq")
	carol.Expect("received published by libzmq")
	if m := recv(t, dave); !slices.Equal(m, []string{"any key", "published by libzmq"}) {
		t.Errorf("the subscriber got %q", m)
	}
}
