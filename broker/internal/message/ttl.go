package message

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// MaxTTL is the longest time to live, a hundred years in milliseconds, as RabbitMQ has it.
const MaxTTL = 100 * 365 * 24 * 60 * 60 * 1000

// TTLError says why a text is no time to live.
type TTLError struct {
	Text   string
	Reason string // in RabbitMQ's words
}

func (e *TTLError) Error() string {
	return fmt.Sprintf("invalid expiration '%s': %s", e.Text, e.Reason)
}

// ParseTTL reads a time to live: milliseconds in decimal, as the property expiration has it. The error is a *TTLError.
func ParseTTL(text string) (ms int64, err error) {
	digits := len(text) - len(strings.TrimLeft(strings.TrimPrefix(text, "-"), "0123456789"))
	number, rest := text[:digits], text[digits:]
	ms, overflow := strconv.ParseInt(number, 10, 64)
	reason := ""
	switch {
	case number == "" || number == "-":
		reason = "no_integer"
	case rest != "":
		reason = fmt.Sprintf("{leftover_string,%q}", rest)
	case strings.HasPrefix(number, "-"):
		reason = "{value_negative," + number + "}"
	case overflow != nil || ms > MaxTTL:
		reason = "{value_too_large," + number + "}"
	default:
		return ms, nil
	}
	return 0, &TTLError{Text: text, Reason: reason}
}

// TTL returns the time to live that the publisher has given the message, in milliseconds; false when it has given none.
func (m *Message) TTL() (ms int64, ok bool) {
	p := m.AMQP091(nil)
	if !p.Has(amqp091.PropertyExpiration) {
		return 0, false
	}
	text, _ := p.Expiration()
	ms, err := ParseTTL(string(text))
	return ms, err == nil
}
