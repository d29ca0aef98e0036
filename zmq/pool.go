package zmq

import "sync"

// The sizes of the buffers that connections read into and write from. A quiet
// connection has a small one, a busy one large ones.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

// hugeBuffer is the size beyond which a buffer is not kept for reuse.
const hugeBuffer = 1 << 20

// A pool keeps the buffers of one socket for reuse: small ones, large ones,
// and such as were made for one message that is larger still.
type pool struct {
	small, large, special sync.Pool
}

// get returns an empty buffer with room for size bytes at least.
func (p *pool) get(size int) []byte {
	switch {
	case size <= smallBuffer:
		if b, ok := p.small.Get().(*[smallBuffer]byte); ok {
			return b[:0]
		}
		return make([]byte, 0, smallBuffer)
	case size <= largeBuffer:
		if b, ok := p.large.Get().(*[largeBuffer]byte); ok {
			return b[:0]
		}
		return make([]byte, 0, largeBuffer)
	}
	if b, ok := p.special.Get().(*[]byte); ok && cap(*b) >= size && cap(*b)/2 < size {
		return (*b)[:0]
	}
	return make([]byte, 0, size)
}

// put takes back a buffer that get returned and that nobody uses any more.
func (p *pool) put(b []byte) {
	switch cap(b) {
	case smallBuffer:
		p.small.Put((*[smallBuffer]byte)(b[:smallBuffer]))
	case largeBuffer:
		p.large.Put((*[largeBuffer]byte)(b[:largeBuffer]))
	default:
		if cap(b) > largeBuffer && cap(b) <= hugeBuffer {
			kept := b // a copy, so that b stays off the heap in the other cases
			p.special.Put(&kept)
		}
	}
}
