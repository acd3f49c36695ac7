package batch

// Stage collects frames that go to several destinations alike, in one block they
// share, but for one place in each frame that may differ from destination to
// destination. It belongs to the goroutine that reads. The zero value is ready.
type Stage struct {
	blk     *Block
	mark, n int   // what is staged
	places  []int // where in the block the variable part of each frame is
	text    string

	Msgs  int // messages staged; the caller counts them
	Bytes int // their size, as statistics count it
}

// Reserve returns room for up to count frames of size bytes each, one behind the
// other, for the caller to fill in, and for how many there is room. It is 0 if
// something is staged and there is no room for more: send it first. In each frame the
// text of all frames, which the caller writes too, begins at place.
func (s *Stage) Reserve(size, place, count int) (p []byte, frames int) {
	if s.blk == nil || len(s.blk.buf)-s.n < size {
		if s.n > s.mark {
			return nil, 0
		}
		s.drop()
		s.blk = NewBlock(max(size, Read))
	}
	frames = min(count, (len(s.blk.buf)-s.n)/size)
	p = s.blk.buf[s.n : s.n+frames*size]
	for range frames {
		s.places = append(s.places, s.n+place)
		s.n += size
	}
	return p, frames
}

// Empty reports whether nothing is staged.
func (s *Stage) Empty() bool { return s.n == s.mark }

// Begin says what the text of the frames to come is. The stage must be empty.
func (s *Stage) Begin(text string) { s.text = text }

// aloneFrom is how many bytes must be staged for it to be worth a system call that
// they are sent off at once, so that the next destination can have the same block.
const aloneFrom = Small

// Put hands what is staged to a lane, with text in the place of the frames' own. more
// says that lanes with another text follow.
func (s *Stage) Put(l *Lane, text string, more bool) {
	size := s.n - s.mark
	same := text == s.text
	if !same && size < aloneFrom {
		s.write(l.Reserve(size+(len(text)-len(s.text))*len(s.places)), text)
		l.Msgs += s.Msgs
		l.Bytes += s.Bytes
		return
	}
	if !same {
		s.become(text)
	}
	if l.Full() {
		l.flush()
	}
	l.Share(s.blk, s.mark, s.n)
	l.Msgs += s.Msgs
	l.Bytes += s.Bytes
	if more && size >= aloneFrom {
		l.flush()
	}
}

// become changes the text of all frames. The block is used again if all who were
// given it have sent it.
func (s *Stage) become(text string) {
	if len(text) == len(s.text) && !s.blk.Shared() {
		for _, at := range s.places {
			copy(s.blk.buf[at:], text)
		}
		s.text = text
		return
	}
	size := s.n - s.mark + (len(text)-len(s.text))*len(s.places)
	next := NewBlock(max(size, Read))
	s.write(next.buf[:size], text)
	for i := range s.places {
		s.places[i] += i*(len(text)-len(s.text)) - s.mark
	}
	s.blk.Release()
	s.blk, s.mark, s.n, s.text = next, 0, size, text
}

// write copies what is staged to p, with another text.
func (s *Stage) write(p []byte, text string) {
	from := s.mark
	for _, at := range s.places {
		n := copy(p, s.blk.buf[from:at])
		n += copy(p[n:], text)
		p, from = p[n:], at+len(s.text)
	}
	copy(p, s.blk.buf[from:s.n])
}

// End forgets what was staged, after it was put into all lanes.
func (s *Stage) End() {
	if s.blk != nil && !s.blk.Shared() {
		s.n = 0
	}
	s.mark, s.places, s.Msgs, s.Bytes = s.n, s.places[:0], 0, 0
}

// Release ends the use of the stage's block. The stage must be empty.
func (s *Stage) Release() { s.drop() }

func (s *Stage) drop() {
	if s.blk != nil {
		s.blk.Release()
		s.blk = nil
	}
	s.mark, s.n = 0, 0
}
