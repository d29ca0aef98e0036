package pebblestore

import "encoding/binary"

// The letters that keys begin with.
const (
	nextIDKey    = 'a'
	ticketKey    = 'c'
	deliveredKey = 'd'
	valueKey     = 'k'
	returnedKey  = 'n'
	recordKey    = 'r'
	deadlineKey  = 't'
	transientKey = 'v'
	settledKey   = 'x'
)

const recordHeader = 9

const flagTransient = 1

// appendKey appends a key of a letter and numbers.
func appendKey(b []byte, letter byte, numbers ...uint64) []byte {
	b = append(b, letter)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func key(letter byte, numbers ...uint64) []byte { return appendKey(nil, letter, numbers...) }

// number returns number i of a key.
func number(key []byte, i int) uint64 { return binary.BigEndian.Uint64(key[1+8*i:]) }

// ordered maps a deadline to a number of the same order, and unordered back.
func ordered(deadline int64) uint64 { return uint64(deadline) ^ 1<<63 }

func unordered(n uint64) int64 { return int64(n ^ 1<<63) }

// behind returns the first key that does not begin with prefix, nil when there is none.
func behind(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return append(append([]byte{}, prefix[:i]...), prefix[i]+1)
		}
	}
	return nil
}
