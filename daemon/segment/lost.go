package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// An error in reading is one of three things. *Damage*: the disk gave other bytes than were written, or they are gone; that
// stays so. *EIO*: the disk does not give them, and hardly will: such messages are lost, but what they say of subjects and of
// deletions is not known, so that nothing is decided as if they were not there, and the next start asks the disk anew. *Anything else*, from a want of
// descriptors to a wrong mode, is over when its cause is.

// damaged reports whether an error is of the first kind.
func damaged(err error) bool {
	for _, is := range []error{errPage, errNoPage, errRecord, errDead, errState, errUnknown, subjects.ErrDamaged, io.EOF, io.ErrUnexpectedEOF, fs.ErrNotExist} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

// gone reports whether what could not be read because of an error is lost.
func gone(err error) bool {
	return (damaged(err) || errors.Is(err, syscall.EIO)) && !errors.Is(err, errUntold)
}

// unreadable is the error of a message, or of what is known of one, that cannot be read.
func (l *Log) unreadable(err error) error {
	if gone(err) {
		return fmt.Errorf("%w: %w", stream.ErrUnreadable, err)
	}
	return fmt.Errorf("%w: %w", stream.ErrNotNow, err)
}

// errUntold says that the disk does not give the deletions of a run. None of its messages is lost by that.
var errUntold = errors.New("deletions cannot be read")

// lose notes that messages of a run cannot be read, if they are lost. Its file is not written anew from then on.
func (l *Log) lose(r *run, from, to uint64, err error) {
	if !gone(err) {
		return
	}
	l.mu.Lock()
	r.file.keep = true
	from = max(from, l.first)
	l.mu.Unlock()
	l.addLost(r.file.name, from, to, err)
}

// losePage notes that a page cannot be read: of its messages those that were not deleted are lost.
func (l *Log) losePage(r *run, p *pagePlace, err error) {
	if l.ready(r) != nil {
		return // nobody knows which of them are there
	}
	l.mu.RLock()
	var list []stream.Range
	for i := range p.n {
		if r.dead.has(p.number + i) {
			continue
		}
		seq := p.seq(i)
		if n := len(list); n > 0 && list[n-1].To+1 == seq {
			list[n-1].To = seq
		} else {
			list = append(list, stream.Range{From: seq, To: seq})
		}
	}
	l.mu.RUnlock()
	for _, g := range list {
		l.lose(r, g.From, g.To, err)
	}
}

func (l *Log) addLost(file string, from, to uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from > to || covered(l.lost, from, to) || covered(l.withheld, from, to) {
		return
	}
	at := stream.Range{From: from, To: to}
	if damaged(err) {
		l.lost = addRange(l.lost, at)
		l.changes++
	} else {
		l.withheld = addRange(l.withheld, at)
	}
	l.o.Report(Report{What: Unreadable, File: file, Lost: at, Err: err})
}

// tell reports something about messages that are there, or back again.
func (l *Log) tell(at stream.Range, err error) {
	l.o.Report(Report{What: "deletions cannot be read, the messages are back", File: l.dir, Lost: at, Err: err})
}

// note reports something that costs no message.
func (l *Log) note(what, file string, err error) {
	l.o.Report(Report{What: what, File: file, Err: err})
}

func covered(list []stream.Range, from, to uint64) bool {
	for _, r := range list {
		if r.From <= from && to <= r.To {
			return true
		}
	}
	return false
}

// addRange adds a range to a sorted list and joins what touches.
func addRange(list []stream.Range, add stream.Range) []stream.Range {
	all := append(slices.Clone(list), add)
	slices.SortFunc(all, func(a, b stream.Range) int {
		switch {
		case a.From < b.From:
			return -1
		case a.From > b.From:
			return 1
		}
		return 0
	})
	out := all[:1]
	for _, r := range all[1:] {
		last := &out[len(out)-1]
		if r.From <= last.To+1 {
			last.To = max(last.To, r.To)
		} else {
			out = append(out, r)
		}
	}
	return out
}

// Lost implements [stream.Log].
func (l *Log) Lost() []stream.Range {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := slices.Clone(l.lost)
	for _, r := range l.withheld {
		list = addRange(list, r)
	}
	return list
}
