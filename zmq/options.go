package zmq

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

// Options are the settings of one socket. A nil *Options and the zero value
// mean the defaults. They are copied when the socket is made; later changes
// have no effect.
type Options struct {
	// SendHWM and RecvHWM are the high-water marks: how many messages wait in
	// the queue to, or from, each peer. When a queue to a peer is full the
	// pattern blocks or drops, see the socket types; when a queue from a peer
	// is full, or holds 8 MiB, the socket stops reading from it. Between two sockets of one
	// process (inproc) there is one queue, which holds the sum of the
	// sender's SendHWM and the receiver's RecvHWM.
	// Zero means 1000, negative means no bound.
	SendHWM, RecvHWM int

	// Linger is how long Close waits for messages that are queued and not
	// written yet, also to peers that are not connected, and for peers that
	// were sent messages to read them and close their side.
	// Zero means one second, negative means not at all.
	Linger time.Duration

	// RoutingID is the name under which a peer's Router knows this socket, if
	// it is a Req, Dealer or Router: up to 255 bytes, the first not zero.
	// Empty means that the Router makes one up.
	RoutingID []byte

	// MaxMessageSize is the largest message that is accepted from a peer, in
	// bytes of its frames, each of which counts 32 bytes more. A peer that
	// announces a larger one is disconnected before it is read.
	// Zero means 64 MiB, negative means no bound.
	MaxMessageSize int64

	// MaxSubscriptionBytes bounds what each subscriber of a Pub or XPub may
	// make it remember: the bytes of its prefixes, each of which counts 64
	// bytes more. A subscriber that goes beyond is disconnected.
	// Zero means 16 MiB, negative means no bound.
	MaxSubscriptionBytes int64

	// HandshakeTimeout is how long a new connection may take until it is
	// ready for messages. Zero means 30 s, negative means no bound.
	HandshakeTimeout time.Duration

	// MaxHandshakes is how many accepted connections may be in their
	// handshake at a time. When there is one more, the oldest of them is
	// closed. Zero means 256, negative means no bound.
	MaxHandshakes int

	// ReconnectInterval is the time from a failed or lost connection to the
	// next attempt, with up to as much again at random, so that a crowd of
	// peers does not come back at once. Zero means 100 ms.
	ReconnectInterval time.Duration

	// ReconnectMax bounds the time between attempts, which doubles with each
	// failure. Zero means ReconnectInterval: it does not grow.
	// After a handshake that failed because the peer speaks something else or
	// its socket type does not fit, it grows to 30 s at least.
	ReconnectMax time.Duration

	// HeartbeatInterval is the time between the PINGs that are sent to each
	// peer (RFC 37). Zero means none.
	HeartbeatInterval time.Duration

	// HeartbeatTimeout is how long nothing may come from a peer that is sent
	// PINGs until the connection is given up. Zero means HeartbeatInterval.
	HeartbeatTimeout time.Duration

	// HeartbeatTTL asks each peer to give the connection up when nothing
	// comes from here for so long: rounded down to tenths of a second, at
	// most 6553.5 s. Zero asks for nothing.
	HeartbeatTTL time.Duration

	// RouterMandatory makes Send of a Router fail with ErrUnroutable for an
	// unknown routing id, and wait for a peer whose queue is full. Without it
	// such messages are dropped. Zero means false.
	RouterMandatory bool

	// XPubVerbose makes an XPub receive every subscription that comes, so that
	// its user can count subscribers, and not only the first to each prefix.
	// Cancellations are received as without it. Zero means false.
	XPubVerbose bool

	// ReqCorrelate makes a Req put an id in front of each request, which a
	// Rep sends back with the reply. A request that is given up then costs no
	// reconnect. Services built on a Router must expect the frame.
	// Zero means false.
	ReqCorrelate bool

	// Notes lets messages carry a note, bytes beside their frames, to and from
	// peers that have this option as well: see SendNote and RecvNote. Other
	// peers never see a note. Zero means that notes are not received.
	Notes bool

	// Logger is told about connections: what came, what went and why, at
	// levels Debug and Warn. Nil means that nothing is logged.
	Logger *slog.Logger

	// Inproc is the set of names that inproc:// endpoints are looked up in.
	// Nil means one that all sockets of the process share: the only state of
	// this package that is not a socket's own.
	Inproc *Inproc
}

// The defaults that the comments above promise.
const (
	defaultHWM               = 1000
	defaultLinger            = time.Second
	defaultMaxMessageSize    = 64 << 20
	defaultSubscriptionBytes = 16 << 20
	defaultHandshakeTimeout  = 30 * time.Second
	defaultMaxHandshakes     = 256
	defaultReconnectInterval = 100 * time.Millisecond

	minMisfitReconnect = 30 * time.Second
	maxTTL             = 6553500 * time.Millisecond
)

// orDefault replaces zero by the default and anything negative by zero, which
// inside the package stands for "no bound" or "none".
func orDefault[T ~int | ~int64](v, def T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return 0
	}
	return v
}

// resolve returns o with its defaults filled in, and says what can't be.
func (o *Options) resolve() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	r.RoutingID = append([]byte(nil), r.RoutingID...)
	r.SendHWM = orDefault(r.SendHWM, defaultHWM)
	r.RecvHWM = orDefault(r.RecvHWM, defaultHWM)
	r.Linger = orDefault(r.Linger, defaultLinger)
	r.MaxMessageSize = orDefault(r.MaxMessageSize, defaultMaxMessageSize)
	r.MaxSubscriptionBytes = orDefault(r.MaxSubscriptionBytes, defaultSubscriptionBytes)
	r.HandshakeTimeout = orDefault(r.HandshakeTimeout, defaultHandshakeTimeout)
	r.MaxHandshakes = orDefault(r.MaxHandshakes, defaultMaxHandshakes)
	r.HeartbeatTimeout = orDefault(r.HeartbeatTimeout, r.HeartbeatInterval)
	if r.ReconnectInterval <= 0 {
		r.ReconnectInterval = defaultReconnectInterval
	}
	r.ReconnectMax = max(r.ReconnectMax, r.ReconnectInterval)
	r.HeartbeatTTL = min(max(r.HeartbeatTTL, 0), maxTTL)
	r.HeartbeatInterval = max(r.HeartbeatInterval, 0)
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	if r.Inproc == nil {
		r.Inproc = processInproc
	}
	switch id := r.RoutingID; {
	case len(id) > zmtp.MaxIdentity:
		return r, fmt.Errorf("zmq: Options.RoutingID has %d bytes, at most %d are allowed", len(id), zmtp.MaxIdentity)
	case len(id) > 0 && id[0] == 0:
		return r, fmt.Errorf("zmq: Options.RoutingID begins with a zero byte, which is reserved")
	}
	return r, nil
}
