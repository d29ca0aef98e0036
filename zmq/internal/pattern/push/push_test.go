package push_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
	"github.com/warrenmq/warren/zmq/internal/pattern/push"
)

// RFC 30, The PUSH Socket Type, "For processing outgoing messages".

func TestMessagesGoToThePeersInTurn(t *testing.T) {
	c := &push.Core{}
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	for _, m := range []string{"1", "2", "3", "4"} {
		if err := patterntest.Send(c, m); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(a.Sent, []string{"1", "3"}) || !slices.Equal(b.Sent, []string{"2", "4"}) {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
}

func TestWithoutAPeerNothingIsAccepted(t *testing.T) {
	c := &push.Core{}
	if err := patterntest.Send(c, "1"); !errors.Is(err, pattern.ErrAgain) {
		t.Errorf("error %v", err)
	}
}

func TestAPeerExistsFromItsDialOn(t *testing.T) {
	c := &push.Core{}
	a := patterntest.New("a")
	c.Attach(&a.Pipe)
	if err := patterntest.Send(c, "1"); err != nil || len(a.Sent) != 1 {
		t.Errorf("error %v, the queue has %q", err, a.Sent)
	}
}

func TestAFullPeerIsPassedOverUntilItHasRoom(t *testing.T) {
	c := &push.Core{}
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Room, b.Room = 1, 2
	for _, m := range []string{"1", "2", "3"} {
		if err := patterntest.Send(c, m); err != nil {
			t.Fatal(err)
		}
	}
	if err := patterntest.Send(c, "4"); !errors.Is(err, pattern.ErrAgain) {
		t.Fatalf("with all queues full: error %v", err)
	}
	a.Room = 1
	c.Writable(&a.Pipe)
	if err := patterntest.Send(c, "4"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Sent, []string{"1", "4"}) || !slices.Equal(b.Sent, []string{"2", "3"}) {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
}

func TestAPeerThatIsGoneGetsNothingEvenIfItHadBeenFull(t *testing.T) {
	c := &push.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	a.Room = 0
	_ = patterntest.Send(c, "1")
	c.Detach(&a.Pipe)
	a.Room = 1
	c.Writable(&a.Pipe)
	if err := patterntest.Send(c, "1"); !errors.Is(err, pattern.ErrAgain) {
		t.Errorf("error %v, a got %q", err, a.Sent)
	}
}

func TestWhatPeersSendIsThrownAway(t *testing.T) {
	c := &push.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "x", "y")
	if got := patterntest.Recv(c); got != patterntest.Again {
		t.Errorf("received %q", got)
	}
	if a.Pop(new(pattern.In)) {
		t.Error("messages stay in the queue")
	}
}
