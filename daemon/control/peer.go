package control

import (
	"fmt"
	"net"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Peer is who is at the other end of a connection, by the kernel's word at the
// time of connect(2).
type Peer struct {
	PID    int
	UID    uint32
	GID    uint32
	Groups []uint32 // supplementary groups
}

// String writes the peer for a log line.
func (p Peer) String() string { return fmt.Sprintf("pid %d, uid %d", p.PID, p.UID) }

// member reports whether the peer belongs to the group.
func (p Peer) member(gid uint32) bool { return p.GID == gid || slices.Contains(p.Groups, gid) }

// peerOf asks the kernel who connected.
func peerOf(conn *net.UnixConn) (Peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var peer Peer
	var inner error
	err = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			inner = err
			return
		}
		peer = Peer{PID: int(cred.Pid), UID: cred.Uid, GID: cred.Gid}
		peer.Groups = peerGroups(fd)
	})
	if err == nil {
		err = inner
	}
	if err != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	return peer, nil
}

// peerGroups reads SO_PEERGROUPS (Linux 4.13). A kernel without it leaves
// the primary group to decide.
func peerGroups(fd uintptr) []uint32 {
	groups := make([]uint32, 64)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == unix.ERANGE && int(size) > len(groups)*4:
			groups = make([]uint32, size/4)
		case errno != 0:
			return nil
		default:
			return groups[:size/4]
		}
	}
}
