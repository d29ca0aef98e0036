package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/warrenmq/warren/load"
)

// limitHeader is what stands before each record of the limit program: checksum, length, stream, number.
const limitHeader = 24

func (w *work) limit() (r *Result, err error) {
	file, err := os.OpenFile(filepath.Join(w.dir, "limit"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	source, table := newBodies(w.size), crc32.MakeTable(crc32.Castagnoli)
	var latency load.Histogram
	r = new(Result)
	err = measure(&r.Fill, func() (int, error) {
		var b []byte
		for done := 0; done < w.messages; {
			n := min(w.window, w.messages-done)
			start := time.Now()
			b = b[:0]
			for i := range n {
				at := len(b)
				b = append(append(b, make([]byte, limitHeader)...), source.next()...)
				binary.LittleEndian.PutUint32(b[at+4:], uint32(w.size))
				binary.LittleEndian.PutUint64(b[at+8:], uint64(source.rnd.IntN(w.streams)))
				binary.LittleEndian.PutUint64(b[at+16:], uint64(done+i))
				binary.LittleEndian.PutUint32(b[at:], crc32.Checksum(b[at+4:], table))
			}
			if _, err := file.Write(b); err != nil {
				return 0, err
			}
			if err := syscall.Fdatasync(int(file.Fd())); err != nil {
				return 0, err
			}
			latency.RecordN(time.Since(start), uint64(n))
			done += n
		}
		return w.messages, nil
	})
	r.Fill.latencies(&latency)
	return r, err
}
