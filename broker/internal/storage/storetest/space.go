package storetest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// rest lets a store do what it has to do until there is nothing more, and returns the files that it has then.
func (w *world) rest() (map[string]int64, error) {
	var before map[string]int64
	for range 100 {
		for _, step := range []func() error{w.store.Commit, w.store.CopyOut, w.store.Compact, w.store.Checkpoint} {
			if err := step(); err != nil {
				return nil, err
			}
		}
		now, err := folder(w.process)
		if err != nil {
			return nil, err
		}
		if same(before, now) {
			return now, nil
		}
		before = now
	}
	return nil, fmt.Errorf("the store does not come to rest")
}

// same reports whether two looks at a folder show the same, but for the names of files that are rewritten.
func same(a, b map[string]int64) bool {
	sizes := func(m map[string]int64) (s []int64) {
		for _, n := range m {
			s = append(s, n)
		}
		slices.Sort(s)
		return s
	}
	return a != nil && slices.Equal(sizes(a), sizes(b))
}

// folder returns the files in a store's folder and their sizes.
func folder(fs vfs.FS) (map[string]int64, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64)
	for _, name := range names {
		f, err := fs.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		sizes[name], err = f.Size()
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return sizes, nil
}

// space says what is wrong with the files of a store at rest: I9.
func (w *world) space(files map[string]int64) error {
	var disk, segments int64
	for name, size := range files {
		if strings.HasSuffix(name, ".tmp") {
			return fmt.Errorf("%s is left over", name)
		}
		disk += size
		if strings.HasSuffix(name, ".segment") {
			segments += size
		}
	}
	var live, streams, largest int64
	for _, st := range w.history.Now().streams {
		if len(st.records) > 0 {
			streams++
		}
		for i := range st.records {
			n := int64(len(st.records[i].payload)) + 64
			live += n
			largest = max(largest, n)
		}
	}
	if segments > 0 && live == 0 {
		return fmt.Errorf("nothing is alive, and segments take %d bytes: %v", segments, files)
	}
	// A file is rewritten when less than half of it is alive; the journal keeps some files, and a large record makes a large one.
	if bound := 2*live + 8*(w.journal+largest) + 1024*streams + 16<<10; disk > bound {
		return fmt.Errorf("%d bytes are alive, and the files take %d, more than %d: %v", live, disk, bound, files)
	}
	return nil
}
