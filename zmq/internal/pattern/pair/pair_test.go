package pair_test

import (
	"errors"
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/pair"
	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
)

// RFC 31, The PAIR Socket Type.

func TestASecondPeerIsRefusedUntilTheFirstIsGone(t *testing.T) {
	c := &pair.Core{}
	a, b := patterntest.New("a"), patterntest.New("b")
	if !c.Attach(&a.Pipe) {
		t.Fatal("the first peer was refused")
	}
	if c.Attach(&b.Pipe) {
		t.Fatal("a second peer was accepted")
	}
	c.Detach(&a.Pipe)
	if !c.Attach(&b.Pipe) {
		t.Error("the next peer was refused")
	}
}

func TestSendingWaitsForThePeerAndForRoom(t *testing.T) {
	c := &pair.Core{}
	if err := patterntest.Send(c, "1"); !errors.Is(err, pattern.ErrAgain) {
		t.Errorf("without a peer: error %v", err)
	}
	a := patterntest.Join(c, patterntest.New("a"))
	a.Room = 1
	if err := patterntest.Send(c, "1"); err != nil {
		t.Errorf("with room: error %v", err)
	}
	if err := patterntest.Send(c, "2"); !errors.Is(err, pattern.ErrAgain) {
		t.Errorf("without room: error %v", err)
	}
}

func TestTheLastWordsOfAPeerComeBeforeItsSuccessors(t *testing.T) {
	c := &pair.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "a1", "a2")
	c.Detach(&a.Pipe)
	b := patterntest.Join(c, patterntest.New("b"))
	b.Says(c, "b1")
	got := map[string]bool{}
	for range 3 {
		got[patterntest.Recv(c)] = true
	}
	if !got["a1"] || !got["a2"] || !got["b1"] {
		t.Errorf("received %v", got)
	}
}
