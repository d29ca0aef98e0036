package amqp091

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front/pump"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/broker/internal/queue"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// The limits that the server offers, and what it bears before they are agreed on.
const (
	channelMax      = 2047
	frameMax        = 131072
	frameMin        = 4096 // RabbitMQ asks for 8192 since 4.1, which locks older clients out
	firstFrameMax   = 8192 // until tune-ok
	heartbeat       = 60   // seconds; the client's answer counts
	handshakeTime   = 10 * time.Second
	closeOkTime     = 10 * time.Second // how long connection.close waits for its answer
	shutdownTime    = 5 * time.Second  // the same when the broker goes
	maxBody         = 16 << 20         // RabbitMQ's max_message_size
	maxKept         = 128 << 20        // unfinished messages and open transactions of one connection
	maxConsumers    = 1 << 16          // of one connection
	batchWork       = 1 << 12          // deliveries after which a batch ends, whatever else was read
	maxSettled      = 1 << 10          // settlements that wait for the end of their batch
	silentChecks    = 2                // heartbeat intervals without a sign of life that end a connection
	noChannelNumber = 1 << 16          // no channel has this number
)

// phase is how far a connection is.
type phase uint8

const (
	phaseHeader  phase = iota // waits for the protocol header
	phaseStart                // waits for start-ok
	phaseSecure               // waits for secure-ok
	phaseTune                 // waits for tune-ok
	phaseOpen                 // waits for connection.open
	phaseRunning              // all methods
	phaseClosing              // connection.close is sent: only its answer counts
	phaseClosed               // nothing more comes in
)

// session is one connection. Its fields belong to the pump's reader unless they say otherwise; the engine and the pump call
// its consumers' sinks, Drained and the alarm from other goroutines.
type session struct {
	front *Front
	conn  *pump.Conn
	out   *pump.Output
	log   *slog.Logger
	batch *engine.Batch

	phase      phase
	deadline   time.Time // of the handshake, or of close-ok; zero: not set yet
	mechanism  access.Mechanism
	user       *access.Principal
	name       string // what the client calls its connection
	client     *engine.Client
	closesAuth bool // the client understands a connection.close when its login fails
	blockable  bool // it understands connection.blocked
	cancelable bool // it understands a basic.cancel from the server; constant once consumers exist
	publishing bool // it has published: it is held when publishers are
	waiting    waiting

	frameMax   int // of both directions; constant once consumers exist
	maxPayload int
	channelMax int
	pulse      pulse

	channels   map[uint16]*channel
	lastNumber int // of last; noChannelNumber: none
	last       *channel
	fetched    bool       // this Feed has answered a basic.get: its answer may be large
	confirming []*channel // channels that owe a confirm to what this batch published
	confirms   confirms
	kept       int // bytes of unfinished messages and open transactions

	message message.Message        // scratch: the message being published
	props   []byte                 // scratch: properties that had to be made
	taken   []unacked              // scratch: what an ack names
	settled settlements            // what this batch has settled so far
	drained *engine.Batch          // owner: whoever calls Drained, one at a time
	mu      sync.Mutex             // guards live and every channel's consumers; never held while the engine is called
	live    map[*consumer]struct{} // lock: mu
}

// settlements are acks of one queue with one outcome, gathered so that the queue is locked once for many.
type settlements struct {
	queue   *engine.Queue
	outcome queue.Outcome
	seqs    []uint64
}

func newSession(f *Front, c *pump.Conn) *session {
	return &session{
		front: f, conn: c, out: c.Out(), log: c.Logger(), batch: f.broker.NewBatch(), drained: f.broker.NewBatch(),
		maxPayload: firstFrameMax - wire.FrameOverhead, frameMax: firstFrameMax, channelMax: channelMax,
		channels: make(map[uint16]*channel), lastNumber: noChannelNumber, live: make(map[*consumer]struct{}),
	}
}

// Feed takes whole frames from in.
func (s *session) Feed(in []byte) (n, need int, err error) {
	if s.phase == phaseHeader {
		if n, err = s.header(in); n == 0 || err != nil {
			return n, len(wire.ProtocolHeader), err
		}
	}
	s.fetched = false
	for n < len(in) {
		f, size, err := wire.ScanFrame(in[n:], s.maxPayload)
		if err != nil {
			return n, 0, s.fatal(err)
		}
		if size == 0 {
			return n, wire.FrameSize(in[n:]), nil
		}
		if s.phase != phaseRunning {
			err = s.quiet(f)
		} else {
			size, need, err = s.frame(f, in[n:], size)
		}
		n += size
		if err != nil || need > 0 || size == 0 {
			return n, need, err
		}
		if s.batch.Work() >= batchWork || s.fetched && s.out.Full() {
			break
		}
	}
	return n, 0, nil
}

