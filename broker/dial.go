package broker

import (
	"context"
	"errors"
	"net"

	"github.com/warrenmq/warren/broker/internal/front/pump"
	"github.com/warrenmq/warren/broker/internal/pipe"
)

// Dial returns the client's end of a connection of a protocol, such as "amqp", that the broker serves, with no socket in
// between. It needs no listener and no Run. For a client of RabbitMQ:
//
//	conn, err := amqp.DialConfig("amqp://guest:guest@warren/", amqp.Config{
//		Dial: func(_, _ string) (net.Conn, error) { return b.Dial(ctx, "amqp") },
//	})
//
// The connection is like one of TCP on loopback: up to 256 KiB wait in each direction, deadlines hold, it has a CloseWrite
// method. Users who may connect from this machine only may come this way. It ends when either side closes it; in Shutdown the
// broker takes leave of it as of any other. Dial does not wait, and ctx has no part in the connection's life. After Shutdown
// it returns ErrClosed.
func (b *Broker) Dial(ctx context.Context, protocol string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := b.server(protocol)
	if err != nil {
		return nil, err
	}
	client, served := pipe.New()
	if err := s.Start(served); errors.Is(err, pump.ErrServerClosed) {
		return nil, ErrClosed // Shutdown came in between
	} else if err != nil {
		return nil, err
	}
	return client, nil
}
