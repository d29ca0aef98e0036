package zmq

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, ep := range []string{"tcp://127.0.0.1:0", "ipc://*", "inproc://x", "ipc://@smoke"} {
		t.Run(ep, func(t *testing.T) {
			pull, push := NewPull(nil), NewPush(nil)
			defer pull.Close()
			defer push.Close()
			addr, err := pull.Listen(ctx, ep)
			if err != nil {
				t.Fatal(err)
			}
			push.Dial(ctx, addr)
			go func() {
				for i := range 100000 {
					if err := push.Send(ctx, Message{[]byte(fmt.Sprint(i))}); err != nil {
						t.Error(err)
						return
					}
				}
			}()
			for i := range 100000 {
				m, err := pull.Recv(ctx)
				if err != nil {
					t.Fatal(i, err)
				}
				if string(m[0]) != fmt.Sprint(i) {
					t.Fatal(i, m)
				}
			}
			pull.Close()
			push.Close()

			rep, req := NewRep(nil), NewReq(nil)
			defer rep.Close()
			defer req.Close()
			addr, err = rep.Listen(ctx, ep)
			if err != nil {
				t.Fatal(err)
			}
			req.Dial(ctx, addr)
			go func() {
				for q, err := range rep.Requests(ctx) {
					if err != nil {
						return
					}
					q.Reply(ctx, Message{[]byte("hello"), q.Message[0]})
				}
			}()
			for i := range 1000 {
				m, err := req.Do(ctx, Message{[]byte(fmt.Sprint(i))})
				if err != nil {
					t.Fatal(err)
				}
				if len(m) != 2 || string(m[1]) != fmt.Sprint(i) {
					t.Fatal(m)
				}
			}
		})
	}
}
