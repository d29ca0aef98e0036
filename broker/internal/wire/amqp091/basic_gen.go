// Code generated from protocol.txt by protocolgen; DO NOT EDIT.

package amqp091

import "encoding/binary"

// BasicQos is basic.qos (60.10). Clients send it.
type BasicQos struct {
	PrefetchSize  uint32
	PrefetchCount uint16
	Global        bool
}

// ID is MethodBasicQos.
func (*BasicQos) ID() MethodID { return MethodBasicQos }

// Decode sets m from the arguments of basic.qos.
func (m *BasicQos) Decode(args []byte) error {
	r := reader{b: args}
	m.PrefetchSize = r.long()
	m.PrefetchCount = r.short()
	bits := r.octet()
	m.Global = bits&0x1 != 0
	return r.end(MethodBasicQos, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicQos) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicQos)
	dst = binary.BigEndian.AppendUint32(dst, m.PrefetchSize)
	dst = binary.BigEndian.AppendUint16(dst, m.PrefetchCount)
	dst = append(dst, bit(m.Global, 0))
	return endFrame(dst, at)
}

// BasicQosOk is basic.qos-ok (60.11). Servers send it.
type BasicQosOk struct {
}

// ID is MethodBasicQosOk.
func (*BasicQosOk) ID() MethodID { return MethodBasicQosOk }

// Decode sets m from the arguments of basic.qos-ok.
func (m *BasicQosOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodBasicQosOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicQosOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicQosOk)
	return endFrame(dst, at)
}

// BasicConsume is basic.consume (60.20). Clients send it.
type BasicConsume struct {
	Queue       string
	ConsumerTag string
	NoLocal     bool
	NoAck       bool
	Exclusive   bool
	NoWait      bool
	Arguments   Table
}

// ID is MethodBasicConsume.
func (*BasicConsume) ID() MethodID { return MethodBasicConsume }

// Decode sets m from the arguments of basic.consume.
func (m *BasicConsume) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Queue = r.shortstr()
	m.ConsumerTag = r.shortstr()
	bits := r.octet()
	m.NoLocal = bits&0x1 != 0
	m.NoAck = bits&0x2 != 0
	m.Exclusive = bits&0x4 != 0
	m.NoWait = bits&0x8 != 0
	m.Arguments = r.table()
	return r.end(MethodBasicConsume, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicConsume) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicConsume)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Queue)
	dst = AppendShortstr(dst, m.ConsumerTag)
	dst = append(dst, bit(m.NoLocal, 0)|bit(m.NoAck, 1)|bit(m.Exclusive, 2)|bit(m.NoWait, 3))
	dst = AppendTable(dst, m.Arguments)
	return endFrame(dst, at)
}

// BasicConsumeOk is basic.consume-ok (60.21). Servers send it.
type BasicConsumeOk struct {
	ConsumerTag string
}

// ID is MethodBasicConsumeOk.
func (*BasicConsumeOk) ID() MethodID { return MethodBasicConsumeOk }

// Decode sets m from the arguments of basic.consume-ok.
func (m *BasicConsumeOk) Decode(args []byte) error {
	r := reader{b: args}
	m.ConsumerTag = r.shortstr()
	return r.end(MethodBasicConsumeOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicConsumeOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicConsumeOk)
	dst = AppendShortstr(dst, m.ConsumerTag)
	return endFrame(dst, at)
}

// BasicCancel is basic.cancel (60.30). Both peers send it.
type BasicCancel struct {
	ConsumerTag string
	NoWait      bool
}

// ID is MethodBasicCancel.
func (*BasicCancel) ID() MethodID { return MethodBasicCancel }

// Decode sets m from the arguments of basic.cancel.
func (m *BasicCancel) Decode(args []byte) error {
	r := reader{b: args}
	m.ConsumerTag = r.shortstr()
	bits := r.octet()
	m.NoWait = bits&0x1 != 0
	return r.end(MethodBasicCancel, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicCancel) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicCancel)
	dst = AppendShortstr(dst, m.ConsumerTag)
	dst = append(dst, bit(m.NoWait, 0))
	return endFrame(dst, at)
}

// BasicCancelOk is basic.cancel-ok (60.31). Both peers send it.
type BasicCancelOk struct {
	ConsumerTag string
}

// ID is MethodBasicCancelOk.
func (*BasicCancelOk) ID() MethodID { return MethodBasicCancelOk }

// Decode sets m from the arguments of basic.cancel-ok.
func (m *BasicCancelOk) Decode(args []byte) error {
	r := reader{b: args}
	m.ConsumerTag = r.shortstr()
	return r.end(MethodBasicCancelOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicCancelOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicCancelOk)
	dst = AppendShortstr(dst, m.ConsumerTag)
	return endFrame(dst, at)
}

// BasicPublish is basic.publish (60.40). Clients send it. A content header and a body follow.
//
// Decoding allocates nothing: its byte slices are views on the bytes given to Decode.
type BasicPublish struct {
	Exchange   []byte
	RoutingKey []byte
	Mandatory  bool
	Immediate  bool
}

