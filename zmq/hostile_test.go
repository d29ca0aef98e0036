package zmq

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

func TestAFloodOfGarbageHarmsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		var log logbook
		pull := on(t, n, NewPull(&Options{Logger: log.logger(), MaxMessageSize: 1000}))
		listen(t, pull, home)
		push := on(t, n, NewPush(nil))
		dial(t, push, home)
		send(t, push, "before")
		recv(t, pull, "before")
		for _, garbage := range []string{"GET / HTTP/1.0\r\n\r\n", "\xff\x00", strings.Repeat("\xff", 1000)} {
			c := n.dial(t, home)
			_, _ = c.Write([]byte(garbage))
			if garbage != "\xff\x00" {
				_, _ = io.Copy(io.Discard, c) // until it is closed
			}
		}
		large := n.dial(t, home)
		greet(t, large, zmtp.PUSH, 1)
		_, _ = large.Write([]byte{2, 0, 0, 0, 0, 0x7F, 0, 0, 0})
		_, _ = io.Copy(io.Discard, large)
		synctest.Wait()
		if !log.has("level=WARN", zmtp.ErrNotZMTP.Error()) || !log.has("level=WARN", zmtp.ErrTooLarge.Error()) {
			t.Errorf("the log says %q", log.lines)
		}
		send(t, push, "after")
		recv(t, pull, "after")
	})
}

func TestAHandshakeHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull := on(t, n, NewPull(nil))
		listen(t, pull, home)
		c := n.dial(t, home)
		start := time.Now()
		_, _ = io.Copy(io.Discard, c)
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("a silent client was closed after %v", got)
		}
	})
}

func TestTheOldestOfTooManyHandshakesIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull := on(t, n, NewPull(&Options{MaxHandshakes: 3}))
		listen(t, pull, home)
		var silent []io.Reader
		for range 5 {
			silent = append(silent, n.dial(t, home))
			synctest.Wait()
		}
		start := time.Now()
		for i, c := range silent {
			_, _ = io.Copy(io.Discard, c)
			if early := time.Since(start) == 0; early != (i < 2) {
				t.Errorf("client %d was closed after %v", i, time.Since(start))
			}
		}
		push := on(t, n, NewPush(nil))
		dial(t, push, home)
		send(t, push, "1")
		recv(t, pull, "1")
	})
}

func TestAMalformedPingEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		var log logbook
		pull := on(t, n, NewPull(&Options{Logger: log.logger()}))
		listen(t, pull, home)
		c := n.dial(t, home)
		greet(t, c, zmtp.PUSH, 1)
		_, err := c.Write([]byte("\x04\x05\x04PING"))
		must(t, err)
		_, _ = io.Copy(io.Discard, c)
		synctest.Wait()
		if !log.has("level=WARN", zmtp.ErrCommand.Error()) {
			t.Errorf("the log says %q", log.lines)
		}
	})
}

func TestPongsDoNotPileUpForAPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 64 << 10}
		pull := on(t, n, NewPull(nil))
		listen(t, pull, home)
		c := n.dial(t, home)
		greet(t, c, zmtp.PUSH, 1)
		c.(*memoryConn).unread()
		for range 20000 {
			_, err := c.Write([]byte("\x04\x07\x04PING\x00\x00"))
			must(t, err)
		}
		synctest.Wait()
		s := pull.runtime()
		s.mu.Lock()
		defer s.mu.Unlock()
		for p := range s.pipes {
			p.out.mu.Lock()
			if got := len(p.conn.control); got > 2*maxPongs {
				t.Errorf("%d bytes of PONGs wait", got)
			}
			p.out.mu.Unlock()
		}
	})
}
