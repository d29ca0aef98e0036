package queue

// Memory is a Store in the process's memory. Records are copied one behind the other into slabs, so that a million
// messages are a few hundred allocations without pointers in them. Large records have a slab to themselves.
//
// A slab is given back when its last record is released. The zero value is ready for use.
type Memory struct {
	slabs []slab // slabs[i] has number base+i
	base  uint32
	spare []byte // one emptied slab, kept for the next
	held  int    // bytes of all slabs
	live  int    // bytes of live records
}

type slab struct {
	bytes []byte
	used  uint32
	live  uint32 // bytes of live records
}

const (
	minSlab = 4 << 10
	maxSlab = 256 << 10
	large   = 16 << 10 // a record of this size owns its memory
)

// Reserve makes room for a record of n bytes.
func (m *Memory) Reserve(n int) (Ref, []byte) {
	i := len(m.slabs) - 1
	if i < 0 || int(m.slabs[i].used)+n > len(m.slabs[i].bytes) {
		m.grow(n)
		i = len(m.slabs) - 1
	}
	s := &m.slabs[i]
	ref := Ref{Segment: m.base + uint32(i), Offset: s.used, Len: uint32(n)}
	s.used += uint32(n)
	s.live += uint32(n)
	m.live += n
	return ref, s.bytes[ref.Offset:s.used:s.used]
}

func (m *Memory) grow(n int) {
	var b []byte
	switch {
	case n >= large:
		b = make([]byte, n)
	case len(m.spare) >= n:
		b, m.spare = m.spare, nil
		m.held -= len(b)
	default:
		size := minSlab
		for size < maxSlab && (size < n || size < m.live) {
			size *= 2
		}
		b = make([]byte, max(size, n))
	}
	m.held += len(b)
	m.slabs = append(m.slabs, slab{bytes: b})
}

// Read returns a record.
func (m *Memory) Read(r Ref) []byte {
	return m.slabs[r.Segment-m.base].bytes[r.Offset : r.Offset+r.Len : r.Offset+r.Len]
}

// Release forgets a record.
func (m *Memory) Release(r Ref) {
	i := r.Segment - m.base
	s := &m.slabs[i]
	s.live -= r.Len
	m.live -= int(r.Len)
	if s.live > 0 {
		return
	}
	if int(i) == len(m.slabs)-1 && len(s.bytes) <= maxSlab {
		s.used = 0 // the slab being written is empty: begin again at its start
	} else {
		m.retire(s)
	}
	for len(m.slabs) > 1 && m.slabs[0].bytes == nil {
		m.slabs = m.slabs[1:]
		m.base++
	}
}

func (m *Memory) retire(s *slab) {
	if len(s.bytes) <= maxSlab && len(s.bytes) > len(m.spare) {
		m.held -= len(m.spare)
		m.spare = s.bytes
	} else {
		m.held -= len(s.bytes)
	}
	s.bytes, s.used = nil, 0
}

// Waste returns the bytes that no live record needs, and all that are held.
func (m *Memory) Waste() (waste, held int) { return m.held - m.live, m.held }

// Sparse reports whether less than a quarter of the record's slab is alive.
func (m *Memory) Sparse(r Ref) bool {
	s := &m.slabs[r.Segment-m.base]
	return int(r.Segment-m.base) != len(m.slabs)-1 && int(s.live) < len(s.bytes)/4
}

// Trim gives back the spare slab and, when nothing is stored, all memory.
func (m *Memory) Trim() {
	m.held -= len(m.spare)
	m.spare = nil
	if m.live == 0 {
		m.base += uint32(len(m.slabs))
		m.slabs, m.held = nil, 0
	}
}
