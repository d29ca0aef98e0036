package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/block"
	"github.com/warrenmq/warren/broker/internal/storage/segment"
	"github.com/warrenmq/warren/broker/internal/storage/vfs"
)

// A file of values is drawn like a checkpoint, with "WRNMETA1"; its body is how many values there are, and each:
// length of the key, key, length of the value, value, with varints, in the order of the keys.
const (
	metaMagic   = "WRNMETA1"
	metaVersion = 1
	metaSuffix  = ".meta"
)

func metaName(number uint64) string { return fmt.Sprintf("%06d%s", number, metaSuffix) }

func segmentName(number uint64) string { return segment.Name(number) }

// metaNumber returns the number of the file of values of that name.
func metaNumber(name string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, metaSuffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, err == nil && metaName(number) == name
}

func encodeValues(values map[string][]byte) []byte {
	b := appendHead(nil, metaMagic, metaVersion)
	b = binary.AppendUvarint(b, uint64(len(values)))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		b = binary.AppendUvarint(b, uint64(len(key)))
		b = append(b, key...)
		b = binary.AppendUvarint(b, uint64(len(values[key])))
		b = append(b, values[key]...)
	}
	return appendSum(b)
}

// decodeValues calls set with every value of a file, as a put.
func decodeValues(b []byte, set func(*change)) error {
	body, err := checkFile(b, metaMagic, metaVersion)
	if err != nil {
		return err
	}
	d := decoder{b: body}
	for range d.count() {
		c := change{kind: opPut, key: d.bytes(), value: d.bytes()}
		if d.bad {
			break
		}
		set(&c)
	}
	if d.bad || d.at != len(body) {
		return errBody
	}
	return nil
}

var (
	errSum  = errors.New("it does not match its checksum")
	errBody = errors.New("what it says cannot be")
)

// VersionError says that a file is of a format that this program is too old for.
type VersionError struct {
	File    string
	Version uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has format version %d, which this program is too old for", e.File, e.Version)
}

// checkFile returns the body of a file that is drawn like a checkpoint.
func checkFile(b []byte, magic string, version uint32) ([]byte, error) {
	if len(b) < fileHead+4 || string(b[:8]) != magic {
		return nil, errSum
	}
	switch v := binary.LittleEndian.Uint32(b[8:]); {
	case v > version:
		return nil, &VersionError{Version: v} // its checksum may lie elsewhere
	case v == 0:
		return nil, errSum
	}
	end := len(b) - 4
	if block.Checksum(0, b[:end]) != binary.LittleEndian.Uint32(b[end:]) {
		return nil, errSum
	}
	return b[fileHead:end], nil
}

// readFile reads a file whole.
func readFile(fs vfs.FS, dir, name string) ([]byte, error) {
	f, err := fs.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	return b, nil
}

// damaged makes what is wrong with a file an error for who opens the store.
func damaged(name string, err error) error {
	if v, ok := errors.AsType[*VersionError](err); ok {
		v.File = name
		return v
	}
	return &storage.DamageError{File: name, What: err.Error()}
}
