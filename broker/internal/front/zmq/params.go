package zmq

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
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
	r := front.Params{Endpoint: e}
	s.connect = r.Flag("connect", false)
	s.vhost = r.Text("vhost", "/")
	s.user = r.Text("user", access.DefaultUser)
	s.durable = r.Flag("durable", true)
	s.exchange = r.Name("exchange")
	s.queue = r.Name("queue")
	s.key = r.Name("key")
	s.subscribe = []string{""}
	if e.Params.Has("subscribe") {
		s.subscribe = e.Params["subscribe"]
	}
	hwm := defaultHWM
	if name == "push" {
		hwm = defaultPushHWM
	}
	s.hwm = r.Number("hwm", hwm, largest, "messages")
	s.max = r.Number("max", defaultMax, largest, "bytes")
	s.timeout = r.Duration("timeout", defaultTimeout, 1, "a duration above 0, such as 90s or 5m")
	s.prefetch = r.Number("prefetch", defaultPrefetch, largest, "messages")
	s.pending = r.Number("pending", defaultPending, largest, "requests")
	if err := r.Err(); err != nil {
		return nil, err
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
