package pub_test

import (
	"slices"
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
	"github.com/warrenmq/warren/zmq/internal/pattern/pub"
)

// RFC 29, The PUB Socket Type.

func TestSubscriptionsAreObeyedAndNotShown(t *testing.T) {
	c := pub.New(0)
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "\x01x", "what a subscriber sends is discarded")
	for _, m := range []string{"x1", "y1"} {
		if err := patterntest.Send(c, m); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(a.Sent, []string{"x1"}) {
		t.Errorf("a got %q", a.Sent)
	}
	if got := patterntest.Recv(c); got != patterntest.Again {
		t.Errorf("received %q", got)
	}
}

func TestAPeerThatReconnectsStartsWithoutSubscriptions(t *testing.T) {
	c := pub.New(0)
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "\x01")
	c.Disconnected(&a.Pipe)
	c.Connected(&a.Pipe)
	_ = patterntest.Send(c, "1")
	a.Says(c, "\x01")
	_ = patterntest.Send(c, "2")
	if !slices.Equal(a.Sent, []string{"2"}) {
		t.Errorf("a got %q", a.Sent)
	}
}
