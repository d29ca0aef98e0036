package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/warrenmq/warren/load"
)

// consumer receives the deliveries of one connection. All of it is owned by
// the goroutine that consumes.
type consumer struct {
	run   *run
	c     *conn
	ready chan struct{} // closed when all subscriptions stand

	latency   load.Histogram
	delivered int64
	firstAt   int64 // when the first whole delivery came, in the run's time; 0 = none has
	lastAt    int64 // when the last whole delivery came, in the run's time

	// Where scanning stands in the delivery that is under way.
	state    deliveryState
	bodyLeft uint64

	tag      uint64 // the last delivery's
	unacked  int    // deliveries since the last acknowledgement
	acks     []byte
	ackEvery int // 0 with automatic acknowledgement, and without any
}

type deliveryState byte

const (
	betweenDeliveries deliveryState = iota
	wantHeader
	wantFirstBody
	wantBody
)

func newConsumer(r *run, c *conn) *consumer {
	k := &consumer{run: r, c: c, ready: make(chan struct{})}
	if r.plan.Prefetch > 0 {
		k.ackEvery = r.plan.AckEvery
	}
	return k
}

// subscribe starts a consumer on every queue of consumer i's share.
func (k *consumer) subscribe(i int) error {
	p := k.run.plan
	if p.Prefetch > 0 {
		if _, err := k.c.call(basicQos, arguments{}.long(0).short(uint16(p.Prefetch)).bits(false), basicQosOK); err != nil {
			return err
		}
	}
	// Deliveries may come between the answers, so consume takes those. The
	// server works in order: the last answer stands for all.
	var b []byte
	share := p.share(i, p.Consumers)
	for i, q := range share {
		const noLocal, exclusive = false, false
		noWait := i < len(share)-1
		b = appendMethod(b, theChannel, basicConsume, arguments{}.
			short(0).
			shortString(p.queue(q)).
			shortString(fmt.Sprintf("c%05d", q)).
			bits(noLocal, p.Prefetch == 0, exclusive, noWait).
			emptyTable())
	}
	return k.c.write(b)
}

// consume receives until the run is ending.
func (k *consumer) consume() error {
	for {
		if err := k.c.fill(); err != nil {
			if k.run.ending.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
				return k.acknowledge(true)
			}
			return err
		}
		at := k.run.now()
		before := k.delivered
		if err := k.scan(at); err != nil {
			return err
		}
		if n := k.delivered - before; n > 0 {
			if k.lastAt = at; before == 0 {
				k.firstAt = at
			}
			k.run.delivered.Add(n)
			if err := k.acknowledge(false); err != nil {
				return err
			}
		}
	}
}

// scan goes over all whole frames in the read buffer, which came at the time
// at.
func (k *consumer) scan(at int64) error {
	c := k.c
	for {
		f, n, err := next(c.in[c.r:c.w], c.frameMax)
		if err != nil || n == 0 {
			return err
		}
		c.r += n
		switch f.typ {
		case frameMethod:
			err = k.method(&f)
		case frameHeader:
			err = k.header(&f)
		case frameBody:
			err = k.body(&f, at)
		}
		if err != nil {
			return err
		}
	}
}

func (k *consumer) method(f *frame) error {
	m, args := f.method()
	switch m {
	case basicDeliver:
	case basicConsumeOK:
		close(k.ready)
		return nil
	default:
		return unexpected(f)
	}
	if k.state != betweenDeliveries {
		return errors.New("amqp: the server began a delivery inside another")
	}
	if len(args) < 1 || len(args) < 1+int(args[0])+8 {
		return errors.New("amqp: the server sent a delivery that can't be read")
	}
	k.tag = binary.BigEndian.Uint64(args[1+int(args[0]):])
	k.state = wantHeader
	return nil
}

func (k *consumer) header(f *frame) error {
	if k.state != wantHeader || len(f.payload) < 14 {
		return errors.New("amqp: the server sent a content header that is out of place or too short")
	}
	k.bodyLeft = binary.BigEndian.Uint64(f.payload[4:])
	if k.bodyLeft != uint64(k.run.plan.Size) {
		return fmt.Errorf("amqp: a body of %d bytes was delivered where all have %d", k.bodyLeft, k.run.plan.Size)
	}
	k.state = wantFirstBody
	return nil
}

func (k *consumer) body(f *frame, at int64) error {
	if k.state < wantFirstBody || uint64(len(f.payload)) > k.bodyLeft {
		return errors.New("amqp: the server sent a body frame that is out of place or too long")
	}
	if k.state == wantFirstBody {
		k.state = wantBody
		if len(f.payload) >= stampSize && k.run.plan.Publishers > 0 { // an earlier run's stamps are by another clock
			if due := int64(binary.LittleEndian.Uint64(f.payload)); due != 0 {
				k.latency.Record(time.Duration(at - due))
			}
		}
	}
	if k.bodyLeft -= uint64(len(f.payload)); k.bodyLeft > 0 {
		return nil
	}
	k.state = betweenDeliveries
	k.delivered++
	if k.ackEvery == 0 {
		return nil
	}
	if k.unacked++; k.unacked >= k.ackEvery {
		k.acks = appendAck(k.acks, theChannel, k.tag, k.ackEvery > 1)
		k.unacked = 0
	}
	return nil
}

// acknowledge sends the acknowledgements that have gathered; in the end also
// for the deliveries that are too few for AckEvery.
func (k *consumer) acknowledge(end bool) error {
	if end && k.unacked > 0 {
		k.acks = appendAck(k.acks, theChannel, k.tag, true)
		k.unacked = 0
	}
	if len(k.acks) == 0 {
		return nil
	}
	err := k.c.write(k.acks)
	k.acks = k.acks[:0]
	return err
}
