// Code generated from protocol.txt by protocolgen; DO NOT EDIT.

package amqp091

// The classes.
const (
	ClassConnection uint16 = 10
	ClassChannel    uint16 = 20
	ClassAccess     uint16 = 30
	ClassExchange   uint16 = 40
	ClassQueue      uint16 = 50
	ClassBasic      uint16 = 60
	ClassConfirm    uint16 = 85
	ClassTx         uint16 = 90
)

// The methods: class number << 16 | method number.
const (
	MethodConnectionStart          MethodID = 10<<16 | 10
	MethodConnectionStartOk        MethodID = 10<<16 | 11
	MethodConnectionSecure         MethodID = 10<<16 | 20
	MethodConnectionSecureOk       MethodID = 10<<16 | 21
	MethodConnectionTune           MethodID = 10<<16 | 30
	MethodConnectionTuneOk         MethodID = 10<<16 | 31
	MethodConnectionOpen           MethodID = 10<<16 | 40
	MethodConnectionOpenOk         MethodID = 10<<16 | 41
	MethodConnectionClose          MethodID = 10<<16 | 50
	MethodConnectionCloseOk        MethodID = 10<<16 | 51
	MethodConnectionBlocked        MethodID = 10<<16 | 60
	MethodConnectionUnblocked      MethodID = 10<<16 | 61
	MethodConnectionUpdateSecret   MethodID = 10<<16 | 70
	MethodConnectionUpdateSecretOk MethodID = 10<<16 | 71
	MethodChannelOpen              MethodID = 20<<16 | 10
	MethodChannelOpenOk            MethodID = 20<<16 | 11
	MethodChannelFlow              MethodID = 20<<16 | 20
	MethodChannelFlowOk            MethodID = 20<<16 | 21
	MethodChannelClose             MethodID = 20<<16 | 40
	MethodChannelCloseOk           MethodID = 20<<16 | 41
	MethodAccessRequest            MethodID = 30<<16 | 10
	MethodAccessRequestOk          MethodID = 30<<16 | 11
	MethodExchangeDeclare          MethodID = 40<<16 | 10
	MethodExchangeDeclareOk        MethodID = 40<<16 | 11
	MethodExchangeDelete           MethodID = 40<<16 | 20
	MethodExchangeDeleteOk         MethodID = 40<<16 | 21
	MethodExchangeBind             MethodID = 40<<16 | 30
	MethodExchangeBindOk           MethodID = 40<<16 | 31
	MethodExchangeUnbind           MethodID = 40<<16 | 40
	MethodExchangeUnbindOk         MethodID = 40<<16 | 51
	MethodQueueDeclare             MethodID = 50<<16 | 10
	MethodQueueDeclareOk           MethodID = 50<<16 | 11
	MethodQueueBind                MethodID = 50<<16 | 20
	MethodQueueBindOk              MethodID = 50<<16 | 21
	MethodQueuePurge               MethodID = 50<<16 | 30
	MethodQueuePurgeOk             MethodID = 50<<16 | 31
	MethodQueueDelete              MethodID = 50<<16 | 40
	MethodQueueDeleteOk            MethodID = 50<<16 | 41
	MethodQueueUnbind              MethodID = 50<<16 | 50
	MethodQueueUnbindOk            MethodID = 50<<16 | 51
	MethodBasicQos                 MethodID = 60<<16 | 10
	MethodBasicQosOk               MethodID = 60<<16 | 11
	MethodBasicConsume             MethodID = 60<<16 | 20
	MethodBasicConsumeOk           MethodID = 60<<16 | 21
	MethodBasicCancel              MethodID = 60<<16 | 30
	MethodBasicCancelOk            MethodID = 60<<16 | 31
	MethodBasicPublish             MethodID = 60<<16 | 40
	MethodBasicReturn              MethodID = 60<<16 | 50
	MethodBasicDeliver             MethodID = 60<<16 | 60
	MethodBasicGet                 MethodID = 60<<16 | 70
	MethodBasicGetOk               MethodID = 60<<16 | 71
	MethodBasicGetEmpty            MethodID = 60<<16 | 72
	MethodBasicAck                 MethodID = 60<<16 | 80
	MethodBasicReject              MethodID = 60<<16 | 90
	MethodBasicRecoverAsync        MethodID = 60<<16 | 100
	MethodBasicRecover             MethodID = 60<<16 | 110
	MethodBasicRecoverOk           MethodID = 60<<16 | 111
	MethodBasicNack                MethodID = 60<<16 | 120
	MethodConfirmSelect            MethodID = 85<<16 | 10
	MethodConfirmSelectOk          MethodID = 85<<16 | 11
	MethodTxSelect                 MethodID = 90<<16 | 10
	MethodTxSelectOk               MethodID = 90<<16 | 11
	MethodTxCommit                 MethodID = 90<<16 | 20
	MethodTxCommitOk               MethodID = 90<<16 | 21
	MethodTxRollback               MethodID = 90<<16 | 30
	MethodTxRollbackOk             MethodID = 90<<16 | 31
)

