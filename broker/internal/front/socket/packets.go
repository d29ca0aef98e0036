package socket

import (
	"net/netip"
	"time"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front"
	"github.com/warrenmq/warren/broker/internal/front/pump"
)

const (
	// maxMembers is how many addresses a UDP listener knows at once. Addresses can be forged, so their number is bounded.
	maxMembers = 4096
	// sayEvery is how often the log is told of refused datagrams, of which anybody can send any number.
	sayEvery = time.Second
)

// echoPackets returns every datagram to its sender.
type echoPackets struct{ packets *pump.Packets }

func (h echoPackets) Packet(from netip.AddrPort, datagram []byte) { h.packets.Send(from, datagram) }
func (h echoPackets) Tick(time.Time) time.Time                    { return time.Time{} }

// packets is a UDP listener's room or queue. It belongs to the socket's reader.
type packets struct {
	env      front.Env
	settings *settings
	target   []byte
	socket   *pump.Packets
	members  map[netip.AddrPort]*member
	said     time.Time // when the log was last told of a datagram that was refused
}

// member is an address that has sent something of late.
type member struct {
	membership
	heard time.Time // when it last sent something; owner the reader
	to    netip.AddrPort
	out   *pump.Packets
	buf   []byte // scratch of Deliver; lock: queue
}

// Packet publishes a datagram, in the name of its sender.
func (p *packets) Packet(from netip.AddrPort, datagram []byte) {
	now := p.env.Engine.Now()
	m := p.members[from]
	if m == nil {
		if m = p.enter(now, from); m == nil {
			return
		}
	}
	m.heard = now
	if resumed, _ := p.env.Engine.Held(); resumed != nil {
		return // the broker is low on memory; a datagram may be lost
	}
	if err := p.publish(m, datagram); err != nil {
		p.say(now, from, err)
	}
	m.batch.End()
}

func (p *packets) publish(m *member, datagram []byte) error {
	if !p.settings.publish {
		return nil // it says that somebody is there, nothing more
	}
	if p.settings.framing == whole {
		if len(datagram) > p.settings.max {
			return errLong(whole, p.settings.max)
		}
		return m.publish(p.target, datagram)
	}
	s := splitter{limit: p.settings.max}
	for len(datagram) > 0 {
		body, size, _, err := s.next(datagram)
		if err != nil {
			return err
		}
		if size == 0 {
			body, _ = s.last(datagram)
			size = len(datagram)
		}
		if err := m.publish(p.target, body); err != nil {
			return err
		}
		datagram = datagram[size:]
	}
	return nil
}

// enter makes an address a member; nil when it may not be one.
func (p *packets) enter(now time.Time, from netip.AddrPort) *member {
	if len(p.members) >= maxMembers {
		p.say(now, from, errCrowded)
		return nil
	}
	m := &member{to: from, out: p.socket}
	info := engine.ClientInfo{Protocol: string(p.settings.mode), Peer: from.String()}
	err := m.join(p.env, p.settings, info, from.Addr().IsLoopback())
	if err == nil && p.settings.consume == always {
		err = m.consume(m)
	}
	if err != nil {
		m.leave()
		p.say(now, from, err)
		return nil
	}
	p.members[from] = m
	return m
}

// say tells the log why a datagram was refused.
func (p *packets) say(now time.Time, from netip.AddrPort, err error) {
	if now.Sub(p.said) >= sayEvery {
		p.said = now
		p.env.Logger.Warn("a datagram was refused", "protocol", p.settings.endpoint.Scheme, "peer", from.String(), "err", err)
	}
}

func (p *packets) drop(at netip.AddrPort, m *member) {
	delete(p.members, at)
	m.leave()
}

// Tick forgets the addresses that have been quiet.
func (p *packets) Tick(now time.Time) time.Time {
	if p.settings.idle == 0 {
		return time.Time{}
	}
	for at, m := range p.members {
		if now.Sub(m.heard) >= p.settings.idle {
			p.drop(at, m)
		}
	}
	return now.Add(p.settings.idle / 8)
}

func (p *packets) close() {
	for at, m := range p.members {
		p.drop(at, m)
	}
}

// Deliver sends a message to the address. Any goroutine; lock: queue.
func (m *member) Deliver(d *engine.Delivery) engine.Verdict {
	if !m.isOwn(d) {
		m.buf = appendMessage(m.buf[:0], m.settings.framing, d.Message.Body)
		m.out.Send(m.to, m.buf)
	}
	return engine.Taken
}

// Flush has nothing to do: datagrams go at once.
func (m *member) Flush() {}

// Cancelled leaves the member without deliveries; it joins again when its address has been quiet and speaks.
func (m *member) Cancelled(*engine.Consumer) {}
