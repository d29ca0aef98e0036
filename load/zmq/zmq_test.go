package zmq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/warrenmq/warren/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runMain runs a program and returns what it prints.
func runMain(ctx context.Context, args ...string) (string, error) {
	var b bytes.Buffer
	err := Main(ctx, &b, args)
	return b.String(), err
}

// The patterns are libzmq's lines, to which the latencies add two.
const (
	throughputLines = `^message size: 32 \[B\]
message count: 5000
mean throughput: [0-9]+ \[msg/s\]
mean throughput: [0-9]+\.[0-9]{3} \[Mb/s\]
$`
	latencyLines = `^message size: 32 \[B\]
roundtrip count: 200
average latency: [0-9]+\.[0-9]{3} \[us\]
median latency: [0-9]+\.[0-9]{3} \[us\]
99th percentile latency: [0-9]+\.[0-9]{3} \[us\]
$`
)

func TestBothEndsDoTheirWorkAndPrintLibzmqsLines(t *testing.T) {
	for _, test := range []struct {
		kind, count, local, remote string
	}{
		{"thr", "5000", throughputLines, "^$"},
		{"lat", "200", "^$", latencyLines},
	} {
		t.Run(test.kind, func(t *testing.T) {
			endpoint := "ipc://" + filepath.Join(t.TempDir(), "s")
			type end struct {
				out string
				err error
			}
			local := make(chan end)
			go func() {
				out, err := runMain(t.Context(), "local_"+test.kind, endpoint, "32", test.count)
				local <- end{out, err}
			}()
			remote, err := runMain(t.Context(), "remote_"+test.kind, endpoint, "32", test.count)
			if err != nil {
				t.Fatal(err)
			}
			l := <-local
			if l.err != nil {
				t.Fatal(l.err)
			}
			if !regexp.MustCompile(test.local).MatchString(l.out) {
				t.Errorf("local printed %q", l.out)
			}
			if !regexp.MustCompile(test.remote).MatchString(remote) {
				t.Errorf("remote printed %q", remote)
			}
		})
	}
}

func TestInprocProgramsPrintLibzmqsLines(t *testing.T) {
	out, err := runMain(t.Context(), "inproc_thr", "32", "5000")
	if err != nil || !regexp.MustCompile(throughputLines).MatchString(out) {
		t.Errorf("%q, %v", out, err)
	}
	out, err = runMain(t.Context(), "inproc_lat", "32", "200")
	if err != nil || !regexp.MustCompile(latencyLines).MatchString(out) {
		t.Errorf("%q, %v", out, err)
	}
}

func TestAMessageOfAnotherSizeIsAnError(t *testing.T) {
	endpoint := "ipc://" + filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error)
	go func() { sent <- RemoteThr(ctx, endpoint, 33, 1) }()
	if _, err := LocalThr(ctx, endpoint, 32, 1); err == nil || !strings.Contains(err.Error(), "incorrect size") {
		t.Errorf("error %v", err)
	}
	cancel()
	<-sent
}

func TestTheContextEndsEveryProgram(t *testing.T) {
	for _, name := range []string{"local_thr", "remote_thr", "local_lat", "remote_lat"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		// Nobody is at the other end; a million messages fit no queue.
		if _, err := runMain(ctx, name, "ipc://"+filepath.Join(t.TempDir(), "s"), "32", "1000000"); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestArgumentsThatMakeNoSenseGetAUsageLine(t *testing.T) {
	for args, want := range map[string]string{
		"":                                "usage: ",
		"local_thr":                       "usage: local_thr <bind-to> <message-size> <message-count>",
		"remote_thr tcp://127.0.0.1:1 1":  "usage: remote_thr <connect-to> <message-size> <message-count>",
		"local_lat tcp://127.0.0.1:1 a 1": "usage: local_lat <bind-to> <message-size> <roundtrip-count>",
		"remote_lat x 1 b":                "usage: remote_lat <connect-to> <message-size> <roundtrip-count>",
		"inproc_thr x 1 1":                "usage: inproc_thr <message-size> <message-count>",
		"inproc_lat":                      "usage: inproc_lat <message-size> <roundtrip-count>",
		"proxy_thr 1 1":                   "no program",
	} {
		_, err := runMain(t.Context(), strings.Fields(args)...)
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if _, err := runMain(t.Context(), "inproc_thr", "-1", "5"); err == nil {
		t.Error("a negative size is no error")
	}
	if _, err := runMain(t.Context(), "inproc_thr", "1", "0"); err == nil {
		t.Error("no messages are no error")
	}
}

func ExampleLatency_WriteTo() {
	var h load.Histogram
	h.RecordN(100*time.Microsecond, 2)
	var b strings.Builder
	l := Latency{Size: 64, Count: 2, Elapsed: 200 * time.Microsecond, RoundTrip: h.Summary()}
	l.WriteTo(&b)
	fmt.Print(b.String())
	// Output:
	// message size: 64 [B]
	// roundtrip count: 2
	// average latency: 50.000 [us]
	// median latency: 50.000 [us]
	// 99th percentile latency: 50.000 [us]
}
