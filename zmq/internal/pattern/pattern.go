// Package pattern holds the contract between ZeroMQ's messaging patterns and
// the runtime that drives them.
//
// A pattern is a [Core]: it decides which peer a message goes to, which peer
// is read next, and what envelope is put on or taken off (RFC 28 to 31). It
// never waits: what can't be done now is [ErrAgain], and the runtime calls
// again after the event that changes it. Cores hold no lock, start no
// goroutine and know no time; the runtime calls each core under one lock.
//
// The parts that several patterns share are in package brick.
package pattern

import (
	"errors"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// ErrAgain says that nothing can be sent or received at the moment.
var ErrAgain = errors.New("not now")

// ErrUnroutable says that no peer has the routing id that was asked for.
var ErrUnroutable = errors.New("no peer has this routing id")

// ErrReplyLost says that the peer that a request went to is gone before it
// answered.
var ErrReplyLost = errors.New("the connection ended before the reply came")

// A Core is one socket's pattern.
type Core interface {
	// Attach adds a peer. A false answer refuses it.
	Attach(p *Pipe) bool
	// Connected says that the handshake with p's peer is done and p.Peer is
	// known: once for a peer that connected to us, and after each reconnect
	// for one that we connect to.
	Connected(p *Pipe)
	// Disconnected says that the connection to p's peer broke and will be
	// made again. What is pushed in between waits for it.
	Disconnected(p *Pipe)
	// Detach says that p's peer is gone for good. Nothing more can be pushed;
	// what it sent before can still be popped.
	Detach(p *Pipe)
	// Readable says that p has a message after Pop said that it had none.
	Readable(p *Pipe)
	// Writable says that p has room after Push said that it had none.
	Writable(p *Pipe)
	// Send hands a message to the peer or peers that it is for. It may change
	// out, which is made anew before Send is tried again.
	Send(out *Out) error
	// Recv fills in with the next message.
	Recv(in *In) error
}

// Queues are the two queues to and from one peer, and the little else that a
// core may ask of the connection. No method waits.
type Queues interface {
	// Push queues a copy of the message for the peer. It returns false when
	// the queue is at its high-water mark; Writable is called when it no
	// longer is.
	Push(out *Out) bool
	// Pop takes the next message of the peer. It returns false when there is
	// none; Readable is called when there is one.
	Pop(in *In) bool
	// Announce tells a publisher that a subscription starts or ends. It is
	// state of the connection and bound by no high-water mark; on a peer that
	// is not connected it does nothing.
	Announce(prefix string, on bool)
	// Discard drops what is queued for the peer and not being sent yet.
	Discard()
	// Reset drops the connection for the given reason. A peer that we connect
	// to is connected again.
	Reset(reason string)
}

// A Pipe is one peer of a socket, as its core sees it.
type Pipe struct {
	Queues
	Peer zmtp.Peer // known from Connected on

	// The fields below are the core's, to keep what it knows of a pipe with
	// the pipe instead of in a map.

	InSlot  int            // 1 + index in a fair queue, 0 outside
	OutSlot int            // 1 + index in a load balancer, 0 outside
	Mark    uint64         // last distribution that reached the pipe
	ID      []byte         // routing id
	Topics  map[string]int // subscription -> index in the list of its subscribers
	Bytes   int            // what the subscriptions take
	Gone    bool           // detached
}

// An Out is a message on its way out: the frames of Head, then those of Body.
// They belong to the caller of Send and are copied by Push.
type Out struct {
	Head [][]byte
	Body [][]byte
	To   *Pipe  // the peer that a reply goes to
	Note []byte // goes in front of the message to peers that take notes

	// Share says that the message is pushed into many pipes, so that it is
	// worth encoding once.
	Share   bool
	encoded []byte
	size    int
}

// Set makes out a new message of these frames.
func (out *Out) Set(body [][]byte) {
	*out = Out{Body: body}
}

// Size returns the bytes of the encoded message.
func (out *Out) Size() int {
	if out.size == 0 {
		out.size = zmtp.MessageSize(out.Head, out.Body)
	}
	return out.size
}

// AppendTo appends the encoded message to dst.
func (out *Out) AppendTo(dst []byte) []byte {
	return zmtp.AppendMessage(dst, out.Head, out.Body)
}

// NoteSize returns the bytes that AppendNote appends.
func (out *Out) NoteSize() int { return zmtp.NoteSize(len(out.Note)) }

// AppendNote appends the note as it goes in front of the encoded message.
func (out *Out) AppendNote(dst []byte) []byte { return zmtp.AppendNote(dst, out.Note) }

// Encoded returns the encoded message. It is built once and must not change.
func (out *Out) Encoded() []byte {
	if out.encoded == nil {
		out.encoded = out.AppendTo(make([]byte, 0, out.Size()))
	}
	return out.encoded
}

// An In receives a message. Its frames are borrowed from the pipe that they
// came from, until that pipe is popped again, unless Lease is set and taken.
type In struct {
	Frames  [][]byte
	Head    [][]byte // the envelope that a REP took off
	From    *Pipe
	Command bool   // Frames[0] is the body of a SUBSCRIBE or CANCEL
	Note    []byte // the peer's note on the message, borrowed like Frames
	Lease   *Lease // set if the frames' memory can be taken over

	Prepended bool // Frames[0] was put there by Prepend

	room [][]byte // Frames and one place in front of them
}

// Scratch returns an empty list to append a message's frames to, which Fill
// is then called with.
func (in *In) Scratch() [][]byte {
	if cap(in.room) == 0 {
		in.room = make([][]byte, 1, 8)
	}
	return in.room[:1]
}

// Fill sets the frames of a message. frames is what became of [In.Scratch].
func (in *In) Fill(frames [][]byte) {
	in.room = frames
	in.Frames = frames[1:]
	in.Head, in.From = nil, nil
	in.Note = nil
	in.Command, in.Lease, in.Prepended = false, nil, false
}

// Prepend puts a frame in front of the frames that Fill set. It stays the
// core's even when the others are taken over.
func (in *In) Prepend(frame []byte) {
	in.room[0] = frame
	in.Frames = in.room
	in.Prepended = true
}

// Forget drops the references to the message's memory.
func (in *In) Forget() {
	clear(in.room)
	in.Frames, in.Head, in.From, in.Note, in.Lease = nil, nil, nil, nil, nil
}

// A Lease is the memory of one message that nobody else uses. Who wants to
// keep it sets Taken; otherwise the pipe that it came from uses it again.
type Lease struct{ Taken bool }
