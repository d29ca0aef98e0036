// Code generated from protocol.txt by protocolgen; DO NOT EDIT.

package amqp091

import "encoding/binary"

// QueueDeclare is queue.declare (50.10). Clients send it.
type QueueDeclare struct {
	Queue      string
	Passive    bool
	Durable    bool
	Exclusive  bool
	AutoDelete bool
	NoWait     bool
	Arguments  Table
}

// ID is MethodQueueDeclare.
func (*QueueDeclare) ID() MethodID { return MethodQueueDeclare }

// Decode sets m from the arguments of queue.declare.
func (m *QueueDeclare) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Queue = r.shortstr()
	bits := r.octet()
	m.Passive = bits&0x1 != 0
	m.Durable = bits&0x2 != 0
	m.Exclusive = bits&0x4 != 0
	m.AutoDelete = bits&0x8 != 0
	m.NoWait = bits&0x10 != 0
	m.Arguments = r.table()
	return r.end(MethodQueueDeclare, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *QueueDeclare) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodQueueDeclare)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Queue)
	dst = append(dst, bit(m.Passive, 0)|bit(m.Durable, 1)|bit(m.Exclusive, 2)|bit(m.AutoDelete, 3)|bit(m.NoWait, 4))
	dst = AppendTable(dst, m.Arguments)
	return endFrame(dst, at)
}

// QueueDeclareOk is queue.declare-ok (50.11). Servers send it.
type QueueDeclareOk struct {
	Queue         string
	MessageCount  uint32
	ConsumerCount uint32
}

// ID is MethodQueueDeclareOk.
func (*QueueDeclareOk) ID() MethodID { return MethodQueueDeclareOk }

// Decode sets m from the arguments of queue.declare-ok.
func (m *QueueDeclareOk) Decode(args []byte) error {
	r := reader{b: args}
	m.Queue = r.shortstr()
	m.MessageCount = r.long()
	m.ConsumerCount = r.long()
	return r.end(MethodQueueDeclareOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *QueueDeclareOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodQueueDeclareOk)
	dst = AppendShortstr(dst, m.Queue)
	dst = binary.BigEndian.AppendUint32(dst, m.MessageCount)
	dst = binary.BigEndian.AppendUint32(dst, m.ConsumerCount)
	return endFrame(dst, at)
}

// QueueBind is queue.bind (50.20). Clients send it.
type QueueBind struct {
	Queue      string
	Exchange   string
	RoutingKey string
	NoWait     bool
	Arguments  Table
}

// ID is MethodQueueBind.
func (*QueueBind) ID() MethodID { return MethodQueueBind }

// Decode sets m from the arguments of queue.bind.
func (m *QueueBind) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Queue = r.shortstr()
	m.Exchange = r.shortstr()
	m.RoutingKey = r.shortstr()
	bits := r.octet()
	m.NoWait = bits&0x1 != 0
	m.Arguments = r.table()
	return r.end(MethodQueueBind, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *QueueBind) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodQueueBind)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Queue)
	dst = AppendShortstr(dst, m.Exchange)
	dst = AppendShortstr(dst, m.RoutingKey)
	dst = append(dst, bit(m.NoWait, 0))
	dst = AppendTable(dst, m.Arguments)
	return endFrame(dst, at)
}

// QueueBindOk is queue.bind-ok (50.21). Servers send it.
type QueueBindOk struct {
}

// ID is MethodQueueBindOk.
func (*QueueBindOk) ID() MethodID { return MethodQueueBindOk }

// Decode sets m from the arguments of queue.bind-ok.
func (m *QueueBindOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodQueueBindOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *QueueBindOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodQueueBindOk)
	return endFrame(dst, at)
}

// QueuePurge is queue.purge (50.30). Clients send it.
type QueuePurge struct {
	Queue  string
	NoWait bool
}

// ID is MethodQueuePurge.
func (*QueuePurge) ID() MethodID { return MethodQueuePurge }

