package amqp091

import "testing"

// BenchmarkPublishDecode is what a broker does with one small publish: three frames out of the read buffer, in place.
func BenchmarkPublishDecode(b *testing.B) {
	p := BasicPublish{Exchange: []byte("amq.direct"), RoutingKey: []byte("key")}
	c := Content{Properties: Properties("\x10\x00\x01"), Body: make([]byte, 16)}
	wire := AppendContent(p.AppendFrame(nil, 1), 1, c, 131072)
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		buf := wire
		f, n, err := ScanFrame(buf, 131072)
		if err != nil {
			b.Fatal(err)
		}
		id, args, err := SplitMethod(f.Payload)
		if err != nil || id != MethodBasicPublish {
			b.Fatal(id, err)
		}
		var m BasicPublish
		if err := m.Decode(args); err != nil {
			b.Fatal(err)
		}
		buf = buf[n:]
		f, n, _ = ScanFrame(buf, 131072)
		h, err := DecodeContentHeader(f.Payload)
		if err != nil {
			b.Fatal(err)
		}
		f, n, _ = ScanFrame(buf[n:], 131072)
		if n == 0 || uint64(len(f.Payload)) != h.BodySize {
			b.Fatal("body")
		}
	}
}

// BenchmarkDeliverEncode is what a broker does to hand one small message to a consumer.
func BenchmarkDeliverEncode(b *testing.B) {
	m := BasicDeliver{ConsumerTag: []byte("ctag"), DeliveryTag: 1, Exchange: []byte("amq.direct"), RoutingKey: []byte("key")}
	c := Content{Properties: Properties("\x10\x00\x01"), Body: make([]byte, 16)}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = AppendDeliver(out[:0], 1, &m, c, 131072)
	}
	b.SetBytes(int64(len(out)))
}

// BenchmarkAckDecode is one basic.ack out of the read buffer.
func BenchmarkAckDecode(b *testing.B) {
	wire := (&BasicAck{DeliveryTag: 7}).AppendFrame(nil, 1)
	b.ReportAllocs()
	for b.Loop() {
		f, _, _ := ScanFrame(wire, 131072)
		_, args, _ := SplitMethod(f.Payload)
		var m BasicAck
		if err := m.Decode(args); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHeaderLookup finds one header of many in the octets of the properties.
func BenchmarkHeaderLookup(b *testing.B) {
	_, p := sampleProperties()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := p.Header("v"); !ok {
			b.Fatal("no header")
		}
	}
}

// BenchmarkTableIteration walks a table of 19 fields.
func BenchmarkTableIteration(b *testing.B) {
	t := sampleTable()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range t.All() {
			n++
		}
		if n != 19 {
			b.Fatal(n)
		}
	}
}
