package sub_test

import (
	"slices"
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
	"github.com/warrenmq/warren/zmq/internal/pattern/sub"
)

// RFC 29, The SUB Socket Type.

func TestSubscriptionsAreCounted(t *testing.T) {
	c := &sub.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	c.Subscribe("x")
	c.Subscribe("x")
	if !c.Unsubscribe("x") {
		t.Error("the first unsubscribe found nothing")
	}
	a.Says(c, "x1")
	if got := patterntest.Recv(c); got != "x1" {
		t.Errorf("with one subscription left: received %q", got)
	}
	if !c.Unsubscribe("x") || c.Unsubscribe("x") {
		t.Error("the second unsubscribe must find one subscription, the third none")
	}
	if want := []string{"+x", "-x"}; !slices.Equal(a.Announced, want) {
		t.Errorf("announced %q, want %q", a.Announced, want)
	}
}

func TestWhatIsNotSubscribedToIsDropped(t *testing.T) {
	c := &sub.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "x1")
	if got := patterntest.Recv(c); got != patterntest.Again {
		t.Errorf("without a subscription: received %q", got)
	}
	c.Subscribe("x")
	a.Says(c, "y|x", "x|1", "", "xyz")
	for _, want := range []string{"x|1", "xyz", patterntest.Again} {
		if got := patterntest.Recv(c); got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}
