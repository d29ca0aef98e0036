// Package exchange decides where a message goes: for each type of exchange a
// [Table] of bindings that turns a routing key and headers into destinations.
//
// A destination is anything comparable; the table neither knows nor asks what
// it is. Tables lock nothing: calls of Route may run side by side, while Bind,
// Unbind and UnbindAll may run beside nothing else.
//
// The rules are those of the AMQP 0-9-1 specification (§3.1.3) and, where that
// is silent, of RabbitMQ: a destination gets one copy however many of its
// bindings match, and binding the same thing twice is binding it once.
package exchange
