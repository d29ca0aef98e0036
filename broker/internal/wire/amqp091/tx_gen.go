// Code generated from protocol.txt by protocolgen; DO NOT EDIT.

package amqp091

// TxSelect is tx.select (90.10). Clients send it.
type TxSelect struct {
}

// ID is MethodTxSelect.
func (*TxSelect) ID() MethodID { return MethodTxSelect }

// Decode sets m from the arguments of tx.select.
func (m *TxSelect) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodTxSelect, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *TxSelect) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodTxSelect)
	return endFrame(dst, at)
}

// TxSelectOk is tx.select-ok (90.11). Servers send it.
type TxSelectOk struct {
}

// ID is MethodTxSelectOk.
func (*TxSelectOk) ID() MethodID { return MethodTxSelectOk }

// Decode sets m from the arguments of tx.select-ok.
func (m *TxSelectOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodTxSelectOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *TxSelectOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodTxSelectOk)
	return endFrame(dst, at)
}

// TxCommit is tx.commit (90.20). Clients send it.
type TxCommit struct {
}

// ID is MethodTxCommit.
func (*TxCommit) ID() MethodID { return MethodTxCommit }

// Decode sets m from the arguments of tx.commit.
func (m *TxCommit) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodTxCommit, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *TxCommit) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodTxCommit)
	return endFrame(dst, at)
}

// TxCommitOk is tx.commit-ok (90.21). Servers send it.
type TxCommitOk struct {
}

// ID is MethodTxCommitOk.
func (*TxCommitOk) ID() MethodID { return MethodTxCommitOk }

// Decode sets m from the arguments of tx.commit-ok.
func (m *TxCommitOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodTxCommitOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *TxCommitOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodTxCommitOk)
	return endFrame(dst, at)
}

// TxRollback is tx.rollback (90.30). Clients send it.
type TxRollback struct {
}

// ID is MethodTxRollback.
func (*TxRollback) ID() MethodID { return MethodTxRollback }

// Decode sets m from the arguments of tx.rollback.
func (m *TxRollback) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodTxRollback, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *TxRollback) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodTxRollback)
	return endFrame(dst, at)
}

// TxRollbackOk is tx.rollback-ok (90.31). Servers send it.
type TxRollbackOk struct {
}

// ID is MethodTxRollbackOk.
func (*TxRollbackOk) ID() MethodID { return MethodTxRollbackOk }

// Decode sets m from the arguments of tx.rollback-ok.
func (m *TxRollbackOk) Decode(args []byte) error {
	r := reader{b: args}
	return r.end(MethodTxRollbackOk, args)
}

// AppendFrame appends m to dst as a whole method frame.
func (m *TxRollbackOk) AppendFrame(dst []byte, channel uint16) []byte {
	dst, at := beginMethod(dst, channel, MethodTxRollbackOk)
	return endFrame(dst, at)
}
