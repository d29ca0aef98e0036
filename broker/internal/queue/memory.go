package queue

import "slices"

// Memory keeps the records of one queue. They lie one behind the other in slabs, so that a million messages are a few
// thousand allocations without pointers in them. A large record has a slab to itself.
//
// A slab is given up when its last record is released. Its number is used again, and a few of the slabs emptied last are
// kept for the next ones: a new one must be cleared first, and ends as garbage.
type Memory struct {
	slabs  []slab
	vacant []uint32 // numbers of slabs without bytes
	open   uint32   // the slab that small records are written to, or none
	spares [][]byte // emptied slabs, the latest at the end
	spare  int      // bytes of the spares: at most as many as are alive, and those of one slab
	held   int      // bytes of all slabs and of the spares
	live   int      // bytes of live records
	sizes  sizes
}

// maxSpares is how many emptied slabs are kept, each for small records or as small as those.
const maxSpares = 16

type slab struct {
	bytes []byte // nil is a vacant number
	used  uint32 // where the next record goes
	live  uint32 // bytes of live records
}

// sizes are in bytes.
type sizes struct {
	least int // a slab of small records has so many at first,
	most  int // and at most so many once much is stored
	large int // a record of so many has a slab to itself; at most most
}

const none = ^uint32(0)

// NewMemory returns an empty memory, which holds no bytes yet.
func NewMemory() *Memory {
	return &Memory{open: none, sizes: sizes{least: 4 << 10, most: 256 << 10, large: 16 << 10}}
}

// Reserve makes room for a record of n bytes, n being above 0, and returns the bytes to fill.
func (m *Memory) Reserve(n int) (Ref, []byte) {
	i := m.open
	switch {
	case n >= m.sizes.large:
		i = m.add(m.fresh(n, n+n/4))
	case i == none || int(m.slabs[i].used)+n > len(m.slabs[i].bytes):
		i = m.add(m.fresh(m.size(n), m.sizes.most))
		m.open = i
	}
	s := &m.slabs[i]
	ref := Ref{Segment: i, Offset: s.used, Len: uint32(n)}
	s.used += uint32(n)
	s.live += uint32(n)
	m.live += n
	return ref, s.bytes[ref.Offset:s.used:s.used]
}

// size is how large the next slab for small records is, the first of which has n bytes.
func (m *Memory) size(n int) int {
	size := m.sizes.least
	for size < m.sizes.most && (size < n || size < m.live) {
		size *= 2
	}
	return size
}

// fresh returns the bytes of a new slab: a spare of between least and most bytes, or least.
func (m *Memory) fresh(least, most int) []byte {
	for i := len(m.spares) - 1; i >= 0; i-- {
		if b := m.spares[i]; len(b) >= least && len(b) <= most {
			m.spares = slices.Delete(m.spares, i, i+1)
			m.spare -= len(b)
			return b
		}
	}
	m.held += least
	return make([]byte, least)
}

// thin gives back the oldest spares where there are too many.
func (m *Memory) thin() {
	drop := 0
	for ; len(m.spares)-drop > maxSpares || m.spare > m.live+m.sizes.most; drop++ {
		n := len(m.spares[drop])
		m.spare -= n
		m.held -= n
	}
	m.spares = slices.Delete(m.spares, 0, drop)
}

// add gives bytes a number.
func (m *Memory) add(b []byte) uint32 {
	if n := len(m.vacant); n > 0 {
		i := m.vacant[n-1]
		m.vacant = m.vacant[:n-1]
		m.slabs[i] = slab{bytes: b}
		return i
	}
	m.slabs = append(m.slabs, slab{bytes: b})
	return uint32(len(m.slabs) - 1)
}

// Read returns a record: a view that is valid until it is released.
func (m *Memory) Read(r Ref) []byte {
	return m.slabs[r.Segment].bytes[r.Offset : r.Offset+r.Len : r.Offset+r.Len]
}

// Release says that a record will not be read again.
func (m *Memory) Release(r Ref) {
	s := &m.slabs[r.Segment]
	s.live -= r.Len
	m.live -= int(r.Len)
	switch {
	case s.live > 0:
	case r.Segment == m.open:
		s.used = 0 // begin again at its start
	default:
		if n := len(s.bytes); n <= m.sizes.most {
			m.spares = append(m.spares, s.bytes)
			m.spare += n
		} else {
			m.held -= n
		}
		*s = slab{}
		m.vacant = append(m.vacant, r.Segment)
	}
	if len(m.spares) > maxSpares || m.spare > m.live+m.sizes.most {
		m.thin()
	}
}

// Waste returns the bytes that no live record needs, and all that are held.
func (m *Memory) Waste() (waste, held int) { return m.held - m.live, m.held }

// Sparse reports whether less than a quarter of the record's slab is alive, so that the record is worth moving.
func (m *Memory) Sparse(r Ref) bool {
	s := &m.slabs[r.Segment]
	return r.Segment != m.open && int(s.live) < len(s.bytes)/4
}

// Trim gives back the spares and, when there is no record, all bytes.
func (m *Memory) Trim() {
	m.held -= m.spare
	m.spares, m.spare = nil, 0
	if m.live == 0 {
		*m = Memory{open: none, sizes: m.sizes}
	}
}
