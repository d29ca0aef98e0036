package interop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warrenmq/warren/interop/lab"
)

// A layout is one cell of a pattern's matrix: many sockets of one
// implementation against one socket of another, over a transport, and which
// of the two sides binds.
type layout struct {
	many, one implementation
	transport string
	manyBind  bool
}

// The two ends of a cell. libzmq against itself is the control: it shows that
// the scenario is true before it says anything about Warren.
var ends = [][2]implementation{
	{libzmq, libzmq},
	{libzmq, goAPI},
	{goAPI, libzmq},
	{libzmq, command},
	{command, libzmq},
}

var transports = []string{"tcp", "ipc", "abstract"}

// address makes an endpoint that nobody uses.
func address(t testing.TB, transport string) string {
	t.Helper()
	switch transport {
	case "tcp":
		return "tcp://" + lab.Addr(t)
	case "ipc":
		return "ipc://" + lab.SocketPath(t)
	default: // Linux's names outside the file system
		return fmt.Sprintf("ipc://@warren-interop-%d", lab.Port(t))
	}
}

// plans wires n sockets of kind many to one of kind one.
func (l layout) plans(t testing.TB, n int, many, one string) ([]plan, plan) {
	t.Helper()
	var (
		ms    []plan
		o     = plan{kind: one}
		share = address(t, l.transport)
	)
	for range n {
		m := plan{kind: many}
		if l.manyBind {
			url := address(t, l.transport)
			m.bind = append(m.bind, url)
			o.connect = append(o.connect, url)
		} else {
			m.connect = append(m.connect, share)
		}
		ms = append(ms, m)
	}
	if !l.manyBind {
		o.bind = []string{share}
	}
	return ms, o
}

// bothLines reports whether messages have to be text because a command is at
// one of the ends.
func (l layout) bothLines() bool { return l.many.lines || l.one.lines }

// messages are the shapes that pass through a pattern: short, empty, parts of
// which some are empty, around the size where ZMTP's short frames end, long.
func (l layout) messages() [][]string {
	ms := [][]string{
		{"hello"},
		{""},
		{"a", "", "b"},
		{"", ""},
		{strings.Repeat("x", 255)},
		{strings.Repeat("x", 256), "y"},
		{strings.Repeat("0123456789abcdef", 1<<14), "after a long one"},
	}
	if !l.bothLines() {
		var every []byte
		for b := range 256 {
			every = append(every, byte(b))
		}
		ms = append(ms, []string{string(every), "\n", "\t\x00"})
	}
	return ms
}

// A pattern's needs of an end: those that a line of text cannot carry rule the
// command out there.
type needs struct {
	manyBytes, oneBytes bool
}

// patternMatrix runs a scenario in every layout: both directions, either side
// binding, each transport.
func patternMatrix(t *testing.T, n needs, play func(t *testing.T, l layout)) {
	var cells []lab.Cell
	for _, end := range ends {
		if n.manyBytes && end[0].lines || n.oneBytes && end[1].lines {
			continue
		}
		for _, transport := range transports {
			for _, manyBind := range []bool{false, true} {
				l := layout{end[0], end[1], transport, manyBind}
				binder := "first-connects"
				if manyBind {
					binder = "first-binds"
				}
				cells = append(cells, lab.Cell{
					Name: fmt.Sprintf("%s-to-%s/%s/%s", l.many.name, l.one.name, transport, binder),
					Run:  func(t *testing.T) { play(t, l) },
				})
			}
		}
	}
	lab.Matrix(t, cells)
}

func expectMessage(t testing.TB, p peer, want ...string) {
	t.Helper()
	if got := recv(t, p); !slices.Equal(got, want) {
		t.Fatalf("got %s, want %s", show(got), show(want))
	}
}

// show prints a message without its megabytes.
func show(parts []string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteString(" | ")
		}
		fmt.Fprintf(&b, "%d bytes %.60q", len(p), p)
	}
	return b.String()
}

// expectNothing waits a moment for a message that must not come.
func expectNothing(t testing.TB, p peer) {
	t.Helper()
	if got, ok := p.RecvWithin(100 * time.Millisecond); ok {
		t.Errorf("got %s, want nothing", show(got))
	}
}

