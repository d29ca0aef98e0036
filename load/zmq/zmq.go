package zmq

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/warrenmq/warren/load"
	"github.com/warrenmq/warren/zmq"
)

// unbounded lets messages of any size in, as libzmq does.
func unbounded() *zmq.Options { return &zmq.Options{MaxMessageSize: -1} }

// Throughput is what a receiver has measured.
type Throughput struct {
	Size    int           // bytes a message
	Count   int           // messages, the first included
	Elapsed time.Duration // from the first message to the last
}

// Rate returns messages per second.
func (t *Throughput) Rate() float64 {
	return float64(t.Count) / max(t.Elapsed, time.Microsecond).Seconds()
}

// WriteTo writes the lines that libzmq's local_thr and inproc_thr write.
func (t *Throughput) WriteTo(w io.Writer) (int64, error) {
	n, err := fmt.Fprintf(w, "message size: %d [B]\nmessage count: %d\nmean throughput: %d [msg/s]\nmean throughput: %.3f [Mb/s]\n",
		t.Size, t.Count, int64(t.Rate()), t.Rate()*float64(t.Size)*8/1e6)
	return int64(n), err
}

// Latency is what the side that asks has measured.
type Latency struct {
	Size      int           // bytes a message
	Count     int           // round trips
	Elapsed   time.Duration // for all of them
	RoundTrip load.Summary  // of each
}

// Average returns the mean latency: half of a mean round trip.
func (l *Latency) Average() time.Duration { return l.Elapsed / time.Duration(2*l.Count) }

// WriteTo writes the lines that libzmq's remote_lat and inproc_lat write, and
// behind them two with the percentiles.
func (l *Latency) WriteTo(w io.Writer) (int64, error) {
	us := func(d time.Duration) float64 { return float64(d) / 1e3 }
	n, err := fmt.Fprintf(w, "message size: %d [B]\nroundtrip count: %d\naverage latency: %.3f [us]\n"+
		"median latency: %.3f [us]\n99th percentile latency: %.3f [us]\n",
		l.Size, l.Count, us(l.Elapsed)/float64(2*l.Count), us(l.RoundTrip.P50)/2, us(l.RoundTrip.P99)/2)
	return int64(n), err
}

// check rejects sizes and counts that no run can have.
func check(size, count int) error {
	if size < 0 || count < 1 {
		return fmt.Errorf("zmq: a run needs messages of 0 bytes or more, and at least one of them; this one has %d of %d bytes", count, size)
	}
	return nil
}

// LocalThr listens on endpoint with a PULL socket, receives count messages of
// size bytes from one RemoteThr or libzmq's remote_thr, and tells how fast they
// came.
func LocalThr(ctx context.Context, endpoint string, size, count int) (*Throughput, error) {
	if err := check(size, count); err != nil {
		return nil, err
	}
	s := zmq.NewPull(unbounded())
	defer s.Close()
	if _, err := s.Listen(ctx, endpoint); err != nil {
		return nil, err
	}
	return receive(ctx, s, size, count)
}

// receive is the part of the throughput's receiver that is timed.
func receive(ctx context.Context, s *zmq.Pull, size, count int) (*Throughput, error) {
	var m zmq.Message
	var start time.Time
	for i := range count {
		if err := s.RecvInto(ctx, &m); err != nil {
			return nil, err
		}
		if err := checkSize(m, size); err != nil {
			return nil, err
		}
		if i == 0 {
			start = time.Now()
		}
	}
	return &Throughput{Size: size, Count: count, Elapsed: time.Since(start)}, nil
}

func checkSize(m zmq.Message, size int) error {
	if len(m) == 1 && len(m[0]) == size {
		return nil
	}
	return fmt.Errorf("zmq: message of incorrect size received: %d frames, where one of %d bytes was due", len(m), size)
}

// RemoteThr connects to endpoint with a PUSH socket and sends count messages
// of size bytes. It returns when all are written.
func RemoteThr(ctx context.Context, endpoint string, size, count int) error {
	if err := check(size, count); err != nil {
		return err
	}
	s := zmq.NewPush(nil)
	defer s.Close()
	if err := s.Dial(ctx, endpoint); err != nil {
		return err
	}
	if err := send(ctx, s, size, count); err != nil {
		return err
	}
	return s.Shutdown(ctx)
}

