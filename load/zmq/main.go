package zmq

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A program is one of libzmq's, by what its arguments are called and what it
// does.
type program struct {
	arguments []string // an endpoint or none, a size and a count
	run       func(ctx context.Context, endpoint string, size, count int) (io.WriterTo, error)
}

// lookup returns the program of a name, or nil.
func lookup(name string) *program {
	switch name {
	case "local_thr":
		return &program{[]string{"<bind-to>", "<message-size>", "<message-count>"},
			func(ctx context.Context, endpoint string, size, count int) (io.WriterTo, error) {
				return LocalThr(ctx, endpoint, size, count)
			}}
	case "remote_thr":
		return &program{[]string{"<connect-to>", "<message-size>", "<message-count>"},
			func(ctx context.Context, endpoint string, size, count int) (io.WriterTo, error) {
				return nil, RemoteThr(ctx, endpoint, size, count)
			}}
	case "local_lat":
		return &program{[]string{"<bind-to>", "<message-size>", "<roundtrip-count>"},
			func(ctx context.Context, endpoint string, size, count int) (io.WriterTo, error) {
				return nil, LocalLat(ctx, endpoint, size, count)
			}}
	case "remote_lat":
		return &program{[]string{"<connect-to>", "<message-size>", "<roundtrip-count>"},
			func(ctx context.Context, endpoint string, size, count int) (io.WriterTo, error) {
				return RemoteLat(ctx, endpoint, size, count)
			}}
	case "inproc_thr":
		return &program{[]string{"<message-size>", "<message-count>"},
			func(ctx context.Context, _ string, size, count int) (io.WriterTo, error) {
				return InprocThr(ctx, size, count)
			}}
	case "inproc_lat":
		return &program{[]string{"<message-size>", "<roundtrip-count>"},
			func(ctx context.Context, _ string, size, count int) (io.WriterTo, error) {
				return InprocLat(ctx, size, count)
			}}
	}
	return nil
}

// A UsageError tells that Main was called with arguments it can't use. Its
// text is a usage line.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Main runs the program args[0], which is local_thr, remote_thr, local_lat,
// remote_lat, inproc_thr or inproc_lat, with the arguments that libzmq's takes,
// and writes what it prints to w. Arguments that make no sense are a
// *UsageError. It blocks until the program's work is done or ctx ends.
func Main(ctx context.Context, w io.Writer, args []string) error {
	if len(args) == 0 {
		return &UsageError{"usage: local_thr|remote_thr|local_lat|remote_lat|inproc_thr|inproc_lat <arguments>"}
	}
	name, args := args[0], args[1:]
	p := lookup(name)
	if p == nil {
		return &UsageError{fmt.Sprintf("no program %q; there are local_thr, remote_thr, local_lat, remote_lat, inproc_thr and inproc_lat", name)}
	}
	usage := &UsageError{"usage: " + name + " " + strings.Join(p.arguments, " ")}
	if len(args) != len(p.arguments) {
		return usage
	}
	endpoint := ""
	if len(args) == 3 {
		endpoint, args = args[0], args[1:]
	}
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return usage
	}
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return usage
	}
	result, err := p.run(ctx, endpoint, size, count)
	if err != nil {
		return err
	}
	if result == nil {
		return nil
	}
	_, err = result.WriteTo(w)
	return err
}
