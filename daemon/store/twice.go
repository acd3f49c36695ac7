package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// A file of this package is a head of a block and content, and both once more. Each half begins at
// a block of its own. The head names what it is, its format, the length and sum of the content.

const (
	block    = 4096
	headSize = 32
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errFormat means that a file is of a version that this one does not know.
type errFormat uint32

func (e errFormat) Error() string {
	return fmt.Sprintf("format %d: this version reads and writes format %d", uint32(e), Format)
}

// errDamaged means that neither half of a file is whole.
var errDamaged = errors.New("damaged, in both of its copies")

func half(magic, format uint32, content []byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, headSize, block+len(content))
	le.PutUint32(b, magic)
	le.PutUint32(b[4:], format)
	le.PutUint64(b[8:], uint64(len(content)))
	le.PutUint32(b[16:], crc32.Checksum(content, castagnoli))
	le.PutUint32(b[28:], crc32.Checksum(b[:28], castagnoli))
	b = append(b, content...)
	return append(b, make([]byte, -len(b)&(block-1))...)
}

// writeTwice puts a file in the place of the one with a name.
func writeTwice(v vfs.FS, name string, magic, format uint32, content []byte) error {
	h := half(magic, format, content)
	return vfs.Replace(v, name, vfs.Catalogue, h, h)
}

// readTwice returns the content of the two copies in a file, the first one first; a copy of which the
// head is damaged is not among them. whole says of each whether its sum is right; format is the highest that one has.
func readTwice(v vfs.FS, name string, magic uint32, limit int64) (copies [][]byte, whole []bool, format uint32, err error) {
	b, err := vfs.ReadFile(v, name, vfs.Catalogue, limit)
	if err != nil {
		return nil, nil, 0, err
	}
	for _, at := range []int{0, len(b) / 2} {
		half := b[min(at, len(b)):]
		content, sum, err := parseHalf(half, magic)
		if err != nil {
			return nil, nil, 0, fmt.Errorf("%s: at %d: %w", name, at, err)
		}
		if content != nil {
			copies, whole = append(copies, content), append(whole, sum)
			format = max(format, binary.LittleEndian.Uint32(half[4:]))
		}
	}
	if len(copies) == 0 {
		return nil, nil, 0, fmt.Errorf("%s: at 0 and %d: %w", name, len(b)/2, errDamaged)
	}
	return copies, whole, format, nil
}

// parseHalf returns the content of a half, nil if its head is damaged, and whether its sum is right.
func parseHalf(b []byte, magic uint32) (content []byte, whole bool, err error) {
	le := binary.LittleEndian
	if len(b) < headSize || le.Uint32(b) != magic || le.Uint32(b[28:]) != crc32.Checksum(b[:28], castagnoli) {
		return nil, false, nil
	}
	if f := le.Uint32(b[4:]); f < FormatFirst || f > Format {
		return nil, false, errFormat(f)
	}
	n := le.Uint64(b[8:])
	if n > uint64(len(b)-headSize) {
		n = uint64(len(b) - headSize)
	}
	content = b[headSize : headSize+n : headSize+n]
	return content, crc32.Checksum(content, castagnoli) == le.Uint32(b[16:]) && n == le.Uint64(b[8:]), nil
}
