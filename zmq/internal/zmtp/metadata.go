package zmtp

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// A Property is a name and a value of the metadata that READY carries.
type Property struct {
	Name  string
	Value []byte
}

// Metadata is the list of a peer's properties in the order they came.
type Metadata []Property

// The properties that this package sends and reads.
const (
	propSocketType = "Socket-Type"
	propIdentity   = "Identity"
	propNotes      = "X-Notes" // RFC 37 leaves names with X- to applications
)

// Get returns the value of the first property of this name; names are
// compared without regard to case (RFC 37, "Connection Metadata").
func (m Metadata) Get(name string) ([]byte, bool) {
	for _, p := range m {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return nil, false
}

// AppendMetadata appends properties as READY carries them.
//
//	name-size(1) name value-size(4, big-endian) value
func AppendMetadata(dst []byte, m Metadata) []byte {
	for _, p := range m {
		dst = append(dst, byte(len(p.Name)))
		dst = append(dst, p.Name...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.Value)))
		dst = append(dst, p.Value...)
	}
	return dst
}

// ParseMetadata reads properties until b ends. The values alias b.
func ParseMetadata(b []byte) (Metadata, error) {
	var m Metadata
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 || len(b) < 1+n+4 {
			return nil, fmt.Errorf("%w: metadata ends inside a property", ErrCommand)
		}
		name := string(b[1 : 1+n])
		size := binary.BigEndian.Uint32(b[1+n:])
		b = b[1+n+4:]
		if uint64(size) > uint64(len(b)) {
			return nil, fmt.Errorf("%w: property %q announces %d bytes, %d are left", ErrCommand, name, size, len(b))
		}
		m = append(m, Property{Name: name, Value: b[:size:size]})
		b = b[size:]
	}
	return m, nil
}
