package zmq

import (
	"sync"

	"github.com/warrenmq/warren/zmq/internal/pattern"
	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// A segment is a run of whole messages as they go over the wire.
type segment struct {
	buf      []byte
	messages int
	base     []byte // the pool's buffer, given back with this segment; nil: none
	open     bool   // push may append to buf
	alone    bool   // buf holds one large message
}

// A queue holds the messages to or from one peer, encoded: that way an entry
// has no pointers, a producer's frames are its own again once they are
// queued, and a consumer that is a connection writes what is there.
//
// There are three kinds. To a tcp or ipc peer, the socket pushes and the
// connection takes; from one, the connection puts and the socket pops; and
// between two sockets of one process the one pushes and the other pops.
//
// Whoever finds nothing to do says so in the queue, under its lock: a consumer
// is asleep, a producer is blocked. The other side, when it changes that,
// takes the mark away and has the duty to wake it. So nobody is woken who is
// awake, and while both are busy there is no signal at all.
//
// As in libzmq, a blocked producer goes on only when half of the messages are
// gone, so that it is not woken for each.
type queue struct {
	pool          *pool
	subscriptions bool // pop returns SUBSCRIBE and CANCEL commands
	notes         bool // the peer takes notes on messages; owned by the socket's lock

	mu       sync.Mutex
	segments []segment       // from head on; owned by mu
	head     int             // owned by mu
	count    int             // messages, with those popped and not settled; owned by mu
	bytes    int             // in segments; owned by mu
	hwm      int             // 0: no bound; owned by mu, fixed once a consumer pops
	asleep   bool            // the consumer waits to be woken; owned by mu
	blocked  bool            // the producer waits to be woken; owned by mu
	closed   bool            // nothing more is taken; owned by mu
	last     bool            // what is in it is the last of the stream; owned by mu
	busy     bool            // a small buffer did not suffice lately; owned by mu
	writer   *conn           // the consumer, if it is a connection; owned by mu
	local    bool            // the consumer is another socket's core; owned by mu
	drained  []chan struct{} // closed when all is written; owned by mu

	// The consumer's, if it pops.
	current segment
	pos     int
	popped  int           // since count was settled
	lease   pattern.Lease // of current, if it is alone
}

// queueBytes is how many bytes may wait in a queue from a peer before the
// connection stops reading, however few messages they are.
const queueBytes = 8 << 20

// shareSize is the encoded size from which a message to many peers is kept
// once for all of them.
const shareSize = 4 << 10

func (q *queue) lowWater() int { return (q.hwm + 1) / 2 }

// push appends one message. wake tells that the consumer was asleep and must
// be woken by the caller.
func (q *queue) push(out *pattern.Out) (ok, wake bool) {
	q.mu.Lock()
	if q.closed || q.hwm > 0 && q.count >= q.hwm {
		q.blocked = !q.closed
		q.mu.Unlock()
		return false, false
	}
	q.append(out)
	wake = q.asleep
	q.asleep = false
	q.mu.Unlock()
	return true, wake
}

// append adds a message behind the others. Called with mu held.
func (q *queue) append(out *pattern.Out) {
	size := out.Size()
	noted := q.notes && len(out.Note) > 0
	if noted {
		size += out.NoteSize()
	}
	q.count++
	q.bytes += size
	if out.Share && size >= shareSize && !noted {
		q.add(segment{buf: out.Encoded(), messages: 1})
		return
	}
	if n := len(q.segments); n > q.head {
		last := &q.segments[n-1]
		if last.open && cap(last.buf)-len(last.buf) >= size {
			last.buf = encode(last.buf, out, noted)
			last.messages++
			return
		}
		q.busy = true
	}
	room := size
	if q.busy {
		room = max(size, largeBuffer)
	}
	buf := encode(q.pool.get(room), out, noted)
	large := cap(buf) > largeBuffer
	q.add(segment{buf: buf, messages: 1, base: buf, open: !large, alone: large})
}

// encode appends a message to dst, with its note in front if the peer takes it.
func encode(dst []byte, out *pattern.Out, noted bool) []byte {
	if noted {
		dst = out.AppendNote(dst)
	}
	return out.AppendTo(dst)
}

// add puts s behind the other segments. Called with mu held.
func (q *queue) add(s segment) {
	if q.head > 0 && len(q.segments) == cap(q.segments) {
		n := copy(q.segments, q.segments[q.head:])
		clear(q.segments[n:])
		q.segments, q.head = q.segments[:n], 0
	}
	q.segments = append(q.segments, s)
}

// pushControl appends a message without regard to the high-water mark.
func (q *queue) pushControl(out *pattern.Out) (wake bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.append(out)
	wake = q.asleep
	q.asleep = false
	return wake
}

// room returns how many messages may be put; when there is no room, the
// consumer will wake the producer. A queue that is closed drops all.
func (q *queue) room() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return 1 << 30
	case q.bytes >= queueBytes, q.hwm > 0 && q.count >= q.hwm:
		q.blocked = true
		return 0
	case q.hwm == 0:
		return 1 << 30
	}
	return q.hwm - q.count
}