// frame handles the frame at the head of rest in a running connection. It returns how much of rest it took, which may be
// more than the frame, or nothing and how much it needs.
func (s *session) frame(f wire.Frame, rest []byte, size int) (took, need int, err error) {
	if f.Channel == 0 {
		return size, 0, s.control(f)
	}
	if int(f.Channel) != s.lastNumber {
		s.last, s.lastNumber = s.channels[f.Channel], int(f.Channel)
	}
	ch := s.last
	switch f.Type {
	case wire.FrameMethod:
		id, args, err := wire.SplitMethod(f.Payload)
		if err != nil {
			return size, 0, s.fatal(err)
		}
		if id == wire.MethodBasicPublish && ch != nil && !ch.closing && ch.content.state == contentNone {
			return s.publish(ch, args, rest, size)
		}
		if s.waiting.stops(id) {
			return 0, 0, nil
		}
		return size, 0, s.method(ch, f.Channel, id, args)
	case wire.FrameHeader, wire.FrameBody:
		return size, 0, s.content(ch, f)
	case wire.FrameHeartbeat:
		return size, 0, s.closeConnection(wire.Unexpected(f), 0)
	}
	return size, 0, s.fatal(wire.Unknown(f))
}

// quiet handles a frame outside the running phase: of the handshake, or while close-ok is awaited.
func (s *session) quiet(f wire.Frame) error {
	switch s.phase {
	case phaseClosing:
		return s.closingFrame(f)
	case phaseClosed:
		return nil
	}
	if f.Type == wire.FrameHeartbeat && f.Channel == 0 {
		return nil
	}
	if f.Type != wire.FrameMethod || f.Channel != 0 {
		return s.fatal(wire.Unexpected(f))
	}
	id, args, err := wire.SplitMethod(f.Payload)
	if err != nil {
		return s.fatal(err)
	}
	return s.handshake(id, args)
}

// closingFrame looks for what ends a connection whose connection.close is sent.
func (s *session) closingFrame(f wire.Frame) error {
	if f.Type != wire.FrameMethod || f.Channel != 0 {
		return nil
	}
	switch id, _, _ := wire.SplitMethod(f.Payload); id {
	case wire.MethodConnectionClose:
		s.send(0, new(wire.ConnectionCloseOk))
		fallthrough
	case wire.MethodConnectionCloseOk:
		s.phase = phaseClosed
		return io.EOF
	}
	return nil
}

// control handles a frame on channel 0 of a running connection.
func (s *session) control(f wire.Frame) error {
	switch {
	case f.Type == wire.FrameHeartbeat && len(f.Payload) == 0:
		return nil
	case f.Type == wire.FrameHeader, f.Type == wire.FrameBody:
		return s.closeConnection(wire.Unexpected(f), 0)
	case f.Type != wire.FrameMethod:
		return s.fatal(wire.Unknown(f))
	}
	id, args, err := wire.SplitMethod(f.Payload)
	if err != nil {
		return s.fatal(err)
	}
	switch id {
	case wire.MethodConnectionClose:
		var m wire.ConnectionClose
		if err := m.Decode(args); err != nil {
			return s.fatal(err)
		}
		s.replay()
		s.settleConfirms()
		s.release()
		s.send(0, new(wire.ConnectionCloseOk))
		s.phase = phaseClosed
		return io.EOF
	case wire.MethodConnectionCloseOk:
		return nil
	case wire.MethodConnectionUpdateSecret:
		var m wire.ConnectionUpdateSecret
		if err := m.Decode(args); err != nil {
			return s.fatal(err)
		}
		s.send(0, new(wire.ConnectionUpdateSecretOk)) // passwords do not expire: there is nothing to renew
		return nil
	}
	if id.String() == "" {
		return s.closeConnection(errUnimplemented(), id)
	}
	return s.closeConnection(violation(wire.ChannelError, "unexpected method in connection state running"), id)
}

// send appends one method to the output.
func (s *session) send(channel uint16, m wire.Method) {
	s.out.End(m.AppendFrame(s.out.Begin(), channel))
}

// EndBatch settles what the batch has acknowledged, confirms what it has published and flushes whom it has touched.
func (s *session) EndBatch() {
	s.flushSettled()
	if !s.batch.Owing() {
		s.confirm(0) // so that the flush takes them along
	}
	s.confirm(s.batch.End())
}

// fatal ends the connection at once, because nobody knows where the next frame begins, or because the client has not got
// so far that it could be expected to answer. The pump logs the error.
func (s *session) fatal(err error) error {
	if s.phase == phaseClosing || s.phase == phaseClosed {
		return io.EOF
	}
	var v *wire.Error
	if errors.As(err, &v) {
		s.goodbye(v.Code, v.Text, v.Method)
	}
	s.phase = phaseClosed
	return err
}

