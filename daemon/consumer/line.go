package consumer

// line is what waits for delivery again, first come, first served. Whether an entry still
// counts stands in the table of pending deliveries.
type line struct {
	seqs []uint64
	head int
}

func (l *line) push(seq uint64) { l.seqs = append(l.seqs, seq) }

func (l *line) peek() (uint64, bool) {
	if l.head == len(l.seqs) {
		return 0, false
	}
	return l.seqs[l.head], true
}

func (l *line) pop() {
	l.head++
	if l.head == len(l.seqs) {
		l.seqs, l.head = l.seqs[:0], 0
		if cap(l.seqs) > 4096 {
			l.seqs = nil
		}
	} else if l.head > 1024 && l.head*2 > len(l.seqs) {
		l.seqs = append(l.seqs[:0], l.seqs[l.head:]...)
		l.head = 0
	}
}

func (l *line) clear() { l.seqs, l.head = nil, 0 }
