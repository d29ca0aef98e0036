// Code generated from protocol.txt by protocolgen; DO NOT EDIT.

package amqp091

import "encoding/binary"

// ConnectionStart is connection.start (10.10). Servers send it.
type ConnectionStart struct {
	VersionMajor     uint8
	VersionMinor     uint8
	ServerProperties Table
	Mechanisms       []byte
	Locales          []byte
}

// ID is MethodConnectionStart.
func (*ConnectionStart) ID() MethodID { return MethodConnectionStart }

// Decode sets m from the arguments of connection.start.
func (m *ConnectionStart) Decode(args []byte) error {
	r := reader{b: args}
	m.VersionMajor = r.octet()
	m.VersionMinor = r.octet()
	m.ServerProperties = r.table()
	m.Mechanisms = r.longstr()
	m.Locales = r.longstr()
	return r.end(MethodConnectionStart, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionStart) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionStart)
	dst = append(dst, m.VersionMajor)
	dst = append(dst, m.VersionMinor)
	dst = AppendTable(dst, m.ServerProperties)
	dst = AppendLongstr(dst, m.Mechanisms)
	dst = AppendLongstr(dst, m.Locales)
	return endFrame(dst, at)
}

// ConnectionStartOk is connection.start-ok (10.11). Clients send it.
type ConnectionStartOk struct {
	ClientProperties Table
	Mechanism        string
	Response         []byte
	Locale           string
}

// ID is MethodConnectionStartOk.
func (*ConnectionStartOk) ID() MethodID { return MethodConnectionStartOk }

// Decode sets m from the arguments of connection.start-ok.
func (m *ConnectionStartOk) Decode(args []byte) error {
	r := reader{b: args}
	m.ClientProperties = r.table()
	m.Mechanism = r.shortstr()
	m.Response = r.longstr()
	m.Locale = r.shortstr()
	return r.end(MethodConnectionStartOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionStartOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionStartOk)
	dst = AppendTable(dst, m.ClientProperties)
	dst = AppendShortstr(dst, m.Mechanism)
	dst = AppendLongstr(dst, m.Response)
	dst = AppendShortstr(dst, m.Locale)
	return endFrame(dst, at)
}

// ConnectionSecure is connection.secure (10.20). Servers send it.
type ConnectionSecure struct {
	Challenge []byte
}

// ID is MethodConnectionSecure.
func (*ConnectionSecure) ID() MethodID { return MethodConnectionSecure }

// Decode sets m from the arguments of connection.secure.
func (m *ConnectionSecure) Decode(args []byte) error {
	r := reader{b: args}
	m.Challenge = r.longstr()
	return r.end(MethodConnectionSecure, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionSecure) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionSecure)
	dst = AppendLongstr(dst, m.Challenge)
	return endFrame(dst, at)
}

// ConnectionSecureOk is connection.secure-ok (10.21). Clients send it.
type ConnectionSecureOk struct {
	Response []byte
}

// ID is MethodConnectionSecureOk.
func (*ConnectionSecureOk) ID() MethodID { return MethodConnectionSecureOk }

// Decode sets m from the arguments of connection.secure-ok.
func (m *ConnectionSecureOk) Decode(args []byte) error {
	r := reader{b: args}
	m.Response = r.longstr()
	return r.end(MethodConnectionSecureOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionSecureOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionSecureOk)
	dst = AppendLongstr(dst, m.Response)
	return endFrame(dst, at)
}

// ConnectionTune is connection.tune (10.30). Servers send it.
type ConnectionTune struct {
	ChannelMax uint16
	FrameMax   uint32
	Heartbeat  uint16
}

// ID is MethodConnectionTune.
func (*ConnectionTune) ID() MethodID { return MethodConnectionTune }

// Decode sets m from the arguments of connection.tune.
func (m *ConnectionTune) Decode(args []byte) error {
	r := reader{b: args}
	m.ChannelMax = r.short()
	m.FrameMax = r.long()
	m.Heartbeat = r.short()
	return r.end(MethodConnectionTune, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionTune) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionTune)
	dst = binary.BigEndian.AppendUint16(dst, m.ChannelMax)
	dst = binary.BigEndian.AppendUint32(dst, m.FrameMax)
	dst = binary.BigEndian.AppendUint16(dst, m.Heartbeat)
	return endFrame(dst, at)
}

// ConnectionTuneOk is connection.tune-ok (10.31). Clients send it.
type ConnectionTuneOk struct {
	ChannelMax uint16
	FrameMax   uint32
	Heartbeat  uint16
}

// ID is MethodConnectionTuneOk.
func (*ConnectionTuneOk) ID() MethodID { return MethodConnectionTuneOk }

// Decode sets m from the arguments of connection.tune-ok.
func (m *ConnectionTuneOk) Decode(args []byte) error {
	r := reader{b: args}
	m.ChannelMax = r.short()
	m.FrameMax = r.long()
	m.Heartbeat = r.short()
	return r.end(MethodConnectionTuneOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionTuneOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionTuneOk)
	dst = binary.BigEndian.AppendUint16(dst, m.ChannelMax)
	dst = binary.BigEndian.AppendUint32(dst, m.FrameMax)
	dst = binary.BigEndian.AppendUint16(dst, m.Heartbeat)
	return endFrame(dst, at)
}

