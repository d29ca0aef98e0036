package zmq

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

func TestPingsAreSentAndAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull := on(t, n, NewPull(&Options{HeartbeatInterval: time.Second, HeartbeatTTL: 2500 * time.Millisecond, HeartbeatTimeout: 3 * time.Second}))
		listen(t, pull, home)
		c := n.dial(t, home)
		greet(t, c, zmtp.PUSH, 1)
		_, err := c.Write([]byte("\x04\x0a\x04PING\x00\x00ctx"))
		must(t, err)
		expect(t, c, "\x04\x08\x04PONGctx")
		start := time.Now()
		expect(t, c, "\x04\x07\x04PING\x00\x19")
		if got := time.Since(start); got != time.Second {
			t.Errorf("the first PING came after %v", got)
		}
		_, err = c.Write([]byte("\x04\x05\x04PONG"))
		must(t, err)
		last := time.Now()
		_, _ = io.Copy(io.Discard, c)
		if got := time.Since(last); got != 4*time.Second {
			t.Errorf("a silent peer was given up after %v, want the interval and the timeout", got)
		}
	})
}

func TestAPeersTimeToLiveIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		pull := on(t, n, NewPull(nil))
		listen(t, pull, home)
		c := n.dial(t, home)
		greet(t, c, zmtp.PUSH, 1)
		_, err := c.Write([]byte("\x04\x07\x04PING\x00\x0a")) // a second
		must(t, err)
		time.Sleep(900 * time.Millisecond)
		_, err = c.Write([]byte("\x00\x0bhalf a ")) // any byte is a sign of life
		must(t, err)
		start := time.Now()
		_, _ = io.Copy(io.Discard, c)
		if got := time.Since(start); got != time.Second {
			t.Errorf("closed after %v", got)
		}
	})
}

func TestHeartbeatsKeepAnIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		o := &Options{HeartbeatInterval: time.Second, HeartbeatTTL: 2 * time.Second}
		push, pull := on(t, n, NewPush(o)), on(t, n, NewPull(o))
		listen(t, pull, home)
		dial(t, push, home)
		time.Sleep(time.Hour)
		if n.count() != 1 {
			t.Errorf("%d connections were made", n.count())
		}
		send(t, push, "1")
		recv(t, pull, "1")
	})
}
