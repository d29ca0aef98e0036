package amqp091

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

// FuzzSession sends any bytes to an open connection. Whatever they are: nothing panics, the broker's own bytes are sound
// frames, and when the connection has ended it has left nothing behind. Sessions run on goroutines, so coverage wavers and
// the fuzzer would spend its time on minimizing: run it with -fuzzminimizetime=10x.
func FuzzSession(f *testing.F) {
	for _, seed := range clientBytes(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wild []byte) {
		h := newHouse(t, 1<<20)
		defer h.close()
		client := h.connect()
		done := make(chan error, 1)
		go func() { done <- readFrames(client) }()
		if err := client.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		// The broker may stop reading for good, so the end comes from this side.
		_, _ = client.Write(append(handshake("guest", "guest"), wild...))
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.drain()
		for _, q := range h.broker.VHost("/").Queues() {
			if i := q.Info(); i.Consumers > 0 || i.Unacked > 0 || i.Exclusive {
				t.Errorf("the connection is gone, and queue %q has %d consumers, %d unacked, exclusive %v", i.Name, i.Consumers, i.Unacked, i.Exclusive)
			}
		}
	})
}

// drain waits until all connections are gone.
func (h *house) drain() {
	if err := h.server.Shutdown(h.t.Context(), "test"); err != nil {
		h.t.Error(err)
	}
}

// readFrames reads what a broker says until it hangs up, and returns what is wrong with it.
func readFrames(r io.Reader) error {
	var in []byte
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		in = append(in, buf[:n]...)
		for {
			f, size, err := wire.ScanFrame(in, frameMax)
			if err != nil {
				return err
			}
			if size == 0 {
				break
			}
			if f.Type == wire.FrameMethod {
				id, args, err := wire.SplitMethod(f.Payload)
				if err != nil {
					return err
				}
				if err := wire.NewMethod(id).Decode(args); err != nil {
					return err
				}
			}
			in = in[size:]
		}
		if err != nil {
			return nil // cut off in the middle of a frame or not
		}
	}
}

// clientBytes is what the clients of the transcripts say, without their handshakes.
func clientBytes(f *testing.F) [][]byte {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	t := new(testing.T)
	var all [][]byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var said []byte
		for _, line := range strings.Split(string(text), "\n") {
			words := fields(t, line)
			if len(words) > 1 && words[0] == "->" && words[1] != "hangup" {
				said = append(said, frameOf(t, words[1:])...)
			}
			if strings.HasPrefix(line, "@") && len(said) > 0 {
				all = append(all, said)
				said = nil
			}
		}
		all = append(all, said)
	}
	return all
}
