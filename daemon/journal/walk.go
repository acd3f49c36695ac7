package journal

import (
	"errors"
	"fmt"
	"math"
)

// walker reads the commits of one file. What decides what counts is here.
type walker struct {
	f    *file
	w    window
	end  mark   // the last commit that counts, of those read so far
	next uint64 // the number of the one expected
	// limit is the last commit of this file that counts, as the header of the next one says;
	// known says that there is a next one.
	limit  mark
	known  bool
	commit func(c *commit) error
	lost   func(l Loss) error

	closing, clean bool // the last commit's flags
	oldest         uint64

	force bool // what cannot be read is taken for lost, also at the end
	one   commit
}

// commit is one that was read. Its bytes are valid until the next one is read.
type commit struct {
	head
	entries []entry
	bad     []bool // the entry itself cannot be read
	bodies  [][]byte
	damaged bool // a body or an entry is
}

// Loss is a part of the journal that had been on the disk and cannot be read.
type Loss struct {
	File     string
	Offset   int64
	From, To uint64 // commits, both included
	// Unknown says that it is not known what frames were lost: any stream may have lost its
	// newest messages.
	Unknown bool
	Err     error // why
}

func (l Loss) String() string {
	what := "frames of"
	if l.Unknown {
		what = "all of"
	}
	return fmt.Sprintf("%s at %d: %s commits %d to %d: %v", l.File, l.Offset, what, l.From, l.To, l.Err)
}

// Why a commit does not verify.
var (
	errNoHead   = errors.New("no head of a commit")
	errBody     = errors.New("a body's sum is wrong")
	errNoCommit = errors.New("no commit there")
	errChain    = errors.New("a commit that follows another one")
)

func (w *walker) run() error {
	for pos := int64(Block); pos+Block <= w.f.size-Block; {
		if w.known && w.next > w.limit.number {
			break
		}
		c, cause := w.read(pos)
		if cause == nil && c.damaged {
			cause = errBody
		}
		if cause != nil {
			var err error
			if c, pos, err = w.broken(pos, c, cause); err != nil {
				return err
			}
			if pos < 0 {
				break
			}
			if c == nil {
				continue
			}
		}
		if err := w.accept(c); err != nil {
			return err
		}
		pos = int64(c.place + c.bytes)
	}
	if w.known && w.end.number < w.limit.number {
		if err := w.missing(w.limit.number, w.f.size, errNoCommit); err != nil {
			return err
		}
		w.end = w.limit
	}
	return nil
}

func (w *walker) accept(c *commit) error {
	w.end, w.next = c.mark(), c.number+1
	w.f.at = int64(c.place + c.bytes)
	w.closing, w.clean = c.flags&flagClosing != 0, c.flags&flagClean != 0
	w.oldest = max(w.oldest, c.oldest)
	return w.commit(c)
}

// missing tells that commits up to a number are lost.
func (w *walker) missing(to uint64, pos int64, err error) error {
	if to < w.next {
		return nil
	}
	w.f.rotten = true
	from := w.next
	w.next = to + 1
	return w.lost(Loss{File: w.f.name, Offset: pos, From: from, To: to, Unknown: true, Err: err})
}

// headAt returns the head of a commit at a place, if it is one of this use of the file.
func (w *walker) headAt(pos int64) (h head, ok bool, err error) {
	b, err := w.w.get(pos, headSize)
	if err != nil {
		return h, false, err
	}
	ok = h.parse(b, headMagic, w.f.k) && w.plausible(&h, pos)
	return h, ok, nil
}

// plausible asks what a sum does not say.
func (w *walker) plausible(h *head, pos int64) bool {
	return h.place == uint64(pos) && h.bytes <= uint64(w.f.size-Block-pos) && h.number >= w.f.h.first && h.number < math.MaxUint64
}

// read returns the commit at a place if it is the one expected, perhaps damaged.
func (w *walker) read(pos int64) (*commit, error) {
	h, ok, err := w.headAt(pos)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, errNoHead
	case h.number != w.next || h.before != w.end:
		return nil, errChain
	}
	return w.content(h)
}

// content reads what belongs to a head.
func (w *walker) content(h head) (*commit, error) {
	b, err := w.w.get(int64(h.place), int64(h.bytes))
	if err != nil {
		return nil, err
	}
	c := &w.one
	c.head, c.damaged = h, false
	n := int(h.frames)
	c.entries = append(c.entries[:0], make([]entry, n)...)
	c.bodies = append(c.bodies[:0], make([][]byte, n)...)
	c.bad = append(c.bad[:0], make([]bool, n)...)
	table := b[headSize : headSize+n*entrySize]
	if crc(table) != h.table {
		repair(table, b[len(b)-tailSize:][:entrySize])
	}
	for i := range c.entries {
		c.bad[i] = !c.entries[i].parse(table[i*entrySize:][:entrySize]) && !mutated("sum ignored")
	}
	c.locate(b[headSize+len(table):][:h.bodies])
	for i, e := range c.entries {
		switch {
		case c.bad[i]:
			c.damaged = true
		case c.bodies[i] == nil || crc(c.bodies[i]) != e.body && !mutated("sum ignored"):
			c.bodies[i], c.damaged = nil, true
		}
	}
	return c, nil
}

