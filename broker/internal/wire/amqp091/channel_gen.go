// Code generated from protocol.txt by protocolgen; DO NOT EDIT.

package amqp091

import "encoding/binary"

// ChannelOpen is channel.open (20.10). Clients send it.
type ChannelOpen struct {
}

// ID is MethodChannelOpen.
func (*ChannelOpen) ID() MethodID { return MethodChannelOpen }

// Decode sets m from the arguments of channel.open.
func (m *ChannelOpen) Decode(args []byte) error {
	r := reader{b: args}
	r.shortstrView() // out-of-band
	return r.end(MethodChannelOpen, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ChannelOpen) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodChannelOpen)
	dst = append(dst, 0) // out-of-band
	return endFrame(dst, at)
}

// ChannelOpenOk is channel.open-ok (20.11). Servers send it.
type ChannelOpenOk struct {
}

// ID is MethodChannelOpenOk.
func (*ChannelOpenOk) ID() MethodID { return MethodChannelOpenOk }

// Decode sets m from the arguments of channel.open-ok.
func (m *ChannelOpenOk) Decode(args []byte) error {
	r := reader{b: args}
	r.longstr() // channel-id
	return r.end(MethodChannelOpenOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ChannelOpenOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodChannelOpenOk)
	dst = append(dst, 0, 0, 0, 0) // channel-id
	return endFrame(dst, at)
}

// ChannelFlow is channel.flow (20.20). Both peers send it.
type ChannelFlow struct {
	Active bool
}

// ID is MethodChannelFlow.
func (*ChannelFlow) ID() MethodID { return MethodChannelFlow }

// Decode sets m from the arguments of channel.flow.
func (m *ChannelFlow) Decode(args []byte) error {
	r := reader{b: args}
	bits := r.octet()
	m.Active = bits&0x1 != 0
	return r.end(MethodChannelFlow, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ChannelFlow) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodChannelFlow)
	dst = append(dst, bit(m.Active, 0))
	return endFrame(dst, at)
}

// ChannelFlowOk is channel.flow-ok (20.21). Both peers send it.
type ChannelFlowOk struct {
	Active bool
}

// ID is MethodChannelFlowOk.
func (*ChannelFlowOk) ID() MethodID { return MethodChannelFlowOk }

// Decode sets m from the arguments of channel.flow-ok.
func (m *ChannelFlowOk) Decode(args []byte) error {
	r := reader{b: args}
	bits := r.octet()
	m.Active = bits&0x1 != 0
	return r.end(MethodChannelFlowOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ChannelFlowOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodChannelFlowOk)
	dst = append(dst, bit(m.Active, 0))
	return endFrame(dst, at)
}

// ChannelClose is channel.close (20.40). Both peers send it.
type ChannelClose struct {
	ReplyCode uint16
	ReplyText string
	ClassID   uint16
	MethodID  uint16
}

// ID is MethodChannelClose.
func (*ChannelClose) ID() MethodID { return MethodChannelClose }

// Decode sets m from the arguments of channel.close.
func (m *ChannelClose) Decode(args []byte) error {
	r := reader{b: args}
	m.ReplyCode = r.short()
	m.ReplyText = r.shortstr()
	m.ClassID = r.short()
	m.MethodID = r.short()
	return r.end(MethodChannelClose, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ChannelClose) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodChannelClose)
	dst = binary.BigEndian.AppendUint16(dst, m.ReplyCode)
	dst = AppendShortstr(dst, m.ReplyText)
	dst = binary.BigEndian.AppendUint16(dst, m.ClassID)
	dst = binary.BigEndian.AppendUint16(dst, m.MethodID)
	return endFrame(dst, at)
}

// ChannelCloseOk is channel.close-ok (20.41). Both peers send it.
type ChannelCloseOk struct {
}

// ID is MethodChannelCloseOk.
func (*ChannelCloseOk) ID() MethodID { return MethodChannelCloseOk }

// Decode sets m from the arguments of channel.close-ok.
func (m *ChannelCloseOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodChannelCloseOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ChannelCloseOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodChannelCloseOk)
	return endFrame(dst, at)
}
