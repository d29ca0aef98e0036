package socket

import (
	"fmt"
	"math"
	"strconv"
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
	r := reader{e: e}
	if network == "udp" && s.mode != echo {
		s.idle = defaultUDPIdle
	}
	s.idle = r.duration("idle", s.idle)
	if s.mode == echo {
		return s, r.err
	}
	if s.mode == room {
		s.target = r.required("exchange", "exchange=lobby")
		s.backlog = int64(r.number("backlog", defaultBacklog, math.MaxInt32))
	} else {
		s.target = r.required("queue", "queue=jobs")
	}
	s.durable = r.flag("durable", true)
	s.vhost = r.text("vhost", "/")
	s.user = r.text("user", access.DefaultUser)
	s.framing = r.framing(network)
	s.max = r.number("max", defaultMax, largestMax)
	s.publish = r.flag("publish", true)
	switch {
	case e.Params.Has("consume"):
		if r.flag("consume", false) {
			s.consume = always
		}
	case s.mode == room || !s.publish:
		s.consume = always
	case network != "udp":
		s.consume = silent
	}
	if r.err == nil && !s.publish && s.consume == never {
		return nil, fmt.Errorf("listener %s: with publish=0 and consume=0 its clients could do nothing", e)
	}
	return s, r.err
}

// reader reads parameters and remembers the first that makes no sense.
type reader struct {
	e   front.Endpoint
	err error
}

func (r *reader) fail(name, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("listener %s: %s=%s makes no sense: it should be %s", r.e, name, r.e.Params.Get(name), want)
	}
}

func (r *reader) text(name, otherwise string) string {
	if r.e.Params.Has(name) {
		return r.e.Params.Get(name)
	}
	return otherwise
}

func (r *reader) required(name, example string) string {
	s := r.e.Params.Get(name)
	if s == "" && r.err == nil {
		r.err = fmt.Errorf("listener %s: it does not say which %s: add ?%s", r.e, name, example)
	}
	if len(s) > 255 {
		r.fail(name, "255 bytes long at most")
	}
	return s
}

func (r *reader) flag(name string, otherwise bool) bool {
	switch r.text(name, strconv.FormatBool(otherwise)) {
	case "1", "true":
		return true
	case "0", "false":
		return false
	}
	r.fail(name, "0 or 1")
	return otherwise
}

func (r *reader) number(name string, otherwise, limit int) int {
	if !r.e.Params.Has(name) {
		return otherwise
	}
	n, err := strconv.Atoi(r.e.Params.Get(name))
	if err != nil || n < 1 || n > limit {
		r.fail(name, fmt.Sprintf("a number of bytes from 1 to %d", limit))
	}
	return n
}

func (r *reader) duration(name string, otherwise time.Duration) time.Duration {
	if !r.e.Params.Has(name) {
		return otherwise
	}
	d, err := time.ParseDuration(r.e.Params.Get(name))
	if err != nil || d < 0 {
		r.fail(name, "a duration such as 90s or 5m, or 0 for never")
	}
	return d
}

func (r *reader) framing(network string) framing {
	switch text := r.text("framing", "line"); {
	case text == "line":
		return lines
	case text == "length32" && network != "udp":
		return length32
	case text == "none" && network == "udp":
		return whole
	}
	if network == "udp" {
		r.fail("framing", "line or none")
	} else {
		r.fail("framing", "line or length32")
	}
	return lines
}
