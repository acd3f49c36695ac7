package journal

import (
	"io"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// window reads a file from front to back in large pieces.
type window struct {
	f    vfs.File
	size int64
	buf  []byte
	off  int64 // of buf in the file
}

const windowSize = 256 << 10

// get returns n bytes at off, which the file must have. They are valid until the next call.
func (w *window) get(off, n int64) ([]byte, error) {
	if off >= w.off && off+n <= w.off+int64(len(w.buf)) {
		return w.buf[off-w.off:][:n], nil
	}
	want := min(max(n, windowSize), w.size-off)
	if int64(cap(w.buf)) < want {
		w.buf = make([]byte, want)
	}
	w.buf, w.off = w.buf[:want], off
	got, err := w.f.ReadAt(w.buf, off)
	w.buf = w.buf[:got]
	if int64(got) >= n {
		return w.buf[:n], nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}
