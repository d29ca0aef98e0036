// Code generated from protocol.txt by protocolgen; DO NOT EDIT.

package amqp091

import "encoding/binary"

// The properties, as bits of the flags word.
const (
	PropertyContentType     Property = 1 << 15
	PropertyContentEncoding Property = 1 << 14
	PropertyHeaders         Property = 1 << 13
	PropertyDeliveryMode    Property = 1 << 12
	PropertyPriority        Property = 1 << 11
	PropertyCorrelationID   Property = 1 << 10
	PropertyReplyTo         Property = 1 << 9
	PropertyExpiration      Property = 1 << 8
	PropertyMessageID       Property = 1 << 7
	PropertyTimestamp       Property = 1 << 6
	PropertyType            Property = 1 << 5
	PropertyUserID          Property = 1 << 4
	PropertyAppID           Property = 1 << 3
	PropertyClusterID       Property = 1 << 2
)

// propertyKinds holds the wire type of each property, in flag order: a shortstr, a table (F), an octet, a timestamp (T).
const propertyKinds = "ssFoossssTssss"

// allProperties has the bit of every property.
const allProperties Property = 0 | PropertyContentType | PropertyContentEncoding | PropertyHeaders | PropertyDeliveryMode | PropertyPriority | PropertyCorrelationID | PropertyReplyTo | PropertyExpiration | PropertyMessageID | PropertyTimestamp | PropertyType | PropertyUserID | PropertyAppID | PropertyClusterID

// ContentType is the property content-type, false when absent.
func (p Properties) ContentType() ([]byte, bool) { return shortstrAt(p.find(PropertyContentType)) }

// ContentEncoding is the property content-encoding, false when absent.
func (p Properties) ContentEncoding() ([]byte, bool) {
	return shortstrAt(p.find(PropertyContentEncoding))
}

// Headers is the property headers, false when absent.
func (p Properties) Headers() (Table, bool) { return tableAt(p.find(PropertyHeaders)) }

// DeliveryMode is the property delivery-mode, false when absent.
func (p Properties) DeliveryMode() (uint8, bool) { return octetAt(p.find(PropertyDeliveryMode)) }

// Priority is the property priority, false when absent.
func (p Properties) Priority() (uint8, bool) { return octetAt(p.find(PropertyPriority)) }

// CorrelationID is the property correlation-id, false when absent.
func (p Properties) CorrelationID() ([]byte, bool) { return shortstrAt(p.find(PropertyCorrelationID)) }

// ReplyTo is the property reply-to, false when absent.
func (p Properties) ReplyTo() ([]byte, bool) { return shortstrAt(p.find(PropertyReplyTo)) }

// Expiration is the property expiration, false when absent.
func (p Properties) Expiration() ([]byte, bool) { return shortstrAt(p.find(PropertyExpiration)) }

// MessageID is the property message-id, false when absent.
func (p Properties) MessageID() ([]byte, bool) { return shortstrAt(p.find(PropertyMessageID)) }

// Timestamp is the property timestamp, false when absent.
func (p Properties) Timestamp() (uint64, bool) { return timestampAt(p.find(PropertyTimestamp)) }

// Type is the property type, false when absent.
func (p Properties) Type() ([]byte, bool) { return shortstrAt(p.find(PropertyType)) }

// UserID is the property user-id, false when absent.
func (p Properties) UserID() ([]byte, bool) { return shortstrAt(p.find(PropertyUserID)) }

// AppID is the property app-id, false when absent.
func (p Properties) AppID() ([]byte, bool) { return shortstrAt(p.find(PropertyAppID)) }

// ClusterID is the property cluster-id, false when absent.
func (p Properties) ClusterID() ([]byte, bool) { return shortstrAt(p.find(PropertyClusterID)) }

// PropertyValues are properties to be encoded.
type PropertyValues struct {
	Has             Property // which of the fields below are written; zero: none
	ContentType     string
	ContentEncoding string
	Headers         Table
	DeliveryMode    uint8
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string
	MessageID       string
	Timestamp       uint64
	Type            string
	UserID          string
	AppID           string
	ClusterID       string
}

