// Package limit is what a machine's disk allows a store, at best: the limit program of the benchmarks.
package limit

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/warrenmq/warren/load"
)

// Options are a run of the program.
type Options struct {
	Dir      string        // where the file is made, and removed in the end
	Size     int           // bytes of a record
	Window   int           // records for each sync
	Records  int           // when it ends; 0 = by Duration
	Duration time.Duration // when it ends; 0 = by Records
}

// Result is what it took.
type Result struct {
	Records int
	Elapsed time.Duration
	CPU     time.Duration // of this process, in that time
	Latency load.Summary  // from the first byte of a batch to the end of its sync
}

// header is what stands before each record: checksum, length, stream, number.
const header = 24

// Run appends records to one file from one goroutine: as many as the window has get a header and a checksum each, go into
// one write, and are synced. It holds nothing and files nothing. With a window of 1 it is a bare append and fdatasync.
func Run(o Options) (r *Result, err error) {
	name := filepath.Join(o.Dir, "limit")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(name)) }()
	before, err := load.ProcessUsage(os.Getpid())
	if err != nil {
		return nil, err
	}
	r = new(Result)
	var latency load.Histogram
	next := bodies(o.Size)
	table := crc32.MakeTable(crc32.Castagnoli)
	var b []byte
	start := time.Now()
	for (o.Records == 0 || r.Records < o.Records) && (o.Duration == 0 || time.Since(start) < o.Duration) {
		n := o.Window
		if o.Records > 0 {
			n = min(n, o.Records-r.Records)
		}
		begun := time.Now()
		b = b[:0]
		for i := range n {
			at := len(b)
			b = append(b, make([]byte, header)...)
			b = append(b, next()...)
			binary.LittleEndian.PutUint32(b[at+4:], uint32(o.Size))
			binary.LittleEndian.PutUint64(b[at+16:], uint64(r.Records+i))
			binary.LittleEndian.PutUint32(b[at:], crc32.Checksum(b[at+4:], table))
		}
		if _, err := file.Write(b); err != nil {
			return nil, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return nil, err
		}
		latency.RecordN(time.Since(begun), uint64(n))
		r.Records += n
	}
	r.Elapsed = time.Since(start)
	after, err := load.ProcessUsage(os.Getpid())
	r.CPU, r.Latency = after.CPU-before.CPU, latency.Summary()
	return r, err
}

// bodies returns what hands out random bytes: parts of a block, at random places.
func bodies(size int) func() []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	block := make([]byte, max(4<<20, 2*size))
	rand.NewChaCha8([32]byte{1}).Read(block)
	return func() []byte {
		at := rnd.IntN(len(block) - size)
		return block[at : at+size]
	}
}
