package lab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// rabbitServer is the start script inside Debian's package. The one in PATH
// changes to the rabbitmq user, which may not write to our folder.
const rabbitServer = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// runRabbitMQ runs the server ($0) until standard input ends, which it also does
// when the test's process is killed. The port mapper, on port $1, was started by
// the node for the node.
const runRabbitMQ = `"$0" & node=$!; cat >/dev/null; kill -TERM $node; wait $node; epmd -port "$1" -kill`

// rabbit is the one RabbitMQ node of this process.
type rabbit struct {
	url string
	err error
}

// RabbitMQ returns the URL of a RabbitMQ node of this process's own, started
// on first use and stopped after the last test. Nothing of it touches the
// system service: node name, ports, cookie, data and logs are its own. It
// skips the test when RabbitMQ is not installed.
func RabbitMQ(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(rabbitServer); err != nil {
		Missing(t, "RabbitMQ is not installed (Debian package rabbitmq-server)")
	}
	mu.Lock()
	defer mu.Unlock()
	if rabbitMQ == nil {
		rabbitMQ = startRabbitMQ(t)
	}
	if rabbitMQ.err != nil {
		t.Fatal(rabbitMQ.err)
	}
	return rabbitMQ.url
}

// startRabbitMQ must be called with mu held.
func startRabbitMQ(t testing.TB) *rabbit {
	home := filepath.Join(dir, "rabbitmq")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return &rabbit{err: err}
	}
	for name, text := range map[string]string{
		"rabbitmq.conf":   "loopback_users = none\nvm_memory_high_watermark.absolute = 2GB\ndisk_free_limit.absolute = 10MB\n",
		"enabled_plugins": "[].\n",
	} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			return &rabbit{err: err}
		}
	}
	addr := Addr(t)
	_, port, _ := net.SplitHostPort(addr)
	epmd := fmt.Sprint(Port(t))
	env := append(os.Environ(),
		"HOME="+home,
		"RABBITMQ_NODENAME=warren-interop-"+port+"@localhost",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		"RABBITMQ_NODE_PORT="+port,
		"RABBITMQ_DIST_PORT="+fmt.Sprint(Port(t)),
		"ERL_EPMD_PORT="+epmd,
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_MNESIA_BASE="+filepath.Join(home, "data"),
		"RABBITMQ_LOG_BASE="+filepath.Join(home, "log"),
		"RABBITMQ_LOGS="+filepath.Join(home, "log", "node.log"),
		"RABBITMQ_PID_FILE="+filepath.Join(home, "pid"),
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(home, "none"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(home, "rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(home, "enabled_plugins"),
	)
	cmd := exec.Command("sh", "-c", runRabbitMQ, rabbitServer, epmd)
	cmd.Env = env
	stop, err := cmd.StdinPipe()
	if err != nil {
		return &rabbit{err: err}
	}
	log, err := os.Create(filepath.Join(home, "start.log"))
	if err != nil {
		return &rabbit{err: err}
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		log.Close()
		return &rabbit{err: err}
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		log.Close()
		close(done)
	}()
	atExit = append(atExit, func() {
		stop.Close()
		select {
		case <-done:
		case <-time.After(Patience):
			cmd.Process.Kill()
			<-done
		}
	})

	for deadline := time.Now().Add(3 * Patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		select {
		case <-done:
			text, _ := os.ReadFile(log.Name())
			return &rabbit{err: fmt.Errorf("RabbitMQ ended at its start:\n%s", tail(text))}
		default:
		}
		if greets(addr) {
			return &rabbit{url: "amqp://guest:guest@" + addr + "/"}
		}
	}
	text, _ := os.ReadFile(log.Name())
	return &rabbit{err: fmt.Errorf("RabbitMQ did not listen on %s in time:\n%s", addr, tail(text))}
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
