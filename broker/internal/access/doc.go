// Package access knows who may come in and what they may do: users with their
// password hashes, what each may configure, write and read in each virtual
// host, and the SASL mechanisms that tell who somebody claims to be.
//
// Hashes, permissions and their rules are RabbitMQ's, so that its users can be
// brought over with their passwords as they are.
package access
