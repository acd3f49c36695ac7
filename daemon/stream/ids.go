package stream

// idHash is what is kept of a message id.
type idHash [2]uint64

// ids remembers message ids for a time, each with the sequence of the message that had it first. The entries
// lie in the order of their times in a ring; a table of open addressing finds them. It keeps 40 bytes and
// less for one.
type ids struct {
	ring  []idEntry // a power of two
	table []uint32  // place in the ring, plus one; twice as long as the ring
	head  int       // oldest
	n     int
}

type idEntry struct {
	hash idHash
	seq  uint64
	at   int64
}

func (d *ids) len() int { return d.n }

// bytes is what the ring and the table take.
func (d *ids) bytes() int64 { return int64(len(d.ring))*32 + int64(len(d.table))*4 }

// find returns the sequence of the message with an id.
func (d *ids) find(h idHash) (seq uint64, ok bool) {
	if d.n == 0 {
		return 0, false
	}
	for i := d.slot(h); d.table[i] != 0; i = (i + 1) & (len(d.table) - 1) {
		if e := &d.ring[d.table[i]-1]; e.hash == h {
			return e.seq, true
		}
	}
	return 0, false
}

func (d *ids) slot(h idHash) int { return int(h[0]) & (len(d.table) - 1) }

// add remembers an id. One that is known is known with the new sequence from now on.
func (d *ids) add(h idHash, seq uint64, at int64) {
	if d.n == len(d.ring) {
		d.grow()
	}
	place := (d.head + d.n) & (len(d.ring) - 1)
	d.ring[place] = idEntry{h, seq, at}
	d.n++
	i := d.slot(h)
	for ; d.table[i] != 0; i = (i + 1) & (len(d.table) - 1) {
		if d.ring[d.table[i]-1].hash == h {
			break
		}
	}
	d.table[i] = uint32(place + 1)
}

// grow doubles the room.
func (d *ids) grow() {
	old := *d
	d.resize(max(16, 2*len(old.ring)))
	for i := range old.n {
		e := old.ring[(old.head+i)&(len(old.ring)-1)]
		d.add(e.hash, e.seq, e.at)
	}
}

func (d *ids) resize(n int) { *d = ids{ring: make([]idEntry, n), table: make([]uint32, 2*n)} }

// forget drops what is as old as t or older. Much room that is not used any more is given back.
func (d *ids) forget(t int64) {
	for d.n > 0 && d.ring[d.head].at <= t {
		d.drop(d.head)
		d.head = (d.head + 1) & (len(d.ring) - 1)
		d.n--
	}
	if len(d.ring) > 64 && d.n < len(d.ring)/8 {
		old := *d
		d.resize(len(old.ring) / 4)
		for i := range old.n {
			e := old.ring[(old.head+i)&(len(old.ring)-1)]
			d.add(e.hash, e.seq, e.at)
		}
	}
}

// drop takes the entry at a place of the ring out of the table, and closes the gap.
func (d *ids) drop(place int) {
	mask := len(d.table) - 1
	i := d.slot(d.ring[place].hash)
	for ; d.table[i] != uint32(place+1); i = (i + 1) & mask {
		if d.table[i] == 0 {
			return // a newer entry of the same id has the slot
		}
	}
	d.table[i] = 0
	for j := (i + 1) & mask; d.table[j] != 0; j = (j + 1) & mask {
		if home := d.slot(d.ring[d.table[j]-1].hash); (j-home)&mask >= (j-i)&mask {
			d.table[i], d.table[j] = d.table[j], 0
			i = j
		}
	}
}
