package interop

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warrenmq/warren/interop/lab"
)

// A client library that plays the tutorials' parts. Both print the same
// lines for the same things, so a scenario does not know which it has.
type client struct {
	name  string
	start func(t testing.TB, part string, args ...string) *lab.Process
}

var clients = []client{
	{"pika", func(t testing.TB, part string, args ...string) *lab.Process {
		lab.NeedPython(t, "pika")
		return lab.StartPython(t, "interop/peers/pika/"+part+".py", args...)
	}},
	{"amqp091go", func(t testing.TB, part string, args ...string) *lab.Process {
		path := lab.GoProgram(t, "interop", "peers/amqp091go")
		return lab.Start(t, path, append([]string{part}, args...)...)
	}},
}

// A scenario is one tutorial, played by a publishing and a consuming client
// library against the broker at a URL. Its assertions are the same whichever
// broker is there: that they hold on RabbitMQ makes them the truth, that they
// hold on Warren makes it compatible.
type scenario struct {
	t          *testing.T
	url        string
	name       string // names the scenario's queues and exchanges
	publishers client
	consumers  client
}

func (s *scenario) publisher(part string, args ...string) *lab.Process {
	s.t.Helper()
	return s.publishers.start(s.t, part, append([]string{"--url", s.url}, args...)...)
}

func (s *scenario) consumer(part string, args ...string) *lab.Process {
	s.t.Helper()
	return s.consumers.start(s.t, part, append([]string{"--url", s.url}, args...)...)
}

// publish runs a publishing part to its end.
func (s *scenario) publish(part string, args ...string) {
	s.t.Helper()
	s.publisher(part, args...).Wait()
}

// ready waits for a consumer's "ready" and returns the queue that it names,
// if any.
func (s *scenario) ready(p *lab.Process) (queue string) {
	s.t.Helper()
	line := p.Line()
	queue, ok := strings.CutPrefix(line, "ready")
	if !ok {
		s.t.Fatalf("got %q, want ready", line)
	}
	return strings.TrimSpace(queue)
}

// leave lets a consumer end in good order.
func leave(consumers ...*lab.Process) {
	for _, c := range consumers {
		c.EndInput()
	}
	for _, c := range consumers {
		c.Wait()
	}
}

var names atomic.Int64

// The brokers that a scenario must come out the same on; url starts what is
// needed.
var brokers = []struct {
	name string
	url  func(t testing.TB) string
}{
	{"warren", func(t testing.TB) string {
		addr := lab.Addr(t)
		lab.Serve(t, "amqp://"+addr)
		return "amqp://guest:guest@" + addr + "/"
	}},
	{"rabbitmq", lab.RabbitMQ},
}

// tutorial runs a scenario on both brokers with both libraries at both ends.
func tutorial(t *testing.T, play func(s *scenario)) {
	var cells []lab.Cell
	for _, b := range brokers {
		for _, p := range clients {
			for _, c := range clients {
				cells = append(cells, lab.Cell{
					Name: fmt.Sprintf("%s/%s-to-%s", b.name, p.name, c.name),
					Run: func(t *testing.T) {
						play(&scenario{
							t: t, url: b.url(t), publishers: p, consumers: c,
							name: fmt.Sprintf("interop-%d", names.Add(1)),
						})
					},
				})
			}
		}
	}
	lab.Matrix(t, cells)
}

// Hello world: what was sent before the receiver came and what is sent after
// arrives once and in order.
func TestAMQPTutorial1HelloWorld(t *testing.T) {
	tutorial(t, func(s *scenario) {
		s.publish("send", "--queue", s.name, "early 1", "early 2")
		receive := s.consumer("receive", "--queue", s.name)
		s.ready(receive)
		receive.Expect("received early 1", "received early 2")
		s.publish("send", "--queue", s.name, "Hello World!", "naïve ☃", "end")
		receive.Expect("received Hello World!", "received naïve ☃", "received end")

		check := s.publisher("declare", "--queue", s.name, "--passive")
		check.Expect("queue " + s.name + " messages=0 consumers=1")
		check.Wait()
		leave(receive)
		check = s.publisher("declare", "--queue", s.name, "--passive")
		check.Expect("queue " + s.name + " messages=0 consumers=0")
		check.Wait()
	})
}

