package pump

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// script is a session made of functions; what is nil does nothing.
type script struct {
	conn     *Conn
	feed     func(c *Conn, in []byte) (n, need int, err error)
	tick     func(c *Conn, now time.Time) (time.Time, error)
	eof      func(c *Conn) bool
	hold     func() <-chan struct{}
	shutdown func(c *Conn, reason string) time.Duration
	batches  int
	drained  atomic.Int64
	closed   chan error // buffered
}

func (s *script) Feed(in []byte) (int, int, error) {
	if s.feed == nil {
		return len(in), 0, nil
	}
	return s.feed(s.conn, in)
}
func (s *script) EOF() bool { return s.eof != nil && s.eof(s.conn) }
func (s *script) EndBatch() { s.batches++ }
func (s *script) Tick(now time.Time) (time.Time, error) {
	if s.tick == nil {
		return time.Time{}, nil
	}
	return s.tick(s.conn, now)
}
func (s *script) Hold() <-chan struct{} {
	if s.hold == nil {
		return nil
	}
	return s.hold()
}
func (s *script) Shutdown(reason string) time.Duration {
	if s.shutdown == nil {
		return 0
	}
	return s.shutdown(s.conn, reason)
}
func (s *script) Drained()         { s.drained.Add(1) }
func (s *script) Closed(err error) { s.closed <- err }

type scriptFront struct{ make func() *script }

func (f scriptFront) Protocol() string { return "script" }
func (f scriptFront) NewSession(c *Conn) Session {
	s := f.make()
	s.conn = c
	if s.closed == nil {
		s.closed = make(chan error, 1)
	}
	return s
}

func one(s *script) Front {
	s.closed = make(chan error, 1)
	return scriptFront{func() *script { return s }}
}

func echo(c *Conn, in []byte) (int, int, error) {
	o := c.Out()
	o.End(append(o.Begin(), in...))
	return len(in), 0, nil
}

// frames takes frames of a 4-byte length and a body, and hands the bodies to f.
func frames(f func(c *Conn, body []byte)) func(*Conn, []byte) (int, int, error) {
	return func(c *Conn, in []byte) (n, need int, err error) {
		for {
			rest := in[n:]
			if len(rest) < 4 {
				return n, 4, nil
			}
			size := 4 + int(binary.BigEndian.Uint32(rest))
			if len(rest) < size {
				return n, size, nil
			}
			f(c, rest[4:size])
			n += size
		}
	}
}

func frame(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// logBuffer is what a logger writes into while a test looks on.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// pipe serves one end of a net.Pipe and returns the other; done holds what ServeConn returned.
func pipe(srv *Server) (client net.Conn, done chan error) {
	client, server := net.Pipe()
	done = make(chan error, 1)
	go func() { done <- srv.ServeConn(context.Background(), server) }()
	return client, done
}

func listen(t testing.TB, srv *Server) net.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background(), ln) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve returned %v", err)
		}
	})
	return ln.Addr()
}

func dial(t testing.TB, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestBytesComeBackOverAPipeAndEOFEndsCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{feed: echo}
		client, done := pipe(New(Config{Front: one(s)}))
		go func() { _, _ = client.Write([]byte("hello")) }()
		got := make([]byte, 5)
		if _, err := io.ReadFull(client, got); err != nil || string(got) != "hello" {
			t.Fatalf("got %q, %v", got, err)
		}
		if got := s.conn.BytesRead(); got != 5 {
			t.Errorf("BytesRead = %d", got)
		}
		_ = client.Close()
		if err := <-done; err != nil {
			t.Errorf("ServeConn = %v", err)
		}
		if err := <-s.closed; err != nil {
			t.Errorf("Closed(%v)", err)
		}
	})
}

