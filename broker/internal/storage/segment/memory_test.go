package segment

import (
	"testing"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// remembered is how many bytes a writer keeps until Finish.
func remembered(w *Writer) (n int) {
	for _, s := range []*spool{&w.indexes, &w.table} {
		for _, b := range s.chunks {
			n += cap(b)
		}
	}
	return n + cap(w.buf) + cap(w.scratch)
}

func TestAWriterRemembersLittleOfManyStreamsAndLessOfManyRecords(t *testing.T) {
	const n = 100_000
	for name, law := range map[string]struct {
		stream func(i int) uint64
		most   int
	}{
		"streams of one record":  {func(i int) uint64 { return uint64(i) }, writeBuffer + 16*n},
		"one stream of them all": {func(int) uint64 { return 1 }, writeBuffer + 66<<10},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := Create(vfs.NewMemory(), ".", 1)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Abort()
			payload := sealed("a payload of a few bytes that is the same for everybody, a hundred of them or very nearly a hundred")
			var stream uint64
			for i := range n {
				if next := law.stream(i); i == 0 || next != stream {
					stream = next
					if err := w.Stream(stream); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Add(Record{Seq: uint64(i + 1), Block: payload}); err != nil {
					t.Fatal(err)
				}
			}
			if got := remembered(w); got > law.most {
				t.Fatalf("%d bytes, more than %d", got, law.most)
			}
		})
	}
}
