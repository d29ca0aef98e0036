package fsck

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/warrenmq/warren/broker/internal/definitions"
)

// definitions reads the definitions, and makes them agree with one another and with what there is of messages: a broker does not start
// with a queue whose vhost is not there.
func (s *survey) definitions() error {
	s.topology = topologyOf(s.pairs)
	s.unreadable()
	s.homeless()
	s.topology = topologyOf(s.pairs)
	s.unnamed()
	s.topology = topologyOf(s.pairs)
	s.explain()
	return nil
}

// pairs yields the values whose keys begin with a prefix, in order.
func (s *survey) pairs(prefix string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, key := range slices.Sorted(maps.Keys(s.values)) {
			if strings.HasPrefix(key, prefix) && !yield(key, s.values[key]) {
				return
			}
		}
	}
}

// definitionsName stands for a file where definitions, which are in several, do not agree.
const definitionsName = "definitions"

// wrong adds a problem of a definition.
func (s *survey) wrong(what, means, repair string) {
	s.problems = append(s.problems, &Problem{File: definitionsName, What: what, Means: means, Repair: repair})
}

// unreadable takes away values that are no definitions.
func (s *survey) unreadable() {
	for _, k := range kinds {
		for key, value := range s.pairs(k.prefix) {
			if err := k.add(new(topology), key, value); err != nil {
				s.wrong(err.Error(), "a "+k.name+" is not known any more", "it is left out")
				delete(s.values, key)
			}
		}
	}
}

// value is a definition as it is stored.
type value interface {
	Key() string
	AppendValue(dst []byte) []byte
}

func (s *survey) put(d value)    { s.values[d.Key()] = d.AppendValue(nil) }
func (s *survey) remove(d value) { delete(s.values, d.Key()) }

// homeless sees to it that everything has what it belongs to.
func (s *survey) homeless() {
	t := s.topology
	home := func(vhost, what string) {
		if _, ok := s.values[definitions.VHost{Name: vhost}.Key()]; !ok {
			s.wrong(fmt.Sprintf("there is %s, and not the vhost %q that it belongs to", what, vhost), "the broker does not start", "the vhost is made again")
			s.put(definitions.VHost{Name: vhost})
		}
	}
	for _, d := range t.Exchanges {
		home(d.VHost, fmt.Sprintf("the exchange %q", d.Name))
	}
	for _, d := range t.Queues {
		home(d.VHost, fmt.Sprintf("the queue %q", d.Name))
	}
	owners := map[uint64]string{}
	for _, d := range t.Queues {
		if other, taken := owners[d.Stream]; taken && d.Stream != 0 {
			s.wrong(fmt.Sprintf("the queues %q and %q have the same messages", other, d.Name), "what is taken from one is taken from both",
				fmt.Sprintf("the queue %q is empty from now on", d.Name))
			d.Stream = 0
			s.put(d)
		}
		owners[d.Stream] = d.Name
	}
	for _, d := range t.Permissions {
		if _, ok := s.values[definitions.User{Name: d.User}.Key()]; !ok {
			s.wrong(fmt.Sprintf("there are permissions of the user %q in vhost %q, and not the user", d.User, d.VHost), "the broker does not start", "they are left out")
			s.remove(d)
		}
	}
	exchange := func(vhost, name string) bool {
		_, ok := s.values[definitions.Exchange{VHost: vhost, Name: name}.Key()]
		return ok || name == "" || strings.HasPrefix(name, "amq.")
	}
	for _, d := range t.Bindings {
		_, there := s.values[definitions.Queue{VHost: d.VHost, Name: d.Destination}.Key()]
		if d.DestinationType == definitions.ToExchange {
			there = exchange(d.VHost, d.Destination)
		}
		if _, ok := s.values[definitions.VHost{Name: d.VHost}.Key()]; ok && there && exchange(d.VHost, d.Source) {
			continue
		}
		s.wrong(fmt.Sprintf("there is a binding from %q to the %s %q in vhost %q, and not both of its ends", d.Source, d.DestinationType, d.Destination, d.VHost),
			"the broker does not start", "it is left out")
		s.remove(d)
	}
}

// unnamed looks for messages whose queue no definition names. What is alive in a stream that belongs to no durable queue does not survive a
// restart, so there are none as a rule.
func (s *survey) unnamed() {
	for _, id := range slices.Sorted(maps.Keys(s.streams)) {
		st := s.streams[id]
		n := st.live()
		if n == 0 || s.topology.queues[id] != nil {
			continue
		}
		if s.guessed && !s.defaced {
			s.note("%d records of stream %d are of a queue that was deleted: they are left out", n, id)
			delete(s.streams, id)
			continue
		}
		q := definitions.Queue{VHost: "/", Name: fmt.Sprintf("recovered-%d", id), Durable: true, Stream: id}
		s.wrong(fmt.Sprintf("there are %d messages of a queue that no definition names (stream %d)", n, id),
			"the next start would drop them", fmt.Sprintf("they get the queue %q of vhost %q", q.Name, q.VHost))
		s.put(q)
		s.put(definitions.VHost{Name: q.VHost})
	}
}

// explain says in a user's words what was lost.
func (s *survey) explain() {
	for _, p := range s.problems {
		var words []string
		for i := range p.Lost {
			l := &p.Lost[i]
			if q := s.topology.queues[l.Stream]; q != nil {
				l.VHost, l.Queue = q.VHost, q.Name
			}
			words = append(words, fmt.Sprintf("%s has lost %s", s.topology.name(l.Stream), count(l.Messages, "message")))
		}
		if len(words) > 0 {
			const most = 5
			if more := len(words) - most; more > 1 {
				words = append(words[:most], fmt.Sprintf("%d others have lost messages", more))
			}
			p.Means = strings.Join(append(words, nonEmpty(p.Means)...), "; ")
		}
		p.Means = cmp.Or(p.Means, "what is lost is said at the first place in the file")
	}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// count says how many there are of something.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