// ID is MethodBasicPublish.
func (*BasicPublish) ID() MethodID { return MethodBasicPublish }

// Decode sets m from the arguments of basic.publish.
func (m *BasicPublish) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Exchange = r.shortstrView()
	m.RoutingKey = r.shortstrView()
	bits := r.octet()
	m.Mandatory = bits&0x1 != 0
	m.Immediate = bits&0x2 != 0
	return r.end(MethodBasicPublish, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicPublish) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicPublish)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Exchange)
	dst = AppendShortstr(dst, m.RoutingKey)
	dst = append(dst, bit(m.Mandatory, 0)|bit(m.Immediate, 1))
	return endFrame(dst, at)
}

// BasicReturn is basic.return (60.50). Servers send it. A content header and a body follow.
//
// Decoding allocates nothing: its byte slices are views on the bytes given to Decode.
type BasicReturn struct {
	ReplyCode  uint16
	ReplyText  []byte
	Exchange   []byte
	RoutingKey []byte
}

// ID is MethodBasicReturn.
func (*BasicReturn) ID() MethodID { return MethodBasicReturn }

// Decode sets m from the arguments of basic.return.
func (m *BasicReturn) Decode(args []byte) error {
	r := reader{b: args}
	m.ReplyCode = r.short()
	m.ReplyText = r.shortstrView()
	m.Exchange = r.shortstrView()
	m.RoutingKey = r.shortstrView()
	return r.end(MethodBasicReturn, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicReturn) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicReturn)
	dst = binary.BigEndian.AppendUint16(dst, m.ReplyCode)
	dst = AppendShortstr(dst, m.ReplyText)
	dst = AppendShortstr(dst, m.Exchange)
	dst = AppendShortstr(dst, m.RoutingKey)
	return endFrame(dst, at)
}

// BasicDeliver is basic.deliver (60.60). Servers send it. A content header and a body follow.
//
// Decoding allocates nothing: its byte slices are views on the bytes given to Decode.
type BasicDeliver struct {
	ConsumerTag []byte
	DeliveryTag uint64
	Redelivered bool
	Exchange    []byte
	RoutingKey  []byte
}

// ID is MethodBasicDeliver.
func (*BasicDeliver) ID() MethodID { return MethodBasicDeliver }

// Decode sets m from the arguments of basic.deliver.
func (m *BasicDeliver) Decode(args []byte) error {
	r := reader{b: args}
	m.ConsumerTag = r.shortstrView()
	m.DeliveryTag = r.longlong()
	bits := r.octet()
	m.Redelivered = bits&0x1 != 0
	m.Exchange = r.shortstrView()
	m.RoutingKey = r.shortstrView()
	return r.end(MethodBasicDeliver, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicDeliver) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicDeliver)
	dst = AppendShortstr(dst, m.ConsumerTag)
	dst = binary.BigEndian.AppendUint64(dst, m.DeliveryTag)
	dst = append(dst, bit(m.Redelivered, 0))
	dst = AppendShortstr(dst, m.Exchange)
	dst = AppendShortstr(dst, m.RoutingKey)
	return endFrame(dst, at)
}

// BasicGet is basic.get (60.70). Clients send it.
type BasicGet struct {
	Queue string
	NoAck bool
}

// ID is MethodBasicGet.
func (*BasicGet) ID() MethodID { return MethodBasicGet }

// Decode sets m from the arguments of basic.get.
func (m *BasicGet) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Queue = r.shortstr()
	bits := r.octet()
	m.NoAck = bits&0x1 != 0
	return r.end(MethodBasicGet, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicGet) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicGet)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Queue)
	dst = append(dst, bit(m.NoAck, 0))
	return endFrame(dst, at)
}

// BasicGetOk is basic.get-ok (60.71). Servers send it. A content header and a body follow.
//
// Decoding allocates nothing: its byte slices are views on the bytes given to Decode.
type BasicGetOk struct {
	DeliveryTag  uint64
	Redelivered  bool
	Exchange     []byte
	RoutingKey   []byte
	MessageCount uint32
}

// ID is MethodBasicGetOk.
func (*BasicGetOk) ID() MethodID { return MethodBasicGetOk }

// Decode sets m from the arguments of basic.get-ok.
func (m *BasicGetOk) Decode(args []byte) error {
	r := reader{b: args}
	m.DeliveryTag = r.longlong()
	bits := r.octet()
	m.Redelivered = bits&0x1 != 0
	m.Exchange = r.shortstrView()
	m.RoutingKey = r.shortstrView()
	m.MessageCount = r.long()
	return r.end(MethodBasicGetOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicGetOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicGetOk)
	dst = binary.BigEndian.AppendUint64(dst, m.DeliveryTag)
	dst = append(dst, bit(m.Redelivered, 0))
	dst = AppendShortstr(dst, m.Exchange)
	dst = AppendShortstr(dst, m.RoutingKey)
	dst = binary.BigEndian.AppendUint32(dst, m.MessageCount)
	return endFrame(dst, at)
}

