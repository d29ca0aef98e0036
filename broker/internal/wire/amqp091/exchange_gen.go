// Code generated from protocol.txt by protocolgen; DO NOT EDIT.

package amqp091

// ExchangeDeclare is exchange.declare (40.10). Clients send it.
type ExchangeDeclare struct {
	Exchange   string
	Type       string
	Passive    bool
	Durable    bool
	AutoDelete bool
	Internal   bool
	NoWait     bool
	Arguments  Table
}

// ID is MethodExchangeDeclare.
func (*ExchangeDeclare) ID() MethodID { return MethodExchangeDeclare }

// Decode sets m from the arguments of exchange.declare.
func (m *ExchangeDeclare) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Exchange = r.shortstr()
	m.Type = r.shortstr()
	bits := r.octet()
	m.Passive = bits&0x1 != 0
	m.Durable = bits&0x2 != 0
	m.AutoDelete = bits&0x4 != 0
	m.Internal = bits&0x8 != 0
	m.NoWait = bits&0x10 != 0
	m.Arguments = r.table()
	return r.end(MethodExchangeDeclare, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ExchangeDeclare) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodExchangeDeclare)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Exchange)
	dst = AppendShortstr(dst, m.Type)
	dst = append(dst, bit(m.Passive, 0)|bit(m.Durable, 1)|bit(m.AutoDelete, 2)|bit(m.Internal, 3)|bit(m.NoWait, 4))
	dst = AppendTable(dst, m.Arguments)
	return endFrame(dst, at)
}

// ExchangeDeclareOk is exchange.declare-ok (40.11). Servers send it.
type ExchangeDeclareOk struct {
}

// ID is MethodExchangeDeclareOk.
func (*ExchangeDeclareOk) ID() MethodID { return MethodExchangeDeclareOk }

// Decode sets m from the arguments of exchange.declare-ok.
func (m *ExchangeDeclareOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodExchangeDeclareOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ExchangeDeclareOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodExchangeDeclareOk)
	return endFrame(dst, at)
}

// ExchangeDelete is exchange.delete (40.20). Clients send it.
type ExchangeDelete struct {
	Exchange string
	IfUnused bool
	NoWait   bool
}

// ID is MethodExchangeDelete.
func (*ExchangeDelete) ID() MethodID { return MethodExchangeDelete }

// Decode sets m from the arguments of exchange.delete.
func (m *ExchangeDelete) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Exchange = r.shortstr()
	bits := r.octet()
	m.IfUnused = bits&0x1 != 0
	m.NoWait = bits&0x2 != 0
	return r.end(MethodExchangeDelete, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ExchangeDelete) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodExchangeDelete)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Exchange)
	dst = append(dst, bit(m.IfUnused, 0)|bit(m.NoWait, 1))
	return endFrame(dst, at)
}

// ExchangeDeleteOk is exchange.delete-ok (40.21). Servers send it.
type ExchangeDeleteOk struct {
}

// ID is MethodExchangeDeleteOk.
func (*ExchangeDeleteOk) ID() MethodID { return MethodExchangeDeleteOk }

// Decode sets m from the arguments of exchange.delete-ok.
func (m *ExchangeDeleteOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodExchangeDeleteOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ExchangeDeleteOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodExchangeDeleteOk)
	return endFrame(dst, at)
}

// ExchangeBind is exchange.bind (40.30). Clients send it.
type ExchangeBind struct {
	Destination string
	Source      string
	RoutingKey  string
	NoWait      bool
	Arguments   Table
}

// ID is MethodExchangeBind.
func (*ExchangeBind) ID() MethodID { return MethodExchangeBind }

// Decode sets m from the arguments of exchange.bind.
func (m *ExchangeBind) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Destination = r.shortstr()
	m.Source = r.shortstr()
	m.RoutingKey = r.shortstr()
	bits := r.octet()
	m.NoWait = bits&0x1 != 0
	m.Arguments = r.table()
	return r.end(MethodExchangeBind, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ExchangeBind) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodExchangeBind)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Destination)
	dst = AppendShortstr(dst, m.Source)
	dst = AppendShortstr(dst, m.RoutingKey)
	dst = append(dst, bit(m.NoWait, 0))
	dst = AppendTable(dst, m.Arguments)
	return endFrame(dst, at)
}

// ExchangeBindOk is exchange.bind-ok (40.31). Servers send it.
type ExchangeBindOk struct {
}

// ID is MethodExchangeBindOk.
func (*ExchangeBindOk) ID() MethodID { return MethodExchangeBindOk }

// Decode sets m from the arguments of exchange.bind-ok.
func (m *ExchangeBindOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodExchangeBindOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ExchangeBindOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodExchangeBindOk)
	return endFrame(dst, at)
}

// ExchangeUnbind is exchange.unbind (40.40). Clients send it.
type ExchangeUnbind struct {
	Destination string
	Source      string
	RoutingKey  string
	NoWait      bool
	Arguments   Table
}

// ID is MethodExchangeUnbind.
func (*ExchangeUnbind) ID() MethodID { return MethodExchangeUnbind }

// Decode sets m from the arguments of exchange.unbind.
func (m *ExchangeUnbind) Decode(args []byte) error {
	r := reader{b: args}
	r.short() // ticket
	m.Destination = r.shortstr()
	m.Source = r.shortstr()
	m.RoutingKey = r.shortstr()
	bits := r.octet()
	m.NoWait = bits&0x1 != 0
	m.Arguments = r.table()
	return r.end(MethodExchangeUnbind, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ExchangeUnbind) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodExchangeUnbind)
	dst = append(dst, 0, 0) // ticket
	dst = AppendShortstr(dst, m.Destination)
	dst = AppendShortstr(dst, m.Source)
	dst = AppendShortstr(dst, m.RoutingKey)
	dst = append(dst, bit(m.NoWait, 0))
	dst = AppendTable(dst, m.Arguments)
	return endFrame(dst, at)
}

// ExchangeUnbindOk is exchange.unbind-ok (40.51). Servers send it.
type ExchangeUnbindOk struct {
}

// ID is MethodExchangeUnbindOk.
func (*ExchangeUnbindOk) ID() MethodID { return MethodExchangeUnbindOk }

// Decode sets m from the arguments of exchange.unbind-ok.
func (m *ExchangeUnbindOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodExchangeUnbindOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ExchangeUnbindOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodExchangeUnbindOk)
	return endFrame(dst, at)
}