// AllMethods lists every method of the table, in its order.
func AllMethods() []MethodID {
	return []MethodID{
		MethodConnectionStart,
		MethodConnectionStartOk,
		MethodConnectionSecure,
		MethodConnectionSecureOk,
		MethodConnectionTune,
		MethodConnectionTuneOk,
		MethodConnectionOpen,
		MethodConnectionOpenOk,
		MethodConnectionClose,
		MethodConnectionCloseOk,
		MethodConnectionBlocked,
		MethodConnectionUnblocked,
		MethodConnectionUpdateSecret,
		MethodConnectionUpdateSecretOk,
		MethodChannelOpen,
		MethodChannelOpenOk,
		MethodChannelFlow,
		MethodChannelFlowOk,
		MethodChannelClose,
		MethodChannelCloseOk,
		MethodAccessRequest,
		MethodAccessRequestOk,
		MethodExchangeDeclare,
		MethodExchangeDeclareOk,
		MethodExchangeDelete,
		MethodExchangeDeleteOk,
		MethodExchangeBind,
		MethodExchangeBindOk,
		MethodExchangeUnbind,
		MethodExchangeUnbindOk,
		MethodQueueDeclare,
		MethodQueueDeclareOk,
		MethodQueueBind,
		MethodQueueBindOk,
		MethodQueuePurge,
		MethodQueuePurgeOk,
		MethodQueueDelete,
		MethodQueueDeleteOk,
		MethodQueueUnbind,
		MethodQueueUnbindOk,
		MethodBasicQos,
		MethodBasicQosOk,
		MethodBasicConsume,
		MethodBasicConsumeOk,
		MethodBasicCancel,
		MethodBasicCancelOk,
		MethodBasicPublish,
		MethodBasicReturn,
		MethodBasicDeliver,
		MethodBasicGet,
		MethodBasicGetOk,
		MethodBasicGetEmpty,
		MethodBasicAck,
		MethodBasicReject,
		MethodBasicRecoverAsync,
		MethodBasicRecover,
		MethodBasicRecoverOk,
		MethodBasicNack,
		MethodConfirmSelect,
		MethodConfirmSelectOk,
		MethodTxSelect,
		MethodTxSelectOk,
		MethodTxCommit,
		MethodTxCommitOk,
		MethodTxRollback,
		MethodTxRollbackOk,
	}
}

