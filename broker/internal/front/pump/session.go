package pump

import (
	"time"
)

// Session is the protocol state machine of one connection. See the package documentation for who calls what when.
type Session interface {
	// Feed consumes whole frames from in and returns how many bytes it took. in is the pump's buffer: it is valid only
	// during the call, and what is kept is copied. n < len(in) means that the rest is an incomplete frame (or that the
	// batch has done enough work: see need); it is offered again, with more bytes behind it.
	//
	// need is the least total length of the rest with which the next call can make progress: 0 when the rest may be
	// offered again at once (the batch ended by work, not by bytes), otherwise more than len(in)-n. The pump grows its
	// buffer for it, so a session must have checked it against its own frame limit. When nothing is left, need is not
	// looked at.
	//
	// An error ends the connection after what stands in the output has been written; io.EOF is a clean end, every other
	// error is logged.
	Feed(in []byte) (n, need int, err error)

	// EOF says that the client has closed its sending half: no more Feed. The session returns false to close the
	// connection once everything in the output has been written (an echo), true to keep it open for writing (a
	// subscriber that has said all it has to say) until Close, an error of Tick or a failed write. A client that is gone
	// altogether looks the same until something is written to it, so true needs an idle limit.
	EOF() bool

	// EndBatch ends a read batch: outputs that the batch touched are flushed, confirms are coalesced. It is called after
	// every Feed, also after one that returned an error.
	EndBatch()

	// Tick is called when the time that the last Tick returned has come, once at the start before anything is read (so a
	// protocol in which the server speaks first starts here), and after each [Conn.Wake]. It does what is due
	// (heartbeats, handshake and idle limits) and returns when it wants to be called next; the zero Time is never.
	// What it appended to the connection's own output is flushed. An error ends the connection as in Feed.
	Tick(now time.Time) (next time.Time, err error)

	// Hold returns a channel that is closed when the connection may be read again, or nil when it may be read now.
	// The pump asks before each Feed and each read. While it holds, the clock does not call Tick, since a paused client's
	// heartbeats cannot be seen; a Wake does. After the hold what waits in the socket is read before Tick is called.
	Hold() <-chan struct{}

	// Shutdown asks the session to say goodbye in its protocol's words. It returns how long the pump shall go on reading
	// for the client's answer before it closes; 0 closes once the output is written.
	Shutdown(reason string) (grace time.Duration)

	// Drained says that the output has room again after it had been full. Called from any goroutine, never two at a time,
	// with no lock of the pump held, and perhaps while Closed runs.
	Drained()

	// Closed is the last call of the reader: the connection has ended, for the reason given (nil: a clean end), and
	// nothing more can be appended to its output. The session releases everything it holds in the engine.
	Closed(err error)
}

// Front makes sessions: one per accepted connection.
type Front interface {
	// Protocol is the scheme that listeners of this front are asked for with, such as "amqp".
	Protocol() string
	// NewSession is called from the connection's reader before its first read. It only builds: what there is to say
	// first is said in the first Tick.
	NewSession(c *Conn) Session
}