// BasicGetEmpty is basic.get-empty (60.72). Servers send it.
type BasicGetEmpty struct {
}

// ID is MethodBasicGetEmpty.
func (*BasicGetEmpty) ID() MethodID { return MethodBasicGetEmpty }

// Decode sets m from the arguments of basic.get-empty.
func (m *BasicGetEmpty) Decode(args []byte) error {
	r := reader{b: args}
	r.shortstrView() // cluster-id
	return r.end(MethodBasicGetEmpty, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicGetEmpty) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicGetEmpty)
	dst = append(dst, 0) // cluster-id
	return endFrame(dst, at)
}

// BasicAck is basic.ack (60.80). Both peers send it.
type BasicAck struct {
	DeliveryTag uint64
	Multiple    bool
}

// ID is MethodBasicAck.
func (*BasicAck) ID() MethodID { return MethodBasicAck }

// Decode sets m from the arguments of basic.ack.
func (m *BasicAck) Decode(args []byte) error {
	r := reader{b: args}
	m.DeliveryTag = r.longlong()
	bits := r.octet()
	m.Multiple = bits&0x1 != 0
	return r.end(MethodBasicAck, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicAck) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicAck)
	dst = binary.BigEndian.AppendUint64(dst, m.DeliveryTag)
	dst = append(dst, bit(m.Multiple, 0))
	return endFrame(dst, at)
}

// BasicReject is basic.reject (60.90). Clients send it.
type BasicReject struct {
	DeliveryTag uint64
	Requeue     bool
}

// ID is MethodBasicReject.
func (*BasicReject) ID() MethodID { return MethodBasicReject }

// Decode sets m from the arguments of basic.reject.
func (m *BasicReject) Decode(args []byte) error {
	r := reader{b: args}
	m.DeliveryTag = r.longlong()
	bits := r.octet()
	m.Requeue = bits&0x1 != 0
	return r.end(MethodBasicReject, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicReject) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicReject)
	dst = binary.BigEndian.AppendUint64(dst, m.DeliveryTag)
	dst = append(dst, bit(m.Requeue, 0))
	return endFrame(dst, at)
}

// BasicRecoverAsync is basic.recover-async (60.100). Clients send it.
type BasicRecoverAsync struct {
	Requeue bool
}

// ID is MethodBasicRecoverAsync.
func (*BasicRecoverAsync) ID() MethodID { return MethodBasicRecoverAsync }

// Decode sets m from the arguments of basic.recover-async.
func (m *BasicRecoverAsync) Decode(args []byte) error {
	r := reader{b: args}
	bits := r.octet()
	m.Requeue = bits&0x1 != 0
	return r.end(MethodBasicRecoverAsync, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicRecoverAsync) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicRecoverAsync)
	dst = append(dst, bit(m.Requeue, 0))
	return endFrame(dst, at)
}

// BasicRecover is basic.recover (60.110). Clients send it.
type BasicRecover struct {
	Requeue bool
}

// ID is MethodBasicRecover.
func (*BasicRecover) ID() MethodID { return MethodBasicRecover }

// Decode sets m from the arguments of basic.recover.
func (m *BasicRecover) Decode(args []byte) error {
	r := reader{b: args}
	bits := r.octet()
	m.Requeue = bits&0x1 != 0
	return r.end(MethodBasicRecover, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicRecover) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicRecover)
	dst = append(dst, bit(m.Requeue, 0))
	return endFrame(dst, at)
}

// BasicRecoverOk is basic.recover-ok (60.111). Servers send it.
type BasicRecoverOk struct {
}

// ID is MethodBasicRecoverOk.
func (*BasicRecoverOk) ID() MethodID { return MethodBasicRecoverOk }

// Decode sets m from the arguments of basic.recover-ok.
func (m *BasicRecoverOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodBasicRecoverOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicRecoverOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicRecoverOk)
	return endFrame(dst, at)
}

// BasicNack is basic.nack (60.120). Both peers send it.
type BasicNack struct {
	DeliveryTag uint64
	Multiple    bool
	Requeue     bool
}

// ID is MethodBasicNack.
func (*BasicNack) ID() MethodID { return MethodBasicNack }

// Decode sets m from the arguments of basic.nack.
func (m *BasicNack) Decode(args []byte) error {
	r := reader{b: args}
	m.DeliveryTag = r.longlong()
	bits := r.octet()
	m.Multiple = bits&0x1 != 0
	m.Requeue = bits&0x2 != 0
	return r.end(MethodBasicNack, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *BasicNack) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodBasicNack)
	dst = binary.BigEndian.AppendUint64(dst, m.DeliveryTag)
	dst = append(dst, bit(m.Multiple, 0)|bit(m.Requeue, 1))
	return endFrame(dst, at)
}
