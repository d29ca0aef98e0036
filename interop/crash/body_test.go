package crash

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// A body says whose it is and carries a hash of itself:
//
//	publisher u32 | number u64 | filling … | SHA-256 of all before it
const (
	bodyHead  = 12
	bodyLeast = bodyHead + sha256.Size
)

// filling is what bodies are filled from, at offsets that differ.
var filling = func() []byte {
	b := make([]byte, 1<<20)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(b)
	return b
}()

func body(i id, size int) []byte {
	size = max(size, bodyLeast)
	b := make([]byte, 0, size)
	b = binary.LittleEndian.AppendUint32(b, uint32(i.publisher))
	b = binary.LittleEndian.AppendUint64(b, i.number)
	n := size - bodyLeast
	from := int(i.number*7919) % (len(filling) - n)
	b = append(b, filling[from:from+n]...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// read returns whose body it is, if it is one that somebody has published.
func read(b []byte) (id, error) {
	if len(b) < bodyLeast {
		return id{}, fmt.Errorf("%d bytes are no body", len(b))
	}
	rest, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if is := sha256.Sum256(rest); !bytes.Equal(is[:], sum) {
		return id{}, fmt.Errorf("the hash of a body of %d bytes, which begins with %x, is wrong", len(b), b[:min(len(b), 32)])
	}
	return id{int(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint64(b[4:])}, nil
}
