// Package topic finds the destinations whose patterns match a key: [Trie] for
// AMQP's dotted patterns with * and #, [Prefix] for ZeroMQ's byte prefixes.
//
// A key is words separated by dots. In a pattern * stands for exactly one word
// and # for zero or more; every other word stands for itself. Empty words are
// words ("a..b" has three, "." has two), and the empty key has none: this is
// how RabbitMQ splits, so the pattern "#" matches the empty key and "*" does
// not.
//
// Neither type locks anything. Calls of Match may run side by side; Add and
// Remove may run beside nothing else.
package topic
