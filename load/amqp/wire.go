package amqp

import (
	"encoding/binary"
	"fmt"
)

// Frame types (AMQP 0-9-1 §4.2.3) and the octet that ends every frame.
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8
	frameEnd       = 0xCE

	frameOverhead = 8 // 7 octets of head, 1 of end
)

// method is a class id and a method id as they stand at the start of a method
// frame's payload.
type method uint32

const (
	connectionStart   = 10<<16 | 10
	connectionStartOK = 10<<16 | 11
	connectionTune    = 10<<16 | 30
	connectionTuneOK  = 10<<16 | 31
	connectionOpen    = 10<<16 | 40
	connectionOpenOK  = 10<<16 | 41
	connectionClose   = 10<<16 | 50
	connectionCloseOK = 10<<16 | 51
	channelOpen       = 20<<16 | 10
	channelOpenOK     = 20<<16 | 11
	channelClose      = 20<<16 | 40
	exchangeDeclare   = 40<<16 | 10
	exchangeDeclareOK = 40<<16 | 11
	exchangeDelete    = 40<<16 | 20
	exchangeDeleteOK  = 40<<16 | 21
	queueDeclare      = 50<<16 | 10
	queueDeclareOK    = 50<<16 | 11
	queueBind         = 50<<16 | 20
	queueBindOK       = 50<<16 | 21
	queuePurge        = 50<<16 | 30
	queuePurgeOK      = 50<<16 | 31
	queueDelete       = 50<<16 | 40
	queueDeleteOK     = 50<<16 | 41
	basicQos          = 60<<16 | 10
	basicQosOK        = 60<<16 | 11
	basicConsume      = 60<<16 | 20
	basicConsumeOK    = 60<<16 | 21
	basicCancel       = 60<<16 | 30
	basicPublish      = 60<<16 | 40
	basicDeliver      = 60<<16 | 60
	basicAck          = 60<<16 | 80
	basicNack         = 60<<16 | 120
	confirmSelect     = 85<<16 | 10
	confirmSelectOK   = 85<<16 | 11
)

// basicClass is the class id in a content header.
const basicClass = 60

// arguments builds a method's arguments.
type arguments []byte

func (a arguments) octet(v byte) arguments      { return append(a, v) }
func (a arguments) short(v uint16) arguments    { return binary.BigEndian.AppendUint16(a, v) }
func (a arguments) long(v uint32) arguments     { return binary.BigEndian.AppendUint32(a, v) }
func (a arguments) longLong(v uint64) arguments { return binary.BigEndian.AppendUint64(a, v) }
func (a arguments) emptyTable() arguments       { return a.long(0) }
func (a arguments) shortString(s string) arguments {
	return append(append(a, byte(len(s))), s...)
}
func (a arguments) longString(s string) arguments {
	return append(a.long(uint32(len(s))), s...)
}

// bits packs flags into one octet, the first into its lowest bit (§4.2.5.2).
func (a arguments) bits(flags ...bool) arguments {
	var v byte
	for i, f := range flags {
		if f {
			v |= 1 << i
		}
	}
	return append(a, v)
}

// appendFrame appends a frame:
//
//	0      1         3          7
//	+------+---------+----------+---------+----------+
//	| type | channel |   size   | payload | end 0xCE |
//	+------+---------+----------+---------+----------+
func appendFrame(b []byte, typ byte, channel uint16, payload []byte) []byte {
	b = append(b, typ)
	b = binary.BigEndian.AppendUint16(b, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, payload...)
	return append(b, frameEnd)
}

// appendMethod appends a method frame.
func appendMethod(b []byte, channel uint16, m method, args arguments) []byte {
	payload := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(args)), uint32(m))
	return appendFrame(b, frameMethod, channel, append(payload, args...))
}

// ackSize is the length of the frame that appendAck appends.
const ackSize = frameOverhead + 4 + 8 + 1

// appendAck appends basic.ack.
func appendAck(b []byte, channel uint16, tag uint64, multiple bool) []byte {
	b = append(b, frameMethod)
	b = binary.BigEndian.AppendUint16(b, channel)
	b = binary.BigEndian.AppendUint32(b, ackSize-frameOverhead)
	b = binary.BigEndian.AppendUint32(b, basicAck)
	b = binary.BigEndian.AppendUint64(b, tag)
	return append(arguments(b).bits(multiple), frameEnd)
}

