package pump

import "sync"

// Buffers come in four sizes. A connection that waits for a frame's rest holds a small one, a read takes a medium one,
// the two others serve large frames and full outputs. Anything beyond is left to the garbage collector.
const (
	sizeSmall  = 4 << 10
	sizeMedium = 64 << 10
	sizeLarge  = 256 << 10
	sizeHuge   = 1 << 20
)

// buffers lends byte slices. They are kept as pointers to arrays, which fit into an interface without an allocation.
type buffers struct {
	small, medium, large, huge sync.Pool
}

// get lends an empty slice with room for n bytes at least.
func (p *buffers) get(n int) []byte {
	switch {
	case n <= sizeSmall:
		if a, ok := p.small.Get().(*[sizeSmall]byte); ok {
			return a[:0]
		}
		return new([sizeSmall]byte)[:0]
	case n <= sizeMedium:
		if a, ok := p.medium.Get().(*[sizeMedium]byte); ok {
			return a[:0]
		}
		return new([sizeMedium]byte)[:0]
	case n <= sizeLarge:
		if a, ok := p.large.Get().(*[sizeLarge]byte); ok {
			return a[:0]
		}
		return new([sizeLarge]byte)[:0]
	case n <= sizeHuge:
		if a, ok := p.huge.Get().(*[sizeHuge]byte); ok {
			return a[:0]
		}
		return new([sizeHuge]byte)[:0]
	}
	return make([]byte, 0, n)
}

// put takes a slice back, also one that append has grown to a size of its own: it serves as the next smaller size. What
// is more than twice the largest size is dropped, since the surplus would be held for nothing.
func (p *buffers) put(b []byte) {
	switch c := cap(b); {
	case c < sizeSmall || c > 2*sizeHuge:
	case c < sizeMedium:
		p.small.Put((*[sizeSmall]byte)(b[:sizeSmall]))
	case c < sizeLarge:
		p.medium.Put((*[sizeMedium]byte)(b[:sizeMedium]))
	case c < sizeHuge:
		p.large.Put((*[sizeLarge]byte)(b[:sizeLarge]))
	default:
		p.huge.Put((*[sizeHuge]byte)(b[:sizeHuge]))
	}
}
