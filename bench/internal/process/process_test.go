package process

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func isReady(line string) bool { return line == "ready" }

func TestStartReturnsAtTheLineThatIsWatchedFor(t *testing.T) {
	p, err := Start(t.Context(), exec.Command("sh", "-c", "echo first; echo ready; exec sleep 60"), isReady)
	if err != nil {
		t.Fatal(err)
	}
	p.Stop(time.Second)
	if tail := p.Tail(); !strings.HasPrefix(tail, "first\nready") {
		t.Errorf("it printed %q", tail)
	}
}

func TestAProgramThatEndsBeforeItIsReadyIsAnErrorWithWhatItSaid(t *testing.T) {
	_, err := Start(t.Context(), exec.Command("sh", "-c", "echo no room; exit 3"), isReady)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("error %v", err)
	}
}

func TestTheContextEndsAStart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, exec.Command("sleep", "60"), isReady); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("error %v", err)
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	p, err := Start(t.Context(), exec.Command("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"), isReady)
	if err != nil {
		t.Fatal(err)
	}
	if pid, err := Descendant(p.PID(), "sh"); err != nil || pid != p.PID() {
		t.Errorf("Descendant = %d, %v; want %d", pid, err, p.PID())
	}
	if _, err := Descendant(p.PID(), "no such program"); err == nil {
		t.Error("a program that does not run was found")
	}
	p.Stop(50 * time.Millisecond)
	if !p.Ended() || syscall.Kill(p.PID(), 0) == nil {
		t.Error("it goes on")
	}
}
