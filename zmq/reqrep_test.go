package zmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAReplyThatWillNotComeIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		req, rep := on(t, n, NewReq(nil)), on(t, n, NewRep(nil))
		listen(t, rep, home)
		dial(t, req, home)
		go func() {
			_, _ = rep.Recv(t.Context())
			_ = rep.Close()
		}()
		if _, err := req.Do(within(t, time.Minute), message("1")); !errors.Is(err, ErrReplyLost) {
			t.Fatalf("error %v", err)
		}
		must(t, rep.Close())
		second := on(t, n, NewRep(nil))
		listen(t, second, home)
		go func() {
			q, err := second.Recv(t.Context())
			if err == nil {
				_ = q.Reply(t.Context(), message("R"+text(q.Message)))
			}
		}()
		m, err := req.Do(within(t, time.Minute), message("2"))
		must(t, err)
		if text(m) != "R2" {
			t.Errorf("reply %q", text(m))
		}
	})
}

func TestARequestThatIsGivenUpLeavesNoReplyForTheNext(t *testing.T) {
	for _, correlate := range []bool{false, true} {
		for _, endpoint := range []string{home, "inproc://home"} {
			t.Run(fmt.Sprint(correlate, " ", endpoint), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := &memory{}
					ns := new(Inproc)
					req := on(t, n, NewReq(&Options{ReqCorrelate: correlate, Inproc: ns}))
					rep := on(t, n, NewRep(&Options{Inproc: ns}))
					listen(t, rep, endpoint)
					dial(t, req, endpoint)
					go func() {
						for q, err := range rep.Requests(t.Context()) {
							if err != nil {
								return
							}
							time.Sleep(100 * time.Millisecond)
							_ = q.Reply(t.Context(), message("R"+text(q.Message)))
						}
					}()
					for i := range 10 {
						if i%2 == 0 {
							_, err := req.Do(within(t, 50*time.Millisecond), message("given up"))
							if !errors.Is(err, context.DeadlineExceeded) {
								t.Fatalf("error %v", err)
							}
							continue
						}
						m, err := req.Do(within(t, time.Minute), message(fmt.Sprint(i)))
						must(t, err)
						if want := fmt.Sprint("R", i); text(m) != want {
							t.Fatalf("reply %q, want %q", text(m), want)
						}
					}
				})
			})
		}
	}
}

func TestManyGoroutinesShareAReq(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		req, rep := on(t, n, NewReq(nil)), on(t, n, NewRep(nil))
		listen(t, rep, home)
		dial(t, req, home)
		go func() {
			for q, err := range rep.Requests(t.Context()) {
				if err != nil {
					return
				}
				_ = q.Reply(t.Context(), q.Message)
			}
		}()
		var callers sync.WaitGroup
		for i := range 20 {
			callers.Go(func() {
				for j := range 10 {
					want := fmt.Sprint(i, " ", j)
					m, err := req.Do(t.Context(), message(want))
					if err != nil || text(m) != want {
						t.Errorf("reply %q, want %q; error %v", text(m), want, err)
					}
				}
			})
		}
		callers.Wait()
	})
}

func TestARequestIsRepliedToOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{}
		req, rep := on(t, n, NewReq(nil)), on(t, n, NewRep(nil))
		listen(t, rep, home)
		dial(t, req, home)
		errs := make(chan error, 4)
		go func() {
			q, err := rep.Recv(t.Context())
			errs <- err
			errs <- q.Reply(t.Context(), nil)
			errs <- q.Reply(t.Context(), message("R"))
			errs <- q.Reply(t.Context(), message("R again"))
		}()
		m, err := req.Do(t.Context(), message("1"))
		must(t, err)
		if text(m) != "R" {
			t.Errorf("reply %q", text(m))
		}
		for i, want := range []error{nil, ErrNoFrames, nil, ErrReplied} {
			if err := <-errs; !errors.Is(err, want) {
				t.Errorf("call %d: error %v, want %v", i, err, want)
			}
		}
	})
}

func TestAMandatoryRouterReportsAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memory{buffer: 128}
		router := on(t, n, NewRouter(&Options{RouterMandatory: true, SendHWM: 2, Linger: -1}))
		dealer := on(t, n, NewDealer(&Options{RoutingID: []byte("d"), RecvHWM: 2}))
		listen(t, router, home)
		dial(t, dealer, home)
		send(t, dealer, "hello")
		recv(t, router, "d|hello")
		if err := router.Send(t.Context(), message("nobody|x")); !errors.Is(err, ErrUnroutable) {
			t.Errorf("error %v", err)
		}
		sent := 0
		for router.Send(within(t, time.Second), message(fmt.Sprint("d|", sent))) == nil {
			sent++
		}
		recv(t, dealer, numbers(0, sent)...)
		send(t, router, "d|more")
		recv(t, dealer, "more")
	})
}
