package transport

// Stage collects bytes that go to several destinations alike, in one block they
// share. It belongs to the goroutine that reads. The zero value is ready.
type Stage struct {
	blk     *Block
	mark, n int

	Msgs  int // messages staged; the caller counts them
	Bytes int // their size, as statistics count it
}

// Reserve returns n bytes for the caller to fill in. ok is false if the stage has
// something and no room for n more: close it first.
func (s *Stage) Reserve(n int) (p []byte, ok bool) {
	if s.blk == nil || len(s.blk.buf)-s.n < n {
		if s.n > s.mark {
			return nil, false
		}
		s.drop()
		s.blk = getBlock(max(n, readBlock))
	}
	p = s.blk.buf[s.n : s.n+n]
	s.n += n
	return p, true
}

// Empty reports whether nothing is staged.
func (s *Stage) Empty() bool { return s.n == s.mark }

// Close gives what is staged to each of the lanes that next returns, until it
// returns nil.
func (s *Stage) Close(next func() *Lane) {
	if s.Empty() {
		return
	}
	for l := next(); l != nil; l = next() {
		if l.Full() {
			l.flush()
		}
		l.Share(s.blk, s.mark, s.n)
		l.Msgs += s.Msgs
		l.Bytes += s.Bytes
	}
	s.mark, s.Msgs, s.Bytes = s.n, 0, 0
}

// Release ends the use of the stage's block. The stage must be empty.
func (s *Stage) Release() { s.drop() }

func (s *Stage) drop() {
	if s.blk != nil {
		s.blk.release()
		s.blk = nil
	}
	s.mark, s.n = 0, 0
}
