package fsck

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/warrenmq/warren/broker/internal/definitions"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/storage"
)

// Message is a message that waits in a queue. As JSON it has the form that "warren amqp get --format json" prints, and more.
type Message struct {
	VHost      string    `json:"vhost"`
	Queue      string    `json:"queue"`
	Seq        uint64    `json:"seq"`              // its number in the queue
	Deliveries int       `json:"deliveries"`       // how often it has been out, at least; above 0 it is marked as redelivered
	Expires    time.Time `json:"expires,omitzero"` // when nobody wants it any more; the zero time is never

	Exchange        string          `json:"exchange"` // it was published to
	RoutingKey      string          `json:"routing_key"`
	ContentType     string          `json:"content_type,omitempty"`
	ContentEncoding string          `json:"content_encoding,omitempty"`
	Persistent      bool            `json:"persistent"`
	Priority        uint8           `json:"priority,omitempty"`
	CorrelationID   string          `json:"correlation_id,omitempty"`
	ReplyTo         string          `json:"reply_to,omitempty"`
	Expiration      string          `json:"expiration,omitempty"`
	MessageID       string          `json:"message_id,omitempty"`
	Timestamp       time.Time       `json:"timestamp,omitzero"`
	Type            string          `json:"type,omitempty"`
	UserID          string          `json:"user_id,omitempty"`
	AppID           string          `json:"app_id,omitempty"`
	Headers         json.RawMessage `json:"headers,omitempty"` // an object; nil is none

	Body []byte `json:"-"` // as JSON it is "body" when it is UTF-8, and "body_base64" otherwise
}

// MarshalJSON returns an object.
func (m Message) MarshalJSON() ([]byte, error) {
	type plain Message
	out := struct {
		plain
		Text   *string `json:"body,omitempty"`
		Base64 []byte  `json:"body_base64,omitempty"`
	}{plain: plain(m)}
	out.Expires, out.Timestamp = written(m.Expires), written(m.Timestamp)
	if utf8.Valid(m.Body) {
		text := string(m.Body)
		out.Text = &text
	} else {
		out.Base64 = m.Body
	}
	return json.Marshal(out)
}

// written returns a time that can be written: the years of RFC 3339 have four digits.
func written(t time.Time) time.Time {
	first, last := time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	switch {
	case t.After(last):
		return last
	case t.Before(first) && !t.IsZero():
		return first
	}
	return t
}

// messageOf returns a record as a message that owns its memory.
func messageOf(q *Queue, r *storage.Record) (*Message, error) {
	var view message.Message
	if err := view.View(r.Payload); err != nil {
		return nil, fmt.Errorf("message %d of the queue %q of vhost %q: %w", r.Seq, q.Name, q.VHost, err)
	}
	p := view.Properties()
	m := &Message{
		VHost: q.VHost, Queue: q.Name, Seq: r.Seq, Deliveries: int(r.Deliveries),
		Exchange: string(view.Exchange), RoutingKey: string(view.Key), Body: append([]byte{}, view.Body...),
		ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, Persistent: view.Flags&message.Persistent != 0,
		Priority: p.Priority, CorrelationID: p.CorrelationID, ReplyTo: p.ReplyTo, Expiration: p.Expiration,
		MessageID: p.MessageID, Timestamp: p.Timestamp, Type: p.Type, UserID: p.UserID, AppID: p.AppID,
	}
	if r.Deadline != 0 {
		m.Expires = time.UnixMilli(r.Deadline).UTC()
	}
	if len(p.Headers) > 0 {
		headers, err := definitions.Args(p.Headers).MarshalJSON()
		if err != nil {
			return nil, err
		}
		m.Headers = headers
	}
	return m, nil
}
