package archive

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// Magic is what an archive begins with.
const Magic = "NATSARC1"

// Names of entries that are no messages.
const (
	State    = "state.json"
	Consumer = "consumers/" // and the consumer's name
)

// largestName is more than a subject may have.
const largestName = 1 << 20

// Entry is what stands before the bytes of an entry.
type Entry struct {
	Name    string
	Time    int64  // nanoseconds since 1970
	Seq     uint64 // 0: it is no message
	Header  int    // bytes
	Payload int    // bytes behind the header
}

// end reports whether it ends the archive.
func (e *Entry) end() bool { return *e == Entry{} }

// Writer writes an archive.
type Writer struct {
	w     io.Writer
	head  []byte
	began bool
}

// NewWriter returns one that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes an entry. Header and payload lengths are those of the slices.
func (w *Writer) Write(name string, time int64, seq uint64, header, payload []byte) error {
	b := w.head[:0]
	if !w.began {
		b, w.began = append(b, Magic...), true
	}
	b = binary.AppendUvarint(b, uint64(len(name)))
	b = binary.AppendVarint(b, time)
	for _, n := range []uint64{seq, uint64(len(header)), uint64(len(payload))} {
		b = binary.AppendUvarint(b, n)
	}
	w.head = append(b, name...)
	for _, p := range [][]byte{w.head, header, payload} {
		if _, err := w.w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// End writes the entry that ends the archive.
func (w *Writer) End() error { return w.Write("", 0, 0, nil, nil) }

// Errors of a [Reader].
var (
	ErrDamaged = errors.New("the archive is damaged")
	ErrCut     = errors.New("the archive was cut off")
	ErrForm    = errors.New("the archive has no form that is known")
)

// Reader reads an archive. Its memory grows with what has come, not with what is announced.
type Reader struct {
	r     *bufio.Reader
	at    Entry
	left  int // of the entry, not read
	began bool
}

// NewReader returns one that reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 64<<10)} }

// Next goes to the next entry. It returns io.EOF behind the last one.
func (r *Reader) Next() (Entry, error) {
	if !r.began {
		var m [len(Magic)]byte
		if _, err := io.ReadFull(r.r, m[:]); err != nil {
			return Entry{}, cut(err)
		}
		if string(m[:]) != Magic {
			return Entry{}, ErrForm
		}
		r.began = true
	}
	if _, err := r.r.Discard(r.left); err != nil {
		return Entry{}, cut(err)
	}
	r.left = 0
	e, err := r.entry()
	if err != nil {
		return e, cut(err)
	}
	if e.end() {
		return e, io.EOF
	}
	r.at, r.left = e, e.Header+e.Payload
	return e, nil
}

func (r *Reader) entry() (e Entry, err error) {
	var n [4]uint64 // name, sequence, header, payload
	for i := range n {
		if n[i], err = r.uvarint(); err != nil {
			return e, err
		}
		if i == 0 {
			t, err := r.uvarint()
			if err != nil {
				return e, err
			}
			e.Time = int64(t>>1) ^ -int64(t&1)
		}
	}
	const largest = 1 << 40
	if n[0] > largestName || n[2] > largest || n[3] > largest {
		return e, ErrDamaged
	}
	name := make([]byte, n[0])
	if _, err := io.ReadFull(r.r, name); err != nil {
		return e, err
	}
	e.Name, e.Seq, e.Header, e.Payload = string(name), n[1], int(n[2]), int(n[3])
	return e, nil
}

func (r *Reader) uvarint() (v uint64, err error) {
	for shift := 0; ; shift += 7 {
		b, err := r.r.ReadByte()
		if err != nil {
			return 0, err
		}
		if shift == 63 && b > 1 {
			return 0, ErrDamaged
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
}

// Body reads the header and the payload of the entry, into a slice of its own.
func (r *Reader) Body() (header, payload []byte, err error) {
	b, err := io.ReadAll(io.LimitReader(r.r, int64(r.left)))
	if err != nil {
		return nil, nil, cut(err)
	}
	if len(b) < r.left {
		return nil, nil, ErrCut
	}
	r.left = 0
	return b[:r.at.Header:r.at.Header], b[r.at.Header:], nil
}

// cut says what an error of reading means.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCut
	}
	return err
}
