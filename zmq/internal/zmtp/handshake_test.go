package zmtp

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// shake lets two machines talk, in pieces of so many bytes.
func shake(a, b *Handshake, piece int) (errA, errB error) {
	toB, toA := a.Start(nil), b.Start(nil)
	var inA, inB []byte
	for len(toA) > 0 || len(toB) > 0 {
		n := min(piece, len(toB))
		inB, toB = append(inB, toB[:n]...), toB[n:]
		used, out, err := b.Feed(inB, nil)
		inB, toA = inB[used:], append(toA, out...)
		if err != nil {
			errB = err
		}
		n = min(piece, len(toA))
		inA, toA = append(inA, toA[:n]...), toA[n:]
		used, out, err = a.Feed(inA, nil)
		inA, toB = inA[used:], append(toB, out...)
		if err != nil {
			errA = err
		}
		if errA != nil && errB != nil {
			return errA, errB
		}
		if errA != nil && len(toB) == 0 || errB != nil && len(toA) == 0 {
			return errA, errB
		}
	}
	return errA, errB
}

func TestTwoPeersLearnEachOthersTypeAndId(t *testing.T) {
	for _, piece := range []int{1, 7, 1000} {
		dealer, router := NewHandshake(DEALER, []byte("me")), NewHandshake(ROUTER, nil)
		errA, errB := shake(dealer, router, piece)
		if errA != nil || errB != nil || !dealer.Done() || !router.Done() {
			t.Fatalf("pieces of %d: errors %v and %v", piece, errA, errB)
		}
		if p := router.Peer(); p.Type != DEALER || string(p.Identity) != "me" || p.Minor != 1 {
			t.Errorf("the router learnt %+v", p)
		}
		if p := dealer.Peer(); p.Type != ROUTER || len(p.Identity) != 0 {
			t.Errorf("the dealer learnt %+v", p)
		}
	}
}

func TestSocketTypesMustFit(t *testing.T) {
	all := []SocketType{REQ, REP, DEALER, ROUTER, PUB, SUB, XPUB, XSUB, PUSH, PULL, PAIR}
	fits := map[SocketType]string{
		REQ: "REP ROUTER", REP: "REQ DEALER", DEALER: "REP DEALER ROUTER", ROUTER: "REQ DEALER ROUTER",
		PUB: "SUB XSUB", XPUB: "SUB XSUB", SUB: "PUB XPUB", XSUB: "PUB XPUB", PUSH: "PULL", PULL: "PUSH", PAIR: "PAIR",
	}
	for _, a := range all {
		for _, b := range all {
			want := false
			for _, name := range strings.Fields(fits[a]) {
				want = want || name == string(b)
			}
			errA, errB := shake(NewHandshake(a, nil), NewHandshake(b, nil), 1000)
			if got := errA == nil && errB == nil; got != want {
				t.Errorf("%s with %s: errors %v and %v", a, b, errA, errB)
			}
			if !want && !errors.Is(errA, ErrIncompatible) && !errors.Is(errA, ErrRefused) {
				t.Errorf("%s with %s: error %v", a, b, errA)
			}
		}
	}
	if SocketType("NONE").Accepts(PAIR) {
		t.Error("an unknown type accepts PAIR")
	}
}

func TestATrafficByteBehindTheHandshakeIsNotConsumed(t *testing.T) {
	h := NewHandshake(PULL, nil)
	in := AppendGreeting(nil, Greeting{Major: 3, Minor: 0, Mechanism: "NULL"})
	in = appendCommand(in, cmdReady, AppendMetadata(nil, Metadata{{propSocketType, []byte("PUSH")}}))
	want := len(in)
	in = AppendFrame(in, []byte("first message"), false)
	used, _, err := h.Feed(in, nil)
	if err != nil || used != want || !h.Done() || h.Peer().Minor != 0 {
		t.Errorf("consumed %d of %d, want %d; minor %d; error %v", used, len(in), want, h.Peer().Minor, err)
	}
}

