package xpub_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
	"github.com/warrenmq/warren/zmq/internal/pattern/xpub"
)

// RFC 29, The XPUB Socket Type.

func send(t *testing.T, c *xpub.Core, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := patterntest.Send(c, text); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASubscriberGetsWhatBeginsWithItsPrefixOnce(t *testing.T) {
	c := xpub.New(0, false)
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Says(c, "\x01a", "\x01ab")
	b.Says(c, "\x01")
	send(t, c, "abc|1", "b|2", "a|3")
	if !slices.Equal(a.Sent, []string{"abc|1", "a|3"}) || !slices.Equal(b.Sent, []string{"abc|1", "b|2", "a|3"}) {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
}

func TestBothFormsOfSubscriptionAreAcceptedFromAnyPeer(t *testing.T) {
	c := xpub.New(0, false)
	a := patterntest.Join(c, patterntest.New("a"))
	a.Commands(c, "\x09SUBSCRIBEx")
	a.Says(c, "\x01y")
	send(t, c, "x1", "y1")
	a.Says(c, "\x00x")
	a.Commands(c, "\x06CANCELy")
	send(t, c, "x2", "y2")
	if !slices.Equal(a.Sent, []string{"x1", "y1"}) {
		t.Errorf("a got %q", a.Sent)
	}
}

func TestTheUserHearsOfTheFirstAndTheLastSubscriberOfAPrefix(t *testing.T) {
	c := xpub.New(0, false)
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Says(c, "\x01x", "\x01x")
	b.Says(c, "\x01x")
	a.Says(c, "\x00x", "\x00x", "\x00never")
	b.Says(c, "\x00x")
	for _, want := range []string{"\x01x", "\x00x", patterntest.Again} {
		if got := patterntest.Recv(c); got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}

func TestAVerboseOneHearsOfEverySubscription(t *testing.T) {
	c := xpub.New(0, false)
	c.Verbose = true
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Says(c, "\x01x", "\x01x")
	b.Says(c, "\x01x")
	for _, want := range []string{"\x01x", "\x01x", "\x01x", patterntest.Again} {
		if got := patterntest.Recv(c); got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}

func TestAPeerThatLeavesCancelsWhatItHad(t *testing.T) {
	c := xpub.New(0, false)
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Says(c, "\x01z", "\x01a", "\x01shared")
	b.Says(c, "\x01shared")
	for range 3 {
		patterntest.Recv(c)
	}
	c.Detach(&a.Pipe)
	for _, want := range []string{"\x00a", "\x00z", patterntest.Again} {
		if got := patterntest.Recv(c); got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
	send(t, c, "z", "shared")
	if len(a.Sent) != 0 || !slices.Equal(b.Sent, []string{"shared"}) {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
	a.Says(c, "\x01late")
	if got := patterntest.Recv(c); got != patterntest.Again {
		t.Errorf("a peer that left subscribed: %q", got)
	}
}

func TestOtherMessagesOfSubscribersGoUp(t *testing.T) {
	c := xpub.New(0, false)
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "hello|there", "\x01x|two frames are no subscription", "")
	for _, want := range []string{"hello|there", "\x01x|two frames are no subscription", "", patterntest.Again} {
		if got := patterntest.Recv(c); got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}

func TestAQuietOneKeepsNothing(t *testing.T) {
	c := xpub.New(0, true)
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "\x01x", "hello", "\x00x")
	c.Detach(&a.Pipe)
	if got := patterntest.Recv(c); got != patterntest.Again {
		t.Errorf("received %q", got)
	}
}

func TestAFullSubscriberLosesTheMessageAlone(t *testing.T) {
	c := xpub.New(0, true)
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Says(c, "\x01")
	b.Says(c, "\x01")
	a.Room = 1
	send(t, c, "1", "2")
	if !slices.Equal(a.Sent, []string{"1"}) || !slices.Equal(b.Sent, []string{"1", "2"}) {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
}

func TestSubscriptionsBeyondTheLimitEndTheConnection(t *testing.T) {
	c := xpub.New(3*64+10, true)
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "\x01aaaa", "\x01bbbb", "\x01bbbb", "\x01cc")
	if len(a.Resets) != 0 {
		t.Fatalf("reset too early: %q", a.Resets)
	}
	a.Says(c, "\x00aaaa", "\x01dddd")
	if len(a.Resets) != 0 {
		t.Fatalf("a cancelled subscription still counts: %q", a.Resets)
	}
	a.Says(c, "\x01"+strings.Repeat("e", 20))
	if len(a.Resets) != 1 {
		t.Error("no reset")
	}
}

func TestAnUnreadXpubStopsReadingItsPeers(t *testing.T) {
	c := xpub.New(0, false)
	a := patterntest.Join(c, patterntest.New("a"))
	const many = 1<<16 + 10
	for range many {
		a.Says(c, "note")
	}
	if got := patterntest.Recv(c); got != "note" {
		t.Fatalf("received %q", got)
	}
	for i := 1; i < many; i++ {
		if got := patterntest.Recv(c); got != "note" {
			t.Fatalf("message %d: received %q", i, got)
		}
	}
	if got := patterntest.Recv(c); got != patterntest.Again {
		t.Errorf("received %q", got)
	}
}

func TestAnUnreadXpubKeepsAFewMebibytesAtMost(t *testing.T) {
	c := xpub.New(0, false)
	a := patterntest.Join(c, patterntest.New("a"))
	large := strings.Repeat("x", 1<<20)
	const many = 20
	for range many {
		a.Says(c, large)
	}
	if left := a.Unread(); left < many-9 {
		t.Errorf("%d of %d messages of 1 MiB were left in their queue", left, many)
	}
	for i := range many {
		if got := patterntest.Recv(c); got != large {
			t.Fatalf("message %d: received %d bytes", i, len(got))
		}
	}
}
