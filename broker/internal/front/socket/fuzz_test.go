package socket

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"testing"

	"github.com/warrenmq/warren/broker/internal/engine"
)

// FuzzSession gives a session any bytes in pieces of any size: it publishes exactly the messages that are in them, and
// nothing after the first that breaks a limit.
func FuzzSession(f *testing.F) {
	f.Add(false, []byte{3}, []byte("one\ntwo\r\n\nlast"))
	f.Add(false, []byte{1, 40}, []byte("a line that is longer than the limit of twenty\nshort\n"))
	f.Add(true, []byte{5, 1}, []byte("\x00\x00\x00\x02hi\x00\x00\x00\x00\x00\x00\x00\x01!\x00\x00"))
	f.Add(true, []byte{}, []byte("\xff\xff\xff\xff"))
	const limit = 20
	f.Fuzz(func(t *testing.T, length bool, pieces, in []byte) {
		text := "queue+tcp://h:1?queue=jobs&consume=0&max=20"
		if length {
			text += "&framing=length32"
		}
		l := open(t, text, engine.Config{})
		client, server := net.Pipe()
		end := make(chan error, 1)
		go func() { end <- l.server.ServeConn(context.Background(), server) }()
		rest := in
		for i := 0; len(rest) > 0; i++ {
			n := len(rest)
			if len(pieces) > 0 {
				n = min(n, 1+int(pieces[i%len(pieces)]))
			}
			if _, err := client.Write(rest[:n]); err != nil {
				break
			}
			rest = rest[n:]
		}
		_ = client.Close()
		err := <-end

		var want [][]byte
		good := true
		if length {
			for r := in; len(r) >= 4; {
				n := binary.BigEndian.Uint32(r)
				if n > limit {
					good = false
					break
				}
				if r = r[4:]; uint32(len(r)) < n {
					break
				}
				want, r = append(want, r[:n]), r[n:]
			}
		} else {
			all := bytes.Split(in, []byte("\n"))
			for i, line := range all {
				if i == len(all)-1 && len(line) == 0 {
					break
				}
				line = bytes.TrimSuffix(line, []byte("\r"))
				if good = len(line) <= limit; !good {
					break
				}
				want = append(want, line)
			}
		}
		if good != (err == nil) {
			t.Errorf("the session ended with %v", err)
		}
		p := l.program()
		p.consume("jobs")
		got := p.bodies()
		if len(got) != len(want) {
			t.Fatalf("%d messages, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i] != string(want[i]) {
				t.Errorf("message %d is %q, want %q", i, got[i], want[i])
			}
		}
	})
}
