package segment

import (
	"fmt"
	"slices"
)

// Verify reads everything and checks it: records, payloads in this file, indexes, and whether the table says what is true.
// It returns the first damage that it finds, as a *storage.DamageError, or an error of reading. Whether payloads are where
// they should be in other files is not looked at. progress, if not nil, is called every 1 MiB or so, with how many bytes
// of the file are done.
func (s *Segment) Verify(progress func(done, total int64)) error {
	var c Cursor
	reported := int64(0)
	for e := range s.table.extents {
		err := s.verify(e, &c, func(done int64) {
			if progress != nil && done-reported >= 1<<20 {
				reported = done
				progress(done, s.file.size)
			}
		})
		if err != nil {
			return err
		}
	}
	if progress != nil {
		progress(s.file.size, s.file.size)
	}
	return nil
}

func (s *Segment) verify(e int, c *Cursor, at func(int64)) error {
	entries, err := s.index(e)
	if err != nil {
		return err
	}
	said := s.table.extents[e]
	found := Extent{Stream: said.Stream, Offset: said.Offset, Length: said.Length}
	var refs []Ref
	c.Reset(s, e, 0)
	for {
		var r Record
		ok, err := c.Next(&r)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		off := c.at - c.head.size
		if len(entries) > 0 && entries[0].off <= off {
			if entries[0] != (entry{r.Seq, off}) {
				return s.file.damage(off, fmt.Sprintf("the index of stream %d does not fit", said.Stream))
			}
			entries = entries[1:]
		}
		if r.Block == nil {
			refs = addRef(refs, r.At)
		}
		found.add(&r, r.At.Len)
		at(c.at)
	}
	if found != said || len(entries) > 0 || !slices.Equal(refs, s.Refs(e)) {
		return s.file.damage(said.Offset, fmt.Sprintf("the table does not say what there is of stream %d", said.Stream))
	}
	return nil
}
