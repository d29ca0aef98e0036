package amqp091

import (
	"errors"
	"fmt"

	"github.com/warrenmq/warren/broker/internal/engine"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// codes is the whole table from the engine's refusals to reply codes; the code says what it closes (wire.Code.Level).
var codes = [...]wire.Code{
	engine.NotFound:           wire.NotFound,
	engine.AccessRefused:      wire.AccessRefused,
	engine.ResourceLocked:     wire.ResourceLocked,
	engine.PreconditionFailed: wire.PreconditionFailed,
	engine.NotAllowed:         wire.NotAllowed,
	engine.NotImplemented:     wire.NotImplemented,
	engine.Internal:           wire.InternalError,
}

// reply returns the code of err and the explanation that goes with it. What nobody foresaw is 541 INTERNAL_ERROR: its text
// is for the log alone.
func reply(err error) (code wire.Code, explanation string) {
	var refused *engine.Error
	var violation *wire.Error
	switch {
	case errors.As(err, &violation):
		return violation.Code, violation.Text
	case errors.As(err, &refused) && int(refused.Kind) < len(codes) && codes[refused.Kind] != 0:
		return codes[refused.Kind], refused.Text
	case errors.Is(err, engine.ErrClosed):
		return wire.ConnectionForced, "the broker is closing"
	}
	return wire.InternalError, "see the broker's log"
}

// violation is a refusal by this front itself.
func violation(code wire.Code, format string, args ...any) error {
	return &wire.Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// The refusals that do not depend on anything.
func errNoLastQueue() error { return violation(wire.NotFound, "no previously declared queue") }
func errUnimplemented() error {
	return violation(wire.CommandInvalid, "unimplemented method")
}
func errUnknownTag(tag uint64) error {
	return violation(wire.PreconditionFailed, "unknown delivery tag %d", tag)
}