// String is the name of id as the specification writes it, such as basic.publish; empty when the table has no such method.
func (id MethodID) String() string {
	switch id {
	case MethodConnectionStart:
		return "connection.start"
	case MethodConnectionStartOk:
		return "connection.start-ok"
	case MethodConnectionSecure:
		return "connection.secure"
	case MethodConnectionSecureOk:
		return "connection.secure-ok"
	case MethodConnectionTune:
		return "connection.tune"
	case MethodConnectionTuneOk:
		return "connection.tune-ok"
	case MethodConnectionOpen:
		return "connection.open"
	case MethodConnectionOpenOk:
		return "connection.open-ok"
	case MethodConnectionClose:
		return "connection.close"
	case MethodConnectionCloseOk:
		return "connection.close-ok"
	case MethodConnectionBlocked:
		return "connection.blocked"
	case MethodConnectionUnblocked:
		return "connection.unblocked"
	case MethodConnectionUpdateSecret:
		return "connection.update-secret"
	case MethodConnectionUpdateSecretOk:
		return "connection.update-secret-ok"
	case MethodChannelOpen:
		return "channel.open"
	case MethodChannelOpenOk:
		return "channel.open-ok"
	case MethodChannelFlow:
		return "channel.flow"
	case MethodChannelFlowOk:
		return "channel.flow-ok"
	case MethodChannelClose:
		return "channel.close"
	case MethodChannelCloseOk:
		return "channel.close-ok"
	case MethodAccessRequest:
		return "access.request"
	case MethodAccessRequestOk:
		return "access.request-ok"
	case MethodExchangeDeclare:
		return "exchange.declare"
	case MethodExchangeDeclareOk:
		return "exchange.declare-ok"
	case MethodExchangeDelete:
		return "exchange.delete"
	case MethodExchangeDeleteOk:
		return "exchange.delete-ok"
	case MethodExchangeBind:
		return "exchange.bind"
	case MethodExchangeBindOk:
		return "exchange.bind-ok"
	case MethodExchangeUnbind:
		return "exchange.unbind"
	case MethodExchangeUnbindOk:
		return "exchange.unbind-ok"
	case MethodQueueDeclare:
		return "queue.declare"
	case MethodQueueDeclareOk:
		return "queue.declare-ok"
	case MethodQueueBind:
		return "queue.bind"
	case MethodQueueBindOk:
		return "queue.bind-ok"
	case MethodQueuePurge:
		return "queue.purge"
	case MethodQueuePurgeOk:
		return "queue.purge-ok"
	case MethodQueueDelete:
		return "queue.delete"
	case MethodQueueDeleteOk:
		return "queue.delete-ok"
	case MethodQueueUnbind:
		return "queue.unbind"
	case MethodQueueUnbindOk:
		return "queue.unbind-ok"
	case MethodBasicQos:
		return "basic.qos"
	case MethodBasicQosOk:
		return "basic.qos-ok"
	case MethodBasicConsume:
		return "basic.consume"
	case MethodBasicConsumeOk:
		return "basic.consume-ok"
	case MethodBasicCancel:
		return "basic.cancel"
	case MethodBasicCancelOk:
		return "basic.cancel-ok"
	case MethodBasicPublish:
		return "basic.publish"
	case MethodBasicReturn:
		return "basic.return"
	case MethodBasicDeliver:
		return "basic.deliver"
	case MethodBasicGet:
		return "basic.get"
	case MethodBasicGetOk:
		return "basic.get-ok"
	case MethodBasicGetEmpty:
		return "basic.get-empty"
	case MethodBasicAck:
		return "basic.ack"
	case MethodBasicReject:
		return "basic.reject"
	case MethodBasicRecoverAsync:
		return "basic.recover-async"
	case MethodBasicRecover:
		return "basic.recover"
	case MethodBasicRecoverOk:
		return "basic.recover-ok"
	case MethodBasicNack:
		return "basic.nack"
	case MethodConfirmSelect:
		return "confirm.select"
	case MethodConfirmSelectOk:
		return "confirm.select-ok"
	case MethodTxSelect:
		return "tx.select"
	case MethodTxSelectOk:
		return "tx.select-ok"
	case MethodTxCommit:
		return "tx.commit"
	case MethodTxCommitOk:
		return "tx.commit-ok"
	case MethodTxRollback:
		return "tx.rollback"
	case MethodTxRollbackOk:
		return "tx.rollback-ok"
	}
	return ""
}

