package pipe

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onEach runs a law of net.Conn on a TCP connection of loopback and on a pipe: what holds for both is what the callers of one
// may expect of the other.
func onEach(t *testing.T, law func(t *testing.T, a, b halfCloser)) {
	t.Run("tcp", func(t *testing.T) {
		a, b := tcp(t)
		defer a.Close()
		defer b.Close()
		law(t, a, b)
	})
	t.Run("pipe", func(t *testing.T) {
		a, b := New()
		defer a.Close()
		defer b.Close()
		law(t, a, b)
	})
}

type halfCloser interface {
	net.Conn
	CloseWrite() error
}

func tcp(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// isTimeout reports whether an error is a timeout, in both ways in which programs ask.
func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout() && errors.Is(err, os.ErrDeadlineExceeded)
}

func TestAWriteDoesNotWaitForAReader(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		for range 3 {
			_, err := io.WriteString(a, "hello ")
			must(t, err)
		}
		got := make([]byte, 18)
		_, err := io.ReadFull(b, got)
		must(t, err)
		if string(got) != "hello hello hello " {
			t.Errorf("%q", got)
		}
	})
}

func TestBothDirectionsAreApart(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		_, err := io.WriteString(a, "to b")
		must(t, err)
		_, err = io.WriteString(b, "to a")
		must(t, err)
		buf := make([]byte, 10)
		n, err := a.Read(buf)
		if err != nil || string(buf[:n]) != "to a" {
			t.Errorf("a read %q, %v", buf[:n], err)
		}
		n, err = b.Read(buf)
		if err != nil || string(buf[:n]) != "to b" {
			t.Errorf("b read %q, %v", buf[:n], err)
		}
	})
}

func TestWhatWasWrittenIsReadAfterClose(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		_, err := io.WriteString(a, "last words")
		must(t, err)
		must(t, a.Close())
		got, err := io.ReadAll(b)
		if err != nil || string(got) != "last words" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestAHalfClosedConnectionIsWrittenToFromTheOtherEnd(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		_, err := io.WriteString(a, "question")
		must(t, err)
		must(t, a.CloseWrite())
		if _, err := io.WriteString(a, "x"); err == nil {
			t.Error("a write after CloseWrite")
		}
		got, err := io.ReadAll(b)
		if err != nil || string(got) != "question" {
			t.Fatalf("%q, %v", got, err)
		}
		_, err = io.WriteString(b, "answer")
		must(t, err)
		must(t, b.Close())
		got, err = io.ReadAll(a)
		if err != nil || string(got) != "answer" {
			t.Errorf("%q, %v", got, err)
		}
		must(t, a.Close())
	})
}

func TestAClosedEndRefusesEverything(t *testing.T) {
	onEach(t, func(t *testing.T, a, _ halfCloser) {
		must(t, a.Close())
		_, read := a.Read(make([]byte, 1))
		_, written := a.Write([]byte("x"))
		for what, err := range map[string]error{
			"Read": read, "Write": written, "Close": a.Close(), "CloseWrite": a.CloseWrite(),
			"SetDeadline": a.SetDeadline(time.Now()), "SetWriteDeadline": a.SetWriteDeadline(time.Now()),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestCloseEndsWhoeverWaits(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a reader: %v", err)
			}
		})
		waiting.Go(func() {
			if _, err := a.Write(make([]byte, 64<<20)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a writer: %v", err)
			}
		})
		_, err := io.CopyN(io.Discard, b, 1<<20) // the writer is at it, and cannot end
		must(t, err)
		must(t, a.Close())
		waiting.Wait()
	})
}

func TestAWriterIsToldThatNobodyReadsAnyMore(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		must(t, b.Close())
		var err error
		for err == nil { // TCP has to hear of it first
			_, err = a.Write(make([]byte, 100))
		}
		if errors.Is(err, net.ErrClosed) || isTimeout(err) {
			t.Error(err)
		}
	})
}

