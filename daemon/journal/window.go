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

	// What the disk could not read, also when asked again, stands in the window as zeros. That is
	// safe, since everything that is read carries sums: an error is never taken for content.
	unread      error // the last such error
	unreadBlock int64 // and where
}

const (
	windowSize = 256 << 10
	readTries  = 5
)

// get returns n bytes at off, which the file must have. They are valid until the next call.
func (w *window) get(off, n int64) ([]byte, error) {
	if off >= w.off && off+n <= w.off+int64(len(w.buf)) {
		return w.buf[off-w.off:][:n], nil
	}
	want := min(max(n, windowSize), w.size-off)
	if want < n {
		return nil, io.ErrUnexpectedEOF
	}
	if int64(cap(w.buf)) < want {
		w.buf = make([]byte, want)
	}
	w.buf, w.off = w.buf[:want], off
	if got, err := w.f.ReadAt(w.buf, off); err != nil && int64(got) < n {
		w.piecemeal(w.buf)
	} else {
		w.buf = w.buf[:got]
	}
	return w.buf[:n], nil
}

// piecemeal reads block by block.
func (w *window) piecemeal(b []byte) {
	for at := int64(0); at < int64(len(b)); {
		n := min(Block-(w.off+at)%Block, int64(len(b))-at)
		if err := w.again(b[at:at+n], w.off+at); err != nil {
			clear(b[at : at+n])
			w.unread, w.unreadBlock = err, (w.off+at)/Block
		}
		at += n
	}
}

// again reads, several times if it must.
func (w *window) again(b []byte, off int64) (err error) {
	for range readTries {
		var n int
		if n, err = w.f.ReadAt(b, off); n == len(b) {
			return nil
		}
		w.f.Forget(off, int64(len(b)))
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