func TestHalfCloseReturnsWhatIsLeft(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			srv := New(Config{Front: scriptFront{func() *script { return &script{feed: echo} }}})
			at := "127.0.0.1:0"
			if network == "unix" {
				at = filepath.Join(t.TempDir(), "s")
			}
			ln, err := net.Listen(network, at)
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = srv.Serve(context.Background(), ln) }()
			defer func() { _ = srv.Close() }()
			c := dial(t, ln.Addr())
			want := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB: more than the kernel takes at once
			go func() {
				_, _ = c.Write(want)
				_ = c.(interface{ CloseWrite() error }).CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes came back, %v", len(got), err)
			}
		})
	}
}

func TestTheBufferGrowsToTheNeedOfAFrame(t *testing.T) {
	var sum atomic.Int64
	srv := New(Config{Front: scriptFront{func() *script {
		return &script{feed: frames(func(c *Conn, body []byte) {
			sum.Add(int64(len(body)))
			o := c.Out()
			o.End(append(o.Begin(), '.'))
		})}
	}}})
	c := dial(t, listen(t, srv))
	sizes := []int{0, 1, 4 << 10, 64<<10 - 4, 64 << 10, 3 << 20, 10}
	want := 0
	go func() {
		for _, size := range sizes {
			_, _ = c.Write(frame(make([]byte, size)))
		}
	}()
	for _, size := range sizes {
		want += size
	}
	if _, err := io.ReadFull(c, make([]byte, len(sizes))); err != nil {
		t.Fatal(err)
	}
	if int(sum.Load()) != want {
		t.Errorf("bodies of %d bytes, want %d", sum.Load(), want)
	}
}

func TestMemoryFollowsWhatIsSentNotWhatIsAnnounced(t *testing.T) {
	c := &Conn{srv: New(Config{}), need: 100 << 20}
	c.room(sizeMedium)
	if len(c.buf) > sizeMedium {
		t.Fatalf("%d bytes for nothing sent", len(c.buf))
	}
	c.w = len(c.buf)
	c.room(sizeMedium)
	if len(c.buf) > sizeLarge || len(c.buf) <= sizeMedium {
		t.Fatalf("%d bytes for %d sent", len(c.buf), sizeMedium)
	}
	c.r = c.w - 100
	c.rest()
	if len(c.buf) != sizeSmall || c.w-c.r != 100 {
		t.Fatalf("%d bytes held for %d", len(c.buf), c.w-c.r)
	}
	c.r = c.w
	c.rest()
	if c.buf != nil {
		t.Fatal("an idle connection holds a buffer")
	}
}

func TestABatchEndedByWorkIsGoneOnWithBeforeAnythingIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []byte
		s := &script{feed: func(c *Conn, in []byte) (int, int, error) {
			got = append(got, in[0])
			return 1, 0, nil
		}}
		client, done := pipe(New(Config{Front: one(s)}))
		_, _ = client.Write([]byte("abc"))
		synctest.Wait()
		if string(got) != "abc" || s.batches != 3 {
			t.Errorf("fed %q in %d batches", got, s.batches)
		}
		_ = client.Close()
		<-done
	})
}

func TestTickIsCalledWhenItAskedToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		s := &script{tick: func(c *Conn, now time.Time) (time.Time, error) {
			at = append(at, now.Sub(start))
			if len(at) == 4 {
				return time.Time{}, errors.New("idle for too long")
			}
			return now.Add(10 * time.Second), nil
		}}
		_, done := pipe(New(Config{Front: one(s)}))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		s.conn.Wake()
		synctest.Wait()
		if err := <-done; err == nil || err.Error() != "idle for too long" {
			t.Errorf("ServeConn = %v", err)
		}
		want := []time.Duration{0, 10 * time.Second, 15 * time.Second, 25 * time.Second}
		if len(at) != len(want) {
			t.Fatalf("ticks at %v", at)
		}
		for i := range want {
			if at[i] != want[i] {
				t.Errorf("tick %d at %v, want %v", i, at[i], want[i])
			}
		}
	})
}

func TestCloseWritesWhatStandsInTheOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		client, done := pipe(New(Config{Front: one(s)}))
		synctest.Wait()
		o := s.conn.Out()
		if dirty := o.End(append(o.Begin(), "goodbye"...)); !dirty {
			t.Error("the first append to an idle output is not dirty")
		}
		if dirty := o.End(append(o.Begin(), "!"...)); dirty {
			t.Error("the second append is dirty")
		}
		why := errors.New("because")
		s.conn.Close(why)
		s.conn.Close(errors.New("too late"))
		got, err := io.ReadAll(client)
		if err != nil || string(got) != "goodbye!" {
			t.Errorf("got %q, %v", got, err)
		}
		if err := <-done; err != why {
			t.Errorf("ServeConn = %v", err)
		}
		if err := <-s.closed; err != why {
			t.Errorf("Closed(%v)", err)
		}
		if o.End(append(o.Begin(), "x"...)); o.Pending() != 0 || !o.Full() {
			t.Error("a closed output takes bytes")
		}
	})
}

func TestAHeldClientIsNotReadAndTheClockStandsUntilItsBytesAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var mu sync.Mutex
		var log []string
		say := func(s string) { mu.Lock(); log = append(log, s); mu.Unlock() }
		held := false
		s := &script{
			feed: func(c *Conn, in []byte) (int, int, error) {
				say("feed " + string(in))
				held = string(in) == "one"
				return len(in), 0, nil
			},
			tick: func(c *Conn, now time.Time) (time.Time, error) {
				say("tick")
				return now.Add(time.Second), nil
			},
		}
		s.hold = func() <-chan struct{} {
			select {
			case <-gate:
				return nil
			default:
			}
			if held {
				return gate
			}
			return nil
		}
		client, done := pipe(New(Config{Front: one(s)}))
		_, _ = client.Write([]byte("one"))
		go func() { _, _ = client.Write([]byte("two")) }()
		time.Sleep(time.Minute)
		close(gate)
		synctest.Wait()
		time.Sleep(resumeTime)
		synctest.Wait()
		mu.Lock()
		got := strings.Join(log, ", ")
		mu.Unlock()
		if got != "tick, feed one, feed two, tick" {
			t.Error(got)
		}
		_ = client.Close()
		<-done
	})
}

func TestWakeTicksAHeldClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate, ticks := make(chan struct{}), 0
		s := &script{
			tick: func(*Conn, time.Time) (time.Time, error) { ticks++; return time.Time{}, nil },
			hold: func() <-chan struct{} { return gate },
		}
		_, done := pipe(New(Config{Front: one(s)}))
		synctest.Wait()
		s.conn.Wake()
		synctest.Wait()
		if ticks != 2 {
			t.Errorf("%d ticks", ticks)
		}
		s.conn.Close(nil)
		<-done
	})
}

func TestAClientThatDoesNotReadIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		client, done := pipe(New(Config{Front: one(s), WriteTimeout: 5 * time.Second}))
		synctest.Wait()
		o := s.conn.Out()
		o.End(append(o.Begin(), make([]byte, 100)...))
		o.Flush()
		start := time.Now()
		if err := <-done; !errors.Is(err, errSlowReader) {
			t.Errorf("ServeConn = %v", err)
		}
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("closed after %v", d)
		}
		_ = client.Close()
	})
}

func TestAClientThatReadsSlowlyIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		client, done := pipe(New(Config{Front: one(s), WriteTimeout: 5 * time.Second}))
		synctest.Wait()
		o := s.conn.Out()
		o.End(append(o.Begin(), make([]byte, 100)...))
		o.Flush()
		for range 100 {
			time.Sleep(4 * time.Second)
			if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		_ = client.Close()
		if err := <-done; err != nil {
			t.Errorf("ServeConn = %v", err)
		}
	})
}

