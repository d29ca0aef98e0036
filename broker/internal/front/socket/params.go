package socket

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/front"
)

// mode is what a listener does with what its clients send.
type mode string

const (
	echo  mode = "echo"
	room  mode = "room"
	queue mode = "queue"
)

// parameters names what each mode's listeners may say.
func (m mode) parameters(network string) []string {
	shared := []string{"durable", "vhost", "user", "framing", "max", "idle", "publish", "consume"}
	switch {
	case m == room && network == "udp":
		return append([]string{"exchange"}, shared...)
	case m == room:
		return append([]string{"exchange", "backlog"}, shared...)
	case m == queue:
		return append([]string{"queue"}, shared...)
	case network == "udp":
		return nil
	}
	return []string{"idle"}
}

// consumption says which clients are consumers.
type consumption uint8

const (
	never  consumption = iota
	silent             // those who have sent nothing within listenAfter
	always
)

const (
	listenAfter    = time.Second
	defaultMax     = 64 << 10
	defaultBacklog = 16 << 20
	defaultUDPIdle = time.Minute
	largestMax     = 128 << 20
)

// settings is a listener's URL, understood.
type settings struct {
	endpoint front.Endpoint
	mode     mode
	network  string // tcp, udp or unix
	target   string // the exchange of a room, the queue of a queue
	durable  bool
	vhost    string
	user     string
	framing  framing
	max      int
	idle     time.Duration
	backlog  int64
	publish  bool
	consume  consumption
}

// Schemes returns the schemes of the URLs that New understands.
func Schemes() []string {
	var all []string
	for _, m := range []mode{echo, room, queue} {
		for _, network := range []string{"tcp", "udp", "unix"} {
			all = append(all, string(m)+"+"+network)
		}
	}
	return all
}

func parse(e front.Endpoint) (*settings, error) {
	m, network, _ := strings.Cut(e.Scheme, "+")
	s := &settings{endpoint: e, mode: mode(m), network: network}
	switch s.mode {
	case echo, room, queue:
	default:
		return nil, fmt.Errorf("listener %s: there is no mode %q: echo, room and queue are known", e, m)
	}
	switch network {
	case "tcp", "udp", "unix":
	default:
		return nil, fmt.Errorf("listener %s: there is no network %q: tcp, udp and unix are known", e, network)
	}
	if err := e.Known(s.mode.parameters(network)...); err != nil {
		return nil, err
	}
	r := front.Params{Endpoint: e}
	if network == "udp" && s.mode != echo {
		s.idle = defaultUDPIdle
	}
	s.idle = r.Duration("idle", s.idle, 0, "a duration such as 90s or 5m, or 0 for never")
	if s.mode == echo {
		return s, r.Err()
	}
	if s.mode == room {
		s.target = r.Required("exchange", "exchange=lobby")
		s.backlog = int64(r.Number("backlog", defaultBacklog, math.MaxInt32, "bytes"))
	} else {
		s.target = r.Required("queue", "queue=jobs")
	}
	s.durable = r.Flag("durable", true)
	s.vhost = r.Text("vhost", "/")
	s.user = r.Text("user", access.DefaultUser)
	s.framing = readFraming(&r, network)
	s.max = r.Number("max", defaultMax, largestMax, "bytes")
	s.publish = r.Flag("publish", true)
	switch {
	case e.Params.Has("consume"):
		if r.Flag("consume", false) {
			s.consume = always
		}
	case s.mode == room || !s.publish:
		s.consume = always
	case network != "udp":
		s.consume = silent
	}
	if r.Err() == nil && !s.publish && s.consume == never {
		return nil, fmt.Errorf("listener %s: with publish=0 and consume=0 its clients could do nothing", e)
	}
	return s, r.Err()
}

// readFraming returns how a listener's clients mark the ends of their messages.
func readFraming(r *front.Params, network string) framing {
	switch text := r.Text("framing", "line"); {
	case text == "line":
		return lines
	case text == "length32" && network != "udp":
		return length32
	case text == "none" && network == "udp":
		return whole
	}
	if network == "udp" {
		r.Fail("framing", "line or none")
	} else {
		r.Fail("framing", "line or length32")
	}
	return lines
}