// closeConnection closes the connection from this side; the client has a while to answer.
func (s *session) closeConnection(err error, id wire.MethodID) error {
	code, text := reply(err)
	s.log.Warn("connection error", "code", uint16(code), "err", err, "method", methodName(id))
	s.goodbye(code, text, id)
	s.awaitCloseOk()
	s.conn.Wake() // for the deadline
	return nil
}

// methodName is the name of a method for the log: its numbers when the protocol does not have it.
func methodName(id wire.MethodID) string {
	switch name := id.String(); {
	case id == 0:
		return "none"
	case name != "":
		return name
	}
	return fmt.Sprintf("%d.%d", id.Class(), id.Number())
}

// goodbye releases everything and sends connection.close.
func (s *session) goodbye(code wire.Code, text string, id wire.MethodID) {
	s.replay()
	s.release()
	s.send(0, &wire.ConnectionClose{ReplyCode: uint16(code), ReplyText: code.ReplyText(text), ClassID: id.Class(), MethodID: id.Number()})
}

func (s *session) awaitCloseOk() {
	s.phase = phaseClosing
	s.deadline = time.Time{}
}

// fail answers a method that was refused: by closing its channel, or the connection.
func (s *session) fail(ch *channel, id wire.MethodID, err error) error {
	code, text := reply(err)
	switch {
	case code == wire.FrameError:
		return s.fatal(err)
	case code.Level() == wire.LevelConnection:
		return s.closeConnection(err, id)
	}
	s.replay()
	if ch.closing {
		return nil // one of what waited was refused first
	}
	s.log.Debug("channel error", "channel", ch.number, "code", uint16(code), "err", err, "method", methodName(id))
	ch.release()
	ch.closing = true
	s.hush(ch)
	s.send(ch.number, &wire.ChannelClose{ReplyCode: uint16(code), ReplyText: code.ReplyText(text), ClassID: id.Class(), MethodID: id.Number()})
	return nil
}

// release gives back everything that the connection holds in the engine.
func (s *session) release() {
	s.flushSettled()
	for _, ch := range s.channels {
		ch.release()
		s.hush(ch)
	}
	clear(s.channels)
	s.last, s.lastNumber = nil, noChannelNumber
	if s.client != nil {
		s.client.Close(s.batch)
		s.client = nil
	}
}

// Tick keeps the handshake's time limit, the one of close-ok, and the heartbeats.
func (s *session) Tick(now time.Time) (next time.Time, err error) {
	switch s.phase {
	case phaseRunning:
		s.tellHeld()
		return s.pulse.check(s, now)
	case phaseClosed:
		return time.Time{}, nil
	}
	limit := handshakeTime
	if s.phase == phaseClosing {
		limit = closeOkTime
	}
	if s.deadline.IsZero() {
		s.deadline = now.Add(limit)
	}
	if !now.Before(s.deadline) {
		if s.phase == phaseClosing {
			return time.Time{}, io.EOF
		}
		return time.Time{}, errors.New("the handshake took longer than " + limit.String())
	}
	if s.phase != phaseOpen {
		return s.deadline, nil
	}
	next, err = s.pulse.check(s, now)
	if next.IsZero() || s.deadline.Before(next) {
		next = s.deadline
	}
	return next, err
}

// EOF says that there is no use in keeping a connection whose client has stopped talking.
func (s *session) EOF() bool { return false }

// Shutdown says goodbye.
func (s *session) Shutdown(reason string) time.Duration {
	switch s.phase {
	case phaseOpen, phaseRunning:
		s.goodbye(wire.ConnectionForced, "broker forced connection closure with reason '"+reason+"'", 0)
		s.awaitCloseOk()
		s.batch.End()
		return shutdownTime
	case phaseClosing:
		return shutdownTime
	}
	return 0
}

// Drained wakes the consumers that found the output full. What they are served may have to wait until the disk has taken
// more, so a flush on behalf of the disk does not wait for it.
func (s *session) Drained() {
	if s.confirms.flushing.Load() {
		go s.wakeConsumers(s.front.broker.NewBatch())
		return
	}
	s.wakeConsumers(s.drained)
}

func (s *session) wakeConsumers(b *engine.Batch) {
	s.mu.Lock()
	var ready []*engine.Consumer
	for c := range s.live {
		if c.refused.Swap(false) && c.handle != nil {
			ready = append(ready, c.handle)
		}
	}
	s.mu.Unlock()
	for _, c := range ready {
		c.Wake(b)
	}
	b.End()
}

// Closed releases everything.
func (s *session) Closed(error) {
	s.front.broker.Forget(s)
	s.release()
	s.phase = phaseClosed
	s.batch.End()
}
