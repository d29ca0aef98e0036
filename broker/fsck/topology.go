package fsck

import (
	"fmt"
	"iter"

	"github.com/warrenmq/warren/broker/internal/definitions"
)

// topology is what the values of a store say: definitions, as far as they can be read.
type topology struct {
	definitions.Definitions
	queues map[uint64]*definitions.Queue // by stream
	wrong  []error                       // values that are no definitions
}

// kinds are the kinds of definitions, by the prefixes of their keys.
var kinds = [...]struct {
	prefix string
	name   string
	add    func(t *topology, key string, value []byte) error
}{
	{definitions.VHostPrefix, "vhost", adder(definitions.ParseVHost, func(t *topology) *[]definitions.VHost { return &t.VHosts })},
	{definitions.UserPrefix, "user", adder(definitions.ParseUser, func(t *topology) *[]definitions.User { return &t.Users })},
	{definitions.PermissionPrefix, "permission", adder(definitions.ParsePermission, func(t *topology) *[]definitions.Permission { return &t.Permissions })},
	{definitions.ExchangePrefix, "exchange", adder(definitions.ParseExchange, func(t *topology) *[]definitions.Exchange { return &t.Exchanges })},
	{definitions.QueuePrefix, "queue", adder(definitions.ParseQueue, func(t *topology) *[]definitions.Queue { return &t.Queues })},
	{definitions.BindingPrefix, "binding", adder(definitions.ParseBinding, func(t *topology) *[]definitions.Binding { return &t.Bindings })},
	{definitions.PolicyPrefix, "policy", adder(definitions.ParsePolicy, func(t *topology) *[]definitions.Policy { return &t.Policies })},
}

func adder[D any](parse func(string, []byte) (D, error), list func(*topology) *[]D) func(*topology, string, []byte) error {
	return func(t *topology, key string, value []byte) error {
		d, err := parse(key, value)
		if err == nil {
			*list(t) = append(*list(t), d)
		}
		return err
	}
}

// topologyOf reads definitions. values returns those whose keys begin with a prefix, in order.
func topologyOf(values func(prefix string) iter.Seq2[string, []byte]) *topology {
	t := &topology{queues: make(map[uint64]*definitions.Queue)}
	t.RabbitVersion, t.RabbitMQVersion, t.ProductName = definitions.RabbitVersion, definitions.RabbitVersion, "Warren"
	for _, k := range kinds {
		for key, value := range values(k.prefix) {
			if err := k.add(t, key, value); err != nil {
				t.wrong = append(t.wrong, err)
			}
		}
	}
	for i := range t.Queues {
		t.queues[t.Queues[i].Stream] = &t.Queues[i]
	}
	return t
}

// name says in a user's words whose messages the records of a stream are.
func (t *topology) name(stream uint64) string {
	if q := t.queues[stream]; q != nil {
		return fmt.Sprintf("the queue %q of vhost %q", q.Name, q.VHost)
	}
	return fmt.Sprintf("a queue that is not durable or is not known any more (stream %d)", stream)
}
