package transport

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/websocket"
)

// framer is the sink that puts what is sent into WebSocket frames: each write is one binary message, or several if it is
// large. Only the queue's one writer uses it, but for what is atomic.
//
// On a bare descriptor payloads are not copied: the header goes in front of them, by the same system call, and what the
// descriptor does not take of a frame is finished before the next header. Where something is between (TLS) or messages
// are compressed, a frame is made in a block, which is kept until it is passed on.
type framer struct {
	fd      int
	below   filter    // nil: the descriptor
	deflate *deflater // nil: nothing is compressed

	head  [websocket.MaxHeader]byte // of the frame under way; head[at:end] is not written
	at    uint8
	end   uint8
	left  int    // how much of its payload is not written
	spoke []byte // what is not written of a frame about the connection

	blk      *batch.Block // the frame that is kept; nil: none
	from, to int
	ahead    int // how many bytes of the queue are in it

	pong atomic.Pointer[[]byte] // a whole frame, to be written before the next data
	bye  atomic.Pointer[[]byte] // the same, to be written when nothing is left and the connection is closed

	ending atomic.Bool // it is
	said   bool        // bye was written: nothing follows
}

// maxFrame is the most that one frame holds, so that a peer sees the beginning of much before its end.
const maxFrame = batch.Burst

func newFramer(fd int, f Framing) *framer {
	k := &framer{fd: fd}
	if f.Deflate {
		k.deflate = &deflater{context: f.Context}
	}
	return k
}

// sayPong leaves an answer to a ping to the writer. Of several only the last one may be sent, as RFC 6455 has it.
func (k *framer) sayPong(payload []byte) {
	b := append(websocket.AppendHeader(nil, websocket.Pong, false, len(payload)), payload...)
	k.pong.Store(&b)
}

// sayBye leaves the close frame to the writer, unless there is one already.
func (k *framer) sayBye(payload []byte) {
	b := append(websocket.AppendHeader(nil, websocket.Close, false, len(payload)), payload...)
	k.bye.CompareAndSwap(nil, &b)
}

func (k *framer) slow(int64) bool { return false }

// writev implements sink. Without segments it says what is owed, and that nothing follows.
func (k *framer) writev(segs []batch.Segment) (int, syscall.Errno) {
	if k.below != nil || k.deflate != nil {
		return k.writeKept(segs)
	}
	return k.writeThrough(segs)
}

// speak gives what is owed, the next frame of it; nil: nothing.
func (k *framer) speak(last bool) []byte {
	if p := k.pong.Swap(nil); p != nil {
		return *p
	}
	if p := k.bye.Load(); last && p != nil && k.ending.Load() && !k.said {
		k.said = true
		return *p
	}
	return nil
}

// writeThrough writes to the descriptor without copying.
func (k *framer) writeThrough(segs []batch.Segment) (n int, errno syscall.Errno) {
	rest := remainder{segs: segs}
	for {
		if k.left == 0 {
			if errno := k.speakThrough(len(segs) == 0); errno != 0 {
				return n, errno
			}
		}
		if len(rest.segs) == 0 {
			return n, 0
		}
		if k.left == 0 {
			k.left = rest.size(maxFrame)
			k.at, k.end = 0, uint8(len(websocket.AppendHeader(k.head[:0], websocket.Binary, false, k.left)))
		}
		h, w, whole, errno := writeHeaded(k.fd, k.head[k.at:k.end], &rest, k.left)
		k.at += uint8(h)
		k.left -= w
		n += w
		rest.skip(w)
		if errno != 0 {
			return n, errno
		}
		if !whole {
			return n, syscall.EAGAIN
		}
	}
}

// speakThrough writes what is owed.
func (k *framer) speakThrough(last bool) syscall.Errno {
	for {
		if len(k.spoke) == 0 {
			if k.spoke = k.speak(last); k.spoke == nil {
				return 0
			}
		}
		n, errno := writeNow(k.fd, k.spoke)
		k.spoke = k.spoke[n:]
		if errno != 0 {
			return errno
		}
	}
}

