package zmq

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/front"
)

const (
	defaultTimeout  = 30 * time.Second
	defaultPrefetch = 10
	defaultPending  = 1024
	defaultHWM      = 1000
	defaultPushHWM  = 100
	defaultMax      = 64 << 20
	largest         = 1 << 30
	longestKey      = 255 // AMQP 0-9-1 §4.2.5.3: a routing key is a short string
)

// kind is a listener's socket type and the parameters that it knows beside those of all.
type kind struct {
	name       string
	parameters []string
	make       func(*door) worker
}

// kinds has a row for each socket type.
func kinds() []kind {
	return []kind{
		{"pub", []string{"exchange"}, newPub},
		{"xpub", []string{"exchange"}, newPub},
		{"sub", []string{"exchange", "key", "subscribe"}, newSub},
		{"xsub", []string{"exchange", "key", "subscribe"}, newSub},
		{"push", []string{"queue"}, newPush},
		{"pull", []string{"queue", "exchange", "key"}, newPull},
		{"rep", []string{"exchange", "key", "timeout", "pending"}, newRep},
		{"req", []string{"queue", "timeout", "prefetch"}, newReq},
	}
}

var common = [...]string{"durable", "hwm", "max", "connect", "vhost", "user"}

// transports are what may stand behind the socket type: zmq+pub+ipc. Without one it is tcp.
var transports = [...]string{"tcp", "ipc", "inproc"}

// Schemes returns the schemes of the URLs that New understands.
func Schemes() []string {
	var all []string
	for _, k := range kinds() {
		all = append(all, "zmq+"+k.name)
		for _, t := range transports {
			all = append(all, "zmq+"+k.name+"+"+t)
		}
	}
	return all
}

// settings is a listener's URL, understood.
type settings struct {
	endpoint  front.Endpoint
	kind      kind
	transport string
	connect   bool
	vhost     string
	user      string
	exchange  string
	queue     string
	key       string
	subscribe []string
	durable   bool
	timeout   time.Duration
	prefetch  int
	pending   int
	hwm       int
	max       int
}

func parse(e front.Endpoint) (*settings, error) {
	rest, ok := strings.CutPrefix(e.Scheme, "zmq+")
	name, transport, given := strings.Cut(rest, "+")
	if !given {
		transport = "tcp"
	}
	s := &settings{endpoint: e, transport: transport}
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == name })
	if !ok || i < 0 {
		return nil, fmt.Errorf("listener %s: there is no socket type %q: pub, xpub, sub, xsub, push, pull, rep and req are known", e, name)
	}
	if !slices.Contains(transports[:], transport) {
		return nil, fmt.Errorf("listener %s: there is no transport %q: tcp, ipc and inproc are known", e, transport)
	}
	s.kind = all[i]
	if err := e.Known(append(s.kind.parameters, common[:]...)...); err != nil {
		return nil, err
	}
	r := reader{e: e}
	s.connect = r.flag("connect", false)
	s.vhost = r.text("vhost", "/")
	s.user = r.text("user", access.DefaultUser)
	s.durable = r.flag("durable", true)
	s.exchange = r.name("exchange")
	s.queue = r.name("queue")
	s.key = r.name("key")
	s.subscribe = []string{""}
	if e.Params.Has("subscribe") {
		s.subscribe = e.Params["subscribe"]
	}
	hwm := defaultHWM
	if name == "push" {
		hwm = defaultPushHWM
	}
	s.hwm = r.number("hwm", hwm, "messages")
	s.max = r.number("max", defaultMax, "bytes")
	s.timeout = r.duration("timeout", defaultTimeout)
	s.prefetch = r.number("prefetch", defaultPrefetch, "messages")
	s.pending = r.number("pending", defaultPending, "requests")
	if r.err != nil {
		return nil, r.err
	}
	return s, s.complete()
}

// complete says what a listener of this kind lacks.
func (s *settings) complete() error {
	lacks := func(what string) error { return fmt.Errorf("listener %s: it does not say %s", s.endpoint, what) }
	switch s.kind.name {
	case "pub", "xpub", "sub", "xsub":
		if s.exchange == "" {
			return lacks("which exchange: add ?exchange=amq.topic")
		}
	case "push", "req":
		if s.queue == "" {
			return lacks("which queue: add ?queue=jobs")
		}
	case "pull":
		if s.queue == "" && (s.exchange == "" || !s.endpoint.Params.Has("key")) {
			return lacks("where messages go: add ?queue=jobs, or ?exchange=news&key=all")
		}
		if s.queue != "" && (s.exchange != "" || s.key != "") {
			return fmt.Errorf("listener %s: messages go into a queue, or to an exchange with a key, not both", s.endpoint)
		}
	case "rep":
		if s.key == "" {
			return lacks("what requests are published with: add ?key=rpc, and &exchange=services if there is one")
		}
	}
	return nil
}

// address is the endpoint as package zmq has it.
func (s *settings) address() string { return s.transport + "://" + s.endpoint.Address }

// local reports whether only this machine can reach the endpoint.
func (s *settings) local() bool {
	if s.transport != "tcp" {
		return true
	}
	host, _, err := net.SplitHostPort(s.endpoint.Address)
	if err != nil {
		host = s.endpoint.Address // the socket will say what is wrong with it
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
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

func (r *reader) name(name string) string {
	s := r.e.Params.Get(name)
	if len(s) > longestKey {
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

func (r *reader) number(name string, otherwise int, unit string) int {
	if !r.e.Params.Has(name) {
		return otherwise
	}
	n, err := strconv.Atoi(r.e.Params.Get(name))
	if err != nil || n < 1 || n > largest {
		r.fail(name, fmt.Sprintf("a number of %s from 1 to %d", unit, largest))
	}
	return n
}

func (r *reader) duration(name string, otherwise time.Duration) time.Duration {
	if !r.e.Params.Has(name) {
		return otherwise
	}
	d, err := time.ParseDuration(r.e.Params.Get(name))
	if err == nil && d <= 0 {
		err = errors.New("not positive")
	}
	if err != nil {
		r.fail(name, "a duration above 0, such as 90s or 5m")
	}
	return d
}
