package dealer_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/dealer"
	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
)

// RFC 28, The DEALER Socket Type.

func TestMessagesGoOutInTurnAndUnchanged(t *testing.T) {
	c := &dealer.Core{}
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	for _, m := range []string{"|1", "2|x", "3"} {
		if err := patterntest.Send(c, m); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(a.Sent, []string{"|1", "3"}) || !slices.Equal(b.Sent, []string{"2|x"}) {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
}

func TestNothingIsDroppedWhenNoPeerHasRoom(t *testing.T) {
	c := &dealer.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	a.Room = 1
	if err := patterntest.Send(c, "1"); err != nil {
		t.Fatal(err)
	}
	if err := patterntest.Send(c, "2"); !errors.Is(err, pattern.ErrAgain) {
		t.Errorf("error %v", err)
	}
}

func TestPeersAreReadInTurn(t *testing.T) {
	c := &dealer.Core{}
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Says(c, "a1", "a2")
	b.Says(c, "b1", "b2")
	for _, want := range []string{"a1", "b1", "a2", "b2", patterntest.Again} {
		if got := patterntest.Recv(c); got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}

func TestAPeerKeepsItsPlaceWhileItReconnects(t *testing.T) {
	c := &dealer.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	c.Disconnected(&a.Pipe)
	if err := patterntest.Send(c, "1"); err != nil || len(a.Sent) != 1 {
		t.Errorf("error %v, the queue has %q", err, a.Sent)
	}
}
