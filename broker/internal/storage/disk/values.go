package disk

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

// values is what was put under keys.
type values struct {
	mu sync.RWMutex
	// mu owns these.
	byKey  map[string][]byte // the slices are never changed
	keys   []string          // those of byKey, and perhaps some that are gone or stand here twice
	sorted bool              // keys is in order and exact
	serial uint64            // goes up with each change
}

// set makes a put or a delete take effect.
func (v *values) set(c *change) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.serial++
	if c.kind == opDelete {
		if _, ok := v.byKey[string(c.key)]; ok {
			delete(v.byKey, string(c.key))
			v.sorted = false
		}
		return
	}
	if _, ok := v.byKey[string(c.key)]; !ok {
		v.keys = append(v.keys, string(c.key))
		v.sorted = false
	}
	v.byKey[string(c.key)] = append(make([]byte, 0, len(c.value)), c.value...)
}

// sort puts the keys in order. mu is held.
func (v *values) sort() {
	if v.sorted {
		return
	}
	slices.Sort(v.keys)
	v.keys = slices.Compact(v.keys)
	if len(v.keys) > len(v.byKey) {
		v.keys = slices.DeleteFunc(v.keys, func(key string) bool { _, ok := v.byKey[key]; return !ok })
	}
	v.sorted = true
}

// since returns all values, if they are others than those with a serial, and which serial they have.
func (v *values) since(serial uint64) (map[string][]byte, uint64) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.serial == serial {
		return nil, serial
	}
	return maps.Clone(v.byKey), v.serial
}

// Value implements storage.Store.
func (st *Store) Value(key string) ([]byte, bool) {
	v := &st.values
	v.mu.RLock()
	defer v.mu.RUnlock()
	value, ok := v.byKey[key]
	return value, ok
}

// Values implements storage.Store.
func (st *Store) Values(prefix string) iter.Seq2[string, []byte] {
	type pair struct {
		key   string
		value []byte
	}
	var pairs []pair
	v := &st.values
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sort()
	from, _ := slices.BinarySearch(v.keys, prefix)
	for _, key := range v.keys[from:] {
		if !strings.HasPrefix(key, prefix) {
			break
		}
		pairs = append(pairs, pair{key, v.byKey[key]})
	}
	return func(yield func(string, []byte) bool) {
		for _, p := range pairs {
			if !yield(p.key, p.value) {
				return
			}
		}
	}
}