func TestTheGreetingIsReadAsLibzmqWritesIt(t *testing.T) {
	g := AppendGreeting(nil, Greeting{Major: 3, Minor: 1, Mechanism: "CURVE", AsServer: true})
	copy(g[1:9], []byte{0, 0, 0, 0, 0, 0, 0, 6}) // libzmq's length of a routing id in the padding
	for i := range g {
		if _, n, err := ParseGreeting(g[:i]); n != 0 || err != nil {
			t.Fatalf("after %d bytes: n %d, error %v", i, n, err)
		}
	}
	got, n, err := ParseGreeting(g)
	if want := (Greeting{3, 1, "CURVE", true}); got != want || n != GreetingSize || err != nil {
		t.Errorf("greeting %+v, n %d, error %v", got, n, err)
	}
}

func TestWhatIsNoHandshakeIsRefusedWithAReason(t *testing.T) {
	null := AppendGreeting(nil, Greeting{Major: 3, Minor: 1, Mechanism: "NULL"})
	ready := func(m ...Property) []byte {
		return appendCommand(bytes.Clone(null), cmdReady, AppendMetadata(nil, m))
	}
	push := Property{propSocketType, []byte("PUSH")}
	for _, test := range []struct {
		name string
		in   []byte
		want error
	}{
		{"HTTP", []byte("GET / HTTP/1.1\r\n"), ErrNotZMTP},
		{"ZMTP 1.0", []byte{0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x00}, ErrNotZMTP},
		{"ZMTP 2.0", []byte{0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 1}, ErrNotZMTP},
		{"CURVE", AppendGreeting(nil, Greeting{Major: 3, Mechanism: "CURVE"}), ErrMechanism},
		{"a message before READY", AppendFrame(bytes.Clone(null), []byte("x"), false), ErrHandshake},
		{"a large command before READY", append(bytes.Clone(null), flagCommand|flagLong, 0, 0, 0, 0, 0, 1, 0, 0), ErrHandshake},
		{"another command", appendCommand(bytes.Clone(null), cmdPing, []byte{0, 0}), ErrHandshake},
		{"no socket type", ready(Property{"X-a", []byte("b")}), ErrHandshake},
		{"a long routing id", ready(push, Property{propIdentity, make([]byte, 256)}), ErrHandshake},
		{"metadata that ends early", appendCommand(bytes.Clone(null), cmdReady, []byte("\x0bSocket-Type\x00\x00\x00\x09PUSH")), ErrCommand},
		{"a byte behind the metadata", appendCommand(bytes.Clone(null), cmdReady, append(AppendMetadata(nil, Metadata{push}), 0)), ErrCommand},
		{"another type", ready(Property{propSocketType, []byte("SUB")}), ErrIncompatible},
		{"ERROR", AppendError(bytes.Clone(null), "go away"), ErrRefused},
		{"ERROR without a reason", appendCommand(bytes.Clone(null), cmdError, nil), ErrCommand},
	} {
		h := NewHandshake(PULL, nil)
		if _, _, err := h.Feed(test.in, nil); !errors.Is(err, test.want) || h.Done() {
			t.Errorf("%s: error %v, want %v", test.name, err, test.want)
		}
	}
}

func TestNamesOfPropertiesDifferNotInCase(t *testing.T) {
	m, err := ParseMetadata(AppendMetadata(nil, Metadata{{"socket-TYPE", []byte("PUB")}, {"Empty", nil}}))
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := m.Get("Socket-Type"); !ok || string(v) != "PUB" {
		t.Errorf("value %q, found %v", v, ok)
	}
	if _, ok := m.Get("Identity"); ok {
		t.Error("a property was found that is not there")
	}
}

