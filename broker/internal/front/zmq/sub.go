package zmq

import (
	"context"

	"github.com/warrenmq/warren/zmq"
)

// sub publishes what its socket's peers publish.
type sub struct {
	door   *door
	inflow *inflow
	socket *zmq.Sub
	key    []byte // of messages of one frame
	body   []byte // scratch; owner: the goroutine that receives
}

func newSub(d *door) worker {
	return &sub{door: d, inflow: newInflow(d, nil), key: []byte(d.settings.key)}
}

func (s *sub) open() (socket, error) {
	if _, err := s.door.needExchange(); err != nil {
		return nil, err
	}
	s.socket = zmq.NewSub(s.door.options())
	for _, prefix := range s.door.settings.subscribe {
		if err := s.socket.Subscribe(prefix); err != nil {
			return nil, err
		}
	}
	return s.socket, nil
}

func (s *sub) run(ctx context.Context) { s.inflow.run(ctx, s.socket, s.read) }

// read takes a message apart: frame 1 is the routing key, the rest the body.
func (s *sub) read(m zmq.Message, l *letter) error {
	if len(m) == 1 {
		l.key, l.body = s.key, m[0]
		return nil
	}
	if len(m[0]) > longestKey {
		return errLongKey
	}
	l.key, l.body = m[0], join(m[1:], &s.body)
	return nil
}
