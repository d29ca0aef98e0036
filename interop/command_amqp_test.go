package interop

import (
	"fmt"
	"strings"
	"testing"

	"github.com/warrenmq/warren/interop/lab"
)

// The command's AMQP client is one for any broker: what it publishes pika
// consumes, what pika publishes it prints, on RabbitMQ as on Warren.
func TestAMQPCommandMeetsPika(t *testing.T) {
	lab.NeedPython(t, "pika")
	for _, broker := range brokers {
		t.Run(broker.name, func(t *testing.T) {
			url := broker.url(t)
			queue := fmt.Sprintf("interop-%d", names.Add(1))
			warren := func(stdin string, args ...string) string {
				t.Helper()
				args = append([]string{"amqp", args[0], "--url", url}, args[1:]...)
				return string(lab.MustRun(t, []byte(stdin), lab.Warren(t), args...))
			}
			pika := func(script, stdin string, args ...string) string {
				t.Helper()
				args = append([]string{lab.Path("interop/peers/pika/" + script), "--url", url, "--queue", queue}, args...)
				return string(lab.MustRun(t, []byte(stdin), lab.Python, args...))
			}
			check := func(what, got string, want ...string) {
				t.Helper()
				same(t, what, []byte(got), string(lines(want)))
			}

			// Declares the queue that the others then share.
			check("sent", pika("send.py", "", "from pika 1", "from pika 2"), "sent from pika 1", "sent from pika 2")
			check("get", warren("", "get", "--queue", queue), "from pika 1")
			check("consume", warren("", "consume", "--queue", queue, "--count", "1"), "from pika 2")

			warren("", "publish", "--key", queue, "an argument ☃")
			warren("line 1\nline 2\n", "publish", "--queue", queue)
			check("what the command published", pika("get.py", "", "3"), "an argument ☃", "line 1", "line 2")

			// By an exchange, to a queue that the command binds and consumes.
			receiver := lab.StartPython(t, "interop/peers/pika/receive_logs_topic.py", "--url", url, "--exchange", queue+"-x", "stock.#")
			if line := receiver.Line(); !strings.HasPrefix(line, "ready") {
				t.Fatalf("got %q", line)
			}
			warren("", "publish", "--exchange", queue+"-x", "--key", "stock.ibm", "101")
			receiver.Expect("received stock.ibm 101")
			leave(receiver)

			// A queue that is not there is one line and an exit code.
			r := lab.Run(t, nil, lab.Warren(t), "amqp", "get", "--url", url, "--queue", queue+"-missing")
			if r.Code == 0 || !strings.Contains(r.Stderr, "no queue '"+queue+"-missing' in vhost '/'") || strings.Count(r.Stderr, "\n") != 1 {
				t.Errorf("get from a missing queue: code %d, %q", r.Code, r.Stderr)
			}
		})
	}
}