// appendPublish appends a whole message: basic.publish, the content header and
// as many body frames as frameMax asks for. It returns where in b the body
// begins. The body's octets follow one another for as many as the first body
// frame takes, which is always more than a stamp needs.
func appendPublish(b []byte, channel uint16, exchange, key string, body []byte, persistent bool, frameMax int) (_ []byte, bodyAt int) {
	b = appendMethod(b, channel, basicPublish,
		arguments{}.short(0).shortString(exchange).shortString(key).bits(false, false))
	const deliveryModePresent = 1 << 12
	mode := byte(1)
	if persistent {
		mode = 2
	}
	header := arguments{}.short(basicClass).short(0).longLong(uint64(len(body))).short(deliveryModePresent).octet(mode)
	b = appendFrame(b, frameHeader, channel, header)
	bodyAt = len(b) + frameOverhead - 1
	for most := frameMax - frameOverhead; len(body) > 0; {
		n := min(most, len(body))
		b = appendFrame(b, frameBody, channel, body[:n])
		body = body[n:]
	}
	return b, bodyAt
}

// frame is one frame as it lies in a read buffer.
type frame struct {
	typ     byte
	channel uint16
	payload []byte
}

// method returns the method of a method frame, and its arguments; 0 when the
// payload has no room for one.
func (f *frame) method() (method, []byte) {
	if len(f.payload) < 4 {
		return 0, nil
	}
	return method(binary.BigEndian.Uint32(f.payload)), f.payload[4:]
}

// next cuts the first frame off b and returns how long it is, 0 when b holds
// only a part of one.
func next(b []byte, frameMax int) (f frame, n int, err error) {
	if len(b) < frameOverhead {
		return frame{}, 0, nil
	}
	size := int(binary.BigEndian.Uint32(b[3:]))
	if size > frameMax-frameOverhead {
		return frame{}, 0, fmt.Errorf("amqp: the server sent a frame of %d bytes where %d were agreed", size+frameOverhead, frameMax)
	}
	end := 7 + size
	if end >= len(b) {
		return frame{}, 0, nil
	}
	if b[end] != frameEnd {
		return frame{}, 0, fmt.Errorf("amqp: a frame ends with octet %#02x", b[end])
	}
	return frame{typ: b[0], channel: binary.BigEndian.Uint16(b[1:]), payload: b[7:end]}, end + 1, nil
}

// A ServerError is a channel or a connection that the server has closed.
type ServerError struct {
	Channel uint16 // 0 when the whole connection was closed
	Code    uint16 // the reply code, such as 404 (AMQP 0-9-1 §1.2, constants)
	Text    string // the reply text
}

func (e *ServerError) Error() string {
	if e.Channel == 0 {
		return fmt.Sprintf("amqp: the server closed the connection: %d %s", e.Code, e.Text)
	}
	return fmt.Sprintf("amqp: the server closed channel %d: %d %s", e.Channel, e.Code, e.Text)
}

// serverError reads the arguments of channel.close or connection.close.
func serverError(channel uint16, args []byte) error {
	if len(args) < 3 || len(args) < 3+int(args[2]) {
		return fmt.Errorf("amqp: the server sent a close that can't be read")
	}
	return &ServerError{Channel: channel, Code: binary.BigEndian.Uint16(args), Text: string(args[3 : 3+int(args[2])])}
}

// unexpected turns a method that a worker did not wait for into an error:
// closes and cancels end a run, and so does what no server may send here.
// Others (connection.blocked, for one) are passed over.
func unexpected(f *frame) error {
	m, args := f.method()
	switch m {
	case connectionClose, channelClose:
		return serverError(f.channel, args)
	case basicCancel:
		return fmt.Errorf("amqp: the server cancelled a consumer: its queue is gone")
	case 0:
		return fmt.Errorf("amqp: the server sent a method frame of %d bytes", len(f.payload))
	}
	return nil
}
