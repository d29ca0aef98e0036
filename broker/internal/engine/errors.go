package engine

import "fmt"

// Kind says what sort of refusal an error is. Each front has one table from kinds to its protocol's codes.
type Kind uint8

const (
	// NotFound: no such queue, exchange or vhost, or the queue is down: it cannot be read.
	NotFound Kind = iota + 1
	// AccessRefused: the user may not, or the name is reserved.
	AccessRefused
	// ResourceLocked: the queue belongs to another connection.
	ResourceLocked
	// PreconditionFailed: it exists and is different, it is in use, or an argument is wrong.
	PreconditionFailed
	// NotAllowed: the client may not do this at all (a missing vhost, a reused consumer tag, a limit).
	NotAllowed
	// NotImplemented: the protocol has it and this broker has not.
	NotImplemented
	// Internal: the disk has failed.
	Internal
)

// Error is a refused operation.
type Error struct {
	Kind Kind
	Text string // in RabbitMQ's words
}

func (e *Error) Error() string { return e.Text }

// orNil makes a nil *Error a nil error.
func (e *Error) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

func refuse(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// A name in an error text: queue 'q' in vhost '/'.
func (v *VHost) queueText(name string) string {
	return "queue '" + name + "' in vhost '" + v.name + "'"
}

func (v *VHost) exchangeText(name string) string {
	if name == "" {
		return "default exchange"
	}
	return "exchange '" + name + "' in vhost '" + v.name + "'"
}

func (v *VHost) noQueue(name string) *Error { return refuse(NotFound, "no %s", v.queueText(name)) }
func (v *VHost) noExchange(name string) *Error {
	return refuse(NotFound, "no %s", v.exchangeText(name))
}
