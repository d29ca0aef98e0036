// Code generated from protocol.txt by protocolgen; DO NOT EDIT.

package amqp091

import "encoding/binary"

// AccessRequest is access.request (30.10). Clients send it.
type AccessRequest struct {
	Realm     string
	Exclusive bool
	Passive   bool
	Active    bool
	Write     bool
	Read      bool
}

// ID is MethodAccessRequest.
func (*AccessRequest) ID() MethodID { return MethodAccessRequest }

// Decode sets m from the arguments of access.request.
func (m *AccessRequest) Decode(args []byte) error {
	r := reader{b: args}
	m.Realm = r.shortstr()
	bits := r.octet()
	m.Exclusive = bits&0x1 != 0
	m.Passive = bits&0x2 != 0
	m.Active = bits&0x4 != 0
	m.Write = bits&0x8 != 0
	m.Read = bits&0x10 != 0
	return r.end(MethodAccessRequest, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *AccessRequest) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodAccessRequest)
	dst = AppendShortstr(dst, m.Realm)
	dst = append(dst, bit(m.Exclusive, 0)|bit(m.Passive, 1)|bit(m.Active, 2)|bit(m.Write, 3)|bit(m.Read, 4))
	return endFrame(dst, at)
}

// AccessRequestOk is access.request-ok (30.11). Servers send it.
type AccessRequestOk struct {
	Ticket uint16
}

// ID is MethodAccessRequestOk.
func (*AccessRequestOk) ID() MethodID { return MethodAccessRequestOk }

// Decode sets m from the arguments of access.request-ok.
func (m *AccessRequestOk) Decode(args []byte) error {
	r := reader{b: args}
	m.Ticket = r.short()
	return r.end(MethodAccessRequestOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *AccessRequestOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodAccessRequestOk)
	dst = binary.BigEndian.AppendUint16(dst, m.Ticket)
	return endFrame(dst, at)
}
