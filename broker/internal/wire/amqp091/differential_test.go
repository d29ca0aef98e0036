package amqp091

import (
	"bytes"
	"errors"
	"io"
	"net"
	"reflect"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// peer is a server of a few lines that answers amqp091-go with this package's encoders, and holds every frame that the
// client sends against what this package would have written.
type peer struct {
	t    *testing.T
	conn net.Conn
	mu   sync.Mutex
	seen map[MethodID]Method // owner: mu; the last of each method that came in
	got  Content             // owner: mu; the last content that came in
	done chan struct{}
}

func (p *peer) serve() {
	defer close(p.done)
	var buf []byte
	read := make([]byte, 4096)
	greeted := false
	for {
		n, err := p.conn.Read(read)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
				p.t.Error(err)
			}
			return
		}
		buf = append(buf, read[:n]...)
		if !greeted {
			if v := ScanProtocolHeader(buf); v != HeaderAccepted {
				continue
			}
			buf, greeted = buf[len(ProtocolHeader):], true
			p.send((&ConnectionStart{VersionMinor: 9, ServerProperties: sampleTable(), Mechanisms: []byte("PLAIN"), Locales: []byte("en_US")}).AppendFrame(nil, 0))
		}
		for {
			f, n, err := ScanFrame(buf, 4096)
			if err != nil {
				p.t.Error(err)
				return
			}
			if n == 0 {
				break
			}
			p.frame(f, buf[:n])
			buf = buf[n:]
		}
	}
}

func (p *peer) send(wire []byte) {
	if _, err := p.conn.Write(wire); err != nil {
		p.t.Error(err)
	}
}

func (p *peer) frame(f Frame, wire []byte) {
	switch f.Type {
	case FrameMethod:
		id, args, err := SplitMethod(f.Payload)
		m := NewMethod(id)
		if err == nil {
			err = m.Decode(args)
		}
		if err != nil {
			p.t.Errorf("%v: %v", id, err)
			return
		}
		if again := m.AppendFrame(nil, f.Channel); !bytes.Equal(again, wire) {
			p.t.Errorf("%v: amqp091-go writes\n%x, this package\n%x", id, wire, again)
		}
		p.mu.Lock()
		p.seen[id] = m
		p.mu.Unlock()
		if answer := p.answer(id); answer != nil {
			p.send(answer.AppendFrame(nil, f.Channel))
		}
	case FrameHeader:
		h, err := DecodeContentHeader(f.Payload)
		if err != nil {
			p.t.Error(err)
			return
		}
		values := h.Properties.Values()
		if again := AppendContentHeader(nil, f.Channel, values.Append(nil), h.BodySize); !bytes.Equal(again, wire) {
			p.t.Errorf("content header: amqp091-go writes\n%x, this package\n%x", wire, again)
		}
		p.mu.Lock()
		p.got.Properties = bytes.Clone(h.Properties)
		p.mu.Unlock()
	case FrameBody:
		p.mu.Lock()
		c := Content{Properties: p.got.Properties, Body: bytes.Clone(f.Payload)}
		p.got = c
		p.mu.Unlock()
		m := BasicDeliver{ConsumerTag: []byte("tag"), DeliveryTag: 1, Redelivered: true, Exchange: []byte("x"), RoutingKey: []byte("k")}
		p.send(AppendDeliver(nil, f.Channel, &m, c, 4096))
	}
}

// answer is the reply to a method: the first that it may have, with the fields that the client needs.
func (p *peer) answer(id MethodID) Method {
	switch id {
	case MethodConnectionStartOk:
		return &ConnectionTune{ChannelMax: 10, FrameMax: 4096, Heartbeat: 0}
	case MethodQueueDeclare:
		return &QueueDeclareOk{Queue: "q", MessageCount: 3, ConsumerCount: 4}
	case MethodBasicConsume:
		return &BasicConsumeOk{ConsumerTag: "tag"}
	}
	if replies := id.Replies(); len(replies) > 0 {
		return NewMethod(replies[0])
	}
	return nil
}

