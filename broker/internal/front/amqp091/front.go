package amqp091

import (
	"runtime"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front/pump"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// Front makes the sessions of AMQP 0-9-1 clients.
type Front struct {
	broker *engine.Broker
	hello  []byte // the connection.start frame, the same for all
}

// New returns the front of a broker.
func New(b *engine.Broker) *Front {
	start := wire.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9,
		ServerProperties: serverProperties(),
		Mechanisms:       []byte("PLAIN AMQPLAIN"),
		Locales:          []byte("en_US"),
	}
	return &Front{broker: b, hello: start.AppendFrame(nil, 0)}
}

// Protocol is the scheme of this front's listeners.
func (f *Front) Protocol() string { return "amqp" }

// NewSession returns the session of a new connection.
func (f *Front) NewSession(c *pump.Conn) pump.Session { return newSession(f, c) }

// Clients look at product and version to know what they may expect (kombu chooses the meaning of basic.qos's global by
// them), so they say what this broker behaves like. What it is stands under implementation.
const (
	product        = "RabbitMQ"
	productVersion = "4.3.5"
)

func serverProperties() wire.Table {
	var capabilities wire.Table
	for _, name := range []string{
		"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
		"authentication_failure_close", "per_consumer_qos", "direct_reply_to",
	} {
		capabilities = wire.AppendField(capabilities, name, wire.Bool(true))
	}
	properties := wire.Table(wire.AppendField(nil, "capabilities", wire.TableValue(capabilities)))
	for _, p := range [][2]string{
		{"cluster_name", "warren"},
		{"implementation", "Warren"},
		{"information", "https://github.com/warrenmq/warren"},
		{"platform", "Go " + runtime.Version()},
		{"product", product},
		{"version", productVersion},
	} {
		properties = wire.AppendField(properties, p[0], wire.Longstr(p[1]))
	}
	return properties
}
