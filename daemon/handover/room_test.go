package handover

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tableSize is how many descriptors the process's table has room for.
func tableSize(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "FDSize:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Skip("the kernel does not tell")
	return 0
}

// The kernel makes whoever receives descriptors sleep each time that the table grows:
// that is to have happened before.
func TestRoomBeforeTake(t *testing.T) {
	const n = 5000 // more than the other tests open
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < n+besides {
		t.Skipf("the limit of open files is %d (%v)", limit.Cur, err)
	}
	p := packed(t, nil, "state")
	defer p.Close()
	if before := tableSize(t); before >= n {
		t.Skipf("the table has %d already", before)
	}
	var head [4]byte
	binary.LittleEndian.PutUint32(head[:], n)
	p.State = rewritten(t, p.State, 32, head[:])
	p.Expect()
	p.awaitRoom()
	if got := tableSize(t); got < n {
		t.Errorf("the table has %d places; want %d", got, n)
	}
}

// A state that is none announces nothing, and a number beyond the limit is no matter.
func TestRoomOfNonsense(t *testing.T) {
	p := packed(t, nil, "state")
	defer p.Close()
	p.State = rewritten(t, p.State, 0, []byte("nonsense"))
	p.Expect()
	if p.room != nil {
		t.Error("room is made for something else")
	}
	(&Parcel{}).Expect()
	if err := MakeRoom(-1); err != nil {
		t.Error(err)
	}
}

// rewritten is a copy of a state with other bytes at an offset.
func rewritten(t *testing.T, state *os.File, at int, with []byte) *os.File {
	t.Helper()
	b := make([]byte, envelopeSize)
	if _, err := state.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	copy(b[at:], with)
	f, err := os.CreateTemp(t.TempDir(), "state")
	if err == nil {
		_, err = f.Write(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = state.Close()
	return f
}
