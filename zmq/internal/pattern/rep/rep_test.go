package rep_test

import (
	"slices"
	"testing"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/pattern/patterntest"
	"github.com/warrenmq/warren/zmq/internal/pattern/rep"
)

// RFC 28, The REP Socket Type.

// ask takes the next request off the core.
func ask(t *testing.T, c pattern.Core) (request string, reply func(string)) {
	t.Helper()
	var in pattern.In
	if err := c.Recv(&in); err != nil {
		return "<" + err.Error() + ">", nil
	}
	head := patterntest.Frames(patterntest.Text(in.Head))
	from := in.From
	return patterntest.Text(in.Frames), func(text string) {
		var out pattern.Out
		out.Set(patterntest.Frames(text))
		out.Head, out.To = head, from
		if err := c.Send(&out); err != nil {
			t.Error(err)
		}
	}
}

func TestTheEnvelopeIsTakenOffAndPutBack(t *testing.T) {
	c := &rep.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "|plain", "hop1|hop2||through proxies|2", "||empty first part")
	for _, test := range []struct{ request, reply string }{
		{"plain", "|R"},
		{"through proxies|2", "hop1|hop2||R"},
		{"|empty first part", "|R"},
	} {
		got, reply := ask(t, c)
		if got != test.request {
			t.Fatalf("request %q, want %q", got, test.request)
		}
		reply("R")
		if sent := a.Sent[len(a.Sent)-1]; sent != test.reply {
			t.Errorf("reply %q, want %q", sent, test.reply)
		}
	}
}

func TestWhatIsNoRequestIsDropped(t *testing.T) {
	c := &rep.Core{}
	a := patterntest.Join(c, patterntest.New("a"))
	a.Says(c, "no delimiter", "x|y", "nothing after|", "", "|good")
	if got, _ := ask(t, c); got != "good" {
		t.Errorf("request %q", got)
	}
}

func TestRepliesGoToTheirOwnPeersInAnyOrder(t *testing.T) {
	c := &rep.Core{}
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Says(c, "|from a")
	b.Says(c, "|from b")
	_, replyA := ask(t, c)
	_, replyB := ask(t, c)
	replyB("to b")
	replyA("to a")
	if !slices.Equal(a.Sent, []string{"|to a"}) || !slices.Equal(b.Sent, []string{"|to b"}) {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
}

func TestAReplyToAPeerThatLeftOrIsFullIsDropped(t *testing.T) {
	c := &rep.Core{}
	a, b := patterntest.Join(c, patterntest.New("a")), patterntest.Join(c, patterntest.New("b"))
	a.Says(c, "|1")
	b.Says(c, "|2")
	_, replyA := ask(t, c)
	_, replyB := ask(t, c)
	c.Detach(&a.Pipe)
	b.Room = 0
	replyA("R")
	replyB("R")
	if len(a.Sent)+len(b.Sent) != 0 {
		t.Errorf("a got %q, b got %q", a.Sent, b.Sent)
	}
}
