package message

import (
	"fmt"
	"time"

	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// Properties are what a Go program reads and writes of a message besides its body. Zero values are absent properties.
type Properties struct {
	ContentType     string
	ContentEncoding string
	Headers         []exchange.Arg
	Persistent      bool
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string // milliseconds, in decimal
	MessageID       string
	Timestamp       time.Time // whole seconds
	Type            string
	UserID          string
	AppID           string
}

// Append appends the properties as a message of origin AMQP091 has them.
func (p *Properties) Append(dst []byte) []byte {
	v := amqp091.PropertyValues{
		ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, Priority: p.Priority, CorrelationID: p.CorrelationID,
		ReplyTo: p.ReplyTo, Expiration: p.Expiration, MessageID: p.MessageID, Type: p.Type, UserID: p.UserID, AppID: p.AppID,
	}
	for _, f := range [...]struct {
		there bool
		which amqp091.Property
	}{
		{p.ContentType != "", amqp091.PropertyContentType},
		{p.ContentEncoding != "", amqp091.PropertyContentEncoding},
		{len(p.Headers) > 0, amqp091.PropertyHeaders},
		{p.Persistent, amqp091.PropertyDeliveryMode},
		{p.Priority != 0, amqp091.PropertyPriority},
		{p.CorrelationID != "", amqp091.PropertyCorrelationID},
		{p.ReplyTo != "", amqp091.PropertyReplyTo},
		{p.Expiration != "", amqp091.PropertyExpiration},
		{p.MessageID != "", amqp091.PropertyMessageID},
		{!p.Timestamp.IsZero(), amqp091.PropertyTimestamp},
		{p.Type != "", amqp091.PropertyType},
		{p.UserID != "", amqp091.PropertyUserID},
		{p.AppID != "", amqp091.PropertyAppID},
	} {
		if f.there {
			v.Has |= f.which
		}
	}
	if p.Persistent {
		v.DeliveryMode = persistentMode
	}
	if !p.Timestamp.IsZero() {
		v.Timestamp = uint64(p.Timestamp.Unix())
	}
	for _, h := range p.Headers {
		v.Headers = amqp091.AppendField(v.Headers, h.Name, FieldValue(h.Value))
	}
	return v.Append(dst)
}

// Validate reports which property cannot travel: its text is above 255 bytes or not UTF-8 (AMQP 0-9-1 §4.2.5.3).
func (p *Properties) Validate() error {
	for _, f := range [...]struct{ name, value string }{
		{"content type", p.ContentType}, {"content encoding", p.ContentEncoding}, {"correlation id", p.CorrelationID},
		{"reply to", p.ReplyTo}, {"expiration", p.Expiration}, {"message id", p.MessageID}, {"type", p.Type},
		{"user id", p.UserID}, {"app id", p.AppID},
	} {
		if !amqp091.ValidName(f.value) {
			return fmt.Errorf("the %s must be UTF-8 of at most 255 bytes: %.40q", f.name, f.value)
		}
	}
	for _, h := range p.Headers {
		if !amqp091.ValidName(h.Name) {
			return fmt.Errorf("a header's name must be UTF-8 of at most 255 bytes: %.40q", h.Name)
		}
	}
	return nil
}

const persistentMode = 2 // delivery-mode of a persistent message

// IsPersistent reports whether AMQP 0-9-1 properties ask for a persistent message.
func IsPersistent(p amqp091.Properties) bool {
	mode, _ := p.DeliveryMode()
	return mode == persistentMode
}

// Properties returns the message's properties in memory of their own.
func (m *Message) Properties() Properties {
	p := m.AMQP091(nil)
	text := func(b []byte, _ bool) string { return string(b) }
	out := Properties{
		ContentType: text(p.ContentType()), ContentEncoding: text(p.ContentEncoding()), Persistent: IsPersistent(p),
		CorrelationID: text(p.CorrelationID()), ReplyTo: text(p.ReplyTo()), Expiration: text(p.Expiration()),
		MessageID: text(p.MessageID()), Type: text(p.Type()), UserID: text(p.UserID()), AppID: text(p.AppID()),
	}
	out.Priority, _ = p.Priority()
	if t, ok := p.Timestamp(); ok {
		out.Timestamp = time.Unix(int64(t), 0).UTC()
	}
	headers, _ := p.Headers()
	out.Headers = Args(headers)
	return out
}
