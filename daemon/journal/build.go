package journal

// builder makes the bytes of a commit. Bodies are not copied, but for small pieces, of which a
// system call takes better one than many.
type builder struct {
	table  []byte // head and table
	copied []byte // small pieces, zeros, parity and tail
	spans  []span
	out    [][]byte
}

// span is a piece of a commit: bytes of somebody, or a range of builder.copied.
type span struct {
	bytes    []byte
	from, to int
}

// copyUnder is the length under which a piece is copied.
const copyUnder = 4096

// build returns the bytes of a commit with h, of which it fills in what depends
// on the pieces.
// They are valid until the next call, as long as the bodies are.
func (b *builder) build(h *head, pieces []piece, k key) [][]byte {
	b.table = append(b.table[:0], make([]byte, headSize)...)
	b.copied, b.spans = b.copied[:0], b.spans[:0]
	var parity [entrySize]byte
	var bodies int64
	for i := range pieces {
		p := &pieces[i]
		e := p.entry()
		at := len(b.table)
		b.table = e.append(b.table)
		xor(parity[:], b.table[at:])
		bodies += p.len
		p.each(b.add)
	}
	h.frames = uint32(len(pieces))
	h.table = crc(b.table[headSize:])
	h.bodies = uint64(bodies)
	h.bytes = commitSize(len(pieces), bodies)
	h.append(b.table[:0], headMagic, k)

	pad := int(h.bytes) - headSize - len(pieces)*entrySize - int(bodies) - tailSize
	b.own(func(c []byte) []byte {
		c = append(c, make([]byte, pad)...)
		c = append(c, parity[:]...)
		return h.append(c, tailMagic, k)
	})
	b.out = append(b.out[:0], b.table)
	for _, s := range b.spans {
		if s.bytes == nil {
			s.bytes = b.copied[s.from:s.to]
		}
		b.out = append(b.out, s.bytes)
	}
	return b.out
}

func (b *builder) add(p []byte) {
	if len(p) >= copyUnder {
		b.spans = append(b.spans, span{bytes: p})
		return
	}
	b.own(func(c []byte) []byte { return append(c, p...) })
}

// own adds to what is copied.
func (b *builder) own(add func([]byte) []byte) {
	from := len(b.copied)
	b.copied = add(b.copied)
	if n := len(b.spans); n > 0 && b.spans[n-1].bytes == nil && b.spans[n-1].to == from {
		b.spans[n-1].to = len(b.copied)
		return
	}
	b.spans = append(b.spans, span{from: from, to: len(b.copied)})
}