// NewMethod returns an empty method to decode id into, nil when the table has no such method.
func NewMethod(id MethodID) Method {
	switch id {
	case MethodConnectionStart:
		return new(ConnectionStart)
	case MethodConnectionStartOk:
		return new(ConnectionStartOk)
	case MethodConnectionSecure:
		return new(ConnectionSecure)
	case MethodConnectionSecureOk:
		return new(ConnectionSecureOk)
	case MethodConnectionTune:
		return new(ConnectionTune)
	case MethodConnectionTuneOk:
		return new(ConnectionTuneOk)
	case MethodConnectionOpen:
		return new(ConnectionOpen)
	case MethodConnectionOpenOk:
		return new(ConnectionOpenOk)
	case MethodConnectionClose:
		return new(ConnectionClose)
	case MethodConnectionCloseOk:
		return new(ConnectionCloseOk)
	case MethodConnectionBlocked:
		return new(ConnectionBlocked)
	case MethodConnectionUnblocked:
		return new(ConnectionUnblocked)
	case MethodConnectionUpdateSecret:
		return new(ConnectionUpdateSecret)
	case MethodConnectionUpdateSecretOk:
		return new(ConnectionUpdateSecretOk)
	case MethodChannelOpen:
		return new(ChannelOpen)
	case MethodChannelOpenOk:
		return new(ChannelOpenOk)
	case MethodChannelFlow:
		return new(ChannelFlow)
	case MethodChannelFlowOk:
		return new(ChannelFlowOk)
	case MethodChannelClose:
		return new(ChannelClose)
	case MethodChannelCloseOk:
		return new(ChannelCloseOk)
	case MethodAccessRequest:
		return new(AccessRequest)
	case MethodAccessRequestOk:
		return new(AccessRequestOk)
	case MethodExchangeDeclare:
		return new(ExchangeDeclare)
	case MethodExchangeDeclareOk:
		return new(ExchangeDeclareOk)
	case MethodExchangeDelete:
		return new(ExchangeDelete)
	case MethodExchangeDeleteOk:
		return new(ExchangeDeleteOk)
	case MethodExchangeBind:
		return new(ExchangeBind)
	case MethodExchangeBindOk:
		return new(ExchangeBindOk)
	case MethodExchangeUnbind:
		return new(ExchangeUnbind)
	case MethodExchangeUnbindOk:
		return new(ExchangeUnbindOk)
	case MethodQueueDeclare:
		return new(QueueDeclare)
	case MethodQueueDeclareOk:
		return new(QueueDeclareOk)
	case MethodQueueBind:
		return new(QueueBind)
	case MethodQueueBindOk:
		return new(QueueBindOk)
	case MethodQueuePurge:
		return new(QueuePurge)
	case MethodQueuePurgeOk:
		return new(QueuePurgeOk)
	case MethodQueueDelete:
		return new(QueueDelete)
	case MethodQueueDeleteOk:
		return new(QueueDeleteOk)
	case MethodQueueUnbind:
		return new(QueueUnbind)
	case MethodQueueUnbindOk:
		return new(QueueUnbindOk)
	case MethodBasicQos:
		return new(BasicQos)
	case MethodBasicQosOk:
		return new(BasicQosOk)
	case MethodBasicConsume:
		return new(BasicConsume)
	case MethodBasicConsumeOk:
		return new(BasicConsumeOk)
	case MethodBasicCancel:
		return new(BasicCancel)
	case MethodBasicCancelOk:
		return new(BasicCancelOk)
	case MethodBasicPublish:
		return new(BasicPublish)
	case MethodBasicReturn:
		return new(BasicReturn)
	case MethodBasicDeliver:
		return new(BasicDeliver)
	case MethodBasicGet:
		return new(BasicGet)
	case MethodBasicGetOk:
		return new(BasicGetOk)
	case MethodBasicGetEmpty:
		return new(BasicGetEmpty)
	case MethodBasicAck:
		return new(BasicAck)
	case MethodBasicReject:
		return new(BasicReject)
	case MethodBasicRecoverAsync:
		return new(BasicRecoverAsync)
	case MethodBasicRecover:
		return new(BasicRecover)
	case MethodBasicRecoverOk:
		return new(BasicRecoverOk)
	case MethodBasicNack:
		return new(BasicNack)
	case MethodConfirmSelect:
		return new(ConfirmSelect)
	case MethodConfirmSelectOk:
		return new(ConfirmSelectOk)
	case MethodTxSelect:
		return new(TxSelect)
	case MethodTxSelectOk:
		return new(TxSelectOk)
	case MethodTxCommit:
		return new(TxCommit)
	case MethodTxCommitOk:
		return new(TxCommitOk)
	case MethodTxRollback:
		return new(TxRollback)
	case MethodTxRollbackOk:
		return new(TxRollbackOk)
	}
	return nil
}

// HasContent reports whether a content header and a body follow id.
func (id MethodID) HasContent() bool {
	switch id {
	case MethodBasicPublish,
		MethodBasicReturn,
		MethodBasicDeliver,
		MethodBasicGetOk:
		return true
	}
	return false
}

// FromClient reports whether clients send id.
func (id MethodID) FromClient() bool {
	switch id {
	case MethodConnectionStartOk,
		MethodConnectionSecureOk,
		MethodConnectionTuneOk,
		MethodConnectionOpen,
		MethodConnectionClose,
		MethodConnectionCloseOk,
		MethodConnectionUpdateSecret,
		MethodChannelOpen,
		MethodChannelFlow,
		MethodChannelFlowOk,
		MethodChannelClose,
		MethodChannelCloseOk,
		MethodAccessRequest,
		MethodExchangeDeclare,
		MethodExchangeDelete,
		MethodExchangeBind,
		MethodExchangeUnbind,
		MethodQueueDeclare,
		MethodQueueBind,
		MethodQueuePurge,
		MethodQueueDelete,
		MethodQueueUnbind,
		MethodBasicQos,
		MethodBasicConsume,
		MethodBasicCancel,
		MethodBasicCancelOk,
		MethodBasicPublish,
		MethodBasicGet,
		MethodBasicAck,
		MethodBasicReject,
		MethodBasicRecoverAsync,
		MethodBasicRecover,
		MethodBasicNack,
		MethodConfirmSelect,
		MethodTxSelect,
		MethodTxCommit,
		MethodTxRollback:
		return true
	}
	return false
}

