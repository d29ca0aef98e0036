package broker

import (
	"io"
	"runtime/debug"
	"strings"

	"github.com/warrenmq/warren/broker/internal/definitions"
	"github.com/warrenmq/warren/broker/internal/engine"
)

// ExportDefinitions writes what the broker has besides messages, in the form of RabbitMQ's definitions.json, which RabbitMQ
// imports with rabbitmqctl import_definitions: vhosts, users with the hashes of their passwords, permissions, exchanges, queues
// and bindings. As in RabbitMQ that includes what is not durable, but not what every vhost has anyway, the exchanges whose
// names are empty or begin with "amq.", nor queues of one connection only.
//
// It does not stop the broker: what is declared or deleted meanwhile may be in it or not, but no binding without its ends. It
// fails when w does.
func (b *Broker) ExportDefinitions(w io.Writer) error {
	d := newDefinitions()
	for _, u := range b.engine.Users().List() {
		d.Users = append(d.Users, definitions.UserOf(u))
	}
	for _, g := range b.engine.Users().Grants() {
		d.Permissions = append(d.Permissions, definitions.PermissionOf(g))
	}
	for _, v := range b.engine.VHosts() {
		addVHost(&d, v)
	}
	return d.Encode(w)
}

func addVHost(d *definitions.Definitions, v *engine.VHost) {
	d.VHosts = append(d.VHosts, definitions.VHost{Name: v.Name()})
	exchanges := make(map[string]bool)
	for _, x := range v.Exchanges() {
		exchanges[x.Name] = true
		if x.Name == "" || strings.HasPrefix(x.Name, "amq.") {
			continue
		}
		d.Exchanges = append(d.Exchanges, definitions.Exchange{
			Name: x.Name, VHost: v.Name(), Type: string(x.Type), Durable: x.Durable, AutoDelete: x.AutoDelete, Internal: x.Internal,
			Args: x.Args,
		})
	}
	queues := make(map[string]bool)
	for _, q := range v.Queues() {
		i := q.Info()
		if i.Exclusive {
			continue
		}
		queues[i.Name] = true
		d.Queues = append(d.Queues, definitions.Queue{
			Name: i.Name, VHost: v.Name(), Durable: i.Durable, AutoDelete: i.AutoDelete, Args: i.Args,
		})
	}
	for _, b := range v.Bindings() {
		to, there := definitions.ToQueue, queues[b.Destination]
		if b.ToExchange {
			to, there = definitions.ToExchange, exchanges[b.Destination]
		}
		if !there || !exchanges[b.Exchange] {
			continue
		}
		d.Bindings = append(d.Bindings, definitions.Binding{
			Source: b.Exchange, VHost: v.Name(), Destination: b.Destination, DestinationType: to, RoutingKey: b.Key, Args: b.Args,
		})
	}
}

// newDefinitions returns definitions that say who has written them.
func newDefinitions() definitions.Definitions {
	return definitions.Definitions{
		RabbitVersion: definitions.RabbitVersion, RabbitMQVersion: definitions.RabbitVersion, ProductName: "Warren", ProductVersion: moduleVersion(),
	}
}

// moduleVersion returns the version of this module that the program was built with, or "unknown".
func moduleVersion() string {
	const path = "github.com/warrenmq/warren"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == path && m.Version != "" {
			return m.Version
		}
	}
	return "unknown"
}