func TestDrainedIsCalledOnceForEachTimeTheOutputWasFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		client, done := pipe(New(Config{Front: one(s), OutputLimit: 1000}))
		synctest.Wait()
		o := s.conn.Out()
		for round := int64(1); round <= 3; round++ {
			o.End(append(o.Begin(), make([]byte, 1000)...))
			if o.Full() {
				t.Fatal("full at the limit")
			}
			o.End(append(o.Begin(), 1))
			if !o.Full() {
				t.Fatal("not full beyond the limit")
			}
			o.Flush()
			read := func(n int) { _, _ = io.ReadFull(client, make([]byte, n)); synctest.Wait() }
			read(1001)
			if o.Full() || s.drained.Load() != round {
				t.Fatalf("full %v, drained %d times in round %d", o.Full(), s.drained.Load(), round)
			}
		}
		_ = client.Close()
		<-done
	})
}

func TestAClientThatNeverReadsCannotMakeItsAnswersPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 1000
		s := &script{feed: echo}
		client, done := pipe(New(Config{Front: one(s), OutputLimit: limit}))
		go func() {
			for range 1000 {
				if _, err := client.Write(make([]byte, 500)); err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		if p := s.conn.Out().Pending(); p > hardFactor*limit+sizeMedium || p <= limit {
			t.Errorf("%d bytes pending", p)
		}
		// It may change its mind.
		if _, err := io.ReadFull(client, make([]byte, 1000*500)); err != nil {
			t.Error(err)
		}
		_ = client.Close()
		<-done
	})
}

func TestConcurrentAppendsArriveWholeAndInOrder(t *testing.T) {
	const writers, each = 8, 20000
	s := &script{}
	srv := New(Config{Front: one(s), OutputLimit: 64 << 20})
	started := make(chan struct{})
	s.tick = func(*Conn, time.Time) (time.Time, error) { close(started); return time.Time{}, nil }
	c := dial(t, listen(t, srv))
	<-started
	for w := range writers {
		go func() {
			o := s.conn.Out()
			for i := range each {
				b := o.Begin()
				b = binary.BigEndian.AppendUint32(b, uint32(w))
				b = binary.BigEndian.AppendUint32(b, uint32(i))
				if o.End(b) {
					o.Flush()
				}
			}
		}()
	}
	next := make([]uint32, writers)
	var rec [8]byte
	r := io.Reader(c)
	all := make([]byte, 0, writers*each*8)
	buf := make([]byte, 100<<10)
	for len(all) < cap(all) {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, buf[:n]...)
	}
	for len(all) > 0 {
		copy(rec[:], all)
		all = all[8:]
		w, i := binary.BigEndian.Uint32(rec[:4]), binary.BigEndian.Uint32(rec[4:])
		if w >= writers || next[w] != i {
			t.Fatalf("writer %d: record %d", w, i)
		}
		next[w]++
	}
}

func TestTheLastAnswerSurvivesUnreadInput(t *testing.T) {
	srv := New(Config{Front: scriptFront{func() *script {
		return &script{feed: func(c *Conn, in []byte) (int, int, error) {
			o := c.Out()
			o.End(append(o.Begin(), "no"...))
			return 0, 0, errors.New("refused")
		}}
	}}})
	addr := listen(t, srv)
	for range 20 {
		c := dial(t, addr)
		go func() {
			_, _ = c.Write(make([]byte, 1<<20))
			_ = c.(*net.TCPConn).CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if err != nil || string(got) != "no" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func TestEOFMayLeaveAConnectionOpenForWriting(t *testing.T) {
	s := &script{eof: func(*Conn) bool { return true }}
	ended := make(chan struct{})
	s.tick = func(c *Conn, now time.Time) (time.Time, error) {
		select {
		case <-ended:
			o := c.Out()
			o.End(append(o.Begin(), "late"...))
			return time.Time{}, io.EOF
		default:
			return time.Time{}, nil
		}
	}
	s.feed = func(c *Conn, in []byte) (int, int, error) {
		o := c.Out()
		o.End(append(o.Begin(), '.'))
		return len(in), 0, nil
	}
	c := dial(t, listen(t, New(Config{Front: one(s)}))).(*net.TCPConn)
	_, _ = c.Write([]byte{1})
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	close(ended)
	s.conn.Wake()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "late" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := <-s.closed; err != nil {
		t.Errorf("Closed(%v)", err)
	}
}
