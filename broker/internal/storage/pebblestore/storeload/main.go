// Command storeload gives one store one load and prints what it took, as JSON. bench/store runs it, store after store, so
// that each measurement has a process of its own.
//
//	storeload -store disk -dir /var/tmp/x -streams 1000 -size 1024 -window 1024 -messages 1000000
//
// It fills: one goroutine hands over batches of up to 64 records, of random bytes, to streams in random order, and is at
// most the window ahead of what is durable. Then it drains: it reads 256 records of each stream in turn, settles them and
// goes on to the next. With -queue it does both at once, on one stream: each batch also settles as many
// records as it brings, the oldest ones.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/load"
)

// work is what is to be done.
type work struct {
	store    string
	dir      string
	streams  int
	size     int
	window   int
	messages int
	queue    bool
}

func main() {
	var w work
	flag.StringVar(&w.store, "store", "disk", "disk or pebble")
	flag.StringVar(&w.dir, "dir", "", "an empty folder on the disk to measure; required")
	flag.IntVar(&w.streams, "streams", 1, "how many streams")
	flag.IntVar(&w.size, "size", 1024, "bytes of a record")
	flag.IntVar(&w.window, "window", 1024, "how many records may be on their way to the disk")
	flag.IntVar(&w.messages, "messages", 1_000_000, "how many records")
	flag.BoolVar(&w.queue, "queue", false, "settle while filling")
	flag.Parse()
	if w.dir == "" || w.streams < 1 || w.size < 1 || w.window < 1 || w.messages < 1 {
		flag.Usage()
		os.Exit(2)
	}
	result, err := w.do()
	if err != nil {
		fmt.Fprintln(os.Stderr, "storeload:", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(result)
}

func (w *work) do() (*Result, error) {
	open := stores[w.store]
	if open == nil {
		return nil, fmt.Errorf("no store %q", w.store)
	}
	s, err := open(w.dir)
	if err != nil {
		return nil, err
	}
	f := newFiller(w, s)
	var r Result
	if err := measure(&r.Fill, f.fill); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	r.Fill.latencies(&f.latency)
	if !w.queue {
		d := &drainer{work: w, store: s, streams: f.streams}
		if err := measure(&r.Drain, d.drain); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	before, err := written()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	after, err := written()
	r.Closing = after - before
	return &r, err
}

// bodies hands out random bytes: parts of a block that is larger than a processor's cache, at random places.
type bodies struct {
	block []byte
	size  int
	rnd   *rand.Rand
}

func newBodies(size int) *bodies {
	seed := rand.NewChaCha8([32]byte{1})
	b := &bodies{block: make([]byte, max(4<<20, 2*size)), size: size, rnd: rand.New(rand.NewPCG(1, 2))}
	seed.Read(b.block)
	return b
}

func (b *bodies) next() []byte {
	at := b.rnd.IntN(len(b.block) - b.size)
	return b.block[at : at+b.size]
}

// mostInBatch is how many records a batch has: about what one read from a socket brings.
const mostInBatch = 64

// filler writes the records.
type filler struct {
	*work
	store   storage.Store
	bodies  *bodies
	streams []storage.Stream
	next    []uint64 // by stream
	latency load.Histogram
}

func newFiller(w *work, s storage.Store) *filler {
	f := &filler{work: w, store: s, bodies: newBodies(w.size), next: make([]uint64, w.streams)}
	for range w.streams {
		f.streams = append(f.streams, s.NewStream())
	}
	return f
}

// handed is a batch that is on its way to the disk.
type handed struct {
	ticket storage.Ticket
	n      int
	at     time.Time
}

func (f *filler) fill() (int, error) {
	b := f.store.NewBatch()
	var under []handed
	left, free, settle := f.messages, f.window, uint64(1)
	for left > 0 || len(under) > 0 {
		for left > 0 && free > 0 {
			n := min(left, free, mostInBatch)
			at := time.Now()
			for range n {
				copy(b.Message(f.size), f.bodies.next())
				i := f.bodies.rnd.IntN(len(f.streams))
				f.next[i]++
				b.To(f.streams[i], f.next[i], 0, false)
			}
			if f.queue && f.messages-left >= f.window { // the ones before were durable, and so delivered, by now
				for range n {
					b.Settle(f.streams[0], settle)
					settle++
				}
			}
			under = append(under, handed{b.Commit(true), n, at})
			left -= n
			free -= n
		}
		// One wait, then all that became durable with it.
		if err := f.store.Wait(under[0].ticket); err != nil {
			return 0, err
		}
		durable, now := f.store.Durable(), time.Now()
		done := 0
		for done < len(under) && under[done].ticket <= durable {
			f.latency.RecordN(now.Sub(under[done].at), uint64(under[done].n))
			free += under[done].n
			done++
		}
		under = append(under[:0], under[done:]...)
	}
	return f.messages, nil
}

// drainer reads the records and settles them.
type drainer struct {
	*work
	store   storage.Store
	streams []storage.Stream
}

// mostInRead is how many records are read of a stream before it is the next one's turn.
const mostInRead = 256

func (d *drainer) drain() (int, error) {
	b := d.store.NewBatch()
	from := make([]uint64, len(d.streams))
	var last storage.Ticket
	for total, before := 0, -1; total < d.messages; {
		if total == before {
			return 0, fmt.Errorf("only %d of %d records are there", total, d.messages)
		}
		before = total
		for i, s := range d.streams {
			n := 0
			err := s.Read(from[i], func(r *storage.Record) bool {
				if len(r.Payload) != d.size {
					n = -1
					return false
				}
				b.Settle(s, r.Seq)
				from[i] = r.Seq + 1
				n++
				return n < mostInRead
			})
			if err != nil {
				return 0, err
			}
			if n < 0 {
				return 0, fmt.Errorf("stream %d has a record of another size", s.ID())
			}
			total += n
			if t := b.Commit(total == d.messages); t != 0 {
				last = t
			}
		}
	}
	return d.messages, d.store.Wait(last)
}
