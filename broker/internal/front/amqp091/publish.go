package amqp091

import (
	"bytes"

	"github.com/warrenmq/warren/broker/internal/message"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// contentState is what a channel that was sent a basic.publish waits for.
type contentState uint8

const (
	contentNone contentState = iota
	contentHeader
	contentBody
)

// content is a published message that did not lie in the read buffer as a whole: it comes in many frames, or other
// channels' frames are between them. It is put together in memory of its own.
type content struct {
	state     contentState
	mandatory bool
	immediate bool
	exchange  []byte
	key       []byte
	props     []byte
	body      []byte
	size      uint64 // of the body, as announced
	got       uint64 // of the body, so far
	kept      int    // bytes counted in session.kept
}

// keepContent is how large a buffer may be that waits for the next message.
const keepContent = 4 << 10

// maxSound is how many bytes of properties a channel remembers.
const maxSound = 1 << 10

// forget ends the content and returns how many bytes it had been accounted with.
func (c *content) forget() int {
	kept := c.kept
	props, body := c.props[:0], c.body[:0]
	if cap(props) > keepContent {
		props = nil
	}
	if cap(body) > keepContent {
		body = nil
	}
	*c = content{exchange: c.exchange[:0], key: c.key[:0], props: props, body: body}
	return kept
}

// expected is the error of a frame that is not the one that the content needs next.
func (c *content) expected() error {
	if c.state == contentHeader {
		return violation(wire.UnexpectedFrame, "expected content header for class %d, got non content header frame instead", wire.ClassBasic)
	}
	return violation(wire.UnexpectedFrame, "expected content body, got non content body frame instead")
}

// publish handles a basic.publish, the first size bytes of rest, and whatever follows it there. A small message is three
// frames in a row: they are decoded where they lie. When rest ends before the third, nothing is taken and all of them are
// asked for again; when something else comes in between, the content is put together piece by piece.
func (s *session) publish(ch *channel, args, rest []byte, size int) (took, need int, err error) {
	var m wire.BasicPublish
	if err := m.Decode(args); err != nil {
		return size, 0, s.fatal(err)
	}
	took = size
	header, n, err := wire.ScanFrame(rest[took:], s.maxPayload)
	switch {
	case err != nil:
		return took, 0, s.fatal(err)
	case n == 0:
		return 0, took + wire.FrameSize(rest[took:]), nil
	case header.Type != wire.FrameHeader || header.Channel != ch.number:
		ch.content.begin(&m)
		return took, 0, nil
	}
	took += n
	h, err := ch.contentHeader(header.Payload)
	if err != nil {
		return took, 0, s.fail(ch, wire.MethodBasicPublish, err)
	}
	if h.BodySize == 0 {
		return took, 0, s.published(ch, &m, h.Properties, nil)
	}
	if h.BodySize <= uint64(s.maxPayload) {
		body, n, err := wire.ScanFrame(rest[took:], s.maxPayload)
		switch {
		case err != nil:
			return took, 0, s.fatal(err)
		case n == 0:
			return 0, took + wire.FrameSize(rest[took:]), nil
		case body.Type == wire.FrameBody && body.Channel == ch.number && uint64(len(body.Payload)) == h.BodySize:
			return took + n, 0, s.published(ch, &m, h.Properties, body.Payload)
		}
	}
	ch.content.begin(&m)
	return took, 0, s.announced(&ch.content, h)
}

// contentHeader decodes a header and checks its properties and its class. Most publishers send the same properties over and
// over again: those of the header before were found sound.
func (ch *channel) contentHeader(payload []byte) (wire.ContentHeader, error) {
	h, err := wire.SplitContentHeader(payload)
	if err == nil && !bytes.Equal(h.Properties, ch.sound) {
		if err = h.Properties.Validate(); err == nil && len(h.Properties) <= maxSound {
			ch.sound = append(ch.sound[:0], h.Properties...)
		}
	}
	if err == nil && h.Class != wire.ClassBasic {
		err = violation(wire.UnexpectedFrame, "expected content header for class %d, got one for class %d instead", wire.ClassBasic, h.Class)
	}
	return h, err
}

func (c *content) begin(m *wire.BasicPublish) {
	c.state = contentHeader
	c.exchange = append(c.exchange[:0], m.Exchange...)
	c.key = append(c.key[:0], m.RoutingKey...)
	c.mandatory, c.immediate = m.Mandatory, m.Immediate
}

// announced keeps the header of a message whose body has not come.
func (s *session) announced(c *content, h wire.ContentHeader) error {
	c.state = contentBody
	c.size = h.BodySize
	if !s.reserve(c, len(h.Properties)) {
		return s.closeConnection(errKept(), wire.MethodBasicPublish)
	}
	c.props = append(c.props[:0], h.Properties...)
	return nil
}

// reserve counts n more bytes of an unfinished message, and reports whether the connection may have them.
func (s *session) reserve(c *content, n int) bool {
	if s.kept+n > maxKept {
		return false
	}
	c.kept += n
	s.kept += n
	return true
}

// content handles a header or body frame that publish did not find in its place.
func (s *session) content(ch *channel, f wire.Frame) error {
	if ch != nil && ch.closing {
		return nil
	}
	if ch == nil || ch.content.state == contentNone {
		return s.closeConnection(violation(wire.UnexpectedFrame, "expected method frame, got non method frame instead"), 0)
	}
	c := &ch.content
	if (f.Type == wire.FrameHeader) != (c.state == contentHeader) {
		return s.closeConnection(c.expected(), wire.MethodBasicPublish)
	}
	if f.Type == wire.FrameHeader {
		h, err := ch.contentHeader(f.Payload)
		if err != nil {
			return s.fail(ch, wire.MethodBasicPublish, err)
		}
		if err := s.announced(c, h); err != nil || s.phase != phaseRunning {
			return err
		}
	} else if c.got += uint64(len(f.Payload)); c.got > c.size {
		return s.fatal(&wire.Error{Code: wire.FrameError, Text: "more body than the content header has announced", Method: wire.MethodBasicPublish})
	} else if c.size <= maxBody { // a larger one is read to its end and dropped
		if !s.reserve(c, len(f.Payload)) {
			return s.closeConnection(errKept(), wire.MethodBasicPublish)
		}
		c.body = append(c.body, f.Payload...)
	}
	if c.got < c.size {
		return nil
	}
	m := wire.BasicPublish{Exchange: c.exchange, RoutingKey: c.key, Mandatory: c.mandatory, Immediate: c.immediate}
	size := c.size
	c.state = contentNone
	var err error
	if size > maxBody {
		err = s.fail(ch, wire.MethodBasicPublish, violation(wire.PreconditionFailed,
			"message size %d is larger than configured max size %d", size, maxBody))
	} else {
		err = s.published(ch, &m, c.props, c.body)
	}
	s.kept -= c.forget()
	return err
}

func errKept() error {
	return violation(wire.ResourceError, "unfinished messages and open transactions of the connection need more than %d bytes", maxKept)
}

// published handles a whole message.
func (s *session) published(ch *channel, m *wire.BasicPublish, props wire.Properties, body []byte) error {
	if err := s.route(ch, m, props, body); err != nil {
		return s.fail(ch, wire.MethodBasicPublish, err)
	}
	return nil
}

func (s *session) route(ch *channel, m *wire.BasicPublish, props wire.Properties, body []byte) error {
	s.publishing = true
	if m.Immediate {
		return violation(wire.NotImplemented, "immediate=true")
	}
	props, err := s.admit(ch, props)
	if err != nil {
		return err
	}
	msg := &s.message
	*msg = message.Message{Origin: message.AMQP091, Exchange: m.Exchange, Key: m.RoutingKey, Props: props, Body: body}
	if message.IsPersistent(props) {
		msg.Flags = message.Persistent
	}
	if ch.tx != nil {
		return ch.keep(msg, m.Mandatory)
	}
	if s.waiting.blocked {
		return s.wait(ch, msg, m.Mandatory)
	}
	return s.accept(ch, msg, m.Mandatory)
}

// accept enters a message and counts it for its confirm.
func (s *session) accept(ch *channel, msg *message.Message, mandatory bool) error {
	if err := s.enter(ch, msg, mandatory); err != nil {
		return err
	}
	if ch.confirms {
		ch.published++
		if !ch.owing {
			ch.owing = true
			s.confirming = append(s.confirming, ch)
		}
	}
	return nil
}

// enter gives a message to the engine, or back to its publisher.
func (s *session) enter(ch *channel, msg *message.Message, mandatory bool) error {
	queues, err := s.client.Publish(s.batch, msg)
	if err != nil || queues > 0 || !mandatory {
		return err
	}
	back := wire.BasicReturn{
		ReplyCode: uint16(wire.NoRoute), ReplyText: []byte(wire.NoRoute.String()), Exchange: msg.Exchange, RoutingKey: msg.Key,
	}
	s.out.End(wire.AppendReturn(s.out.Begin(), ch.number, &back, wire.Content{Properties: msg.AMQP091(nil), Body: msg.Body}, s.frameMax))
	return nil
}
