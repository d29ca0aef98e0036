// Package amqp091 is the codec of AMQP 0-9-1 with RabbitMQ's extensions. It is pure: bytes in, values out, and back.
//
// Every byte after the protocol header belongs to a frame (AMQP 0-9-1 §4.2.3):
//
//	0      1         3             7                  size+7     size+8
//	+------+---------+-------------+------------------+-----------+
//	| type | channel |    size     |     payload      | frame-end |
//	+------+---------+-------------+------------------+-----------+
//	 octet    short       long          size octets      0xCE
//
// A method frame (type 1) carries one method; consecutive bits share an octet, the first in bit 0:
//
//	0          2           4
//	+----------+-----------+-----------------------
//	| class-id | method-id | arguments, in order …
//	+----------+-----------+-----------------------
//	   short       short
//
// Methods with content are followed by a header frame (type 2) and as many body frames (type 3) as make up body-size, none
// when it is zero:
//
//	0          2        4           12       14
//	+----------+--------+-----------+--------+----------------------------------
//	| class-id | weight | body-size | flags  | the properties that flags names …
//	+----------+--------+-----------+--------+----------------------------------
//	   short     short    longlong    short
//
// What a decoder returns may be a view on the bytes it was given; where that is so its comment says it, and the view is
// good for as long as those bytes stay as they are. Encoders append to dst and return it, as append does.
//
// The methods, fields, properties and codes stand in protocol.txt, from which the *_gen.go files are generated.
package amqp091

//go:generate go test ./protocolgen -run TestCommittedCodecIsWhatTheTableGenerates -rewrite
