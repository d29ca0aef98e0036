package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
)

// line is one line of an input without its newline, or the error that ended the input, io.EOF at its end.
type line struct {
	text []byte
	err  error
}

// readLines sends each line of in, also a last one without a newline, then the error that ended the input. It stops
// when ctx ends; the goroutine then stays until its Read of in returns, which for a terminal is when the process ends.
func readLines(ctx context.Context, in io.Reader) <-chan line {
	lines := make(chan line)
	go func() {
		r := bufio.NewReaderSize(in, 64<<10)
		for {
			text, err := r.ReadBytes('\n')
			if len(text) > 0 {
				select {
				case lines <- line{text: bytes.TrimSuffix(text, []byte{'\n'})}:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				select {
				case lines <- line{err: err}:
				case <-ctx.Done():
				}
				return
			}
		}
	}()
	return lines
}
