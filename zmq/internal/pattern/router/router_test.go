package router_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
	"github.com/warrenmq/warren/zmq/internal/pattern/router"
)

// RFC 28, The ROUTER Socket Type.

func TestMessagesCarryTheSendersIdInFront(t *testing.T) {
	c := router.New(0, false)
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Says(c, "|1", "|2")
	b.Says(c, "x")
	for _, want := range []string{"a||1", "b|x", "a||2", patterntest.Again} {
		if got := patterntest.Recv(c); got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}

func TestMessagesGoToThePeerThatIsNamed(t *testing.T) {
	c := router.New(0, false)
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	for _, m := range []string{"b|1", "a|2|x", "b|3"} {
		if err := patterntest.Send(c, m); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(a.Sent, []string{"2|x"}) || !slices.Equal(b.Sent, []string{"1", "3"}) {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
}

func TestWhatHasNoWayToGoIsDroppedUnlessMandatory(t *testing.T) {
	for _, test := range []struct {
		mandatory     bool
		unknown, full error
	}{
		{false, nil, nil},
		{true, pattern.ErrUnroutable, pattern.ErrAgain},
	} {
		c := router.New(0, test.mandatory)
		a := patterntest.Join(c, patterntest.New("a"))
		a.Room = 0
		if err := patterntest.Send(c, "nobody|1"); !errors.Is(err, test.unknown) {
			t.Errorf("mandatory %v: unknown id: error %v", test.mandatory, err)
		}
		if err := patterntest.Send(c, "a|1"); !errors.Is(err, test.full) {
			t.Errorf("mandatory %v: full queue: error %v", test.mandatory, err)
		}
	}
}

func TestAPeerWithoutANameIsGivenFiveBytesThatBeginWithZero(t *testing.T) {
	c := router.New(0x01020304, false)
	a := patterntest.Join(c, patterntest.New(""))
	a.Says(c, "hello")
	if got, want := patterntest.Recv(c), "\x00\x01\x02\x03\x05|hello"; got != want {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestAnIdThatIsMadeUpSurvivesAReconnect(t *testing.T) {
	c := router.New(7, false)
	a := patterntest.Join(c, patterntest.New(""))
	first := string(a.ID)
	c.Disconnected(&a.Pipe)
	c.Connected(&a.Pipe)
	if string(a.ID) != first {
		t.Errorf("the id was %q and is %q", first, a.ID)
	}
}

func TestASecondPeerOfTheSameIdIsIgnored(t *testing.T) {
	c := router.New(0, false)
	a := patterntest.Join(c, patterntest.New("a"))
	double := patterntest.Join(c, patterntest.New("a"))
	double.Says(c, "from the second")
	if got := patterntest.Recv(c); got != patterntest.Again {
		t.Errorf("received %q", got)
	}
	if err := patterntest.Send(c, "a|1"); err != nil || len(a.Sent) != 1 || len(double.Sent) != 0 {
		t.Errorf("error %v, the first got %q, the second %q", err, a.Sent, double.Sent)
	}
	c.Detach(&double.Pipe)
	if err := patterntest.Send(c, "a|2"); err != nil || len(a.Sent) != 2 {
		t.Errorf("after the second left: error %v, the first got %q", err, a.Sent)
	}
}

func TestTheIdIsReadAgainAtEachReconnect(t *testing.T) {
	c := router.New(0, true)
	a := patterntest.Join(c, patterntest.New("old"))
	c.Disconnected(&a.Pipe)
	a.Pipe.Peer.Identity = []byte("new")
	c.Connected(&a.Pipe)
	if err := patterntest.Send(c, "new|1"); err != nil || len(a.Sent) != 1 {
		t.Errorf("to the new id: error %v, sent %q", err, a.Sent)
	}
	if err := patterntest.Send(c, "old|1"); !errors.Is(err, pattern.ErrUnroutable) {
		t.Errorf("to the old id: error %v", err)
	}
}

func TestAPeerThatLeftCanBeHeardButNotReached(t *testing.T) {
	c := router.New(0, true)
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "1")
	c.Detach(&a.Pipe)
	if got := patterntest.Recv(c); got != "a|1" {
		t.Errorf("received %q", got)
	}
	if err := patterntest.Send(c, "a|2"); !errors.Is(err, pattern.ErrUnroutable) {
		t.Errorf("error %v", err)
	}
}
