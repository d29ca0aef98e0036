package zmq

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

func TestNoteArrivesWithItsMessage(t *testing.T) {
	for _, endpoint := range endpoints(t) {
		t.Run(endpoint, func(t *testing.T) {
			push, pull := NewPush(&Options{Notes: true}), NewPull(&Options{Notes: true})
			closing(t, pull, push)
			dial(t, push, listen(t, pull, endpoint))
			must(t, push.Send(t.Context(), Message{[]byte("so that they are connected")}))
			var m Message
			var note []byte
			must(t, pull.RecvNote(t.Context(), &note, &m))
			const many = 5000
			go func() {
				for i := range many {
					var n []byte
					if i%3 != 0 {
						n = bytes.Repeat([]byte{byte(i)}, i%300)
					}
					_ = push.SendNote(t.Context(), n, Message{{byte(i)}, make([]byte, i)})
				}
			}()
			for i := range many {
				must(t, pull.RecvNote(t.Context(), &note, &m))
				want := 0
				if i%3 != 0 {
					want = i % 300
				}
				if len(m) != 2 || m[0][0] != byte(i) || len(m[1]) != i || len(note) != want || want > 0 && note[0] != byte(i) {
					t.Fatalf("message %d: %d frames, a note of %d bytes", i, len(m), len(note))
				}
			}
		})
	}
}

func TestNotesAreOnlyForPeersThatTakeThem(t *testing.T) {
	pub := NewXPub(&Options{Notes: true, XPubVerbose: true})
	knows, foreign := NewSub(&Options{Notes: true}), NewSub(nil)
	closing(t, pub, knows, foreign)
	at := listen(t, pub, "tcp://127.0.0.1:0")
	for _, s := range []*Sub{knows, foreign} {
		must(t, s.Subscribe(""))
		dial(t, s, at)
		_, err := pub.Recv(t.Context())
		must(t, err)
	}
	var m Message
	var note []byte
	for _, size := range []int{10, 2 * shareSize} {
		must(t, pub.SendNote(t.Context(), []byte("3"), Message{make([]byte, size)}))
		must(t, knows.RecvNote(t.Context(), &note, &m))
		if len(m) != 1 || len(m[0]) != size || string(note) != "3" {
			t.Errorf("%d frames and the note %q", len(m), note)
		}
		must(t, foreign.RecvNote(t.Context(), &note, &m))
		if len(m) != 1 || len(m[0]) != size || len(note) != 0 {
			t.Errorf("a peer without notes got %d frames and the note %q", len(m), note)
		}
	}
}

func TestNoteOfARequest(t *testing.T) {
	dealer, rep := NewDealer(&Options{Notes: true}), NewRep(&Options{Notes: true})
	closing(t, dealer, rep)
	dial(t, dealer, listen(t, rep, "inproc://"+t.Name()))
	must(t, dealer.SendNote(t.Context(), []byte("n"), Message{nil, []byte("?")}))
	q, err := rep.Recv(t.Context())
	must(t, err)
	if string(q.Note) != "n" || string(q.Message[0]) != "?" {
		t.Errorf("%q with the note %q", q.Message, q.Note)
	}
}

func TestANoteThatNobodyAskedForIsNotReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull, rep := on(t, n, NewPull(nil)), on(t, n, NewRep(nil))
		listen(t, pull, home)
		listen(t, rep, "tcp://rep:1")
		noted := zmtp.AppendNote(nil, []byte("psst"))
		p, q := n.dial(t, home), n.dial(t, "tcp://rep:1")
		greet(t, p, zmtp.PUSH, 1)
		greet(t, q, zmtp.REQ, 1)
		_, err := p.Write(zmtp.AppendMessage(noted, nil, message("x")))
		must(t, err)
		_, err = q.Write(zmtp.AppendMessage(noted, nil, message("|?")))
		must(t, err)
		var m Message
		note := []byte("of the last one")
		must(t, pull.RecvNote(t.Context(), &note, &m))
		if text(m) != "x" || len(note) != 0 {
			t.Errorf("received %q with the note %q", text(m), note)
		}
		request, err := rep.Recv(t.Context())
		must(t, err)
		if text(request.Message) != "?" || request.Note != nil {
			t.Errorf("asked %q with the note %q", text(request.Message), request.Note)
		}
	})
}
