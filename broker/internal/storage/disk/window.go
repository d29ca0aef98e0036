package disk

import "math"

// window is the part of a file of the journal that is in memory.
type window struct {
	file *file
	at   int64
	buf  []byte
}

const (
	// ahead is how much is read at once at most, where records are smaller.
	ahead = 256 << 10
	// apart is how far records may be apart to be read at once.
	apart = 4 << 10
)

func (w *window) reset() {
	w.file, w.at, w.buf = nil, 0, w.buf[:0]
	if cap(w.buf) > keptUnit {
		w.buf = nil
	}
}

// view returns [from, to) of the planned file, which belongs to spot i; payloads says that those of the spots are
// wanted as well.
func (w *window) view(r *reader, i int, from, to int64, payloads bool) ([]byte, error) {
	if w.file == r.file && w.at <= from && to <= w.at+int64(len(w.buf)) {
		return w.buf[from-w.at : to-w.at], nil
	}
	end := r.file.end.Load()
	start, stop := from, to
	if payloads {
		// Blocks stand before what points to them.
		start = max(r.file.begin, from-min(int64(r.size+r.size/4)+2*maxTo, ahead))
	}
	start = min(start, from)
	gap := int64(apart)
	if payloads {
		gap += int64(2 * r.size)
	}
	for _, p := range r.spots[i+1:] {
		off := int64(p.off)
		if off < stop-maxTo || off-stop > gap || off+maxTo-start > ahead {
			break
		}
		stop = max(stop, min(off+maxTo, end))
	}
	n := int(stop - start)
	if n > math.MaxInt32 {
		return nil, r.damage(from, "a record of %d bytes", n)
	}
	if cap(w.buf) < n {
		w.buf = make([]byte, n)
	}
	w.file, w.at, w.buf = r.file, start, w.buf[:n]
	if err := r.store.journal.ReadAt(r.file.number, w.buf, start); err != nil {
		w.file = nil
		return nil, err
	}
	return w.buf[from-start : to-start], nil
}
