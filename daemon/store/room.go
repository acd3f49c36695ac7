package store

import (
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Headroom is what must stay free on a disk: the smaller of 1 GiB and a twentieth.
func Headroom(total uint64) uint64 { return min(1<<30, total/20) }

// Room says whether the disk has room for more messages. Below the headroom it has none; what
// removes or acknowledges messages goes on. It has again when twice as much is free, so that it
// does not change with every file that comes and goes.
type Room struct {
	fs   vfs.FS
	path string
	none atomic.Bool
	free atomic.Uint64
	need atomic.Uint64
}

// Room returns the room of the disk that the store is on. Nothing is known until [Room.Look].
func (d *Dir) Room() *Room { return &Room{fs: d.fs, path: d.path} }

// Enough reports whether messages may be accepted.
func (r *Room) Enough() bool { return !r.none.Load() }

// Free returns how many bytes were free at the last look.
func (r *Room) Free() uint64 { return r.free.Load() }

// Need returns how many bytes must be free for messages to be accepted, by the last look.
func (r *Room) Need() uint64 { return r.need.Load() }

// Look asks the disk, and reports whether the answer of Enough has changed. It is called every
// second or so, by one goroutine that may wait for the disk. After an error the last answer
// stands.
func (r *Room) Look() (changed bool, err error) {
	s, err := r.fs.Space(r.path)
	if err != nil {
		return false, err
	}
	r.free.Store(s.Free)
	was := r.none.Load()
	need := Headroom(s.Total)
	if was {
		need *= 2
	}
	now := s.Free < need
	if need = Headroom(s.Total); now {
		need *= 2
	}
	r.need.Store(need)
	r.none.Store(now)
	return now != was, nil
}
