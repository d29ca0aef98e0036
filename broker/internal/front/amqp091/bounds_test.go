package amqp091

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/warrenmq/warren/broker/internal/front/pump"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// glass is a front whose last session can be looked into, between one synctest.Wait and the next.
type glass struct {
	*Front
	session *session
}

func (g *glass) NewSession(c *pump.Conn) pump.Session {
	g.session = newSession(g.Front, c)
	return g.session
}

// look runs f with an open connection that has channel 1 and queue q, and whose frames may be large.
func look(t *testing.T, f func(h *house, p *peer, s *session)) { lookOn(t, nil, f) }

// lookOn is look with a broker over a store.
func lookOn(t *testing.T, disk *storetest.Model, f func(h *house, p *peer, s *session)) {
	synctest.Test(t, func(t *testing.T) {
		h := openHouse(t, 0, disk)
		defer h.close()
		g := &glass{Front: New(h.broker)}
		h.server = pump.New(pump.Config{Front: g, Now: h.broker.Now})
		p := &peer{conn: h.connect(), out: make(chan []byte, 64)}
		defer close(p.out)
		defer func() { _ = p.conn.Close() }()
		go p.read()
		go p.write()
		p.shakeHands(t)
		p.say(1, new(wire.ChannelOpen), &wire.QueueDeclare{Queue: "q"})
		g.session.maxPayload = frameMax - wire.FrameOverhead
		f(h, p, g.session)
	})
}

// say sends methods in one piece and returns the answers.
func (p *peer) say(channel uint16, methods ...wire.Method) []string {
	var b []byte
	for _, m := range methods {
		b = m.AppendFrame(b, channel)
	}
	return p.sayRaw(b)
}

func (p *peer) sayRaw(b []byte) []string {
	p.out <- b
	synctest.Wait()
	return p.said()
}

// publish sends n empty messages to q.
func (p *peer) publish(n int) []string {
	m := wire.BasicPublish{RoutingKey: []byte("q")}
	return p.sayRaw(bytes.Repeat(wire.AppendContentHeader(m.AppendFrame(nil, 1), 1, nil, 0), n))
}

// A consumer that the channel's limit holds back is remembered for when there is room, but not beyond its own end.
func TestConsumersThatEndAreNotKeptForTheChannelsLimit(t *testing.T) {
	look(t, func(_ *house, p *peer, s *session) {
		p.publish(2)
		p.say(1, &wire.BasicQos{PrefetchCount: 1, Global: true}, &wire.BasicConsume{Queue: "q", ConsumerTag: "first"})
		for i := range 100 {
			tag := fmt.Sprint(i)
			p.say(1, &wire.BasicConsume{Queue: "q", ConsumerTag: tag}, &wire.BasicCancel{ConsumerTag: tag})
		}
		for range 100 {
			p.say(1, &wire.QueueDeclare{Queue: "other"})
			m := wire.BasicPublish{RoutingKey: []byte("other")}
			p.sayRaw(wire.AppendContentHeader(m.AppendFrame(nil, 1), 1, nil, 0))
			p.say(1, &wire.BasicConsume{Queue: "other", ConsumerTag: "x"}, &wire.QueueDelete{Queue: "other"})
		}
		if n := len(s.channels[1].starved); n != 1 {
			t.Errorf("%d consumers wait for room, but one is there", n)
		}
		if got := p.say(1, &wire.BasicAck{DeliveryTag: 1}); !slices.ContainsFunc(got, func(line string) bool {
			return strings.HasPrefix(line, "1 basic.deliver consumer-tag=first delivery-tag=2")
		}) {
			t.Errorf("after the ack comes %q", got)
		}
	})
}

func TestConsumersOfAConnectionAreBounded(t *testing.T) {
	look(t, func(_ *house, p *peer, s *session) {
		for range maxConsumers - 1 {
			s.live[new(consumer)] = struct{}{}
		}
		if got := p.say(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "last"}); len(got) != 1 || !strings.Contains(got[0], "consume-ok") {
			t.Fatalf("the last one: %q", got)
		}
		got := p.say(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "more"})
		if len(got) != 1 || !strings.Contains(got[0], "reply-code=530") || !strings.Contains(got[0], "reached maximum (65536) of consumers") {
			t.Errorf("one more: %q", got)
		}
	})
}

func TestAcksThatATransactionHasNoRoomForLoseNoMessage(t *testing.T) {
	look(t, func(h *house, p *peer, s *session) {
		p.publish(3)
		p.say(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"}, new(wire.TxSelect))
		s.kept = maxKept
		got := p.say(1, &wire.BasicAck{DeliveryTag: 2, Multiple: true})
		if len(got) != 1 || !strings.Contains(got[0], "reply-code=506") {
			t.Fatalf("%q", got)
		}
		if i := h.broker.VHost("/").Queue("q").Info(); i.Ready != 3 || i.Unacked != 0 {
			t.Errorf("%d ready and %d unacked, not 3 and 0", i.Ready, i.Unacked)
		}
	})
}

func TestHeadersOfUnfinishedMessagesAreBounded(t *testing.T) {
	m := wire.BasicPublish{RoutingKey: []byte("q")}
	props := append([]byte{0x20, 0}, wire.AppendTable(nil, wire.AppendField(nil, "k", wire.Bytes(make([]byte, 100<<10))))...)
	head := wire.AppendContentHeader(m.AppendFrame(nil, 1), 1, props, 2)
	inPieces := slices.Concat(m.AppendFrame(nil, 1), wire.AppendHeartbeat(nil), head[len(m.AppendFrame(nil, 1)):])
	piece := wire.AppendRawFrame(nil, wire.Frame{Type: wire.FrameBody, Channel: 1, Payload: []byte("x")})
	for name, begin := range map[string][]byte{"header at once": append(bytes.Clone(head), piece...), "header later": inPieces} {
		t.Run(name, func(t *testing.T) {
			look(t, func(_ *house, p *peer, s *session) {
				p.sayRaw(begin)
				if s.kept < 100<<10 {
					t.Errorf("%d bytes are counted", s.kept)
				}
			})
			look(t, func(_ *house, p *peer, s *session) {
				s.kept = maxKept - 100
				got := p.sayRaw(begin)
				if len(got) != 1 || !strings.Contains(got[0], "reply-code=506") {
					t.Errorf("%q", got)
				}
			})
		})
	}
	look(t, func(_ *house, p *peer, s *session) {
		p.sayRaw(slices.Concat(head, piece, piece))
		if s.kept != 0 || cap(s.channels[1].content.props) > keepContent {
			t.Errorf("%d bytes are counted, %d kept, and the message is done", s.kept, cap(s.channels[1].content.props))
		}
	})
}