// Decode sets m from the arguments of queue.purge.
func (m *QueuePurge) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Queue = r.shortstr()
	bits := r.octet()
	m.NoWait = bits&0x1 != 0
	return r.end(MethodQueuePurge, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *QueuePurge) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodQueuePurge)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Queue)
	dst = append(dst, bit(m.NoWait, 0))
	return endFrame(dst, at)
}

// QueuePurgeOk is queue.purge-ok (50.31). Servers send it.
type QueuePurgeOk struct {
	MessageCount uint32
}

// ID is MethodQueuePurgeOk.
func (*QueuePurgeOk) ID() MethodID { return MethodQueuePurgeOk }

// Decode sets m from the arguments of queue.purge-ok.
func (m *QueuePurgeOk) Decode(args []byte) error {
	r := reader{b: args}
	m.MessageCount = r.long()
	return r.end(MethodQueuePurgeOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *QueuePurgeOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodQueuePurgeOk)
	dst = binary.BigEndian.AppendUint32(dst, m.MessageCount)
	return endFrame(dst, at)
}

// QueueDelete is queue.delete (50.40). Clients send it.
type QueueDelete struct {
	Queue    string
	IfUnused bool
	IfEmpty  bool
	NoWait   bool
}

// ID is MethodQueueDelete.
func (*QueueDelete) ID() MethodID { return MethodQueueDelete }

// Decode sets m from the arguments of queue.delete.
func (m *QueueDelete) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Queue = r.shortstr()
	bits := r.octet()
	m.IfUnused = bits&0x1 != 0
	m.IfEmpty = bits&0x2 != 0
	m.NoWait = bits&0x4 != 0
	return r.end(MethodQueueDelete, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *QueueDelete) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodQueueDelete)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Queue)
	dst = append(dst, bit(m.IfUnused, 0)|bit(m.IfEmpty, 1)|bit(m.NoWait, 2))
	return endFrame(dst, at)
}

// QueueDeleteOk is queue.delete-ok (50.41). Servers send it.
type QueueDeleteOk struct {
	MessageCount uint32
}

// ID is MethodQueueDeleteOk.
func (*QueueDeleteOk) ID() MethodID { return MethodQueueDeleteOk }

// Decode sets m from the arguments of queue.delete-ok.
func (m *QueueDeleteOk) Decode(args []byte) error {
	r := reader{b: args}
	m.MessageCount = r.long()
	return r.end(MethodQueueDeleteOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *QueueDeleteOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodQueueDeleteOk)
	dst = binary.BigEndian.AppendUint32(dst, m.MessageCount)
	return endFrame(dst, at)
}

// QueueUnbind is queue.unbind (50.50). Clients send it.
type QueueUnbind struct {
	Queue      string
	Exchange   string
	RoutingKey string
	Arguments  Table
}

// ID is MethodQueueUnbind.
func (*QueueUnbind) ID() MethodID { return MethodQueueUnbind }

// Decode sets m from the arguments of queue.unbind.
func (m *QueueUnbind) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Queue = r.shortstr()
	m.Exchange = r.shortstr()
	m.RoutingKey = r.shortstr()
	m.Arguments = r.table()
	return r.end(MethodQueueUnbind, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *QueueUnbind) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodQueueUnbind)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Queue)
	dst = AppendShortstr(dst, m.Exchange)
	dst = AppendShortstr(dst, m.RoutingKey)
	dst = AppendTable(dst, m.Arguments)
	return endFrame(dst, at)
}

// QueueUnbindOk is queue.unbind-ok (50.51). Servers send it.
type QueueUnbindOk struct {
}

// ID is MethodQueueUnbindOk.
func (*QueueUnbindOk) ID() MethodID { return MethodQueueUnbindOk }

// Decode sets m from the arguments of queue.unbind-ok.
func (m *QueueUnbindOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodQueueUnbindOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *QueueUnbindOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodQueueUnbindOk)
	return endFrame(dst, at)
}
