package journal

import (
	"fmt"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// forge stores messages that are commits: of the right number, at the right place, following the
// right one, with the key of an earlier use of the file, as somebody might have who once saw the
// disk. Then it tears the commit that they are in, so that recovery looks around.
func forge(seed uint64) error {
	salts = seed << 32
	d := sim.New(seed, sim.Options{})
	old, err := openMini(d, Options{}, false)
	if err != nil {
		return err
	}
	leaked := old.j.current().k
	if err := old.Close(); err != nil {
		return err
	}
	m, err := openMini(d, Options{}, false)
	if err != nil {
		return err
	}
	m.Put(1, [][]byte{make([]byte, 100)}, func(uint64, bool, error) {})
	m.Flush()
	at := uint64(m.j.current().at)

	var b builder
	secret := make([]byte, 3*Block)
	for i := 1; i <= 2; i++ {
		// The commit that carries it begins at "at"; its bodies begin headSize+entrySize+4 later.
		place := at + uint64(i*Block)
		h := head{number: m.j.next + uint64(i-1), place: place, before: m.j.written, durable: m.j.next + 5}
		if i == 1 {
			h.number = m.j.next + 1
		}
		f := &Frame{Kind: kindMessages, Stream: 666, First: 1, Count: 1, Body: [][]byte{{2, 0, 0, 0, 'n', 'o'}}}
		f.measure()
		var c []byte
		for _, p := range b.build(&h, []piece{{f: f, len: f.size}}, leaked) {
			c = append(c, p...)
		}
		copy(secret[i*Block-headSize-entrySize-4:], c)
	}
	m.Put(1, [][]byte{secret}, func(uint64, bool, error) {})
	name := m.j.current().name
	m.Flush()
	d.Restart()
	if err := d.Flip(name, int64(at)*8+100); err != nil { // the head
		return err
	}
	if err := d.Flip(name, int64(at+4*Block-headSize)*8+100); err != nil { // the tail
		return err
	}
	m, err = openMini(d, Options{}, false)
	if err != nil {
		return err
	}
	if s := m.streams[666]; s != nil {
		return fmt.Errorf("a message was taken for a commit: stream 666 has %v", s.Msgs)
	}
	if n := len(m.stream(1).Msgs); n != 1 {
		return fmt.Errorf("stream 1 has %d messages of which one is whole", n)
	}
	if m.lost {
		return fmt.Errorf("a message vouched for the commit that it is in")
	}
	return nil
}

// TestMessagesAreNotTakenForCommits also finds a salt that does not change.
func TestMessagesAreNotTakenForCommits(t *testing.T) {
	if err := forge(1); err != nil {
		t.Error(err)
	}
}