// locate finds the bodies: from the front up to the first entry that cannot be read, and from the
// back to the last one.
func (c *commit) locate(bodies []byte) {
	at, i := 0, 0
	for ; i < len(c.entries) && !c.bad[i]; i++ {
		n := int(c.entries[i].length)
		if n > len(bodies)-at {
			return
		}
		c.bodies[i] = bodies[at : at+n : at+n]
		at += n
	}
	end := len(bodies)
	for j := len(c.entries) - 1; j > i && !c.bad[j]; j-- {
		n := int(c.entries[j].length)
		if n > end-at {
			return
		}
		c.bodies[j] = bodies[end-n : end : end]
		end -= n
	}
}

// repair makes the one damaged entry of a table of the others and the parity, if it is one.
func repair(table, parity []byte) {
	bad := -1
	var sum [entrySize]byte
	copy(sum[:], parity)
	for i := 0; i < len(table); i += entrySize {
		var e entry
		switch {
		case e.parse(table[i:][:entrySize]):
			xor(sum[:], table[i:][:entrySize])
		case bad >= 0:
			return // two
		default:
			bad = i
		}
	}
	var e entry
	if bad >= 0 && e.parse(sum[:]) {
		copy(table[bad:], sum[:])
	}
}

// broken decides about a commit that is expected at a place and does not verify; c is what there
// is of it, if its head could be read. It returns the commit to accept; or none and where to go on;
// or a negative place: nothing that follows counts.
func (w *walker) broken(pos int64, c *commit, cause error) (*commit, int64, error) {
	if c == nil && cause != errChain {
		var err error
		if c, err = w.byTail(pos); err == nil && c != nil && !c.damaged {
			return c, pos, nil // only its head is damaged
		}
	}
	from := pos
	if cause != errChain {
		from += Block
	}
	if w.w.unread != nil && w.w.unreadBlock >= pos/Block {
		cause = w.w.unread // perhaps it is only that
	}
	behind, at, vouched := w.behind(from)
	if mutated("read on behind the torn") {
		vouched = at >= 0
	}
	switch {
	case !vouched && unreadable(cause) && !w.force:
		return nil, -1, fmt.Errorf("%s at %d cannot be read, and whether commit %d was ever finished is not known: %w", w.f.name, pos, w.next, cause)
	case !vouched && unreadable(cause):
		return nil, -1, w.missing(w.next, pos, cause)
	case !vouched:
		return nil, -1, nil
	case c != nil && c.number == w.next:
		w.f.rotten = true
		// behind() has used the window that the bodies were in.
		c, err := w.content(c.head)
		return c, pos, err
	case at < 0:
		return nil, -1, nil
	}
	if err := w.missing(behind.number-1, pos, cause); err != nil {
		return nil, -1, err
	}
	w.end = behind.before
	return nil, at, nil
}

// unreadable reports whether an error is the disk's.
func unreadable(err error) bool { return err != errNoHead && err != errBody && err != errChain }

// byTail finds the commit expected at a place by its tail.
func (w *walker) byTail(pos int64) (*commit, error) {
	for end := pos + Block; end <= w.f.size-Block; end += Block {
		b, err := w.w.get(end-headSize, headSize)
		if err != nil {
			continue
		}
		var h head
		if h.parse(b, tailMagic, w.f.k) && h.place == uint64(pos) && h.place+h.bytes == uint64(end) &&
			h.number == w.next && h.before == w.end {
			return w.content(h)
		}
		if end-pos > maxCommit+Block {
			break
		}
	}
	return nil, nil
}

// behind returns the first commit from a place on that counts, if there is one (else at is
// negative), and whether something says that the one expected was on the disk.
func (w *walker) behind(from int64) (first head, at int64, vouched bool) {
	at, vouched = -1, w.known && w.next <= w.limit.number
	for pos := from; pos+Block <= w.f.size-Block; pos += Block {
		h, ok, err := w.headAt(pos)
		if err != nil || !ok || h.number < w.next || w.known && h.number > w.limit.number {
			continue
		}
		if at < 0 {
			first, at = h, pos
		}
		if vouched = vouched || h.durable >= w.next; vouched {
			break
		}
	}
	return first, at, vouched
}
