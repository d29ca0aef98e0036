// Package program reads the command lines of the peers' programs.
package program

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Main takes a program's name, an endpoint unless the name begins with inproc_,
// a size and a count from the command line, runs the program and prints its
// result, if it has one. It exits with status 1 when anything is wrong.
func Main(run func(name, endpoint string, size, count int) (io.WriterTo, error)) {
	if err := call(os.Args[1:], run); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func call(args []string, run func(name, endpoint string, size, count int) (io.WriterTo, error)) error {
	usage := errors.New("usage: local_thr|remote_thr|local_lat|remote_lat <endpoint> <message-size> <count>\n" +
		"       inproc_thr|inproc_lat <message-size> <count>")
	if len(args) == 0 {
		return usage
	}
	name, args := args[0], args[1:]
	endpoint := "inproc://test"
	if !strings.HasPrefix(name, "inproc_") {
		if len(args) != 3 {
			return usage
		}
		endpoint, args = args[0], args[1:]
	}
	if len(args) != 2 {
		return usage
	}
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return usage
	}
	count, err := strconv.Atoi(args[1])
	if err != nil || count < 1 {
		return usage
	}
	result, err := run(name, endpoint, size, count)
	if err != nil || result == nil {
		return err
	}
	_, err = result.WriteTo(os.Stdout)
	return err
}
