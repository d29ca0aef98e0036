package pull_test

import (
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
	"github.com/warrenmq/warren/zmq/internal/pattern/pull"
)

// RFC 30, The PULL Socket Type, "For processing incoming messages".

func TestPeersAreReadInTurn(t *testing.T) {
	c := &pull.Core{}
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Says(c, "a1", "a2", "a3")
	b.Says(c, "b1")
	for _, want := range []string{"a1", "b1", "a2", "a3", patterntest.Again} {
		if got := patterntest.Recv(c); got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}

func TestWhatAPeerSentBeforeItLeftIsReceived(t *testing.T) {
	c := &pull.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "1", "2")
	c.Detach(&a.Pipe)
	for _, want := range []string{"1", "2", patterntest.Again} {
		if got := patterntest.Recv(c); got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}
