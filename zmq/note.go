package zmq

import "context"

// Notes are bytes beside a message's frames: a hop count, a trace context,
// what the programs at both ends want to know of a message without its frames
// being any different. Both sockets ask for them with Options.Notes. The
// property X-Notes in READY says so to the peer, and a note then travels as a
// command in front of its message, inside its queue: a message and its note
// arrive together or not at all. A note that comes without having been asked
// for is ignored. A peer that did not announce X-Notes gets the
// message alone, so notes cross no proxy and no other implementation.

// SendNote is Send with a note on m.
func (p *Push) SendNote(ctx context.Context, note []byte, m Message) error {
	return p.sendNote(ctx, note, m)
}

// SendNote is Send with a note on m.
func (p *Pub) SendNote(ctx context.Context, note []byte, m Message) error {
	return p.sendNote(ctx, note, m)
}

// SendNote is Send with a note on m.
func (x *XPub) SendNote(ctx context.Context, note []byte, m Message) error {
	return x.sendNote(ctx, note, m)
}

// SendNote is Send with a note on m.
func (d *Dealer) SendNote(ctx context.Context, note []byte, m Message) error {
	return d.sendNote(ctx, note, m)
}

// RecvNote is RecvInto with the note on the message, copied into the memory
// of *note; a message without one empties it.
func (p *Pull) RecvNote(ctx context.Context, note *[]byte, m *Message) error {
	return p.recvNote(ctx, note, m)
}

// RecvNote is RecvInto with the note on the message, copied into the memory
// of *note; a message without one empties it.
func (s *Sub) RecvNote(ctx context.Context, note *[]byte, m *Message) error {
	return s.recvNote(ctx, note, m)
}

// RecvNote is RecvInto with the note on the message, copied into the memory
// of *note; a message without one empties it.
func (x *XSub) RecvNote(ctx context.Context, note *[]byte, m *Message) error {
	return x.recvNote(ctx, note, m)
}

// RecvNote is RecvInto with the note on the message, copied into the memory
// of *note; a message without one empties it.
func (d *Dealer) RecvNote(ctx context.Context, note *[]byte, m *Message) error {
	return d.recvNote(ctx, note, m)
}