// FromServer reports whether servers send id.
func (id MethodID) FromServer() bool {
	switch id {
	case MethodConnectionStart,
		MethodConnectionSecure,
		MethodConnectionTune,
		MethodConnectionOpenOk,
		MethodConnectionClose,
		MethodConnectionCloseOk,
		MethodConnectionBlocked,
		MethodConnectionUnblocked,
		MethodConnectionUpdateSecretOk,
		MethodChannelOpenOk,
		MethodChannelFlow,
		MethodChannelFlowOk,
		MethodChannelClose,
		MethodChannelCloseOk,
		MethodAccessRequestOk,
		MethodExchangeDeclareOk,
		MethodExchangeDeleteOk,
		MethodExchangeBindOk,
		MethodExchangeUnbindOk,
		MethodQueueDeclareOk,
		MethodQueueBindOk,
		MethodQueuePurgeOk,
		MethodQueueDeleteOk,
		MethodQueueUnbindOk,
		MethodBasicQosOk,
		MethodBasicConsumeOk,
		MethodBasicCancel,
		MethodBasicCancelOk,
		MethodBasicReturn,
		MethodBasicDeliver,
		MethodBasicGetOk,
		MethodBasicGetEmpty,
		MethodBasicAck,
		MethodBasicRecoverOk,
		MethodBasicNack,
		MethodConfirmSelectOk,
		MethodTxSelectOk,
		MethodTxCommitOk,
		MethodTxRollbackOk:
		return true
	}
	return false
}

// Replies lists the methods that answer id when id is synchronous (and its no-wait is off), none otherwise.
func (id MethodID) Replies() []MethodID {
	switch id {
	case MethodConnectionStart:
		return []MethodID{MethodConnectionStartOk}
	case MethodConnectionSecure:
		return []MethodID{MethodConnectionSecureOk}
	case MethodConnectionTune:
		return []MethodID{MethodConnectionTuneOk}
	case MethodConnectionOpen:
		return []MethodID{MethodConnectionOpenOk}
	case MethodConnectionClose:
		return []MethodID{MethodConnectionCloseOk}
	case MethodConnectionUpdateSecret:
		return []MethodID{MethodConnectionUpdateSecretOk}
	case MethodChannelOpen:
		return []MethodID{MethodChannelOpenOk}
	case MethodChannelFlow:
		return []MethodID{MethodChannelFlowOk}
	case MethodChannelClose:
		return []MethodID{MethodChannelCloseOk}
	case MethodAccessRequest:
		return []MethodID{MethodAccessRequestOk}
	case MethodExchangeDeclare:
		return []MethodID{MethodExchangeDeclareOk}
	case MethodExchangeDelete:
		return []MethodID{MethodExchangeDeleteOk}
	case MethodExchangeBind:
		return []MethodID{MethodExchangeBindOk}
	case MethodExchangeUnbind:
		return []MethodID{MethodExchangeUnbindOk}
	case MethodQueueDeclare:
		return []MethodID{MethodQueueDeclareOk}
	case MethodQueueBind:
		return []MethodID{MethodQueueBindOk}
	case MethodQueuePurge:
		return []MethodID{MethodQueuePurgeOk}
	case MethodQueueDelete:
		return []MethodID{MethodQueueDeleteOk}
	case MethodQueueUnbind:
		return []MethodID{MethodQueueUnbindOk}
	case MethodBasicQos:
		return []MethodID{MethodBasicQosOk}
	case MethodBasicConsume:
		return []MethodID{MethodBasicConsumeOk}
	case MethodBasicCancel:
		return []MethodID{MethodBasicCancelOk}
	case MethodBasicGet:
		return []MethodID{MethodBasicGetOk, MethodBasicGetEmpty}
	case MethodBasicRecover:
		return []MethodID{MethodBasicRecoverOk}
	case MethodConfirmSelect:
		return []MethodID{MethodConfirmSelectOk}
	case MethodTxSelect:
		return []MethodID{MethodTxSelectOk}
	case MethodTxCommit:
		return []MethodID{MethodTxCommitOk}
	case MethodTxRollback:
		return []MethodID{MethodTxRollbackOk}
	}
	return nil
}
