// Package interop holds no code: its tests put other people's programs (libzmq
// by pyzmq, pika, rabbitmq/amqp091-go, netcat, plain sockets in Python and C)
// on the other end of a real warren, and where a peer broker exists run the
// same scenario against that too, so that the outcomes can be compared.
package interop
