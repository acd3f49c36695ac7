package segment

import (
	"errors"
	"slices"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// lose notes that messages of a run cannot be read. Its file is not written anew from then on.
// What fails for want of descriptors or memory is not lost.
func (l *Log) lose(r *run, from, to uint64, err error) {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOMEM) {
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
	l.ready(r)
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
	if from > to || covered(l.lost, from, to) {
		return
	}
	l.lost = addRange(l.lost, stream.Range{From: from, To: to})
	l.changes++
	l.o.Report(Report{What: "messages cannot be read", File: file, Lost: stream.Range{From: from, To: to}, Err: err})
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
	return slices.Clone(l.lost)
}
