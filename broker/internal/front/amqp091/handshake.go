package amqp091

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/engine"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// amqp10SASL is what a client is told that does not speak 0-9-1: RabbitMQ 4 answers so, whatever it was sent.
const amqp10SASL = "AMQP\x03\x01\x00\x00"

// header judges the protocol header and answers it with connection.start.
func (s *session) header(in []byte) (n int, err error) {
	answer := amqp10SASL
	switch wire.ScanProtocolHeader(in) {
	case wire.HeaderIncomplete:
		return 0, nil
	case wire.HeaderAccepted:
		s.phase = phaseStart
		s.out.End(append(s.out.Begin(), s.front.hello...))
		return len(wire.ProtocolHeader), nil
	case wire.HeaderOtherAMQP:
		answer = wire.ProtocolHeader
	}
	s.phase = phaseClosed
	s.out.End(append(s.out.Begin(), answer...))
	return len(in), errors.New("the client does not speak AMQP 0-9-1: it began with " + quoted(in))
}

// quoted shows the first bytes of something unexpected.
func quoted(b []byte) string {
	const hex = "0123456789abcdef"
	out := []byte{'"'}
	for _, c := range b[:min(len(b), 8)] {
		if c >= ' ' && c <= '~' && c != '"' && c != '\\' {
			out = append(out, c)
		} else {
			out = append(out, '\\', 'x', hex[c>>4], hex[c&15])
		}
	}
	return string(append(out, '"'))
}

// handshake handles a method on channel 0 before the connection runs.
func (s *session) handshake(id wire.MethodID, args []byte) error {
	switch {
	case id == wire.MethodConnectionStartOk && s.phase == phaseStart:
		return s.startOk(args)
	case id == wire.MethodConnectionSecureOk && s.phase == phaseSecure:
		var m wire.ConnectionSecureOk
		if err := m.Decode(args); err != nil {
			return s.fatal(err)
		}
		return s.authenticate(m.Response)
	case id == wire.MethodConnectionTuneOk && s.phase == phaseTune:
		return s.tuneOk(args)
	case id == wire.MethodConnectionOpen && s.phase == phaseOpen:
		return s.open(args)
	case id == wire.MethodConnectionClose:
		s.send(0, new(wire.ConnectionCloseOk))
		s.phase = phaseClosed
		return io.EOF
	}
	return s.fatal(&wire.Error{Code: wire.ChannelError, Text: "unexpected method in the handshake", Method: id})
}

func (s *session) startOk(args []byte) error {
	var m wire.ConnectionStartOk
	if err := m.Decode(args); err != nil {
		return s.fatal(err)
	}
	if name, ok := m.ClientProperties.Get("connection_name"); ok {
		s.name = string(name.Bytes())
	}
	if capabilities, ok := m.ClientProperties.Get("capabilities"); ok {
		has := func(name string) bool {
			v, _ := capabilities.Table().Get(name)
			return v.Bool()
		}
		s.closesAuth = has("authentication_failure_close")
		s.blockable = has("connection.blocked")
		s.cancelable = has("consumer_cancel_notify")
	}
	switch m.Mechanism {
	case "PLAIN":
		s.mechanism = access.Plain()
	case "AMQPLAIN":
		s.mechanism = access.AMQPlain(decodeAMQPlain)
	default:
		return s.fatal(&wire.Error{
			Code: wire.CommandInvalid, Text: "unknown authentication mechanism '" + m.Mechanism + "'", Method: wire.MethodConnectionStartOk,
		})
	}
	return s.authenticate(m.Response)
}

// decodeAMQPlain reads a response of AMQPLAIN: a table without its length.
func decodeAMQPlain(response []byte) (login, password []byte, err error) {
	t := wire.Table(response)
	if t.Validate() != nil {
		return nil, nil, errors.New("the response is no table")
	}
	user, hasUser := t.Get("LOGIN")
	pass, hasPass := t.Get("PASSWORD")
	if !hasUser || !hasPass || user.Kind() != wire.KindLongstr || pass.Kind() != wire.KindLongstr {
		return nil, nil, errors.New("LOGIN or PASSWORD is missing")
	}
	return user.Bytes(), pass.Bytes(), nil
}

// authenticate goes one step in the mechanism's conversation.
func (s *session) authenticate(response []byte) error {
	challenge, credentials, err := s.mechanism.Next(response)
	if err == nil && credentials == nil {
		s.phase = phaseSecure
		s.send(0, &wire.ConnectionSecure{Challenge: challenge})
		return nil
	}
	if err == nil {
		s.user, err = s.front.broker.Authenticate(credentials.User, credentials.Password, s.loopback())
	}
	if err == nil {
		s.phase = phaseTune
		s.send(0, &wire.ConnectionTune{ChannelMax: channelMax, FrameMax: frameMax, Heartbeat: heartbeat})
		return nil
	}
	if s.closesAuth {
		s.goodbye(wire.AccessRefused, "Login was refused using authentication mechanism "+s.mechanism.Name()+
			". For details see the broker logfile.", 0)
	}
	s.phase = phaseClosed
	return fmt.Errorf("login refused with mechanism %s: %w", s.mechanism.Name(), err)
}

// loopback reports whether the client is on this machine.
func (s *session) loopback() bool {
	switch a := s.conn.RemoteAddr().(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return s.conn.RemoteAddr().Network() == "pipe" // net.Pipe: another goroutine
}

func (s *session) tuneOk(args []byte) error {
	var m wire.ConnectionTuneOk
	if err := m.Decode(args); err != nil {
		return s.fatal(err)
	}
	if err := negotiated("frame_max", m.FrameMax, frameMin, frameMax); err != nil {
		return s.fatal(err)
	}
	if err := negotiated("channel_max", uint32(m.ChannelMax), 1, channelMax); err != nil {
		return s.fatal(err)
	}
	s.frameMax, s.channelMax = int(m.FrameMax), int(m.ChannelMax)
	s.maxPayload = s.frameMax - wire.FrameOverhead
	s.pulse.interval = time.Duration(m.Heartbeat) * time.Second
	s.phase = phaseOpen
	s.conn.Wake()
	return nil
}

// negotiated refuses what a client may not ask for. 0 is no limit, which is above every limit.
func negotiated(what string, asked, least, most uint32) error {
	side, extreme, limit := "lower", "minimum", least
	switch {
	case asked == 0 || asked > most:
		side, extreme, limit = "higher", "maximum", most
	case asked >= least:
		return nil
	}
	return &wire.Error{
		Code: wire.NotAllowed, Method: wire.MethodConnectionTune,
		Text: fmt.Sprintf("negotiated %s = %d is %s than the %s allowed value (%d)", what, asked, side, extreme, limit),
	}
}

func (s *session) open(args []byte) error {
	var m wire.ConnectionOpen
	if err := m.Decode(args); err != nil {
		return s.fatal(err)
	}
	client, err := s.front.broker.Open(m.VirtualHost, s.user, engine.ClientInfo{
		Protocol: s.front.Protocol(), Peer: s.conn.RemoteAddr().String(), Name: s.name, Alarm: s.conn.Wake,
	})
	if err != nil {
		return s.closeConnection(err, wire.MethodConnectionOpen)
	}
	s.client = client
	s.phase = phaseRunning
	s.deadline = time.Time{}
	s.send(0, new(wire.ConnectionOpenOk))
	s.conn.Wake()
	return nil
}