// Append appends v to dst, flags first: what follows the body size in a content header.
func (v *PropertyValues) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(v.Has&allProperties))
	if v.Has&PropertyContentType != 0 {
		dst = AppendShortstr(dst, v.ContentType)
	}
	if v.Has&PropertyContentEncoding != 0 {
		dst = AppendShortstr(dst, v.ContentEncoding)
	}
	if v.Has&PropertyHeaders != 0 {
		dst = AppendTable(dst, v.Headers)
	}
	if v.Has&PropertyDeliveryMode != 0 {
		dst = append(dst, v.DeliveryMode)
	}
	if v.Has&PropertyPriority != 0 {
		dst = append(dst, v.Priority)
	}
	if v.Has&PropertyCorrelationID != 0 {
		dst = AppendShortstr(dst, v.CorrelationID)
	}
	if v.Has&PropertyReplyTo != 0 {
		dst = AppendShortstr(dst, v.ReplyTo)
	}
	if v.Has&PropertyExpiration != 0 {
		dst = AppendShortstr(dst, v.Expiration)
	}
	if v.Has&PropertyMessageID != 0 {
		dst = AppendShortstr(dst, v.MessageID)
	}
	if v.Has&PropertyTimestamp != 0 {
		dst = binary.BigEndian.AppendUint64(dst, v.Timestamp)
	}
	if v.Has&PropertyType != 0 {
		dst = AppendShortstr(dst, v.Type)
	}
	if v.Has&PropertyUserID != 0 {
		dst = AppendShortstr(dst, v.UserID)
	}
	if v.Has&PropertyAppID != 0 {
		dst = AppendShortstr(dst, v.AppID)
	}
	if v.Has&PropertyClusterID != 0 {
		dst = AppendShortstr(dst, v.ClusterID)
	}
	return dst
}

// Values reads all of p, copying what it holds.
func (p Properties) Values() PropertyValues {
	var v PropertyValues
	if x, ok := p.ContentType(); ok {
		v.Has |= PropertyContentType
		v.ContentType = string(x)
	}
	if x, ok := p.ContentEncoding(); ok {
		v.Has |= PropertyContentEncoding
		v.ContentEncoding = string(x)
	}
	if x, ok := p.Headers(); ok {
		v.Has |= PropertyHeaders
		v.Headers = append(Table(nil), x...)
	}
	if x, ok := p.DeliveryMode(); ok {
		v.Has |= PropertyDeliveryMode
		v.DeliveryMode = x
	}
	if x, ok := p.Priority(); ok {
		v.Has |= PropertyPriority
		v.Priority = x
	}
	if x, ok := p.CorrelationID(); ok {
		v.Has |= PropertyCorrelationID
		v.CorrelationID = string(x)
	}
	if x, ok := p.ReplyTo(); ok {
		v.Has |= PropertyReplyTo
		v.ReplyTo = string(x)
	}
	if x, ok := p.Expiration(); ok {
		v.Has |= PropertyExpiration
		v.Expiration = string(x)
	}
	if x, ok := p.MessageID(); ok {
		v.Has |= PropertyMessageID
		v.MessageID = string(x)
	}
	if x, ok := p.Timestamp(); ok {
		v.Has |= PropertyTimestamp
		v.Timestamp = x
	}
	if x, ok := p.Type(); ok {
		v.Has |= PropertyType
		v.Type = string(x)
	}
	if x, ok := p.UserID(); ok {
		v.Has |= PropertyUserID
		v.UserID = string(x)
	}
	if x, ok := p.AppID(); ok {
		v.Has |= PropertyAppID
		v.AppID = string(x)
	}
	if x, ok := p.ClusterID(); ok {
		v.Has |= PropertyClusterID
		v.ClusterID = string(x)
	}
	return v
}
