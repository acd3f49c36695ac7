package segment

import (
	"errors"
	"slices"
)

// fileUse is how much of a file lives.
type fileUse struct {
	f    *file
	runs []*run
	live uint64 // bytes, by [Log.Size]
	rate float64

	records, there int // all, and the living
}

// Tidy writes anew what is mostly dead: the living of a file, and of its neighbours as far as
// they fit, go into a new file. The old ones are removed once a state that names the new one
// is on the disk. It is part of every Sync.
func (l *Log) Tidy() error {
	for {
		l.writing.Lock()
		if err := l.usable(); err != nil {
			l.writing.Unlock()
			return err
		}
		group := l.sparse()
		if group == nil {
			l.writing.Unlock()
			return nil
		}
		into, err := l.newFile()
		l.writing.Unlock()
		if err == nil {
			err = l.rewrite(group, into)
		}
		switch {
		case errors.Is(err, errStale):
			// Something of it has gone meanwhile: look again.
		case err != nil:
			// Without room the old files are as good; what cannot be read is kept as it is.
			l.note("files could not be written anew", group[0].file.name, err)
			return nil
		}
	}
}

// sparse returns the runs to be written anew: all of some neighbouring files.
func (l *Log) sparse() []*run {
	uses := l.uses()
	for i := range uses {
		if u := &uses[i]; u.f == nil || u.rate >= l.o.Rewrite {
			continue
		}
		lo, hi, live := i, i, uses[i].live
		joins := func(j int) bool {
			u := &uses[j]
			return u.f != nil && (u.rate < 2*l.o.Rewrite || u.f.size < l.segment()/8) && live+u.live <= uint64(l.segment())
		}
		for lo > 0 && joins(lo-1) {
			lo--
			live += uses[lo].live
		}
		for hi+1 < len(uses) && joins(hi+1) {
			hi++
			live += uses[hi].live
		}
		var group []*run
		for _, u := range uses[lo : hi+1] {
			group = append(group, u.runs...)
		}
		return group
	}
	return nil
}

// uses lists the files in order; f is nil for one that is left alone. Of the first file only
// what is behind the first message counts: it will be removed as a whole when the rest has gone.
func (l *Log) uses() []fileUse {
	var uses []fileUse
	for _, r := range l.runs {
		if n := len(uses) - 1; n < 0 || uses[n].runs[0].file != r.file {
			uses = append(uses, fileUse{f: r.file})
		}
		u := &uses[len(uses)-1]
		u.runs = append(u.runs, r)
		u.live += r.bytes
		u.records, u.there = u.records+r.n, u.there+r.live
	}
	for i := range uses {
		u := &uses[i]
		u.rate = float64(u.live) / float64(u.f.size)
		if l.compress.Load() { // what lives is counted as it was before
			u.rate = min(u.rate, float64(u.there)/float64(u.records))
		}
		if len(u.runs) == 1 && u.runs[0].live == u.runs[0].n {
			u.rate = 1 // what is not the messages' has to be there
		}
		if i == 0 {
			n, live := 0, 0
			for _, r := range u.runs {
				number, err := l.numberAt(r, l.first)
				if err != nil {
					number = 0
				}
				n, live = n+r.n-int(number), live+r.live
			}
			u.rate = float64(live) / float64(max(n, 1))
		}
		if slices.ContainsFunc(u.runs, func(r *run) bool { return r.remade.Load() != nil }) {
			u.rate = 0 // its index is damaged, and nothing else
		}
		if u.f == l.cur || u.f.keep {
			u.f = nil
		}
	}
	return uses
}

// rewrite writes the living of some runs into a new file and puts it in their place.
func (l *Log) rewrite(group []*run, into *file) error {
	b := l.newBuilder(into)
	copied := make([]bitset, len(group)) // what was dead when it was copied
	err := func() error {
		for i, r := range group {
			if err := l.ready(r); err != nil {
				return err
			}
			l.mu.RLock()
			copied[i] = slices.Clone(r.dead)
			l.mu.RUnlock()
			if err := l.copyLiving(b, r, copied[i]); err != nil {
				return err
			}
		}
		return nil
	}()
	var whole *run
	if err == nil && b.iw.n > 0 {
		whole, err = b.finish()
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		for _, r := range group {
			if !slices.Contains(l.runs, r) {
				err = errStale
			}
		}
	}
	if err != nil || whole == nil {
		l.away = append(l.away, into)
		return err
	}
	l.files = append(l.files, into)
	whole.bytes = 0
	at := uint32(0)
	for i, r := range group {
		whole.bytes += r.bytes
		all := selection{all: true, n: r.n, msgs: r.n}
		for number, ok := all.next(0, copied[i]); ok; number, ok = all.next(number+1, copied[i]) {
			if r.dead.has(number) {
				if whole.dead == nil {
					whole.dead = newBitset(whole.n)
				}
				whole.dead.set(at)
				whole.changed = true
				whole.live--
			}
			at++
		}
	}
	l.changes++
	if whole.live == 0 {
		whole = nil
	}
	l.replaceRuns(group, whole)
	l.sweep()
	return nil
}

// copyLiving gives the records of a run that are not dead to a builder.
func (l *Log) copyLiving(b *builder, r *run, dead bitset) error {
	x, err := l.index(r)
	if err != nil {
		return err
	}
	all := selection{all: true, n: r.n, msgs: r.n}
	for i := range x.pages {
		p := &x.pages[i]
		number, ok := all.next(p.number, dead)
		if !ok || number >= p.number+p.n {
			continue
		}
		pg, err := l.readPage(r, p)
		if err != nil {
			if !errors.Is(err, errStale) {
				l.losePage(r, p, err)
			}
			return err
		}
		for ; ok && number < p.number+p.n; number, ok = all.next(number+1, dead) {
			e := &pg.entries[number-p.number]
			data, err := pg.record(int(number - p.number))
			if err != nil {
				l.lose(r, e.seq, e.seq, err)
				return err
			}
			rec := record{e.seq, e.time, pg.commit, e.subject, e.header, e.payload, e.crc, data}
			if err := b.add(&rec); err != nil {
				return err
			}
		}
	}
	return nil
}
