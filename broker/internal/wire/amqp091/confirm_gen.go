// Code generated from protocol.txt by protocolgen; DO NOT EDIT.

package amqp091

// ConfirmSelect is confirm.select (85.10). Clients send it.
type ConfirmSelect struct {
	NoWait bool
}

// ID is MethodConfirmSelect.
func (*ConfirmSelect) ID() MethodID { return MethodConfirmSelect }

// Decode sets m from the arguments of confirm.select.
func (m *ConfirmSelect) Decode(args []byte) error {
	r := reader{b: args}
	bits := r.octet()
	m.NoWait = bits&0x1 != 0
	return r.end(MethodConfirmSelect, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConfirmSelect) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConfirmSelect)
	dst = append(dst, bit(m.NoWait, 0))
	return endFrame(dst, at)
}

// ConfirmSelectOk is confirm.select-ok (85.11). Servers send it.
type ConfirmSelectOk struct {
}

// ID is MethodConfirmSelectOk.
func (*ConfirmSelectOk) ID() MethodID { return MethodConfirmSelectOk }

// Decode sets m from the arguments of confirm.select-ok.
func (m *ConfirmSelectOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodConfirmSelectOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *ConfirmSelectOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodConfirmSelectOk)
	return endFrame(dst, at)
}
