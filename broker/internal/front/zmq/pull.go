package zmq

import (
	"context"

	"github.com/warrenmq/warren/zmq"
)

// pull publishes what its socket's peers push: into a queue, or to an exchange with a fixed key.
type pull struct {
	door   *door
	inflow *inflow
	socket *zmq.Pull
	key    []byte
	body   []byte // scratch; owner: the goroutine that receives
}

func newPull(d *door) worker {
	p := &pull{door: d, key: []byte(d.settings.key)}
	if d.settings.queue != "" {
		p.key = []byte(d.settings.queue)
	}
	p.inflow = newInflow(d, d.needQueue)
	return p
}

func (p *pull) open() (socket, error) {
	var err error
	if p.door.settings.queue != "" {
		err = p.door.needQueue()
	} else {
		_, err = p.door.needExchange()
	}
	if err != nil {
		return nil, err
	}
	p.socket = zmq.NewPull(p.door.options())
	return p.socket, nil
}

func (p *pull) run(ctx context.Context) { p.inflow.run(ctx, p.socket, p.read) }

func (p *pull) read(m zmq.Message, l *letter) error {
	l.key, l.body = p.key, join(m, &p.body)
	return nil
}