// Work queues, the first half of the tutorial: without a prefetch limit tasks
// go round, the first to the worker that came first.
func TestAMQPTutorial2WorkQueueGoesRound(t *testing.T) {
	tutorial(t, func(s *scenario) {
		first := s.consumer("worker", "--queue", s.name)
		s.ready(first)
		second := s.consumer("worker", "--queue", s.name)
		s.ready(second)
		s.publish("new_task", "--queue", s.name, "1", "2", "3", "4", "5", "6")
		for _, n := range []string{"1", "3", "5"} {
			first.Expect("received "+n+" mode=2 redelivered=false", "done "+n)
		}
		for _, n := range []string{"2", "4", "6"} {
			second.Expect("received "+n+" mode=2 redelivered=false", "done "+n)
		}
		leave(first, second)
	})
}

// Work queues, fair dispatch: with prefetch 1 a busy worker is given nothing
// more, and the idle one does the rest.
func TestAMQPTutorial2WorkQueuePrefetchIsFair(t *testing.T) {
	tutorial(t, func(s *scenario) {
		busy := s.consumer("worker", "--queue", s.name, "--prefetch", "1")
		s.ready(busy)
		s.publish("new_task", "--queue", s.name, "0 hold")
		busy.Expect("received 0 hold mode=2 redelivered=false")
		idle := s.consumer("worker", "--queue", s.name, "--prefetch", "1")
		s.ready(idle)
		s.publish("new_task", "--queue", s.name, "1", "2", "3", "4 hold", "5")
		for _, n := range []string{"1", "2", "3"} {
			idle.Expect("received "+n+" mode=2 redelivered=false", "done "+n)
		}
		idle.Expect("received 4 hold mode=2 redelivered=false")
		check := s.publisher("declare", "--queue", s.name, "--passive")
		check.Expect("queue " + s.name + " messages=1 consumers=2")
		check.Wait()

		busy.Say("done")
		busy.Expect("done 0 hold", "received 5 mode=2 redelivered=false", "done 5")
		idle.Say("done")
		idle.Expect("done 4 hold")
		leave(busy, idle)
	})
}

// Work queues, acknowledgement: what a killed worker had not acknowledged
// goes to another one, marked as redelivered and in its place.
func TestAMQPTutorial2WorkQueueKilledWorkerLosesNothing(t *testing.T) {
	tutorial(t, func(s *scenario) {
		doomed := s.consumer("worker", "--queue", s.name, "--prefetch", "2")
		s.ready(doomed)
		s.publish("new_task", "--queue", s.name, "a", "b hold", "c hold", "d")
		doomed.Expect(
			"received a mode=2 redelivered=false", "done a",
			"received b hold mode=2 redelivered=false",
			"received c hold mode=2 redelivered=false",
		)
		doomed.Kill()
		heir := s.consumer("worker", "--queue", s.name)
		s.ready(heir)
		heir.Expect(
			"received b hold mode=2 redelivered=true",
			"received c hold mode=2 redelivered=true",
			"received d mode=2 redelivered=false", "done d",
		)
		heir.Say("done")
		heir.Say("done")
		heir.Expect("done b hold", "done c hold")
		leave(heir)
		check := s.publisher("declare", "--queue", s.name, "--passive")
		check.Expect("queue " + s.name + " messages=0 consumers=0")
		check.Wait()
	})
}