func TestADeadlineThatHasPassedStopsReadsAndWrites(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		_, err := io.WriteString(b, "there is something")
		must(t, err)
		must(t, a.SetDeadline(time.Unix(1, 0)))
		buf := make([]byte, 100)
		if n, err := a.Read(buf); n != 0 || !isTimeout(err) {
			t.Errorf("Read: %d, %v", n, err)
		}
		if n, err := a.Write(buf); n != 0 || !isTimeout(err) {
			t.Errorf("Write: %d, %v", n, err)
		}
		must(t, a.SetDeadline(time.Time{}))
		if n, err := a.Read(buf); n == 0 || err != nil {
			t.Errorf("without a deadline: %d, %v", n, err)
		}
		if _, err := a.Write(buf); err != nil {
			t.Errorf("without a deadline: %v", err)
		}
	})
}

func TestADeadlineInterruptsWhoWaitsAlready(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := a.Read(make([]byte, 1)); !isTimeout(err) {
				t.Errorf("a reader: %v", err)
			}
		})
		const size = 64 << 20
		written := 0
		waiting.Go(func() {
			var err error
			if written, err = a.Write(make([]byte, size)); !isTimeout(err) || written == size {
				t.Errorf("a writer: %d, %v", written, err)
			}
		})
		read, err := io.CopyN(io.Discard, b, 1<<20)
		must(t, err)
		must(t, a.SetDeadline(time.Unix(1, 0)))
		waiting.Wait()
		must(t, a.CloseWrite())
		rest, err := io.Copy(io.Discard, b)
		if err != nil || int(read+rest) != written {
			t.Errorf("%d bytes were written, %d came: %v", written, read+rest, err)
		}
	})
}

func TestNothingIsReadOrWrittenInNothing(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		if n, err := a.Write(nil); n != 0 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		if n, err := b.Read(nil); n != 0 || err != nil {
			t.Errorf("Read: %d, %v", n, err)
		}
	})
}

func TestWritesAtTheSameTimeStayWhole(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		const writers, size = 8, 300_000 // more than fits at a time
		var writing sync.WaitGroup
		for i := range writers {
			writing.Go(func() {
				if _, err := a.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
					t.Error(err)
				}
			})
		}
		seen := make(map[byte]bool)
		buf := make([]byte, size)
		for range writers {
			_, err := io.ReadFull(b, buf)
			must(t, err)
			if seen[buf[0]] || bytes.Count(buf, buf[:1]) != size {
				t.Fatal("the bytes of two writes are mixed")
			}
			seen[buf[0]] = true
		}
		writing.Wait()
	})
}

func TestMethodsMayBeCalledAtTheSameTime(t *testing.T) {
	onEach(t, func(t *testing.T, a, b halfCloser) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				buf := make([]byte, 1000)
				for range 50 {
					_ = a.SetReadDeadline(time.Now().Add(time.Duration(i) * time.Millisecond))
					_, _ = a.Read(buf)
					_ = a.SetWriteDeadline(time.Now().Add(time.Duration(i) * time.Millisecond))
					_, _ = a.Write(buf)
					_, _ = a.LocalAddr(), a.RemoteAddr()
				}
			})
		}
		all.Go(func() {
			for range 100 {
				_ = a.SetDeadline(time.Now().Add(time.Millisecond))
			}
		})
		var echo sync.WaitGroup
		echo.Go(func() { _, _ = io.Copy(b, struct{ io.Reader }{b}) })
		all.Wait()
		must(t, b.Close())
		echo.Wait()
	})
}

func TestWhatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := New()
		done := make(chan int)
		go func() {
			n, err := a.Write(make([]byte, 3*limit))
			if err != nil {
				t.Error(err)
			}
			done <- n
		}()
		synctest.Wait() // the writer waits
		if len(a.out.ring) != limit || a.out.size != limit {
			t.Errorf("%d of %d bytes lie there", a.out.size, len(a.out.ring))
		}
		if _, err := io.CopyN(io.Discard, b, 3*limit); err != nil {
			t.Error(err)
		}
		if n := <-done; n != 3*limit {
			t.Errorf("%d were written", n)
		}
		if len(a.in.ring) != 0 {
			t.Error("a direction in which nothing was written takes memory")
		}
	})
}

func TestADeadlineComesWhenItsTimeComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := New()
		defer a.Close()
		defer b.Close()
		start := time.Now()
		late := func(what string, err error, after time.Duration) {
			t.Helper()
			if !isTimeout(err) || time.Since(start) != after {
				t.Errorf("%s: %v after %v, not %v", what, err, time.Since(start), after)
			}
		}
		must(t, a.SetReadDeadline(start.Add(time.Second)))
		_, err := a.Read(make([]byte, 1))
		late("reading", err, time.Second)

		must(t, a.SetWriteDeadline(start.Add(2*time.Second)))
		n, err := a.Write(make([]byte, limit+1))
		late("writing", err, 2*time.Second)
		if n != limit {
			t.Errorf("%d bytes were written before the deadline", n)
		}

		must(t, a.SetReadDeadline(start.Add(3*time.Second)))
		go func() {
			time.Sleep(500 * time.Millisecond)
			_ = a.SetReadDeadline(start.Add(10 * time.Second)) // put off while it is being waited for
		}()
		_, err = a.Read(make([]byte, 1))
		late("reading on", err, 10*time.Second)

		must(t, a.SetReadDeadline(start.Add(time.Hour)))
		go func() {
			time.Sleep(time.Second)
			_ = a.SetReadDeadline(start.Add(12 * time.Second)) // brought forward
		}()
		_, err = a.Read(make([]byte, 1))
		late("reading less", err, 12*time.Second)
	})
}

func TestAnyBytesInAnyPiecesArriveInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := New()
		pieces := rapid.SliceOfN(rapid.IntRange(0, limit+limit/2), 1, 8).Draw(t, "writes")
		reads := rapid.SliceOfN(rapid.IntRange(1, limit), 1, 8).Draw(t, "reads")
		failed := make(chan error, 1)
		go func() {
			var at byte
			for _, size := range pieces {
				p := make([]byte, size)
				for i := range p {
					p[i] = at
					at += 7
				}
				if n, err := a.Write(p); n != size || err != nil {
					failed <- err
				}
			}
			failed <- a.Close()
		}()
		var at byte
		total := 0
		for i := 0; ; i++ {
			p := make([]byte, reads[i%len(reads)])
			n, err := b.Read(p)
			for _, c := range p[:n] {
				if c != at {
					t.Fatalf("byte %d is wrong", total)
				}
				at += 7
				total++
			}
			if err == io.EOF {
				break
			}
			if err != nil || n == 0 {
				t.Fatalf("%d, %v", n, err)
			}
		}
		for _, size := range pieces {
			total -= size
		}
		if err := <-failed; err != nil || total != 0 {
			t.Fatalf("%v; %d bytes too many", err, total)
		}
	})
}

func TestAddressesAreOfTheNetworkPipe(t *testing.T) {
	a, b := New()
	for _, at := range []net.Addr{a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr()} {
		if at.Network() != "pipe" || at.String() != "pipe" {
			t.Errorf("%s %s", at.Network(), at)
		}
	}
}

// BenchmarkStream: one end writes pieces of a size as fast as the other reads them.
func BenchmarkStream(b *testing.B) {
	each(b, func(b *testing.B, x, y net.Conn) {
		p := make([]byte, 4096)
		b.SetBytes(int64(len(p)))
		b.ReportAllocs()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{y}, make([]byte, 64<<10))
		}()
		for b.Loop() {
			if _, err := x.Write(p); err != nil {
				b.Fatal(err)
			}
		}
		x.Close()
		<-done
	})
}

// BenchmarkRoundTrip: a few bytes there and back.
func BenchmarkRoundTrip(b *testing.B) {
	each(b, func(b *testing.B, x, y net.Conn) {
		b.ReportAllocs()
		go func() { _, _ = io.CopyBuffer(struct{ io.Writer }{y}, struct{ io.Reader }{y}, make([]byte, 100)) }()
		p := make([]byte, 100)
		for b.Loop() {
			if _, err := x.Write(p); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(x, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func each(b *testing.B, run func(b *testing.B, x, y net.Conn)) {
	b.Run("pipe", func(b *testing.B) {
		x, y := New()
		defer x.Close()
		defer y.Close()
		run(b, x, y)
	})
	b.Run("tcp", func(b *testing.B) {
		x, y := tcp(b)
		defer x.Close()
		defer y.Close()
		run(b, x, y)
	})
	b.Run("net.Pipe", func(b *testing.B) {
		x, y := net.Pipe()
		defer x.Close()
		defer y.Close()
		run(b, x, y)
	})
}