func openAll(t testing.TB, with implementation, plans []plan) []peer {
	t.Helper()
	var ps []peer
	for _, p := range plans {
		ps = append(ps, with.open(t, p))
	}
	return ps
}

func closeAll(ps ...peer) {
	for _, p := range ps {
		p.Close()
	}
}

// Request-reply: every message comes back as it went, to the one who asked.
func TestZeroMQRequestReply(t *testing.T) {
	patternMatrix(t, needs{}, func(t *testing.T, l layout) {
		reqs, rep := l.plans(t, 2, "req", "rep")
		server := l.one.open(t, rep)
		clients := openAll(t, l.many, reqs)
		for _, m := range l.messages() {
			for _, c := range clients {
				c.Send(m...)
			}
			for _, c := range clients {
				expectMessage(t, c, m...)
			}
		}
		closeAll(append(clients, server)...)
	})
}

// Request-reply, one client and several servers: the requests go round, and
// each reply is the answer to its request. (The command's rep cannot sign its
// echoes.)
func TestZeroMQRequestsGoRound(t *testing.T) {
	patternMatrix(t, needs{manyBytes: true}, func(t *testing.T, l layout) {
		reps, req := l.plans(t, 3, "rep", "req")
		var servers []peer
		for i, p := range reps {
			p.sign = fmt.Sprintf("server %d", i)
			servers = append(servers, l.many.open(t, p))
		}
		client := l.one.open(t, req)
		seen := map[string]int{}
		deadline := time.Now().Add(lab.Patience)
		for i := 0; len(seen) < len(servers) && time.Now().Before(deadline); i++ {
			question := fmt.Sprintf("question %d", i)
			client.Send(question)
			reply := recv(t, client)
			if len(reply) != 2 || reply[1] != question {
				t.Fatalf("the reply to %q is %q", question, reply)
			}
			seen[reply[0]]++
		}
		if len(seen) != len(servers) {
			t.Fatalf("after %v only %v have answered", lab.Patience, seen)
		}
		// Now that all are connected, the order is strict.
		var order []string
		for i := range 6 {
			client.Send(fmt.Sprint(i))
			order = append(order, recv(t, client)[0])
		}
		if !slices.Equal(order[:3], order[3:]) || len(slices.Compact(slices.Sorted(slices.Values(order[:3])))) != 3 {
			t.Errorf("requests went to %q, want the three in turn", order)
		}
		closeAll(append(servers, client)...)
	})
}

// synced makes sure that a subscriber hears every publisher, and returns what
// it must have: a publisher is not told of its subscribers, so each repeats a
// line until it has arrived.
func synced(t testing.TB, publishers []peer, subscriber peer) {
	t.Helper()
	deadline := time.Now().Add(lab.Patience)
	heard := map[string]bool{}
	for round := 0; len(heard) < len(publishers); round++ {
		if time.Now().After(deadline) {
			t.Fatalf("the subscriber heard only %v", slices.Sorted(maps.Keys(heard)))
		}
		for i, p := range publishers {
			p.Send("sync", fmt.Sprint(i))
		}
		for {
			m, ok := subscriber.RecvWithin(100 * time.Millisecond)
			if !ok {
				break
			}
			heard[m[1]] = true
		}
	}
	// What is still on its way ends with the line that each now says.
	for i, p := range publishers {
		p.Send("sync", "done", fmt.Sprint(i))
	}
	for left := len(publishers); left > 0; {
		if m := recv(t, subscriber); m[1] == "done" {
			left--
		}
	}
}

