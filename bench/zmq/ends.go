package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/warrenmq/warren/bench/internal/process"
)

// end is one implementation's six programs: a command that takes a program's
// name and its arguments.
type end struct {
	name    string
	command []string
}

// pair is a sender and a receiver, or for latency one that asks and one that
// answers.
type pair struct {
	remote, local *end
}

func (p pair) String() string { return p.remote.name + "→" + p.local.name }

// baseline is the pair that ratios are taken to.
const baseline = "libzmq→libzmq"

// build makes the ends that peers names. What can't be built here is skipped,
// with the reason, as long as Warren's own is not concerned.
func build(ctx context.Context, dir string, peers []string) (ends []*end, skipped []string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range peers {
		binary := filepath.Join(dir, name)
		var err error
		switch name {
		case "warren":
			binary = self
		case "libzmq":
			err = compile(ctx, binary, "zmq/peers/libzmq.c")
		case "pebbe":
			err = process.Build(ctx, "", binary, "./zmq/peers/pebbe", "-tags=libzmq", "CGO_ENABLED=1")
		case "go-zeromq":
			err = process.Build(ctx, "", binary, "./zmq/peers/gozeromq")
		default:
			return nil, nil, fmt.Errorf("--peers: no peer %q; there are warren, libzmq, pebbe and go-zeromq", name)
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			skipped = append(skipped, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		ends = append(ends, &end{name: name, command: []string{binary}})
	}
	return ends, skipped, nil
}

// compile compiles a C program against libzmq.
func compile(ctx context.Context, binary, source string) error {
	out, err := exec.CommandContext(ctx, "cc", "-O2", "-Wall", "-o", binary, source, "-lzmq", "-lpthread").CombinedOutput()
	if err != nil {
		return fmt.Errorf("needs a C compiler and libzmq (Debian: apt-get install gcc libzmq3-dev), and bench/ as the working folder: %w\n%s", err, out)
	}
	return nil
}

// pairs returns the cross table of Warren and libzmq, and every other peer with
// itself. Within a process there is no crossing.
func pairs(ends []*end, inproc bool) []pair {
	cross := slices.DeleteFunc(slices.Clone(ends), func(e *end) bool { return e.name != "warren" && e.name != "libzmq" })
	var list []pair
	for _, a := range ends {
		if inproc || !slices.Contains(cross, a) {
			list = append(list, pair{a, a})
			continue
		}
		for _, b := range cross {
			list = append(list, pair{a, b})
		}
	}
	return list
}