// writeKept makes frames in blocks.
func (k *framer) writeKept(segs []batch.Segment) (n int, errno syscall.Errno) {
	if errno = k.flush(); errno != 0 {
		return 0, errno
	}
	n, k.ahead = k.ahead, 0
	rest := remainder{segs: segs}
	rest.skip(n)
	for {
		if p := k.speak(len(segs) == 0); p != nil {
			k.blk = batch.NewBlock(len(p))
			k.from, k.to = 0, copy(k.blk.Bytes(), p)
		} else if k.ahead = k.enclose(&rest); k.ahead == 0 {
			return n, 0
		}
		if errno = k.flush(); errno != 0 {
			return n, errno
		}
		n, k.ahead = n+k.ahead, 0
	}
}

// enclose makes the next frame, and returns how many bytes of the queue are in it.
func (k *framer) enclose(rest *remainder) int {
	size := min(rest.size(k.piece()), k.piece())
	if size == 0 {
		return 0
	}
	room := websocket.MaxHeader + size
	k.blk = batch.NewBlock(room)
	p := rest.next(k.blk.Bytes()[websocket.MaxHeader:room])
	if k.deflate != nil {
		if b, from, to := k.deflate.frame(p); b != nil {
			k.blk.Release()
			k.blk, k.from, k.to = b, from, to
			return len(p)
		}
	}
	body := k.blk.Bytes()[websocket.MaxHeader:]
	copy(body, p) // onto itself, unless it is a large segment
	k.from = websocket.MaxHeader - websocket.HeaderLen(len(p))
	k.to = websocket.MaxHeader + len(p)
	websocket.AppendHeader(k.blk.Bytes()[k.from:k.from], websocket.Binary, false, len(p))
	return len(p)
}

// piece is the most that one frame that is kept holds: what is below takes it at once.
func (k *framer) piece() int {
	most := batch.Read
	if k.below != nil {
		most = k.below.piece()
	}
	return most - websocket.MaxHeader
}

// flush passes on what is kept.
func (k *framer) flush() syscall.Errno {
	if k.below != nil {
		if errno := k.below.flush(); errno != 0 {
			return errno
		}
	}
	for k.from < k.to {
		if errno := k.push(); errno != 0 {
			return errno
		}
	}
	k.drop()
	return 0
}

// push passes some of what is kept on.
func (k *framer) push() syscall.Errno {
	p := k.blk.Bytes()[k.from:k.to]
	if k.below == nil {
		n, errno := writeNow(k.fd, p)
		k.from += n
		return errno
	}
	p = p[:min(len(p), k.below.piece())]
	if err := k.below.take(p); err != nil {
		return syscall.EPIPE
	}
	k.from += len(p)
	return k.below.flush()
}

// drop gives the block back.
func (k *framer) drop() {
	if k.blk != nil {
		k.blk.Release()
	}
	k.blk, k.from, k.to = nil, 0, 0
}

// size is how much there is left, at most most.
func (r *remainder) size(most int) int {
	n := -r.from
	for i := range r.segs {
		if n += r.segs[i].Len(); n >= most {
			return most
		}
	}
	return max(n, 0)
}

// writeHeaded writes head and then at most most bytes of rest, and returns how much of each the descriptor took. whole
// means that it took all that it was given, which may be less than most where there are many pieces.
func writeHeaded(fd int, head []byte, rest *remainder, most int) (h, n int, whole bool, errno syscall.Errno) {
	var iov [maxIov]syscall.Iovec
	k, want := 0, 0
	if len(head) > 0 {
		iov[0].Base = unsafe.SliceData(head)
		iov[0].SetLen(len(head))
		k, want = 1, len(head)
	}
	from := rest.from
	for i := range rest.segs {
		if k == maxIov || most == 0 {
			break
		}
		p := rest.segs[i].Bytes()[from:]
		from = 0
		p = p[:min(len(p), most)]
		most -= len(p)
		iov[k].Base = unsafe.SliceData(p)
		iov[k].SetLen(len(p))
		want += len(p)
		k++
	}
	for {
		r, _, e := syscall.RawSyscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(k))
		if e == syscall.EINTR {
			continue
		}
		if e != 0 {
			return 0, 0, false, e
		}
		h = min(int(r), len(head))
		return h, int(r) - h, int(r) == want, 0
	}
}