// Publish-subscribe with several publishers: the subscriber gets what begins
// with its prefixes, from each publisher in its order, and nothing else.
func TestZeroMQPublishSubscribeWithSeveralPublishers(t *testing.T) {
	patternMatrix(t, needs{}, func(t *testing.T, l layout) {
		const each = 50
		pubs, sub := l.plans(t, 3, "pub", "sub")
		sub.subscribe = []string{"sync", "NASDAQ", "N", "NYSE:IBM"} // the second and fourth lie within the third
		publishers := openAll(t, l.many, pubs)
		subscriber := l.one.open(t, sub)
		synced(t, publishers, subscriber)

		for i, p := range publishers {
			for n := range each {
				p.Send("NASDAQ:MSFT", fmt.Sprint(i), fmt.Sprint(n))
				p.Send("LSE:BP", fmt.Sprint(i), fmt.Sprint(n))
				p.Send("", fmt.Sprint(i), fmt.Sprint(n))
				p.Send("NYSE:IBM", fmt.Sprint(i), fmt.Sprint(n))
			}
		}
		got := map[string][]string{}
		for range 2 * each * len(publishers) {
			m := recv(t, subscriber)
			if len(m) != 3 {
				t.Fatalf("got %s", show(m))
			}
			got[m[1]] = append(got[m[1]], m[0]+" "+m[2])
		}
		var want []string
		for n := range each {
			want = append(want, fmt.Sprint("NASDAQ:MSFT ", n), fmt.Sprint("NYSE:IBM ", n))
		}
		for i := range publishers {
			compare(t, fmt.Sprint("from publisher ", i), got[fmt.Sprint(i)], want)
		}
		expectNothing(t, subscriber)
		closeAll(append([]peer{subscriber}, publishers...)...)
	})
}

// Publish-subscribe, every shape of message, to several subscribers each with
// its own prefix; the empty prefix is everything.
func TestZeroMQPublishReachesEverySubscriber(t *testing.T) {
	patternMatrix(t, needs{}, func(t *testing.T, l layout) {
		subs, pub := l.plans(t, 2, "sub", "pub")
		publisher := l.one.open(t, pub)
		subs[0].subscribe = []string{""}
		subs[1].subscribe = []string{"sync", "hel"}
		all := l.many.open(t, subs[0])
		some := l.many.open(t, subs[1])
		synced(t, []peer{publisher}, some)
		publisher.Send("sync", "0")
		for recv(t, some)[1] != "0" {
		}
		// The other may have joined later: it is in when it hears this.
		for i := 0; ; i++ {
			publisher.Send("are you there")
			if _, ok := all.RecvWithin(100 * time.Millisecond); ok {
				break
			}
			if i > 100 {
				t.Fatal("the second subscriber never heard anything")
			}
		}
		publisher.Send("now")
		for recv(t, all)[0] != "now" {
		}

		for _, m := range l.messages() {
			publisher.Send(m...)
		}
		for _, m := range l.messages() {
			expectMessage(t, all, m...)
		}
		expectMessage(t, some, "hello")
		expectNothing(t, some)
		closeAll(all, some, publisher)
	})
}

// Push-pull, fan out: every message arrives at exactly one puller, in order
// there, and none of them starves.
func TestZeroMQPushPullSharesOut(t *testing.T) {
	patternMatrix(t, needs{}, func(t *testing.T, l layout) {
		pulls, push := l.plans(t, 3, "pull", "push")
		pullers := openAll(t, l.many, pulls)
		pusher := l.one.open(t, push)

		// Until all three are connected the first ones share.
		reached := map[int]bool{}
		sent, seen := 0, 0
		deadline := time.Now().Add(lab.Patience)
		for len(reached) < len(pullers) || seen < sent {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d messages came, to %d pullers", seen, sent, len(reached))
			}
			if len(reached) < len(pullers) {
				pusher.Send("warming up")
				sent++
			}
			for i, p := range pullers {
				for {
					if _, ok := p.RecvWithin(20 * time.Millisecond); !ok {
						break
					}
					reached[i] = true
					seen++
				}
			}
		}
		const each = 40
		for n := range each * len(pullers) {
			pusher.Send("job", fmt.Sprint(n))
		}
		// Connected and idle as they all are, they take strict turns.
		all := map[string]int{}
		for _, p := range pullers {
			last := -1
			for range each {
				m := recv(t, p)
				var n int
				fmt.Sscan(m[1], &n)
				if n <= last {
					t.Fatalf("job %d after job %d", n, last)
				}
				last = n
				all[m[1]]++
			}
			expectNothing(t, p)
		}
		if len(all) != each*len(pullers) {
			t.Errorf("%d jobs arrived, want %d", len(all), each*len(pullers))
		}
		closeAll(append(pullers, pusher)...)
	})
}

