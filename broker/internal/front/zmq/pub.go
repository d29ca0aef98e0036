package zmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/exchange"
	"github.com/warrenmq/warren/broker/internal/message"
	"github.com/warrenmq/warren/zmq"
)

// pub hands what is published to an exchange to the subscribers of its socket.
type pub struct {
	door   *door
	socket *zmq.XPub
	intake *intake
	kind   exchange.Kind // the exchange's; set by open

	mu       sync.Mutex     // lock: subscriptions; vhost may be taken under it
	queue    string         // the private queue, "" while there is none; owner mu
	patterns map[string]int // bindings, and how many subscriptions need each; owner mu
}

// manyPatterns is how many bindings a listener has before everything is routed to it instead.
const manyPatterns = 4096

func newPub(d *door) worker {
	p := &pub{door: d, patterns: make(map[string]int)}
	p.intake = newIntake(d, func(l *letter, m *message.Message) { l.key, l.body = m.Key, m.Body })
	return p
}

func (p *pub) open() (socket, error) {
	var err error
	if p.kind, err = p.door.needExchange(); err != nil {
		return nil, err
	}
	if p.kind == exchange.Direct {
		return nil, fmt.Errorf("exchange '%s' is of type direct, which knows no prefixes: a pub needs topic, fanout or headers",
			p.door.settings.exchange)
	}
	p.socket = zmq.NewXPub(p.door.options())
	return p.socket, nil
}

func (p *pub) run(ctx context.Context) {
	var listening sync.WaitGroup
	listening.Go(func() { p.subscriptions(ctx) })
	var frames [2][]byte
	var room [1]byte
	p.intake.each(ctx, p.attach, func(l *letter) bool {
		if l.hops >= message.MaxHops {
			p.door.log.say("a message was dropped", errHops)
			return true
		}
		frames[0], frames[1] = l.key, l.body
		if err := p.socket.SendNote(ctx, hopsNote(&room, l.hops), frames[:]); err != nil && ctx.Err() == nil {
			p.door.log.say("a message was dropped", err)
		}
		return true
	})
	listening.Wait()
}

// attach makes the private queue, binds it by what is subscribed to, and consumes.
func (p *pub) attach() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = ""
	d, err := p.door.client.DeclareQueue(engine.QueueSpec{Exclusive: true, AutoDelete: true})
	if err != nil {
		return err
	}
	for pattern := range p.patterns {
		if err := p.door.client.BindQueue(p.door.settings.exchange, d.Name, exchange.Binding{Key: pattern}); err != nil {
			return err
		}
	}
	p.queue = d.Name
	return p.intake.consume(engine.ConsumerSpec{Queue: d.Name, Tag: "zmq", NoAck: true})
}

// subscriptions follows what the socket's peers subscribe to: the first subscription to a prefix and the last cancellation
// come as messages, a byte 1 or 0 and the prefix.
func (p *pub) subscriptions(ctx context.Context) {
	var m zmq.Message
	for {
		if err := p.socket.RecvInto(ctx, &m); err != nil {
			if ctx.Err() == nil && !errors.Is(err, zmq.ErrClosed) {
				p.door.log.say("cannot receive subscriptions", err)
			}
			return
		}
		if len(m) != 1 || len(m[0]) == 0 || m[0][0] > 1 {
			continue // an XSUB's message to its publishers, of which there are none here
		}
		p.subscribe(string(m[0][1:]), m[0][0] == 1)
	}
}

func (p *pub) subscribe(prefix string, on bool) {
	key := ""
	if p.kind == exchange.Topic {
		key = pattern(prefix)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	n := p.patterns[key]
	switch {
	case on && n == 0 && len(p.patterns) >= manyPatterns && key != "#":
		// Prefixes under this one are counted with it from now on, and their cancellations do not lead back: it stays.
		p.patterns["#"]++
		err = p.bind("#")
	case on:
		if p.patterns[key]++; n == 0 {
			err = p.bind(key)
		}
	case n == 1:
		delete(p.patterns, key)
		err = p.unbind(key)
	case n > 1:
		p.patterns[key]--
	}
	if err != nil {
		p.door.log.say("a subscription has no effect", err)
	}
}

// bind and unbind change the private queue's bindings, while there is one. Under mu.
func (p *pub) bind(key string) error {
	if p.queue == "" {
		return nil
	}
	return p.door.client.BindQueue(p.door.settings.exchange, p.queue, exchange.Binding{Key: key})
}

func (p *pub) unbind(key string) error {
	if p.queue == "" {
		return nil
	}
	return p.door.client.UnbindQueue(p.door.settings.exchange, p.queue, exchange.Binding{Key: key})
}
