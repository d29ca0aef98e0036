package message

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// MaxTTL is the longest time to live, ten years in milliseconds, as RabbitMQ has it.
const MaxTTL = 10 * 365 * 24 * 60 * 60 * 1000

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
	sign := 0
	if text != "" && strings.ContainsAny(text[:1], "+-") {
		sign = 1
	}
	rest := strings.TrimLeft(text[sign:], "0123456789")
	number := text[:len(text)-len(rest)]
	ms, overflow := strconv.ParseInt(number, 10, 64)
	reason := ""
	switch {
	case len(number) == sign:
		reason = "no_integer"
	case rest != "":
		reason = fmt.Sprintf("{leftover_string,%q}", rest)
	case ms < 0:
		reason = "{value_negative,-" + strings.TrimLeft(number, "-0") + "}"
	case overflow != nil || ms > MaxTTL:
		reason = "{value_too_large," + strings.TrimLeft(number, "+0") + "}"
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