// Push-pull, fan in: everything that several pushers send arrives, from each
// in its order, also what was sent just before its end.
func TestZeroMQPushPullFansIn(t *testing.T) {
	patternMatrix(t, needs{}, func(t *testing.T, l layout) {
		pushes, pull := l.plans(t, 3, "push", "pull")
		puller := l.one.open(t, pull)
		pushers := openAll(t, l.many, pushes)
		for i, p := range pushers {
			for _, m := range l.messages() {
				p.Send(append([]string{fmt.Sprint(i)}, m...)...)
			}
		}
		got := map[string][][]string{}
		for range len(pushers) * len(l.messages()) {
			m := recv(t, puller)
			got[m[0]] = append(got[m[0]], m[1:])
		}
		for i := range pushers {
			for n, want := range l.messages() {
				if m := got[fmt.Sprint(i)][n]; !slices.Equal(m, want) {
					t.Fatalf("message %d of pusher %d: got %s, want %s", n, i, show(m), show(want))
				}
			}
		}
		for i, p := range pushers {
			p.Send(fmt.Sprint(i), "last words")
			p.Close()
		}
		for range pushers {
			if m := recv(t, puller); m[1] != "last words" {
				t.Errorf("got %s", show(m))
			}
		}
		puller.Close()
	})
}

// Pair: both ways at any time.
func TestZeroMQPair(t *testing.T) {
	patternMatrix(t, needs{}, func(t *testing.T, l layout) {
		as, b := l.plans(t, 1, "pair", "pair")
		right := l.one.open(t, b)
		left := l.many.open(t, as[0])
		for _, m := range l.messages() {
			left.Send(m...)
			expectMessage(t, right, m...)
			right.Send(m...)
			expectMessage(t, left, m...)
		}
		for i := range 100 {
			left.Send("to the right", fmt.Sprint(i))
			right.Send("to the left", fmt.Sprint(i))
		}
		for i := range 100 {
			expectMessage(t, right, "to the right", fmt.Sprint(i))
			expectMessage(t, left, "to the left", fmt.Sprint(i))
		}
		closeAll(left, right)
	})
}

// Router-dealer: a router puts the sender's routing id in front, and sends to
// whom the first part names.
func TestZeroMQDealersMeetARouter(t *testing.T) {
	patternMatrix(t, needs{oneBytes: true}, func(t *testing.T, l layout) {
		ds, r := l.plans(t, 2, "dealer", "router")
		router := l.one.open(t, r)
		dealers := openAll(t, l.many, ds)
		for i, d := range dealers {
			d.Send("who am I", fmt.Sprint(i))
		}
		ids := map[string]string{}
		for range dealers {
			m := recv(t, router)
			if len(m) != 3 || m[1] != "who am I" {
				t.Fatalf("got %s", show(m))
			}
			// RFC 28: an id that the router makes begins with a zero octet.
			if len(m[0]) != 5 || m[0][0] != 0 {
				t.Errorf("the routing id is %q, want 5 bytes, the first zero", m[0])
			}
			ids[m[2]] = m[0]
		}
		if ids["0"] == ids["1"] {
			t.Fatalf("one routing id for two dealers: %q", ids["0"])
		}
		for _, m := range l.messages() {
			for i, d := range dealers {
				router.Send(append([]string{ids[fmt.Sprint(i)]}, m...)...)
				expectMessage(t, d, m...)
			}
		}
		router.Send("nobody", "is dropped") // an id that no peer has
		router.Send(ids["0"], "still here")
		expectMessage(t, dealers[0], "still here")
		closeAll(append(dealers, router)...)
	})
}

