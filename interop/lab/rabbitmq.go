package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rabbitServer is the start script inside Debian's package. The one in PATH
// changes to the rabbitmq user, which may not write to our folder.
const rabbitServer = "/usr/lib/rabbitmq/bin/rabbitmq-server"

const rabbitCtl = "/usr/lib/rabbitmq/bin/rabbitmqctl"

// runRabbitMQ runs the server ($0) until standard input ends, which it also does
// when the test's process is killed. The port mapper, on port $1, was started by
// the node for the node.
const runRabbitMQ = `"$0" & node=$!; cat >/dev/null; kill -TERM $node; wait $node; epmd -port "$1" -kill`

// Rabbit is a RabbitMQ node. Nothing of it touches the system's service: node name, ports, cookie, data and logs are its own.
type Rabbit struct {
	URL string

	home, addr, epmd string
	env              []string
	cmd              *exec.Cmd
	stdin            io.Closer     // it runs until that ends
	done             chan struct{} // closed when it has ended
}

// shared is the one RabbitMQ node that tests of this process share.
type shared struct {
	node *Rabbit
	err  error
}

// RabbitMQ returns the URL of a RabbitMQ node of this process's own, started on first use and stopped after the last test.
// It skips the test when RabbitMQ is not installed.
func RabbitMQ(t testing.TB) string {
	t.Helper()
	needRabbitMQ(t)
	mu.Lock()
	defer mu.Unlock()
	if rabbitMQ == nil {
		rabbitMQ = &shared{node: newRabbit(t, "rabbitmq")}
		if rabbitMQ.err = rabbitMQ.node.start(); rabbitMQ.err == nil {
			atExit = append(atExit, rabbitMQ.node.stop)
		}
	}
	if rabbitMQ.err != nil {
		t.Fatal(rabbitMQ.err)
	}
	return rabbitMQ.node.URL
}

// OwnRabbitMQ starts a RabbitMQ node for one test, which may restart it; it is stopped when the test ends. It skips the
// test when RabbitMQ is not installed.
func OwnRabbitMQ(t testing.TB) *Rabbit {
	t.Helper()
	needRabbitMQ(t)
	r := newRabbit(t, fmt.Sprint("rabbitmq-", Port(t)))
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop() })
	return r
}

// Restart ends the node in order and starts it again on what it has kept.
func (r *Rabbit) Restart(t testing.TB) {
	t.Helper()
	r.stop()
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
}

// RabbitMQCtl runs rabbitmqctl against the shared node and returns what it prints.
func RabbitMQCtl(t testing.TB, args ...string) []byte {
	t.Helper()
	RabbitMQ(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, rabbitCtl, args...)
	cmd.Env = rabbitMQ.node.env
	cmd.WaitDelay = outputDelay
	noOrphan(cmd)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("rabbitmqctl %s: %v\n%s", strings.Join(args, " "), err, tail(errs.Bytes()))
	}
	return out.Bytes()
}

func needRabbitMQ(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(rabbitServer); err != nil {
		Missing(t, "RabbitMQ is not installed (Debian package rabbitmq-server)")
	}
}

// newRabbit is a node that does not run yet, with a folder of that name.
func newRabbit(t testing.TB, folder string) *Rabbit {
	r := &Rabbit{home: filepath.Join(dir, folder), addr: Addr(t), epmd: fmt.Sprint(Port(t))}
	r.URL = "amqp://guest:guest@" + r.addr + "/"
	_, port, _ := net.SplitHostPort(r.addr)
	r.env = append(os.Environ(),
		"HOME="+r.home,
		"RABBITMQ_NODENAME=warren-interop-"+port+"@localhost",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		"RABBITMQ_NODE_PORT="+port,
		"RABBITMQ_DIST_PORT="+fmt.Sprint(Port(t)),
		"ERL_EPMD_PORT="+r.epmd,
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_MNESIA_BASE="+filepath.Join(r.home, "data"),
		"RABBITMQ_LOG_BASE="+filepath.Join(r.home, "log"),
		"RABBITMQ_LOGS="+filepath.Join(r.home, "log", "node.log"),
		"RABBITMQ_PID_FILE="+filepath.Join(r.home, "pid"),
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(r.home, "none"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(r.home, "rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(r.home, "enabled_plugins"),
	)
	return r
}

// start starts the node and waits until it listens.
func (r *Rabbit) start() error {
	if err := os.MkdirAll(r.home, 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"rabbitmq.conf":   "loopback_users = none\nvm_memory_high_watermark.absolute = 2GB\ndisk_free_limit.absolute = 10MB\n",
		"enabled_plugins": "[].\n",
	} {
		if err := os.WriteFile(filepath.Join(r.home, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	cmd := exec.Command("sh", "-c", runRabbitMQ, rabbitServer, r.epmd)
	cmd.Env = r.env
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(r.home, "start.log"))
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		log.Close()
		return err
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		log.Close()
		close(done)
	}()
	r.cmd, r.stdin, r.done = cmd, stdin, done

	for deadline := time.Now().Add(3 * Patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		select {
		case <-done:
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("RabbitMQ ended at its start:\n%s", tail(text))
		default:
		}
		if greets(r.addr) {
			return nil
		}
	}
	r.stop()
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("RabbitMQ did not listen on %s in time:\n%s", r.addr, tail(text))
}

// stop ends the node in order, if it runs.
func (r *Rabbit) stop() {
	if r.done == nil {
		return
	}
	r.stdin.Close()
	select {
	case <-r.done:
	case <-time.After(Patience):
		r.cmd.Process.Kill()
		<-r.done
	}
}

// greets reports whether an AMQP 0-9-1 server answers the protocol header
// with a method frame (connection.start).
func greets(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := c.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return false
	}
	b := make([]byte, 1)
	_, err = c.Read(b)
	return err == nil && b[0] == 1
}