// Work queues, durability: a queue cannot be declared again with other
// parameters, and the refusal says which.
func TestAMQPTutorial2WorkQueueRefusesAnotherDurability(t *testing.T) {
	tutorial(t, func(s *scenario) {
		s.publish("new_task", "--queue", s.name, "task")
		check := s.consumer("declare", "--queue", s.name)
		check.Expect("refused 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue '" + s.name +
			"' in vhost '/': received 'false' but current is 'true'")
		check.Wait()
		check = s.consumer("declare", "--queue", s.name, "--durable")
		check.Expect("queue " + s.name + " messages=1 consumers=0")
		check.Wait()
		check = s.consumer("declare", "--queue", s.name+"-missing", "--passive")
		check.Expect("refused 404 NOT_FOUND - no queue '" + s.name + "-missing' in vhost '/'")
		check.Wait()
	})
}

// Publish/subscribe: each receiver's own queue gets a copy of everything
// emitted while it is bound, and nothing from before.
func TestAMQPTutorial3PublishSubscribe(t *testing.T) {
	tutorial(t, func(s *scenario) {
		s.publish("emit_log", "--exchange", s.name, "nobody hears this")
		first := s.consumer("receive_logs", "--exchange", s.name)
		second := s.consumer("receive_logs", "--exchange", s.name)
		queues := []string{s.ready(first), s.ready(second)}
		for _, q := range queues {
			// The broker's own name for it: amq.gen- and 22 characters.
			if rest, ok := strings.CutPrefix(q, "amq.gen-"); !ok || len(rest) != 22 {
				t.Errorf("server-named queue %q", q)
			}
		}
		if queues[0] == queues[1] {
			s.t.Errorf("two receivers were given one queue, %s", queues[0])
		}
		s.publish("emit_log", "--exchange", s.name, "1", "2", "3")
		first.Expect("received 1", "received 2", "received 3")
		second.Expect("received 1", "received 2", "received 3")

		leave(first)
		check := s.publisher("declare", "--queue", queues[0], "--passive")
		check.Expect("refused 404 NOT_FOUND - no queue '" + queues[0] + "' in vhost '/'")
		check.Wait()
		s.publish("emit_log", "--exchange", s.name, "end")
		second.Expect("received end")
		leave(second)
	})
}

// Routing: a direct exchange gives each receiver the severities it asked for.
func TestAMQPTutorial4Routing(t *testing.T) {
	tutorial(t, func(s *scenario) {
		toDisk := s.consumer("receive_logs_direct", "--exchange", s.name, "error", "end")
		toScreen := s.consumer("receive_logs_direct", "--exchange", s.name, "info", "warning", "error", "end")
		s.ready(toDisk)
		s.ready(toScreen)
		s.publish("emit_log_direct", "--exchange", s.name,
			"info", "started", "error", "Run. Run. Or it will explode.", "warning", "hot",
			"Error", "another case is another key", "error.disk", "no patterns here", "error", "again", "end", "")
		error1, error2 := "received error Run. Run. Or it will explode.", "received error again"
		compare(s.t, "error alone", toDisk.LinesUntil("received end "), []string{error1, error2})
		compare(s.t, "all three", toScreen.LinesUntil("received end "),
			[]string{"received info started", error1, "received warning hot", error2})
		leave(toDisk, toScreen)
	})
}

