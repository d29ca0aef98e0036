package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/warrenmq/warren/bench/internal/process"
	"github.com/warrenmq/warren/load/amqp"
)

// What a confirm means is seen from outside: between reading a publish and
// writing its confirm, the program writes to a file and waits for the disk.
func TestAConfirmIsWrittenAfterASyncThatBeganAfterThePublishWasRead(t *testing.T) {
	if err := exec.Command("strace", "-o", os.DevNull, "true").Run(); err != nil {
		t.Skipf("strace: %v (Debian: apt-get install strace)", err)
	}
	dir := t.TempDir()
	o := options{}
	if err := o.build(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	address, trace := fmt.Sprintf("127.0.0.1:%d", port), filepath.Join(dir, "trace")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.Command("strace", "-f", "-xx", "-s", "4096", "-e", "trace=read,recvfrom,write,writev,sendto,sendmsg,pwrite64,pwritev,fsync,fdatasync",
		"-o", trace, o.warren, "serve", "--data", filepath.Join(dir, "data"), "--listen", "amqp://"+address)
	p, err := process.Start(ctx, cmd, func(line string) bool { return line == "ready" })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	const messages = 20
	r, err := amqp.Run(ctx, amqp.Options{
		URL: "amqp://" + address, Count: messages, Persistent: true, Confirms: 1, Consumers: amqp.None, Keep: true, Size: 64,
	})
	if err != nil || r.Confirmed != messages {
		t.Fatalf("%+v, %v", r, err)
	}
	pid, err := process.Descendant(p.PID(), filepath.Base(o.warren))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.Stop(20 * time.Second) // it ends with what it traces

	calls := readTrace(t, trace)
	const publish, ack = `\x00\x3c\x00\x28`, `\x00\x3c\x00\x50`
	confirmed := 0
	read := -1 // the line by which the last publish was read
	for _, c := range calls {
		switch {
		case (c.name == "read" || c.name == "recvfrom") && strings.Contains(c.text, publish):
			read = c.end
		case strings.HasPrefix(c.name, "write") || strings.HasPrefix(c.name, "send"):
			if !strings.Contains(c.text, ack) {
				continue
			}
			confirmed++
			if read < 0 {
				t.Fatalf("line %d confirms what was not read:\n%s", c.begin, c.text)
			}
			if !syncedBetween(calls, read, c.begin) {
				t.Errorf("the publish read in line %d is confirmed in line %d, without a write and then a sync between them", read, c.begin)
			}
			read = -1
		}
	}
	if confirmed != messages {
		t.Errorf("%d confirms in the trace, want %d", confirmed, messages)
	}
}

// call is a system call in a trace: the lines in which it begins and ends.
type call struct {
	name       string
	text       string
	begin, end int
}

// syncedBetween tells whether something was written to a file and then synced,
// all of it between two lines.
func syncedBetween(calls []call, from, to int) bool {
	written := false
	for _, c := range calls {
		if c.begin < from || c.end > to {
			continue
		}
		switch {
		case strings.HasPrefix(c.name, "pwrite"):
			written = true
		case strings.HasSuffix(c.name, "sync") && strings.HasSuffix(c.text, "= 0") && written:
			return true
		}
	}
	return false
}

var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\(`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>`)
)

// readTrace returns the calls that have ended, in the order in which they did.
func readTrace(t *testing.T, name string) (calls []call) {
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	begun := map[string]call{} // by thread
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for n := 0; lines.Scan(); n++ {
		line := lines.Text()
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			c := begun[m[1]]
			c.end = n
			c.text += line
			calls = append(calls, c)
			continue
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		c := call{name: m[2], text: line, begin: n, end: n}
		if strings.HasSuffix(line, "<unfinished ...>") {
			begun[m[1]] = c
			continue
		}
		calls = append(calls, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return calls
}
