package amqp091

import (
	"errors"
	"time"

	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// pulse is a connection's heartbeats (AMQP 0-9-1 §4.2.7, as RabbitMQ keeps them): one is sent after half an interval in
// which nothing else was, and two intervals in which nothing came end the connection. Bytes count, not frames: a large
// message on a slow line is a sign of life.
type pulse struct {
	interval time.Duration // zero: no heartbeats
	sendAt   time.Time     // when the next look at written is due; zero: the first check sets it
	hearAt   time.Time     // when the next look at read is due
	written  uint64        // what had been written at the last look
	read     uint64        // what had been read
	silent   int           // looks in a row at which nothing had come
}

// noCount is a number of bytes that nobody writes: at the next look something has been written.
const noCount = ^uint64(0)

var errSilent = errors.New("missed heartbeats from the client")

// check does what is due and returns when it wants to be called next.
func (p *pulse) check(s *session, now time.Time) (time.Time, error) {
	if p.interval == 0 {
		return time.Time{}, nil
	}
	if p.sendAt.IsZero() {
		p.sendAt, p.hearAt = now.Add(p.interval/2), now.Add(p.interval)
		p.written, p.read = noCount, s.conn.BytesRead() // the answers of the handshake are on their way, and count as written
	}
	if !now.Before(p.sendAt) {
		if written := s.conn.BytesWritten(); written != p.written {
			p.written = written
		} else {
			b := s.out.Begin()
			pending := len(b)
			b = wire.AppendHeartbeat(b)
			p.written += uint64(len(b) - pending) // it may be on its way for a while, and is no sign of anything else
			s.out.End(b)
			s.out.Flush()
		}
		p.sendAt = now.Add(p.interval / 2)
	}
	if !now.Before(p.hearAt) {
		read := s.conn.BytesRead()
		p.silent++
		if read != p.read {
			p.silent = 0
		}
		if p.silent >= silentChecks {
			return time.Time{}, errSilent
		}
		p.read = read
		p.hearAt = now.Add(p.interval)
	}
	if p.hearAt.Before(p.sendAt) {
		return p.hearAt, nil
	}
	return p.sendAt, nil
}