func TestHeartbeatsAreReadWithinTheirBounds(t *testing.T) {
	body := func(frame []byte) []byte { return frame[2:] }
	h, ok, err := ParseHeartbeat(body(AppendPing(nil, 655)))
	if !ok || err != nil || !h.Ping || h.TTL != 655 || len(h.Context) != 0 {
		t.Errorf("PING: %+v, %v, %v", h, ok, err)
	}
	h, ok, err = ParseHeartbeat([]byte(cmdPing + "\x00\x01context"))
	if !ok || err != nil || string(h.Context) != "context" {
		t.Errorf("PING with a context: %+v, %v, %v", h, ok, err)
	}
	if got := string(body(AppendPong(nil, h.Context))); got != cmdPong+"context" {
		t.Errorf("PONG %q", got)
	}
	for _, bad := range []string{cmdPing, cmdPing + "\x00", cmdPing + "\x00\x00" + strings.Repeat("x", 17)} {
		if _, _, err := ParseHeartbeat([]byte(bad)); !errors.Is(err, ErrCommand) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
	if _, ok, err := ParseHeartbeat([]byte("\x05OTHER")); ok || err != nil {
		t.Errorf("another command: %v, %v", ok, err)
	}
}

func TestSubscriptionsTakeTheFormOfThePeersVersion(t *testing.T) {
	for _, test := range []struct {
		on    bool
		minor byte
		want  string
	}{
		{true, 0, "\x00\x02\x01t"},
		{false, 0, "\x00\x02\x00t"},
		{true, 1, "\x04\x0b\x09SUBSCRIBEt"},
		{false, 1, "\x04\x08\x06CANCELt"},
	} {
		if got := string(AppendSubscription(nil, "t", test.on, test.minor)); got != test.want {
			t.Errorf("on %v, minor %d: %q, want %q", test.on, test.minor, got, test.want)
		}
	}
	if _, _, ok := ParseSubscription([]byte(cmdPing)); ok {
		t.Error("PING passed for a subscription")
	}
}

func FuzzGreeting(f *testing.F) {
	f.Add(AppendGreeting(nil, Greeting{Major: 3, Minor: 1, Mechanism: "NULL"}))
	f.Add([]byte{0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 1})
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, n, err := ParseGreeting(b)
		if n == 0 {
			return
		}
		if err != nil || n != GreetingSize {
			t.Fatalf("n %d, error %v", n, err)
		}
		again, _, err := ParseGreeting(AppendGreeting(nil, g))
		if err != nil || again != g {
			t.Fatalf("%+v came back as %+v, error %v", g, again, err)
		}
	})
}

func FuzzHandshake(f *testing.F) {
	ready := appendCommand(AppendGreeting(nil, Greeting{Major: 3, Minor: 1, Mechanism: "NULL"}), cmdReady,
		AppendMetadata(nil, Metadata{{propSocketType, []byte("DEALER")}, {propIdentity, []byte("id")}}))
	f.Add(ready, uint8(0))
	f.Add(ready[:70], uint8(3))
	f.Add(AppendError(AppendGreeting(nil, Greeting{Major: 3, Mechanism: "NULL"}), "no"), uint8(200))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		whole := NewHandshake(ROUTER, nil)
		used, _, err := whole.Feed(b, nil)
		pieces := NewHandshake(ROUTER, nil)
		var in []byte
		var piecesErr error
		piecesUsed := 0
		for rest := b; len(rest) > 0 && piecesErr == nil && !pieces.Done(); {
			n := min(len(rest), int(cut)+1)
			in, rest = append(in, rest[:n]...), rest[n:]
			var u int
			u, _, piecesErr = pieces.Feed(in, nil)
			in = in[u:]
			piecesUsed += u
		}
		if whole.Done() != pieces.Done() || (err == nil) != (piecesErr == nil) || err == nil && used != piecesUsed {
			t.Fatalf("in one piece: done %v after %d, error %v; in many: %v after %d, %v",
				whole.Done(), used, err, pieces.Done(), piecesUsed, piecesErr)
		}
		if whole.Done() && !whole.Peer().Type.Accepts(ROUTER) {
			t.Fatalf("a %s was accepted by a ROUTER", whole.Peer().Type)
		}
	})
}
