package queue

// Memory is a Store in the process's memory. Records are copied one behind the other into slabs, so that a million
// messages are a few thousand allocations without pointers in them. A large record has a slab to itself.
//
// A slab is given up when its last record is released. Its number is used again.
type Memory struct {
	slabs  []slab
	vacant []uint32 // numbers of slabs without bytes
	open   uint32   // the slab that small records are written to, or none
	spare  []byte   // one emptied slab, kept for the next
	held   int      // bytes of all slabs and of the spare
	live   int      // bytes of live records
	sizes  sizes
}

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

// NewMemory returns an empty store that holds no memory yet.
func NewMemory() *Memory {
	return &Memory{open: none, sizes: sizes{least: 4 << 10, most: 256 << 10, large: 16 << 10}}
}

// Reserve makes room for a record of n bytes, n being above 0.
func (m *Memory) Reserve(n int) (Ref, []byte) {
	i := m.open
	switch {
	case n >= m.sizes.large:
		m.held += n
		i = m.add(make([]byte, n))
	case i == none || int(m.slabs[i].used)+n > len(m.slabs[i].bytes):
		i = m.add(m.fresh(n))
		m.open = i
	}
	s := &m.slabs[i]
	ref := Ref{Segment: i, Offset: s.used, Len: uint32(n)}
	s.used += uint32(n)
	s.live += uint32(n)
	m.live += n
	return ref, s.bytes[ref.Offset:s.used:s.used]
}

// fresh returns the bytes of a slab for small records, the first of which has n bytes.
func (m *Memory) fresh(n int) []byte {
	if b := m.spare; len(b) >= n {
		m.spare = nil
		return b
	}
	size := m.sizes.least
	for size < m.sizes.most && (size < n || size < m.live) {
		size *= 2
	}
	m.held += size
	return make([]byte, size)
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

// Read returns a record.
func (m *Memory) Read(r Ref) []byte {
	return m.slabs[r.Segment].bytes[r.Offset : r.Offset+r.Len : r.Offset+r.Len]
}

// Release forgets a record.
func (m *Memory) Release(r Ref) {
	s := &m.slabs[r.Segment]
	s.live -= r.Len
	m.live -= int(r.Len)
	switch {
	case s.live > 0:
	case r.Segment == m.open:
		s.used = 0 // begin again at its start
	default:
		if n := len(s.bytes); n <= m.sizes.most && n > len(m.spare) {
			m.held -= len(m.spare)
			m.spare = s.bytes
		} else {
			m.held -= n
		}
		*s = slab{}
		m.vacant = append(m.vacant, r.Segment)
	}
}

// Waste returns the bytes that no live record needs, and all that are held.
func (m *Memory) Waste() (waste, held int) { return m.held - m.live, m.held }

// Sparse reports whether less than a quarter of the record's slab is alive.
func (m *Memory) Sparse(r Ref) bool {
	s := &m.slabs[r.Segment]
	return r.Segment != m.open && int(s.live) < len(s.bytes)/4
}

// Trim gives back the spare slab and, when nothing is stored, all memory.
func (m *Memory) Trim() {
	m.held -= len(m.spare)
	m.spare = nil
	if m.live == 0 {
		*m = Memory{open: none, sizes: m.sizes}
	}
}