// ConnectionOpen is connection.open (10.40). Clients send it.
type ConnectionOpen struct {
	VirtualHost string
}

// ID is MethodConnectionOpen.
func (*ConnectionOpen) ID() MethodID { return MethodConnectionOpen }

// Decode sets m from the arguments of connection.open.
func (m *ConnectionOpen) Decode(args []byte) error {
	r := reader{b: args}
	m.VirtualHost = r.shortstr()
	r.shortstrView() // capabilities
	r.octet()        // insist
	return r.end(MethodConnectionOpen, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionOpen) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionOpen)
	dst = AppendShortstr(dst, m.VirtualHost)
	dst = append(dst, 0) // capabilities
	dst = append(dst, 0)
	return endFrame(dst, at)
}

// ConnectionOpenOk is connection.open-ok (10.41). Servers send it.
type ConnectionOpenOk struct {
}

// ID is MethodConnectionOpenOk.
func (*ConnectionOpenOk) ID() MethodID { return MethodConnectionOpenOk }

// Decode sets m from the arguments of connection.open-ok.
func (m *ConnectionOpenOk) Decode(args []byte) error {
	r := reader{b: args}
	r.shortstrView() // known-hosts
	return r.end(MethodConnectionOpenOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionOpenOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionOpenOk)
	dst = append(dst, 0) // known-hosts
	return endFrame(dst, at)
}

// ConnectionClose is connection.close (10.50). Both peers send it.
type ConnectionClose struct {
	ReplyCode uint16
	ReplyText string
	ClassID   uint16
	MethodID  uint16
}

// ID is MethodConnectionClose.
func (*ConnectionClose) ID() MethodID { return MethodConnectionClose }

// Decode sets m from the arguments of connection.close.
func (m *ConnectionClose) Decode(args []byte) error {
	r := reader{b: args}
	m.ReplyCode = r.short()
	m.ReplyText = r.shortstr()
	m.ClassID = r.short()
	m.MethodID = r.short()
	return r.end(MethodConnectionClose, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionClose) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionClose)
	dst = binary.BigEndian.AppendUint16(dst, m.ReplyCode)
	dst = AppendShortstr(dst, m.ReplyText)
	dst = binary.BigEndian.AppendUint16(dst, m.ClassID)
	dst = binary.BigEndian.AppendUint16(dst, m.MethodID)
	return endFrame(dst, at)
}

// ConnectionCloseOk is connection.close-ok (10.51). Both peers send it.
type ConnectionCloseOk struct {
}

// ID is MethodConnectionCloseOk.
func (*ConnectionCloseOk) ID() MethodID { return MethodConnectionCloseOk }

// Decode sets m from the arguments of connection.close-ok.
func (m *ConnectionCloseOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodConnectionCloseOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionCloseOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionCloseOk)
	return endFrame(dst, at)
}

// ConnectionBlocked is connection.blocked (10.60). Servers send it.
type ConnectionBlocked struct {
	Reason string
}

// ID is MethodConnectionBlocked.
func (*ConnectionBlocked) ID() MethodID { return MethodConnectionBlocked }

// Decode sets m from the arguments of connection.blocked.
func (m *ConnectionBlocked) Decode(args []byte) error {
	r := reader{b: args}
	m.Reason = r.shortstr()
	return r.end(MethodConnectionBlocked, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionBlocked) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionBlocked)
	dst = AppendShortstr(dst, m.Reason)
	return endFrame(dst, at)
}

// ConnectionUnblocked is connection.unblocked (10.61). Servers send it.
type ConnectionUnblocked struct {
}

// ID is MethodConnectionUnblocked.
func (*ConnectionUnblocked) ID() MethodID { return MethodConnectionUnblocked }

// Decode sets m from the arguments of connection.unblocked.
func (m *ConnectionUnblocked) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodConnectionUnblocked, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionUnblocked) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionUnblocked)
	return endFrame(dst, at)
}

// ConnectionUpdateSecret is connection.update-secret (10.70). Clients send it.
type ConnectionUpdateSecret struct {
	NewSecret []byte
	Reason    string
}

// ID is MethodConnectionUpdateSecret.
func (*ConnectionUpdateSecret) ID() MethodID { return MethodConnectionUpdateSecret }

// Decode sets m from the arguments of connection.update-secret.
func (m *ConnectionUpdateSecret) Decode(args []byte) error {
	r := reader{b: args}
	m.NewSecret = r.longstr()
	m.Reason = r.shortstr()
	return r.end(MethodConnectionUpdateSecret, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionUpdateSecret) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionUpdateSecret)
	dst = AppendLongstr(dst, m.NewSecret)
	dst = AppendShortstr(dst, m.Reason)
	return endFrame(dst, at)
}

// ConnectionUpdateSecretOk is connection.update-secret-ok (10.71). Servers send it.
type ConnectionUpdateSecretOk struct {
}

// ID is MethodConnectionUpdateSecretOk.
func (*ConnectionUpdateSecretOk) ID() MethodID { return MethodConnectionUpdateSecretOk }

// Decode sets m from the arguments of connection.update-secret-ok.
func (m *ConnectionUpdateSecretOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodConnectionUpdateSecretOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConnectionUpdateSecretOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConnectionUpdateSecretOk)
	return endFrame(dst, at)
}
