package engine

import (
	"strconv"

	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
)

// arg returns the argument with that name.
func arg(args []exchange.Arg, name string) (exchange.Value, bool) {
	for _, a := range args {
		if a.Name == name {
			return a.Value, true
		}
	}
	return exchange.Value{}, false
}

func boolText(b bool) string { return strconv.FormatBool(b) }

func inequivalent(name, what, received, current string) *Error {
	return refuse(PreconditionFailed, "inequivalent arg '%s' for %s: received '%s' but current is '%s'",
		name, what, received, current)
}

// equivalentArg compares one argument of a declaration with that of what exists.
func equivalentArg(name, what string, received, current []exchange.Arg) error {
	r, gotR := arg(received, name)
	c, gotC := arg(current, name)
	if gotR == gotC && (!gotR || r.Equal(c)) {
		return nil
	}
	if gotR && gotC {
		return inequivalent(name, what, valueText(r), valueText(c))
	}
	return refuse(PreconditionFailed, "inequivalent arg '%s' for %s: received %s but current is %s",
		name, what, argText(r, gotR), argText(c, gotC))
}

// argText shows an argument as RabbitMQ does where only one of two is there: the value '10' of type 'signedint', or none.
func argText(v exchange.Value, there bool) string {
	if !there {
		return "none"
	}
	return "the value '" + valueText(v) + "' of type '" + kindText(v) + "'"
}

func kindText(v exchange.Value) string {
	kind, _ := v.Describe()
	return kind
}

func valueText(v exchange.Value) string {
	if v.Kind == exchange.String {
		return string(v.Bytes)
	}
	_, value := v.Describe()
	return value
}

const (
	queueType  = "x-queue-type"
	messageTTL = "x-message-ttl"
)

// classic is the type of all queues so far.
var classic = exchange.Value{Kind: exchange.String, Bytes: []byte("classic")}

// The queue arguments that mean something to RabbitMQ's classic queues and that this broker does not have yet. Accepting
// one and ignoring it would be a lie.
var unsupportedQueueArgs = [...]string{
	"x-expires", "x-max-length", "x-max-length-bytes", "x-overflow", "x-dead-letter-exchange",
	"x-dead-letter-routing-key", "x-dead-letter-strategy", "x-max-priority", "x-single-active-consumer", "x-delivery-limit",
	"x-consumer-timeout",
}

// checkQueueArgs refuses arguments that cannot be honoured.
func checkQueueArgs(what string, args []exchange.Arg) error {
	if t, ok := arg(args, queueType); ok && !t.Equal(classic) {
		return refuse(PreconditionFailed, "invalid arg '%s' for %s: Warren has classic queues only so far: received %s",
			queueType, what, argText(t, true))
	}
	if ttl, ok := arg(args, messageTTL); ok {
		problem := ""
		switch {
		case ttl.Kind != exchange.Int:
			problem = "\"expected integer, got " + kindText(ttl) + "\""
		case ttl.Int < 0:
			problem = "{value_negative," + strconv.FormatInt(ttl.Int, 10) + "}"
		case ttl.Int > message.MaxTTL:
			problem = "{value_too_large," + strconv.FormatInt(ttl.Int, 10) + "}"
		}
		if problem != "" {
			return refuse(PreconditionFailed, "invalid arg '%s' for %s: %s", messageTTL, what, problem)
		}
	}
	for _, name := range unsupportedQueueArgs {
		if _, ok := arg(args, name); ok {
			return refuse(PreconditionFailed, "invalid arg '%s' for %s: Warren does not support it yet", name, what)
		}
	}
	return nil
}