// Topics: * is one word, # any number; a queue bound twice gets one copy.
func TestAMQPTutorial5Topics(t *testing.T) {
	receivers := []struct{ patterns, want []string }{
		{[]string{"#"}, []string{"kern.critical", "kern.info", "cron.critical", "kern", "a.b.critical", "kern.disk.full", "", "kern..x", "end"}},
		{[]string{"kern.*", "end"}, []string{"kern.critical", "kern.info", "end"}},
		{[]string{"*.critical", "end"}, []string{"kern.critical", "cron.critical", "end"}},
		{[]string{"kern.*", "*.critical", "end"}, []string{"kern.critical", "kern.info", "cron.critical", "end"}},
		{[]string{"kern.#", "end"}, []string{"kern.critical", "kern.info", "kern", "kern.disk.full", "kern..x", "end"}},
		{[]string{"#.critical", "end"}, []string{"kern.critical", "cron.critical", "a.b.critical", "end"}},
		{[]string{"*.*.*", "end"}, []string{"a.b.critical", "kern.disk.full", "kern..x", "end"}},
	}
	tutorial(t, func(s *scenario) {
		var started []*lab.Process
		for _, r := range receivers {
			started = append(started, s.consumer("receive_logs_topic", append([]string{"--exchange", s.name}, r.patterns...)...))
		}
		for _, p := range started {
			s.ready(p)
		}
		var pairs []string
		for _, key := range receivers[0].want {
			pairs = append(pairs, key, "to "+key)
		}
		s.publish("emit_log_topic", append([]string{"--exchange", s.name}, pairs...)...)
		for i, r := range receivers {
			var want []string
			for _, key := range r.want {
				want = append(want, fmt.Sprintf("received %s to %s", key, key))
			}
			last := want[len(want)-1]
			compare(s.t, strings.Join(r.patterns, " "), append(started[i].LinesUntil(last), last), want)
		}
		leave(started...)
	})
}

// RPC: many clients, two servers, each answer to the one who asked.
func TestAMQPTutorial6RPC(t *testing.T) {
	tutorial(t, func(s *scenario) {
		servers := []*lab.Process{s.consumer("rpc_server", "--queue", s.name), s.consumer("rpc_server", "--queue", s.name)}
		for _, p := range servers {
			s.ready(p)
		}
		args := [][]string{
			{"--queue", s.name, "30", "0", "1"},
			{"--queue", s.name, "10", "30"},
			{"--queue", s.name, "--direct", "50", "7"},
		}
		var asking []*lab.Process
		for _, a := range args {
			asking = append(asking, s.publisher("rpc_client", a...))
		}
		asking[0].Expect("fib(30) = 832040", "fib(0) = 0", "fib(1) = 1")
		asking[1].Expect("fib(10) = 55", "fib(30) = 832040")
		asking[2].Expect("fib(50) = 12586269025", "fib(7) = 13")
		for _, p := range asking {
			p.Wait()
		}
		leave(servers...)
	})
}

// Two languages on one queue: the work is shared, whatever a worker is
// written in, and nothing is done twice.
func TestAMQPTwoLanguagesOnOneQueue(t *testing.T) {
	tutorial(t, func(s *scenario) {
		workers := []*lab.Process{
			clients[0].start(s.t, "worker", "--url", s.url, "--queue", s.name, "--prefetch", "5"),
			clients[1].start(s.t, "worker", "--url", s.url, "--queue", s.name, "--prefetch", "5"),
		}
		for _, w := range workers {
			s.ready(w)
		}
		const tasks = 200
		var bodies []string
		for i := range tasks {
			bodies = append(bodies, fmt.Sprintf("%03d", i))
		}
		s.publish("new_task", append([]string{"--queue", s.name}, bodies...)...)
		check := func() string {
			p := s.publisher("declare", "--queue", s.name, "--durable")
			defer p.Wait()
			return p.Line()
		}
		// Nothing waits in the queue as soon as the last tasks are prefetched, so what counts is what the workers say.
		var done []string
		counts := make([]int, len(workers))
		for patience := time.Now().Add(lab.Patience); len(done) < tasks && time.Now().Before(patience); {
			for i, w := range workers {
				for {
					line, ok := w.LineWithin(10 * time.Millisecond)
					if !ok {
						break
					}
					if body, ok := strings.CutPrefix(line, "done "); ok {
						done = append(done, body)
						counts[i]++
					}
				}
			}
		}
		for i, n := range counts {
			if n == 0 {
				s.t.Errorf("worker %d was given nothing", i)
			}
		}
		leave(workers...)
		if got, want := check(), "queue "+s.name+" messages=0 consumers=0"; got != want {
			s.t.Errorf("at the end: %s, want %s", got, want)
		}
		slices.Sort(done)
		compare(s.t, "tasks done", done, bodies)
	})
}

func compare(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}