func TestAmqp091GoWritesAndReadsTheSameOctets(t *testing.T) {
	client, server := net.Pipe()
	p := &peer{t: t, conn: server, seen: map[MethodID]Method{}, done: make(chan struct{})}
	go p.serve()
	conn, err := amqp.Open(client, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "u", Password: "p"}}, Vhost: "/"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		<-p.done
	}()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	args := amqp.Table{"bool": true, "int8": int8(-1), "byte": byte(200), "int16": int16(-2), "int32": int32(-3), "int64": int64(-4),
		"float": float32(1.5), "double": -2.5, "decimal": amqp.Decimal{Scale: 2, Value: 314}, "string": "text", "bytes": []byte{1, 2},
		"array": []any{"a", int32(1), amqp.Table{"k": "v"}}, "time": time.Unix(1700000000, 0), "table": amqp.Table{"k": nil}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(ch.ExchangeDeclare("x", "topic", true, false, true, false, args))
	must(ch.ExchangeBind("d", "k", "s", false, args))
	must(ch.ExchangeUnbind("d", "k", "s", false, nil))
	must(ch.ExchangeDelete("x", true, false))
	q, err := ch.QueueDeclare("q", true, false, true, false, args)
	must(err)
	if q.Messages != 3 || q.Consumers != 4 {
		t.Errorf("queue %+v", q)
	}
	must(ch.QueueBind("q", "k", "x", false, args))
	must(ch.QueueUnbind("q", "k", "x", args))
	_, err = ch.QueuePurge("q", false)
	must(err)
	_, err = ch.QueueDelete("q", true, true, false)
	must(err)
	must(ch.Qos(7, 0, true))
	must(ch.Tx())
	must(ch.TxCommit())
	must(ch.TxRollback())
	deliveries, err := ch.Consume("q", "tag", true, true, false, false, args)
	must(err)
	sent := amqp.Publishing{Headers: args, ContentType: "t", ContentEncoding: "e", DeliveryMode: 2, Priority: 3, CorrelationId: "c", ReplyTo: "r",
		Expiration: "9", MessageId: "m", Timestamp: time.Unix(1700000000, 0), Type: "y", UserId: "u", AppId: "a", Body: []byte("body")}
	must(ch.Publish("x", "k", true, false, sent))
	d := <-deliveries
	if !reflect.DeepEqual(d.Headers, sent.Headers) || d.ContentType != "t" || d.Priority != 3 || d.UserId != "u" || !d.Timestamp.Equal(sent.Timestamp) ||
		string(d.Body) != "body" || d.DeliveryTag != 1 || !d.Redelivered || d.Exchange != "x" || d.RoutingKey != "k" || d.ConsumerTag != "tag" {
		t.Errorf("delivered %+v", d)
	}
	must(ch.Ack(5, true))
	must(ch.Nack(6, true, true))
	must(ch.Reject(7, true))
	must(ch.Cancel("tag", false))
	must(ch.Close())

	p.mu.Lock()
	defer p.mu.Unlock()
	if m, ok := p.seen[MethodBasicPublish].(*BasicPublish); !ok || !m.Mandatory || m.Immediate {
		t.Errorf("basic.publish: %+v", m)
	}
	if m, ok := p.seen[MethodBasicNack].(*BasicNack); !ok || *m != (BasicNack{DeliveryTag: 6, Multiple: true, Requeue: true}) {
		t.Errorf("basic.nack: %+v", m)
	}
	if m, ok := p.seen[MethodExchangeDeclare].(*ExchangeDeclare); !ok || m.Type != "topic" || !m.Durable || m.AutoDelete || !m.Internal {
		t.Errorf("exchange.declare: %+v", m)
	}
	if len(p.seen) < 20 {
		t.Errorf("only %d methods were compared", len(p.seen))
	}
}
