package req_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
	"github.com/warrenmq/warren/zmq/internal/pattern/req"
)

// RFC 28, The REQ Socket Type.

func send(t *testing.T, c pattern.Core, text string) {
	t.Helper()
	if err := patterntest.Send(c, text); err != nil {
		t.Fatal(err)
	}
}

func TestRequestsAreDelimitedAndGoOutInTurn(t *testing.T) {
	c := req.New(0, false)
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	send(t, c, "1")
	a.Says(c, "|R1")
	if got := patterntest.Recv(c); got != "R1" {
		t.Fatalf("reply %q", got)
	}
	send(t, c, "2|x")
	b.Says(c, "|R2|y")
	if got := patterntest.Recv(c); got != "R2|y" {
		t.Fatalf("reply %q", got)
	}
	if !slices.Equal(a.Sent, []string{"|1"}) || !slices.Equal(b.Sent, []string{"|2|x"}) {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
}

func TestOnlyThePeerThatWasAskedIsHeard(t *testing.T) {
	c := req.New(0, false)
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	send(t, c, "1")
	b.Says(c, "|not asked")
	a.Says(c, "no delimiter", "", "|R")
	if got := patterntest.Recv(c); got != "R" {
		t.Errorf("reply %q", got)
	}
	if b.Pop(new(pattern.In)) {
		t.Error("the stranger's message stays in its queue")
	}
}

func TestWhatCameTooLateIsNotTheNextReply(t *testing.T) {
	c := req.New(0, false)
	a := patterntest.Join(c, patterntest.New("a"))
	send(t, c, "1")
	a.Says(c, "|R1", "|R1 again")
	if got := patterntest.Recv(c); got != "R1" {
		t.Fatalf("reply %q", got)
	}
	send(t, c, "2")
	a.Says(c, "|R2")
	if got := patterntest.Recv(c); got != "R2" {
		t.Errorf("reply %q", got)
	}
}

func TestALostConnectionIsAnErrorAndTheNextRequestWorks(t *testing.T) {
	c := req.New(0, false)
	a := patterntest.Join(c, patterntest.New("a"))
	send(t, c, "1")
	c.Disconnected(&a.Pipe)
	if err := c.Recv(new(pattern.In)); !errors.Is(err, pattern.ErrReplyLost) {
		t.Fatalf("error %v", err)
	}
	if a.Discards != 1 {
		t.Error("the request may still be in the queue, and be answered later")
	}
	c.Connected(&a.Pipe)
	send(t, c, "2")
	a.Says(c, "|R2")
	if got := patterntest.Recv(c); got != "R2" {
		t.Errorf("reply %q", got)
	}
}

func TestAReplyThatCameBeforeTheConnectionEndedCounts(t *testing.T) {
	c := req.New(0, false)
	a := patterntest.Join(c, patterntest.New("a"))
	send(t, c, "1")
	a.Says(c, "|R1")
	c.Detach(&a.Pipe)
	if got := patterntest.Recv(c); got != "R1" {
		t.Errorf("reply %q", got)
	}
}

func TestGivingARequestUpDropsTheConnectionOrItsReply(t *testing.T) {
	c := req.New(0, false)
	a := patterntest.Join(c, patterntest.New("a"))
	send(t, c, "1")
	c.Abandon()
	if len(a.Resets) != 1 || a.Discards != 1 {
		t.Errorf("%d resets, %d discards", len(a.Resets), a.Discards)
	}
	if err := patterntest.Send(c, "2"); !errors.Is(err, pattern.ErrAgain) {
		t.Errorf("a connection about to be dropped was asked: error %v", err)
	}
	c.Disconnected(&a.Pipe)
	send(t, c, "2")

	c = req.New(0x00000001, true)
	b := patterntest.Join(c, patterntest.New("b"))
	send(t, c, "1")
	c.Abandon()
	send(t, c, "2")
	if len(b.Resets) != 0 || !slices.Equal(b.Sent, []string{"\x00\x00\x00\x02||1", "\x00\x00\x00\x03||2"}) {
		t.Fatalf("resets %q, sent %q", b.Resets, b.Sent)
	}
	b.Says(c, "\x00\x00\x00\x02||R1", "\x00\x00\x00\x03||R2")
	if got := patterntest.Recv(c); got != "R2" {
		t.Errorf("reply %q", got)
	}
}
