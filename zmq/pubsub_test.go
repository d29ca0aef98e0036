package zmq

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warrenmq/warren/zmq/internal/zmtp"
)

func TestASlowSubscriberLosesItsOwnMessagesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 200}
		pub := on(t, n, NewPub(&Options{SendHWM: 10, Linger: -1}))
		listen(t, pub, home)
		slow, fast := on(t, n, NewSub(&Options{RecvHWM: 10})), on(t, n, NewSub(nil))
		for _, s := range []*Sub{slow, fast} {
			must(t, s.Subscribe(""))
			dial(t, s, home)
		}
		time.Sleep(time.Second)
		const many = 500
		for i := range many {
			send(t, pub, fmt.Sprint(i))
			recv(t, fast, fmt.Sprint(i))
		}
		got := 0
		for {
			if _, err := slow.Recv(within(t, time.Second)); err != nil {
				break
			}
			got++
		}
		if got < 10 || got >= many {
			t.Errorf("the slow subscriber got %d of %d", got, many)
		}
	})
}

func TestSubscriptionsAreTheStateOfTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		sub := on(t, n, NewSub(&Options{SendHWM: 1}))
		const many = 2000 // more than any queue holds
		for i := range many {
			must(t, sub.Subscribe(fmt.Sprintf("%04d", i)))
		}
		dial(t, sub, home)
		for round := range 3 {
			pub := on(t, n, NewPub(nil))
			listen(t, pub, home)
			time.Sleep(time.Second)
			send(t, pub, "no such subscription", "0000 first", fmt.Sprintf("%04d last", many-1))
			recv(t, sub, "0000 first", fmt.Sprintf("%04d last", many-1))
			must(t, pub.Close())
			if round == 0 {
				must(t, sub.Unsubscribe("0001"))
			} else if err := sub.Unsubscribe("0001"); !errors.Is(err, ErrNotSubscribed) {
				t.Errorf("a second Unsubscribe: error %v", err)
			}
		}
	})
}

func TestSubscriptionsTakeTheFormThatThePeerKnows(t *testing.T) {
	for minor, want := range []string{"\x00\x02\x01a\x00\x02\x01b\x00\x02\x00a", "\x04\x0b\x09SUBSCRIBEa\x04\x0b\x09SUBSCRIBEb\x04\x08\x06CANCELa"} {
		t.Run(fmt.Sprintf("ZMTP 3.%d", minor), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &memory{}
				sub := on(t, n, NewSub(nil))
				must(t, sub.Subscribe("a"))
				listen(t, sub, home)
				c := n.dial(t, home)
				greet(t, c, zmtp.PUB, byte(minor))
				synctest.Wait()
				must(t, sub.Subscribe("b"))
				must(t, sub.Unsubscribe("a"))
				expect(t, c, want)
			})
		})
	}
}
