// Package zmtp holds the wire format of ZeroMQ: ZMTP 3.1 (RFC 37), as it is
// also spoken with peers of ZMTP 3.0 (RFC 23).
//
// The package is pure. Bytes go in, bytes and facts come out: it opens no
// connection, starts no goroutine and reads no clock.
//
//	greeting   64 bytes, see [Greeting]
//	handshake  READY against READY, see [Handshake]
//	traffic    frames, see [AppendFrame] and [Decoder]
package zmtp
