package journal

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// forge stores messages that are commits: of the right number, at the right place, following the
// right one, with the key of an earlier use of the file, as somebody might have who once saw the
// disk. Then it tears the commit that they are in, so that recovery looks around.
func forge(seed uint64) error {
	d := sim.New(seed, sim.Options{})
	_, old, err := recovered(d, Options{})
	if err != nil {
		return err
	}
	leaked := old.current().k
	if err := old.Close(); err != nil {
		return err
	}
	_, m, err := recovered(d, Options{})
	if err != nil {
		return err
	}
	m.Append(frame(1, 1, 100, nil))
	m.Flush()
	at := uint64(m.current().at)

	var b builder
	secret := make([]byte, 3*Block)
	for i := range uint64(2) {
		// The commit that carries it begins at "at", its body headSize+entrySize later.
		h := head{number: m.next + i, place: at + (i+1)*Block, before: m.written, durable: m.next + 5}
		f := frame(666, 1, 6, nil)
		f.measure()
		var c []byte
		for _, p := range b.build(&h, []piece{{f: f, len: f.size}}, leaked) {
			c = append(c, p...)
		}
		copy(secret[(i+1)*Block-headSize-entrySize:], c)
	}
	f := frame(1, 2, 0, nil)
	f.Body = [][]byte{secret}
	m.Append(f)
	name := m.current().name
	m.Flush()
	d.Restart()
	if err := d.Flip(name, int64(at)*8+100); err != nil { // the head
		return err
	}
	if err := d.Flip(name, int64(at+4*Block-headSize)*8+100); err != nil { // the tail
		return err
	}
	g, _, err := recovered(d, Options{})
	if err != nil {
		return err
	}
	if len(g.frames) != 1 || g.frames[0] != "1/1" || len(g.Lost) > 0 {
		return fmt.Errorf("a message was taken for a commit: %v, lost %v", g.frames, g.Lost)
	}
	return nil
}