// A dealer speaks to a rep as a req would when it adds the empty part; a
// router sees a req's envelope.
func TestZeroMQDealerToRep(t *testing.T) {
	patternMatrix(t, needs{}, func(t *testing.T, l layout) {
		ds, r := l.plans(t, 2, "dealer", "rep")
		server := l.one.open(t, r)
		dealers := openAll(t, l.many, ds)
		for i, d := range dealers {
			// Two at once, which a req could not.
			d.Send("", "one", fmt.Sprint(i))
			d.Send("", "two", fmt.Sprint(i))
		}
		for i, d := range dealers {
			expectMessage(t, d, "", "one", fmt.Sprint(i))
			expectMessage(t, d, "", "two", fmt.Sprint(i))
		}
		closeAll(append(dealers, server)...)
	})
}

func TestZeroMQReqToRouter(t *testing.T) {
	patternMatrix(t, needs{oneBytes: true}, func(t *testing.T, l layout) {
		rs, r := l.plans(t, 2, "req", "router")
		router := l.one.open(t, r)
		clients := openAll(t, l.many, rs)
		for i, c := range clients {
			c.Send("question", fmt.Sprint(i))
		}
		for range clients {
			m := recv(t, router)
			if len(m) != 4 || m[1] != "" || m[2] != "question" {
				t.Fatalf("got %s", show(m))
			}
			router.Send(m[0], "", "answer", m[3])
		}
		for i, c := range clients {
			expectMessage(t, c, "answer", fmt.Sprint(i))
		}
		closeAll(append(clients, router)...)
	})
}

// expectSubscription is expectMessage for what an XPUB is told of subscribers.
// It touches them while it waits: a libzmq socket that has bound speaks to
// who connects only inside a call of its program.
func expectSubscription(t testing.TB, xpub peer, want string, subscribers ...peer) {
	t.Helper()
	for deadline := time.Now().Add(lab.Patience); time.Now().Before(deadline); {
		for _, s := range subscribers {
			if m, ok := s.RecvWithin(10 * time.Millisecond); ok {
				t.Fatalf("a subscriber got %s too early", show(m))
			}
		}
		if m, ok := xpub.RecvWithin(100 * time.Millisecond); ok {
			if !slices.Equal(m, []string{want}) {
				t.Fatalf("got %s, want %q", show(m), want)
			}
			return
		}
	}
	t.Fatalf("never told of %q", want)
}

// An XPUB is told of each new prefix and of each that nobody wants any more.
func TestZeroMQXPubSeesSubscriptions(t *testing.T) {
	patternMatrix(t, needs{oneBytes: true}, func(t *testing.T, l layout) {
		subs, x := l.plans(t, 2, "sub", "xpub")
		xpub := l.one.open(t, x)
		subs[0].subscribe = []string{"weather"}
		first := l.many.open(t, subs[0])
		expectSubscription(t, xpub, "\x01weather", first)
		xpub.Send("weather", "rain")
		expectMessage(t, first, "weather", "rain")

		subs[1].subscribe = []string{"weather", "sport"}
		second := l.many.open(t, subs[1])
		expectSubscription(t, xpub, "\x01sport", first, second) // weather is known already
		xpub.Send("sport", "1:0")
		expectMessage(t, second, "sport", "1:0")
		second.Close()
		// Who has connected keeps the place of the other side for its return, and
		// what that subscribed to: only a binding XPUB knows that somebody left.
		if !l.manyBind {
			expectSubscription(t, xpub, "\x00sport", first)
		}
		first.Close()
		if !l.manyBind {
			expectSubscription(t, xpub, "\x00weather")
		}
		xpub.Close()
	})
}

// An XSUB subscribes by sending.
func TestZeroMQXSubSubscribesBySending(t *testing.T) {
	patternMatrix(t, needs{manyBytes: true, oneBytes: true}, func(t *testing.T, l layout) {
		xs, p := l.plans(t, 1, "xsub", "xpub")
		xpub := l.one.open(t, p)
		xsub := l.many.open(t, xs[0])
		xsub.Send("\x01weather")
		expectSubscription(t, xpub, "\x01weather", xsub)
		xpub.Send("weather", "rain")
		xpub.Send("sport", "1:0")
		xpub.Send("weather", "sun")
		expectMessage(t, xsub, "weather", "rain")
		expectMessage(t, xsub, "weather", "sun")
		xsub.Send("\x00weather")
		expectSubscription(t, xpub, "\x00weather")
		closeAll(xsub, xpub)
	})
}
