package arch

import (
	"fmt"
	"strings"
)

// A law forbids imports that no edit of the plan may allow. The plan says what is; the laws say what must stay so.
type law struct {
	from, to func(folder string) bool
	why      string
}

var laws = []law{
	{in("zmq/..."), in("broker/...", "load/...", "cmd/..."), "zmq never imports broker, nor what stands on it (law 5)"},
	{in("broker/..."), in("cmd/...", "load/...", "bench/...", "interop/...", "examples/..."), "the broker is a library: commands, load generators and examples stand on it"},
	{in("broker/..."), in("zmq/internal/..."), "the broker uses zmq through its public door (law 5)"},
	{in("cmd/...", "examples/...", "load/..."), internal, "what the binary can do an embedder can: public packages only (law 5)"},
	{in("broker/internal/engine/..."), in("broker/internal/front/...", "broker/internal/wire/...", "zmq/..."), "the engine sees messages, neither fronts nor codecs (law 2)"},
	{in("broker/internal/storage/...", "broker/internal/cluster/..."), in("broker/internal/queue/...", "broker/internal/engine/...", "broker/internal/message/...", "broker/internal/exchange/..."), "storage and cluster know bytes and commands, not queues (law 3)"},
}

// lawless reports what the plan allows against the laws, for every pair of the given folders.
func (p Plan) lawless(folders []string) []string {
	var out []string
	for _, from := range folders {
		r, ok := p.room(from)
		if !ok {
			continue
		}
		for _, to := range folders {
			if from == to || !r.may(to, false) {
				continue
			}
			for _, l := range laws {
				if l.from(from) && l.to(to) {
					out = append(out, fmt.Sprintf("the plan lets %s import %s: %s", from, to, l.why))
				}
			}
			if target, ok := p.room(to); ok && r.Pure && !target.Pure {
				out = append(out, fmt.Sprintf("the plan lets %s, which is pure, import %s, which is not (law 1)", from, to))
			}
			if a, b := front(from), front(to); a != "" && b != "" && a != b && b != "pump" {
				out = append(out, fmt.Sprintf("the plan lets %s import %s: fronts do not know one another (law 2)", from, to))
			}
		}
	}
	return out
}

// front gives the name of the front that folder belongs to, or "".
func front(folder string) string {
	rest, ok := strings.CutPrefix(folder, "broker/internal/front/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func in(patterns ...string) func(string) bool {
	return func(folder string) bool { return matchAny(patterns, folder) }
}

func internal(folder string) bool {
	return strings.Contains("/"+folder+"/", "/internal/")
}
