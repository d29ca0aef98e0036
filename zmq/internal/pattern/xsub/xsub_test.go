package xsub_test

import (
	"slices"
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
	"github.com/warrenmq/warren/zmq/internal/pattern/xsub"
)

// RFC 29, The XSUB Socket Type.

func send(t *testing.T, c *xsub.Core, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := patterntest.Send(c, text); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEverySubscriptionIsToldAndOnlyTheLastCancellation(t *testing.T) {
	c := &xsub.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	send(t, c, "\x01x", "\x01x", "\x00x", "\x00x", "\x00x")
	if want := []string{"+x", "+x", "-x"}; !slices.Equal(a.Announced, want) {
		t.Errorf("announced %q, want %q", a.Announced, want)
	}
}

func TestWhoeverConnectsIsToldAllSubscriptionsOnce(t *testing.T) {
	c := &xsub.Core{}
	send(t, c, "\x01b", "\x01a", "\x01a", "\x01gone", "\x00gone")
	a := patterntest.Join(c, patterntest.New("a"))
	slices.Sort(a.Announced)
	if want := []string{"+a", "+b"}; !slices.Equal(a.Announced, want) {
		t.Errorf("announced %q, want %q", a.Announced, want)
	}
	a.Announced = nil
	c.Disconnected(&a.Pipe)
	c.Connected(&a.Pipe)
	if len(a.Announced) != 2 {
		t.Errorf("after a reconnect: announced %q", a.Announced)
	}
}

func TestOtherMessagesGoToAllPublishersWithRoom(t *testing.T) {
	c := &xsub.Core{}
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Room = 1
	send(t, c, "hello", "\x01two|frames", "")
	if !slices.Equal(a.Sent, []string{"hello"}) || !slices.Equal(b.Sent, []string{"hello", "\x01two|frames", ""}) {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
	c.Detach(&b.Pipe)
	send(t, c, "bye")
	if len(b.Sent) != 3 {
		t.Errorf("a publisher that left got %q", b.Sent)
	}
}

func TestNothingIsFiltered(t *testing.T) {
	c := &xsub.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "x")
	if got := patterntest.Recv(c); got != "x" {
		t.Errorf("received %q", got)
	}
}