func send(ctx context.Context, s *zmq.Push, size, count int) error {
	m := zmq.Message{make([]byte, size)}
	for range count {
		if err := s.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// LocalLat listens on endpoint with a REP socket and sends count requests of
// size bytes back as they came.
func LocalLat(ctx context.Context, endpoint string, size, count int) error {
	if err := check(size, count); err != nil {
		return err
	}
	s := zmq.NewRep(unbounded())
	defer s.Close()
	if _, err := s.Listen(ctx, endpoint); err != nil {
		return err
	}
	if err := echo(ctx, s, size, count); err != nil {
		return err
	}
	return s.Shutdown(ctx)
}

func echo(ctx context.Context, s *zmq.Rep, size, count int) error {
	for range count {
		q, err := s.Recv(ctx)
		if err != nil {
			return err
		}
		if err := checkSize(q.Message, size); err != nil {
			return err
		}
		if err := q.Reply(ctx, q.Message); err != nil {
			return err
		}
	}
	return nil
}

// RemoteLat connects to endpoint with a REQ socket, has count messages of size
// bytes sent back by one LocalLat or libzmq's local_lat, one after the other,
// and tells how long that took. The first round trip includes the connecting,
// as with libzmq.
func RemoteLat(ctx context.Context, endpoint string, size, count int) (*Latency, error) {
	if err := check(size, count); err != nil {
		return nil, err
	}
	s := zmq.NewReq(unbounded())
	defer s.Close()
	if err := s.Dial(ctx, endpoint); err != nil {
		return nil, err
	}
	return ask(ctx, s, size, count)
}

// ask is the part of the latency's requester that is timed.
func ask(ctx context.Context, s *zmq.Req, size, count int) (*Latency, error) {
	m := zmq.Message{make([]byte, size)}
	var h load.Histogram
	start := time.Now()
	last := time.Duration(0)
	for range count {
		reply, err := s.Do(ctx, m)
		if err != nil {
			return nil, err
		}
		if err := checkSize(reply, size); err != nil {
			return nil, err
		}
		now := time.Since(start)
		h.Record(now - last)
		last = now
	}
	return &Latency{Size: size, Count: count, Elapsed: last, RoundTrip: h.Summary()}, nil
}

// InprocThr is LocalThr and RemoteThr in one process, over inproc.
func InprocThr(ctx context.Context, size, count int) (*Throughput, error) {
	if err := check(size, count); err != nil {
		return nil, err
	}
	names := new(zmq.Inproc)
	pull := zmq.NewPull(&zmq.Options{Inproc: names})
	defer pull.Close()
	if _, err := pull.Listen(ctx, "inproc://thr_test"); err != nil {
		return nil, err
	}
	push := zmq.NewPush(&zmq.Options{Inproc: names})
	defer push.Close()
	if err := push.Dial(ctx, "inproc://thr_test"); err != nil {
		return nil, err
	}
	return beside(ctx,
		func(ctx context.Context) error { return send(ctx, push, size, count) },
		func(ctx context.Context) (*Throughput, error) { return receive(ctx, pull, size, count) })
}

// InprocLat is LocalLat and RemoteLat in one process, over inproc.
func InprocLat(ctx context.Context, size, count int) (*Latency, error) {
	if err := check(size, count); err != nil {
		return nil, err
	}
	names := new(zmq.Inproc)
	req := zmq.NewReq(&zmq.Options{Inproc: names})
	defer req.Close()
	if _, err := req.Listen(ctx, "inproc://lat_test"); err != nil {
		return nil, err
	}
	rep := zmq.NewRep(&zmq.Options{Inproc: names})
	defer rep.Close()
	if err := rep.Dial(ctx, "inproc://lat_test"); err != nil {
		return nil, err
	}
	return beside(ctx,
		func(ctx context.Context) error { return echo(ctx, rep, size, count) },
		func(ctx context.Context) (*Latency, error) { return ask(ctx, req, size, count) })
}

// beside measures while work runs in a goroutine. When one of the two fails
// the other is made to end, and the first error is the one returned.
func beside[T any](ctx context.Context, work func(context.Context) error, measure func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() {
		err := work(ctx)
		if err != nil {
			cancel(err)
		}
		done <- err
	}()
	result, err := measure(ctx)
	if err != nil {
		cancel(err)
	}
	workErr := <-done
	if cause := context.Cause(ctx); cause != nil {
		return result, cause
	}
	if err != nil {
		return result, err
	}
	return result, workErr
}