// put appends a segment. wake tells that the consumer was asleep and must be
// woken by the caller.
func (q *queue) put(s segment) (wake bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.add(s)
	q.count += s.messages
	q.bytes += len(s.buf)
	wake = q.asleep
	q.asleep = false
	return wake
}

// pop takes one message. Its frames are borrowed until the next pop. When
// there is none the consumer is asleep from then on. wake tells that the
// producer was blocked and must be woken by the caller.
func (q *queue) pop(in *pattern.In) (ok, wake bool) {
	for {
		if q.pos < len(q.current.buf) {
			t := zmtp.Take(q.current.buf[q.pos:], in.Scratch(), q.subscriptions)
			if t.Size > 0 {
				q.pos += t.Size
				q.popped++
				in.Fill(t.Frames)
				in.Command = t.Command
				in.Note = t.Note
				if q.current.alone {
					in.Lease = &q.lease
				}
				if q.hwm > 0 && q.popped >= q.lowWater() {
					q.mu.Lock()
					wake = q.settle() || wake
					q.mu.Unlock()
				}
				return true, wake
			}
		}
		if q.current.base != nil && !q.lease.Taken {
			q.pool.put(q.current.base)
		}
		q.current, q.pos, q.lease.Taken = segment{}, 0, false

		q.mu.Lock()
		if q.head == len(q.segments) {
			wake = q.settle() || wake
			q.asleep = true
			q.busy = false
			q.mu.Unlock()
			return false, wake
		}
		if q.popped >= q.lowWater() || q.blocked && q.bytes < queueBytes/2 {
			wake = q.settle() || wake
		}
		q.current = q.segments[q.head]
		q.bytes -= len(q.current.buf)
		q.segments[q.head] = segment{}
		if q.head++; q.head == len(q.segments) {
			q.segments, q.head = q.segments[:0], 0
		}
		q.mu.Unlock()
	}
}

// settle counts the popped messages as gone. Called with mu held.
func (q *queue) settle() (wake bool) {
	q.count -= q.popped
	q.popped = 0
	if q.blocked && q.bytes < queueBytes && (q.hwm == 0 || q.count < q.hwm) {
		q.blocked = false
		return true
	}
	return false
}

// takeBytes is how much a connection takes out of the queue at a time.
const takeBytes = 256 << 10

// take moves the segments that a connection writes next to batch, up to
// takeBytes of them and one at least. wake tells that the producer was blocked and must
// be woken by the caller. Called with mu held.
func (q *queue) take(batch []segment) (taken []segment, wake bool) {
	size, messages := 0, 0
	for q.head < len(q.segments) && (size == 0 || size < takeBytes) {
		s := &q.segments[q.head]
		size += len(s.buf)
		messages += s.messages
		batch = append(batch, *s)
		*s = segment{}
		q.head++
	}
	if q.head == len(q.segments) {
		q.segments, q.head = q.segments[:0], 0
	}
	q.busy = q.busy && size > smallBuffer/2
	q.count -= messages
	q.bytes -= size
	if q.blocked && q.count <= q.lowWater() {
		q.blocked = false
		wake = true
	}
	return batch, wake
}

// giveBack puts segments that were taken and not written in front again.
// Called with mu held.
func (q *queue) giveBack(batch []segment) {
	if q.closed || len(batch) == 0 {
		return
	}
	rest := append([]segment(nil), q.segments[q.head:]...)
	q.segments, q.head = append(batch, rest...), 0
	for i := range batch {
		q.segments[i].open = false
		q.count += batch[i].messages
		q.bytes += len(batch[i].buf)
	}
}

// discard drops all that was not popped or taken. wake tells that the
// producer was blocked and must be woken by the caller.
func (q *queue) discard() (wake bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := q.head; i < len(q.segments); i++ {
		q.count -= q.segments[i].messages
		q.segments[i] = segment{}
	}
	q.segments, q.head, q.bytes = q.segments[:0], 0, 0
	wake = q.blocked
	q.blocked = false
	q.signalDrained()
	return wake
}

// close makes the queue take nothing more. What is in it can still be popped.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signalDrained()
}

// isClosed tells that nothing in it will be written any more.
func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// over tells that the last of the stream was written.
func (q *queue) over() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.last && q.head == len(q.segments)
}

// flushed returns a channel that is closed once all that was pushed is
// written, or dropped.
func (q *queue) flushed() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	done := make(chan struct{})
	q.drained = append(q.drained, done)
	q.signalDrained()
	return done
}

// signalDrained closes the channels that flushed returned if nothing is left
// to be written. Called with mu held.
func (q *queue) signalDrained() {
	if q.closed || q.local || q.head == len(q.segments) && (q.writer == nil || q.asleep || q.writer.broken) {
		for _, done := range q.drained {
			close(done)
		}
		q.drained = nil
	}
}
